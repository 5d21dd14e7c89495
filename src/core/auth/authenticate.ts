/**
 * Who is calling: a login that proves its API password. How it is proved (Digest, Basic, headers)
 * is the face's affair; what is kept, counted and refused is here, the same for every face.
 */
import type { Config } from '../../base/config';
import { type Database, type Transaction, sharedRead } from '../../db/database';
import { type Fault, blocked, forbidden } from '../../base/faults';
import { accessOf, credentialsEpoch } from '../tree/access';
import { effectiveRights, pathOf } from '../tree/actors';
import { addressAllowed, inetOf } from './ip-allow-list';
import type { AuthCache } from './auth-cache';
import { writeAudit } from '../call/audit';
import { type Credentials, type SealedHa1, ha1Of, randomPassword } from './credentials';
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
import { type Turns, loginShare } from '../fairness/turns';
import type { Access, Caller, Renew } from './caller';

/** Nobody proved anything. `login` is one that exists; what was typed otherwise is not kept. */
export class WrongPassword {
  constructor(readonly login: string | undefined) {}
}

/** `stale`: the password was right, but the proof must be given anew. */
export type Proof = 'right' | 'wrong' | 'stale';

const findLogin = sharedRead(
  'find_login',
  `SELECT c.i_customer, ${pathOf('c')}, u.web_login, u.uuid,
     ${effectiveRights('c')} AS rights, ${credentialsEpoch('c')},
     k.sealed, k.life_ms, k.valid_until,
     ${addressAllowed('c', '$4')} AS address_allowed,
     ${failureCount('$2', '$3')} AS failures, ${addressFailureCount('$5::text')} AS address_failures
   FROM (SELECT $1::text AS login_key) l
   LEFT JOIN users u ON u.login_key = l.login_key AND u.is_default AND u.deleted_at IS NULL
   LEFT JOIN customers c ON c.i_customer = u.i_customer AND c.deleted_at IS NULL
   LEFT JOIN LATERAL (
     SELECT array_agg(a.sealed_ha1) AS sealed, extract(epoch FROM min(a.expires_at) - now())::float8 * 1000 AS life_ms,
       min(a.expires_at) AS valid_until
     FROM api_credentials a
     WHERE a.i_customer = c.i_customer AND (a.expires_at IS NULL OR a.expires_at > now())) k ON true`,
);

interface FoundLogin {
  readonly i_customer: number;
  readonly path: number[];
  readonly web_login: string;
  readonly uuid: string;
  readonly rights: EffectiveRights;
  readonly credentials_epoch: number;
  readonly sealed: Buffer[] | null;
  /** Null: the customer has no list of addresses. */
  readonly address_allowed: boolean | null;
  /** Until the first of them expires; null: never. */
  readonly life_ms: number | null;
  readonly valid_until: Date | null;
}

type LoginRow = FailureCounts & (FoundLogin | { readonly i_customer: null });

interface KnownLogin extends FoundLogin {
  readonly ha1s: readonly SealedHa1[];
  readonly access: Access;
}

const ha1sOf = (credentials: Credentials, found: FoundLogin | undefined): readonly SealedHa1[] =>
  found?.sealed?.map((sealed) => () => credentials.openHa1(sealed, found.i_customer)) ?? [nobodys];

/** What is known of logins, and where. */
export interface AuthDeps {
  readonly db: Database;
  readonly config: Config;
  readonly authCache: AuthCache;
  readonly credentials: Credentials;
  readonly turns: Turns;
}

/** Where a request comes from, and how it is called in the log. */
export interface RequestOrigin {
  readonly address: string;
  readonly request_id: string;
}

/** Proves against nothing, so that an unknown login costs what a known one does. */
const nobodysHa1 = ha1Of('nobody', randomPassword());
const nobodys: SealedHa1 = () => nobodysHa1;

/**
 * The caller that `login` is, if `prove` accepts one of its HA1s. Throws fault 429 when this
 * address failed too often for this login, 403 when the caller may not use the API.
 */
export async function authenticateLogin(
  keys: AuthDeps,
  visit: RequestOrigin,
  login: string,
  prove: (ha1: SealedHa1) => Proof,
): Promise<Caller | WrongPassword | 'stale'> {
  const { config, authCache, turns } = keys;
  const { address } = visit;
  const deadline = deadlineOf({ config });
  const lockout = apiLockout(keys, address, login);
  const key = `login ${lockout.scope} ${nameKey(login)}`;
  const renew: Renew = async () => {
    const caller = await authenticateLogin(keys, visit, login, prove);
    return caller instanceof WrongPassword || caller === 'stale' ? undefined : caller;
  };

  // Only who proves it right is answered from memory: whoever guesses learns nothing from the time.
  const fromMemory = (): Caller | undefined => {
    const remembered = authCache.get(key) as KnownLogin | undefined;
    const isProven =
      remembered && failuresUnderway(lockout) === 0 && remembered.ha1s.map(prove).includes('right');
    return isProven ? callerOf(remembered, address, renew) : undefined;
  };
  return (
    fromMemory() ??
    turns.logins.run(
      loginShare(address, lockout.typed_key),
      deadline,
      // Many that come at once are looked up once: whoever waited finds what the first one found.
      async () => fromMemory() ?? lookUpLogin(keys, visit, { login, prove, lockout, key, deadline, renew }),
    )
  );
}

/** One try of a login. */
interface Try {
  readonly login: string;
  readonly prove: (ha1: SealedHa1) => Proof;
  readonly lockout: Lockout;
  /** Under which the login is remembered. */
  readonly key: string;
  readonly deadline: number;
  readonly renew: Renew;
}

async function lookUpLogin(
  keys: AuthDeps,
  visit: RequestOrigin,
  { login, prove, lockout, key, deadline, renew }: Try,
): Promise<Caller | WrongPassword | 'stale'> {
  const { db, authCache, credentials } = keys;
  const { address } = visit;
  const since = authCache.version();
  const [row] = await db.query<LoginRow>(findLogin, [
    nameKey(login),
    lockout.scope,
    lockout.login_key,
    inetOf(address),
    lockout.address,
  ]);
  if (!row || isLocked(row, lockout)) throw await locked(db, lockout);

  const known = row.i_customer === null ? undefined : row;
  const ha1s = ha1sOf(credentials, known);
  const proofs = ha1s.map(prove);
  if (!known?.sealed || !proofs.some((proof) => proof !== 'wrong')) {
    await countFailure(keys, lockout, (tx) => recordFailure(tx, visit, known), deadline);
    return new WrongPassword(known?.web_login);
  }
  // Whoever guessed right in a burst that closes the lock is told nothing.
  if (row.failures + failuresUnderway(lockout) >= lockout.limit) throw await locked(db, lockout);
  if (!proofs.includes('right')) return 'stale';
  const refusal = apiRefusal(known);
  if (refusal) throw refusal;
  const { path, life_ms, credentials_epoch, valid_until } = known;
  const access = accessOf(known, credentials_epoch, valid_until);
  const kept: KnownLogin = { ...known, ha1s, access };
  authCache.set(since, key, kept, {
    path,
    login_key: lockout.login_key,
    life_ms,
  });
  return callerOf(kept, address, renew);
}

const callerOf = (known: KnownLogin, address: string, renew: Renew): Caller => ({
  kind: 'login',
  address,
  login: known.web_login,
  id: `user ${known.uuid}`,
  actor: known,
  access: known.access,
  renew,
});

/**
 * Only of logins that exist: they are somebody's affair, and their number is bounded by the lock.
 * For the others the same statement writes nothing, so that the time tells nothing either.
 */
export function recordFailure(
  tx: Transaction,
  { address, request_id }: RequestOrigin,
  known: { readonly i_customer: number; readonly web_login: string } | undefined,
): Promise<void> {
  const caller = { kind: 'unknown', address } as const;
  const context = { request_id, caller, i_actor: null, method: 'authentication' };
  const resource = `customer:username=${known?.web_login ?? ''}`;
  return writeAudit(tx, context, { action: 'AUTH_FAIL', resource, i_customer: known?.i_customer ?? null });
}

/** Why a customer that proved itself may not call. */
export function apiRefusal({
  rights,
  address_allowed,
}: {
  readonly rights: EffectiveRights;
  readonly address_allowed: boolean | null;
}): Fault | undefined {
  if (rights.blocked) return blocked();
  if (!rights.api_access) return forbidden('API access is not enabled');
  if (address_allowed === false) return forbidden('The customer may not call from this address');
  return undefined;
}
