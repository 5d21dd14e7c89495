/**
 * Delivers the events that `outbox.ts` wrote: one at a time for each tenant, in order, until its receiver answers 2xx.
 * A delivery takes one of a fixed number of slots and gives it back when it ends. The customers directly below root
 * take turns, and each of them, with all below it, has a few slots only: slow receivers of one do not delay another.
 */
import { createHmac } from 'node:crypto';
import type { Logger } from 'winston';
import type { Config } from '../../../base/config';
import type { Credentials } from '../../../core/auth/credentials';
import type { Database } from '../../../db/database';
import { eventPayload } from './event-payload';
import { type Resolve, deliver, hostOf, resolveByDns } from './webhook-client';
import {
  type Attempt,
  type ClaimedEvent,
  claimEvents,
  finishAttempt,
  promoteQueues,
  waitForQueues,
} from './queue';

const tick_ms = 250;
/** Should an announcement be missed. */
const longestWait_ms = 60_000;
const afterFailure_ms = 1_000;
const reasonLength = 200;

/** As announcements name it. */
export const queuesTable = 'webhook_queues';

interface SenderOptions {
  readonly db: Database;
  readonly credentials: Credentials;
  readonly config: Config;
  readonly log: Logger;
  readonly resolve?: Resolve;
  /** Hears of each attempt, for the metrics. */
  readonly onAttempt?: (attempt: Attempt) => void;
}

interface Sender {
  /** An event may be ready. */
  readonly wake: () => void;
  readonly close: () => Promise<void>;
}

/** Begins to deliver; `close` resolves when the deliveries under way have ended. */
export function startSender(options: SenderOptions): Sender {
  const { db, config, log } = options;
  const slots = createSlots(config);
  const underway = new Set<Promise<void>>();
  let closed = false;
  let looking: Promise<void> | undefined;
  let isAskedAgain = false;
  /** When the queues are looked at without an announcement: a pause ends then, or a claim expires. */
  let look_at = 0;
  /** The family that had the last turn. */
  let last = 0;

  const begin = (event: ClaimedEvent): void => {
    slots.take(event.i_family);
    const work = attemptDelivery(options, event)
      .catch((error: unknown) => {
        // The claim expires, and the event is delivered again.
        log.warn('The outcome of a webhook delivery was not recorded', { cause: String(error) });
      })
      .finally(() => {
        slots.giveBack(event.i_family);
        underway.delete(work);
        wake();
      });
    underway.add(work);
  };

  const look = async (): Promise<void> => {
    await promoteQueues(db);
    last = await claimAll(options, slots, last, begin, () => closed);
    const wait_ms = (await waitForQueues(db)) ?? longestWait_ms;
    look_at = performance.now() + Math.min(Math.max(wait_ms, tick_ms), longestWait_ms);
  };

  const wake = (): void => {
    if (closed || looking) {
      isAskedAgain = true;
      return;
    }
    if (slots.free() === 0) return;
    isAskedAgain = false;
    looking = look()
      .catch(() => {
        // While the database is away, everything waits.
        look_at = performance.now() + afterFailure_ms;
      })
      .finally(() => {
        looking = undefined;
        if (isAskedAgain) wake();
      });
  };

  const timer = setInterval(() => {
    if (performance.now() >= look_at) wake();
  }, tick_ms).unref();
  return {
    wake,
    close: async () => {
      closed = true;
      clearInterval(timer);
      await looking;
      await Promise.all(underway);
    },
  };
}

/**
 * Claims events until the slots are taken or a whole round of the families found nothing. Begins after the family
 * `last`; returns the family that had the last turn.
 */
async function claimAll(
  { db, config }: SenderOptions,
  slots: ReturnType<typeof createSlots>,
  last: number,
  begin: (event: ClaimedEvent) => void,
  isClosed: () => boolean,
): Promise<number> {
  let afterFamily = last;
  while (slots.free() > 0 && !isClosed()) {
    const turn = { afterFamily, excluded: slots.full(), limit: slots.free() };
    const events = await claimEvents(db, config, turn);
    for (const event of events) begin(event);
    if (events.length === 0 && afterFamily === 0) break;
    afterFamily = events.length < turn.limit ? 0 : Math.max(...events.map(({ i_family }) => i_family));
  }
  return afterFamily;
}

/** Counts the deliveries under way, in all and for each family. */
function createSlots({ webhook_slots, webhook_family_slots }: Config) {
  const taken = new Map<number, number>();
  let total = 0;
  return {
    free: () => webhook_slots - total,
    /** The families that have all the slots that they may have. */
    full: () => [...taken].flatMap(([family, count]) => (count >= webhook_family_slots ? [family] : [])),
    take: (family: number): void => {
      total += 1;
      taken.set(family, (taken.get(family) ?? 0) + 1);
    },
    giveBack: (family: number): void => {
      total -= 1;
      const count = (taken.get(family) ?? 1) - 1;
      if (count > 0) taken.set(family, count);
      else taken.delete(family);
    },
  };
}

/** One attempt, with its record. Throws when the database is away. */
async function attemptDelivery(options: SenderOptions, event: ClaimedEvent): Promise<void> {
  const { db, config, log, onAttempt } = options;
  const started = performance.now();
  const outcome = await sendEvent(options, event);
  const attempt = { ...outcome, duration_ms: Math.round(performance.now() - started) };
  onAttempt?.(attempt);
  const dead = await finishAttempt(db, config, event, attempt);
  if (attempt.reason === null) return;
  const { i_customer, i_event, attempts, uri } = event;
  // The host only: path and query of a webhook may hold a secret.
  const about = { i_customer, i_event, attempts: attempts + 1, host: hostOf(uri), cause: attempt.reason };
  log.warn('A webhook event was not delivered', about);
  if (dead > 0) log.warn('Webhook events became dead letters', { i_customer, events: dead });
}

async function sendEvent(
  { credentials, config, resolve }: SenderOptions,
  event: ClaimedEvent,
): Promise<Omit<Attempt, 'duration_ms'>> {
  try {
    const body = JSON.stringify({ type: event.type, data: eventPayload(event.type, event.subject) });
    const key = credentials.openSecret(event.sealed_key, `webhook ${event.customer_uuid}`);
    const { uri, method } = event;
    const http_status = await deliver(
      { uri, method, headers: headersOf(event, key, body), body },
      {
        allowed: config.webhook_ranges,
        resolve: resolve ?? resolveByDns,
        timeout_ms: config.webhook_timeout_ms,
      },
    );
    const isTaken = http_status >= 200 && http_status < 300;
    return { http_status, reason: isTaken ? null : `HTTP status ${http_status}` };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { http_status: null, reason: reason.slice(0, reasonLength) };
  }
}

/** The time is signed with the body, so an old event cannot be sent again by somebody else. */
function headersOf(event: ClaimedEvent, key: string, body: string): Record<string, string> {
  const timestamp = String(Math.floor((performance.timeOrigin + performance.now()) / 1_000));
  const signature = createHmac('sha256', key).update(`${timestamp}.${body}`).digest('hex');
  return {
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(body)),
    'user-agent': 'Treeline',
    'x-treeline-event': event.i_event,
    'x-treeline-event-id': event.event_uuid,
    'x-treeline-timestamp': timestamp,
    'x-treeline-signature': `sha256=${signature}`,
  };
}
