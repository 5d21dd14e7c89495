/** What Prometheus is told: calls by method and fault, how long they take, the pool, the event loop. */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { Ended } from '../core/call/dispatch';
import type { Database } from '../db/database';
import { metricsText } from './shared-metrics';

export interface Metrics {
  /** Where features register metrics of their own. */
  readonly registry: Registry;
  readonly observe: (ended: Ended) => void;
  readonly text: () => Promise<string>;
  readonly content_type: string;
}

export function createMetrics(db: Database): Metrics {
  // A registry of its own, so that two servers in one process do not meet in the global one.
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const calls = new Counter({
    name: 'treeline_calls_total',
    help: 'Calls by method and fault number; 0 is success.',
    labelNames: ['method', 'fault'],
    registers: [registry],
  });
  const seconds = new Histogram({
    name: 'treeline_call_duration_seconds',
    help: 'Duration of calls by method.',
    labelNames: ['method'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers: [registry],
  });
  new Gauge({
    name: 'treeline_pool_connections',
    help: 'Connections to PostgreSQL by state; waiting: calls that wait for one.',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      for (const [state, count] of Object.entries(db.poolState())) this.set({ state }, count);
    },
  });
  return {
    registry,
    observe: ({ method, fault, duration_ms }) => {
      calls.inc({ method, fault });
      seconds.observe({ method }, duration_ms / 1_000);
    },
    text: metricsText(registry),
    content_type: registry.contentType,
  };
}
