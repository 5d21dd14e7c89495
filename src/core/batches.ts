/**
 * Long lists piece by piece: rows are read in batches by key, so that a list of any length stands
 * in memory only in part and no connection waits for a slow reader.
 */
import type { Batches } from './schema';

const batchSize = 1_000;

export interface Page<T> {
  /** The last row of the batch before; undefined for the first. */
  readonly last: T | undefined;
  /** Only the first batch skips any. */
  readonly offset: number;
  readonly size: number;
}

/**
 * Reads with `fetch` until `limit` rows or the end. The first batch is read at once, as part of the
 * call, so that what fails in it is answered as a fault; a list that ends with it is an array.
 */
export async function inBatches<T>(
  range: { readonly offset?: number | undefined; readonly limit?: number | undefined },
  fetch: (page: Page<T>) => Promise<T[]>,
): Promise<readonly T[] | Batches<T>> {
  const limit = range.limit ?? Infinity;
  if (limit === 0) return [];
  const first = await fetch({ last: undefined, offset: range.offset ?? 0, size: Math.min(batchSize, limit) });
  return first.length < batchSize ? first : following(first, limit, fetch);
}

async function* following<T>(first: T[], limit: number, fetch: (page: Page<T>) => Promise<T[]>): Batches<T> {
  let rows = first;
  let left = limit;
  while (rows.length > 0) {
    yield rows;
    left -= rows.length;
    if (rows.length < batchSize || left <= 0) return;
    rows = await fetch({ last: rows.at(-1), offset: 0, size: Math.min(batchSize, left) });
  }
}

/** Whether there is nothing in it; what comes in batches has at least one. */
export const isEmpty = <T>(rows: readonly T[] | Batches<T>): boolean =>
  Array.isArray(rows) && rows.length === 0;

/** Changes each row of a list on its way. */
export function mapRows<T, U>(
  rows: readonly T[] | Batches<T>,
  change: (row: T) => U,
): readonly U[] | Batches<U> {
  return Array.isArray(rows) ? (rows as readonly T[]).map(change) : mapBatches(rows as Batches<T>, change);
}

async function* mapBatches<T, U>(batches: Batches<T>, change: (row: T) => U): Batches<U> {
  for await (const batch of batches) yield batch.map(change);
}

const isBatches = (value: unknown): value is Batches<unknown> =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value;

/** The result of a call, each later batch of which is read by `inTurn`, as the call itself was. */
export function batchesInTurns(result: unknown, inTurn: <T>(work: () => Promise<T>) => Promise<T>): unknown {
  if (typeof result !== 'object' || result === null) return result;
  let changed: Record<string, unknown> | undefined;
  for (const [name, value] of Object.entries(result)) {
    if (isBatches(value)) (changed ??= { ...result })[name] = eachInTurn(value, inTurn);
  }
  return changed ?? result;
}

async function* eachInTurn<T>(
  batches: Batches<T>,
  inTurn: <R>(work: () => Promise<R>) => Promise<R>,
): Batches<T> {
  const iterator = batches[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await inTurn(() => iterator.next());
      if (next.done) return;
      yield next.value;
    }
  } finally {
    // Whoever stops reading ends the list.
    await iterator.return();
  }
}
