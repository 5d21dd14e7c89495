/**
 * What is remembered of those who call, so that a call need not ask again who they are: logins that
 * proved their password, actors with their rights, trusted hosts. Whatever could revoke it is
 * announced by triggers of the database (migrations/002_authority.ts) and forgotten here: at once by
 * the server that changed it, within a second by all others. A server that cannot hear the
 * announcements remembers nothing and asks the database every time.
 */
import type { Database } from '../../db/database';

/** What an entry stands on. */
interface Dependencies {
  /** The customers on the way from root: a change of any of them ends it. */
  readonly path?: readonly number[];
  /** A failed login of this key ends it. */
  readonly login_key?: string;
  /** How long it holds at the most. */
  readonly life_ms?: number | null;
}

/** A moment before a look-up: what was announced since then may be missing in what it found. */
type Version = number;

export interface AuthCache {
  /** What was kept under the key and still holds. */
  get(key: string): unknown;
  version(): Version;
  /** Drops what stands on a payload, as if it had been announced. */
  forget(payload: string): void;
  /** Keeps what was looked up after `since`. */
  set(since: Version, key: string, value: unknown, grounds: Dependencies): void;
  close(): Promise<void>;
}

/** For commands, which make a call or two. */
export const noAuthCache: AuthCache = {
  get: () => undefined,
  version: () => 0,
  forget: () => undefined,
  set: () => undefined,
  close: () => Promise.resolve(),
};

interface Entry {
  readonly value: unknown;
  readonly grounds: Dependencies;
  readonly deadline: number;
}

/** The oldest goes when there are more. */
const entriesAtMost = 10_000;

export const trustedHostsKey = 'trusted_hosts';

/** `told` is told of every announcement, too: what it is of, or undefined when any may have been missed. */
export function createAuthCache(
  db: Database,
  told: (payload: string | undefined) => void = () => undefined,
): AuthCache {
  const entries = new Map<string, Entry>();
  let announced: Version = 0;

  const hear = (payload: string | undefined): void => {
    announced += 1;
    told(payload);
    if (payload === undefined) entries.clear();
    else forget(entries, payload);
  };
  const notices = db.listen(hear);

  return {
    get: (key) => {
      const entry = notices.isCurrent() ? entries.get(key) : undefined;
      return entry && performance.now() < entry.deadline ? entry.value : undefined;
    },
    version: () => announced,
    forget: (payload) => {
      announced += 1;
      forget(entries, payload);
    },
    set: (since, key, value, grounds) => {
      if (since !== announced) return;
      entries.delete(key);
      entries.set(key, { value, grounds, deadline: performance.now() + (grounds.life_ms ?? Infinity) });
      const [oldest] = entries.keys();
      if (entries.size > entriesAtMost && oldest !== undefined) entries.delete(oldest);
    },
    close: () => notices.close(),
  };
}

/** A payload is `customer 5`, `login ann` or `trusted_hosts`. */
function forget(entries: Map<string, Entry>, payload: string): void {
  if (payload === trustedHostsKey) entries.delete(trustedHostsKey);
  const [, kind, name] = /^(customer|login) (.*)$/s.exec(payload) ?? [];
  if (kind === undefined) return;
  const id = Number(name);
  for (const [key, { grounds }] of entries) {
    const ended = kind === 'customer' ? grounds.path?.includes(id) : grounds.login_key === name;
    if (ended) entries.delete(key);
  }
}
