/**
 * The barrier behind a revocation. A call that changes something is checked when it begins, and may
 * then wait for a lock. At COMMIT the database compares the epochs of its caller and its actor with
 * those that were read with their rights (migrations/010_access_epochs.ts), and rolls back where
 * access was revoked meanwhile. So nothing commits after a revocation was acknowledged.
 */
import { codeOf } from '../../db/connections';
import { type Transaction, sql } from '../../db/database';
import { Fault } from '../../base/faults';
import { type AuthCache, trustedHostsKey } from '../auth/auth-cache';
import type { Access, Caller } from '../auth/caller';
import { type Actor, rootActor } from './rights';

/** SQL: how often a login, a password, a token, a key or an address of the customer was revoked. */
export const credentialsEpoch = (alias: string): string =>
  `coalesce((SELECT e.epoch FROM access_epochs e WHERE e.subject = -${alias}.i_customer), 0)::float8 AS credentials_epoch`;

/** The access of a login of this customer. */
export const accessOf = (
  { i_customer, path, rights }: Actor,
  credentials_epoch: number,
  valid_until: Date | null,
): Access => ({ subjects: [...path, -i_customer], epoch: rights.epoch + credentials_epoch, valid_until });

/** The access of a host of the table `trusted_hosts`. */
export const accessOfHosts = (epoch: number): Access => ({ subjects: [0], epoch, valid_until: null });

const assertStatement = sql('assert_access', 'SELECT assert_access($1, $2, $3, $4, $5)');
const accessChanged = 'TLACC';

/** Makes COMMIT fail if access was revoked since it was read. Must be the last statement of its transaction. */
export function assertAccessAtCommit(tx: Transaction, caller: Caller, actor: Actor): void {
  const access = caller.kind === 'operator' ? null : caller.access;
  // The subjects of a login hold its own path.
  const isKnown = actor === rootActor || (caller.kind === 'login' && isSame(caller.actor, actor));
  if (access === null && isKnown) return;
  tx.execBeforeCommit(assertStatement, [
    isKnown ? [] : actor.path,
    isKnown ? 0 : actor.rights.epoch,
    access?.subjects ?? [],
    access?.epoch ?? 0,
    access?.valid_until ?? null,
  ]);
}

const isSame = (one: Actor, other: Actor): boolean => one.i_customer === other.i_customer;

/** Of as many that revoke for one customer at once, one gets through in each round. */
const attemptsAtMost = 16;

/**
 * Runs `work`, and again with the caller proved anew where its transaction ended at the barrier: the
 * revocation may concern somebody else, such as a colleague who logged out. Throws the fault of the
 * revocation (403, 404), or fault 503 where the caller must prove itself by another request.
 */
export async function withAccess<T>(
  authCache: AuthCache,
  caller: Caller,
  work: (caller: Caller) => Promise<T>,
): Promise<T> {
  let current: Caller | undefined = caller;
  for (let attempt = 1; current && attempt <= attemptsAtMost; attempt += 1) {
    try {
      return await work(current);
    } catch (error) {
      if (codeOf(error) !== accessChanged) throw error;
      current = await renewed(authCache, current);
    }
  }
  throw new Fault('unavailable', 'The access of the caller was changed during the call, please retry', {
    retry_after_s: 1,
  });
}

async function renewed(authCache: AuthCache, caller: Caller): Promise<Caller | undefined> {
  if (caller.kind === 'operator' || caller.access === null) return caller;
  authCache.forget(caller.kind === 'login' ? `customer ${caller.actor.i_customer}` : trustedHostsKey);
  return caller.renew();
}
