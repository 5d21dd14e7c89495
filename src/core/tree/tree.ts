/**
 * The tree as the database has it: who stands below whom, and the locks under which that stays so.
 * Rows are always locked downwards, the wholesaler before its customer, so that two calls never
 * wait for each other.
 */
import { type Transaction, type Queryable, sql } from '../../db/database';
import { notFound } from '../../base/faults';
import { effectiveRights, pathOf } from './actors';
import type { Id } from '../call/method';
import type { Actor } from './rights';
import { isBelow, isSelfOrAbove, isWithin } from './visibility';

/** A living customer below an actor. */
export interface TreeNode {
  readonly i_customer: number;
  readonly i_wholesaler: number;
}

const findBelowStatement = sql(
  'find_below',
  `SELECT c.i_customer, c.i_wholesaler FROM customers c
   WHERE c.i_customer = $1 AND ${isBelow('c', '$2')} AND c.deleted_at IS NULL`,
);

/** The place of the living customer of this id below the actor, not of the actor itself. */
export async function findBelow(db: Queryable, actor: Id, i_customer: number): Promise<TreeNode | undefined> {
  const [row] = await db.query<TreeNode>(findBelowStatement, [i_customer, actor.i_customer]);
  return row;
}

const isWithinStatement = sql(
  'is_within',
  `SELECT c.deleted_at IS NULL AS living FROM customers c WHERE c.i_customer = $1 AND ${isWithin('c', '$2')}`,
);

/** The customer is the actor or below it; throws fault 404. `deleted`: also one that was deleted, whose books stay. */
export async function assertWithin(
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
export interface Wholesaler extends Actor {
  readonly base_currency: string;
  /** Whether its overcommit limit, or one above it, bounds what customers below it may spend. */
  readonly is_bounded: boolean;
  readonly max_depth: number | null;
  /** How many levels still fit below it, by the strictest limit above; null: any number. */
  readonly levels_left: number | null;
}

const columns = `w.i_customer, ${pathOf('w')}, w.base_currency, w.max_depth,
  EXISTS (SELECT FROM customers a WHERE ${isSelfOrAbove('a', 'w')} AND a.overcommit_protection) AS is_bounded,
  ${effectiveRights('w')} AS rights,
  (SELECT min(a.max_depth - (cardinality(w.path) - cardinality(a.path)))
   FROM customers a WHERE ${isSelfOrAbove('a', 'w')}) AS levels_left`;

/** `$1` is a customer below the actor `$2`; null: one that is being made by the actor, who is its wholesaler. */
const wholesalerOf = `CASE WHEN $1::int IS NULL THEN $2::int ELSE (
         SELECT c.i_wholesaler FROM customers c
         WHERE c.i_customer = $1 AND ${isBelow('c', '$2')} AND c.deleted_at IS NULL) END`;

const holdStatement = (name: string, lock: string) =>
  sql(
    `hold_${name}`,
    `SELECT ${columns} FROM customers w
     WHERE w.i_customer = ${wholesalerOf} AND w.deleted_at IS NULL ${lock} OF w`,
  );

/** How strongly a wholesaler's row is held. `exists`: it cannot be deleted. `currency`: nor can its tariff change. */
const exists = holdStatement('exists', 'FOR KEY SHARE');
const currency = holdStatement('currency', 'FOR SHARE');

/**
 * The wholesaler and everybody above it whose overcommit limit counts the customer, from root downwards: the database
 * writes to their rows when the customer's money moves.
 */
const holdBoundsStatement = sql(
  'hold_bounds',
  `SELECT a.i_customer FROM customers w JOIN customers a ON ${isSelfOrAbove('a', 'w')}
   WHERE w.i_customer = ${wholesalerOf} AND a.overcommit_protection AND a.deleted_at IS NULL
   ORDER BY a.i_customer FOR NO KEY UPDATE OF a`,
);

/** What a customer's being made or changed means for its wholesaler. */
export interface Change {
  /** The customer is billed by its wholesaler's tariff. */
  readonly inherits: boolean;
  /** The customer's balance or credit limit may change, which overcommit limits above count. */
  readonly moves: boolean;
}

/**
 * Holds the wholesaler of `i_customer`, which is below the actor, or the actor as the wholesaler of
 * a customer that is being made, as strongly as the change needs; undefined if there is none.
 */
export async function holdWholesaler(
  db: Transaction,
  actor: Id,
  i_customer: number | undefined,
  { inherits, moves }: Change,
): Promise<Wholesaler | undefined> {
  const values = [i_customer ?? null, actor.i_customer];
  const [, [wholesaler]] = await Promise.all([
    moves ? db.query(holdBoundsStatement, values) : undefined,
    db.query<Wholesaler>(inherits ? currency : exists, values),
  ]);
  return wholesaler;
}
