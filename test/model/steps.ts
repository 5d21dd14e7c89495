/**
 * Random calls. A step names what it aims at by a number, not by an id: what the number means is
 * found when the step is played, so that a history stays a history when it is made shorter.
 */
import fc from 'fast-check';
import {
  type Customer,
  type Json,
  type Members,
  type World,
  defaultUser,
  heldMask,
  heldSwitch,
  isBelow,
  isWithin,
  masks,
  spellings,
  subCustomers,
  switches,
} from './world';

/** Something that becomes a value when the step is played. */
export type Symbol =
  | {
      readonly $: 'customer';
      readonly of: 'below' | 'direct' | 'any' | 'self' | 'nobody';
      readonly n: number;
    }
  | {
      readonly $: 'tariff' | 'payment' | 'user' | 'group' | 'host' | 'name' | 'login' | 'key';
      readonly n: number;
    }
  | { readonly $: 'password'; readonly of: 'right' | 'once' | 'wrong' }
  /** The masks and switches that the actor itself holds. */
  | { readonly $: 'all that is held' }
  | { readonly $: 'own currency' };
type Arg = Json | Symbol;
type Args = Readonly<Record<string, Arg>>;

export interface Who {
  readonly kind: 'password' | 'trusted';
  readonly n: number;
  /** For whom, by `i_wholesaler`; null: it is left out. */
  readonly on: Extract<Symbol, { $: 'customer' }> | null;
  readonly right: boolean;
  readonly by: 'basic' | 'digest';
  readonly face: 'xml' | 'json';
}

export interface Order {
  readonly method: string;
  readonly args: Args;
  readonly spoil: 'no' | 'unknown member' | 'missing' | 'struct';
}

/** Several orders are one multicall. */
export interface Step {
  readonly who: Who;
  readonly orders: readonly Order[];
}

// ------------------------------------------------------------------ random

const n = fc.nat({ max: 60 });
const customer = (...often: ('below' | 'direct' | 'any' | 'self' | 'nobody')[]) =>
  fc.record({
    $: fc.constant('customer' as const),
    of: fc.constantFrom(...often, ...often, 'any' as const, 'self' as const, 'nobody' as const),
    n,
  });
const target = customer('below', 'below', 'direct');
const thing = (kind: 'tariff' | 'payment' | 'user' | 'group' | 'host' | 'name' | 'login') =>
  fc.record({ $: fc.constant(kind), n });
const password = fc.constantFrom('correct-horse-1', 'correct-horse-1', 'Correct-Horse-22', 'short');
const amount = fc.integer({ min: 0, max: 12_000 }).map((cents) => cents / 100);
const mask = fc.integer({ min: 0, max: 7 });
const bit = fc.constantFrom(0, 1);
const page = { offset: fc.nat({ max: 2 }), limit: fc.nat({ max: 4 }) };

const rights = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ held: { $: 'all that is held' as const } }) },
  {
    weight: 2,
    arbitrary: fc.record(
      {
        ...Object.fromEntries(masks.map((name) => [name, mask])),
        ...Object.fromEntries(switches.map((name) => [name, name.endsWith('_enabled') ? fc.boolean() : bit])),
      },
      { requiredKeys: [] },
    ),
  },
  { weight: 1, arbitrary: fc.constant({}) },
);

const details = fc.record(
  {
    balance: fc.oneof(
      amount,
      amount.map((value) => -value),
    ),
    credit_limit: amount,
    max_depth: fc.constantFrom(null, 0, 1, 2, 3),
    i_routing_group: fc.oneof(fc.constant(null), thing('group')),
    i_password_policy: fc.constantFrom(null, 1, 2, 9),
    i_time_zone: fc.constantFrom(null, 1, 370, 99_999),
    i_lang: fc.constantFrom(null, 'en', 'ar', 'xx'),
    i_export_type: fc.constantFrom(1, 2, 3),
    payment_method: fc.constantFrom(null, 1, 7, 77),
    min_payment_amount: fc.oneof(fc.constant(null), amount),
    api_access: bit,
    api_password: fc.constantFrom(null, 'api-password-1', 'api-password-2'),
    i_commission_agent: fc.oneof(fc.constant(null), customer('below', 'self', 'any')),
    commission_size: fc.constantFrom(null, 0, 12.5),
    overcommit_protection: fc.boolean(),
    overcommit_limit: fc.constantFrom(null, 0, 10, 12.5),
    dns_alias: fc.nat({ max: 3 }).map((place) => ({ $: 'name' as const, n: -1 - place })),
    city: fc.constantFrom(null, 'Rome', 'Łódź & <Sons>'),
    description: fc.constantFrom(null, 'first\nsecond', '=1+1'),
    max_sessions: fc.constantFrom(null, 0, 5),
    max_calls_per_second: fc.constantFrom(null, 0.5),
    conferencing_enabled: fc.boolean(),
    payment_currency: fc.constantFrom(null, 'EUR'),
    css: fc.constantFrom(null, '</style>]]>'),
  },
  { requiredKeys: [] },
);

const few = (arbitrary: fc.Arbitrary<object>, keep: number): fc.Arbitrary<object> =>
  fc.tuple(arbitrary, fc.array(fc.nat({ max: 30 }), { maxLength: keep })).map(([all, places]) => {
    const entries = Object.entries(all);
    if (entries.length === 0) return {};
    return Object.fromEntries(places.map((place) => entries[place % entries.length] ?? ['', null]));
  });

const tariff = fc.oneof(
  { weight: 2, arbitrary: fc.constant(null) },
  { weight: 2, arbitrary: thing('tariff') },
);

const creation = fc
  .tuple(
    fc.record({ name: thing('name'), web_password: password, i_tariff: tariff }),
    rights,
    few(details, 4),
    fc.record({ web_login: thing('name') }, { requiredKeys: [] }),
    fc.constantFrom(
      {},
      { api_access: 1, api_password: 'api-password-1' },
      { api_access: 1, api_password: 'api-password-1' },
    ),
  )
  .map(([required, given, more, login, access]) => ({ ...required, ...given, ...more, ...login, ...access }));

const change = fc
  .tuple(
    target,
    few(details, 3),
    few(rights, 2),
    few(
      fc.record({ name: thing('name'), web_login: thing('name'), web_password: password, i_tariff: tariff }),
      1,
    ),
  )
  .map(([i_customer, ...more]) => Object.assign({ i_customer }, ...more) as Args);

const key = fc.record({ $: fc.constant('key' as const), n: fc.nat({ max: 2 }) });
const funds = fc.record(
  {
    i_customer: target,
    amount,
    currency: fc.oneof(
      { weight: 6, arbitrary: fc.constant({ $: 'own currency' as const }) },
      { weight: 1, arbitrary: fc.constant('JPY') },
    ),
    payment_notes: fc.constantFrom('cash', 'a\tb'),
    payment_time: fc.constant('2009-11-18T09:57:29Z'),
    idempotency_key: key,
  },
  { requiredKeys: ['i_customer', 'amount', 'currency'] },
);

const userFields = {
  web_login: thing('name'),
  web_password: password,
  i_access_level: fc.constantFrom('REPORTER', 'NOC', 'ADMINISTRATOR'),
  name: fc.constantFrom(null, 'Ada'),
  description: fc.constantFrom(null, 'somebody'),
  email: fc.constantFrom(null, 'ada@example.com'),
};
const oneUser = fc.record({ i_web_user: thing('user') });
const oneCustomer = fc.record({ i_customer: target });
const tariffFields = { name: thing('name'), currency: fc.constantFrom('USD', 'EUR') };
const groupName = fc.record({ name: thing('name') });
const oneGroup = { i_routing_group: thing('group') };

/** How often each method comes, and what it takes; the first member of each is required. */
const orders: Readonly<Record<string, readonly [number, fc.Arbitrary<object>]>> = {
  createCustomer: [14, creation],
  getCustomerInfo: [
    5,
    fc.oneof(fc.record({ i_customer: customer('below', 'any') }), fc.record({ name: thing('login') })),
  ],
  updateCustomer: [14, change],
  deleteCustomer: [3, oneCustomer],
  blockCustomer: [2, oneCustomer],
  unblockCustomer: [2, oneCustomer],
  listCustomers: [
    3,
    fc.record(
      { ...page, after: customer('below'), with_total: bit, name_pattern: fc.constant('nobody%') },
      { requiredKeys: [] },
    ),
  ],
  customerAddFunds: [5, funds],
  customerCredit: [3, funds],
  customerDebit: [4, funds],
  transferFunds: [
    5,
    fc.record(
      { i_customer: target, amount, idempotency_key: key },
      { requiredKeys: ['i_customer', 'amount'] },
    ),
  ],
  reversePayment: [
    4,
    fc.record({ i_payment: thing('payment'), idempotency_key: key }, { requiredKeys: ['i_payment'] }),
  ],
  getPaymentsList: [
    2,
    fc.record(
      { i_customer: customer('below', 'any'), ...page, type: fc.constantFrom('credit', 'debit') },
      { requiredKeys: ['i_customer'] },
    ),
  ],
  getPaymentInfo: [2, fc.record({ i_payment: thing('payment') })],
  getStatement: [2, fc.record({ i_customer: customer('below', 'any') })],
  authCustomer: [
    4,
    fc.record({
      username: thing('login'),
      password: fc.record({
        $: fc.constant('password' as const),
        of: fc.constantFrom('right', 'right', 'once', 'wrong'),
      }),
    }),
  ],
  resetCustomerOneTimePassword: [2, fc.record({ web_login: thing('login') })],
  createWebUser: [
    4,
    fc.record({ ...userFields, i_customer: target }, { requiredKeys: ['web_login', 'web_password'] }),
  ],
  updateWebUser: [
    3,
    fc.tuple(oneUser, few(fc.record(userFields), 2)).map(([user, more]) => ({ ...user, ...more })),
  ],
  deleteWebUser: [1, oneUser],
  blockWebUser: [2, oneUser],
  unblockWebUser: [1, oneUser],
  getWebUserInfo: [1, oneUser],
  listWebUsers: [2, fc.record({ i_customer: customer('below', 'any') }, { requiredKeys: [] })],
  createTariff: [4, fc.record(tariffFields)],
  updateTariff: [
    2,
    fc.record({ i_tariff: thing('tariff'), ...tariffFields }, { requiredKeys: ['i_tariff'] }),
  ],
  deleteTariff: [2, fc.record({ i_tariff: thing('tariff') })],
  getTariffInfo: [1, fc.record({ i_tariff: thing('tariff') })],
  listTariffs: [1, fc.record(page, { requiredKeys: [] })],
  getDictionary: [1, fc.record({ name: fc.constantFrom('languages', 'access_levels') })],
  getAuditLogs: [1, fc.record({ i_customer: customer('below', 'any') }, { requiredKeys: [] })],
  createRoutingGroup: [3, groupName],
  updateRoutingGroup: [3, fc.record({ ...oneGroup, name: thing('name') })],
  deleteRoutingGroup: [2, fc.record(oneGroup)],
  listRoutingGroups: [1, fc.constant({})],
  addTrustedHost: [3, fc.record({ address: thing('host') })],
  removeTrustedHost: [3, fc.record({ i_trusted_host: thing('host') })],
  listTrustedHosts: [1, fc.constant({})],
  noSuchMethod: [1, fc.constant({})],
};

export const modelledMethods: readonly string[] = Object.keys(orders).filter(
  (name) => name !== 'noSuchMethod',
);

const spoils: readonly Order['spoil'][] = [
  ...Array<'no'>(24).fill('no'),
  'unknown member',
  'missing',
  'struct',
];

const orderOf = (methods: readonly string[]): fc.Arbitrary<Order> =>
  fc.oneof(
    ...methods.map((method) => {
      const [weight, args] = orders[method] ?? [0, fc.constant({})];
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
const who: fc.Arbitrary<Who> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('password' as const),
      n,
      on: onBehalf,
      right: fc.integer({ min: 0, max: 40 }).map((roll) => roll > 0),
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

const steps = (methods: readonly string[]): fc.Arbitrary<Step> =>
  fc.record({
    who,
    orders: fc.oneof(
      { weight: 12, arbitrary: orderOf(methods).map((order) => [order]) },
      { weight: 1, arbitrary: fc.array(orderOf(methods), { minLength: 2, maxLength: 4 }) },
    ),
  });

/** A history of so many calls. */
export const histories = (length: number): fc.Arbitrary<readonly Step[]> =>
  fc.array(steps(Object.keys(orders)), { minLength: length, maxLength: length });

/** Calls that are sent at once: those that write. */
const writing = modelledMethods.filter((name) => !/^(get|list)|Host|RoutingGroup|authCustomer/.test(name));
export const bursts = (length: number): fc.Arbitrary<readonly Step[]> =>
  fc.array(steps(writing), { minLength: length, maxLength: length });

const trustedHost: Who = { kind: 'trusted', n: 0, on: null, right: true, by: 'basic', face: 'xml' };

/** What every history begins with, so that there is a tree to act in. */
export const prelude: readonly Step[] = [
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

// ---------------------------------------------------------------- resolving

const nobody = 2_000_000_000;
const pick = <T>(list: readonly T[], place: number): T | undefined => list[place % Math.max(list.length, 1)];

export function pickCustomer(
  world: World,
  actor: Customer,
  { of, n: place }: { readonly of: string; readonly n: number },
  kind: 'any' | 'owners' = 'any',
): Customer | undefined {
  const living = world.customers.filter((each) => !each.deleted);
  if (of === 'self') return actor;
  if (of === 'below') {
    const below = living.filter((each) => isBelow(actor, each));
    const owners = below.filter((each) => subCustomers(world, each).length > 0);
    return pick(kind === 'owners' && owners.length > 0 ? owners : below, place);
  }
  if (of === 'direct') return pick(subCustomers(world, actor), place);
  if (of === 'any') return pick(world.customers, place);
  return undefined;
}

/** The name of this number, and what makes it one with others. */
function nameOf(world: World, place: number): readonly [text: string, same: string] {
  const [text, same] = spellings[place] ?? [`n${place}`, `n${place}`];
  return [`${world.prefix}${text}`, `${world.prefix}${same}`];
}

export interface Resolved {
  readonly params: Members;
  readonly classes: Readonly<Record<string, string>>;
}

/** The parameters of an order as they go out. */
export function resolve(world: World, actor: Customer, { method, args, spoil }: Order): Resolved {
  const params: Members = {};
  const classes: Record<string, string> = {};
  const aimedAt = aim(world, actor, args);
  for (const [member, arg] of Object.entries(args)) {
    if (typeof arg !== 'object' || arg === null || !('$' in arg)) {
      params[member] = arg;
      continue;
    }
    const symbol = arg as Symbol;
    if (symbol.$ === 'all that is held') {
      for (const name of masks) params[name] ??= heldMask(actor, name);
      for (const name of switches) {
        const has = heldSwitch(actor, name);
        params[name] ??= name.endsWith('_enabled') ? has : Number(has);
      }
    } else if (symbol.$ === 'name' && symbol.n >= 0) {
      [params[member], classes[member]] = nameOf(world, symbol.n) as [string, string];
    } else if (symbol.$ === 'login') {
      const user = pick(world.users, symbol.n);
      params[member] =
        (method === 'getCustomerInfo' ? user?.customer.attributes['name'] : user?.web_login) ?? 'nobody';
      classes[member] =
        (method === 'getCustomerInfo' ? user?.customer.name_class : user?.login_class) ?? 'nobody';
    } else {
      params[member] = valueOf(world, actor, aimedAt, args, symbol);
    }
  }
  restrictRoot(world, actor, method, params);
  return { params: spoiled(params, spoil), classes };
}

const aim = (world: World, actor: Customer, { i_customer: arg }: Args): Customer =>
  (arg !== undefined && pickCustomer(world, actor, arg as never)) || actor;

function valueOf(world: World, actor: Customer, aimedAt: Customer, args: Args, symbol: Symbol): Json {
  switch (symbol.$) {
    case 'customer':
      return pickCustomer(world, actor, symbol)?.id ?? nobody;
    case 'tariff': {
      // Mostly one that fits: of the actor, or of the owner of whoever is changed.
      const owner = 'i_customer' in args ? aimedAt.owner : actor;
      // Root's first tariff may be given to customers, but it is every history's: nobody renames it.
      const isGiven = 'i_customer' in args || 'web_password' in args;
      const fitting = world.tariffs.filter((each) => each.owner === owner && (each.id !== 1 || isGiven));
      return (
        (symbol.n % 4 === 0 ? pick(world.tariffs.slice(1), symbol.n) : pick(fitting, symbol.n))?.id ?? nobody
      );
    }
    case 'payment': {
      const known = world.payments.filter(({ id }) => id !== undefined);
      const own = known.filter(({ customer }) => isWithin(actor, customer));
      return pick(symbol.n % 4 === 0 ? known : own, symbol.n)?.id ?? nobody;
    }
    case 'user': {
      const reached = world.users.filter((user) => symbol.n % 5 === 0 || isWithin(actor, user.customer));
      const others = reached.filter(({ kind }) => kind === 'other');
      return pick(symbol.n % 3 === 0 ? reached : others, symbol.n)?.id ?? nobody;
    }
    case 'group':
      return pick([...world.groups.keys()].slice(1), symbol.n) ?? nobody;
    case 'host':
      return 'address' in args
        ? hostOf(world, symbol.n)
        : (pick([...world.hosts.keys()], symbol.n) ?? nobody);
    case 'key':
      return `${world.prefix}${symbol.n}`;
    case 'own currency':
      return aimedAt.currency;
    case 'password': {
      const user = pick(world.users, (args['username'] as { n: number }).n);
      if (symbol.of === 'once') return user?.one_time ?? 'no-such-password';
      return symbol.of === 'right' ? (user?.password ?? '') : 'no-such-password';
    }
    case 'name':
      // An alias of one of a few, in capitals every other time.
      return symbol.n % 2 === 0
        ? `A${-symbol.n}.${aliasOf(world)}.EXAMPLE`
        : `a${1 - symbol.n}.${aliasOf(world)}.example`;
    case 'login':
    case 'all that is held':
      throw new Error(`${symbol.$} is no single value`);
  }
}

const aliasOf = (world: World): string => world.prefix.replaceAll(/[^a-z0-9]/g, '');

/** One of three documentation addresses, apart for each history. */
const hostOf = (world: World, place: number): string => {
  const serial = Number(/\d+/.exec(world.prefix)?.[0] ?? 0);
  return `2001:db8:${(serial >> 16).toString(16)}:${(serial & 0xffff).toString(16)}::${(place % 3) + 1}`;
};

/** Root's lists have what other histories made, too. */
function restrictRoot(world: World, actor: Customer, method: string, params: Members): void {
  const lists = method === 'listCustomers' || method === 'listTariffs';
  if (lists && actor === world.root) params['name_pattern'] ??= `${world.prefix}%`;
}

function spoiled(params: Members, spoil: Order['spoil']): Members {
  const [first] = Object.keys(params);
  if (spoil === 'unknown member' || (spoil !== 'no' && first === undefined))
    return { ...params, nonsense: 1 };
  if (spoil === 'struct' && first !== undefined) return { ...params, [first]: { nonsense: 1 } };
  if (spoil === 'missing' && first !== undefined) return { ...params, [first]: null };
  return params;
}

export const loginOf = (world: World, customer: Customer): string => defaultUser(world, customer).web_login;
