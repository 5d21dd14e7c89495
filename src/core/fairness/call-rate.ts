/** How many calls a second a caller may make: a token bucket for each. */
import type { Share } from './fair-queue';

interface Bucket {
  tokens: number;
  filled_at: number;
}

export interface CallRate {
  /** Takes a token: undefined, or in how many seconds (at least 1) there is one again. */
  take(share: Share): number | undefined;
}

/** Beyond so many, buckets that are full again are dropped. */
const bucketsAtMost = 10_000;

/** `rate` in calls a second; `burst` is what a bucket holds. */
export function createCallRate(rate: number, burst: number): CallRate {
  const buckets = new Map<string | number, Bucket>();

  const dropFull = (now: number): void => {
    for (const [key, { tokens, filled_at }] of buckets) {
      if (tokens + ((now - filled_at) / 1_000) * rate >= burst) buckets.delete(key);
    }
  };

  return {
    take: ({ caller, group }) => {
      const now = performance.now();
      // The id of a customer is unique; callers that are known by their address alone need it.
      const key = typeof group === 'number' ? caller : `${group} ${caller}`;
      let bucket = buckets.get(key);
      if (!bucket) {
        if (buckets.size >= bucketsAtMost) dropFull(now);
        buckets.set(key, (bucket = { tokens: burst, filled_at: now }));
      }
      const filled = Math.min(burst, bucket.tokens + ((now - bucket.filled_at) / 1_000) * rate);
      bucket.filled_at = now;
      bucket.tokens = filled >= 1 ? filled - 1 : filled;
      return filled >= 1 ? undefined : Math.max(1, Math.ceil((1 - filled) / rate));
    },
  };
}
