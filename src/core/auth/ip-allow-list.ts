/** From where a customer may call: where it has a list of address ranges, from nowhere else, over any face. */
import ipaddr from 'ipaddr.js';

/** SQL: null where the customer of `alias` has no list, else whether the address (a parameter) is in it. */
export const addressAllowed = (alias: string, address: string): string =>
  `(SELECT bool_or(coalesce(r.ip_range >>= ${address}::inet, false)) FROM customer_ip_ranges r
     WHERE r.i_customer = ${alias}.i_customer)`;

/** An address as PostgreSQL takes it; null, which is in no list, for what is none. */
export const inetOf = (address: string): string | null =>
  ipaddr.isValid(address) ? ipaddr.process(address).toString() : null;
