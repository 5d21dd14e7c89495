/**
 * The way to a tenant's receiver. A name is resolved once, every address is looked at, and the connection goes to the
 * address that was looked at: nobody makes this server call a machine of its own network, by whatever name.
 */
import { Resolver } from 'node:dns/promises';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { AddressRange } from '../../../base/config';
import { badParameter } from '../../../base/faults';
import { isAllowed } from './address';

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

/** A name of this machine leads to this machine, whatever DNS says (RFC 6761). */
async function addressesOf(host: string, resolve: Resolve): Promise<readonly string[]> {
  if (isIP(host) > 0) return [host];
  return /(^|\.)localhost\.?$/i.test(host) ? ['127.0.0.1'] : resolve(host);
}

const isPrivate = 'is private: TREELINE_WEBHOOK_RANGES does not allow it';

async function addressOf(host: string, { allowed, resolve }: Rules): Promise<string> {
  const addresses = await addressesOf(host, resolve);
  const [first] = addresses;
  if (first === undefined) throw new Error('The name has no address');
  if (!addresses.every((address) => isAllowed(address, allowed))) throw new Error(`The address ${isPrivate}`);
  return first;
}

const tooLate = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(new Error('The name was not found in time'));
    });
  });

const hostnameOf = (uri: string): string => new URL(uri).hostname.replace(/^\[(.*)\]$/, '$1');

/** The host of a webhook, for the log: what follows it may hold a secret. */
export const hostOf = (uri: string): string => (URL.canParse(uri) ? new URL(uri).host : 'unreadable');

/** How long setting a webhook_uri may wait for DNS. */
const checkTimeout_ms = 1_500;

/**
 * Throws fault 400 when the webhook_uri leads to a private address. Accepts a name that has no address now, or whose
 * DNS server does not answer in time: DNS may come later, and each delivery checks again.
 */
export async function assertPublic(
  uri: string,
  allowed: readonly AddressRange[],
  resolve: Resolve = resolveByDns,
): Promise<void> {
  const host = hostnameOf(uri);
  const resolveInTime: Resolve = (name) =>
    Promise.race([
      resolve(name).catch(() => []),
      new Promise<string[]>((done) => setTimeout(done, checkTimeout_ms, []).unref()),
    ]);
  const addresses = await addressesOf(host, resolveInTime);
  if (!addresses.every((address) => isAllowed(address, allowed)))
    throw badParameter('webhook_uri', `leads to an address that ${isPrivate}`);
}

/** The status that the receiver answers; no redirection is followed. Throws where none comes in time. */
export async function deliver({ uri, method, headers, body }: Delivery, rules: Rules): Promise<number> {
  const url = new URL(uri);
  const signal = AbortSignal.timeout(rules.timeout_ms);
  const address = await Promise.race([addressOf(hostnameOf(uri), rules), tooLate(signal)]);
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
