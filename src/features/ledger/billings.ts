/** The entries of one account in the books, the newest first. An id is the number of the entry in the form of a uuid (version 8). */
import { type ListCall, narrowStep } from '../../core/call/bounded-rows';
import { type CursorParams, type CursorRow, readCursorPage } from '../../core/call/cursor-pagination';
import type { Page } from '../../core/call/operation';
import type { Money } from '../../core/schema/schema';
import { type Queryable, sharedRead, sql } from '../../db/database';
import type { PaymentKind } from './ledger';

export interface BillingRow {
  readonly id: string;
  readonly customer_id: string;
  readonly kind: PaymentKind;
  readonly amount: Money;
  readonly currency: string;
  readonly payment_notes: string | null;
  readonly created_at: Date;
}

const prefix = '00000000-0000-8000-8000-';
const columns = `'${prefix}' || lpad(to_hex(e.i_entry), 12, '0') AS id,
  (SELECT c.uuid FROM customers c WHERE c.i_customer = e.i_customer) AS customer_id,
  p.kind, e.amount::text AS amount, e.currency, p.payment_notes, e.booked_at AS created_at`;
const from = 'entries e JOIN payments p ON p.i_payment = e.i_payment';

/** In order of their numbers, which is that in which they were booked, and that of the index. */
const newestStatement = sql(
  'newest_billings',
  `SELECT ${columns}, e.booked_at::text AS cursor_time, e.i_entry::text AS cursor_id FROM ${from}
   WHERE e.i_customer = $1 AND e.i_entry < coalesce(nullif($2::bigint, 0), 9223372036854775807)
   ORDER BY e.i_entry DESC LIMIT $3`,
);
const findStatement = sharedRead(
  'find_billing',
  `SELECT ${columns} FROM ${from} WHERE e.i_customer = $1 AND e.i_entry = $2::bigint`,
);

export const newestBillings = (
  call: ListCall,
  i_customer: number,
  params: CursorParams,
): Promise<Page<BillingRow>> =>
  readCursorPage<BillingRow & CursorRow>(call, { ...params, step: narrowStep }, (_time, id, size) => [
    newestStatement,
    [i_customer, id, size],
  ]);

export async function findBilling(
  db: Queryable,
  i_customer: number,
  id: string,
): Promise<BillingRow | undefined> {
  if (!id.startsWith(prefix)) return undefined;
  const number = BigInt(`0x${id.slice(prefix.length)}`).toString();
  const [row] = await db.query<BillingRow>(findStatement, [i_customer, number]);
  return row;
}
