/**
 * Customers as those who act: their place in the tree and the rights that hold there. The rights of
 * the whole chain above are joined by the database, so a revocation at the top is seen at once.
 */
import { type Queryable, sql } from '../db/database';
import type { Authority } from './authority';
import { type Actor, type EffectiveRights, maskNames, switchNames } from './rights';

/** Switches stand as 0/1 or as booleans in the table, as the API has them. */
const integerSwitches: ReadonlySet<string> = new Set(['system_mgmt', 'api_mgmt', 'use_own_tariff']);

/**
 * SQL: one JSON value `rights` over the customers on the path of `alias`. JSON, because one column
 * costs node-postgres far less than a dozen.
 */
export const effectiveRights = (alias: string): string => `
  (SELECT json_build_object(
     ${maskNames.map((name) => `'${name}', bit_and(a.${name})`).join(', ')},
     ${switchNames.map((name) => `'${name}', bool_and(a.${name}${integerSwitches.has(name) ? ' = 1' : ''})`).join(', ')},
     'api_access', bool_and(a.api_access = 1),
     'blocked', bool_or(a.blocked))
   FROM customers a WHERE a.i_customer = ANY(${alias}.path))`;

const findActorStatement = sql(
  'find_actor',
  `SELECT c.i_customer, c.path, ${effectiveRights('c')} AS rights
   FROM customers c WHERE c.i_customer = $1 AND c.deleted_at IS NULL`,
);

interface ActorRow {
  i_customer: number;
  path: number[];
  rights: EffectiveRights;
}

/** The living customer of this id as an actor, wherever it stands; the caller checks the reach. */
export async function findActor(db: Queryable, i_customer: number): Promise<Actor | undefined> {
  const [row] = await db.query<ActorRow>(findActorStatement, [i_customer]);
  return row;
}

/** The same, as it was a moment ago where it is remembered: for calls that change nothing. */
export async function recallActor(
  { db, authority }: { readonly db: Queryable; readonly authority: Authority },
  i_customer: number,
): Promise<Actor | undefined> {
  const key = `actor ${i_customer}`;
  const remembered = authority.recall(key) as Actor | undefined;
  if (remembered) return remembered;
  const since = authority.moment();
  const actor = await findActor(db, i_customer);
  if (actor) authority.keep(since, key, actor, { path: actor.path });
  return actor;
}

/** Whether a customer with this path is the actor or below it. */
export const isWithin = (actor: Actor, path: readonly number[]): boolean => path.includes(actor.i_customer);
