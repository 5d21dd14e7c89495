/**
 * Who is calling with a token or an access key, and how a person gets a token. What was found is
 * remembered until anything of it changes (`authCache.ts`): a password, a level, a block, a logout.
 * A wrong login and a wrong password are told apart neither by text nor by time.
 */
import { createHash, randomBytes } from 'node:crypto';
import { type Queryable, sharedRead, sql } from '../../db/database';
import { blocked, forbidden } from '../../base/faults';
import { accessOf, credentialsEpoch } from '../tree/access';
import { effectiveRights } from '../tree/actors';
import { addressAllowed, inetOf } from './ip-allow-list';
import { type AuthDeps, type RequestOrigin, recordFailure } from './authenticate';
import { hashingFor } from './hashing';
import { deadlineOf } from '../call/deadline';
import { type Lockout, countFailure, refuseLocked, tokenLockout } from './lockout';
import { nameKey } from '../schema/normalize-name';
import { permissionOf, permissions } from '../tree/permission';
import type { EffectiveRights } from '../tree/rights';
import { loginShare } from '../fairness/turns';
import { type Claims, isProven, issueToken, readToken } from './tokens';
import type { Caller } from './caller';

export const tokenLife_s = 7 * 24 * 3_600;

interface Found {
  readonly i_customer: number;
  readonly path: number[];
  readonly rights: EffectiveRights;
  readonly address_allowed: boolean | null;
  readonly credentials_epoch: number;
}

interface PersonRow extends Found {
  readonly uuid: string;
  readonly web_login: string;
  readonly i_access_level: string;
  readonly blocked: boolean;
  readonly is_recovery: boolean;
  readonly password_hash: string | null;
}

interface KeyRow extends Found {
  readonly uuid: string;
  readonly token_prefix: string;
  readonly tm_expire: Date;
  readonly life_ms: number;
}

/** A caller as it is remembered. */
type Renewable = Omit<Extract<Caller, { kind: 'login' }>, 'renew'>;

const personStatement = (name: string, condition: string, columns = '') =>
  sharedRead(
    name,
    `SELECT u.uuid, u.web_login, u.i_access_level, u.blocked, u.is_recovery, u.password_hash, c.i_customer, c.path,
       ${effectiveRights('c')} AS rights, ${credentialsEpoch('c')},
       ${addressAllowed('c', '$2')} AS address_allowed ${columns}
     FROM users u JOIN customers c ON c.i_customer = u.i_customer
     WHERE ${condition} AND u.deleted_at IS NULL AND c.deleted_at IS NULL`,
  );
const byLoginStatement = personStatement('person_by_login', 'u.login_key = $1 AND NOT u.is_recovery');
const byTokenStatement = personStatement(
  'person_by_token',
  'u.uuid = $1',
  `, EXISTS (SELECT FROM ended_tokens e WHERE e.token_id = $3) AS ended,
     extract(epoch FROM $4::timestamptz - now())::float8 * 1000 AS life_ms`,
);

export interface Session {
  readonly username: string;
  readonly token: string;
}

/** A token for who knows the password. Throws fault 429 when this address failed too often for this login. */
export async function logIn(
  keys: AuthDeps,
  visit: RequestOrigin,
  given: LoginBody,
  now: Date,
): Promise<Session | 'wrong'> {
  const lockout = tokenLockout(keys, visit.address, given.username);
  const share = loginShare(visit.address, lockout.typed_key);
  const deadline = deadlineOf(keys);
  return keys.turns.logins.run(share, deadline, () =>
    tryLogIn(keys, visit, given, { now, lockout, deadline }),
  );
}

interface LoginBody {
  readonly username: string;
  readonly password: string;
}

async function tryLogIn(
  keys: AuthDeps,
  visit: RequestOrigin,
  { username, password }: LoginBody,
  { now, lockout, deadline }: { readonly now: Date; readonly lockout: Lockout; readonly deadline: number },
): Promise<Session | 'wrong'> {
  const { db, turns } = keys;
  const { verify } = hashingFor(turns, loginShare(visit.address, lockout.typed_key), deadline);
  await refuseLocked(db, lockout);
  const [found] = await db.query<PersonRow>(byLoginStatement, [nameKey(username), inetOf(visit.address)]);
  const person = found?.blocked === false ? found : undefined;
  if (!(await verify(person?.password_hash, password)) || !person) {
    await countFailure(keys, lockout, (tx) => recordFailure(tx, visit, found), deadline);
    return 'wrong';
  }
  // Whoever guessed right while others closed the lock is told nothing.
  await refuseLocked(db, lockout);
  assertOpen(person);
  const { uuid: user, password_hash, web_login } = person;
  return { username: web_login, token: await issueToken(keys, { user, password_hash }, now, tokenLife_s) };
}

/** The caller that the token stands for; undefined for one that stands for nobody (any more). */
export async function callerOfToken(
  keys: AuthDeps,
  visit: RequestOrigin,
  token: string,
): Promise<Caller | undefined> {
  const { address } = visit;
  // Made for each request, so that no token stays in memory.
  const renew = () => callerOfToken(keys, visit, token);
  const key = `token ${address} ${digestOf(token).toString('base64')}`;
  const remembered = keys.authCache.get(key) as Renewable | undefined;
  if (remembered) return { ...remembered, renew };
  // Tokens that nobody made take turns with one another.
  const found = await keys.turns.logins.run(loginShare(address, 'token'), deadlineOf(keys), () =>
    lookUpToken(keys, address, token, key),
  );
  return found && { ...found, renew };
}

async function lookUpToken(
  keys: AuthDeps,
  address: string,
  token: string,
  key: string,
): Promise<Renewable | undefined> {
  const since = keys.authCache.version();
  const claims = await readToken(keys, token);
  if (!claims) return undefined;
  const values = [claims.user, inetOf(address), claims.token_id, claims.expires_at];
  const [person] = await keys.db.query<PersonRow & { ended: boolean; life_ms: number }>(
    byTokenStatement,
    values,
  );
  if (!person || person.ended || person.blocked || !isProven(keys, claims, person.password_hash))
    return undefined;
  assertOpen(person);
  const { uuid, i_customer, path, rights, web_login, i_access_level, credentials_epoch } = person;
  const actor = { i_customer, path, rights };
  const caller: Renewable = {
    kind: 'login',
    address,
    login: web_login,
    id: `user ${uuid}`,
    actor,
    access: accessOf(actor, credentials_epoch, claims.expires_at),
    person: { uuid, permission: permissionOf(i_access_level, i_customer) },
  };
  keys.authCache.set(since, key, caller, { path, life_ms: person.life_ms });
  return caller;
}

const keyStatement = sharedRead(
  'customer_by_access_key',
  `SELECT k.uuid, k.token_prefix, k.tm_expire, extract(epoch FROM k.tm_expire - now())::float8 * 1000 AS life_ms, c.i_customer, c.path,
     ${effectiveRights('c')} AS rights, ${credentialsEpoch('c')}, ${addressAllowed('c', '$2')} AS address_allowed
   FROM access_keys k JOIN customers c ON c.i_customer = k.i_customer
   WHERE k.token_hash = $1 AND k.tm_expire > now() AND k.deleted_at IS NULL AND c.deleted_at IS NULL`,
);

/** The caller that the access key stands for: an administrator of its customer. */
export async function callerOfAccessKey(
  keys: AuthDeps,
  visit: RequestOrigin,
  access_key: string,
): Promise<Caller | undefined> {
  const { authCache } = keys;
  const { address } = visit;
  const renew = () => callerOfAccessKey(keys, visit, access_key);
  const hash = digestOf(access_key);
  const key = `access key ${address} ${hash.toString('base64')}`;
  const remembered = authCache.get(key) as Renewable | undefined;
  if (remembered) return { ...remembered, renew };
  const found = await keys.turns.logins.run(loginShare(address, 'access key'), deadlineOf(keys), () =>
    lookUpAccessKey(keys, address, hash, key),
  );
  return found && { ...found, renew };
}

async function lookUpAccessKey(
  { db, authCache }: AuthDeps,
  address: string,
  hash: Buffer,
  key: string,
): Promise<Renewable | undefined> {
  const since = authCache.version();
  const [found] = await db.query<KeyRow>(keyStatement, [hash, inetOf(address)]);
  if (!found) return undefined;
  assertOpen(found);
  const { i_customer, path, rights, uuid, token_prefix, life_ms, tm_expire, credentials_epoch } = found;
  const actor = { i_customer, path, rights };
  const caller: Renewable = {
    kind: 'login',
    address,
    login: `accesskey ${token_prefix}`,
    id: `key ${uuid}`,
    actor,
    access: accessOf(actor, credentials_epoch, tm_expire),
    person: { uuid: null, permission: permissions.administrator },
  };
  authCache.set(since, key, caller, { path, life_ms });
  return caller;
}

/** What proved itself may still not be let in. */
function assertOpen({ rights, address_allowed }: Found): void {
  if (rights.blocked) throw blocked();
  if (address_allowed === false) throw forbidden('The customer may not call from this address');
}

/** A random key needs no slow hash. */
const digestOf = (secret: string): Buffer => createHash('sha256').update(secret, 'utf8').digest();

/** A new access key, of which only the hash is kept. */
export function newAccessKey(): {
  readonly token: string;
  readonly token_prefix: string;
  readonly token_hash: Buffer;
} {
  const token = `tl_${randomBytes(32).toString('base64url')}`;
  return { token, token_prefix: token.slice(0, 11), token_hash: digestOf(token) };
}

const endStatement = sql(
  'end_token',
  `INSERT INTO ended_tokens (i_customer, token_id, expires_at) VALUES ($1, $2, $3)
   ON CONFLICT ON CONSTRAINT ended_tokens_pkey DO NOTHING`,
);
const purgeStatement = sql('purge_ended_tokens', 'DELETE FROM ended_tokens WHERE expires_at < now()');

/** Ends a token of this caller for good. */
export async function endToken(keys: AuthDeps, caller: Caller, token: string): Promise<void> {
  const claims: Claims | undefined = await readToken(keys, token);
  if (!claims || caller.kind !== 'login') return;
  const values = [caller.actor.i_customer, claims.token_id, claims.expires_at];
  await keys.db.query(endStatement, values);
}

export async function purgeEndedTokens(db: Queryable): Promise<void> {
  await db.query(purgeStatement);
}
