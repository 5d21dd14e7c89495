/**
 * Overcommit protection: where a customer has it on, no top-up may bring what all customers below it may spend, their
 * positive balances and credit limits together, above its own balance and the tolerated percentage. The database keeps
 * that sum in `committed`, under the row lock of the customer, so top-ups cannot pass it together.
 */
import { exceeds, isPositive, minus, plain, sum } from '../../../core/schema/decimal';
import type { Call } from '../../../core/call/method';
import type { Money } from '../../../core/schema/schema';
import { sql } from '../../../db/database';
import { Fault } from '../../../base/faults';
import { maySee } from '../accounts';

const passedStatement = sql(
  'passed_commitments',
  `SELECT l.* FROM (
     SELECT c.i_customer, to_json(c.path) AS path, c.committed,
       trunc(c.balance * (1 + coalesce(c.overcommit_limit, 0)::numeric / 100), 6) AS allowed
     FROM customers c WHERE c.i_customer = ANY($1::int[]) AND c.overcommit_protection) l
   WHERE l.committed > l.allowed ORDER BY l.i_customer DESC`,
);

interface PassedRow {
  readonly i_customer: number;
  readonly path: readonly number[];
  readonly allowed: Money;
  readonly committed: Money;
}

/** What a customer may spend more than before; negative: less. */
export interface Rise {
  /** Ids from root down to the customer itself. */
  readonly path: readonly number[];
  readonly risen: Money;
}

/**
 * Throws fault 402 if the rises, which were written in this transaction, went over an overcommit limit above them. How
 * much is left is told to those who may see the figures of the customer whose limit it is.
 */
export async function assertCommitment(
  call: Pick<Call, 'db' | 'caller'>,
  rises: readonly Rise[],
): Promise<void> {
  if (!rises.some(({ risen }) => isPositive(risen))) return;
  const above = [...new Set(rises.flatMap(({ path }) => path.slice(1, -1)))];
  if (above.length === 0) return;
  const rows = await call.db.query<PassedRow>(passedStatement, [above]);
  for (const row of rows) {
    const risen = risenBelow(row.i_customer, rises);
    if (isPositive(risen)) throw overLimit(call, row, risen);
  }
}

const risenBelow = (i_customer: number, rises: readonly Rise[]): Money =>
  rises
    .filter(({ path }) => path.includes(i_customer) && path.at(-1) !== i_customer)
    .reduce((total, { risen }) => sum(total, risen), '0');

function overLimit(call: Pick<Call, 'caller'>, row: PassedRow, risen: Money): Fault {
  const left = minus(row.allowed, minus(row.committed, risen));
  const available = exceeds(left, '0') ? plain(left) : '0';
  const figures = maySee(call, row) ? `: ${available} available` : '';
  return new Fault('short_of_money', `Over the overcommit limit${figures}`);
}
