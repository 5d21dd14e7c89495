/** The statements on users: the people who log in under a customer. */
import { nameKey } from '../core/names';
import type { Actor } from '../core/rights';
import { type Queryable, sql } from '../db/database';

export interface User {
  readonly i_web_user: number;
  readonly i_customer: number;
  readonly i_access_level: 'ADMINISTRATOR' | 'REPORTER' | 'BILLING' | 'CALL_SHOP_OPERATOR' | 'NOC';
  readonly is_recovery: boolean;
  readonly password_hash: string | null;
  /** The user itself, its customer, or anybody above that is blocked. */
  readonly blocked: boolean;
}

const findUserStatement = sql(
  'find_user',
  `SELECT u.i_web_user, u.i_customer, u.i_access_level, u.is_recovery, u.password_hash,
     u.blocked OR (SELECT bool_or(a.blocked) FROM customers a WHERE a.i_customer = ANY(c.path)) AS blocked
   FROM users u JOIN customers c ON c.i_customer = u.i_customer
   WHERE u.login_key = $1 AND u.deleted_at IS NULL AND c.deleted_at IS NULL AND $2 = ANY(c.path)`,
);

/** The living login of the actor or of a customer below it. */
export async function findUser(db: Queryable, actor: Actor, login: string): Promise<User | undefined> {
  const [row] = await db.query<User>(findUserStatement, [nameKey(login), actor.i_customer]);
  return row;
}

const hasOneTimeStatement = sql(
  'has_one_time_password',
  `SELECT i_web_user FROM users WHERE i_web_user = $1 AND one_time_hash = $2 AND one_time_expires_at > $3`,
);
const useOneTimeStatement = sql(
  'use_one_time_password',
  `UPDATE users SET one_time_hash = NULL, one_time_expires_at = NULL, updated_at = now()
   WHERE i_web_user = $1 AND one_time_hash = $2 AND one_time_expires_at > $3 AND deleted_at IS NULL
   RETURNING i_web_user`,
);
const setOneTimeStatement = sql(
  'set_one_time_password',
  `UPDATE users SET one_time_hash = $2, one_time_expires_at = $3, updated_at = now() WHERE i_web_user = $1`,
);

/** Whether it is the user's one-time password and still good. */
export async function hasOneTimePassword(
  db: Queryable,
  user: User,
  hash: Buffer,
  now: Date,
): Promise<boolean> {
  return (await db.query(hasOneTimeStatement, [user.i_web_user, hash, now])).length > 0;
}

/** Uses the one-time password up; false if somebody else was faster. */
export async function useOneTimePassword(
  db: Queryable,
  user: User,
  hash: Buffer,
  now: Date,
): Promise<boolean> {
  return (await db.query(useOneTimeStatement, [user.i_web_user, hash, now])).length > 0;
}

export async function setOneTimePassword(
  db: Queryable,
  user: User,
  hash: Buffer,
  expires_at: Date,
): Promise<void> {
  await db.query(setOneTimeStatement, [user.i_web_user, hash, expires_at]);
}
