/** How the text of a setting is read: each reader returns the value or throws an Error with the rule in words. */
import { createHash } from 'node:crypto';
import ipaddr from 'ipaddr.js';

export interface Setting<T> {
  readonly name: string;
  readonly read: (text: string) => T;
  /** The text that stands in for an absent one; undefined: the setting may stay unset. */
  readonly fallback?: string;
  readonly meaning: string;
  readonly secret?: true;
}

export const setting = <T>(
  name: string,
  fallback: string,
  read: (text: string) => T,
  meaning: string,
): Setting<T> => ({
  name,
  read,
  fallback,
  meaning,
});

export const unset = <T>(
  name: string,
  read: (text: string) => T,
  meaning: string,
  secret?: 'secret',
): Setting<T | undefined> => ({
  name,
  read,
  meaning,
  ...(secret && { secret: true }),
});

/** An address range as ipaddr.js has it: the network and the length of its prefix. */
export type AddressRange = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

export function asText(text: string): string {
  return text;
}

/** Only compared, so its hash is enough, and the token itself stays nowhere. */
export function asDigest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

export function whole(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < minimum || value > maximum) {
      throw new Error(`a whole number from ${minimum} to ${maximum}`);
    }
    return value;
  };
}

export function among<const T extends readonly string[]>(...values: T): (text: string) => T[number] {
  return (text) => {
    if (!values.includes(text)) throw new Error(`one of ${values.join(', ')}`);
    return text;
  };
}

export function asKey(text: string): Buffer {
  const key = Buffer.from(text, 'base64');
  if (key.length !== 32 || !/^[A-Za-z0-9+/]{43}=$/.test(text)) throw new Error('32 bytes in base64');
  return key;
}

export function asKeys(text: string): readonly Buffer[] {
  return text.split(',').map((part) => asKey(part.trim()));
}

export function asApiPassword(text: string): string {
  if (!/^[\x20-\x7e]{8,128}$/.test(text)) throw new Error('8 to 128 printable ASCII characters');
  return text;
}

export function asWebPassword(text: string): string {
  if (text.length < 8 || text.length > 128) throw new Error('8 to 128 characters');
  return text;
}

export function asAlgorithms(text: string): readonly ('MD5' | 'SHA-256')[] {
  return text.split(',').map((part) => {
    const name = part.trim().toUpperCase();
    if (name !== 'MD5' && name !== 'SHA-256') throw new Error('a list of MD5 and SHA-256');
    return name;
  });
}

/** Reads addresses and CIDR ranges; IPv4-mapped IPv6 counts as the IPv4 that it is. */
export function asRanges(text: string): readonly AddressRange[] {
  const parts = text.split(',').map((part) => part.trim());
  return parts.filter((part) => part !== '').map(asRange);
}

/** The widest ranges that a setting or a call may trust, as lengths of their prefixes. */
const widestTrusted = { ipv4: 8, ipv6: 32 } as const;

/** Whether the range holds so many addresses that only the command line may trust it. */
export const isTooWideToTrust = ([network, bits]: AddressRange): boolean =>
  bits < widestTrusted[network.kind()];

export function asTrustedRanges(text: string): readonly AddressRange[] {
  const ranges = asRanges(text);
  if (ranges.some(isTooWideToTrust)) {
    throw new Error(
      'ranges of at most a /8 (IPv4) or a /32 (IPv6); only `treeline trusted-hosts add <range> --yes-everybody` trusts a wider one',
    );
  }
  return ranges;
}

function asRange(text: string): AddressRange {
  try {
    const [address = '', bits] = text.split('/');
    const isIpv6 = address.includes(':');
    // Only what PostgreSQL reads as the same address: no 010.0.0.1, no 127.1, no zone.
    if (address.includes('%') || !(isIpv6 || ipaddr.IPv4.isValidFourPartDecimal(address))) throw new Error();
    const [network, length] = ipaddr.parseCIDR(bits === undefined ? `${address}/${isIpv6 ? 128 : 32}` : text);
    const isMapped = network instanceof ipaddr.IPv6 && network.isIPv4MappedAddress() && length >= 96;
    return isMapped ? [network.toIPv4Address(), length - 96] : [network, length];
  } catch {
    throw new Error('addresses or CIDR ranges, separated by commas');
  }
}
