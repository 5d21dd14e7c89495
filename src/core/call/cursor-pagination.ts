/**
 * Lists with the newest on top, in parts. The word for the next part holds the time and the id of the last row seen,
 * so rows of one time are neither lost nor doubled, and what is made meanwhile moves nothing.
 */
import { badParameter } from '../../base/faults';
import { type Bounds, type ListCall, type RowQuery, readPage } from './bounded-rows';
import type { Page } from './operation';
import { integer, optional, text } from '../schema/schema';

export const cursorQuery = {
  page_size: optional(integer('Answer at most so many; absent: 100.', { minimum: 1, maximum: 100 })),
  page_token: optional(
    text(255, 'The `next_page_token` of the answer before; absent or empty: from the newest.'),
  ),
};

export interface CursorParams {
  readonly page_size?: number;
  readonly page_token?: string;
}

/** What a row says of its place. */
export interface CursorRow {
  readonly cursor_time: string;
  readonly cursor_id: number | string;
}

/** SQL: the columns of `CursorRow`. */
export const cursorColumns = (alias: string, id: string): string =>
  `${alias}.created_at::text AS cursor_time, ${alias}.${id} AS cursor_id`;

/** SQL: what is older than the place in the parameters, the newest first; the last parameter is how many. */
export const beforeCursor = (alias: string, id: string, first: number): string =>
  `(${alias}.created_at, ${alias}.${id}) < ($${first}::timestamptz, $${first + 1}::bigint)
   ORDER BY ${alias}.created_at DESC, ${alias}.${id} DESC LIMIT $${first + 2}`;

const tokenForm = /^(\d{1,18}) (\d{4,6}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?[+-]\d\d(?::\d\d)?)$/;

/**
 * Reads a page of at most `page_size` rows and TREELINE_PAGE_LIMIT_BYTES; where there are more, `next` is its cursor.
 * `query` gets the three parameters of `beforeCursor`. Throws fault 400 for a wrong `page_token`.
 */
export async function readCursorPage<T extends CursorRow>(
  call: ListCall,
  { page_size = 100, page_token = '', step }: CursorParams & Pick<Bounds, 'step'>,
  query: (time: string, id: string, size: number) => RowQuery,
): Promise<Page<T>> {
  const given = page_token === '' ? (['infinity', '0'] as const) : readCursor(page_token);
  return readPage<T>(
    call,
    { size: page_size, step },
    (last, size) => query(...(last ? ([last.cursor_time, String(last.cursor_id)] as const) : given), size),
    tokenOf,
  );
}

const tokenOf = ({ cursor_time, cursor_id }: CursorRow): string =>
  Buffer.from(`${cursor_id} ${cursor_time}`).toString('base64url');

function readCursor(page_token: string): readonly [string, string] {
  const [, id, time] = tokenForm.exec(Buffer.from(page_token, 'base64url').toString('latin1')) ?? [];
  if (
    id === undefined ||
    time === undefined ||
    Number.isNaN(Date.parse(time.replace(/[+-]\d\d(:\d\d)?$/, 'Z')))
  )
    throw badParameter('page_token', 'must be the next_page_token of an answer');
  return [time, id];
}
