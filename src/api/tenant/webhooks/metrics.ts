/** What Prometheus sees of webhooks: the attempts of this process, and the queues of the whole database. */
import { Counter, Gauge, type Registry } from 'prom-client';
import { type Database, sql } from '../../../db/database';
import type { Attempt } from './queue';

const totalsStatement = sql(
  'webhook_totals',
  `SELECT coalesce(sum(waiting), 0)::float8 AS waiting, coalesce(sum(dead), 0)::float8 AS dead,
     coalesce(sum(lost), 0)::float8 AS lost FROM webhook_queues`,
);
const oldestStatement = sql(
  'oldest_webhook_event',
  `SELECT extract(epoch FROM now() - state_at)::float8 AS age_s FROM webhook_events WHERE state = 'waiting'
   ORDER BY state_at LIMIT 1`,
);

/** Registers the metrics; returns the function that counts an attempt. */
export function createWebhookMetrics(registry: Registry, db: Database): (attempt: Attempt) => void {
  const registers = [registry];
  // All processes read one database, so the greatest figure is taken and not the sum.
  const aggregator = 'max' as const;
  const attempts = new Counter({
    name: 'treeline_webhook_attempts_total',
    help: 'Attempts to deliver a webhook event: delivered, refused (another status than 2xx) or failed (no status).',
    labelNames: ['outcome'],
    registers,
  });
  new Gauge({
    name: 'treeline_webhook_events',
    help: 'Webhook events by state: waiting, dead (dead letters), lost (not stored, because a limit was reached).',
    labelNames: ['state'],
    aggregator,
    registers,
    async collect() {
      // While the database is away, the last figures stay.
      const [totals = {}] = await db.query<Record<string, number>>(totalsStatement).catch(() => []);
      for (const [state, count] of Object.entries(totals)) this.set({ state }, count);
    },
  });
  new Gauge({
    name: 'treeline_webhook_oldest_event_seconds',
    help: 'How long the oldest waiting webhook event has waited.',
    aggregator,
    registers,
    async collect() {
      const rows = await db.query<{ age_s: number }>(oldestStatement).catch(() => undefined);
      if (rows) this.set(Math.max(0, rows[0]?.age_s ?? 0));
    },
  });
  return ({ http_status, reason }) => {
    attempts.inc({ outcome: reason === null ? 'delivered' : http_status === null ? 'failed' : 'refused' });
  };
}
