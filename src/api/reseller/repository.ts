/** The statements on customers and users as this API shows them: with uuids, and with what belongs to them. */
import type { RowQuery } from '../../core/call/bounded-rows';
import type { Actor } from '../../core/tree/rights';
import type { Money } from '../../core/schema/schema';
import { type Queryable, type Transaction, sharedRead, sql } from '../../db/database';
import { isBelow } from '../../core/tree/visibility';

/** So many users and addresses are shown within a customer; all of them have a path of their own. */
const nestedAtMost = 100;

const day = (column: string): string => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD')`;
const daysOf = (alias: string): string =>
  `${day(`${alias}.created_at`)} AS created_on, ${day(`${alias}.updated_at`)} AS updated_on`;

const userColumns = `u.uuid, coalesce(u.short_name, u.web_login) AS name, u.web_login AS login, u.contact_first_name,
  u.contact_last_name, CASE u.i_access_level WHEN 'ADMINISTRATOR' THEN 1 WHEN 'CALL_SHOP_OPERATOR' THEN 3 ELSE 2 END AS role_id,
  u.email, ${daysOf('u')}`;

const nested = (columns: string, from: string, order: string): string =>
  `(SELECT coalesce(json_agg(t), '[]') FROM (SELECT ${columns} FROM ${from} ORDER BY ${order} LIMIT ${nestedAtMost}) t)`;

const customerColumns = `c.i_customer AS id, c.i_wholesaler, c.uuid, c.name, c.contact AS contact_name, c.phone, c.allow_outbound,
  (SELECT s.uuid FROM stores s WHERE s.i_store = c.i_store) AS store_front,
  c.balance::text AS balance, c.base_currency AS currency, ${daysOf('c')},
  ${nested(userColumns, 'users u WHERE u.i_customer = c.i_customer AND u.deleted_at IS NULL AND NOT u.is_default AND NOT u.is_recovery', 'u.i_web_user')} AS users,
  ${nested(`a.uuid, a.street_one, a.street_two, a.street_three, a.city, a.state, a.zip, a.country_code, ${daysOf('a')}`, 'addresses a WHERE a.i_customer = c.i_customer AND a.deleted_at IS NULL', 'a.i_address')} AS addresses,
  ${nested('r.ip_range::text', 'customer_ip_ranges r WHERE r.i_customer = c.i_customer', 'r.i_ip_range')} AS ip_addresses`;

export interface UserObject {
  readonly uuid: string;
  readonly name: string;
  readonly login: string;
  readonly contact_first_name: string | null;
  readonly contact_last_name: string | null;
  readonly role_id: number;
  readonly email: string | null;
  readonly created_on: string;
  readonly updated_on: string;
}

/** A customer as this API shows it, and where it stands. */
export interface CustomerRow {
  readonly id: number;
  readonly i_wholesaler: number;
  readonly uuid: string;
  readonly name: string;
  readonly contact_name: string | null;
  readonly phone: string | null;
  readonly allow_outbound: boolean;
  readonly store_front: string | null;
  readonly balance: Money;
  readonly currency: string;
  readonly created_on: string;
  readonly updated_on: string;
  readonly users: UserObject[];
  readonly addresses: AddressObject[];
  readonly ip_addresses: { readonly ip_range: string }[];
}

interface AddressObject {
  readonly uuid: string;
  readonly street_one: string;
  readonly street_two: string | null;
  readonly street_three: string | null;
  readonly city: string;
  readonly state: string | null;
  readonly zip: string | null;
  readonly country_code: string;
  readonly created_on: string;
  readonly updated_on: string;
}

const belowActor = isBelow('c', '$2');
const findByUuidStatement = sharedRead(
  'reseller_by_uuid',
  `SELECT ${customerColumns} FROM customers c WHERE c.uuid = $1 AND ${belowActor} AND c.deleted_at IS NULL`,
);
const findByIdStatement = sharedRead(
  'reseller_by_id',
  `SELECT ${customerColumns} FROM customers c WHERE c.i_customer = $1 AND ${belowActor} AND c.deleted_at IS NULL`,
);
const listStatement = sql(
  'list_resellers',
  `SELECT ${customerColumns} FROM customers c
   WHERE c.i_wholesaler = $1 AND c.deleted_at IS NULL AND c.i_customer > $2 ORDER BY c.i_customer LIMIT $3`,
);
const idStatement = sharedRead(
  'reseller_id',
  `SELECT c.i_customer AS id, c.i_wholesaler FROM customers c
   WHERE c.uuid = $1 AND ${belowActor} AND c.deleted_at IS NULL`,
);
const placeStatement = sharedRead(
  'reseller_place',
  'SELECT c.i_customer AS id FROM customers c WHERE c.uuid = $1 AND c.i_wholesaler = $2',
);

/** A living customer below the actor. */
export async function findReseller(
  db: Queryable,
  actor: Actor,
  key: string | number,
): Promise<CustomerRow | undefined> {
  const statement = typeof key === 'number' ? findByIdStatement : findByUuidStatement;
  const [row] = await db.query<CustomerRow>(statement, [key, actor.i_customer]);
  return row;
}

/** Which customer it is, and under whom it stands. */
export async function findResellerId(
  db: Queryable,
  actor: Actor,
  uuid: string,
): Promise<{ id: number; i_wholesaler: number } | undefined> {
  const [row] = await db.query<{ id: number; i_wholesaler: number }>(idStatement, [uuid, actor.i_customer]);
  return row;
}

export const listResellers = (actor: Actor, after: number, size: number): RowQuery => [
  listStatement,
  [actor.i_customer, after, size],
];

/** The place in the list of a direct customer, also of one that is gone. */
export async function placeOfReseller(
  db: Queryable,
  actor: Actor,
  uuid: string,
): Promise<number | undefined> {
  const [row] = await db.query<{ id: number }>(placeStatement, [uuid, actor.i_customer]);
  return row?.id;
}

export interface Details {
  readonly allow_outbound: boolean;
  readonly i_store: number | null;
  /** Addresses or networks; of a network, bits of a host in it do not matter. */
  readonly ip_ranges: readonly string[];
}

const setDetailsStatement = sql(
  'set_details',
  'UPDATE customers SET allow_outbound = $2, i_store = $3, updated_at = now() WHERE i_customer = $1',
);
const clearRangesStatement = sql(
  'clear_ip_ranges',
  `DELETE FROM customer_ip_ranges WHERE i_customer = $1
     AND ip_range NOT IN (SELECT network(r.ip_range) FROM unnest($2::inet[]) AS r (ip_range))`,
);
const addRangesStatement = sql(
  'add_ip_ranges',
  `INSERT INTO customer_ip_ranges (i_customer, ip_range)
   SELECT DISTINCT $1::int, network(r.ip_range) FROM unnest($2::inet[]) AS r (ip_range)
   ON CONFLICT ON CONSTRAINT customer_ip_ranges_ip_range_unique DO NOTHING`,
);

export async function setDetails(db: Transaction, i_customer: number, details: Details): Promise<void> {
  await Promise.all([
    db.query(setDetailsStatement, [i_customer, details.allow_outbound, details.i_store]),
    db.query(clearRangesStatement, [i_customer, details.ip_ranges]),
    db.query(addRangesStatement, [i_customer, details.ip_ranges]),
  ]);
}

const hasPeopleStatement = sql(
  'has_people',
  `SELECT EXISTS (SELECT FROM users u WHERE u.i_customer = $1 AND u.deleted_at IS NULL AND NOT u.is_default AND NOT u.is_recovery)
     AND NOT EXISTS (SELECT FROM users u WHERE u.i_customer = $1 AND u.deleted_at IS NULL AND NOT u.is_default
       AND NOT u.is_recovery AND u.i_access_level <> 'CALL_SHOP_OPERATOR')
     AND EXISTS (SELECT FROM addresses a WHERE a.i_customer = $1 AND a.deleted_at IS NULL) AS found`,
);

/** Whether the customer has a user, beside its own login, and an address, and all of its users are store users. */
export async function hasPeople(db: Queryable, i_customer: number): Promise<boolean> {
  const [row] = await db.query<{ found: boolean }>(hasPeopleStatement, [i_customer]);
  return row?.found ?? false;
}

const isLivingUser = 'u.i_customer = $1 AND u.deleted_at IS NULL AND NOT u.is_recovery';
const findUserStatement = sharedRead(
  'reseller_user',
  `SELECT ${userColumns}, u.i_web_user AS id FROM users u WHERE ${isLivingUser} AND u.uuid = $2`,
);
const findUserByIdStatement = sharedRead(
  'reseller_user_by_id',
  `SELECT ${userColumns}, u.i_web_user AS id FROM users u WHERE ${isLivingUser} AND u.i_web_user = $2`,
);
const listUsersStatement = sql(
  'list_reseller_users',
  `SELECT ${userColumns}, u.i_web_user AS id FROM users u WHERE ${isLivingUser} AND u.i_web_user > $2
   ORDER BY u.i_web_user LIMIT $3`,
);
const userPlaceStatement = sharedRead(
  'reseller_user_place',
  'SELECT i_web_user AS id FROM users u WHERE u.i_customer = $1 AND u.uuid = $2',
);
const standingStatement = sharedRead(
  'standing',
  'SELECT name, i_store IS NOT NULL AS buys_at_store FROM customers WHERE i_customer = $1',
);

export type UserRow = UserObject & { readonly id: number };

/** A living user of the customer, by uuid or id; the recovery user is nobody's affair. */
export async function findResellerUser(
  db: Queryable,
  i_customer: number,
  key: string | number,
): Promise<UserRow | undefined> {
  const statement = typeof key === 'number' ? findUserByIdStatement : findUserStatement;
  const [row] = await db.query<UserRow>(statement, [i_customer, key]);
  return row;
}

export const listResellerUsers = (i_customer: number, after: number, size: number): RowQuery => [
  listUsersStatement,
  [i_customer, after, size],
];

export async function placeOfUser(
  db: Queryable,
  i_customer: number,
  uuid: string,
): Promise<number | undefined> {
  const [row] = await db.query<{ id: number }>(userPlaceStatement, [i_customer, uuid]);
  return row?.id;
}

/** What a customer is called, and whether it buys at a store front. */
export async function standingOf(
  db: Queryable,
  i_customer: number,
): Promise<{ name: string; buys_at_store: boolean }> {
  const [row] = await db.query<{ name: string; buys_at_store: boolean }>(standingStatement, [i_customer]);
  if (!row) throw new Error('A customer in reach has no row');
  return row;
}
