/** listCustomers: the direct sub-customers of the actor, in order of i_customer. */
import { inBatches } from '../../core/call/batches';
import { narrowStep } from '../../core/call/bounded-rows';
import type { Call, ReadCost } from '../../core/call/method';
import { nameKey } from '../../core/schema/normalize-name';
import type { Money } from '../../core/schema/schema';
import { type Database, sharedRead, sql } from '../../db/database';

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

const living = 'c.i_wholesaler = $1 AND c.deleted_at IS NULL';
const matching = `${living} AND c.name_key LIKE`;

/**
 * Ids first, from the index alone, which makes an offset as cheap as it can be; then each customer
 * by its id. The OFFSET 0 keeps PostgreSQL from reading whole tables where it cannot know how few they are.
 */
const batchText = (condition: string): string =>
  `SELECT d.* FROM (
     SELECT c.i_customer FROM customers c WHERE ${condition} AND c.i_customer > $2
     ORDER BY c.i_customer OFFSET $3 LIMIT $4) k
   CROSS JOIN LATERAL (
     SELECT c.i_customer, c.name, u.web_login, c.description, c.balance, c.credit_limit, c.base_currency
     FROM customers c JOIN users u ON u.i_customer = c.i_customer AND u.is_default
     WHERE c.i_customer = k.i_customer OFFSET 0) d
   ORDER BY k.i_customer`;

const batchStatement = sql('list_customers', batchText(living));
/** So few and from the beginning, or after one that was seen, that nobody who shares the connection waits for it. */
const pageStatement = sharedRead('list_customers_page', batchText(living));
const matchingStatement = sql('list_matching_customers', batchText(`${matching} $5`));
const totalStatement = sql(
  'count_customers',
  `SELECT count(*)::int AS total FROM customers c WHERE ${living}`,
);
const totalMatchingStatement = sql(
  'count_matching_customers',
  `SELECT count(*)::int AS total FROM customers c WHERE ${matching} $2`,
);

const pageAtMost = 100;

const isPage = (offset: number, size: number): boolean => offset === 0 && size <= pageAtMost;

/** Patterns and totals look at every sub-customer, however few are answered. */
export function costOfList({ name_pattern, with_total, offset = 0, limit = Infinity }: ListParams): ReadCost {
  if (name_pattern !== undefined || with_total) return 'slow';
  return isPage(offset, limit) ? 'lookup' : 'connection';
}

export async function listCustomers(call: Call<Database>, params: ListParams) {
  const { db, actor } = call;
  const pattern = params.name_pattern === undefined ? [] : [nameKey(params.name_pattern)];
  const [counted] = params.with_total
    ? await db.query<{ total: number }>(pattern.length > 0 ? totalMatchingStatement : totalStatement, [
        actor.i_customer,
        ...pattern,
      ])
    : [];
  const customers = await inBatches<Item>(call, { ...params, step: narrowStep }, ({ last, offset, size }) => {
    const statement =
      pattern.length > 0 ? matchingStatement : isPage(offset, size) ? pageStatement : batchStatement;
    const after = last?.i_customer ?? params.after ?? 0;
    return [statement, [actor.i_customer, after, offset, size, ...pattern]];
  });
  return { result: 'OK' as const, customers, ...(counted && { total: counted.total }) };
}
