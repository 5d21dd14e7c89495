/**
 * authCustomer: is this the password of this login? An unknown login and a wrong password are told
 * apart neither by text nor by time; guessing is bounded by `core/auth/lockout.ts` within the scope of
 * the actor, so nobody locks a login outside of it. No connection is held while argon2 works.
 */
import { countFailure, locked, refuseLocked, webLockout } from '../../core/auth/lockout';
import type { Call } from '../../core/call/method';
import type { Database, Transaction } from '../../db/database';
import { Fault, forbidden } from '../../base/faults';
import { type User, findTried, useOneTimePassword } from './repository';

export async function authCustomer(call: Call<Database>, params: { username: string; password: string }) {
  const { db, actor, now } = call;
  const lockout = webLockout(call.credentials, actor.i_customer, params.username);
  const one_time_hashes = call.credentials.hashesOfOneTimePassword(params.password);
  const tried = await findTried(db, actor, params.username, lockout, one_time_hashes, now);
  const { user } = tried;
  if (tried.failures >= lockout.limit) throw await locked(db, lockout);

  const standing = await call.hashing.verify(user?.password_hash, params.password);
  const oneTime = !standing && tried.isOneTime;

  if (!user || !(standing || oneTime)) return refuse(call, params.username, user);
  // Whoever guessed right while others closed the lock is told nothing.
  await refuseLocked(db, lockout);
  if (user.blocked) throw forbidden('The customer is blocked');
  if (oneTime) return answerOneTime(call, user, one_time_hashes, params.username);
  return {
    result: 'OK' as const,
    i_customer: user.i_customer,
    i_web_user: user.i_web_user,
    i_access_level: user.i_access_level,
  };
}

/** A login that exists. What was typed instead is not kept: it may be a password in the wrong field. */
const resourceOf = (user: User | undefined): string => `customer:username=${user?.web_login ?? ''}`;

async function refuse(call: Call<Database>, username: string, user: User | undefined): Promise<never> {
  const i_customer = user?.i_customer ?? call.actor.i_customer;
  const resource = resourceOf(user);
  const record = (tx: Transaction) => call.audit({ action: 'AUTH_FAIL', resource, i_customer }, tx);
  const lockout = webLockout(call.credentials, call.actor.i_customer, username);
  await countFailure(call, lockout, record, call.deadline);
  throw forbidden('Wrong username or password');
}

/** It is used up although the answer is a fault; of twenty at once, one gets here first. */
async function answerOneTime(
  call: Call<Database>,
  user: User,
  hashes: readonly Buffer[],
  username: string,
): Promise<Fault> {
  const isUsed = await call.transaction(async (tx) => {
    if (!(await useOneTimePassword(tx, user, hashes, call.now))) return false;
    const { i_customer } = user;
    await call.audit({ action: 'AUTH_OTP', resource: resourceOf(user), i_customer }, tx);
    return true;
  });
  if (!isUsed) return refuse(call, username, user);
  return new Fault('one_time_password', 'Authenticated by a one-time password: set a new password now');
}
