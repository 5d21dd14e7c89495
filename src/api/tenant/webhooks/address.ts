/**
 * Which addresses webhooks may go to: public ones, and those that the operator allows in TREELINE_WEBHOOK_RANGES. An
 * IPv6 address that carries an IPv4 address is judged by both, because a gateway may unwrap it.
 */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { type AddressRange, asRanges } from '../../../base/config';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** Where clouds hand out credentials to whatever runs on their machines; one of them has a public address. */
const metadataAddresses = asRanges(
  [
    '169.254.169.254', // AWS, Google, Azure, OpenStack and others
    '169.254.169.253', // AWS, DNS
    '169.254.170.2', // AWS, containers
    '169.254.170.23', // AWS, pods
    '169.254.42.42', // Scaleway
    '100.100.100.200', // Alibaba
    '192.0.0.192', // Oracle
    '168.63.129.16', // Azure, the platform's own service
    'fd00:ec2::254', // AWS
    'fd00:ec2::23', // AWS, pods
    'fd20:ce::254', // Google
    'fe80::a9fe:a9fe', // OpenStack
  ].join(','),
);

/** The unicast space that the IETF has assigned; everything else has a special meaning or none. */
const [globalUnicast] = asRanges('2000::/3') as [AddressRange];

const matches = (address: Address, [network, bits]: AddressRange): boolean =>
  address.kind() === network.kind() && address.match(network, bits);

const isMetadata = (address: Address): boolean => metadataAddresses.some((range) => matches(address, range));

function isOnInternet(address: Address): boolean {
  if (address.range() !== 'unicast' || isMetadata(address)) return false;
  return address.kind() === 'ipv4' || matches(address, globalUnicast);
}

const isSingle = ([network, bits]: AddressRange): boolean => bits === (network.kind() === 'ipv4' ? 32 : 128);

const ipv4At = (bytes: readonly number[], offset: number, mask = 0): ipaddr.IPv4 =>
  new ipaddr.IPv4(bytes.slice(offset, offset + 4).map((byte) => byte ^ mask));

/** The IPv4 addresses that an IPv6 address carries, by the ways of RFC 3056, 4291, 4380, 5214, 6052 and 7915. */
function embeddedIpv4(address: Address): ipaddr.IPv4[] {
  if (address.kind() === 'ipv4') return [];
  const bytes = address.toByteArray();
  const starts = (...prefix: number[]): boolean => prefix.every((byte, index) => bytes[index] === byte);
  const isIsatap = [0x00, 0x02].includes(bytes[8] ?? -1) && bytes.slice(9, 12).join() === '0,94,254';
  return [
    ...(starts(0, 0, 0, 0, 0, 0, 0, 0) ? [ipv4At(bytes, 12)] : []),
    ...(starts(0x00, 0x64, 0xff, 0x9b) ? [ipv4At(bytes, 12)] : []),
    ...(starts(0x20, 0x02) ? [ipv4At(bytes, 2)] : []),
    ...(starts(0x20, 0x01, 0, 0) ? [ipv4At(bytes, 4), ipv4At(bytes, 12, 0xff)] : []),
    ...(isIsatap ? [ipv4At(bytes, 12)] : []),
  ];
}

/** Undefined for what is no address. ipaddr.js alone reads `::8.8.8.8` as `::ffff:8.8.8.8`, which is another address. */
function parse(address: string): Address | undefined {
  const version = isIP(address);
  if (version === 0 || address.includes('%')) return undefined;
  const text = version === 6 ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
  return ipaddr.process(text);
}

/**
 * Whether a webhook may go to the address: it is on the internet, or in one of the ranges. A metadata address must be
 * a range of its own, without a shorter prefix: who allows 169.254.0.0/16 does not mean the keys of the machine.
 */
export function isAllowed(address: string, ranges: readonly AddressRange[]): boolean {
  const parsed = parse(address);
  if (!parsed) return false;
  if (ranges.some((range) => isSingle(range) && matches(parsed, range))) return true;
  const isFine = (one: Address): boolean =>
    isOnInternet(one) || ranges.some((range) => matches(one, range) && (isSingle(range) || !isMetadata(one)));
  return [parsed, ...embeddedIpv4(parsed)].every(isFine);
}
