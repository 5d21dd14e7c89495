/** The statements that read the books. */
import type { Page } from '../core/batches';
import type { RowQuery } from '../core/bounded-rows';
import type { Id } from '../core/method';
import { type Actor, rootId } from '../core/rights';
import type { Place } from '../core/tree';
import type { Money } from '../core/schema';
import { type Queryable, type Transaction, sql } from '../db/database';
import type { PaymentKind } from './books';

export interface Account {
  readonly i_customer: number;
  readonly balance: Money;
  readonly base_currency: string;
}

const lockAccountsStatement = (name: string, receiver: string) =>
  sql(
    name,
    `SELECT i_customer, balance::text AS balance, base_currency FROM customers
     WHERE i_customer IN (${receiver}, nullif($2, ${rootId})) AND $2 = ANY(path) AND deleted_at IS NULL
     ORDER BY i_customer FOR NO KEY UPDATE`,
  );
const lockByIdStatement = lockAccountsStatement('lock_accounts', '$1');
const lockByUuidStatement = lockAccountsStatement(
  'lock_accounts_by_uuid',
  '(SELECT r.i_customer FROM customers r WHERE r.uuid = $1)',
);

/**
 * Holds the account of a customer below the actor, by id or uuid, and the actor's own, which root has none of, in
 * the order of their ids: a customer's is always greater than its wholesaler's.
 */
export const lockAccounts = (db: Transaction, actor: Id, key: number | string): Promise<Account[]> =>
  db.query<Account>(typeof key === 'number' ? lockByIdStatement : lockByUuidStatement, [
    key,
    actor.i_customer,
  ]);

export interface PaymentRow {
  readonly i_payment: number;
  readonly i_customer: number;
  readonly kind: PaymentKind;
  /** As seen from `i_customer`: negative where its balance fell. */
  readonly amount: Money;
  readonly currency: string;
  readonly payment_notes: string | null;
  readonly payment_time: Date;
  readonly i_reversed: number | null;
  /** Whether another payment took it back. */
  readonly reversed: boolean;
}

const paymentColumns = (i_customer: string, amount: string): string => `
  p.i_payment, ${i_customer} AS i_customer, p.kind, ${amount}::text AS amount, p.currency, p.payment_notes, p.payment_time,
  p.i_reversed, EXISTS (SELECT FROM payments r WHERE r.i_reversed = p.i_payment) AS reversed`;

const findStatement = sql(
  'find_payment',
  `SELECT ${paymentColumns('p.i_customer', 'p.amount')}
   FROM payments p JOIN customers c ON c.i_customer = p.i_customer
   WHERE p.i_payment = $1 AND $2 = ANY(c.path)`,
);
const findBelowStatement = sql(
  'find_payment_below',
  `SELECT ${paymentColumns('p.i_customer', 'p.amount')}, c.i_wholesaler, c.base_currency, w.overcommit_protection
   FROM payments p JOIN customers c ON c.i_customer = p.i_customer JOIN customers w ON w.i_customer = c.i_wholesaler
   WHERE p.i_payment = $1 AND $2 = ANY(c.path) AND c.i_customer <> $2 AND c.deleted_at IS NULL`,
);

/** A payment of the actor or of a customer below it, also a deleted one: its books stay. */
export async function findPayment(
  db: Queryable,
  actor: Actor,
  i_payment: number,
): Promise<PaymentRow | undefined> {
  const [row] = await db.query<PaymentRow>(findStatement, [i_payment, actor.i_customer]);
  return row;
}

/** A payment of a living customer below the actor, with the customer's place. */
export async function findPaymentBelow(
  db: Transaction,
  actor: Actor,
  i_payment: number,
): Promise<(PaymentRow & Place) | undefined> {
  const [row] = await db.query<PaymentRow & Place>(findBelowStatement, [i_payment, actor.i_customer]);
  return row;
}

const listStatement = sql(
  'list_payments',
  `SELECT e.i_entry, ${paymentColumns('e.i_customer', 'e.amount')}
   FROM entries e JOIN payments p ON p.i_payment = e.i_payment
   WHERE e.i_customer = (SELECT c.i_customer FROM customers c WHERE c.i_customer = $1 AND $8 = ANY(c.path))
     AND ($2::timestamptz IS NULL OR p.payment_time >= $2) AND ($3::timestamptz IS NULL OR p.payment_time < $3)
     AND ($4::int IS NULL OR sign(e.amount) = $4) AND e.i_entry > $5
   ORDER BY e.i_entry OFFSET $6 LIMIT $7`,
);

export interface PaymentFilter {
  readonly i_customer: number;
  readonly from: Date | null;
  readonly to: Date | null;
  /** 1: credits only, -1: debits only, null: both. */
  readonly sign: 1 | -1 | null;
}

export interface ListedPayment extends PaymentRow {
  readonly i_entry: string;
}

/** Payments as seen from the account of the actor or of a customer below it, in the order in which they were booked. */
export const listPayments = (
  actor: Actor,
  filter: PaymentFilter,
  { last, offset, size }: Page<ListedPayment>,
): RowQuery => [
  listStatement,
  [
    filter.i_customer,
    filter.from,
    filter.to,
    filter.sign,
    last?.i_entry ?? 0,
    offset,
    size,
    actor.i_customer,
  ],
];

const statementSumsStatement = sql(
  'statement_sums',
  `SELECT coalesce(sum(e.amount) FILTER (WHERE p.created_at < $2), 0)::text AS opening,
     coalesce(sum(e.amount) FILTER (WHERE $3::timestamptz IS NULL OR p.created_at < greatest($2, $3)), 0)::text AS closing,
     coalesce(max(e.i_entry), 0) AS last_entry,
     EXISTS (SELECT FROM customers c WHERE c.i_customer = $1 AND $4 = ANY(c.path)) AS is_within
   FROM entries e JOIN payments p ON p.i_payment = e.i_payment WHERE e.i_customer = $1`,
);

/** A part of an account's time; without `to`: until now. */
export interface Period {
  readonly i_customer: number;
  readonly from: Date;
  readonly to: Date | null;
}

export interface StatementSums {
  readonly opening: Money;
  readonly closing: Money;
  /** The last entry that is in the sums: an account's are made one after the other, under the lock on its row. */
  readonly last_entry: string;
  /** Whether it is the account of the actor or of a customer below it. */
  readonly is_within: boolean;
}

/** What the account stood at before and after the period. */
export async function statementSums(
  db: Queryable,
  actor: Actor,
  { i_customer, from, to }: Period,
): Promise<StatementSums> {
  const values = [i_customer, from, to, actor.i_customer];
  const [row] = await db.query<StatementSums>(statementSumsStatement, values);
  if (!row) throw new Error('An aggregate answered no row');
  return row;
}

export interface StatementRow {
  readonly i_entry: string;
  readonly i_payment: number;
  readonly kind: PaymentKind;
  readonly amount: Money;
  readonly booked_at: Date;
  readonly payment_notes: string | null;
}

const statementRowsStatement = sql(
  'statement_rows',
  `SELECT e.i_entry, e.i_payment, p.kind, e.amount::text AS amount, p.created_at AS booked_at, p.payment_notes
   FROM entries e JOIN payments p ON p.i_payment = e.i_payment
   WHERE e.i_customer = $1 AND p.created_at >= $2 AND ($3::timestamptz IS NULL OR p.created_at < $3)
     AND e.i_entry > $4 AND e.i_entry <= $5
   ORDER BY e.i_entry LIMIT $6`,
);

/** The account's entries of a period, as far as they are in its sums. */
export const statementRows = (
  { i_customer, from, to }: Period,
  { last_entry }: StatementSums,
  { last, size }: Page<StatementRow>,
): RowQuery => [statementRowsStatement, [i_customer, from, to, last?.i_entry ?? 0, last_entry, size]];
