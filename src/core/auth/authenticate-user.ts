/**
 * Who is calling, where a customer is named beside the login: the customer itself with its API
 * password, or one of its administrators with the web password. Counted, refused and recorded as
 * an API password is; unknown customers, unknown users and wrong passwords take the same time. A
 * password that was proven is known again by a keyed hash, because argon2 for every call would be
 * most of the call, and a way to keep the server busy.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { sharedRead } from '../../db/database';
import { type Fault, forbidden } from '../../base/faults';
import { accessOf, credentialsEpoch } from '../tree/access';
import { effectiveRights } from '../tree/actors';
import { addressAllowed, inetOf } from './ip-allow-list';
import { type AuthDeps, type RequestOrigin, apiRefusal, recordFailure } from './authenticate';
import { type Credentials, ha1Of, randomPassword } from './credentials';
import { type Hashing, hashingFor } from './hashing';
import { deadlineOf } from '../call/deadline';
import {
  type FailureCounts,
  type Lockout,
  addressFailureCount,
  apiLockout,
  countFailure,
  failureCount,
  failuresUnderway,
  isLocked,
  locked,
} from './lockout';
import { nameKey } from '../schema/normalize-name';
import type { EffectiveRights } from '../tree/rights';
import { loginShare } from '../fairness/turns';
import type { Caller, Renew } from './caller';

export interface Claimed {
  /** The name of the customer. */
  readonly customer: string;
  /** A login of the platform, or a user's name within the customer. */
  readonly user: string;
  readonly password: string;
}

interface Person {
  readonly i_customer: number;
  readonly path: number[];
  readonly web_login: string;
  readonly uuid: string;
  readonly is_default: boolean;
  readonly i_access_level: string;
  readonly blocked: boolean;
  readonly password_hash: string | null;
  readonly rights: EffectiveRights;
  readonly credentials_epoch: number;
  readonly sealed: Buffer[] | null;
  /** Until the first of them expires; null: never. */
  readonly life_ms: number | null;
  readonly valid_until: Date | null;
  readonly address_allowed: boolean | null;
}

type PersonRow = FailureCounts & (Person | { readonly web_login: null });

const findStatement = sharedRead(
  'find_person',
  `SELECT c.i_customer, c.path, u.web_login, u.uuid, u.is_default, u.i_access_level, u.blocked, u.password_hash,
     ${effectiveRights('c')} AS rights, ${credentialsEpoch('c')},
     k.sealed, k.life_ms, k.valid_until,
     ${addressAllowed('c', '$6')} AS address_allowed,
     ${failureCount('$4', '$5')} AS failures, ${addressFailureCount('$7::text')} AS address_failures
   FROM (SELECT $1::text AS name_key) n
   LEFT JOIN customers c ON c.name_key = n.name_key AND c.deleted_at IS NULL
   LEFT JOIN users u ON u.i_customer = c.i_customer AND u.login_key IN ($2, $3) AND u.deleted_at IS NULL AND NOT u.is_recovery
   LEFT JOIN LATERAL (
     SELECT array_agg(a.sealed_ha1) AS sealed, extract(epoch FROM min(a.expires_at) - now())::float8 * 1000 AS life_ms,
       min(a.expires_at) AS valid_until
     FROM api_credentials a
     WHERE u.is_default AND a.i_customer = c.i_customer AND (a.expires_at IS NULL OR a.expires_at > now())) k ON true
   ORDER BY u.login_key = $3 DESC NULLS LAST LIMIT 1`,
);

interface Remembered {
  readonly person: Person;
  /** The keyed hash of the password that was proven. */
  readonly proof: Buffer;
}

/** Of this process alone, and nowhere but in its memory: with it and the hash one could guess faster than argon2 lets. */
const proofKey = randomBytes(32);
const proofOf = (who: string, password: string): Buffer =>
  createHmac('sha256', proofKey).update(`${who}\0${password}`, 'utf8').digest();

/** So long a web password is known again, at the most. */
const personLife_ms = 5 * 60_000;

/** The caller, if the password is right. Throws fault 429 when locked, 403 when it may not call. */
export async function authenticateUser(
  keys: AuthDeps,
  visit: RequestOrigin,
  claimed: Claimed,
): Promise<Caller | 'wrong'> {
  const { config, authCache, credentials, turns } = keys;
  const { address } = visit;
  const { customer, user, password } = claimed;
  const renew: Renew = async () => {
    const caller = await authenticateUser(keys, visit, claimed);
    return caller === 'wrong' ? undefined : caller;
  };
  const deadline = deadlineOf({ config });
  const [customer_key, user_key] = [nameKey(customer), nameKey(user)];
  const suffix = `@${customer_key}`;
  const short_key = user_key.endsWith(suffix) ? user_key.slice(0, -suffix.length) : user_key;
  const login_key = short_key + suffix;
  // One that is called as its customer is counted with the calls of that login over other faces. What is counted must
  // not depend on what is found, nor lock a user of the same name elsewhere.
  const lockout = apiLockout(keys, address, short_key === customer_key ? short_key : login_key);
  const key = `user ${lockout.scope} ${login_key} ${user_key}`;
  // As over the other faces, only who proves it right is answered from memory.
  const fromMemory = (): Caller | undefined => {
    const remembered = authCache.get(key) as Remembered | undefined;
    if (!remembered || failuresUnderway(lockout) > 0) return undefined;
    const { person, proof } = remembered;
    const isProven =
      timingSafeEqual(proof, proofOf(key, password)) || provesByHa1(credentials, person, password);
    return isProven ? callerOf(person, address, renew) : undefined;
  };
  const share = loginShare(address, lockout.typed_key);
  const names = [customer_key, user_key, login_key] as const;
  return (
    fromMemory() ??
    turns.logins.run(
      share,
      deadline,
      async () =>
        fromMemory() ??
        lookUpUser(keys, visit, {
          names,
          password,
          lockout,
          key,
          deadline,
          renew,
          hashing: hashingFor(turns, share, deadline),
        }),
    )
  );
}

/** One try of a user. */
interface Try {
  /** Keys of the customer's name, of the user as it was given, and of the user's login. */
  readonly names: readonly [string, string, string];
  readonly password: string;
  readonly lockout: Lockout;
  /** Under which the user is remembered. */
  readonly key: string;
  readonly deadline: number;
  readonly renew: Renew;
  readonly hashing: Hashing;
}

async function lookUpUser(
  keys: AuthDeps,
  visit: RequestOrigin,
  { names, password, lockout, key, deadline, renew, hashing }: Try,
): Promise<Caller | 'wrong'> {
  const { db, authCache, credentials } = keys;
  const { address } = visit;
  const since = authCache.version();
  const counted = [lockout.scope, lockout.login_key, inetOf(address), lockout.address];
  const [row] = await db.query<PersonRow>(findStatement, [...names, ...counted]);
  if (!row || isLocked(row, lockout)) throw await locked(db, lockout);

  const known = row.web_login === null ? undefined : row;
  if (!(await proves(credentials, hashing, known, password))) {
    await countFailure(keys, lockout, (tx) => recordFailure(tx, visit, known), deadline);
    return 'wrong';
  }
  if (!known) return 'wrong';
  // Whoever guessed right in a burst that closes the lock is told nothing.
  if (row.failures + failuresUnderway(lockout) >= lockout.limit) throw await locked(db, lockout);
  const refusal = apiRefusal(known) ?? userRefusal(known);
  if (refusal) throw refusal;
  const { path, life_ms, is_default } = known;
  const grounds = { path, login_key: lockout.login_key, life_ms: is_default ? life_ms : personLife_ms };
  authCache.set(since, key, { person: known, proof: proofOf(key, password) }, grounds);
  return callerOf(known, address, renew);
}

function callerOf(person: Person, address: string, renew: Renew): Caller {
  const { i_customer, path, rights, web_login, uuid, credentials_epoch, valid_until } = person;
  const actor = { i_customer, path, rights };
  const access = accessOf(actor, credentials_epoch, valid_until);
  return { kind: 'login', address, login: web_login, id: `user ${uuid}`, actor, access, renew };
}

function userRefusal({ is_default, blocked, i_access_level }: Person): Fault | undefined {
  if (is_default) return undefined;
  if (blocked) return forbidden('The user is blocked');
  return i_access_level === 'ADMINISTRATOR' ? undefined : forbidden('Only administrators may use the API');
}

const nobodys = ha1Of('nobody', randomPassword());

/** The customer itself by its API password, others by their web password; both are tried before anybody is told no. */
async function proves(
  credentials: Credentials,
  hashing: Hashing,
  person: Person | undefined,
  password: string,
): Promise<boolean> {
  if (provesByHa1(credentials, person, password)) return true;
  return hashing.verify(person?.is_default === false ? person.password_hash : null, password);
}

function provesByHa1(credentials: Credentials, person: Person | undefined, password: string): boolean {
  const kept = person?.sealed?.map((sealed) => credentials.openHa1(sealed, person.i_customer)) ?? [nobodys];
  const given = Buffer.from(ha1Of(person?.web_login ?? 'nobody', password)['SHA-256']);
  const matches = kept.map((ha1) => timingSafeEqual(given, Buffer.from(ha1['SHA-256'])));
  return matches.includes(true);
}
