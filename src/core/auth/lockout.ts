/**
 * Failed logins, counted where every node sees them. A login is locked, within one scope, once the
 * limit is reached and until the failures age out; failures while locked are not counted. Whoever
 * was checking a password while the lock closed is refused too, so guessing many at once gains nothing.
 */
import { type Database, type Queryable, type Transaction, sharedRead, sql } from '../../db/database';
import { Fault } from '../../base/faults';
import { addressGroup } from '../fairness/address-group';
import type { Credentials } from './credentials';
import { nameKey } from '../schema/normalize-name';
import type { Turns } from '../fairness/turns';

const window_s = 15 * 60;

/** What is counted: one login, known or not, as seen by one scope; and everything from one address. */
export interface Lockout {
  readonly scope: string;
  /** As it was typed, which may be a password in the wrong field: it stays in memory. */
  readonly typed_key: string;
  /** What the table keeps: a keyed hash. */
  readonly login_key: string;
  readonly limit: number;
  /** An IPv4 address or the /64 of an IPv6 address; '' where no address is counted. */
  readonly address: string;
  /** How many failures one address has, over all logins. */
  readonly address_limit: number;
}

type Hasher = Pick<Credentials, 'hashLogin'>;

/** What a lockout is made with. */
interface LockoutKeys {
  /** How many failures one address may have. */
  readonly config: { readonly failures_per_address: number };
  readonly credentials: Hasher;
}

/** Wrong API passwords, per address and login, over all faces that name it alike. */
export const apiLockout = (keys: LockoutKeys, address: string, login: string): Lockout =>
  lockoutAt(keys, 'api', address, login, 20);

/** Failures to get a token, per address and login. */
export const tokenLockout = (keys: LockoutKeys, address: string, login: string): Lockout =>
  lockoutAt(keys, 'web token', address, login, 10);

/**
 * Failures of authCustomer, per scope of lookup (the actor's) and login. The address is that of a portal,
 * which asks for many people, so it is not counted.
 */
export const webLockout = (hasher: Hasher, i_customer: number, login: string): Lockout =>
  lockout(hasher, login, {
    scope: `web ${i_customer}`,
    limit: 10,
    address: '',
    address_limit: Infinity,
  });

/** No login is longer than 64 characters; a longer text is not worth storing whole. */
const lockKey = (login: string): string => nameKey(login.slice(0, 128)).slice(0, 128);

function lockoutAt(
  { config, credentials }: LockoutKeys,
  kind: 'api' | 'web token',
  from: string,
  login: string,
  limit: number,
): Lockout {
  const address = addressGroup(from);
  const scope = `${kind} ${address}`;
  return lockout(credentials, login, { scope, limit, address, address_limit: config.failures_per_address });
}

/** The hash is made when it is first asked for: a caller that is remembered needs none. */
function lockout(hasher: Hasher, login: string, counted: Omit<Lockout, 'typed_key' | 'login_key'>): Lockout {
  const typed_key = lockKey(login);
  let login_key: string | undefined;
  return {
    ...counted,
    typed_key,
    get login_key() {
      return (login_key ??= hasher.hashLogin(typed_key));
    },
  };
}

/** SQL that counts the failures that have not aged out. */
export const failureCount = (scope: string, login_key: string): string =>
  `(SELECT count(*)::int FROM login_failures f WHERE f.scope = ${scope} AND f.login_key = ${login_key}
      AND f.failed_at > now() - interval '${window_s} seconds')`;

/** SQL that counts the failures of one address over all logins. */
export const addressFailureCount = (address: string): string =>
  `(SELECT count(*)::int FROM login_failures f WHERE f.scope IN ('api ' || ${address}, 'web token ' || ${address})
      AND f.failed_at > now() - interval '${window_s} seconds')`;

/** What a look-up found of the failures. */
export interface FailureCounts {
  readonly failures: number;
  readonly address_failures: number;
}

export const isLocked = (found: FailureCounts, { limit, address_limit }: Lockout): boolean =>
  found.failures >= limit || found.address_failures >= address_limit;

const countStatement = sharedRead(
  'count_failures',
  `SELECT ${failureCount('$1', '$2')} AS failures, ${addressFailureCount('$3::text')} AS address_failures`,
);
const serialize = sql(
  'serialize_failures',
  `SELECT pg_advisory_xact_lock(hashtextextended($1 || ' ' || $2, 0))`,
);
const insertStatement = sql(
  'insert_failure',
  `INSERT INTO login_failures (scope, login_key)
   SELECT $1, $2 WHERE ${failureCount('$1', '$2')} < $3
     AND ($5::int IS NULL OR ${addressFailureCount('$4::text')} < $5) RETURNING i_failure`,
);
const oldestStatement = sharedRead(
  'oldest_failure',
  `SELECT ceil(extract(epoch FROM failed_at + interval '${window_s} seconds' - now()))::int AS wait_s
   FROM login_failures WHERE scope = $1 AND login_key = $2 AND failed_at > now() - interval '${window_s} seconds'
   ORDER BY failed_at DESC OFFSET $3 LIMIT 1`,
);
const oldestOfAddressStatement = sharedRead(
  'oldest_failure_of_address',
  `SELECT ceil(extract(epoch FROM failed_at + interval '${window_s} seconds' - now()))::int AS wait_s
   FROM login_failures WHERE scope IN ('api ' || $1::text, 'web token ' || $1::text)
     AND failed_at > now() - interval '${window_s} seconds'
   ORDER BY failed_at DESC OFFSET $2 LIMIT 1`,
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

/** Throws fault 429 while the login, or the address, is locked. */
export async function refuseLocked(db: Queryable, lockout: Lockout): Promise<void> {
  const [row] = await db.query<FailureCounts>(countStatement, [
    lockout.scope,
    lockout.login_key,
    lockout.address,
  ]);
  if (row && isLocked(row, lockout)) throw await locked(db, lockout);
}

/** Failures that this process is about to count, by scope and login. */
const underway = new Map<string, number>();

/** How many failures are known of, but not yet in the table: a burst of guesses must not outrun its own counting. */
export const failuresUnderway = ({ scope, typed_key }: Lockout): number =>
  underway.get(`${scope} ${typed_key}`) ?? 0;

/**
 * Counts one failure, and records it with `record`, in one transaction; throws fault 429 when the
 * login was locked meanwhile. Few are written at once, and of one login one at a time, so that wrong
 * passwords never take the connections that calls need.
 */
export async function countFailure(
  { db, turns }: { readonly db: Database; readonly turns: Pick<Turns, 'failures'> },
  lockout: Lockout,
  record: (tx: Transaction) => Promise<void>,
  deadline: number,
): Promise<void> {
  const { scope, typed_key, login_key, limit, address, address_limit } = lockout;
  const key = `${scope} ${typed_key}`;
  const values = [scope, login_key, limit, address, address_limit === Infinity ? null : address_limit];
  underway.set(key, (underway.get(key) ?? 0) + 1);
  const write = (): Promise<boolean> =>
    db.transaction(async (tx) => {
      // One at a time on all nodes, so that a hundred failures at once are counted to the limit and no further.
      await tx.query(serialize, [scope, login_key]);
      const rows = await tx.query(insertStatement, values);
      if (rows.length > 0) await record(tx);
      return rows.length > 0;
    }, deadline);
  const counted = await turns.failures
    .run({ group: address === '' ? scope : address, caller: key }, deadline, write)
    .finally(() => {
      const left = (underway.get(key) ?? 1) - 1;
      if (left > 0) underway.set(key, left);
      else underway.delete(key);
    });
  if (!counted) throw await locked(db, lockout);
}

/** Fault 429 with the time at which the oldest failure that matters ages out. */
export async function locked(db: Queryable, lockout: Lockout): Promise<Fault> {
  const { scope, login_key, limit, address, address_limit } = lockout;
  const waits = await Promise.all([
    db.query<{ wait_s: number }>(oldestStatement, [scope, login_key, limit - 1]),
    address === ''
      ? []
      : db.query<{ wait_s: number }>(oldestOfAddressStatement, [address, address_limit - 1]),
  ]);
  const wait_s = Math.max(1, ...waits.flat().map((row) => row.wait_s));
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
