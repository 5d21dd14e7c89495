/**
 * Constraint violations as faults, by the constraint's name. The database decides who was first:
 * a check before the insert would lose the race, and a database message never reaches a caller.
 */
import {
  type Fault,
  badParameter,
  conflict,
  forbidden,
  limitReached,
  taken,
  wrongReference,
} from '../base/faults';

const faultOf: Readonly<Record<string, () => Fault>> = {
  customers_name_unique: () => taken('name', 'A customer of this name exists already'),
  customers_depth_check: () => forbidden('Too deep: a tree of customers has at most 64 levels'),
  customers_dns_alias_unique: () => taken('dns_alias', 'This dns_alias is taken already'),
  users_short_name_unique: () => taken('name', 'The customer has a user of this name already'),
  numbers_number_unique: () => taken('number', 'This number is taken already'),
  sip_users_name_unique: () => taken('name', 'The customer has a SIP user of this name already'),
  sip_users_extension_unique: () => taken('extension', 'The customer has this extension already'),
  domains_name_unique: () => taken('name', 'This domain is taken already'),
  stores_name_unique: () => taken('name', 'The customer has a store of this name already'),
  stores_domain_unique: () => taken('domain', 'The domain of the store is taken already'),
  customer_ip_ranges_ip_range_unique: () => conflict('An address range is given twice'),
  users_login_unique: () => taken('web_login', 'This web_login is taken already'),
  // The same text: whose login it would be is nobody else's business.
  users_login_owner: () => taken('web_login', 'This web_login is taken already'),
  customers_login_endings: () => taken('name', 'Logins of other customers end with @ and this name'),
  customers_i_tariff_fkey: () => wrongReference('i_tariff'),
  customers_i_routing_group_fkey: () => wrongReference('i_routing_group'),
  payments_i_reversed_unique: () => conflict('The payment was reversed already'),
  tariffs_name_unique: () => taken('name', 'A tariff of this name exists already'),
  routing_groups_name_unique: () => taken('name', 'A routing group of this name exists already'),
  trusted_hosts_address_unique: () => taken('address', 'This address is trusted already'),
};

/** Money is numeric(20,6): each amount is checked as a parameter, but their sum may still be too large. */
const numericOverflow = '22003';

/** Raised by the trigger that counts rows; `constraint` names the limit, `detail` says how much it allows. */
const limitCode = 'TL403';

/** The fault that a violated constraint stands for; undefined for every other error. */
export function violationFault(error: unknown): Fault | undefined {
  if (error instanceof Error && 'code' in error && error.code === numericOverflow) {
    return badParameter('amount', 'would bring a balance out of the range of numeric(20,6)');
  }
  if (!(error instanceof Error) || !('constraint' in error)) return undefined;
  if ('code' in error && error.code === limitCode && 'detail' in error)
    return limitReached(String(error.constraint), Number(error.detail));
  return faultOf[String(error.constraint)]?.();
}
