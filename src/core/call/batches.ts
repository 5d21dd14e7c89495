/**
 * Long lists piece by piece: rows are read in batches by key, so that a list of any length stands
 * in memory only in part and no connection waits for a slow reader.
 */
import { type Bounds, type ListCall, type NextRows, type RowQuery, readPart, wideStep } from './bounded-rows';
import type { Batches } from '../schema/schema';

const batchSize = 1_000;

export interface Page<T> {
  /** The last row of the batch before; undefined for the first. */
  readonly last: T | undefined;
  /** Only the first rows skip any. */
  readonly offset: number;
  readonly size: number;
}

interface Range extends Pick<Bounds, 'step'> {
  readonly offset?: number | undefined;
  /** Absent: all. */
  readonly limit?: number | undefined;
}

/**
 * Reads by `query` until `limit` rows or the end, in batches of at most 1,000 rows and TREELINE_PAGE_LIMIT_BYTES.
 * The first batch is read at once, as part of the call, so that what fails in it is answered as a fault; a list that
 * ends with it is an array.
 */
export async function inBatches<T>(
  call: ListCall,
  { offset = 0, limit = Infinity, step }: Range,
  query: (page: Page<T>) => RowQuery,
): Promise<readonly T[] | Batches<T>> {
  if (limit === 0) return [];
  const next: NextRows<T> = (last, size) => query({ last, offset: last === undefined ? offset : 0, size });
  const { rows, bytes, isEnd } = await readPart(call, { size: Math.min(batchSize, limit), step }, next);
  if (isEnd || rows.length >= limit) return rows;
  const rest = following(call, { size: limit - rows.length, step }, next, rows);
  return Object.assign(rest, { held_bytes: bytes });
}

async function* following<T>(
  call: ListCall,
  { size, step }: Bounds,
  next: NextRows<T>,
  firstRows: readonly T[],
): AsyncGenerator<readonly T[], void> {
  let rows = firstRows;
  let left = size;
  for (;;) {
    yield rows;
    if (left <= 0) return;
    const bounds = { size: Math.min(batchSize, left), step: stepAfter(rows.length, step) };
    const part = await readPart(call, bounds, next, rows.at(-1));
    rows = part.rows;
    if (rows.length === 0) return;
    left = part.isEnd ? 0 : left - rows.length;
  }
}

/** Where few rows filled a batch, the next ones are likely to be as wide: more are not asked for at once. */
const stepAfter = (rows: number, step: number | undefined): number => Math.min(step ?? wideStep, rows + 1);

/** Whether there is nothing in it; what comes in batches has at least one. */
export const isEmpty = <T>(rows: readonly T[] | Batches<T>): boolean =>
  Array.isArray(rows) && rows.length === 0;

/** Changes each row of a list on its way. */
export function mapRows<T, U>(
  rows: readonly T[] | Batches<T>,
  change: (row: T) => U,
): readonly U[] | Batches<U> {
  if (Array.isArray(rows)) return (rows as readonly T[]).map(change);
  const batches = rows as Batches<T>;
  return Object.assign(mapBatches(batches, change), { held_bytes: batches.held_bytes });
}

async function* mapBatches<T, U>(
  batches: Batches<T>,
  change: (row: T) => U,
): AsyncGenerator<readonly U[], void> {
  for await (const batch of batches) yield batch.map(change);
}

const isBatches = (value: unknown): value is Batches<unknown> =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value;

/** Runs work when it is the caller's turn. */
type InTurn = <T>(work: () => Promise<T>) => Promise<T>;

/** The result of a call, each later batch of which is read by `inTurn`, as the call itself was. */
export function batchesInTurns(result: unknown, inTurn: InTurn): unknown {
  if (typeof result !== 'object' || result === null) return result;
  let changed: Record<string, unknown> | undefined;
  for (const [name, value] of Object.entries(result)) {
    if (isBatches(value)) (changed ??= { ...result })[name] = eachInTurn(value, inTurn);
  }
  return changed ?? result;
}

const eachInTurn = <T>(batches: Batches<T>, inTurn: InTurn): Batches<T> =>
  Object.assign(turnByTurn(batches, inTurn), { held_bytes: batches.held_bytes });

async function* turnByTurn<T>(batches: Batches<T>, inTurn: InTurn): AsyncGenerator<readonly T[], void> {
  try {
    for (;;) {
      const next = await inTurn(() => batches.next());
      if (next.done) return;
      yield next.value;
    }
  } finally {
    // Whoever stops reading ends the list.
    await batches.return();
  }
}
