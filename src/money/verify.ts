/**
 * Whether the books are right: every balance is the sum of its entries, the entries of every
 * payment sum to zero, and so do all together in each currency. Rows are read in batches by key.
 * Each statement sees one moment, and money moves within one transaction, so the books may be
 * written to meanwhile.
 */
import { plain } from '../core/decimal';
import type { Money } from '../core/schema';
import { type Queryable, sql } from '../db/database';

/** Something that is not as it must be. */
export interface Discrepancy {
  readonly i_customer: number | null;
  readonly i_payment: number | null;
  readonly currency: string;
  /** In words, with the account named. */
  readonly problem: string;
}

export interface Verified {
  /** How many accounts and payments were looked at so far, and how many there are. */
  readonly checked: number;
  readonly total: number;
  readonly found: readonly Discrepancy[];
}

const batchSize = 1_000;

const countStatement = sql(
  'count_books',
  'SELECT (SELECT count(*) FROM customers)::int + (SELECT count(*) FROM payments)::int AS total',
);

const accountsStatement = sql(
  'verify_accounts',
  `SELECT c.i_customer, c.name, c.base_currency AS currency, c.balance::text AS balance,
     coalesce(e.sum, 0)::text AS entries, c.balance <> coalesce(e.sum, 0) AS differs, coalesce(e.strange, 0)::int AS strange,
     c.deleted_at IS NOT NULL AND c.balance <> 0 AS left_over
   FROM (SELECT * FROM customers WHERE i_customer > $1 ORDER BY i_customer LIMIT $2) c
   LEFT JOIN LATERAL (
     SELECT sum(e.amount), count(*) FILTER (WHERE e.currency <> c.base_currency) AS strange
     FROM entries e WHERE e.i_customer = c.i_customer) e ON true
   ORDER BY c.i_customer`,
);

interface AccountRow {
  readonly i_customer: number;
  readonly name: string;
  readonly currency: string;
  readonly balance: Money;
  readonly entries: Money;
  readonly differs: boolean;
  readonly strange: number;
  readonly left_over: boolean;
}

const paymentsStatement = sql(
  'verify_payments',
  `SELECT p.i_payment, p.i_customer, p.currency, p.amount::text AS amount, e.sum::text AS sum, e.own::text AS own,
     e.sum IS DISTINCT FROM 0 AS unbalanced, e.own IS DISTINCT FROM p.amount AS differs
   FROM (SELECT * FROM payments WHERE i_payment > $1 ORDER BY i_payment LIMIT $2) p
   LEFT JOIN LATERAL (
     SELECT sum(e.amount), sum(e.amount) FILTER (WHERE e.i_customer = p.i_customer AND e.currency = p.currency) AS own
     FROM entries e WHERE e.i_payment = p.i_payment) e ON true
   ORDER BY p.i_payment`,
);

interface PaymentRow {
  readonly i_payment: number;
  readonly i_customer: number;
  readonly currency: string;
  readonly amount: Money;
  /** Null where there are no entries at all. */
  readonly sum: Money | null;
  readonly own: Money | null;
  readonly unbalanced: boolean;
  readonly differs: boolean;
}

const zeroSumStatement = sql(
  'verify_zero_sum',
  `SELECT currency, sum(amount)::text AS sum FROM entries GROUP BY currency HAVING sum(amount) <> 0 ORDER BY currency`,
);

/** Goes through all accounts, then all payments, then the sums; what is wrong comes with the batch that it is in. */
export async function* verifyBooks(db: Queryable): AsyncGenerator<Verified> {
  const [row] = await db.query<{ total: number }>(countStatement);
  const total = row?.total ?? 0;
  let checked = 0;
  for await (const accounts of batches<AccountRow>(db, accountsStatement, ({ i_customer }) => i_customer)) {
    checked += accounts.length;
    yield { checked, total, found: accounts.flatMap(accountProblems) };
  }
  for await (const payments of batches<PaymentRow>(db, paymentsStatement, ({ i_payment }) => i_payment)) {
    checked += payments.length;
    yield { checked, total, found: payments.flatMap(paymentProblems) };
  }
  const sums = await db.query<{ currency: string; sum: Money }>(zeroSumStatement);
  const found = sums.map(({ currency, sum }) => ({
    i_customer: null,
    i_payment: null,
    currency,
    problem: `All entries in ${currency} sum to ${plain(sum)} and not to zero`,
  }));
  yield { checked, total, found };
}

async function* batches<Row>(
  db: Queryable,
  statement: ReturnType<typeof sql>,
  keyOf: (row: Row) => number,
): AsyncGenerator<readonly Row[]> {
  for (let after = 0; ;) {
    const rows = await db.query<Row>(statement, [after, batchSize]);
    if (rows.length > 0) yield rows;
    const last = rows.at(-1);
    if (!last || rows.length < batchSize) return;
    after = keyOf(last);
  }
}

function accountProblems(row: AccountRow): Discrepancy[] {
  const account = `Account ${row.i_customer} (${row.name})`;
  const problems = [
    row.differs &&
      `${account}: the balance is ${plain(row.balance)} ${row.currency}, and its entries sum to ${plain(row.entries)}`,
    row.strange > 0 && `${account}: ${row.strange} of its entries are not in ${row.currency}`,
    row.left_over && `${account}: it is deleted, and its balance is ${plain(row.balance)} ${row.currency}`,
  ];
  return problems
    .filter((problem) => problem !== false)
    .map((problem) => ({ i_customer: row.i_customer, i_payment: null, currency: row.currency, problem }));
}

function paymentProblems({ i_payment, i_customer, currency, ...row }: PaymentRow): Discrepancy[] {
  const payment = `Payment ${i_payment} of account ${i_customer}`;
  const problems = [
    row.sum === null && `${payment}: it has no entries`,
    row.sum !== null && row.unbalanced && `${payment}: its entries sum to ${plain(row.sum)} and not to zero`,
    row.sum !== null &&
      row.differs &&
      `${payment}: it is of ${plain(row.amount)} ${currency}, and was entered with ${plain(row.own ?? '0')}`,
  ];
  return problems
    .filter((problem) => problem !== false)
    .map((problem) => ({ i_customer, i_payment, currency, problem }));
}

const sumsStatement = sql(
  'verify_sums',
  `SELECT currency, sum(amount)::text AS difference FROM (
     SELECT base_currency AS currency, balance AS amount FROM customers
     UNION ALL SELECT currency, -amount FROM entries WHERE i_customer IS NOT NULL) moved
   GROUP BY currency HAVING sum(amount) <> 0`,
);

/** The sums alone, in two statements: whether a whole check is worth while. Answers the currencies that are wrong. */
export async function quickVerifyBooks(db: Queryable): Promise<readonly string[]> {
  const rows = [
    ...(await db.query<{ currency: string }>(zeroSumStatement)),
    ...(await db.query<{ currency: string }>(sumsStatement)),
  ];
  return [...new Set(rows.map(({ currency }) => currency))];
}
