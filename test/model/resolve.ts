/** What the numbers of a step mean in the world as it is: names, ids, and the parameters of a call as they go out. */
import { isOperation } from './rules';
import { thingsOf } from './rules/owned';
import { spellings } from './names';
import type { Arg, Args, Order, Symbol } from './symbols';
import {
  type Customer,
  type Json,
  type Members,
  type Thing,
  type ThingKind,
  type User,
  type World,
  defaultUser,
  heldMask,
  heldSwitch,
  isBelow,
  isWithin,
  masks,
  subCustomers,
  switches,
  text,
  wire,
} from './world';

const nobody = 2_000_000_000;
const nobodysUuid = '7f9c24e5-3a63-4c8e-9d4f-0b6b1f0a2c11';
export const pick = <T>(list: readonly T[], place: number): T | undefined =>
  list[place % Math.max(list.length, 1)];

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

const shortNames = [
  ['admin', 'admin'],
  ['Admin', 'admin'],
  ['boss', 'boss'],
  ['shop', 'shop'],
  ['Stra\u00dfe', 'strasse'],
  ['STRASSE', 'strasse'],
] as const;

/** A name that is one within its owner only; root is everybody's owner. */
function shortOf(world: World, actor: Customer, place: number): readonly [text: string, same: string] {
  const [text, same] = shortNames[place % shortNames.length] ?? ['', ''];
  return actor === world.root ? [`${world.prefix}${text}`, `${world.prefix}${same}`] : [text, same];
}

export interface Resolved {
  readonly params: Members;
  readonly classes: Readonly<Record<string, string>>;
}

/** A call that is being put together. */
interface Making {
  readonly world: World;
  readonly actor: Customer;
  readonly method: string;
  readonly args: Args;
  readonly aimedAt: Customer;
  readonly classes: Record<string, string>;
}

/** The parameters of an order as they go out. */
export function resolve(world: World, actor: Customer, { method, args, spoil }: Order): Resolved {
  const classes: Record<string, string> = {};
  const making = { world, actor, method, args, aimedAt: aim(world, actor, args), classes };
  const params = membersOf(making, args, '');
  restrictRoot(world, actor, method, params);
  return {
    params: isOperation(method) ? spoiledBody(method, params, spoil) : spoiled(params, spoil),
    classes,
  };
}

function membersOf(making: Making, args: Args, place: string): Members {
  const { world, actor, classes } = making;
  const params: Members = {};
  for (const [member, arg] of Object.entries(args)) {
    if (isSymbol(arg, 'all that is held')) {
      for (const name of masks) params[name] ??= heldMask(actor, name);
      for (const name of switches) {
        const has = heldSwitch(actor, name);
        params[name] ??= name.endsWith('_enabled') ? has : Number(has);
      }
    } else if (isSymbol(arg, 'name') && arg.n >= 0) {
      [params[member], classes[place + member]] = nameOf(world, arg.n) as [string, string];
    } else if (isSymbol(arg, 'short')) {
      [params[member], classes[place + member]] = shortOf(world, actor, arg.n) as [string, string];
    } else if (isSymbol(arg, 'login at')) {
      const { attributes, name_class } = pick(world.customers, arg.n) ?? world.root;
      const beginning = `${world.prefix}${arg.n % 3}@`;
      params[member] = beginning + text(attributes['name'] ?? null);
      classes[member] = beginning + name_class;
    } else if (isSymbol(arg, 'login')) {
      const isName = making.method === 'getCustomerInfo';
      const user = loginOfNumber(making, arg.n);
      params[member] = (isName ? user?.customer.attributes['name'] : user?.web_login) ?? 'nobody';
      classes[member] = (isName ? user?.customer.name_class : user?.login_class) ?? 'nobody';
    } else if (isSymbol(arg, 'thing') && ['id', 'uuid'].includes(member) && arg.n % 13 === 0) {
      // In a path what can be no id is as one that is none.
      params[member] = 'seventeen';
    } else {
      params[member] = valueOf(making, arg, `${place}${member}.`);
    }
  }
  return params;
}

/** Root's password is every history's: nobody tries wrong ones or sets another. */
const loginOfNumber = ({ world, method }: Making, n: number): User | undefined =>
  pick(method === 'getCustomerInfo' ? world.users : world.users.slice(1), n);

const isAnySymbol = (arg: Arg | undefined): arg is Symbol =>
  typeof arg === 'object' && arg !== null && '$' in arg;
const isSymbol = <K extends Symbol['$']>(arg: Arg, kind: K): arg is Symbol & { readonly $: K } =>
  isAnySymbol(arg) && arg.$ === kind;

/** The customer that a call is about, where it names one. */
function aim(world: World, actor: Customer, args: Args): Customer {
  const arg = args['i_customer'] ?? args['uuid'];
  return (isAnySymbol(arg) && arg.$ === 'customer' && pickCustomer(world, actor, arg)) || actor;
}

function valueOf(making: Making, arg: Arg, place: string): Json {
  if (isAnySymbol(arg)) return symbolValue(making, arg);
  if (!Array.isArray(arg)) return arg;
  return (arg as readonly (Json | Args)[]).map((item, index) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? membersOf(making, item as Args, `${place}${index}.`)
      : (item as Json),
  );
}

function symbolValue(making: Making, symbol: Symbol): Json {
  const { world, actor, aimedAt, args, method } = making;
  switch (symbol.$) {
    case 'customer': {
      const customer = pickCustomer(world, actor, symbol);
      return isOperation(method) ? (customer?.uuid ?? nobodysUuid) : (customer?.id ?? nobody);
    }
    case 'tariff':
      return tariffOf(making, symbol.n);
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
      const user = loginOfNumber(making, (args['username'] as { n: number }).n);
      if (symbol.of === 'once') return user?.one_time ?? 'no-such-password';
      return symbol.of === 'right' ? (user?.password ?? '') : 'no-such-password';
    }
    case 'name':
      // An alias of one of a few, in capitals every other time.
      return symbol.n % 2 === 0
        ? `A${-symbol.n}.${aliasOf(world)}.EXAMPLE`
        : `a${1 - symbol.n}.${aliasOf(world)}.example`;
    case 'agent':
      return agentOf(making, symbol.n);
    case 'thing':
      return thingOf(world, actor, symbol.of, symbol.n);
    case "owner's thing":
      return thingOf(world, 'uuid' in args ? (aimedAt.owner ?? actor) : actor, symbol.of, symbol.n);
    case 'things':
      return symbol.n % 4 === 0
        ? []
        : [symbol.n, symbol.n + 1].slice(symbol.n % 2).map((n) => thingOf(world, actor, symbol.of, n));
    case 'entry': {
      const entries = symbol.n % 4 === 0 ? world.customers.flatMap((each) => each.entries) : actor.entries;
      const id = pick(entries, symbol.n)?.id;
      return id === undefined ? nobodysUuid : `00000000-0000-8000-8000-${id.toString(16).padStart(12, '0')}`;
    }
    case 'number':
      return `+49${String(serialOf(world)).padStart(8, '0')}${symbol.n % 7}`;
    case 'domain':
      return `${symbol.n % 2 === 0 ? 'D' : 'd'}${symbol.n % 5}.${aliasOf(world)}.example`;
    case 'extension':
      // Root's extensions are those of every history.
      return actor === world.root ? null : symbol.n % 2 === 0 ? 1001 + (symbol.n % 3) : '1001';
    case 'page': {
      const words = [...world.pages.keys()].filter((key) => key.includes(` ${actor.id} ${method} `));
      return pick(words, symbol.n)?.split(' ').at(-1) ?? '';
    }
    case 'login':
    case 'login at':
    case 'short':
    case 'all that is held':
      throw new Error(`${symbol.$} is no single value`);
  }
}

/** Mostly one that fits: of the actor, or of the owner of whoever is changed. */
function tariffOf({ world, actor, aimedAt, args }: Making, n: number): number {
  const owner = 'i_customer' in args ? aimedAt.owner : actor;
  // Root's first tariff may be given to customers, but it is every history's: nobody renames it.
  const isGiven = 'i_customer' in args || 'web_password' in args;
  const fitting = world.tariffs.filter((each) => each.owner === owner && (each.id !== 1 || isGiven));
  return (n % 4 === 0 ? pick(world.tariffs.slice(1), n) : pick(fitting, n))?.id ?? nobody;
}

/** Mostly one of the actor's; root's own login is every history's, and nobody changes it. */
function agentOf({ world, actor }: Making, n: number): string {
  const isOurs = (user: User): boolean => user.customer !== world.root || user.kind === 'other';
  const known = world.users.filter((user) => user.uuid !== undefined && isOurs(user));
  const own = known.filter(({ customer }) => customer === actor);
  const others = own.filter(({ kind, deleted }) => kind === 'other' && !deleted);
  const among = n % 7 === 0 ? known : n % 3 === 0 ? own : others;
  return pick(among, n)?.uuid ?? nobodysUuid;
}

/** Mostly a living one of this owner; also one that is gone, or somebody else's. */
function thingOf(world: World, owner: Customer, kind: ThingKind, n: number): string {
  const own = thingsOf(world, owner, kind);
  const living = own.filter(({ deleted }) => !deleted);
  const all: readonly Thing[] = world.things.filter((each) => each.kind === kind);
  return pick(n % 7 === 0 ? all : n % 5 === 0 ? own : living, n)?.uuid ?? nobodysUuid;
}

const serialOf = (world: World): number => Number(/\d+/.exec(world.prefix)?.[0] ?? 0);
const aliasOf = (world: World): string => world.prefix.replaceAll(/[^a-z0-9]/g, '');

/** One of three documentation addresses, apart for each history. */
const hostOf = (world: World, place: number): string => {
  const serial = serialOf(world);
  return `2001:db8:${(serial >> 16).toString(16)}:${(serial & 0xffff).toString(16)}::${(place % 3) + 1}`;
};

/** Root is every history's: its lists have what others made, and what it says of itself is left alone. */
function restrictRoot(world: World, actor: Customer, method: string, params: Members): void {
  if (actor !== world.root) return;
  const lists = method === 'listCustomers' || method === 'listTariffs';
  if (lists) params['name_pattern'] ??= `${world.prefix}%`;
  // Its prices are the same for all histories.
  if (method === 'setPrice') {
    const key = `${text(params['product'])} USD`;
    Object.assign(params, { currency: 'USD', amount: wire(world.root.prices.get(key) ?? 0n) });
  }
  if (method === 'deletePrice') params['currency'] = 'JPY';
  if (method === 'PUT /v1.0/customer')
    for (const name of Object.keys(params)) Reflect.deleteProperty(params, name);
  if (method === 'PUT /v1.0/customers/{id}' && params['id'] === world.root.uuid) params['id'] = nobodysUuid;
}

function spoiled(params: Members, spoil: Order['spoil']): Members {
  const [first] = Object.keys(params);
  if (spoil === 'unknown member' || (spoil !== 'no' && first === undefined))
    return { ...params, nonsense: 1 };
  if (spoil === 'struct' && first !== undefined) return { ...params, [first]: { nonsense: 1 } };
  if (spoil === 'missing' && first !== undefined) return { ...params, [first]: null };
  return params;
}

/** Of an operation the id in the path is always there. */
function spoiledBody(method: string, params: Members, spoil: Order['spoil']): Members {
  if (spoil === 'no') return params;
  const first = Object.keys(params).find(
    (name) => !method.includes(`{${name}}`) && name !== 'idempotency_key',
  );
  const hasBody = /^(POST|PUT)/.test(method);
  if (spoil === 'struct' && hasBody && first !== undefined) return { ...params, [first]: { nonsense: 1 } };
  return { ...params, nonsense: 1 };
}

export const loginOf = (world: World, customer: Customer): string => defaultUser(world, customer).web_login;
