/**
 * Overcommit protection: where a customer has it on, no top-up may bring the positive balances of
 * its direct sub-customers together above its own balance and the tolerated percentage. The check
 * runs after the balance moved, under the lock on the wholesaler's row, so top-ups cannot pass it together.
 */
import { exceeds, minus, plain } from '../core/decimal';
import type { Money } from '../core/schema';
import { type Transaction, sql } from '../db/database';
import { Fault } from '../faults';

const commitmentStatement = sql(
  'commitment',
  `SELECT w.overcommit_protection,
     trunc(w.balance * (1 + coalesce(w.overcommit_limit, 0)::numeric / 100), 6)::text AS allowed,
     (SELECT coalesce(sum(c.balance), 0) FROM customers c
       WHERE c.i_wholesaler = w.i_customer AND c.deleted_at IS NULL AND c.balance > 0)::text AS committed
   FROM customers w WHERE w.i_customer = $1 AND w.overcommit_protection`,
);

/**
 * Throws fault 402 if the top-up of a direct sub-customer went over the limit of `i_wholesaler`,
 * whose row is locked. `risen` is what the sub-customer's positive balance rose by.
 */
export async function demandCommitment(db: Transaction, i_wholesaler: number, risen: Money): Promise<void> {
  const [row] = await db.query<{ allowed: string; committed: string }>(commitmentStatement, [i_wholesaler]);
  if (!row || !exceeds(row.committed, row.allowed)) return;
  const left = minus(row.allowed, minus(row.committed, risen));
  const available = exceeds(left, '0') ? plain(left) : '0';
  throw new Fault('short_of_money', `Over the overcommit limit: ${available} available`);
}
