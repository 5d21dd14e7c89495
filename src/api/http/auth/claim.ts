/** The login that a request claims, before anything is proved. */
import type { IncomingMessage } from 'node:http';

/**
 * Who the request says it is from, before that is proved: the login of Digest, Basic or the X-Auth headers, else the
 * credentials; 0 for none. As a number, because the last one is kept, and no credentials may stay in memory.
 */
export function claimOf({ headers }: IncomingMessage): number {
  const { authorization } = headers;
  if (authorization === undefined) {
    const { 'x-auth-reseller': customer, 'x-auth-user': user, cookie } = headers;
    if (customer !== undefined) return numberOf(`${String(customer)}/${String(user)}`);
    return cookie === undefined ? 0 : numberOf(cookie);
  }
  const encoded = /^basic +([A-Za-z0-9+/]{1,344})/i.exec(authorization)?.[1];
  if (encoded === undefined)
    return numberOf(/\busername="([^"]*)"/.exec(authorization)?.[1] ?? authorization);
  const bytes = Buffer.from(encoded, 'base64');
  const login = bytes.toString('latin1', 0, Math.max(0, bytes.indexOf(':')));
  bytes.fill(0);
  return numberOf(login);
}

/**
 * A number for a text: FNV-1a with 32 bits, never 0. Two texts may have the same one and then take turns as one caller,
 * which nobody gains from: whoever wants that can claim the same login. A cryptographic hash would cost more than the
 * rest of a turn.
 */
function numberOf(text: string): number {
  let number = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1)
    number = Math.imul(number ^ text.charCodeAt(index), 0x01000193);
  return number === 0 ? 1 : number;
}
