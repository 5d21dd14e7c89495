/**
 * The books. A balance changes here and nowhere else: each change is a payment with two entries,
 * one on the customer's account and one on the payer's (another customer, or the platform), made in
 * the statement that moves the balances; an opening balance is in the row from its beginning, and is
 * entered behind it. The entries of a payment sum to zero, which the database checks. The platform's
 * accounts have no stored balance: theirs is what the others' sum to.
 */
import type { Money } from '../core/schema';
import { type Transaction, sql } from '../db/database';

export type PaymentKind =
  | 'opening'
  | 'adjustment'
  | 'closing'
  | 'add_funds'
  | 'credit'
  | 'debit'
  | 'transfer'
  | 'reversal'
  | 'charge';

export interface Posting {
  readonly kind: PaymentKind;
  readonly i_customer: number;
  /** The currency that the amount is meant in; absent: whatever the customer's is. */
  readonly currency?: string;
  /** What the balance rises by; negative: falls by. Never zero. */
  readonly amount: Money;
  readonly request_id: string;
  /** Whose balance falls by it; absent: the platform's account. Its row is locked by the caller. */
  readonly i_payer?: number;
  readonly payment_notes?: string | undefined;
  readonly payment_time?: Date | undefined;
  /** The payment that this one takes back. */
  readonly i_reversed?: number;
}

const moving = `
  UPDATE customers SET balance = balance + CASE WHEN i_customer = $2 THEN $3::numeric ELSE -$3::numeric END`;
const concerned = `
  WHERE i_customer IN ($2, $5) AND deleted_at IS NULL AND base_currency = coalesce($9, base_currency)`;
const moved = 'i_customer, base_currency, balance';

const postStatement = (name: string, moves: string) =>
  sql(
    name,
    `WITH moved AS (${moves}),
   payment AS (
     INSERT INTO payments (kind, i_customer, amount, currency, request_id, payment_notes, payment_time, i_reversed)
     SELECT $1, i_customer, $3, base_currency, $4, $6, coalesce($7, now()), $8 FROM moved WHERE i_customer = $2
     RETURNING i_payment, i_customer, amount, currency),
   posted AS (
     INSERT INTO entries (i_payment, i_customer, currency, amount)
     SELECT i_payment, i_customer, currency, amount FROM payment
     UNION ALL SELECT i_payment, $5, currency, -amount FROM payment)
   SELECT payment.i_payment, moved.balance::text AS balance
   FROM payment JOIN moved ON moved.i_customer = payment.i_customer`,
  );
const postMoving = postStatement('post', `${moving} ${concerned} RETURNING ${moved}`);
const postMade = postStatement('post_opening', `SELECT ${moved} FROM customers ${concerned}`);

const valuesOf = (posting: Posting): unknown[] => [
  posting.kind,
  posting.i_customer,
  posting.amount,
  posting.request_id,
  posting.i_payer ?? null,
  posting.payment_notes ?? null,
  posting.payment_time ?? null,
  posting.i_reversed ?? null,
  posting.currency ?? null,
];

export interface Posted {
  readonly i_payment: number;
  /** The customer's balance after it. */
  readonly balance: Money;
}

/** Moves a balance and enters it in the books; undefined if the customer is deleted or has another currency. */
export async function post(db: Transaction, posting: Posting): Promise<Posted | undefined> {
  const [row] = await db.query<Posted>(postMoving, valuesOf(posting));
  return row;
}

/**
 * Enters the balance with which a customer was made in this transaction. To move it there would write
 * the new row twice, and PostgreSQL looks again at all that such a row refers to.
 */
export function enterOpening(db: Transaction, posting: Omit<Posting, 'kind' | 'i_payer'>): void {
  db.send(postMade, valuesOf({ ...posting, kind: 'opening' }));
}

const hasEntriesStatement = sql(
  'has_entries',
  'SELECT EXISTS (SELECT FROM entries e WHERE e.i_customer = ANY($1::int[])) AS found',
);

/** Whether any of the customers has entries in the books: its currency is fixed then. */
export async function hasEntries(db: Transaction, i_customers: readonly number[]): Promise<boolean> {
  const [row] = await db.query<{ found: boolean }>(hasEntriesStatement, [i_customers]);
  return row?.found ?? false;
}
