/**
 * Customers as those who act: their place in the tree and the rights that hold there. The rights of
 * the whole chain above are joined by the database, so a revocation at the top is seen at once.
 */
import { type Queryable, type Statement, sharedRead } from '../../db/database';
import type { AuthCache } from '../auth/auth-cache';
import { nameKey } from '../schema/normalize-name';
import { type Actor, type EffectiveRights, maskNames, switchNames } from './rights';
import { isSelfOrAbove } from './visibility';

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
     'blocked', bool_or(a.blocked),
     'epoch', (SELECT coalesce(sum(e.epoch), 0) FROM access_epochs e WHERE e.subject = ANY(${alias}.path)))
   FROM customers a WHERE ${isSelfOrAbove('a', alias)})`;

/** SQL: the path as JSON, because node-postgres reads an array character by character. */
export const pathOf = (alias: string): string => `to_json(${alias}.path) AS path`;

const actorStatement = (name: string, condition: string) =>
  sharedRead(
    name,
    `SELECT c.i_customer, ${pathOf('c')}, ${effectiveRights('c')} AS rights
     FROM customers c WHERE ${condition} AND c.deleted_at IS NULL`,
  );
const findActorStatement = actorStatement('find_actor', 'c.i_customer = $1');
const findByNameStatement = actorStatement('find_actor_by_name', 'c.name_key = $1');
const findByUuidStatement = actorStatement('find_actor_by_uuid', 'c.uuid = $1');

/** How an actor is named. */
export type CustomerRef =
  { readonly i_customer: number } | { readonly name: string } | { readonly uuid: string };

interface ActorRow {
  i_customer: number;
  path: number[];
  rights: EffectiveRights;
}

/** The living customer of this name as an actor, wherever it stands; the caller checks the reach. */
export async function findActor(db: Queryable, named: CustomerRef): Promise<Actor | undefined> {
  const look = (statement: Statement, key: number | string): Promise<ActorRow[]> =>
    db.query<ActorRow>(statement, [key]);
  if ('i_customer' in named) return (await look(findActorStatement, named.i_customer))[0];
  if ('name' in named) return (await look(findByNameStatement, nameKey(named.name)))[0];
  return (await look(findByUuidStatement, named.uuid))[0];
}

/** The same, as it was a moment ago where it is remembered: for calls that change nothing. */
export async function findCachedActor(
  { db, authCache }: { readonly db: Queryable; readonly authCache: AuthCache },
  named: CustomerRef,
): Promise<Actor | undefined> {
  // A customer that is given another name is not announced.
  if (!('i_customer' in named)) return findActor(db, named);
  const key = `actor ${named.i_customer}`;
  const remembered = authCache.get(key) as Actor | undefined;
  if (remembered) return remembered;
  const since = authCache.version();
  const actor = await findActor(db, named);
  if (actor) authCache.set(since, key, actor, { path: actor.path });
  return actor;
}

/** Whether a customer with this path is the actor or below it. */
export const isInSubtree = (actor: Actor, path: readonly number[]): boolean =>
  path.includes(actor.i_customer);
