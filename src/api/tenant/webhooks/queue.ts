/**
 * The SQL of the webhook queues: claim a queue, record what came of the attempt, send dead letters again, delete what
 * is old. Every statement that changes the events of a tenant first takes its row of `webhook_queues`, so the
 * counters there are exact and no two servers deliver for one tenant at once.
 *
 * State of a queue: idle (nothing waits) → ready (may be claimed) → claimed (a server delivers) → idle, ready or
 * paused (the attempt failed) → ready. A claim expires, so a server that dies keeps no queue.
 */
import type { Config } from '../../../base/config';
import { type Database, type Queryable, type Transaction, sql } from '../../../db/database';

/** An event of a claimed queue, with all that its delivery needs. */
export interface ClaimedEvent {
  readonly i_customer: number;
  readonly i_family: number;
  readonly claim: string;
  readonly failures: number;
  readonly i_event: string;
  readonly event_uuid: string;
  readonly state: 'waiting' | 'ping';
  readonly type: string;
  readonly subject: Readonly<Record<string, unknown>>;
  readonly bytes: number;
  readonly attempts: number;
  readonly customer_uuid: string;
  readonly uri: string;
  readonly method: string;
  readonly sealed_key: Buffer;
}

/** What came of one attempt; without a reason the receiver answered 2xx. */
export interface Attempt {
  readonly http_status: number | null;
  readonly reason: string | null;
  readonly duration_ms: number;
}

/** Longer than a delivery may take, so that a claim does not expire under a server that lives. */
const claimMargin_ms = 5_000;
const longestPause_s = 3_600;
const batch = 1_000;
/** How many deliveries of each tenant the log keeps. */
export const deliveriesKept = 100;

const promoteStatement = sql(
  'promote_webhook_queues',
  `UPDATE webhook_queues SET state = 'ready' WHERE i_customer = ANY (ARRAY(
     SELECT i_customer FROM webhook_queues WHERE state IN ('paused', 'claimed') AND ready_at <= now()
     ORDER BY ready_at LIMIT ${batch} FOR UPDATE SKIP LOCKED))`,
);

/** How long until a pause ends or a claim expires; a second where a ready queue is left, null where there is none. */
const dueStatement = sql(
  'webhook_queues_due',
  `SELECT CASE WHEN EXISTS (SELECT FROM webhook_queues WHERE state = 'ready') THEN 1000
     ELSE (SELECT extract(epoch FROM ready_at - now()) * 1000 FROM webhook_queues
       WHERE state IN ('paused', 'claimed') ORDER BY ready_at LIMIT 1) END::float8 AS wait_ms`,
);

const nextFamily = (after: string): string =>
  `SELECT q.i_family FROM webhook_queues q WHERE q.state = 'ready' AND q.i_family > ${after} ORDER BY q.i_family LIMIT 1`;

/**
 * One queue each of the families after `$1` that have a ready one, but for the families in `$2`; at most `$3`. Jumps from
 * family to family in the index, so neither a family with many ready queues nor one that is skipped costs more. Of a
 * family the queue that is ready the longest comes first.
 */
const claimStatement = sql(
  'claim_webhook_queues',
  `WITH RECURSIVE families AS (
     SELECT (${nextFamily('$1::int')}) AS i_family
     UNION ALL
     SELECT (${nextFamily('f.i_family')}) FROM families f WHERE f.i_family IS NOT NULL),
   chosen AS MATERIALIZED (
     SELECT q.i_customer FROM families f CROSS JOIN LATERAL (
       SELECT r.i_customer FROM webhook_queues r WHERE r.state = 'ready' AND r.i_family = f.i_family
       ORDER BY r.ready_at LIMIT 1 FOR UPDATE SKIP LOCKED) q
     WHERE f.i_family <> ALL ($2::int[]) LIMIT $3::int)
   UPDATE webhook_queues q
   SET state = 'claimed', claim = gen_random_uuid(), ready_at = now() + make_interval(secs => $4::float8)
   FROM chosen c WHERE q.i_customer = c.i_customer
   RETURNING q.i_customer, q.i_family, q.claim, q.failures`,
);

/** The next event of each customer in `$1`: a ping, else the oldest. A statement of its own, so it sees what the claim saw. */
const headsStatement = sql(
  'webhook_queue_heads',
  `SELECT c.i_customer, c.uuid AS customer_uuid, c.webhook_uri AS uri, c.webhook_method AS method,
     c.sealed_webhook_key AS sealed_key, e.i_event, e.uuid AS event_uuid, e.state, e.type, e.subject, e.bytes, e.attempts
   FROM customers c CROSS JOIN LATERAL (
     (SELECT p.* FROM webhook_events p WHERE p.i_customer = c.i_customer AND p.state = 'ping')
     UNION ALL
     (SELECT w.* FROM webhook_events w WHERE w.i_customer = c.i_customer AND w.state = 'waiting' ORDER BY w.i_event LIMIT 1)
     LIMIT 1) e
   WHERE c.i_customer = ANY ($1::int[]) AND c.webhook_uri IS NOT NULL AND c.sealed_webhook_key IS NOT NULL`,
);

/** SQL: whether more events wait for the customer of the queue `q` when `done` of them are gone. */
const stateAfter = (done: string): string =>
  `CASE WHEN q.waiting > ${done} OR EXISTS (SELECT FROM webhook_events p
     WHERE p.i_customer = q.i_customer AND p.state = 'ping' AND p.i_event <> $3) THEN 'ready' ELSE 'idle' END`;
const isOurs = `q.i_customer = $1 AND q.claim = $2 AND q.state = 'claimed'`;

/** Delivered: `$4` is 1 for an event that was counted as waiting and 0 for a ping, `$5` its bytes. */
const deliveredStatement = sql(
  'webhook_event_delivered',
  `WITH queue AS (
     UPDATE webhook_queues q SET state = ${stateAfter('$4::int')}, ready_at = now(), claim = NULL, failures = 0,
       waiting = q.waiting - $4::int, waiting_bytes = q.waiting_bytes - $5::int, deliveries = q.deliveries + 1
     WHERE ${isOurs} RETURNING q.i_customer, q.deliveries),
   gone AS (DELETE FROM webhook_events e USING queue WHERE e.i_event = $3 AND e.i_customer = queue.i_customer)
   SELECT deliveries AS number FROM queue`,
);

/** SQL: seconds until the attempt after `failures` failed ones. */
const pauseAfter = (failures: string): string =>
  `make_interval(secs => least(${longestPause_s}, 2 ^ least(${failures} - 1, 30)))`;

/** SQL: whether the event `e` has waited for the whole time in which attempts are made, `$5` seconds. */
const isExpired = 'e.state_at <= now() - make_interval(secs => $5::float8)';

/** Failed: the queue pauses, or, where the event has waited too long, the event becomes a dead letter. */
const failedStatement = sql(
  'webhook_event_failed',
  `WITH queue AS MATERIALIZED (SELECT q.i_customer FROM webhook_queues q WHERE ${isOurs} FOR UPDATE),
   tried AS (
     UPDATE webhook_events e SET attempts = e.attempts + 1, reason = $4,
       state = CASE WHEN ${isExpired} THEN 'dead' ELSE e.state END,
       state_at = CASE WHEN ${isExpired} THEN now() ELSE e.state_at END
     FROM queue WHERE e.i_event = $3 AND e.i_customer = queue.i_customer RETURNING e.state, e.bytes),
   died AS (SELECT count(*)::int AS events, coalesce(sum(bytes), 0) AS bytes FROM tried WHERE state = 'dead')
   UPDATE webhook_queues q SET claim = NULL, failures = q.failures + 1, deliveries = q.deliveries + 1,
     state = CASE WHEN q.waiting > died.events THEN 'paused' ELSE 'idle' END,
     ready_at = now() + ${pauseAfter('(q.failures + 1)')},
     waiting = q.waiting - died.events, waiting_bytes = q.waiting_bytes - died.bytes,
     dead = q.dead + died.events, dead_bytes = q.dead_bytes + died.bytes
   FROM died, queue WHERE q.i_customer = queue.i_customer
   RETURNING q.deliveries AS number, died.events AS died`,
);

/** The events that have waited as long as the one that just died. The caller holds the queue. */
const expireStatement = sql(
  'expire_webhook_events',
  `WITH died AS (
     UPDATE webhook_events e SET state = 'dead', state_at = now(), reason = coalesce(e.reason, $2)
     WHERE e.i_customer = $1 AND e.state = 'waiting' AND e.state_at <= now() - make_interval(secs => $3::float8)
     RETURNING e.bytes),
   total AS (SELECT count(*)::int AS events, coalesce(sum(bytes), 0) AS bytes FROM died)
   UPDATE webhook_queues q SET state = CASE WHEN q.waiting > total.events THEN q.state ELSE 'idle' END,
     waiting = q.waiting - total.events, waiting_bytes = q.waiting_bytes - total.bytes,
     dead = q.dead + total.events, dead_bytes = q.dead_bytes + total.bytes
   FROM total WHERE q.i_customer = $1 RETURNING total.events`,
);

/** A ping that failed is tried no more, and the pause of the queue begins anew. */
const pingFailedStatement = sql(
  'webhook_ping_failed',
  `WITH queue AS (
     UPDATE webhook_queues q SET claim = NULL, deliveries = q.deliveries + 1,
       state = CASE WHEN q.waiting = 0 THEN 'idle' WHEN q.failures = 0 THEN 'ready' ELSE 'paused' END,
       ready_at = CASE WHEN q.failures = 0 THEN now() ELSE now() + ${pauseAfter('q.failures')} END
     WHERE ${isOurs} RETURNING q.i_customer, q.deliveries),
   gone AS (DELETE FROM webhook_events e USING queue WHERE e.i_event = $3 AND e.i_customer = queue.i_customer)
   SELECT deliveries AS number FROM queue`,
);

/** A claimed queue without an event for a webhook: its counters were wrong, or the customer has no webhook. */
const emptyStatement = sql(
  'webhook_queue_empty',
  `UPDATE webhook_queues SET state = 'idle', claim = NULL WHERE i_customer = $1 AND claim = $2`,
);

const logStatement = sql(
  'log_webhook_delivery',
  `WITH old AS (DELETE FROM webhook_deliveries WHERE i_customer = $1 AND number <= $2::bigint - ${deliveriesKept})
   INSERT INTO webhook_deliveries (i_customer, number, event_uuid, type, attempt, http_status, reason, duration_ms)
   VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
);

/** SQL: deletes dead letters of the customer `$1`. `lost`: counts them as lost. */
const dropDead = (chosen: string, lost: 'lost' | 'aged'): string =>
  `WITH queue AS MATERIALIZED (SELECT q.i_customer FROM webhook_queues q WHERE q.i_customer = $1 FOR UPDATE),
   dropped AS (
     DELETE FROM webhook_events e USING queue
     WHERE e.i_customer = queue.i_customer AND e.state = 'dead' AND e.i_event = ANY (ARRAY(${chosen}))
     RETURNING e.bytes),
   total AS (SELECT count(*)::int AS events, coalesce(sum(bytes), 0) AS bytes FROM dropped)
   UPDATE webhook_queues q SET dead = q.dead - total.events, dead_bytes = q.dead_bytes - total.bytes
     ${lost === 'lost' ? ', lost = q.lost + total.events, lost_at = CASE WHEN total.events > 0 THEN now() ELSE q.lost_at END' : ''}
   FROM total WHERE q.i_customer = $1 RETURNING total.events`;

/** Keeps the newest `$2` dead letters of at most `$3` bytes together. */
const trimStatement = sql(
  'trim_dead_letters',
  dropDead(
    `SELECT i_event FROM (
       SELECT d.i_event, row_number() OVER newest AS place, sum(d.bytes) OVER newest AS bytes
       FROM webhook_events d WHERE d.i_customer = $1 AND d.state = 'dead' WINDOW newest AS (ORDER BY d.i_event DESC)) d
     WHERE d.place > $2::int OR d.bytes > $3::bigint`,
    'lost',
  ),
);

/** Who is claimed, as the statement returns it. */
type Claim = Pick<ClaimedEvent, 'i_customer' | 'i_family' | 'claim' | 'failures'>;

/** Makes queues ready whose pause is over, or whose claim expired because its server died. */
export async function promoteQueues(db: Queryable): Promise<void> {
  await db.query(promoteStatement);
}

/** Milliseconds until the queues should be looked at again without an announcement; undefined where nothing is due. */
export async function waitForQueues(db: Queryable): Promise<number | undefined> {
  const [row] = await db.query<{ wait_ms: number | null }>(dueStatement);
  return row?.wait_ms ?? undefined;
}

/**
 * Claims one ready queue of each family after `afterFamily`, in the order of their ids, at most `limit`; answers the
 * next event of each. Families in `excluded` are skipped.
 */
export async function claimEvents(
  db: Queryable,
  { webhook_timeout_ms }: Pick<Config, 'webhook_timeout_ms'>,
  turn: { readonly afterFamily: number; readonly excluded: readonly number[]; readonly limit: number },
): Promise<ClaimedEvent[]> {
  const hold_s = (webhook_timeout_ms + claimMargin_ms) / 1_000;
  const values = [turn.afterFamily, turn.excluded, turn.limit, hold_s];
  const claims = await db.query<Claim>(claimStatement, values);
  if (claims.length === 0) return [];
  const ids = claims.map(({ i_customer }) => i_customer);
  const heads = await db.query<Omit<ClaimedEvent, keyof Claim> & { i_customer: number }>(headsStatement, [
    ids,
  ]);
  const events: ClaimedEvent[] = [];
  for (const claim of claims) {
    const head = heads.find(({ i_customer }) => i_customer === claim.i_customer);
    if (head) events.push({ ...head, ...claim });
    else await db.query(emptyStatement, [claim.i_customer, claim.claim]);
  }
  return events;
}

/**
 * Records an attempt and gives the queue back. Does nothing where the claim has expired: another server has the queue.
 * Answers how many events became dead letters.
 */
export async function finishAttempt(
  db: Database,
  config: Limits,
  event: ClaimedEvent,
  attempt: Attempt,
): Promise<number> {
  const { i_customer, claim, i_event, event_uuid, type, attempts, state, bytes } = event;
  const { http_status, reason, duration_ms } = attempt;
  const isPing = state === 'ping';
  const ours = [i_customer, claim, i_event];
  return db.transaction(async (tx) => {
    const [row] = await (reason === null
      ? tx.query<Finished>(deliveredStatement, [...ours, isPing ? 0 : 1, isPing ? 0 : bytes])
      : isPing
        ? tx.query<Finished>(pingFailedStatement, ours)
        : tx.query<Finished>(failedStatement, [...ours, reason, config.webhook_retry_s]));
    if (!row) return 0;
    const logged = [i_customer, row.number, event_uuid, type, attempts + 1, http_status, reason, duration_ms];
    tx.execBeforeCommit(logStatement, logged);
    return row.died ? 1 + (await expire(tx, config, i_customer)) : 0;
  });
}

/** Ends the waiting of all events that are as old as the one that just died, and bounds the dead letters. */
async function expire(
  tx: Transaction,
  { webhook_retry_s, webhook_events, webhook_bytes }: Limits,
  i_customer: number,
): Promise<number> {
  const reason = 'The receiver did not take the events before it';
  const [row] = await tx.query<{ events: number }>(expireStatement, [i_customer, reason, webhook_retry_s]);
  await tx.query(trimStatement, [i_customer, webhook_events, webhook_bytes]);
  return row?.events ?? 0;
}

type Limits = Pick<Config, 'webhook_retry_s' | 'webhook_events' | 'webhook_bytes'>;

interface Finished {
  readonly number: string;
  readonly died?: number;
}

const staleStatement = sql(
  'tenants_with_old_dead_letters',
  `SELECT DISTINCT i_customer FROM (SELECT i_customer FROM webhook_events
     WHERE state = 'dead' AND state_at < now() - make_interval(days => $1::int) ORDER BY state_at LIMIT ${batch}) e`,
);
const dropStaleStatement = sql(
  'drop_old_dead_letters',
  dropDead(
    `SELECT d.i_event FROM webhook_events d WHERE d.i_customer = $1 AND d.state = 'dead'
    AND d.state_at < now() - make_interval(days => $2::int) ORDER BY d.i_event LIMIT ${batch}`,
    'aged',
  ),
);
const purgeDeliveriesStatement = sql(
  'purge_webhook_deliveries',
  `DELETE FROM webhook_deliveries WHERE ctid = ANY (ARRAY(SELECT ctid FROM webhook_deliveries
     WHERE created_at < now() - make_interval(days => $1::int) ORDER BY created_at LIMIT ${batch}))`,
);

/** Deletes dead letters and deliveries that are older than the setting says; answers how many dead letters. */
export async function purgeWebhooks(
  db: Database,
  { webhook_keep_days }: Pick<Config, 'webhook_keep_days'>,
): Promise<number> {
  await db.query(purgeDeliveriesStatement, [webhook_keep_days]);
  const tenants = await db.query<{ i_customer: number }>(staleStatement, [webhook_keep_days]);
  let dropped = 0;
  for (const { i_customer } of tenants) {
    const [row] = await db.query<{ events: number }>(dropStaleStatement, [i_customer, webhook_keep_days]);
    dropped += row?.events ?? 0;
  }
  return dropped;
}
