/** The statements on owned objects, made once for each kind. */
import { type Queryable, type Statement, type Transaction, sharedRead, sql } from '../../db/database';
import { type ListCall, type RowQuery, narrowStep, wideStep } from '../../core/call/bounded-rows';
import type { Money } from '../../core/schema/schema';
import {
  type CursorParams,
  type CursorRow,
  readCursorPage,
  beforeCursor,
  cursorColumns,
} from '../../core/call/cursor-pagination';
import type { Page } from '../../core/call/operation';
import type { Kind, Values } from './kinds';

/** What every owned object has; the columns of its kind stand beside it. */
export interface Owned {
  readonly uuid: string;
  /** Its place in the list. */
  readonly id: number;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly deleted_at: Date | null;
  /** The uuid of its owner. */
  readonly customer_id: string;
  /** What making it cost. */
  readonly cost: Money;
  readonly cost_currency: string | null;
}

type AnyKind = Pick<Kind, 'table' | 'id' | 'readable' | 'isNarrow'>;

/** How many rows a list of the kind reads at once. */
export const stepOf = ({ isNarrow }: AnyKind): number => (isNarrow ? narrowStep : wideStep);

/** One statement for each kind and purpose, prepared once on each connection. */
const statements = new Map<string, Statement>();
function statementOf(purpose: string, kind: AnyKind, text: () => string, make = sql): Statement {
  const name = `${purpose}_${kind.table}_${kind.readable.join('_')}`.slice(0, 63);
  const statement = statements.get(name) ?? make(name, text());
  statements.set(name, statement);
  return statement;
}

export const columnsOf = ({ id, readable }: AnyKind): string =>
  `r.uuid, r.${id} AS id, ${readable.map((column) => `r.${column}`).join(', ')}, r.created_at, r.updated_at, r.deleted_at,
   (SELECT c.uuid FROM customers c WHERE c.i_customer = r.i_customer) AS customer_id,
   coalesce(-p.amount, 0)::text AS cost, p.currency AS cost_currency`;
export const fromOf = ({ table }: AnyKind): string =>
  `${table} r LEFT JOIN payments p ON p.i_payment = r.i_payment`;

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
    sharedRead,
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
export const listOwned = (kind: AnyKind, i_customer: number, after: number, size: number): RowQuery => {
  const list = statementOf(
    'list',
    kind,
    () => `SELECT ${columnsOf(kind)} FROM ${fromOf(kind)}
     WHERE r.i_customer = $1 AND r.deleted_at IS NULL AND r.${kind.id} > $2 ORDER BY r.${kind.id} LIMIT $3`,
  );
  return [list, [i_customer, after, size]];
};

/** A part of them, the newest first. */
export const listNewest = (
  call: ListCall,
  kind: AnyKind,
  i_customer: number,
  params: CursorParams,
): Promise<Page<Owned & Values & CursorRow>> => {
  const list = statementOf(
    'newest',
    kind,
    () => `SELECT ${columnsOf(kind)}, ${cursorColumns('r', kind.id)} FROM ${fromOf(kind)}
     WHERE r.i_customer = $1 AND r.deleted_at IS NULL AND ${beforeCursor('r', kind.id, 2)}`,
  );
  return readCursorPage(call, { ...params, step: stepOf(kind) }, (...cursor) => [
    list,
    [i_customer, ...cursor],
  ]);
};

/** Whether all of these are living objects of the customer, which are held against deletion. */
export async function holdOwned(
  db: Transaction,
  kind: AnyKind,
  i_customer: number,
  uuids: readonly string[],
): Promise<boolean> {
  const hold = statementOf(
    'hold',
    kind,
    () => `SELECT r.uuid FROM ${kind.table} r
     WHERE r.uuid = ANY($1::uuid[]) AND r.i_customer = $2 AND r.deleted_at IS NULL ORDER BY r.${kind.id} FOR KEY SHARE`,
  );
  return (await db.query(hold, [uuids, i_customer])).length === new Set(uuids).size;
}

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
  const mark = statementOf(
    'delete',
    kind,
    () => `UPDATE ${kind.table} SET deleted_at = now(), updated_at = now() WHERE ${kind.id} = $1`,
  );
  await db.query(mark, [id]);
}

/** The id of an object of the customer, also of one that is gone: where a list goes on. */
export async function idOfOwned(
  db: Queryable,
  kind: AnyKind,
  i_customer: number,
  uuid: string,
): Promise<number | undefined> {
  const place = statementOf(
    'place',
    kind,
    () => `SELECT ${kind.id} AS id FROM ${kind.table} WHERE uuid = $1 AND i_customer = $2`,
    sharedRead,
  );
  const [row] = await db.query<{ id: number }>(place, [uuid, i_customer]);
  return row?.id;
}
