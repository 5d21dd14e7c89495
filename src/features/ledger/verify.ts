/**
 * Whether the books are right. Every balance and every prepaid part is the sum of its entries, and each entry carries
 * the balance after it. The entries of every payment sum to zero in each currency, and a transfer is charged at every
 * level above its giver, up to what was prepaid. Overcommit sums are those of the customers below. Rows are read in
 * batches by key. Each statement sees one moment, and money moves within one transaction, so the books may be written
 * to meanwhile.
 */
import { plain } from '../../core/schema/decimal';
import type { Money } from '../../core/schema/schema';
import { type Queryable, sql } from '../../db/database';

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
     c.deleted_at IS NOT NULL AND c.balance <> 0 AS left_over,
     c.prepaid::text AS prepaid, coalesce(e.prepaid, 0)::text AS prepaid_entries,
     c.prepaid <> coalesce(e.prepaid, 0) OR c.prepaid > greatest(c.balance, 0) AS prepaid_differs,
     coalesce(e.astray, 0)::int AS astray, c.committed::text AS committed, b.committed::text AS below,
     c.committed IS DISTINCT FROM b.committed AS committed_differs
   FROM (SELECT * FROM customers WHERE i_customer > $1 ORDER BY i_customer LIMIT $2) c
   LEFT JOIN LATERAL (
     SELECT sum(r.amount), sum(r.prepaid) AS prepaid, count(*) FILTER (WHERE r.currency <> c.base_currency) AS strange,
       count(*) FILTER (WHERE r.balance_after <> r.running OR r.booked_at < r.booked_before) AS astray
     FROM (
       SELECT e.*, sum(e.amount) OVER account AS running, lag(e.booked_at) OVER account AS booked_before
       FROM entries e WHERE e.i_customer = c.i_customer WINDOW account AS (ORDER BY e.i_entry)) r) e ON true
   LEFT JOIN LATERAL (
     SELECT CASE WHEN c.overcommit_protection THEN coalesce(sum(greatest(d.balance, 0) + d.credit_limit), 0) END AS committed
     FROM (
       SELECT k.i_customer FROM customers k WHERE k.i_wholesaler = c.i_customer AND k.deleted_at IS NULL AND c.overcommit_protection
       UNION SELECT k.i_customer FROM descendants k WHERE k.i_ancestor = c.i_customer AND c.overcommit_protection) k
     JOIN customers d ON d.i_customer = k.i_customer) b ON true
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
  readonly prepaid: Money;
  readonly prepaid_entries: Money;
  readonly prepaid_differs: boolean;
  /** Entries whose balance is not the sum of all before, or whose time is before theirs. */
  readonly astray: number;
  readonly committed: Money | null;
  readonly below: Money | null;
  readonly committed_differs: boolean;
}

/**
 * A transfer is consumption of its amount by the giver. For the giver and each level above it: what it was charged and
 * what those below it took from their prepaid parts are the amount. Transfers that were booked before there were levels
 * have entries without prepaid parts only, and are left out.
 */
const uncharged = `
  p.kind = 'transfer' AND EXISTS (SELECT FROM entries r WHERE r.i_payment = p.i_payment AND r.i_customer = p.i_customer AND r.prepaid > 0)
  AND EXISTS (
    SELECT FROM (SELECT max(g.i_customer) AS i_customer FROM entries g WHERE g.i_payment = p.i_payment AND g.i_customer < p.i_customer) g
    JOIN customers giver ON giver.i_customer = g.i_customer
    CROSS JOIN LATERAL unnest(giver.path[2:]) AS l (i_customer)
    WHERE p.amount <> (
      SELECT coalesce(sum(CASE WHEN x.i_customer = l.i_customer THEN -x.amount ELSE -x.prepaid END), 0) FROM entries x
      WHERE x.i_payment = p.i_payment AND x.i_customer >= l.i_customer AND x.i_customer < p.i_customer))`;

const paymentsStatement = sql(
  'verify_payments',
  `SELECT p.i_payment::float8 AS i_payment, p.i_customer, p.currency, p.amount::text AS amount, e.sum::text AS sum, e.own::text AS own,
     e.sum IS DISTINCT FROM 0 OR e.unbalanced AS unbalanced, e.own IS DISTINCT FROM p.amount AS differs, ${uncharged} AS uncharged
   FROM (SELECT * FROM payments WHERE i_payment > $1 ORDER BY i_payment LIMIT $2) p
   LEFT JOIN LATERAL (
     SELECT sum(e.amount), sum(e.amount) FILTER (WHERE e.i_customer = p.i_customer AND e.currency = p.currency) AS own,
       EXISTS (SELECT FROM entries u WHERE u.i_payment = p.i_payment GROUP BY u.currency HAVING sum(u.amount) <> 0) AS unbalanced
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
  readonly uncharged: boolean;
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
    row.prepaid_differs &&
      `${account}: its prepaid part is ${plain(row.prepaid)} ${row.currency}, and its entries sum to ${plain(row.prepaid_entries)}`,
    row.astray > 0 && `${account}: ${row.astray} of its entries have another balance or time than they must`,
    row.committed_differs &&
      `${account}: its overcommit sum is ${plain(row.committed ?? '0')}, and that of the customers below is ${plain(row.below ?? '0')}`,
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
    row.uncharged && `${payment}: it is a transfer that was not charged at every level above its giver`,
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
