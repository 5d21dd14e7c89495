/**
 * What is to be told to a tenant is written down in the transaction of the change: what is rolled back is not told,
 * and what is committed is not forgotten. `sender.ts` tells it.
 */
import type { AuditRecord } from '../core/audit';
import { type Database, type Statement, type Transaction, sql } from '../db/database';
import { columnsOf, fromOf } from '../resources/repository';
import { flowKind, queueKind, tenantNumberKind } from '../resources/tenant-kinds';
import { agentColumns } from '../users/agents';
import { customerRowColumns } from './customer-row';

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

/**
 * `$1` the tenant, `$2` the row, `$3` the type of the event. One transaction after the other, so that the numbers of a
 * tenant's events are in the order in which they were committed.
 */
const enqueue = (table: Table, columns: string, rows: string): Statement =>
  sql(
    `tell_of_${table}`,
    `WITH told AS MATERIALIZED (
       SELECT pg_advisory_xact_lock(7233653, c.i_customer), c.i_customer FROM customers c
       WHERE c.i_customer = $1 AND c.webhook_uri IS NOT NULL)
     INSERT INTO webhook_events (i_customer, type, subject)
     SELECT t.i_customer, $3, to_jsonb(s) FROM told t, LATERAL (SELECT ${columns} FROM ${rows}) s`,
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

/** What is told with a transaction already: a row that is made and changed in one is told of once, as it then is. */
const toldWith = new WeakMap<Transaction, Set<string>>();

function isToldWith(tx: Transaction, { action, resource }: AuditRecord): boolean {
  const told = toldWith.get(tx) ?? new Set();
  toldWith.set(tx, told);
  if (action === 'U' && told.has(resource)) return true;
  told.add(resource);
  return false;
}

/** `changed` of the core: whatever face or command made the change. */
export async function tellTenant(db: Database | Transaction, record: AuditRecord): Promise<void> {
  const word = happened[record.action];
  const [, table, key] = resourceForm.exec(record.resource) ?? [];
  if (word === undefined || table === undefined || record.i_customer === null) return;
  const values = [record.i_customer, key, `${subjects[table as Table]}_${word}`];
  const statement = statements[table as Table];
  if (!('inTransaction' in db)) await db.query(statement, values);
  else if (!isToldWith(db, record)) db.atCommit(statement, values);
}
