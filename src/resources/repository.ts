/** The statements on owned objects, made once for each kind. */
import { type Queryable, type Statement, type Transaction, sql } from '../db/database';
import type { Money } from '../core/schema';
import type { Kind, Values } from './kinds';

/** What every owned object has; the columns of its kind stand beside it. */
export interface Owned {
  readonly uuid: string;
  /** Its place in the list. */
  readonly id: number;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly deleted_at: Date | null;
  /** What making it cost. */
  readonly cost: Money;
  readonly cost_currency: string | null;
}

type AnyKind = Pick<Kind, 'table' | 'id' | 'readable'>;

/** One statement for each kind and purpose, prepared once on each connection. */
const statements = new Map<string, Statement>();
function statementOf(purpose: string, kind: AnyKind, text: () => string): Statement {
  const name = `${purpose}_${kind.table}_${kind.readable.join('_')}`.slice(0, 63);
  const statement = statements.get(name) ?? sql(name, text());
  statements.set(name, statement);
  return statement;
}

const columnsOf = ({ id, readable }: AnyKind): string =>
  `r.uuid, r.${id} AS id, ${readable.map((column) => `r.${column}`).join(', ')}, r.created_at, r.updated_at, r.deleted_at,
   coalesce(-p.amount, 0)::text AS cost, p.currency AS cost_currency`;
const fromOf = ({ table }: AnyKind): string => `${table} r LEFT JOIN payments p ON p.i_payment = r.i_payment`;

/** A living object of the customer. */
export async function findOwned(
  db: Queryable,
  kind: AnyKind,
  i_customer: number,
  uuid: string,
): Promise<(Owned & Values) | undefined> {
  const find = statementOf(
    'find',
    kind,
    () => `SELECT ${columnsOf(kind)} FROM ${fromOf(kind)}
     WHERE r.uuid = $1 AND r.i_customer = $2 AND r.deleted_at IS NULL`,
  );
  const [row] = await db.query<Owned & Values>(find, [uuid, i_customer]);
  return row;
}

/** The same, held against every other change. */
export async function lockOwned(
  db: Transaction,
  kind: AnyKind,
  i_customer: number,
  uuid: string,
): Promise<(Owned & Values) | undefined> {
  const lock = statementOf(
    'lock',
    kind,
    () => `SELECT ${columnsOf(kind)} FROM ${fromOf(kind)}
     WHERE r.uuid = $1 AND r.i_customer = $2 AND r.deleted_at IS NULL FOR UPDATE OF r`,
  );
  const [row] = await db.query<Owned & Values>(lock, [uuid, i_customer]);
  return row;
}

/** The living objects of the customer with a greater id, in order. */
export const listOwned = (
  db: Queryable,
  kind: AnyKind,
  i_customer: number,
  after: number,
  limit: number,
): Promise<(Owned & Values)[]> => {
  const list = statementOf(
    'list',
    kind,
    () => `SELECT ${columnsOf(kind)} FROM ${fromOf(kind)}
     WHERE r.i_customer = $1 AND r.deleted_at IS NULL AND r.${kind.id} > $2 ORDER BY r.${kind.id} LIMIT $3`,
  );
  return db.query<Owned & Values>(list, [i_customer, after, limit]);
};

/** Makes the object; undefined if the customer was deleted meanwhile, who is held against that from here on. */
export async function insertOwned(
  db: Transaction,
  kind: AnyKind,
  i_customer: number,
  uuid: string,
  columns: Values,
): Promise<number | undefined> {
  const names = Object.keys(columns);
  const insert = statementOf(
    'insert',
    kind,
    () => `WITH owner AS (SELECT i_customer FROM customers WHERE i_customer = $1 AND deleted_at IS NULL FOR KEY SHARE)
     INSERT INTO ${kind.table} (i_customer, uuid, ${names.join(', ')})
     SELECT i_customer, $2, ${names.map((_, index) => `$${index + 3}`).join(', ')} FROM owner RETURNING ${kind.id} AS id`,
  );
  const values = names.map((name) => columns[name]);
  const [row] = await db.query<{ id: number }>(insert, [i_customer, uuid, ...values]);
  return row?.id;
}

/** Writes the columns that are given. */
export async function updateOwned(
  db: Transaction,
  kind: AnyKind,
  id: number,
  columns: Values,
): Promise<void> {
  const names = Object.keys(columns).filter((name) => columns[name] !== undefined);
  const sets = ['updated_at = now()', ...names.map((name, index) => `${name} = $${index + 2}`)];
  const text = `UPDATE ${kind.table} SET ${sets.join(', ')} WHERE ${kind.id} = $1`;
  await db.query({ text }, [id, ...names.map((name) => columns[name])]);
}

export async function markOwnedDeleted(db: Transaction, kind: AnyKind, id: number): Promise<void> {
  const text = `UPDATE ${kind.table} SET deleted_at = now(), updated_at = now() WHERE ${kind.id} = $1`;
  await db.query({ text }, [id]);
}

/** The id of an object of the customer, also of one that is gone: where a list goes on. */
export async function idOfOwned(
  db: Queryable,
  kind: AnyKind,
  i_customer: number,
  uuid: string,
): Promise<number | undefined> {
  const text = `SELECT ${kind.id} AS id FROM ${kind.table} WHERE uuid = $1 AND i_customer = $2`;
  const [row] = await db.query<{ id: number }>({ text }, [uuid, i_customer]);
  return row?.id;
}
