/**
 * Every queue that callers share, made once for a process. The limits hold per process; what must hold
 * across processes (failed logins, quotas, keys) is in the database.
 *
 * - `lookups`: calls that share connections with others.
 * - `connections`: calls that hold a connection. It has fewer places than the pool has connections, so an
 *   admitted call finds one free.
 * - `slow`: slow reads, which have a pool of their own.
 * - `hashes`: argon2, for calls and for logins.
 * - `logins`: credentials that are not known from memory.
 * - `failures`: failed logins that are being written.
 */
import type { Config } from '../../base/config';
import { addressGroup } from './address-group';
import { type CallRate, createCallRate } from './call-rate';
import { FairQueue, type FairQueueLimits, type Share } from './fair-queue';
import type { Caller } from '../auth/caller';

export interface Turns {
  readonly lookups: FairQueue;
  readonly connections: FairQueue;
  readonly slow: FairQueue;
  readonly hashes: FairQueue;
  readonly logins: FairQueue;
  readonly failures: FairQueue;
  readonly rate: CallRate;
}

/** PostgreSQL answers shared look-ups one after the other; more at once only lengthen the line. */
const lookupPlaces = 64;
const lookupsPerCaller = 32;
/** Kept free for shared look-ups, failed logins and what the server does by itself. */
const reservedOf = (pool_size: number): number => Math.min(3, Math.floor(pool_size / 4));
/** Failed logins that are written at once; each holds a connection, and may wait for another node's lock. */
const failurePlaces = 2;

/** Three quarters for one top-level customer, at least one, so that others find a place. */
const mostOf = (places: number): number => Math.max(1, Math.floor((places * 3) / 4));

/** Under contention a caller gets fewer: each connection keeps a process of PostgreSQL busy. */
const contendedOf = (calls: number): number => Math.max(1, Math.floor((calls * 3) / 8));

export function createTurns(config: Config): Turns {
  const queue = (limits: Partial<FairQueueLimits> & Pick<FairQueueLimits, 'places' | 'what'>): FairQueue =>
    new FairQueue({
      placesPerGroup: mostOf(limits.places),
      placesPerCaller: mostOf(limits.places),
      waitingPerGroup: config.waiting_per_caller * 4,
      waitingPerCaller: config.waiting_per_caller,
      wait_ms: config.pool_wait_ms,
      ...limits,
    });
  const connections = Math.max(1, config.pool_size - reservedOf(config.pool_size));
  const perAddress = config.logins_per_address;
  return {
    lookups: queue({
      places: lookupPlaces,
      placesPerCaller: lookupsPerCaller,
      placesWhileContended: lookupsPerCaller / 4,
      what: 'calls of one customer at once (TREELINE_WAITING_PER_CALLER)',
    }),
    connections: queue({
      places: connections,
      placesPerCaller: Math.min(config.calls_per_caller, mostOf(connections)),
      placesWhileContended: contendedOf(config.calls_per_caller),
      what: 'calls of one customer at once (TREELINE_WAITING_PER_CALLER)',
    }),
    slow: queue({
      places: config.slow_pool_size,
      placesPerGroup: Math.max(1, Math.floor(config.slow_pool_size / 2)),
      placesPerCaller: Math.max(1, Math.floor(config.slow_pool_size / 2)),
      what: 'slow reads of one customer at once (TREELINE_WAITING_PER_CALLER)',
    }),
    hashes: queue({
      places: config.hashes_at_once,
      placesPerGroup: config.hashes_at_once,
      placesPerCaller: config.hashes_at_once,
      what: 'passwords to hash at once (TREELINE_WAITING_PER_CALLER)',
      // A hash holds no connection: it may wait as long as its call.
      wait_ms: config.call_timeout_ms,
    }),
    logins: queue({
      places: lookupPlaces,
      placesPerCaller: lookupsPerCaller / 2,
      placesWhileContended: lookupsPerCaller / 8,
      waitingPerGroup: perAddress,
      waitingPerCaller: perAddress,
      what: 'logins from one address at once (TREELINE_LOGINS_PER_ADDRESS)',
      wait_ms: config.call_timeout_ms,
    }),
    failures: queue({
      places: failurePlaces,
      placesPerGroup: failurePlaces,
      // One at a time: the counts of one login are serialized by a lock in the database.
      placesPerCaller: 1,
      waitingPerGroup: Infinity,
      waitingPerCaller: Infinity,
      what: 'failed logins',
      wait_ms: config.call_timeout_ms,
    }),
    rate: createCallRate(config.call_rate, config.call_burst),
  };
}

/**
 * Whose turn a call is. Customers are grouped by the top-level customer above them. Root and trusted
 * callers stand for nobody below the root, so they are grouped by address; a trusted caller's calls are then
 * told apart by the customer that they are for.
 */
export function shareOf(caller: Caller, i_actor: number | undefined): Share {
  if (caller.kind === 'login') {
    const { path, i_customer } = caller.actor;
    const top = path[1];
    if (top !== undefined) return { group: top, caller: i_customer };
  }
  const group = `${caller.kind} ${addressGroup(caller.address)}`;
  return { group, caller: caller.kind === 'trusted' ? (i_actor ?? 'root') : 'root' };
}

/** Whose turn it is to have credentials checked: the claimed login, among those of its address. */
export const loginShare = (address: string, claimed: string | number): Share => ({
  group: `address ${addressGroup(address)}`,
  caller: claimed,
});
