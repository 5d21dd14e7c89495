/** The statements that read the books. */
import type { Page } from '../../core/call/batches';
import type { RowQuery } from '../../core/call/bounded-rows';
import type { Id } from '../../core/call/method';
import type { Actor } from '../../core/tree/rights';
import type { Money } from '../../core/schema/schema';
import { type Queryable, type Transaction, sharedRead, sql } from '../../db/database';
import type { PaymentKind } from './ledger';
import { isBelow, isSelfOrAbove, isWithin } from '../../core/tree/visibility';

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

/** `side` is the payment itself, or one of its entries: the levels of a charge may be billed in different currencies. */
const paymentColumns = (side: 'p' | 'e'): string => `
  p.i_payment::float8 AS i_payment, ${side}.i_customer, p.kind, ${side}.amount::text AS amount, ${side}.currency, p.payment_notes, p.payment_time,
  p.i_reversed::float8 AS i_reversed, EXISTS (SELECT FROM payments r WHERE r.i_reversed = p.i_payment) AS reversed`;

const findStatement = sql(
  'find_payment',
  `SELECT ${paymentColumns('p')}
   FROM payments p JOIN customers c ON c.i_customer = p.i_customer
   WHERE p.i_payment = $1 AND ${isWithin('c', '$2')}`,
);
const findReversibleStatement = sql(
  'find_reversible',
  `SELECT ${paymentColumns('p')}
   FROM payments p JOIN customers c ON c.i_customer = p.i_customer
   WHERE p.i_payment = $1 AND ${isBelow('c', '$2')} AND c.deleted_at IS NULL`,
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

/** A payment of a living customer below the actor. */
export async function findReversible(
  db: Transaction,
  actor: Id,
  i_payment: number,
): Promise<PaymentRow | undefined> {
  const [row] = await db.query<PaymentRow>(findReversibleStatement, [i_payment, actor.i_customer]);
  return row;
}

const listStatement = sql(
  'list_payments',
  `SELECT e.i_entry, ${paymentColumns('e')}
   FROM entries e JOIN payments p ON p.i_payment = e.i_payment
   WHERE e.i_customer = (SELECT c.i_customer FROM customers c WHERE c.i_customer = $1 AND ${isWithin('c', '$8')})
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

/** The last entry of the account before a moment: its balance then stood at `balance_after`. */
const lastBefore = (moment: string): string => `
  SELECT e.i_entry, e.balance_after FROM entries e WHERE e.i_customer = $1 AND e.booked_at < ${moment}
  ORDER BY e.booked_at DESC, e.i_entry DESC LIMIT 1`;

const boundsStatement = sharedRead(
  'statement_bounds',
  `SELECT coalesce(o.balance_after, 0)::text AS opening, coalesce(o.i_entry, 0) AS first_entry,
     coalesce(k.balance_after, 0)::text AS closing, coalesce(k.i_entry, 0) AS last_entry
   FROM customers c
   LEFT JOIN LATERAL (${lastBefore('$2')}) o ON true
   LEFT JOIN LATERAL (${lastBefore(`coalesce($3::timestamptz, 'infinity')`)}) k ON true
   WHERE c.i_customer = $1 AND ${isWithin('c', '$4')}`,
);

/** A part of an account's time; without `to`: until now. */
export interface Period {
  readonly i_customer: number;
  readonly from: Date;
  readonly to: Date | null;
}

export interface StatementBounds {
  readonly opening: Money;
  readonly closing: Money;
  /** The last entry before the period. Entries of an account rise in time, as they are dated under its lock. */
  readonly first_entry: string;
  /** The last entry of the period. */
  readonly last_entry: string;
}

/**
 * What the account stood at before and after the period, and between which entries it lies, by two index look-ups;
 * undefined: it is neither the actor nor below it.
 */
export async function statementBounds(
  db: Queryable,
  actor: Actor,
  { i_customer, from, to }: Period,
): Promise<StatementBounds | undefined> {
  const values = [i_customer, from, to === null || to > from ? to : from, actor.i_customer];
  const [row] = await db.query<StatementBounds>(boundsStatement, values);
  return row;
}

const awaitBookedStatement = sql(
  'await_booked',
  `SELECT FROM customers c WHERE c.i_customer = $1 AND ${isWithin('c', '$2')} AND $3::timestamptz <= clock_timestamp()
   FOR SHARE OF c`,
);

/** Waits for payments that hold the lock of the account: they may be dated before `to` and not committed yet. */
export async function awaitBooked(db: Queryable, actor: Actor, { i_customer, to }: Period): Promise<void> {
  await db.query(awaitBookedStatement, [i_customer, actor.i_customer, to]);
}

/** What an account above paid for an entry. */
export interface LevelRow {
  readonly i_customer: number;
  readonly amount: Money;
  readonly prepaid: Money;
}

export interface StatementRow {
  readonly i_entry: string;
  readonly i_payment: number;
  readonly kind: PaymentKind;
  readonly amount: Money;
  readonly prepaid: Money;
  readonly balance: Money;
  readonly booked_at: Date;
  readonly payment_notes: string | null;
  /** Those that the actor may see, upwards. */
  readonly levels: LevelRow[];
}

const statementRowsStatement = sql(
  'statement_rows',
  `SELECT e.i_entry, e.i_payment::float8 AS i_payment, p.kind, e.amount::text AS amount, e.prepaid::text AS prepaid,
     e.balance_after::text AS balance, e.booked_at, p.payment_notes,
     (SELECT coalesce(json_agg(json_build_object('i_customer', l.i_customer, 'amount', l.amount::text, 'prepaid', l.prepaid::text)
        ORDER BY l.i_customer DESC), '[]')
      FROM entries l JOIN customers a ON a.i_customer = l.i_customer
      WHERE l.i_payment = e.i_payment AND l.i_customer <> e.i_customer AND ${isSelfOrAbove('l', 'c')} AND ${isWithin('a', '$5')}) AS levels
   FROM entries e JOIN payments p ON p.i_payment = e.i_payment JOIN customers c ON c.i_customer = e.i_customer
   WHERE e.i_customer = $1 AND e.i_entry > $2 AND e.i_entry <= $3
   ORDER BY e.i_entry LIMIT $4`,
);

/** The account's entries of a period, from the last one that was read on. */
export const statementRows = (
  actor: Actor,
  i_customer: number,
  { first_entry, last_entry }: StatementBounds,
  { last, size }: Page<StatementRow>,
): RowQuery => [
  statementRowsStatement,
  [i_customer, last?.i_entry ?? first_entry, last_entry, size, actor.i_customer],
];
