/**
 * What a tenant sees of its webhook: the state of its queue, events that wait, dead letters, the last deliveries. It
 * may send a dead letter again and ask for a ping.
 */
import type { AuditRecord } from '../../../core/call/audit';
import type { Call } from '../../../core/call/method';
import { cursorQuery } from '../../../core/call/cursor-pagination';
import { defineOperation, definePage } from '../../../core/call/operation';
import { editBelow } from '../../../core/tree/rights';
import {
  any,
  integer,
  maxInteger,
  nullable,
  oneOf,
  optional,
  struct,
  text,
  uuid,
} from '../../../core/schema/schema';
import { conflict, forbidden, notFound } from '../../../base/faults';
import { ownTenant } from '../operations/customer-row';
import { eventPayload } from './event-payload';
import {
  type Guarded,
  administrator,
  idInPath,
  requirePermission,
  rfc3339,
} from '../operations/shared-schemas';
import { isQueueFull } from './outbox';
import {
  type DeliveryRow,
  type EventRow,
  type QueueRow,
  findDeadLetter,
  findEvent,
  findQueue,
  insertPing,
  lockQueue,
  newestDeliveries,
  newestEvents,
  resendEvent,
} from './records';

const moment = (description: string) => nullable(text(64, description));

const queueResult = struct({
  state: oneOf(
    ['none', 'idle', 'ready', 'paused', 'sending'],
    'none: there is no webhook_uri; idle: nothing waits; ready: waits for its turn; paused: the last attempt failed; sending: an attempt is under way.',
  ),
  waiting: integer('How many events wait.'),
  waiting_bytes: integer('How long they are together.'),
  dead_letters: integer('How many events were given up; they can be sent again.'),
  dead_letter_bytes: integer('How long they are together.'),
  lost: integer('How many events were not kept, because a limit was reached.'),
  failures: integer('How many attempts in a row have failed.'),
  tm_lost: moment('When the last one was lost, RFC 3339; nil: none was.'),
  tm_oldest: moment('When the oldest waiting event happened, RFC 3339; nil: none waits.'),
  tm_next: moment('When the next attempt is due, RFC 3339; nil unless paused.'),
});

const nothingQueued: Omit<QueueRow, 'state'> = {
  ready_at: new Date(0),
  failures: 0,
  waiting: 0,
  waiting_bytes: '0',
  dead: 0,
  dead_bytes: '0',
  lost: '0',
  lost_at: null,
  oldest_at: null,
};
const wordOf = { idle: 'idle', ready: 'ready', paused: 'paused', claimed: 'sending' } as const;

function queueObject(row: QueueRow | undefined) {
  const queue = row ?? nothingQueued;
  return {
    state: row ? wordOf[row.state] : ('none' as const),
    waiting: queue.waiting,
    waiting_bytes: Number(queue.waiting_bytes),
    dead_letters: queue.dead,
    dead_letter_bytes: Number(queue.dead_bytes),
    lost: Math.min(Number(queue.lost), maxInteger),
    failures: queue.failures,
    tm_lost: rfc3339(queue.lost_at),
    tm_oldest: rfc3339(queue.oldest_at),
    tm_next: row?.state === 'paused' ? rfc3339(row.ready_at) : null,
  };
}

const eventShown = {
  id: uuid('Its id, as in the header X-Treeline-Event-Id.'),
  customer_id: uuid('Whose it is.'),
  number: text(20, 'As in the header X-Treeline-Event: events of a tenant are sent in this order.'),
  type: text(64, 'What happened, such as agent_created.'),
  state: oneOf(['waiting', 'dead', 'ping'], 'waiting: will be sent; dead: was given up; ping: a test.'),
  attempts: integer('How many attempts have failed.'),
  reason: nullable(text(255, 'Why the last attempt failed, or why there was none; nil: none failed.')),
  tm_create: text(64, 'When it happened, RFC 3339.'),
  tm_state: text(64, 'Since when it is in its state, RFC 3339.'),
};
const eventResult = struct(eventShown);

const eventObject = (row: EventRow) => ({
  id: row.uuid,
  customer_id: row.customer_id,
  number: row.number,
  type: row.type,
  state: row.state,
  attempts: row.attempts,
  reason: row.reason,
  tm_create: row.created_at.toISOString(),
  tm_state: row.state_at.toISOString(),
});

const deliveryResult = struct({
  id: uuid('Its id.'),
  customer_id: uuid('Whose it is.'),
  event_id: uuid('The event.'),
  type: text(64, 'What happened, such as agent_created.'),
  attempt: integer('Which attempt it was for this event; 1: the first.'),
  status: oneOf(['delivered', 'failed'], 'delivered: the receiver answered 2xx.'),
  http_status: nullable(integer('What the receiver answered; nil: nothing.')),
  reason: nullable(text(255, 'Why it failed; nil: it did not.')),
  duration_ms: integer('How long it took, in milliseconds.'),
  tm_create: text(64, 'When it ended, RFC 3339.'),
});

const deliveryObject = (row: DeliveryRow) => ({
  id: row.uuid,
  customer_id: row.customer_id,
  event_id: row.event_uuid,
  type: row.type,
  attempt: row.attempt,
  status: row.reason === null ? ('delivered' as const) : ('failed' as const),
  http_status: row.http_status,
  reason: row.reason,
  duration_ms: row.duration_ms,
  tm_create: row.created_at.toISOString(),
});

/** Throws fault 404 for what is no dead letter, and 403 where the queue has no room. */
async function resend(call: Call, id: string) {
  const { db, actor, config } = call;
  const { i_customer } = actor;
  // Locked first: of two that send one letter again, the second finds none.
  const queue = await lockQueue(db, i_customer);
  const letter = queue && (await findDeadLetter(db, i_customer, id));
  if (!letter) throw notFound('Dead letter');
  if (isQueueFull(config, queue, letter.bytes))
    throw forbidden(
      `The queue is full: TREELINE_WEBHOOK_EVENTS allows ${config.webhook_events} waiting events, TREELINE_WEBHOOK_BYTES ${config.webhook_bytes} bytes`,
    );
  await resendEvent(db, letter.i_event);
  await record(call, 'U', id, { state: ['dead', 'waiting'] });
  const sent = await findEvent(db, i_customer, id);
  if (!sent) throw notFound('Dead letter');
  return eventObject(sent);
}

/** Throws fault 409 without a webhook. While a ping waits, another one is the same. */
async function ping(call: Call) {
  const { db, actor } = call;
  if (!(await lockQueue(db, actor.i_customer))) throw conflict('The customer has no webhook_uri');
  const { uuid: customer_uuid } = await ownTenant(call, actor.i_customer);
  const sent = eventObject(await insertPing(db, actor.i_customer, customer_uuid));
  await record(call, 'A', sent.id);
  return sent;
}

const record = (
  { audit, actor: { i_customer } }: Call,
  action: 'A' | 'U',
  id: string,
  changes?: AuditRecord['changes'],
): Promise<void> =>
  audit({ action, resource: `webhook_events:uuid=${id}`, i_customer, ...(changes && { changes }) });

const read = { right: 'none', verb: 'GET' } as const;
const write = { right: editBelow, verb: 'POST', result: eventResult } as const;

export const webhookOperations: readonly Guarded[] = requirePermission(administrator, [
  defineOperation({
    ...read,
    access: 'read',
    path: '/webhook',
    summary: 'Answers how the delivery of events stands.',
    result: queueResult,
    faults: [],
    run: async (call) => queueObject(await findQueue(call.db, call.actor.i_customer)),
  }),
  defineOperation({
    ...write,
    access: 'write',
    path: '/webhook/ping',
    summary:
      'Sends a ping to webhook_uri, before all events that wait; what comes of it is among the deliveries.',
    faults: ['conflict'],
    run: ping,
  }),
  definePage({
    ...read,
    access: 'read',
    path: '/webhook_events',
    summary: 'Lists the dead letters, or the events that wait, the newest first.',
    result: eventResult,
    query: {
      ...cursorQuery,
      state: optional(oneOf(['dead', 'waiting'], 'Which events; absent: the dead letters.')),
    },
    faults: [],
    run: async (call, { state = 'dead', ...given }) => {
      const { items, next } = await newestEvents(call, state, given);
      return { items: items.map(eventObject), next };
    },
  }),
  defineOperation({
    ...read,
    access: 'read',
    path: '/webhook_events/{id}',
    summary: 'Answers an event that waits or was given up, with what it says.',
    params: idInPath,
    result: struct({ ...eventShown, data: any('What it says, as it is sent.') }),
    faults: ['not_found'],
    run: async (call, { id }) => {
      const row = await findEvent(call.db, call.actor.i_customer, id);
      if (!row) throw notFound('Event');
      return { ...eventObject(row), data: eventPayload(row.type, row.subject) };
    },
  }),
  defineOperation({
    ...write,
    access: 'write',
    path: '/webhook_events/{id}/resend',
    summary: 'Sends a dead letter again, under its old number.',
    params: idInPath,
    faults: ['not_found'],
    run: (call, { id }) => resend(call, id),
  }),
  definePage({
    ...read,
    access: 'read',
    path: '/webhook_deliveries',
    summary: 'Lists the last attempts to send events, the newest first.',
    result: deliveryResult,
    query: cursorQuery,
    faults: [],
    run: async (call, given) => {
      const { items, next } = await newestDeliveries(call, given);
      return { items: items.map(deliveryObject), next };
    },
  }),
]);
