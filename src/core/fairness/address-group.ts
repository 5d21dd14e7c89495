/**
 * What counts as one address. Whoever has an IPv6 address usually has the 2^64 addresses of its /64, so
 * these count as one; an IPv4 address stands for itself.
 */
import ipaddr from 'ipaddr.js';

/** The last addresses that were asked for: most requests come from few. */
const known = new Map<string, string>();
const knownAtMost = 4_000;

/** Returns the IPv4 address itself, or the /64 of an IPv6 address, such as `2001:db8::/64`. */
export function addressGroup(address: string): string {
  if (!address.includes(':')) return address;
  const remembered = known.get(address);
  if (remembered !== undefined) return remembered;
  const group = groupOf(address);
  if (known.size >= knownAtMost) known.clear();
  known.set(address, group);
  return group;
}

function groupOf(address: string): string {
  if (!ipaddr.IPv6.isValid(address)) return address;
  const parsed = ipaddr.IPv6.parse(address);
  if (parsed.isIPv4MappedAddress()) return parsed.toIPv4Address().toString();
  return `${ipaddr.IPv6.networkAddressFromCIDR(`${address.replace(/%.*$/, '')}/64`).toString()}/64`;
}
