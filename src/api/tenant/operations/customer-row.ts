/** A customer as the tenant API shows it, and the statements that find it. */
import type { Call, Id } from '../../../core/call/method';
import { narrowStep } from '../../../core/call/bounded-rows';
import {
  type CursorParams,
  type CursorRow,
  readCursorPage,
  cursorColumns,
} from '../../../core/call/cursor-pagination';
import type { Page } from '../../../core/call/operation';
import { permissions } from '../../../core/tree/permission';
import { rootId } from '../../../core/tree/rights';
import {
  type Static,
  integer,
  list,
  nullable,
  oneOf,
  optional,
  struct,
  text,
  uuid,
} from '../../../core/schema/schema';
import { type Database, type Queryable, type Transaction, sharedRead, sql } from '../../../db/database';
import { notFound } from '../../../base/faults';
import { detailText, times, timesOf } from './shared-schemas';
import { isSelfOrAbove, isWithin } from '../../../core/tree/visibility';

export interface CustomerRow {
  readonly i_customer: number;
  readonly uuid: string;
  readonly name: string;
  readonly company_name: string | null;
  readonly description: string | null;
  readonly email: string | null;
  readonly phone: string | null;
  readonly street_addr: string | null;
  readonly permission_ids: readonly number[];
  readonly webhook_method: string;
  readonly webhook_uri: string | null;
  readonly has_webhook_key: boolean;
  /** It, or a customer above it, is blocked. */
  readonly suspended: boolean;
  readonly created_at: Date | string;
  readonly updated_at: Date | string;
  readonly deleted_at: Date | string | null;
}

/** SQL: a tenant, over the customer `c`. */
export const customerRowColumns = `c.i_customer, c.uuid, c.name, c.company_name, c.description, c.email, c.phone,
  c.street_addr, c.permission_ids, c.webhook_method, c.webhook_uri, c.sealed_webhook_key IS NOT NULL AS has_webhook_key,
  (SELECT bool_or(a.blocked) FROM customers a WHERE ${isSelfOrAbove('a', 'c')}) AS suspended,
  c.created_at, c.updated_at, c.deleted_at`;

const withinText = `SELECT ${customerRowColumns} FROM customers c
  WHERE c.uuid = $1 AND ${isWithin('c', '$2')} AND c.deleted_at IS NULL`;
const findStatement = sharedRead('find_tenant', withinText);
const lockStatement = sql('lock_tenant', `${withinText} FOR NO KEY UPDATE OF c`);
const ownText = `SELECT ${customerRowColumns} FROM customers c WHERE c.i_customer = $1 AND c.deleted_at IS NULL`;
const ownStatement = sharedRead('own_tenant', ownText);
const lockOwnStatement = sql('lock_own_tenant', `${ownText} FOR NO KEY UPDATE OF c`);
/**
 * Ids are given in order, and a place in the list is an id: the newest come first without being sorted. Each place
 * below is reached by an index of its own, so a page costs a page. `$1` the actor, `$2` where to go on, `$3` how many.
 */
const olderId = 'i_customer < coalesce(nullif($2::bigint, 0), 9223372036854775807)';
const newestFirst = (alias: string): string => `ORDER BY ${alias}.i_customer DESC LIMIT $3`;
const newestStatement = sql(
  'newest_tenants',
  `SELECT ${customerRowColumns}, ${cursorColumns('c', 'i_customer')}
   FROM (SELECT b.i_customer FROM (
       (SELECT d.i_customer FROM customers d
        WHERE d.i_wholesaler = $1 AND d.deleted_at IS NULL AND d.${olderId} ${newestFirst('d')})
       UNION ALL
       (SELECT f.i_customer FROM descendants f WHERE f.i_ancestor = $1 AND f.${olderId} ${newestFirst('f')})) b
     ${newestFirst('b')}) t
   JOIN customers c ON c.i_customer = t.i_customer ORDER BY c.i_customer DESC`,
);
/** Below root is everybody. */
const newestOfAllStatement = sql(
  'newest_of_all_tenants',
  `SELECT ${customerRowColumns}, ${cursorColumns('c', 'i_customer')} FROM customers c
   WHERE c.i_customer <> $1 AND c.deleted_at IS NULL AND c.${olderId} ${newestFirst('c')}`,
);

type Reader = Pick<Call<Queryable>, 'db' | 'actor'>;

/** Throws fault 404 where there is none. */
export function one([row]: readonly CustomerRow[]): CustomerRow {
  if (!row) throw notFound();
  return row;
}

/** The actor or a customer below it, by its uuid; throws fault 404. */
export const findTenant = async ({ db, actor }: Reader, id: string): Promise<CustomerRow> =>
  one(await db.query<CustomerRow>(findStatement, [id, actor.i_customer]));
/** The same, held against every other change; `one` of them, or none. */
export const lockTenant = (db: Transaction, actor: Id, id: string): Promise<CustomerRow[]> =>
  db.query<CustomerRow>(lockStatement, [id, actor.i_customer]);
export const lockOwnTenant = (db: Transaction, { i_customer }: Id): Promise<CustomerRow[]> =>
  db.query<CustomerRow>(lockOwnStatement, [i_customer]);
export const ownTenant = async ({ db }: Pick<Reader, 'db'>, i_customer: number): Promise<CustomerRow> =>
  one(await db.query<CustomerRow>(ownStatement, [i_customer]));

export const newestTenants = (call: Call<Database>, params: CursorParams): Promise<Page<CustomerRow>> => {
  const { i_customer } = call.actor;
  const statement = i_customer === rootId ? newestOfAllStatement : newestStatement;
  return readCursorPage<CustomerRow & CursorRow>(call, { ...params, step: narrowStep }, (_time, id, size) => [
    statement,
    [i_customer, id, size],
  ]);
};

const defaultsStatement = sql(
  'default_permission',
  'SELECT permission_ids FROM customers WHERE i_customer = $1',
);

/** What a new agent may do when nothing is said: the most that the customer's defaults hold. */
export async function defaultPermission(db: Queryable, i_customer: number): Promise<number> {
  const [row] = await db.query<{ permission_ids: number[] }>(defaultsStatement, [i_customer]);
  const { administrator, manager, agent } = permissions;
  return [administrator, manager].find((bit) => row?.permission_ids.includes(bit)) ?? agent;
}

export const permissionIds = list(
  integer('A permission: 16, 32 or 64.', { minimum: 16, maximum: 64 }),
  'What a new agent may do when nothing is said.',
  { maxItems: 3 },
);

const shown = {
  id: uuid('Its id.'),
  name: text(255, 'The display name.'),
  detail: text(1024, 'A description.'),
  status: text(16, 'active, or suspended: it, or one above it, is frozen.'),
  permission_ids: permissionIds,
  email: text(255, 'E-mail addresses.'),
  phone_number: text(128, 'A phone number.'),
  address: text(128, 'A postal address.'),
  webhook_method: text(8, 'How events are sent.'),
  webhook_uri: text(2048, 'Where events are sent; empty: nowhere.'),
  webhook_key: optional(
    nullable(text(64, 'The key that signs events; told once, when webhook_uri is first set.')),
  ),
  billing_account_id: uuid('Its billing account.'),
  ...times,
};
export const tenantResult = struct(shown);

export const tenantObject = (row: CustomerRow): Static<typeof tenantResult> => ({
  id: row.uuid,
  name: row.company_name === null || row.company_name === '' ? row.name : row.company_name,
  detail: row.description ?? '',
  status: row.suspended ? 'suspended' : 'active',
  permission_ids: [...row.permission_ids],
  email: row.email ?? '',
  phone_number: row.phone ?? '',
  address: row.street_addr ?? '',
  webhook_method: row.webhook_method,
  webhook_uri: row.webhook_uri ?? '',
  billing_account_id: row.uuid,
  ...timesOf(row),
});

export const displayName = text(128, 'The display name.', { format: 'line', digits: true });
export const profileBody = {
  detail: optional(detailText('A description.')),
  email: optional(
    text(255, 'E-mail addresses, separated by commas; empty: none.', { format: 'address-list-or-empty' }),
  ),
  phone_number: optional(text(128, 'A phone number.', { format: 'line', digits: true })),
  address: optional(text(128, 'A postal address.')),
  permission_ids: optional(permissionIds),
  webhook_method: optional(oneOf(['POST', 'PUT', 'PATCH'], 'How events are sent; absent at first: POST.')),
  webhook_uri: optional(
    text(
      2048,
      'Where events are sent; empty: nowhere. Set where none was, it makes a key that is told once.',
      {
        format: 'web-address-or-empty',
      },
    ),
  ),
};
export interface ProfileGiven {
  readonly name?: string;
  readonly detail?: string;
  readonly email?: string;
  readonly phone_number?: string;
  readonly address?: string;
  readonly permission_ids?: number[];
  readonly webhook_method?: 'POST' | 'PUT' | 'PATCH';
  readonly webhook_uri?: string;
}
