/**
 * Where a request comes from. An address that a proxy forwarded is believed only from a proxy of
 * ours; a request that carries one from elsewhere is from nowhere that could be trusted.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import ipaddr from 'ipaddr.js';
import type { AddressRange } from '../../base/config';

export interface Origin {
  /** For logs and for counting failures. */
  readonly address: string;
  /** False if the request claims to be forwarded and the claim cannot be believed. */
  readonly certain: boolean;
  /** Over TLS, here or at a proxy of ours. */
  readonly encrypted: boolean;
}

export const isLoopback = (origin: Origin): boolean =>
  origin.certain && ipaddr.isValid(origin.address) && ipaddr.process(origin.address).range() === 'loopback';

/** Whether the address lies in one of the ranges; IPv4-mapped IPv6 counts as IPv4. */
export function isInRanges(address: string, ranges: readonly AddressRange[]): boolean {
  if (ranges.length === 0 || !ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  return ranges.some(([network, bits]) => parsed.kind() === network.kind() && parsed.match(network, bits));
}

/** Nobody has so many proxies; a header of 16 KiB may name thousands. */
const hopsAtMost = 64;

export function originOf(request: IncomingMessage, proxies: readonly AddressRange[]): Origin {
  const peer = peerOf(request.socket);
  const encrypted = (request.socket as Partial<TLSSocket>).encrypted === true;
  const forwarded = request.headers['forwarded'];
  const forwardedFor = request.headers['x-forwarded-for'];
  if (forwarded === undefined && forwardedFor === undefined)
    return { address: peer, certain: true, encrypted };
  // Two headers that may disagree are no better than none.
  if (!isInRanges(peer, proxies) || (forwarded !== undefined && forwardedFor !== undefined)) {
    return { address: peer, certain: false, encrypted };
  }
  const hops =
    forwardedFor === undefined ? forwardedHops(forwarded ?? '') : [forwardedFor].flat().join(',').split(',');
  const address = firstForeign(hops.slice(-hopsAtMost).map(plainAddress), proxies);
  const behindTls = request.headers['x-forwarded-proto'] === 'https';
  return { address: address ?? peer, certain: address !== undefined, encrypted: encrypted || behindTls };
}

const peers = new WeakMap<Socket, string>();

/** A connection stays with whom it is. */
function peerOf(socket: Socket): string {
  const known = peers.get(socket);
  if (known !== undefined) return known;
  const peer = plainAddress(socket.remoteAddress ?? '');
  peers.set(socket, peer);
  return peer;
}

/** The last hop that is no proxy of ours: everything before it may be made up. */
function firstForeign(hops: readonly string[], proxies: readonly AddressRange[]): string | undefined {
  const foreign = hops.findLast((hop) => !isInRanges(hop, proxies));
  return foreign !== undefined && ipaddr.isValid(foreign) ? foreign : undefined;
}

const forwardedPair = /[ \t]*([^\s=,;"]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,;"]*))[ \t]*([,;]|$)/y;

/**
 * The `for` of each element of a Forwarded header (RFC 7239), empty where there is none. A quoted
 * value, such as a host that the client sent, may hold anything; a header that cannot be read names nobody.
 */
function forwardedHops(header: string): string[] {
  const hops = [''];
  forwardedPair.lastIndex = 0;
  while (forwardedPair.lastIndex < header.length) {
    const [match, name, quoted, plain = '', end] = forwardedPair.exec(header) ?? [];
    const isFor = name?.toLowerCase() === 'for';
    if (match === undefined || (isFor && hops.at(-1) !== '')) return [''];
    if (isFor) hops[hops.length - 1] = quoted ?? plain;
    if (end === ',') hops.push('');
  }
  return hops;
}

/** Without brackets, port and zone, and as IPv4 where it is one. */
export function plainAddress(text: string): string {
  const bare = text
    .trim()
    .replace(/^\[([^\]]*)\](:\d+)?$/, '$1')
    .replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1')
    .replace(/%.*$/, '');
  // An IPv6 address that nobody has; ipaddr.js would take it for the IPv4 address at its end.
  if (/^::\d+\.\d+\.\d+\.\d+$/.test(bare)) return '';
  return ipaddr.isValid(bare) ? ipaddr.process(bare).toString() : bare;
}
