/**
 * listCustomers: the direct sub-customers of the actor, read in batches by key, so that a list of
 * any length stands in memory only piece by piece and no connection waits for a slow reader.
 */
import type { Call } from '../core/method';
import { nameKey } from '../core/names';
import type { Batches, Money } from '../core/schema';
import { type Database, sql } from '../db/database';

const batchSize = 1_000;

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
  const pages = batches(call.db, i_customer, pattern, params);
  // The first batch belongs to the call: what fails in it is answered as a fault.
  const first = await pages.next();
  const customers = first.done
    ? []
    : first.value.length < batchSize
      ? first.value
      : resume(first.value, pages);
  return { result: 'OK' as const, customers, ...(counted && { total: counted.total }) };
}

async function* batches(
  db: Database,
  i_customer: number,
  pattern: string | null,
  params: ListParams,
): AsyncGenerator<Item[], void> {
  let after = params.after ?? 0;
  let left = params.limit ?? Infinity;
  let offset = params.offset ?? 0;
  while (left > 0) {
    const size = Math.min(batchSize, left);
    const rows = await db.query<Item>(batchStatement, [i_customer, pattern, after, offset, size]);
    const last = rows.at(-1);
    if (!last) return;
    yield rows;
    if (rows.length < size) return;
    after = last.i_customer;
    left -= rows.length;
    offset = 0;
  }
}

async function* resume(first: readonly Item[], rest: AsyncGenerator<Item[], void>): Batches<Item> {
  yield first;
  yield* rest;
}
