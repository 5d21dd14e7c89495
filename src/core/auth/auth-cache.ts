/**
 * What is remembered of those who call, so that a call need not ask again who they are: logins that
 * proved their password, actors with their rights, trusted hosts. Whatever could revoke it is
 * announced by triggers of the database (migrations/002_authority.ts) and forgotten here: at once by
 * the server that changed it, within a second by all others. A server that cannot hear the
 * announcements remembers nothing and asks the database every time.
 */
import type { Database } from '../../db/database';

/** What an entry stands on. */
interface Grounds {
  /** The customers on the way from root: a change of any of them ends it. */
  readonly path?: readonly number[];
  /** A failed login of this key ends it. */
  readonly login_key?: string;
  /** How long it holds at the most. */
  readonly life_ms?: number | null;
}

/** A moment before a look-up: what was announced since then may be missing in what it found. */
type Moment = number;

export interface Authority {
  /** What was kept under the key and still holds. */
  recall(key: string): unknown;
  moment(): Moment;
  /** Drops what stands on a payload, as if it had been announced. */
  forget(payload: string): void;
  /** Keeps what was looked up after `since`. */
  keep(since: Moment, key: string, value: unknown, grounds: Grounds): void;
  close(): Promise<void>;
}

/** For commands, which make a call or two. */
export const noAuthority: Authority = {
  recall: () => undefined,
  moment: () => 0,
  forget: () => undefined,
  keep: () => undefined,
  close: () => Promise.resolve(),
};

interface Entry {
  readonly value: unknown;
  readonly grounds: Grounds;
  readonly ends_at: number;
}

/** The oldest goes when there are more. */
const entriesAtMost = 10_000;

export const trustedHostsKey = 'trusted_hosts';

/** `told` is told of every announcement, too: what it is of, or undefined when any may have been missed. */
export function createAuthority(
  db: Database,
  told: (payload: string | undefined) => void = () => undefined,
): Authority {
  const entries = new Map<string, Entry>();
  let announced: Moment = 0;

  const hear = (payload: string | undefined): void => {
    announced += 1;
    told(payload);
    if (payload === undefined) entries.clear();
    else forget(entries, payload);
  };
  const notices = db.listen(hear);

  return {
    recall: (key) => {
      const entry = notices.isCurrent() ? entries.get(key) : undefined;
      return entry && performance.now() < entry.ends_at ? entry.value : undefined;
    },
    moment: () => announced,
    forget: (payload) => {
      announced += 1;
      forget(entries, payload);
    },
    keep: (since, key, value, grounds) => {
      if (since !== announced) return;
      entries.delete(key);
      entries.set(key, { value, grounds, ends_at: performance.now() + (grounds.life_ms ?? Infinity) });
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
