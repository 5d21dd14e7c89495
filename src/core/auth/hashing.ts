/**
 * Web passwords in fair turns. argon2 takes 10 ms of a core, so a caller with a thousand passwords would
 * keep everybody's login waiting; here it delays another caller by one hash. This is the only way to
 * hash or to check a web password for a call or a login.
 */
import { hashPassword, verifyPassword } from './credentials';
import type { Share } from '../fairness/fair-queue';
import type { Turns } from '../fairness/turns';

export interface Hashing {
  /** Returns the argon2id hash. Throws fault 429 or 503 when there is no turn for the caller. */
  readonly hash: (password: string) => Promise<string>;
  /** Whether the password fits; without a stored hash it takes the same time and says no. Throws as `hash` does. */
  readonly verify: (stored: string | null | undefined, password: string) => Promise<boolean>;
}

/** Hashing for one caller, until `deadline` as `performance.now()` tells it. */
export const hashingFor = ({ hashes }: Turns, share: Share, deadline: number): Hashing => ({
  hash: (password) => hashes.run(share, deadline, () => hashPassword(password)),
  verify: (stored, password) => hashes.run(share, deadline, () => verifyPassword(stored, password)),
});

/** `prepare` of the calls that set the web password of one person. */
export async function hashGivenPassword(
  params: { readonly web_password?: string },
  hash: Hashing['hash'],
): Promise<string | undefined> {
  return params.web_password === undefined ? undefined : hash(params.web_password);
}
