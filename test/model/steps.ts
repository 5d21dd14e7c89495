/** Random histories: who sends what, over all faces on one tree. */
import fc from 'fast-check';
import { methodOrders } from './steps-methods';
import { loginOrder, resellerOrders, tenantOrders } from './steps-rest';
import { type Args, type Order, type Orders, type Step, type Who, customer, n } from './symbols';

const spoils: readonly Order['spoil'][] = [
  ...Array<'no'>(24).fill('no'),
  'unknown member',
  'missing',
  'struct',
];

const orderOf = (among: Orders): fc.Arbitrary<Order> =>
  fc.oneof(
    ...Object.entries(among).map(([method, [weight, args]]) => {
      const arbitrary = fc.record({
        method: fc.constant(method),
        args: args as fc.Arbitrary<Args>,
        spoil: fc.constantFrom(...spoils),
      });
      return { weight, arbitrary };
    }),
  );

const onBehalf = fc.oneof(
  { weight: 2, arbitrary: fc.constant(null) },
  { weight: 2, arbitrary: customer('below', 'self', 'below') },
);
const right = fc.integer({ min: 0, max: 40 }).map((roll) => roll > 0);
const caller: fc.Arbitrary<Who> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('password' as const),
      n,
      on: onBehalf,
      right,
      by: fc.constantFrom('basic' as const, 'digest' as const),
      face: fc.constantFrom('xml' as const, 'json' as const),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('trusted' as const),
      n,
      on: fc.oneof(
        { weight: 1, arbitrary: fc.constant(null) },
        { weight: 12, arbitrary: customer('below', 'below', 'self') },
      ),
      right: fc.constant(true),
      by: fc.constant('basic' as const),
      face: fc.constantFrom('xml' as const, 'json' as const),
    }),
  },
);
const headers: fc.Arbitrary<Who> = fc.record({
  kind: fc.constant('headers' as const),
  n,
  on: onBehalf,
  right,
});
const person: fc.Arbitrary<Who> = fc.record({
  kind: fc.constant('tenant' as const),
  n,
  on: fc.oneof(
    { weight: 3, arbitrary: fc.constant(null) },
    { weight: 2, arbitrary: customer('below', 'self', 'below') },
  ),
  right: fc.constant(true),
  by: fc.constantFrom('bearer' as const, 'query' as const, 'cookie' as const, 'access key' as const),
});
const nobody: fc.Arbitrary<Who> = fc.constant({ kind: 'nobody', n: 0, on: null, right: true });

/** One order, or of methods also several in a multicall; over REST now and then the last one with a key again. */
const stepOf = (who: fc.Arbitrary<Who>, among: Orders, multicalls: boolean): fc.Arbitrary<Step> =>
  fc.record({
    who,
    orders: fc.oneof(
      { weight: 12, arbitrary: orderOf(among).map((order) => [order]) },
      { weight: multicalls ? 1 : 0, arbitrary: fc.array(orderOf(among), { minLength: 2, maxLength: 4 }) },
    ),
    again: multicalls ? fc.constant(false) : fc.nat({ max: 25 }).map((roll) => roll === 0),
  });

const only = (among: Orders, isWanted: (name: string) => boolean): Orders =>
  Object.fromEntries(Object.entries(among).filter(([name]) => isWanted(name)));

const steps = (isWanted: (name: string) => boolean): fc.Arbitrary<Step> =>
  fc.oneof(
    { weight: 8, arbitrary: stepOf(caller, only(methodOrders, isWanted), true) },
    { weight: 6, arbitrary: stepOf(headers, only(resellerOrders, isWanted), false) },
    { weight: 7, arbitrary: stepOf(person, only(tenantOrders, isWanted), false) },
    ...(isWanted('POST /auth/login') ? [{ weight: 1, arbitrary: stepOf(nobody, loginOrder, false) }] : []),
  );

/** A history of so many calls. */
export const histories = (length: number): fc.Arbitrary<readonly Step[]> =>
  fc.array(
    steps(() => true),
    { minLength: length, maxLength: length },
  );

/** Calls that are sent at once: those that write. */
const isWriting = (name: string): boolean =>
  !/^(get|list)|^GET|Price$|^setCustomerLimits|Host|RoutingGroup|authCustomer|noSuch|auth\/|accesskeys/.test(
    name,
  );
export const bursts = (length: number): fc.Arbitrary<readonly Step[]> =>
  fc.array(steps(isWriting), { minLength: length, maxLength: length });

export const modelledMethods: readonly string[] = Object.keys(methodOrders).filter(
  (name) => name !== 'noSuchMethod',
);
export const modelledOperations: readonly string[] = [
  ...Object.keys(resellerOrders),
  ...Object.keys(tenantOrders),
];

const trustedHost: Who = { kind: 'trusted', n: 0, on: null, right: true, by: 'basic', face: 'xml' };

const tree: readonly Step[] = [
  { name: 100, more: { balance: 100, overcommit_protection: true, max_depth: 4 } },
  { name: 101, on: 0, more: { balance: 20 } },
  { name: 102, on: 1, more: {} },
  { name: 103, more: { balance: 50 } },
].map(({ name, on, more }) => ({
  who: {
    ...trustedHost,
    on: on === undefined ? { $: 'customer', of: 'self', n: 0 } : { $: 'customer', of: 'below', n: on },
  },
  orders: [
    {
      method: 'createCustomer',
      args: {
        name: { $: 'name', n: name },
        web_password: 'correct-horse-1',
        i_tariff: null,
        held: { $: 'all that is held' },
        api_access: 1,
        api_password: 'api-password-1',
        ...more,
      },
      spoil: 'no',
    },
  ],
}));

/** Who owns something, by the place in the tree, and what; for itself. */
const owned: readonly (readonly [place: number, method: string, args: Args])[] = [
  [1, 'POST /voip/number', { number: { $: 'number', n: 0 } }],
  [1, 'POST /voip/user', { name: { $: 'short', n: 0 }, password: 'sip-password-1', extension: 1001 }],
  [1, 'POST /account/store', { name: { $: 'short', n: 1 } }],
  [1, 'POST /account/reseller-user', { name: { $: 'short', n: 2 }, password: 'correct-horse-1', role_id: 1 }],
  [
    1,
    'POST /account/reseller',
    {
      name: { $: 'name', n: 120 },
      contact_name: 'Ada',
      store_front: { $: 'thing', of: 'store', n: 1 },
      users: [{ name: { $: 'short', n: 0 }, password: 'correct-horse-1', role_id: 3 }],
      addresses: [{ street_one: '1 High Street', city: 'Rome', country_code: 'IT' }],
    },
  ],
  [1, 'POST /v1.0/agents', { username: { $: 'name', n: 110 }, password: 'correct-horse-1', permission: 64 }],
  [1, 'POST /v1.0/flows', { name: 'Day' }],
  [1, 'POST /v1.0/tags', { name: 'Sales' }],
  [2, 'POST /voip/user', { name: { $: 'short', n: 0 }, password: 'sip-password-1', extension: 1001 }],
  [2, 'POST /dom/domain', { name: { $: 'domain', n: 0 } }],
  [2, 'POST /account/reseller-address', { street_one: '1 High Street', city: 'Rome', country_code: 'IT' }],
  [2, 'POST /v1.0/agents', { username: { $: 'name', n: 111 }, password: 'correct-horse-1', permission: 16 }],
  [2, 'POST /v1.0/numbers', { number: { $: 'number', n: 1 } }],
  [2, 'POST /v1.0/queues', { name: 'Queue' }],
  [2, 'POST /v1.0/accesskeys', { name: 'Key' }],
];

const fewSipUsers = [{ name: 'sip_users_per_subtree', maximum: 4 }] as const;
/** Sellers with prices of their own, money that is prepaid, and a limit: by the place of the seller in the tree. */
const trade: readonly Step[] = (
  [
    [1, 'setPrice', { product: 'number', amount: 2.75 }],
    [2, 'setPrice', { product: 'number', amount: 0.333333 }],
    [1, 'setPrice', { product: 'sip_user', amount: 0.1 }],
    [0, 'setCustomerLimits', { i_customer: { $: 'customer', of: 'below', n: 0 }, limits: fewSipUsers }],
    [0, 'transferFunds', { i_customer: { $: 'customer', of: 'below', n: 0 }, amount: 4 }],
    [1, 'transferFunds', { i_customer: { $: 'customer', of: 'below', n: 1 }, amount: 7.5 }],
  ] as const
).map(([place, method, args]) => ({
  who: {
    ...trustedHost,
    on: place === 0 ? { $: 'customer', of: 'self', n: 0 } : { $: 'customer', of: 'any', n: place },
  },
  orders: [{ method, args, spoil: 'no' }],
}));

/** What every history begins with, so that there is a tree to act in, and something to change. */
export const prelude: readonly Step[] = [
  ...tree,
  ...trade,
  ...owned.map(([as, method, args]): Step => ({
    who: {
      ...(method.includes('/v1.0/') ? { kind: 'tenant', by: 'bearer' } : { kind: 'headers' }),
      ...{ n: 1, on: null, right: true, as },
    },
    orders: [{ method, args, spoil: 'no' }],
  })),
];
