/**
 * The tree as the database has it: who stands below whom, and the locks under which that stays so.
 * Rows are always locked downwards, the wholesaler before its customer, so that two calls never
 * wait for each other.
 */
import { type Transaction, type Queryable, sql } from '../db/database';
import { notFound } from '../faults';
import type { Actor } from './rights';

/** A customer below an actor, and what its place means for its money. */
export interface Place {
  readonly i_customer: number;
  readonly i_wholesaler: number;
  readonly base_currency: string;
  /** Whether the wholesaler bounds what its sub-customers are topped up with. */
  readonly overcommit_protection: boolean;
}

const findBelowStatement = sql(
  'find_below',
  `SELECT c.i_customer, c.i_wholesaler, c.base_currency, w.overcommit_protection
   FROM customers c JOIN customers w ON w.i_customer = c.i_wholesaler
   WHERE c.i_customer = $1 AND $2 = ANY(c.path) AND c.i_customer <> $2 AND c.deleted_at IS NULL`,
);

/** The living customer of this id below the actor, not the actor itself; throws fault 404. */
export async function demandBelow(db: Queryable, actor: Actor, i_customer: number): Promise<Place> {
  const [row] = await db.query<Place>(findBelowStatement, [i_customer, actor.i_customer]);
  if (!row) throw notFound();
  return row;
}

const isWithinStatement = sql(
  'is_within',
  'SELECT deleted_at IS NULL AS living FROM customers WHERE i_customer = $1 AND $2 = ANY(path)',
);

/** The customer is the actor or below it; throws fault 404. `deleted`: also one that was deleted, whose books stay. */
export async function demandWithin(
  db: Queryable,
  actor: Actor,
  i_customer: number,
  deleted: 'living only' | 'deleted too' = 'living only',
): Promise<void> {
  if (i_customer === actor.i_customer) return;
  const [row] = await db.query<{ living: boolean }>(isWithinStatement, [i_customer, actor.i_customer]);
  if (!row || !(row.living || deleted === 'deleted too')) throw notFound();
}

/** A wholesaler as the customers below it see it, with its row locked. */
export interface Wholesaler {
  readonly i_customer: number;
  readonly path: readonly number[];
  readonly base_currency: string;
  readonly overcommit_protection: boolean;
  readonly max_depth: number | null;
  /** How many levels still fit below it, by the strictest limit above; null: any number. */
  readonly levels_left: number | null;
}

/**
 * How strongly a wholesaler's row is held. `exists`: it cannot be deleted. `currency`: nor can
 * its tariff change. `money`: nor can anybody else move its money or top up its sub-customers.
 */
const locks = { exists: 'FOR KEY SHARE', currency: 'FOR SHARE', money: 'FOR NO KEY UPDATE' } as const;
type Lock = keyof typeof locks;

const lockStatement = (lock: Lock) =>
  sql(
    `lock_wholesaler_${lock}`,
    `SELECT w.i_customer, w.path, w.base_currency, w.overcommit_protection, w.max_depth,
       (SELECT min(a.max_depth - (cardinality(w.path) - cardinality(a.path)))
        FROM customers a WHERE a.i_customer = ANY(w.path)) AS levels_left
     FROM customers w WHERE w.i_customer = $1 AND w.deleted_at IS NULL ${locks[lock]} OF w`,
  );
const lockStatements = {
  exists: lockStatement('exists'),
  currency: lockStatement('currency'),
  money: lockStatement('money'),
};

/**
 * Holds the wholesaler of a customer that is made or changed, as strongly as the change needs:
 * `inherits`, the customer is billed by its tariff; `rises`, the customer's balance may rise, which
 * matters where overcommit protection bounds it. Throws fault 404 if it is gone.
 */
export async function holdWholesaler(
  db: Transaction,
  i_customer: number,
  change: { readonly inherits: boolean; readonly rises: boolean },
): Promise<Wholesaler> {
  const lock = async (strength: Lock): Promise<Wholesaler> => {
    const [row] = await db.query<Wholesaler>(lockStatements[strength], [i_customer]);
    if (!row) throw notFound();
    return row;
  };
  const wholesaler = await lock('exists');
  // The weakest lock is compatible with the stronger ones, so nobody who holds it can block this step.
  if (change.rises && wholesaler.overcommit_protection) return lock('money');
  return change.inherits ? lock('currency') : wholesaler;
}
