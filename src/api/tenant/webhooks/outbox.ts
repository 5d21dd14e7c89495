/**
 * Writes webhook events in the transaction of the change: a change that is rolled back has no event, and one that is
 * committed has. A tenant with a webhook_uri has a row in `webhook_queues`, others have none and get no events.
 */
import type { Config } from '../../../base/config';
import type { AuditRecord } from '../../../core/call/audit';
import { type Database, type Statement, type Transaction, sql } from '../../../db/database';
import { columnsOf, fromOf } from '../../../features/resources/repository';
import { flowKind, queueKind, tenantNumberKind } from '../../../features/resources/tenant-kinds';
import { agentColumns } from '../../../features/users/agents';
import { customerRowColumns } from '../operations/customer-row';

/** What is told of, by the names that audit records have for it. */
export const subjects = {
  customers: 'customer',
  web_users: 'agent',
  numbers: 'number',
  flows: 'flow',
  queues: 'queue',
} as const;
type Table = keyof typeof subjects;

const happened: Partial<Record<AuditRecord['action'], string>> = { A: 'created', U: 'updated', D: 'deleted' };

/** A larger row is not stored. The limits of the API keep every row far below it. */
const eventBytesAtMost = 262_144;

/**
 * `$1` the tenant, `$2` the row, `$3` the type of the event; the queue holds `$4` events and `$5` bytes. Locking the
 * queue makes the numbers of a tenant's events follow the order of commits. A full queue makes dead letters, and
 * where there is no room for those either, the event is only counted: the change itself never fails.
 */
const enqueue = (table: Table, columns: string, rows: string): Statement =>
  sql(
    `enqueue_event_of_${table}`,
    `WITH queue AS MATERIALIZED (
       SELECT q.* FROM webhook_queues q WHERE q.i_customer = $1 FOR UPDATE),
     event AS MATERIALIZED (
       SELECT s.subject, s.bytes, CASE
         WHEN s.bytes > ${eventBytesAtMost} THEN 'lost'
         WHEN queue.waiting < $4::int AND queue.waiting_bytes + s.bytes <= $5::bigint THEN 'waiting'
         WHEN queue.dead < $4::int AND queue.dead_bytes + s.bytes <= $5::bigint THEN 'dead'
         ELSE 'lost' END AS state
       FROM queue, LATERAL (
         SELECT to_jsonb(r) AS subject, octet_length(to_jsonb(r)::text) AS bytes FROM (SELECT ${columns} FROM ${rows}) r) s),
     stored AS (
       INSERT INTO webhook_events (i_customer, type, subject, bytes, state, reason)
       SELECT $1, $3, subject, bytes, state, CASE state WHEN 'dead' THEN 'The queue was full' END
       FROM event WHERE state <> 'lost')
     UPDATE webhook_queues q SET
       waiting = q.waiting + (e.state = 'waiting')::int,
       waiting_bytes = q.waiting_bytes + CASE e.state WHEN 'waiting' THEN e.bytes ELSE 0 END,
       dead = q.dead + (e.state = 'dead')::int,
       dead_bytes = q.dead_bytes + CASE e.state WHEN 'dead' THEN e.bytes ELSE 0 END,
       lost = q.lost + (e.state = 'lost')::int,
       lost_at = CASE e.state WHEN 'lost' THEN now() ELSE q.lost_at END,
       state = CASE WHEN q.state = 'idle' AND e.state = 'waiting' THEN 'ready' ELSE q.state END,
       ready_at = CASE WHEN q.state = 'idle' AND e.state = 'waiting' THEN now() ELSE q.ready_at END
     FROM event e WHERE q.i_customer = $1`,
  );

const statements: Readonly<Record<Table, Statement>> = {
  customers: enqueue('customers', customerRowColumns, 'customers c WHERE c.i_customer = $2::int'),
  web_users: enqueue('web_users', agentColumns, 'users u WHERE u.i_web_user = $2::int'),
  numbers: enqueue(
    'numbers',
    columnsOf(tenantNumberKind),
    `${fromOf(tenantNumberKind)} WHERE r.uuid = $2::uuid`,
  ),
  flows: enqueue('flows', columnsOf(flowKind), `${fromOf(flowKind)} WHERE r.uuid = $2::uuid`),
  queues: enqueue('queues', columnsOf(queueKind), `${fromOf(queueKind)} WHERE r.uuid = $2::uuid`),
};

const resourceForm = /^(customers|web_users|numbers|flows|queues):\w+=([0-9a-f-]+)$/;

/** The rows of which a transaction has written an event: a row that is made and changed in one has one event. */
const toldWith = new WeakMap<Transaction, Set<string>>();

function isToldWith(tx: Transaction, { action, resource }: AuditRecord): boolean {
  const told = toldWith.get(tx) ?? new Set();
  toldWith.set(tx, told);
  if (action === 'U' && told.has(resource)) return true;
  told.add(resource);
  return false;
}

/** Makes the `onChange` of the core: it writes the event of a change in the transaction of the change. */
export const createOutbox =
  ({ webhook_events, webhook_bytes }: Pick<Config, 'webhook_events' | 'webhook_bytes'>) =>
  async (db: Database | Transaction, record: AuditRecord): Promise<void> => {
    const word = happened[record.action];
    const [, table, key] = resourceForm.exec(record.resource) ?? [];
    if (word === undefined || table === undefined || record.i_customer === null) return;
    const type = `${subjects[table as Table]}_${word}`;
    const values = [record.i_customer, key, type, webhook_events, webhook_bytes];
    const statement = statements[table as Table];
    if (!('inTransaction' in db)) await db.query(statement, values);
    else if (!isToldWith(db, record)) db.execBeforeCommit(statement, values);
  };

/** Whether another event of `bytes` has no room among those that wait; the same rule as in the statements above. */
export const isQueueFull = (
  { webhook_events, webhook_bytes }: Pick<Config, 'webhook_events' | 'webhook_bytes'>,
  queue: { readonly waiting: number; readonly waiting_bytes: number },
  bytes: number,
): boolean => queue.waiting >= webhook_events || queue.waiting_bytes + bytes > webhook_bytes;
