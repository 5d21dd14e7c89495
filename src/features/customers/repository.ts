/** The statements on customers. They know columns and locks; the rules are in `service.ts`. */
import type { Id } from '../../core/call/method';
import { nameKey } from '../../core/schema/normalize-name';
import { type PasswordPolicy, policyWithId } from '../../core/auth/password-policy';
import type { Money } from '../../core/schema/schema';
import { type Transaction, sql } from '../../db/database';
import type { Wholesaler } from '../../core/tree/tree';
import { columnText, columnTexts, customerColumns, dictionaryReferences } from './fields';
import { isBelow, isWithin } from '../../core/tree/visibility';

/** What a change needs to know of the customer that it changes. */
export interface Target {
  readonly i_customer: number;
  readonly i_wholesaler: number;
  readonly web_login: string;
  /** Ids from root down to the customer itself. */
  readonly path: readonly number[];
  readonly balance: Money;
  readonly prepaid: Money;
  readonly credit_limit: Money;
  readonly i_tariff: number | null;
  readonly base_currency: string;
  readonly i_password_policy: number | null;
  readonly api_access: number;
  /** Readable attributes as they are, for the audit record. */
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** Below the actor and not the actor itself: nobody changes itself. */
const targetStatement = (name: string, clause: string, attributes: string, held = 'c, u') =>
  sql(
    name,
    `SELECT c.i_customer, c.i_wholesaler, to_json(c.path) AS path, u.web_login, c.balance::text AS balance,
       c.prepaid::text AS prepaid, c.credit_limit::text AS credit_limit, c.i_tariff, c.base_currency, c.i_password_policy, c.api_access, (SELECT row_to_json(t) FROM (SELECT ${attributes}) t) AS attributes
     FROM customers c JOIN users u ON u.i_customer = c.i_customer AND u.is_default
     WHERE c.i_customer = $1 AND ${isBelow('c', '$2')} AND c.deleted_at IS NULL ${clause} OF ${held}`,
  );
const allAttributes = `u.web_login, ${columnTexts}`;
const lockTargetStatement = targetStatement('lock_target', 'FOR NO KEY UPDATE', allAttributes);
const lockDoomedStatement = targetStatement('lock_doomed', 'FOR UPDATE', 'u.web_login');
/**
 * Most updates are of one attribute, and to read the others for the audit record, and to hold the
 * login that stays as it is, would be most of the work.
 */
const lockForOne = new Map(
  customerColumns.map((name) => [
    name,
    targetStatement(`lock_target_${name}`, 'FOR NO KEY UPDATE', `${columnText(name)} AS ${name}`, 'c'),
  ]),
);

/** Holds the row against every other change; `attributes` has at least those that are given. */
export async function lockTarget(
  db: Transaction,
  actor: Id,
  { i_customer, ...given }: { readonly i_customer: number },
): Promise<Target | undefined> {
  const [name = '', ...others] = Object.keys(given);
  const statement = (others.length === 0 && lockForOne.get(name)) || lockTargetStatement;
  const [row] = await db.query<Target>(statement, [i_customer, actor.i_customer]);
  return row;
}

/** Holds the row against deletion and against new sub-customers too. */
export async function lockDoomed(
  db: Transaction,
  actor: Id,
  i_customer: number,
): Promise<Target | undefined> {
  const [row] = await db.query<Target>(lockDoomedStatement, [i_customer, actor.i_customer]);
  return row;
}

/** What the references of a new or changed customer came to. */
export interface References {
  /** Attributes that refer to what does not exist, in the order of the definition. */
  readonly wrong: readonly string[];
  /** The currency of the tariff, if its wholesaler owns it. */
  readonly tariff_currency: string | null;
  /** What a new password must be like; null if there is no such policy. */
  readonly policy: PasswordPolicy | null;
  readonly has_api_password: boolean;
}

const checkReferencesStatement = sql(
  'check_references',
  `SELECT
     array_remove(ARRAY[${dictionaryReferences
       .map(([attribute, table, column, type], index) => {
         const value = `$${index + 7}::${type}`;
         return `CASE WHEN ${value} IS NOT NULL
           AND NOT EXISTS (SELECT FROM ${table} d WHERE d.${column} = ${value}) THEN '${attribute}' END`;
       })
       .join(', ')},
       CASE WHEN $4::int IS NOT NULL AND NOT EXISTS (SELECT FROM customers c
         WHERE c.i_customer = $4 AND ${isWithin('c', '$2')} AND c.deleted_at IS NULL FOR KEY SHARE) THEN 'i_commission_agent' END], NULL)
       AS wrong,
     (SELECT t.currency FROM tariffs t WHERE t.i_tariff = $3
       AND t.i_customer = coalesce((SELECT i_wholesaler FROM customers WHERE i_customer = $1::int), $2)) AS tariff_currency,
     ${policyWithId('CASE WHEN $5::boolean THEN $6::int ELSE (SELECT i_password_policy FROM customers WHERE i_customer = $1) END')}
      AS policy,
     EXISTS (SELECT FROM api_credentials k WHERE k.i_customer = $1) AS has_api_password`,
);

const nothingReferred: References = {
  wrong: [],
  tariff_currency: null,
  policy: null,
  has_api_password: false,
};
const referring = new Set([
  ...dictionaryReferences.map(([attribute]) => attribute),
  ...['i_tariff', 'i_commission_agent', 'web_password', 'web_login', 'api_password'],
]);

/**
 * Looks up all references of a customer below the actor, or of one that it makes, at once; absent
 * ones are right. The agent is held, lest it be deleted meanwhile.
 */
export async function checkReferences(
  db: Transaction,
  actor: Id,
  i_customer: number | undefined,
  params: Readonly<Record<string, unknown>>,
): Promise<References> {
  if (!Object.keys(params).some((name) => referring.has(name))) return nothingReferred;
  const [row] = await db.query<References>(checkReferencesStatement, [
    i_customer ?? null,
    actor.i_customer,
    params['i_tariff'] ?? null,
    params['i_commission_agent'] ?? null,
    i_customer === undefined || params['i_password_policy'] !== undefined,
    params['i_password_policy'] ?? null,
    ...dictionaryReferences.map(([attribute]) => params[attribute] ?? null),
  ]);
  if (!row) throw new Error('A statement without FROM answered no row');
  return row;
}

const nextIdStatement = sql(
  'next_i_customer',
  `SELECT nextval('customers_i_customer_seq')::int AS i_customer`,
);

/** An id that no customer has had. */
export async function nextId(db: Transaction): Promise<number> {
  const [row] = await db.query<{ i_customer: number }>(nextIdStatement);
  if (!row) throw new Error('A sequence answered no row');
  return row.i_customer;
}

const insertCustomerStatement = sql(
  'insert_customer',
  `WITH customer AS (
     INSERT INTO customers (i_customer, i_wholesaler, path, base_currency, name_key, ${customerColumns.join(', ')})
     VALUES ($8, $1, $2::int[] || $8::int, $3, $4, ${customerColumns.map((_, index) => `$${index + 9}`).join(', ')})
     RETURNING i_customer)
   -- From the customer and not from its id, so that a taken name is found before a taken login.
   INSERT INTO users (i_customer, web_login, login_key, password_hash, name, is_default, is_recovery)
   SELECT i_customer, $5, $6, $7, NULL, true, false FROM customer
   UNION ALL SELECT i_customer, login, login, NULL, 'guest agent', false, true FROM customer, (SELECT gen_random_uuid()::text AS login) r`,
);

export interface NewCustomer {
  readonly i_customer: number;
  readonly wholesaler: Wholesaler;
  readonly base_currency: string;
  readonly web_login: string;
  readonly password_hash: string | null;
  /** The value of each of `customerColumns`. */
  readonly column: (name: string) => unknown;
}

/** Makes the customer with its default user and its recovery user in one statement. */
export function insertCustomer(db: Transaction, made: NewCustomer): void {
  db.exec(insertCustomerStatement, [
    made.wholesaler.i_customer,
    made.wholesaler.path,
    made.base_currency,
    nameKey(String(made.column('name'))),
    made.web_login,
    nameKey(made.web_login),
    made.password_hash,
    made.i_customer,
    ...customerColumns.map(made.column),
  ]);
}

const removeApiPasswordStatement = sql(
  'remove_api_password',
  'DELETE FROM api_credentials WHERE i_customer = $1',
);
const insertApiPasswordStatement = sql(
  'insert_api_password',
  `INSERT INTO api_credentials (i_customer, sealed_ha1) VALUES ($1, $2)`,
);

/** Replaces the API password, or removes it. */
export function setApiPassword(db: Transaction, i_customer: number, sealed_ha1: Buffer | null): void {
  db.exec(removeApiPasswordStatement, [i_customer]);
  if (sealed_ha1) db.exec(insertApiPasswordStatement, [i_customer, sealed_ha1]);
}

/**
 * Writes the given columns and no others. An update without columns still marks the customer as
 * changed. That of one column is prepared, there being few of them; of others there are too many.
 */
export function updateCustomerColumns(
  db: Transaction,
  i_customer: number,
  columns: Readonly<Record<string, unknown>>,
): void {
  const names = Object.keys(columns);
  const text = `UPDATE customers SET ${['updated_at = now()', ...names.map((name, index) => `${name} = $${index + 2}`)].join(', ')}
    WHERE i_customer = $1`;
  const statement = names.length <= 1 ? sql(`update_customer_${names.join('')}`, text) : { text };
  db.exec(statement, [i_customer, ...names.map((name) => columns[name])]);
}

const updateDefaultUserStatement = sql(
  'update_default_user',
  `UPDATE users SET updated_at = now(), web_login = coalesce($2, web_login), login_key = coalesce($3, login_key),
     password_hash = coalesce($4, password_hash)
   WHERE i_customer = $1 AND is_default`,
);

/** Sets the login, the password's hash, or both; null leaves it alone. */
export function updateDefaultUser(
  db: Transaction,
  i_customer: number,
  web_login: string | null,
  password_hash: string | null,
): void {
  const login_key = web_login === null ? null : nameKey(web_login);
  db.exec(updateDefaultUserStatement, [i_customer, web_login, login_key, password_hash]);
}

const renameLoginsStatement = sql(
  'rename_logins',
  `UPDATE users SET web_login = short_name || '@' || $2, login_key = short_name_key || '@' || $3
   WHERE i_customer = $1 AND short_name IS NOT NULL AND deleted_at IS NULL`,
);

/** The logins that hold the customer's name follow it. */
export function renameLogins(db: Transaction, i_customer: number, name: string): void {
  db.exec(renameLoginsStatement, [i_customer, name, nameKey(name)]);
}

const hasSubCustomersStatement = sql(
  'has_sub_customers',
  `SELECT EXISTS (SELECT FROM customers c WHERE c.i_wholesaler = $1 AND c.deleted_at IS NULL) AS found`,
);

export async function hasSubCustomers(db: Transaction, i_customer: number): Promise<boolean> {
  const [row] = await db.query<{ found: boolean }>(hasSubCustomersStatement, [i_customer]);
  return row?.found ?? false;
}

/** What a customer owns goes with it: its numbers and domains are free again at once. */
export const ownedTables = [
  'numbers',
  'sip_users',
  'domains',
  'stores',
  'addresses',
  'queues',
  'flows',
  'tags',
  'access_keys',
] as const;

/** The row stays for the books; everything that others could want, or that refers to others, is let go. */
const deleteStatement = sql(
  'delete_customer',
  `WITH gone AS (
     UPDATE customers SET deleted_at = now(), updated_at = now(), i_tariff = NULL, i_routing_group = NULL,
       i_commission_agent = NULL, i_store = NULL WHERE i_customer = $1),
   ${ownedTables
     .map(
       (table) => `${table}_of AS (
     UPDATE ${table} SET deleted_at = now(), updated_at = now() WHERE i_customer = $1 AND deleted_at IS NULL),`,
     )
     .join('\n   ')}
   ranges AS (DELETE FROM customer_ip_ranges WHERE i_customer = $1),
   logins AS (
     UPDATE users SET deleted_at = now(), updated_at = now(), password_hash = NULL, one_time_hash = NULL
     WHERE i_customer = $1 AND deleted_at IS NULL),
   api AS (DELETE FROM api_credentials WHERE i_customer = $1),
   owned AS (DELETE FROM tariffs WHERE i_customer = $1),
   priced AS (DELETE FROM prices WHERE i_customer = $1)
   UPDATE customers SET i_commission_agent = NULL, updated_at = now()
   WHERE i_commission_agent = $1 AND i_customer <> $1`,
);

export async function markDeleted(db: Transaction, i_customer: number): Promise<void> {
  await db.query(deleteStatement, [i_customer]);
}

const setBlockedStatement = sql(
  'set_blocked',
  'UPDATE customers SET blocked = $2, updated_at = now() WHERE i_customer = $1 AND blocked <> $2 RETURNING i_customer',
);

/** Answers whether anything changed. */
export async function setBlocked(db: Transaction, i_customer: number, blocked: boolean): Promise<boolean> {
  return (await db.query(setBlockedStatement, [i_customer, blocked])).length > 0;
}

const changeCurrencyStatement = sql(
  'change_currency',
  'UPDATE customers SET base_currency = $2 WHERE i_customer = $1',
);
const inheritCurrencyStatement = sql(
  'inherit_currency',
  `UPDATE customers SET base_currency = $2
   WHERE i_wholesaler = ANY($1::int[]) AND i_tariff IS NULL AND deleted_at IS NULL RETURNING i_customer`,
);

/**
 * Gives a customer and all who are billed by its tariff another currency; answers who they are. One
 * level after the other: a level is locked before the next is read, so that those who are just
 * being made there, or given another tariff, are waited for and seen as they then are.
 */
export async function changeCurrency(
  db: Transaction,
  i_customer: number,
  currency: string,
): Promise<readonly number[]> {
  await db.query(changeCurrencyStatement, [i_customer, currency]);
  let changed: number[] = [];
  let level = [i_customer];
  while (level.length > 0) {
    changed = changed.concat(level);
    const rows = await db.query<{ i_customer: number }>(inheritCurrencyStatement, [level, currency]);
    level = rows.map((row) => row.i_customer);
  }
  return changed;
}
