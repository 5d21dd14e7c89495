/**
 * What happens once in the life of a database: it learns which SECRET_KEY it belongs to, and root
 * gets its passwords. Any number of servers may start at once; one of them does it.
 */
import type { Config } from '../../base/config';
import { type Credentials, ha1Of, hashPassword, randomPassword } from '../../core/auth/credentials';
import { rootId } from '../../core/tree/rights';
import { type Database, type Queryable, sql } from '../../db/database';

/** Passwords that were made up here and must be shown to somebody, once. */
export interface FirstPasswords {
  readonly api_password?: string;
  readonly web_password?: string;
}

/** The database was made with another SECRET_KEY: nothing that it encrypted can be read. */
export class WrongSecretKey extends Error {
  override readonly name = 'WrongSecretKey';
  override readonly message =
    'SECRET_KEY is not the one that this database was made with; stored credentials could not be read with it';
}

const storeCheck = sql(
  'store_secret_check',
  `INSERT INTO server_settings (name, value) VALUES ('secret_check', $1) ON CONFLICT (name) DO NOTHING`,
);
const readCheck = sql('read_secret_check', `SELECT value FROM server_settings WHERE name = 'secret_check'`);
const lockRoot = sql(
  'lock_root',
  `SELECT u.web_login, u.password_hash IS NULL AS needs_web,
     NOT EXISTS (SELECT FROM api_credentials k WHERE k.i_customer = c.i_customer) AS needs_api
   FROM customers c JOIN users u ON u.i_customer = c.i_customer AND u.is_default
   WHERE c.i_customer = $1 FOR UPDATE OF c`,
);
const setWebPassword = sql(
  'set_root_web_password',
  'UPDATE users SET password_hash = $2 WHERE i_customer = $1 AND is_default',
);
const setApiPassword = sql(
  'set_root_api_password',
  'INSERT INTO api_credentials (i_customer, sealed_ha1) VALUES ($1, $2)',
);

interface RootRow {
  readonly web_login: string;
  readonly needs_web: boolean;
  readonly needs_api: boolean;
}

/** Checks the SECRET_KEY and sets root's passwords where there are none; answers those that were made up. */
export async function firstStart(
  db: Database,
  config: Config,
  credentials: Credentials,
): Promise<FirstPasswords> {
  const web_password = config.root_web_password ?? randomPassword();
  const api_password = config.root_api_password ?? randomPassword();
  const password_hash = await hashPassword(web_password);
  return db.transaction(async (tx) => {
    await assertKey(tx, credentials);
    const [root] = await tx.query<RootRow>(lockRoot, [rootId]);
    if (root?.needs_web) await tx.query(setWebPassword, [rootId, password_hash]);
    if (root?.needs_api) {
      const sealed = credentials.sealHa1(ha1Of(root.web_login, api_password), rootId);
      await tx.query(setApiPassword, [rootId, sealed]);
    }
    return {
      ...(root?.needs_api && config.root_api_password === undefined && { api_password }),
      ...(root?.needs_web && config.root_web_password === undefined && { web_password }),
    };
  });
}

/** Throws unless the SECRET_KEY is that of the database; one that has none yet belongs to this key from now on. */
export async function assertKey(db: Queryable, credentials: Credentials): Promise<void> {
  await db.query(storeCheck, [credentials.check_value]);
  const kept = await keptCheck(db);
  if (kept === undefined || !credentials.check_values.includes(kept)) throw new WrongSecretKey();
}

/** The check value of the key that the database was made with; undefined before the first start. */
export async function keptCheck(db: Queryable): Promise<string | undefined> {
  const [check] = await db.query<{ value: string }>(readCheck);
  return check?.value;
}
