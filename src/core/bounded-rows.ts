/**
 * The one way to read a list: bounded in rows and in bytes. A list function says which statement reads the rows
 * after a given one; it never runs the statement itself, so no list can be without a bound of bytes.
 */
import type { Database, Statement } from '../db/database';
import type { Call } from './method';
import type { Page } from './operation';

/** A statement and its values. */
export type RowQuery = readonly [Statement, readonly unknown[]];

/** The statement for the next `size` rows after `last`; `last` is undefined at the beginning. */
export type NextRows<T> = (last: T | undefined, size: number) => RowQuery;

/** What a list needs of a call. */
export type ListCall = Pick<Call<Database>, 'db' | 'config'>;

export interface Part<T> {
  readonly rows: readonly T[];
  /** The bytes of the rows, as PostgreSQL sent them. */
  readonly bytes: number;
  /** Whether the list ends with these rows. False where a bound was reached. */
  readonly isEnd: boolean;
}

/** The first step. Sixteen rows of the widest kind (64 KiB) make one page of the default size. */
export const firstStep = 16;
/** PostgreSQL reads at most so many times the rows that were read before, where these were narrow. */
const stepGrowth = 8;

/**
 * Reads at most `size` rows and about TREELINE_PAGE_LIMIT_BYTES: it stops after the row that reaches the limit.
 * The rows come in growing steps, so that PostgreSQL does not read 1,000 wide rows of which 16 fit.
 */
export async function readPart<T>(
  { db, config }: ListCall,
  { size, first = firstStep, last }: { size: number; first?: number; last?: T | undefined },
  next: NextRows<T>,
): Promise<Part<T>> {
  const rows: T[] = [];
  let bytes = 0;
  let step = first;
  while (rows.length < size) {
    const left = config.page_limit_bytes - bytes;
    // With no bytes left, one row is asked for: it is dropped, and tells that there are more.
    const asked = left > 0 ? Math.min(step, size - rows.length) : 1;
    const found = await db.queryWithin<T>(left, ...next(rows.at(-1) ?? last, asked));
    for (const row of found.rows) rows.push(row);
    bytes += found.bytes;
    if (found.isCut) return { rows, bytes, isEnd: false };
    if (found.rows.length < asked) return { rows, bytes, isEnd: true };
    step *= stepGrowth;
  }
  return { rows, bytes, isEnd: false };
}

/** Reads a page of at most `size` rows; where there are more, `next` is the cursor of its last row. */
export async function readPage<T>(
  call: ListCall,
  size: number,
  next: NextRows<T>,
  cursorOf: (row: T) => string,
): Promise<Page<T>> {
  // One row more than asked for tells whether there are more.
  const { rows, isEnd } = await readPart(call, { size: size + 1 }, next);
  const items = rows.slice(0, size);
  const last = isEnd ? undefined : items.at(-1);
  return { items, next: last === undefined ? null : cursorOf(last) };
}
