/**
 * The way to a tenant's receiver. A name is resolved once, every address is looked at, and the connection goes to the
 * address that was looked at: nobody makes this server call a machine of its own network, by whatever name.
 */
import { Resolver } from 'node:dns/promises';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { AddressRange } from '../config';

/** All addresses of a name. */
export type Resolve = (host: string) => Promise<readonly string[]>;

/**
 * By DNS alone: names of this machine's own files lead to nobody's receiver, and the system's own look-up would hold a
 * thread that passwords are checked on for as long as somebody's slow DNS server likes.
 */
export const resolveByDns: Resolve = async (host) => {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 });
  const found = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  return found.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
};

export interface Delivery {
  readonly uri: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

interface Rules {
  readonly allowed: readonly AddressRange[];
  readonly resolve: Resolve;
  readonly timeout_ms: number;
}

/** Whether anybody on the internet could call it. */
export function isPublic(address: string, allowed: readonly AddressRange[]): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  if (parsed.range() === 'unicast') return true;
  return allowed.some(([network, bits]) => parsed.kind() === network.kind() && parsed.match(network, bits));
}

async function addressOf(host: string, { allowed, resolve }: Rules): Promise<string> {
  const addresses = isIP(host) > 0 ? [host] : await resolve(host);
  const [first] = addresses;
  if (first === undefined) throw new Error('The name has no address');
  if (!addresses.every((address) => isPublic(address, allowed)))
    throw new Error('The address is private: TREELINE_WEBHOOK_RANGES does not allow it');
  return first;
}

const tooLate = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(new Error('The name was not found in time'));
    });
  });

/** The status that the receiver answers; no redirection is followed. Throws where none comes in time. */
export async function deliver({ uri, method, headers, body }: Delivery, rules: Rules): Promise<number> {
  const url = new URL(uri);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const signal = AbortSignal.timeout(rules.timeout_ms);
  const address = await Promise.race([addressOf(host, rules), tooLate(signal)]);
  const family = isIP(address);
  const lookup: LookupFunction = (_host, options, done) => {
    if (options.all) done(null, [{ address, family }]);
    else done(null, address, family);
  };
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const sent = send(url, { method, headers, lookup, signal, agent: false }, (response) => {
      resolve(response.statusCode ?? 0);
      // What it says does not matter, however long it is.
      response.destroy();
    });
    sent.once('error', reject);
    sent.end(body);
  });
}
