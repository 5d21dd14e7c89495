/** The statements that read customers with all their attributes. */
import type { RowQuery } from '../../core/call/bounded-rows';
import { nameKey } from '../../core/schema/normalize-name';
import type { Money } from '../../core/schema/schema';
import type { Actor } from '../../core/tree/rights';
import { type Queryable, sharedRead, sql } from '../../db/database';
import { columnTexts } from './fields';
import { isBelow, isWithin } from '../../core/tree/visibility';

const infoColumns = `c.i_customer, c.i_wholesaler, c.base_currency, c.blocked, c.prepaid::text, u.web_login, ${columnTexts}`;
const infoFrom = 'customers c JOIN users u ON u.i_customer = c.i_customer AND u.is_default';

const infoStatement = (name: string, condition: string) =>
  sharedRead(
    name,
    `SELECT row_to_json(t) AS customer FROM (SELECT ${infoColumns} FROM ${infoFrom}
       WHERE ${condition} AND ${isWithin('c', '$2')} AND c.deleted_at IS NULL) t`,
  );
const infoByIdStatement = infoStatement('info_by_id', 'c.i_customer = $1');
const infoByNameStatement = infoStatement('info_by_name', 'c.name_key = $1');

/** The attributes whose names matter here; the others are in `fields.ts`. */
export interface CustomerInfo {
  readonly i_customer: number;
  readonly i_wholesaler: number | null;
  readonly base_currency: string;
  readonly blocked: boolean;
  readonly balance: Money;
  /** The part of the balance that came by transfers; never inverted. */
  readonly prepaid: Money;
}

/** The actor or a customer below it, by id or by name. */
export async function findInfo(
  db: Queryable,
  actor: Actor,
  key: number | string,
): Promise<CustomerInfo | undefined> {
  const [row] =
    typeof key === 'number'
      ? await db.query<{ customer: CustomerInfo }>(infoByIdStatement, [key, actor.i_customer])
      : await db.query<{ customer: CustomerInfo }>(infoByNameStatement, [nameKey(key), actor.i_customer]);
  return row?.customer;
}

const belowActor = `${isBelow('c', '$1')} AND c.deleted_at IS NULL`;
const listInfoStatement = sql(
  'list_info',
  `SELECT row_to_json(t) AS customer, w.name AS wholesaler, a.name AS commission_agent
   FROM (SELECT ${infoColumns} FROM ${infoFrom}
     WHERE ${belowActor} AND c.i_customer > $2 ORDER BY c.i_customer LIMIT $3) t
   JOIN customers w ON w.i_customer = t.i_wholesaler LEFT JOIN customers a ON a.i_customer = t.i_commission_agent
   ORDER BY t.i_customer`,
);
const countBelowStatement = sql(
  'count_below',
  `SELECT count(*)::int AS total FROM customers c WHERE ${belowActor}`,
);

/** A customer, with the names of those that it refers to by their ids. */
export interface InfoRow {
  readonly customer: CustomerInfo;
  readonly wholesaler: string;
  readonly commission_agent: string | null;
}

/** Everybody below the actor, at any depth, in order of i_customer: a wholesaler's is always less than its customers'. */
export const listInfo = (actor: Actor, after: number, size: number): RowQuery => [
  listInfoStatement,
  [actor.i_customer, after, size],
];

export async function countBelow(db: Queryable, actor: Actor): Promise<number> {
  const [row] = await db.query<{ total: number }>(countBelowStatement, [actor.i_customer]);
  return row?.total ?? 0;
}
