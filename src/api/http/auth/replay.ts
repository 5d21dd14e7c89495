/**
 * Remembers which counts of which nonces were used, in any order of arrival and in bounded memory:
 * everything up to a mark, and those beyond it that came early. Each login has a bounded number of nonces.
 * When it has more, its oldest one is forgotten, and from then on no nonce that is as old is taken from
 * it: that costs a caller a new nonce, lets no replay through, and concerns no other login.
 */

/** One nonce: counts up to `upTo` are used, and those in `beyond`. */
interface Used {
  upTo: number;
  beyond?: Set<number>;
  readonly stamp: number;
  readonly forget_at: number;
}

/** The nonces of one login, in the order of their first use. */
interface Owner {
  readonly nonces: Map<string, Used>;
  /** Nonces that were made until then, and are not in `nonces`, are refused. */
  floor: number;
  /** Until then the floor matters: nonces from below it have died by then. */
  floorUntil: number;
}

/** A login that fetches a challenge for each call uses up a nonce a call. */
const noncesPerLogin = 4_096;
/** Of all logins together, some 60 MB. */
const noncesAtMost = 300_000;
const earlyAtMost = 1_024;
const sweepEvery_ms = 10_000;

export interface ReplayGuard {
  /**
   * Uses a count of a nonce that was made at `stamp`; false if it was used before, or if the nonce is too old
   * to know. `login` is the one that proved itself with it.
   */
  take(login: string, nonce: string, stamp: number, count: number): boolean;
}

export function createReplayGuard(life_ms: number): ReplayGuard {
  const owners = new Map<string, Owner>();
  let size = 0;
  let sweep_at = 0;

  // Twice its life: a nonce of a server whose clock is ahead may be met up to one life before its time.
  const remember_ms = 2 * life_ms;

  const forgetOld = ({ nonces }: Owner, now: number): void => {
    for (const [nonce, entry] of nonces) {
      if (entry.forget_at > now) return;
      nonces.delete(nonce);
      size -= 1;
    }
  };

  const forgetOldest = (owner: Owner, now: number): void => {
    const [oldest] = owner.nonces;
    if (!oldest) return;
    const [nonce, { stamp }] = oldest;
    owner.nonces.delete(nonce);
    size -= 1;
    owner.floor = Math.max(owner.floor, stamp);
    owner.floorUntil = now + remember_ms;
  };

  /** Logins that have not called for a while. */
  const sweep = (now: number): void => {
    if (now < sweep_at) return;
    sweep_at = now + sweepEvery_ms;
    for (const [login, owner] of owners) {
      forgetOld(owner, now);
      if (owner.nonces.size === 0 && owner.floorUntil <= now) owners.delete(login);
    }
  };

  const makeRoom = (owner: Owner, now: number): void => {
    if (owner.nonces.size >= noncesPerLogin) forgetOldest(owner, now);
    if (size < noncesAtMost) return;
    // Its own first; a login that has none takes from the one that has been here longest.
    for (const each of [owner, ...owners.values()]) {
      if (each.nonces.size === 0) continue;
      forgetOldest(each, now);
      return;
    }
  };

  return {
    take: (login, nonce, stamp, count) => {
      const now = Date.now();
      sweep(now);
      let owner = owners.get(login);
      if (!owner) owners.set(login, (owner = { nonces: new Map(), floor: -Infinity, floorUntil: 0 }));
      forgetOld(owner, now);
      let entry = owner.nonces.get(nonce);
      if (!entry) {
        if (stamp <= owner.floor) return false;
        makeRoom(owner, now);
        entry = { upTo: 0, stamp, forget_at: now + remember_ms };
        owner.nonces.set(nonce, entry);
        size += 1;
      }
      return takeFrom(entry, count);
    },
  };
}

function takeFrom(entry: Used, count: number): boolean {
  const { upTo, beyond } = entry;
  if (count <= upTo || beyond?.has(count)) return false;
  if (count > upTo + 1) {
    if (beyond && beyond.size >= earlyAtMost) return false;
    (entry.beyond ??= new Set()).add(count);
    return true;
  }
  entry.upTo = count;
  while (beyond?.delete(entry.upTo + 1)) entry.upTo += 1;
  return true;
}
