/**
 * Lists with the newest on top, in parts. The word for the next part holds the time and the id of the last row seen,
 * so rows of one time are neither lost nor doubled, and what is made meanwhile moves nothing.
 */
import { badParameter } from '../../base/faults';
import { type Bounds, type ListCall, type RowQuery, readPage } from './bounded-rows';
import type { Page } from './operation';
import { integer, optional, text } from '../schema/schema';

export const newestQuery = {
  page_size: optional(integer('Answer at most so many; absent: 100.', { minimum: 1, maximum: 100 })),
  page_token: optional(
    text(255, 'The `next_page_token` of the answer before; absent or empty: from the newest.'),
  ),
};

export interface NewestParams {
  readonly page_size?: number;
  readonly page_token?: string;
}

/** What a row says of its place. */
export interface Placed {
  readonly place_time: string;
  readonly place_id: number | string;
}

/** SQL: the columns of `Placed`. */
export const placeColumns = (alias: string, id: string): string =>
  `${alias}.created_at::text AS place_time, ${alias}.${id} AS place_id`;

/** SQL: what is older than the place in the parameters, the newest first; the last parameter is how many. */
export const olderThan = (alias: string, id: string, first: number): string =>
  `(${alias}.created_at, ${alias}.${id}) < ($${first}::timestamptz, $${first + 1}::bigint)
   ORDER BY ${alias}.created_at DESC, ${alias}.${id} DESC LIMIT $${first + 2}`;

const tokenForm = /^(\d{1,18}) (\d{4,6}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?[+-]\d\d(?::\d\d)?)$/;

/**
 * Reads a page of at most `page_size` rows and TREELINE_PAGE_LIMIT_BYTES; where there are more, `next` is its cursor.
 * `query` gets the three parameters of `olderThan`. Throws fault 400 for a wrong `page_token`.
 */
export async function newestPage<T extends Placed>(
  call: ListCall,
  { page_size = 100, page_token = '', step }: NewestParams & Pick<Bounds, 'step'>,
  query: (time: string, id: string, size: number) => RowQuery,
): Promise<Page<T>> {
  const given = page_token === '' ? (['infinity', '0'] as const) : placeOf(page_token);
  return readPage<T>(
    call,
    { size: page_size, step },
    (last, size) => query(...(last ? ([last.place_time, String(last.place_id)] as const) : given), size),
    tokenOf,
  );
}

const tokenOf = ({ place_time, place_id }: Placed): string =>
  Buffer.from(`${place_id} ${place_time}`).toString('base64url');

function placeOf(page_token: string): readonly [string, string] {
  const [, id, time] = tokenForm.exec(Buffer.from(page_token, 'base64url').toString('latin1')) ?? [];
  if (
    id === undefined ||
    time === undefined ||
    Number.isNaN(Date.parse(time.replace(/[+-]\d\d(:\d\d)?$/, 'Z')))
  )
    throw badParameter('page_token', 'must be the next_page_token of an answer');
  return [time, id];
}
