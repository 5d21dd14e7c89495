/**
 * Tells tenants what `outbox.ts` wrote down: one event of a tenant at a time, in order, until its receiver has said
 * 2xx, with growing pauses. Any number of servers may send: who tries an event holds it for a while, so the try of a
 * server that was killed is made again by another.
 */
import { createHmac } from 'node:crypto';
import type { Logger } from 'winston';
import type { Config } from '../config';
import type { Credentials } from '../core/credentials';
import { type Database, sql } from '../db/database';
import { type Resolve, deliver, resolveByDns } from './receiver';
import { dataOf } from './event';

interface Event {
  readonly i_event: string;
  readonly i_customer: number;
  readonly type: string;
  readonly subject: Readonly<Record<string, unknown>>;
  readonly attempts: number;
  readonly uuid: string;
  readonly uri: string;
  readonly method: string;
  readonly sealed_key: Buffer;
}

const tick_ms = 100;
/** Should an announcement be missed. */
const atLeastEvery_ms = 60_000;
const afterFailure_ms = 1_000;
const timeout_ms = 10_000;
/** Longer than a try may take. */
const hold_s = 15;
const atOnce = 16;

/** The oldest event of each tenant that may be tried now; with a tenant, only of that one. */
const takeStatement = sql(
  'take_events',
  `UPDATE webhook_events e SET next_at = now() + interval '${hold_s} seconds', attempts = e.attempts + 1
   FROM (SELECT h.i_event, c.uuid, c.webhook_uri, c.webhook_method, c.sealed_webhook_key
     FROM customers c CROSS JOIN LATERAL (
       SELECT w.i_event, w.next_at FROM webhook_events w WHERE w.i_customer = c.i_customer ORDER BY w.i_event LIMIT 1) h
     WHERE c.webhook_uri IS NOT NULL AND h.next_at <= now() AND ($1::int IS NULL OR c.i_customer = $1)
     ORDER BY h.next_at LIMIT $2) h
   WHERE e.i_event = h.i_event AND e.next_at <= now()
   RETURNING e.i_event, e.i_customer, e.type, e.subject, e.attempts, h.uuid, h.webhook_uri AS uri,
     h.webhook_method AS method, h.sealed_webhook_key AS sealed_key`,
);
/** How long until the oldest event of any tenant may be tried; null: there is none. */
const waitStatement = sql(
  'next_event',
  `SELECT (extract(epoch FROM min(h.next_at) - now()) * 1000)::float8 AS wait_ms
   FROM customers c CROSS JOIN LATERAL (
     SELECT w.next_at FROM webhook_events w WHERE w.i_customer = c.i_customer ORDER BY w.i_event LIMIT 1) h
   WHERE c.webhook_uri IS NOT NULL`,
);
const doneStatement = sql('event_told', 'DELETE FROM webhook_events WHERE i_event = $1');
const pauseStatement = sql(
  'event_waits',
  `UPDATE webhook_events SET next_at = now() + make_interval(secs => least(3600, 2 ^ (attempts - 1))) WHERE i_event = $1`,
);
const purgeStatement = sql(
  'purge_events',
  `DELETE FROM webhook_events e USING customers c WHERE c.i_customer = e.i_customer
     AND (c.webhook_uri IS NULL OR e.created_at < now() - interval '7 days') RETURNING e.i_event`,
);

/** As announcements name it. */
export const eventsTable = 'webhook_events';

interface SenderOptions {
  readonly db: Database;
  readonly credentials: Credentials;
  readonly config: Config;
  readonly log: Logger;
  readonly resolve?: Resolve;
}

interface Sender {
  /** There may be something to tell. */
  readonly wake: () => void;
  readonly close: () => Promise<void>;
}

/** Begins to tell; `close` ends when what is under way is done. */
export function startSender(options: SenderOptions): Sender {
  const underway = new Set<Promise<void>>();
  let closed = false;
  let look_at = 0;
  const begin = (work: Promise<void>): void => {
    underway.add(work);
    void work.finally(() => {
      underway.delete(work);
      look_at = 0;
    });
  };
  const look = async (): Promise<void> => {
    look_at = performance.now() + atLeastEvery_ms;
    const events = await takeEvents(options, null, atOnce - underway.size);
    for (const event of events) begin(tellOn(options, event, () => closed));
    const [next] = await options.db.query<{ wait_ms: number | null }>(waitStatement);
    look_at = Math.min(look_at, performance.now() + Math.max(0, next?.wait_ms ?? Infinity));
  };
  let looking: Promise<void> | undefined;
  const timer = setInterval(() => {
    if (closed || looking || underway.size >= atOnce || performance.now() < look_at) return;
    // While the database is away, everything waits.
    const forgive = (): void => {
      look_at = performance.now() + afterFailure_ms;
    };
    looking = look()
      .catch(forgive)
      .finally(() => {
        looking = undefined;
      });
  }, tick_ms).unref();
  return {
    wake: () => {
      look_at = 0;
    },
    close: async () => {
      closed = true;
      clearInterval(timer);
      await looking;
      await Promise.all(underway);
    },
  };
}

const takeEvents = ({ db }: SenderOptions, i_customer: number | null, limit: number): Promise<Event[]> =>
  db.query<Event>(takeStatement, [i_customer, limit]);

/** One event, and, as long as it goes well, those of the same tenant that follow. */
async function tellOn(options: SenderOptions, first: Event, isClosed: () => boolean): Promise<void> {
  try {
    for (let event: Event | undefined = first; event;) {
      if (!(await tell(options, event))) return;
      if (isClosed()) return;
      [event] = await takeEvents(options, event.i_customer, 1);
    }
  } catch (error) {
    options.log.warn('Events wait: the database is away', { cause: String(error) });
  }
}

/** Whether the receiver has taken it. */
async function tell(
  { db, credentials, config, log, resolve }: SenderOptions,
  event: Event,
): Promise<boolean> {
  const { i_event, i_customer, attempts } = event;
  const problem = await tryToTell(event, credentials, {
    allowed: config.webhook_ranges,
    resolve: resolve ?? resolveByDns,
    timeout_ms,
  });
  if (problem === undefined) {
    await db.query(doneStatement, [i_event]);
    return true;
  }
  log.warn('An event could not be told', { i_customer, i_event, attempts, cause: problem });
  await db.query(pauseStatement, [i_event]);
  return false;
}

async function tryToTell(
  event: Event,
  credentials: Credentials,
  rules: Parameters<typeof deliver>[1],
): Promise<string | undefined> {
  try {
    const body = JSON.stringify({ type: event.type, data: dataOf(event.type, event.subject) });
    const key = credentials.openSecret(event.sealed_key, `webhook ${event.uuid}`);
    const { uri, method } = event;
    const status = await deliver({ uri, method, headers: headersOf(event, key, body), body }, rules);
    return status >= 200 && status < 300 ? undefined : `HTTP status ${status}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The time is signed with the body, so an old event cannot be told again. */
function headersOf(event: Event, key: string, body: string): Record<string, string> {
  const timestamp = String(Math.floor((performance.timeOrigin + performance.now()) / 1_000));
  const signature = createHmac('sha256', key).update(`${timestamp}.${body}`).digest('hex');
  return {
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(body)),
    'user-agent': 'Treeline',
    'x-treeline-event': event.i_event,
    'x-treeline-timestamp': timestamp,
    'x-treeline-signature': `sha256=${signature}`,
  };
}

/** Drops the events of who wants none any more, and what nobody took in a week. */
export async function purgeEvents(db: Database, log: Logger): Promise<void> {
  const dropped = await db.query(purgeStatement);
  if (dropped.length > 0) log.warn('Events that nobody takes were dropped', { events: dropped.length });
}
