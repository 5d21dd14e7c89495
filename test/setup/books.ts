/** Proof that the books are right, for any test that moved money, and the words in which such tests speak. */
import { runSql } from './family';
import type { Caller, FaultAnswer, Members, TestServer } from './server';

const proofs: Readonly<Record<string, string>> = {
  'entries sum to zero in every currency':
    'SELECT currency, sum(amount)::text FROM entries GROUP BY currency HAVING sum(amount) <> 0',
  'entries of each payment sum to zero':
    'SELECT i_payment, sum(amount)::text FROM entries GROUP BY i_payment HAVING sum(amount) <> 0',
  'every payment has its entries':
    'SELECT i_payment FROM payments p WHERE NOT EXISTS (SELECT FROM entries e WHERE e.i_payment = p.i_payment)',
  'every payment is entered with its customer, by its amount and in its currency': `
    SELECT i_payment FROM payments p WHERE p.amount IS DISTINCT FROM
      (SELECT sum(e.amount) FROM entries e
       WHERE e.i_payment = p.i_payment AND e.i_customer = p.i_customer AND e.currency = p.currency)`,
  'every balance is the sum of its entries': `
    SELECT c.i_customer, c.balance::text, e.sum::text FROM customers c
    LEFT JOIN (SELECT i_customer, sum(amount) FROM entries GROUP BY i_customer) e USING (i_customer)
    WHERE c.balance <> coalesce(e.sum, 0)`,
  'every prepaid part is the sum of its entries': `
    SELECT c.i_customer, c.prepaid::text, e.sum::text FROM customers c
    LEFT JOIN (SELECT i_customer, sum(prepaid) FROM entries GROUP BY i_customer) e USING (i_customer)
    WHERE c.prepaid <> coalesce(e.sum, 0)`,
  'no prepaid part is more than its balance': `
    SELECT i_customer, balance::text, prepaid::text FROM customers WHERE prepaid < 0 OR prepaid > greatest(balance, 0)`,
  'every entry carries the balance after it': `
    SELECT i_entry FROM (
      SELECT i_entry, balance_after, sum(amount) OVER (PARTITION BY i_customer ORDER BY i_entry) AS running
      FROM entries WHERE i_customer IS NOT NULL) e WHERE balance_after IS DISTINCT FROM running`,
  'the entries of an account are dated in their order': `
    SELECT i_entry FROM (
      SELECT i_entry, i_customer, booked_at, lag(booked_at) OVER (PARTITION BY i_customer ORDER BY i_entry) AS before
      FROM entries) e WHERE i_customer IS NOT NULL AND booked_at < before`,
  'every overcommit sum is that of the customers below': `
    SELECT c.i_customer, c.committed::text FROM customers c WHERE c.committed IS DISTINCT FROM
      CASE WHEN c.overcommit_protection THEN (
        SELECT coalesce(sum(greatest(b.balance, 0) + b.credit_limit), 0) FROM customers b
        WHERE c.i_customer = ANY(b.path) AND b.i_customer <> c.i_customer AND b.deleted_at IS NULL) END`,
  'every entry is in the currency of its customer': `
    SELECT e.i_entry, e.currency, c.base_currency FROM entries e JOIN customers c USING (i_customer)
    WHERE e.currency <> c.base_currency`,
  'nobody who is deleted has money': `
    SELECT i_customer, balance::text FROM customers WHERE deleted_at IS NOT NULL AND balance <> 0`,
  'everybody without a tariff has the currency of the wholesaler': `
    SELECT c.i_customer, c.base_currency, w.base_currency AS wholesaler FROM customers c
    JOIN customers w ON w.i_customer = c.i_wholesaler
    WHERE c.deleted_at IS NULL AND c.i_tariff IS NULL AND c.base_currency <> w.base_currency`,
  'everybody with a tariff has its currency': `
    SELECT c.i_customer, c.base_currency, t.currency FROM customers c JOIN tariffs t USING (i_tariff)
    WHERE c.deleted_at IS NULL AND c.base_currency <> t.currency`,
};

/** Asks the database for each proof; answers what is wrong, row by row, under the sentence that it breaks. */
export async function brokenBooks({ db }: Pick<TestServer, 'db'>): Promise<Record<string, unknown[]>> {
  const found: Record<string, unknown[]> = {};
  for (const [sentence, text] of Object.entries(proofs)) {
    const rows = await db.query<unknown>({ text });
    if (rows.length > 0) found[sentence] = rows;
  }
  return found;
}

export async function provenBooks(server: TestServer): Promise<void> {
  expect(await brokenBooks(server)).toEqual({});
}

/** What there is of everything that moving money leaves behind: a refused call leaves it as it was. */
export const kept = (server: TestServer): Promise<unknown[]> =>
  runSql(
    server,
    `SELECT (SELECT count(*) FROM payments) AS payments, (SELECT count(*) FROM entries) AS entries,
       (SELECT count(*) FROM audit_records) AS records, (SELECT count(*) FROM idempotency_keys) AS keys,
       (SELECT sum(balance) FROM customers) AS balances`,
  );

/** What a call came to: `OK`, or the fault's number and text. */
export async function outcome(answer: Promise<Members>): Promise<string> {
  try {
    return String((await answer)['result']);
  } catch (error) {
    const { faultCode, faultString } = error as Partial<FaultAnswer>;
    if (faultCode === undefined) return String(error);
    return `${faultCode} ${faultString ?? ''}`;
  }
}

/** The same of a call that is made here. */
export const said = (by: Caller, method: string, params: Members): Promise<string> =>
  outcome(by.call(method, params));

/** How many of the calls came to what, whatever amount was still available. */
export async function tally(answers: readonly Promise<Members>[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const text of await Promise.all(answers.map(outcome))) {
    const key = text.replace(/\d+(\.\d+)? (USD )?available/, 'some available');
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

export const times = <T>(count: number, work: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => work(index));
