/**
 * Remembers which counts of which nonces were used, in any order of arrival and in bounded memory:
 * everything up to a mark, and those beyond it that came early. When a table is full it refuses,
 * which costs the caller a new nonce and lets no replay through.
 */

/** One nonce: counts up to `upTo` are used, and those in `beyond`. */
interface Used {
  upTo: number;
  beyond?: Set<number>;
  readonly forget_at: number;
}

/** Callers that fetch a challenge for each call use up a nonce a call: room for 2,500 of them a second. */
const noncesAtMost = 300_000;
const earlyAtMost = 1_024;

export interface ReplayGuard {
  /** Uses a count; false if it was used before, or if there is no room to know. */
  take(key: string, count: number): boolean;
}

export function createReplayGuard(life_ms: number): ReplayGuard {
  const used = new Map<string, Used>();

  // Twice its life: a nonce of a server whose clock is ahead may be met up to one life before its time.
  const remember_ms = 2 * life_ms;

  const forgetOld = (now: number): void => {
    // In order of first use, so the oldest come first.
    for (const [key, entry] of used) {
      if (entry.forget_at > now) return;
      used.delete(key);
    }
  };

  return {
    take: (key, count) => {
      const now = Date.now();
      forgetOld(now);
      let entry = used.get(key);
      if (!entry) {
        if (used.size >= noncesAtMost) return false;
        entry = { upTo: 0, forget_at: now + remember_ms };
        used.set(key, entry);
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
