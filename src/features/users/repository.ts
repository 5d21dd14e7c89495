/** The statements on users: the people who log in under a customer. */
import type { Page } from '../../core/call/batches';
import type { RowQuery } from '../../core/call/bounded-rows';
import { type Lockout, failureCount } from '../../core/auth/lockout';
import { nameKey } from '../../core/schema/normalize-name';
import { type PasswordPolicy, policyOf } from '../../core/auth/password-policy';
import type { Actor } from '../../core/tree/rights';
import { type Queryable, type Transaction, sharedRead, sql } from '../../db/database';
import { isSelfOrAbove, isWithin } from '../../core/tree/visibility';

/** What a user may do, as the API names it. */
export const accessLevels = ['ADMINISTRATOR', 'REPORTER', 'BILLING', 'CALL_SHOP_OPERATOR', 'NOC'] as const;
export type AccessLevel = (typeof accessLevels)[number];

/** A user as somebody who logs in. */
export interface User {
  readonly i_web_user: number;
  readonly i_customer: number;
  readonly web_login: string;
  readonly i_access_level: AccessLevel;
  readonly is_recovery: boolean;
  readonly password_hash: string | null;
  /** The user itself, its customer, or anybody above that is blocked. */
  readonly blocked: boolean;
}

const userColumns = `u.i_web_user, u.i_customer, u.web_login, u.i_access_level, u.is_recovery, u.password_hash,
  u.blocked OR (SELECT bool_or(a.blocked) FROM customers a WHERE ${isSelfOrAbove('a', 'c')}) AS blocked`;
const userFrom = `FROM users u JOIN customers c ON c.i_customer = u.i_customer
  WHERE u.login_key = $1 AND u.deleted_at IS NULL AND c.deleted_at IS NULL AND ${isWithin('c', '$2')}`;
const findUserStatement = sharedRead('find_user', `SELECT ${userColumns} ${userFrom}`);

/** The living login of the actor or of a customer below it. */
export async function findUser(db: Queryable, actor: Actor, login: string): Promise<User | undefined> {
  const [row] = await db.query<User>(findUserStatement, [nameKey(login), actor.i_customer]);
  return row;
}

/** A row in any case, so that an unknown login takes as long as a known one. */
const findTriedStatement = sharedRead(
  'find_tried_user',
  `SELECT f.failures, u.* FROM (SELECT ${failureCount('$3', '$4')} AS failures) f LEFT JOIN (
     SELECT ${userColumns}, u.one_time_hash = ANY($5::bytea[]) AND u.one_time_expires_at > $6 AS one_time ${userFrom}) u ON true`,
);
const useOneTimeStatement = sql(
  'use_one_time_password',
  `UPDATE users SET one_time_hash = NULL, one_time_expires_at = NULL, updated_at = now()
   WHERE i_web_user = $1 AND one_time_hash = ANY($2::bytea[]) AND one_time_expires_at > $3 AND deleted_at IS NULL
   RETURNING i_web_user`,
);
const setOneTimeStatement = sql(
  'set_one_time_password',
  `UPDATE users SET one_time_hash = $2, one_time_expires_at = $3, updated_at = now() WHERE i_web_user = $1`,
);

/** A login with which somebody tries to come in. */
export interface Tried {
  /** How often that failed lately. */
  readonly failures: number;
  readonly user: User | undefined;
  /** Whether what was tried is the user's one-time password, and still good. */
  readonly isOneTime: boolean;
}

/** Everything that there is to know of a try but whether the password is right. */
export async function findTried(
  db: Queryable,
  actor: Actor,
  login: string,
  lockout: Lockout,
  one_time_hashes: readonly Buffer[],
  now: Date,
): Promise<Tried> {
  type Row = { failures: number; one_time: boolean | null } & (User | { i_web_user: null });
  const values = [nameKey(login), actor.i_customer, lockout.scope, lockout.login_key, one_time_hashes, now];
  const [row] = await db.query<Row>(findTriedStatement, values);
  if (!row) throw new Error('A row in any case was none');
  const user = row.i_web_user === null ? undefined : row;
  return { failures: row.failures, user, isOneTime: row.one_time === true };
}

/** Uses the one-time password up; false if somebody else was faster. */
export async function useOneTimePassword(
  db: Queryable,
  user: User,
  hashes: readonly Buffer[],
  now: Date,
): Promise<boolean> {
  return (await db.query(useOneTimeStatement, [user.i_web_user, hashes, now])).length > 0;
}

export async function setOneTimePassword(
  db: Queryable,
  user: User,
  hash: Buffer,
  expires_at: Date,
): Promise<void> {
  await db.query(setOneTimeStatement, [user.i_web_user, hash, expires_at]);
}

/** A user as it is managed. */
export interface UserRow {
  readonly i_web_user: number;
  readonly i_customer: number;
  readonly web_login: string;
  readonly i_access_level: AccessLevel;
  readonly name: string | null;
  readonly description: string | null;
  readonly email: string | null;
  /** The user itself; its customer may be blocked besides. */
  readonly blocked: boolean;
  readonly is_default: boolean;
  readonly is_recovery: boolean;
}

/** A user that is about to be changed. */
export interface LockedUser extends UserRow {
  /** What a new password must be like. */
  readonly policy: PasswordPolicy;
  /** Whether its customer buys at a store front. */
  readonly buys_at_store: boolean;
}

const rowColumns = `u.i_web_user, u.i_customer, u.web_login, u.i_access_level, u.name, u.description, u.email, u.blocked,
  u.is_default, u.is_recovery`;

const rowFrom = `FROM users u JOIN customers c ON c.i_customer = u.i_customer
  WHERE u.i_web_user = $1 AND u.deleted_at IS NULL AND c.deleted_at IS NULL AND ${isWithin('c', '$2')}`;
const findRowStatement = sql('find_user_row', `SELECT ${rowColumns} ${rowFrom}`);
const lockRowStatement = sql(
  'lock_user_row',
  `SELECT ${rowColumns}, ${policyOf('c')} AS policy, c.i_store IS NOT NULL AS buys_at_store ${rowFrom} FOR NO KEY UPDATE OF u`,
);

/** A user of the actor or of a customer below it. */
export async function findUserRow(
  db: Queryable,
  actor: Actor,
  i_web_user: number,
): Promise<UserRow | undefined> {
  const [row] = await db.query<UserRow>(findRowStatement, [i_web_user, actor.i_customer]);
  return row;
}

export async function lockUser(
  db: Transaction,
  actor: Actor,
  i_web_user: number,
): Promise<LockedUser | undefined> {
  const [row] = await db.query<LockedUser>(lockRowStatement, [i_web_user, actor.i_customer]);
  return row;
}

const listStatement = sql(
  'list_users',
  `SELECT ${rowColumns} FROM users u
   WHERE u.i_customer = (
       SELECT c.i_customer FROM customers c WHERE c.i_customer = $1 AND ${isWithin('c', '$5')} AND c.deleted_at IS NULL)
     AND u.deleted_at IS NULL AND u.i_web_user > $2
   ORDER BY u.i_web_user OFFSET $3 LIMIT $4`,
);

/** The users of the actor or of a customer below it. */
export const listUsers = (
  actor: Actor,
  i_customer: number,
  { last, offset, size }: Page<UserRow>,
): RowQuery => [listStatement, [i_customer, last?.i_web_user ?? 0, offset, size, actor.i_customer]];

const buysAtStoreStatement = sharedRead(
  'buys_at_store',
  'SELECT i_store IS NOT NULL AS found FROM customers WHERE i_customer = $1',
);

/** Whether the customer buys at a store front, so that its users are store users. */
export async function buysAtStore(db: Queryable, i_customer: number): Promise<boolean> {
  const [row] = await db.query<{ found: boolean }>(buysAtStoreStatement, [i_customer]);
  return row?.found ?? false;
}

const insertStatement = sql(
  'insert_user',
  `WITH customer AS (SELECT i_customer FROM customers WHERE i_customer = $1 AND deleted_at IS NULL FOR KEY SHARE)
   INSERT INTO users (i_customer, web_login, login_key, password_hash, i_access_level, name, description, email,
     short_name, short_name_key, contact_first_name, contact_last_name)
   SELECT i_customer, $2, $3, $4, coalesce($5, 'ADMINISTRATOR'), $6, $7, $8, $9, $10, $11, $12 FROM customer RETURNING i_web_user`,
);

export interface NewUser {
  readonly i_customer: number;
  readonly web_login: string;
  readonly password_hash: string | null;
  readonly i_access_level?: AccessLevel;
  readonly name?: string | null;
  readonly description?: string | null;
  readonly email?: string | null;
  /** Unique within the customer. */
  readonly short_name?: string;
  readonly contact_first_name?: string | null;
  readonly contact_last_name?: string | null;
}

/** Answers the new id; undefined if the customer was deleted meanwhile. */
export async function insertUser(db: Transaction, user: NewUser): Promise<number | undefined> {
  const [row] = await db.query<{ i_web_user: number }>(insertStatement, [
    user.i_customer,
    user.web_login,
    nameKey(user.web_login),
    user.password_hash,
    user.i_access_level ?? null,
    user.name ?? null,
    user.description ?? null,
    user.email ?? null,
    user.short_name ?? null,
    user.short_name === undefined ? null : nameKey(user.short_name),
    user.contact_first_name ?? null,
    user.contact_last_name ?? null,
  ]);
  return row?.i_web_user;
}

const updateStatement = sql(
  'update_user',
  `UPDATE users SET updated_at = now(), web_login = coalesce($2, web_login), login_key = coalesce($3, login_key),
     short_name = CASE WHEN $12::text IS NOT NULL THEN $12 WHEN $2 IS NULL OR $2 = web_login THEN short_name END,
     short_name_key = CASE WHEN $12 IS NOT NULL THEN $13 WHEN $2 IS NULL OR $2 = web_login THEN short_name_key END,
     password_hash = coalesce($4, password_hash), i_access_level = coalesce($5, i_access_level),
     name = CASE WHEN $6::boolean THEN $7 ELSE name END,
     description = CASE WHEN $8::boolean THEN $9 ELSE description END,
     email = CASE WHEN $10::boolean THEN $11 ELSE email END,
     contact_first_name = CASE WHEN $14::boolean THEN $15 ELSE contact_first_name END,
     contact_last_name = CASE WHEN $16::boolean THEN $17 ELSE contact_last_name END
   WHERE i_web_user = $1`,
);

/** Writes what is given; null clears, absent leaves alone. */
export async function updateUser(
  db: Transaction,
  i_web_user: number,
  given: Partial<Omit<NewUser, 'i_customer' | 'password_hash'>>,
  password_hash: string | null,
): Promise<void> {
  const clearable = (names: readonly (keyof typeof given)[]): unknown[] =>
    names.flatMap((name) => [given[name] !== undefined, given[name] ?? null]);
  await db.query(updateStatement, [
    i_web_user,
    given.web_login ?? null,
    given.web_login === undefined ? null : nameKey(given.web_login),
    password_hash,
    given.i_access_level ?? null,
    ...clearable(['name', 'description', 'email']),
    given.short_name ?? null,
    given.short_name === undefined ? null : nameKey(given.short_name),
    ...clearable(['contact_first_name', 'contact_last_name']),
  ]);
}

const markDeletedStatement = sql(
  'delete_user',
  `UPDATE users SET deleted_at = now(), updated_at = now(), password_hash = NULL, one_time_hash = NULL
   WHERE i_web_user = $1`,
);

export async function markUserDeleted(db: Transaction, i_web_user: number): Promise<void> {
  await db.query(markDeletedStatement, [i_web_user]);
}

const setBlockedStatement = sql(
  'set_user_blocked',
  'UPDATE users SET blocked = $2, updated_at = now() WHERE i_web_user = $1',
);

export async function setUserBlocked(db: Transaction, i_web_user: number, blocked: boolean): Promise<void> {
  await db.query(setBlockedStatement, [i_web_user, blocked]);
}
