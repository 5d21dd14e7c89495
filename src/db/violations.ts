/**
 * Constraint violations as faults, by the constraint's name. The database decides who was first:
 * a check before the insert would lose the race, and a database message never reaches a caller.
 */
import { type Fault, badParameter, conflict, wrongReference } from '../faults';

const faultOf: Readonly<Record<string, () => Fault>> = {
  customers_name_unique: () => conflict('A customer of this name exists already'),
  customers_dns_alias_unique: () => conflict('This dns_alias is taken already'),
  users_login_unique: () => conflict('This web_login is taken already'),
  customers_i_tariff_fkey: () => wrongReference('i_tariff'),
  customers_i_routing_group_fkey: () => wrongReference('i_routing_group'),
  customers_balance_range: () => badParameter('balance', 'would leave the range of numeric(20,6)'),
};

/** The fault that a violated constraint stands for; undefined for every other error. */
export function violationFault(error: unknown): Fault | undefined {
  if (!(error instanceof Error) || !('constraint' in error)) return undefined;
  return faultOf[String(error.constraint)]?.();
}
