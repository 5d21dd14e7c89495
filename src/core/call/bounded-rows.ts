/**
 * The one way to read a list: bounded in rows and in bytes. A list function says which statement reads the rows
 * after a given one; it never runs the statement itself, so no list can be without a bound of bytes.
 */
import type { Database, Statement } from '../../db/database';
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

/**
 * How many rows one statement reads. PostgreSQL reads and sends all of them, also those that are then dropped, so a
 * step of the widest rows must cost little more than a page: 16 rows of 64 KiB, or 256 of 4 KiB.
 */
export const wideStep = 16;
/** The first step of a wide list. Old rows may be wider than what is taken today. */
const firstWideStep = 4;
/** For lists of which no row can be wider than a few KiB. */
export const narrowStep = 256;

export interface Bounds {
  /** How many rows at most. */
  readonly size: number;
  /** `narrowStep` only where the declared lengths of all columns allow it. Absent: `wideStep`. */
  readonly step?: number | undefined;
}

/**
 * Reads at most `size` rows and about TREELINE_PAGE_LIMIT_BYTES after the row `start`: it stops after the row that
 * reaches the limit.
 */
export async function readPart<T>(
  { db, config }: ListCall,
  { size, step = wideStep }: Bounds,
  next: NextRows<T>,
  start?: T,
): Promise<Part<T>> {
  const rows: T[] = [];
  let bytes = 0;
  while (rows.length < size) {
    const left = config.page_limit_bytes - bytes;
    // With no bytes left, one row is asked for: it is dropped, and tells that there are more.
    const most = rows.length === 0 && step <= wideStep ? firstWideStep : step;
    const asked = left > 0 ? Math.min(most, step, size - rows.length) : 1;
    const found = await db.queryWithin<T>(left, ...next(rows.at(-1) ?? start, asked));
    for (const row of found.rows) rows.push(row);
    bytes += found.bytes;
    if (found.isCut) return { rows, bytes, isEnd: false };
    if (found.rows.length < asked) return { rows, bytes, isEnd: true };
  }
  return { rows, bytes, isEnd: false };
}

/** Reads a page of at most `size` rows; where there are more, `next` is the cursor of its last row. */
export async function readPage<T>(
  call: ListCall,
  { size, step }: Bounds,
  next: NextRows<T>,
  cursorOf: (row: T) => string,
): Promise<Page<T>> {
  // One row more than asked for tells whether there are more.
  const { rows, isEnd } = await readPart(call, { size: size + 1, step }, next);
  const items = rows.slice(0, size);
  const last = isEnd ? undefined : items.at(-1);
  return { items, next: last === undefined ? null : cursorOf(last) };
}
