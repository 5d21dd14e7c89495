/**
 * The books. A balance changes here and nowhere else: each change is a payment with two entries,
 * one on the customer's account and one on the platform's, made in the statement that moves the
 * balance. The entries of a payment sum to zero, which the database checks.
 */
import type { Money } from '../core/schema';
import { type Transaction, sql } from '../db/database';

export interface Posting {
  readonly kind: 'opening' | 'adjustment' | 'closing';
  readonly i_customer: number;
  /** What the balance rises by; negative: falls by. Never zero. */
  readonly amount: Money;
  readonly request_id: string;
}

const postStatement = sql(
  'post',
  `WITH moved AS (
     UPDATE customers SET balance = balance + $3 WHERE i_customer = $2 RETURNING i_customer, base_currency),
   payment AS (
     INSERT INTO payments (kind, i_customer, amount, currency, request_id)
     SELECT $1, i_customer, $3, base_currency, $4 FROM moved RETURNING i_payment, i_customer, amount, currency),
   posted AS (
     INSERT INTO entries (i_payment, i_customer, currency, amount)
     SELECT i_payment, i_customer, currency, amount FROM payment
     UNION ALL SELECT i_payment, NULL, currency, -amount FROM payment)
   SELECT i_payment FROM payment`,
);

/** Moves a balance and enters it in the books; the caller holds the lock on the customer's row. */
export async function post(db: Transaction, posting: Posting): Promise<number> {
  const [row] = await db.query<{ i_payment: number }>(postStatement, [
    posting.kind,
    posting.i_customer,
    posting.amount,
    posting.request_id,
  ]);
  if (!row) throw new Error('A payment was posted to a customer that does not exist');
  return row.i_payment;
}

const hasEntriesStatement = sql(
  'has_entries',
  `SELECT EXISTS (SELECT FROM entries e WHERE e.i_customer = ANY($1::int[])) AS found`,
);

/** Whether any of the customers has entries in the books: its currency is fixed then. */
export async function hasEntries(db: Transaction, i_customers: readonly number[]): Promise<boolean> {
  const [row] = await db.query<{ found: boolean }>(hasEntriesStatement, [i_customers]);
  return row?.found ?? false;
}
