/** Tenants with webhooks, and what must hold of their queues at any moment. */
import { runSql } from './family';
import type { Receiver } from './receiver';
import type { TestServer } from './server';
import { type Tenant, makeTenant } from './tenant';

export const allowLoopback = { TREELINE_WEBHOOK_RANGES: '127.0.0.1' };

/** A tenant whose events go to the receiver. */
export async function makeHooked(server: TestServer, { uri }: Receiver): Promise<Tenant> {
  const tenant = await makeTenant(server);
  await tenant.admin.ok('PUT', '/customer', { webhook_uri: uri });
  return tenant;
}

/** Queues whose counters are not what their events add up to. */
export const wrongCounters = (server: TestServer): Promise<unknown[]> =>
  runSql(
    server,
    `SELECT q.i_customer, q.waiting, q.waiting_bytes, q.dead, q.dead_bytes, e.*
     FROM webhook_queues q LEFT JOIN LATERAL (
       SELECT count(*) FILTER (WHERE state = 'waiting') AS w, coalesce(sum(bytes) FILTER (WHERE state = 'waiting'), 0) AS wb,
         count(*) FILTER (WHERE state = 'dead') AS d, coalesce(sum(bytes) FILTER (WHERE state = 'dead'), 0) AS db
       FROM webhook_events e WHERE e.i_customer = q.i_customer) e ON true
     WHERE (q.waiting, q.waiting_bytes, q.dead, q.dead_bytes) IS DISTINCT FROM (e.w, e.wb, e.d, e.db)
       OR (q.state = 'idle' AND e.w > 0)`,
  );
