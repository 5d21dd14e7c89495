/**
 * The books. A balance changes here and nowhere else. Each change is a payment whose entries sum to zero in each
 * currency, which the database checks: one entry for each account that moves, and one for the platform where those do
 * not sum to zero themselves. An opening balance is in the row from its beginning, and is entered behind it. The
 * accounts of the platform have no stored balance: theirs is the negated sum of all others.
 */
import { type Transaction, sql } from '../../db/database';
import type { Movement } from './charging/consume';

export const paymentKinds = [
  'opening',
  'adjustment',
  'closing',
  'add_funds',
  'credit',
  'debit',
  'transfer',
  'reversal',
  'charge',
] as const;
export type PaymentKind = (typeof paymentKinds)[number];

interface Described {
  /** Whose payment it is. */
  readonly i_customer: number;
  readonly request_id: string;
  readonly payment_notes?: string | undefined;
  readonly payment_time?: Date | undefined;
}

export interface Posting extends Described {
  readonly kind: PaymentKind;
  /** One for each account, all of them locked by the caller; those of 0 are left out of the books. */
  readonly movements: readonly Movement[];
  /** The payment that this one takes back. */
  readonly i_reversed?: number;
}

/** An entry is dated under the row lock, and after the entry before it even where the clock was set back. */
const bookedAt = `greatest(clock_timestamp(), c.booked_at + interval '1 microsecond')`;
const insertEntries =
  'INSERT INTO entries (i_payment, i_customer, currency, amount, prepaid, balance_after, booked_at)';
const insertPayment =
  'INSERT INTO payments (kind, i_customer, amount, currency, request_id, payment_notes, payment_time, i_reversed)';

const postStatement = sql(
  'post',
  `WITH moved AS (
     UPDATE customers c SET balance = c.balance + m.amount, prepaid = c.prepaid + m.prepaid, booked_at = ${bookedAt}
     FROM unnest($6::int[], $7::numeric[], $8::numeric[]) AS m (i_customer, amount, prepaid)
     WHERE c.i_customer = m.i_customer AND c.deleted_at IS NULL
     RETURNING c.i_customer, c.base_currency AS currency, m.amount, m.prepaid, c.balance, c.booked_at),
   payment AS (
     ${insertPayment}
     SELECT $1, i_customer, amount, currency, $3, $4, coalesce($5, now()), $9 FROM moved WHERE i_customer = $2
     RETURNING i_payment),
   posted AS (
     ${insertEntries}
     SELECT p.i_payment, m.i_customer, m.currency, m.amount, m.prepaid, m.balance, m.booked_at FROM payment p, moved m
     UNION ALL
     SELECT p.i_payment, NULL, m.currency, -sum(m.amount), 0, NULL, clock_timestamp() FROM payment p, moved m
     GROUP BY p.i_payment, m.currency HAVING sum(m.amount) <> 0)
   SELECT p.i_payment::float8 AS i_payment, (SELECT count(*) FROM moved)::int AS moved FROM payment p`,
);

const openingStatement = sql(
  'post_opening',
  `WITH payment AS (
     ${insertPayment}
     SELECT 'opening', c.i_customer, c.balance, c.base_currency, $2, NULL, now(), NULL FROM customers c WHERE c.i_customer = $1
     RETURNING i_payment)
   ${insertEntries}
   SELECT p.i_payment, c.i_customer, c.base_currency, c.balance, 0, c.balance, c.booked_at
   FROM payment p, customers c WHERE c.i_customer = $1
   UNION ALL
   SELECT p.i_payment, NULL, c.base_currency, -c.balance, 0, NULL, c.booked_at
   FROM payment p, customers c WHERE c.i_customer = $1`,
);

/**
 * Moves balances and enters it in the books; returns the payment. Its `i_customer` must be among those that move, and
 * every account must be locked and alive: otherwise it throws an error, which is a bug.
 */
export async function post(db: Transaction, posting: Posting): Promise<number> {
  const movements = posting.movements.filter(({ amount }) => amount !== '0');
  const [row] = await db.query<{ i_payment: number; moved: number }>(postStatement, [
    posting.kind,
    posting.i_customer,
    posting.request_id,
    posting.payment_notes ?? null,
    posting.payment_time ?? null,
    movements.map(({ i_customer }) => i_customer),
    movements.map(({ amount }) => amount),
    movements.map(({ prepaid }) => prepaid),
    posting.i_reversed ?? null,
  ]);
  if (row?.moved !== movements.length) throw new Error('An account of a payment was not locked');
  return row.i_payment;
}

/**
 * Enters the balance with which a customer was made in this transaction. To move it there would write
 * the new row twice, and PostgreSQL looks again at all that such a row refers to.
 */
export function enterOpening(db: Transaction, { i_customer, request_id }: Described): void {
  db.exec(openingStatement, [i_customer, request_id]);
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

/** An account's side of a payment. */
export interface EntryRow extends Movement {
  readonly currency: string;
}

const entriesStatement = sql(
  'entries_of_payment',
  `SELECT i_customer, amount::text AS amount, prepaid::text AS prepaid, currency FROM entries
   WHERE i_payment = $1 AND i_customer IS NOT NULL`,
);

/** The entries of a payment, but for the platform's. */
export const entriesOf = (db: Transaction, i_payment: number): Promise<EntryRow[]> =>
  db.query<EntryRow>(entriesStatement, [i_payment]);
