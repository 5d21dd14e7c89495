/** listCustomers: the direct sub-customers of the actor, in order of i_customer. */
import { inBatches } from '../core/batches';
import type { Call } from '../core/method';
import { nameKey } from '../core/names';
import type { Money } from '../core/schema';
import { type Database, sql } from '../db/database';

export interface ListParams {
  readonly offset?: number;
  readonly limit?: number;
  readonly after?: number;
  readonly name_pattern?: string;
  readonly with_total?: 0 | 1;
}

interface Item {
  readonly i_customer: number;
  readonly name: string;
  readonly web_login: string;
  readonly description: string | null;
  readonly balance: Money;
  readonly credit_limit: Money;
  readonly base_currency: string;
}

const condition = `c.i_wholesaler = $1 AND c.deleted_at IS NULL AND ($2::text IS NULL OR c.name_key LIKE $2)`;

const batchStatement = sql(
  'list_customers',
  `SELECT c.i_customer, c.name, u.web_login, c.description, c.balance, c.credit_limit, c.base_currency
   FROM (SELECT * FROM customers c WHERE ${condition} AND c.i_customer > $3
         ORDER BY c.i_customer OFFSET $4 LIMIT $5) c
   JOIN users u ON u.i_customer = c.i_customer AND u.is_default
   ORDER BY c.i_customer`,
);
const totalStatement = sql(
  'count_customers',
  `SELECT count(*)::int AS total FROM customers c WHERE ${condition}`,
);

export async function listCustomers(call: Call<Database>, params: ListParams) {
  const pattern = params.name_pattern === undefined ? null : nameKey(params.name_pattern);
  const { i_customer } = call.actor;
  const [counted] = params.with_total
    ? await call.db.query<{ total: number }>(totalStatement, [i_customer, pattern])
    : [];
  const customers = await inBatches<Item>(params, ({ last, offset, size }) =>
    call.db.query<Item>(batchStatement, [
      i_customer,
      pattern,
      last?.i_customer ?? params.after ?? 0,
      offset,
      size,
    ]),
  );
  return { result: 'OK' as const, customers, ...(counted && { total: counted.total }) };
}
