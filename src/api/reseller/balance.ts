/** What the actor has. */
import type { Money } from '../../core/schema/schema';
import { type Queryable, sharedRead } from '../../db/database';

const balanceStatement = sharedRead(
  'own_balance',
  'SELECT balance::text, credit_limit::text, base_currency AS currency FROM customers WHERE i_customer = $1',
);

export interface Balance {
  readonly balance: Money;
  readonly credit_limit: Money;
  readonly currency: string;
}

export async function balanceOf(db: Queryable, i_customer: number): Promise<Balance> {
  const [row] = await db.query<Balance>(balanceStatement, [i_customer]);
  if (!row) throw new Error('An actor has no row');
  return row;
}
