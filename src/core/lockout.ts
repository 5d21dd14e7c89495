/**
 * Failed logins, counted where every node sees them. A login is locked, within one scope, once the
 * limit is reached and until the failures age out; failures while locked are not counted. Whoever
 * was checking a password while the lock closed is refused too, so guessing many at once gains nothing.
 */
import { type Database, type Queryable, type Transaction, lookup, sql } from '../db/database';
import { Fault } from '../faults';
import type { Credentials } from './credentials';
import { nameKey } from './names';

const window_s = 15 * 60;

/** What is counted: one login, known or not, as seen by one scope. */
export interface Lockout {
  readonly scope: string;
  /** As it was typed, which may be a password in the wrong field: it stays in memory. */
  readonly typed_key: string;
  /** What the table keeps: a keyed hash. */
  readonly login_key: string;
  readonly limit: number;
}

type Hasher = Pick<Credentials, 'hashLogin'>;

/** Wrong API passwords, per address and login, over all faces that name it alike. */
export const apiLockout = (keys: Hasher, address: string, login: string): Lockout =>
  lockout(keys, `api ${address}`, login, 20);

/** Failures of authCustomer, per scope of lookup (the actor's) and login. */
export const webLockout = (keys: Hasher, i_customer: number, login: string): Lockout =>
  lockout(keys, `web ${i_customer}`, login, 10);

/** Failures to get a token, per address and login. */
export const tokenLockout = (keys: Hasher, address: string, login: string): Lockout =>
  lockout(keys, `web token ${address}`, login, 10);

/** No login is longer than 64 characters; a longer text is not worth storing whole. */
const lockKey = (login: string): string => nameKey(login.slice(0, 128)).slice(0, 128);

/** The hash is made when it is first asked for: a caller that is remembered needs none. */
function lockout(keys: Hasher, scope: string, login: string, limit: number): Lockout {
  const typed_key = lockKey(login);
  let login_key: string | undefined;
  return {
    scope,
    typed_key,
    get login_key() {
      return (login_key ??= keys.hashLogin(typed_key));
    },
    limit,
  };
}

/** SQL that counts the failures that have not aged out. */
export const failureCount = (scope: string, login_key: string): string =>
  `(SELECT count(*)::int FROM login_failures f WHERE f.scope = ${scope} AND f.login_key = ${login_key}
      AND f.failed_at > now() - interval '${window_s} seconds')`;

const countStatement = lookup('count_failures', `SELECT ${failureCount('$1', '$2')} AS failures`);
const serialize = sql(
  'serialize_failures',
  `SELECT pg_advisory_xact_lock(hashtextextended($1 || ' ' || $2, 0))`,
);
const insertStatement = sql(
  'insert_failure',
  `INSERT INTO login_failures (scope, login_key)
   SELECT $1, $2 WHERE ${failureCount('$1', '$2')} < $3 RETURNING i_failure`,
);
const oldestStatement = sql(
  'oldest_failure',
  `SELECT ceil(extract(epoch FROM failed_at + interval '${window_s} seconds' - now()))::int AS wait_s
   FROM login_failures WHERE scope = $1 AND login_key = $2 AND failed_at > now() - interval '${window_s} seconds'
   ORDER BY failed_at DESC OFFSET $3 LIMIT 1`,
);
const forgiveStatement = sql(
  'forgive_failures',
  `DELETE FROM login_failures WHERE scope LIKE 'web %' AND login_key = $1`,
);
const purgeStatement = sql(
  'purge_failures',
  `DELETE FROM login_failures WHERE failed_at <= now() - interval '${window_s} seconds'
      OR i_failure <= (SELECT max(i_failure) - 1000000 FROM login_failures)`,
);

/** Throws fault 429 while the login is locked. */
export async function refuseLocked(db: Queryable, lockout: Lockout): Promise<void> {
  const [row] = await db.query<{ failures: number }>(countStatement, [lockout.scope, lockout.login_key]);
  if ((row?.failures ?? 0) >= lockout.limit) throw await locked(db, lockout);
}

/** Failures that this process is about to count, by scope and login. */
const underway = new Map<string, number>();

/** How many failures are known of, but not yet in the table: a burst of guesses must not outrun its own counting. */
export const failuresUnderway = ({ scope, typed_key }: Lockout): number =>
  underway.get(`${scope} ${typed_key}`) ?? 0;

/**
 * Counts one failure, and records it with `record`, in one transaction; throws fault 429 when the
 * login was locked meanwhile.
 */
export async function countFailure(
  db: Database,
  lockout: Lockout,
  record: (tx: Transaction) => Promise<void>,
  ends_at: number,
): Promise<void> {
  const { scope, typed_key, login_key, limit } = lockout;
  const key = `${scope} ${typed_key}`;
  underway.set(key, (underway.get(key) ?? 0) + 1);
  const counted = await db
    .transaction(async (tx) => {
      // One at a time, so that a hundred failures at once are counted to the limit and no further.
      await tx.query(serialize, [scope, login_key]);
      const rows = await tx.query(insertStatement, [scope, login_key, limit]);
      if (rows.length > 0) await record(tx);
      return rows.length > 0;
    }, ends_at)
    .finally(() => {
      const left = (underway.get(key) ?? 1) - 1;
      if (left > 0) underway.set(key, left);
      else underway.delete(key);
    });
  if (!counted) throw await locked(db, lockout);
}

/** Fault 429 with the time at which the oldest failure that matters ages out. */
export async function locked(db: Queryable, { scope, login_key, limit }: Lockout): Promise<Fault> {
  const [row] = await db.query<{ wait_s: number }>(oldestStatement, [scope, login_key, limit - 1]);
  const wait_s = Math.max(1, row?.wait_s ?? 1);
  return new Fault('too_many_failures', `Too many failed logins, retry in ${wait_s} seconds`, {
    retry_after_s: wait_s,
  });
}

/** Unlocks a login for authCustomer, in every scope: its one-time password was set anew. */
export async function forgiveFailures(db: Queryable, keys: Hasher, login: string): Promise<void> {
  await db.query(forgiveStatement, [keys.hashLogin(lockKey(login))]);
}

/** Drops what has aged out, and the oldest beyond a million: the table is bounded. */
export async function purgeFailures(db: Queryable): Promise<void> {
  await db.query(purgeStatement);
}
