/** The SQL by which a tenant reads its webhook events and deliveries, sends dead letters again and asks for a ping. */
import type { ListCall } from '../../../core/call/bounded-rows';
import type { Call } from '../../../core/call/method';
import {
  type CursorParams,
  type CursorRow,
  readCursorPage,
  beforeCursor,
  cursorColumns,
} from '../../../core/call/cursor-pagination';
import type { Page } from '../../../core/call/operation';
import { type Queryable, type Transaction, sharedRead, sql } from '../../../db/database';

export interface QueueRow {
  readonly state: 'idle' | 'ready' | 'paused' | 'claimed';
  readonly ready_at: Date;
  readonly failures: number;
  readonly waiting: number;
  readonly waiting_bytes: string;
  readonly dead: number;
  readonly dead_bytes: string;
  readonly lost: string;
  readonly lost_at: Date | null;
  readonly oldest_at: Date | null;
}

export interface EventRow {
  readonly uuid: string;
  readonly number: string;
  readonly customer_id: string;
  readonly type: string;
  readonly state: 'waiting' | 'dead' | 'ping';
  readonly attempts: number;
  readonly reason: string | null;
  readonly created_at: Date;
  readonly state_at: Date;
}

export interface DeliveryRow {
  readonly uuid: string;
  readonly customer_id: string;
  readonly event_uuid: string;
  readonly type: string;
  readonly attempt: number;
  readonly http_status: number | null;
  readonly reason: string | null;
  readonly duration_ms: number;
  readonly created_at: Date;
}

const customerUuid = (alias: string): string =>
  `(SELECT c.uuid FROM customers c WHERE c.i_customer = ${alias}.i_customer) AS customer_id`;

const queueStatement = sharedRead(
  'webhook_queue',
  `SELECT q.state, q.ready_at, q.failures, q.waiting, q.waiting_bytes, q.dead, q.dead_bytes, q.lost, q.lost_at,
     (SELECT e.created_at FROM webhook_events e WHERE e.i_customer = $1 AND e.state = 'waiting'
      ORDER BY e.i_event LIMIT 1) AS oldest_at
   FROM webhook_queues q WHERE q.i_customer = $1`,
);

const eventColumns = `e.uuid, e.i_event AS number, ${customerUuid('e')}, e.type, e.state, e.attempts, e.reason,
  e.created_at, e.state_at`;
/** Numbers of events are given in order, so the number alone is the cursor. */
const newestEventsStatement = sql(
  'newest_webhook_events',
  `SELECT ${eventColumns}, ${cursorColumns('e', 'i_event')} FROM webhook_events e
   WHERE e.i_customer = $1 AND e.state = $2 AND e.i_event < coalesce(nullif($3::bigint, 0), 9223372036854775807)
   ORDER BY e.i_event DESC LIMIT $4`,
);
const findEventStatement = sharedRead(
  'find_webhook_event',
  `SELECT ${eventColumns}, e.subject FROM webhook_events e WHERE e.uuid = $1 AND e.i_customer = $2`,
);

const newestDeliveriesStatement = sql(
  'newest_webhook_deliveries',
  `SELECT d.uuid, ${customerUuid('d')}, d.event_uuid, d.type, d.attempt, d.http_status, d.reason, d.duration_ms,
     d.created_at, ${cursorColumns('d', 'number')}
   FROM webhook_deliveries d WHERE d.i_customer = $1 AND ${beforeCursor('d', 'number', 2)}`,
);

const lockQueueStatement = sql(
  'lock_webhook_queue',
  `SELECT waiting, waiting_bytes::float8 AS waiting_bytes FROM webhook_queues WHERE i_customer = $1 FOR UPDATE`,
);
const deadLetterStatement = sql(
  'dead_letter',
  `SELECT i_event, bytes FROM webhook_events WHERE uuid = $1 AND i_customer = $2 AND state = 'dead'`,
);
const resendStatement = sql(
  'resend_webhook_event',
  `WITH event AS (
     UPDATE webhook_events SET state = 'waiting', state_at = now(), attempts = 0, reason = NULL
     WHERE i_event = $1 RETURNING i_customer, bytes)
   UPDATE webhook_queues q SET waiting = q.waiting + 1, waiting_bytes = q.waiting_bytes + e.bytes,
     dead = q.dead - 1, dead_bytes = q.dead_bytes - e.bytes,
     state = CASE WHEN q.state = 'idle' THEN 'ready' ELSE q.state END,
     ready_at = CASE WHEN q.state = 'idle' THEN now() ELSE q.ready_at END
   FROM event e WHERE q.i_customer = e.i_customer`,
);
const pingStatement = sql(
  'insert_webhook_ping',
  `WITH queue AS (
     UPDATE webhook_queues SET state = CASE WHEN state IN ('idle', 'paused') THEN 'ready' ELSE state END,
       ready_at = CASE WHEN state IN ('idle', 'paused') THEN now() ELSE ready_at END
     WHERE i_customer = $1 RETURNING i_customer)
   INSERT INTO webhook_events (i_customer, type, state, bytes, subject)
   SELECT i_customer, 'ping', 'ping', 0, jsonb_build_object('customer_id', $2::uuid) FROM queue
   ON CONFLICT (i_customer) WHERE state = 'ping' DO NOTHING`,
);
const findPingStatement = sql(
  'find_webhook_ping',
  `SELECT ${eventColumns} FROM webhook_events e WHERE e.i_customer = $1 AND e.state = 'ping'`,
);

/** The queue of a customer; undefined where it has no webhook. */
export async function findQueue(db: Queryable, i_customer: number): Promise<QueueRow | undefined> {
  const [row] = await db.query<QueueRow>(queueStatement, [i_customer]);
  return row;
}

type Reader = ListCall & Pick<Call, 'actor'>;

/** The events of the actor in this state, the newest first. */
export const newestEvents = (
  call: Reader,
  state: 'waiting' | 'dead',
  params: CursorParams,
): Promise<Page<EventRow>> =>
  readCursorPage<EventRow & CursorRow>(call, params, (_time, id, size) => [
    newestEventsStatement,
    [call.actor.i_customer, state, id, size],
  ]);

/** The deliveries to the actor, the newest first. */
export const newestDeliveries = (call: Reader, params: CursorParams): Promise<Page<DeliveryRow>> =>
  readCursorPage<DeliveryRow & CursorRow>(call, params, (...place) => [
    newestDeliveriesStatement,
    [call.actor.i_customer, ...place],
  ]);

type Subject = Readonly<Record<string, unknown>>;

export async function findEvent(
  db: Queryable,
  i_customer: number,
  uuid: string,
): Promise<(EventRow & { readonly subject: Subject }) | undefined> {
  const [row] = await db.query<EventRow & { readonly subject: Subject }>(findEventStatement, [
    uuid,
    i_customer,
  ]);
  return row;
}

/** Locks the queue of a customer; undefined where it has no webhook. */
export async function lockQueue(
  db: Transaction,
  i_customer: number,
): Promise<{ readonly waiting: number; readonly waiting_bytes: number } | undefined> {
  const [row] = await db.query<{ waiting: number; waiting_bytes: number }>(lockQueueStatement, [i_customer]);
  return row;
}

/** A dead letter of the customer, whose queue the caller has locked. */
export async function findDeadLetter(
  db: Transaction,
  i_customer: number,
  uuid: string,
): Promise<{ readonly i_event: string; readonly bytes: number } | undefined> {
  const [row] = await db.query<{ i_event: string; bytes: number }>(deadLetterStatement, [uuid, i_customer]);
  return row;
}

/** Makes a dead letter wait again, under its old number; the caller has locked the queue. */
export async function resendEvent(db: Transaction, i_event: string): Promise<void> {
  await db.query(resendStatement, [i_event]);
}

/** Adds a ping, unless one waits already, and returns the one that waits; the caller has locked the queue. */
export async function insertPing(
  db: Transaction,
  i_customer: number,
  customer_uuid: string,
): Promise<EventRow> {
  await db.query(pingStatement, [i_customer, customer_uuid]);
  const [row] = await db.query<EventRow>(findPingStatement, [i_customer]);
  if (!row) throw new Error('The ping that was just inserted is not there');
  return row;
}
