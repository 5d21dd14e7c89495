/**
 * How many rows of each kind a customer may have: itself (`_per_customer`) and with everybody below it
 * (`_per_subtree`). The key of a resource is the name of its table. The setting TREELINE_LIMITS, the faults, the
 * calls setCustomerLimits and getCustomerLimits, and the table in the documents are made from this one; triggers of
 * the database count and refuse. Root has no limits.
 */
interface Resource {
  /** How a fault calls the rows. */
  readonly noun: string;
  readonly per_customer: number;
  readonly per_subtree: number;
}

const resource = (noun: string, per_customer: number, per_subtree: number): Resource => ({
  noun,
  per_customer,
  per_subtree,
});

export const limitedResources = {
  customers: resource('customers', 1_000_000, 10_000_000),
  deleted_customers: resource('deleted customers, whose books stay', 1_000_000, 10_000_000),
  users: resource('web users', 10_000, 10_000_000),
  tariffs: resource('tariffs', 1_000, 100_000),
  prices: resource('prices', 1_000, 1_000_000),
  sip_users: resource('SIP users', 10_000, 10_000_000),
  numbers: resource('numbers', 10_000, 10_000_000),
  domains: resource('domains', 1_000, 1_000_000),
  stores: resource('stores', 100, 10_000),
  addresses: resource('addresses', 1_000, 1_000_000),
  flows: resource('flows', 1_000, 100_000),
  queues: resource('queues', 1_000, 1_000_000),
  tags: resource('tags', 1_000, 1_000_000),
  access_keys: resource('access keys', 1_000, 1_000_000),
  customer_ip_ranges: resource('address ranges', 1_000, 1_000_000),
  idempotency_keys: resource('idempotency keys within their retention', 1_000_000, 10_000_000),
} as const satisfies Record<string, Resource>;

type ResourceName = keyof typeof limitedResources;
export type LimitName = `${ResourceName}_per_customer` | `${ResourceName}_per_subtree`;
export type Limits = Readonly<Record<LimitName, number>>;

const entries = Object.entries<Resource>(limitedResources);

/** The largest limit: what an integer of the API holds. */
export const maxLimit = 2_147_483_647;

/** The limits that hold where the operator says nothing, by name. */
export const defaultLimits = Object.fromEntries(
  entries.flatMap(([name, { per_customer, per_subtree }]) => [
    [`${name}_per_customer`, per_customer],
    [`${name}_per_subtree`, per_subtree],
  ]),
) as Limits;

export const limitNames = Object.keys(defaultLimits) as LimitName[];

/** Reads `numbers_per_customer=500,flows_per_subtree=0`; absent ones keep their defaults. Throws an Error with the rule. */
export function asLimits(text: string): Limits {
  const parts = text.split(',').map((part) => part.trim());
  const given = parts
    .filter((part) => part !== '')
    .map((part): [string, number] => {
      const [name = '', maximum = ''] = part.split('=').map((side) => side.trim());
      if (!Object.hasOwn(defaultLimits, name) || !/^\d{1,10}$/.test(maximum) || Number(maximum) > maxLimit) {
        throw new Error(`NAME=NUMBER, separated by commas, where NAME is one of ${limitNames.join(', ')}`);
      }
      return [name, Number(maximum)];
    });
  return { ...defaultLimits, ...Object.fromEntries(given) };
}

/** The sentence of the fault, such as `Limit reached: at most 1,000 numbers (limit numbers_per_customer)`. */
export function limitReachedText(name: string, most: number): string {
  const noun = entries.find(([key]) => name.startsWith(`${key}_per_`))?.[1].noun ?? 'rows';
  const where = name.endsWith('_per_subtree') ? ' in a customer with everybody below it' : '';
  return `Limit reached: at most ${most.toLocaleString('en')} ${noun}${where} (limit ${name})`;
}
