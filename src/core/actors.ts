/**
 * Customers as those who act: their place in the tree and the rights that hold there. The rights of
 * the whole chain above are joined by the database, so a revocation at the top is seen at once.
 */
import { type Queryable, sql } from '../db/database';
import { nameKey } from './names';
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

const actorStatement = (name: string, condition: string) =>
  sql(
    name,
    `SELECT c.i_customer, c.path, ${effectiveRights('c')} AS rights
     FROM customers c WHERE ${condition} AND c.deleted_at IS NULL`,
  );
const findActorStatement = actorStatement('find_actor', 'c.i_customer = $1');
const findByNameStatement = actorStatement('find_actor_by_name', 'c.name_key = $1');
const findByUuidStatement = actorStatement('find_actor_by_uuid', 'c.uuid = $1');

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

/** The same, by its name or its uuid. */
export async function findActorNamed(
  db: Queryable,
  named: { readonly name: string } | { readonly uuid: string },
): Promise<Actor | undefined> {
  const [row] =
    'name' in named
      ? await db.query<ActorRow>(findByNameStatement, [nameKey(named.name)])
      : await db.query<ActorRow>(findByUuidStatement, [named.uuid]);
  return row;
}

/** Whether a customer with this path is the actor or below it. */
export const isWithin = (actor: Actor, path: readonly number[]): boolean => path.includes(actor.i_customer);
