/**
 * Erasing who a deleted customer was: its name and details, the logins and addresses of its people,
 * and what the audit records say of them. The row, its place in the tree and its books stay, because
 * balances of others and the zero sum stand on them. Notes of payments are part of the books.
 */
import type { Call } from '../../core/call/method';
import { type Transaction, sql } from '../../db/database';
import { conflict, notFound } from '../../base/faults';
import { customerColumns, personalAttributes } from './fields';
import { ownedTables } from './repository';

const lockStatement = sql(
  'lock_deleted',
  'SELECT deleted_at IS NOT NULL AS deleted FROM customers WHERE i_customer = $1 FOR UPDATE',
);

/** Beside the attributes of a customer, what users and owned objects tell. */
const personalMembers = [
  ...personalAttributes,
  ...[
    'contact_first_name',
    'contact_last_name',
    'short_name',
    'number',
    'extension',
    'display_name',
    'caller_id',
  ],
  ...['street_one', 'street_two', 'street_three', 'zip', 'country_code', 'domain', 'ip_addresses'],
];

/** The name is not null, so it gets another; the others are cleared. */
const cleared = personalAttributes.filter((name) => customerColumns.includes(name) && name !== 'name');

const eraseStatements = [
  // Its logins called for itself and for those below it, so the index by ancestor has all these records.
  sql(
    'erase_callers',
    `UPDATE audit_records r SET caller = 'erased-' || r.i_caller FROM audit_index x
     WHERE x.i_ancestor = $1 AND r.created_at = x.created_at AND r.i_audit_record = x.i_audit_record AND r.i_caller = $1`,
  ),
  sql(
    'erase_users',
    `UPDATE users SET addresses = '[]', web_login = 'erased-' || i_web_user, login_key = 'erased-' || i_web_user, name = NULL,
       short_name = NULL, short_name_key = NULL, contact_first_name = NULL, contact_last_name = NULL, description = NULL, email = NULL, password_hash = NULL, one_time_hash = NULL, updated_at = now()
     WHERE i_customer = $1`,
  ),
  sql(
    'erase_customer',
    `UPDATE customers SET name = 'erased-' || i_customer, name_key = 'erased-' || i_customer, updated_at = now(),
       ${cleared.map((name) => `${name} = NULL`).join(', ')}
     WHERE i_customer = $1`,
  ),
  // A trigger deletes its queue, and with it events, dead letters and deliveries.
  sql(
    'erase_webhook',
    'UPDATE customers SET webhook_uri = NULL, sealed_webhook_key = NULL WHERE i_customer = $1',
  ),
  // What it owned is in no books: what was paid for it is.
  ...ownedTables.map((table) => sql(`erase_${table}`, `DELETE FROM ${table} WHERE i_customer = $1`)),
  sql(
    'erase_resources',
    `UPDATE audit_records SET resource = 'customer:username=erased-' || i_customer
     WHERE i_customer = $1 AND resource LIKE 'customer:username=%'`,
  ),
];

const eraseChangesStatement = sql(
  'erase_changes',
  `UPDATE audit_records SET changes = (
     SELECT jsonb_object_agg(key, CASE WHEN key = ANY($2::text[]) THEN '["erased", "erased"]' ELSE value END)
     FROM jsonb_each(changes))
   WHERE i_customer = $1 AND changes ?| $2::text[] AND resource ~ '^(customers|web_users|${ownedTables.join('|')}):'`,
);

export async function eraseCustomer(call: Call, { i_customer }: { i_customer: number }) {
  const { db } = call;
  await assertDeleted(db, i_customer);
  for (const statement of eraseStatements) await db.query(statement, [i_customer]);
  await db.query(eraseChangesStatement, [i_customer, personalMembers]);
  await call.audit({ action: 'D', resource: `customers:i_customer=${i_customer}`, i_customer });
  return { result: 'OK' as const, i_customer };
}

async function assertDeleted(db: Transaction, i_customer: number): Promise<void> {
  const [row] = await db.query<{ deleted: boolean }>(lockStatement, [i_customer]);
  if (!row) throw notFound();
  if (!row.deleted) throw conflict('The customer is not deleted: delete it first');
}
