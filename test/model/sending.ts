/** Who sends a step, as found in the world as it is, and how the calls go out. */
import type { RestWay, Way } from './client';
import { loginOf, pick, pickCustomer, resolve } from './resolve';
import type { ModelCall, Named, Sender } from './rules/law';
import type { Order, Step, Symbol, Who } from './symbols';
import {
  type Customer,
  type User,
  type World,
  defaultUser,
  isWithin,
  subCustomers,
  text,
  usersOf,
} from './world';

/** The calls of a step as they are sent. */
export interface Prepared {
  readonly way: Way | RestWay;
  readonly calls: readonly ModelCall[];
}

/** A person of the tenant face who has no token that could be good: it logs in first. */
export interface NeedsLogin {
  readonly logsIn: User;
}

interface Sending {
  readonly sender: Sender;
  readonly way: Way | RestWay;
  readonly actor: Customer;
  readonly i_wholesaler?: number;
  readonly named?: Named;
}

export function prepare(world: World, { who, orders }: Step): Prepared | NeedsLogin {
  const found = sending(world, who, orders[0]);
  if ('logsIn' in found) return found;
  const { sender, way, actor, i_wholesaler, named } = found;
  const calls = orders.map((order) => {
    const { params, classes } = resolve(world, actor, order);
    const all = i_wholesaler === undefined ? params : { ...params, i_wholesaler };
    return {
      sender,
      method: order.method,
      params: all,
      classes,
      spoiled: order.spoil !== 'no',
      named,
      actor,
    };
  });
  return { way, calls };
}

const nobodysUuid = '7f9c24e5-3a63-4c8e-9d4f-0b6b1f0a2c11';

function sending(world: World, who: Who, order: Order | undefined): Sending | NeedsLogin {
  switch (who.kind) {
    case 'trusted':
    case 'password':
      return overMethods(world, who);
    case 'headers':
      return withHeaders(world, who, ownerFor(world, who, order));
    case 'tenant':
      return withToken(world, who, ownerFor(world, who, order), order?.method === 'POST /auth/logout');
    case 'nobody':
      return {
        sender: { kind: 'nobody' },
        way: { face: 'tenant', headers: {}, query: {}, words: 'nobody' },
        actor: world.root,
      };
  }
}

/** Mostly somebody who has somebody below. */
const mostlyOwners = <T extends { readonly customer: Customer }>(
  world: World,
  n: number,
  able: readonly T[],
): T | undefined => {
  const owners = able.filter(({ customer }) => subCustomers(world, customer).length > 0);
  return pick(n % 3 === 0 || owners.length === 0 ? able : owners, n);
};

function target(world: World, top: Customer, { on, n }: Who): Customer | undefined {
  return on === null ? undefined : pickCustomer(world, top, on, n % 3 === 0 ? 'any' : 'owners');
}

/** For whom a REST call runs, and whether that is said. */
function meaning(world: World, caller: Customer, who: Who, owner: Customer | undefined) {
  if (owner && isWithin(caller, owner)) return { isNamed: owner !== caller, meant: owner };
  return { isNamed: who.on !== null, meant: target(world, caller, who) };
}

function overMethods(world: World, who: Extract<Who, { kind: 'password' | 'trusted' }>): Sending {
  const able = world.customers
    .filter(({ api_password, deleted }) => api_password !== null && !deleted)
    .map((customer) => ({ customer }));
  const caller = mostlyOwners(world, who.n, able)?.customer ?? world.root;
  const top = who.kind === 'trusted' ? world.root : caller;
  const named = target(world, top, who);
  // Root is everybody's: its login must not be locked by the histories together.
  const right = who.right || caller === world.root;
  const sender: Sender =
    who.kind === 'trusted' ? { kind: 'trusted' } : { kind: 'password', customer: caller, right };
  const password = right ? (caller.api_password ?? '') : 'not-the-password';
  const way: Way = {
    face: who.face,
    ...(who.kind === 'password' && { proof: { by: who.by, login: loginOf(world, caller), password } }),
  };
  const i_wholesaler = who.on === null ? undefined : (named?.id ?? 2_000_000_000);
  return { sender, way, actor: named ?? top, ...(i_wholesaler !== undefined && { i_wholesaler }) };
}

/** For a call about something that is there already: mostly a customer that has such. */
function ownerFor(world: World, { n }: Who, order: Order | undefined): Customer | undefined {
  const arg = order?.args['uuid'] ?? order?.args['id'];
  if (n % 4 === 0 || typeof arg !== 'object' || arg === null || !('$' in arg)) return undefined;
  const symbol = arg as Symbol;
  if (symbol.$ === 'agent') {
    const others = world.users.filter(({ kind, deleted }) => kind === 'other' && !deleted);
    return pick(others, n)?.customer;
  }
  if (symbol.$ === 'entry') return pick(world.payments, n)?.customer;
  if (symbol.$ !== 'thing') return undefined;
  return pick(
    world.things.filter(({ kind, deleted }) => kind === symbol.of && !deleted),
    n,
  )?.owner;
}

function ownLogin(world: World, { as }: Who): User | undefined {
  const customer = as === undefined ? undefined : world.customers[as];
  return customer && defaultUser(world, customer);
}

/** Those who may act for the customer; all, where none is meant. */
const within = <T extends { readonly customer: Customer }>(
  able: readonly T[],
  meant: Customer | undefined,
): readonly T[] => {
  const found = meant ? able.filter(({ customer }) => isWithin(customer, meant)) : [];
  return found.length > 0 ? found : able;
};

/** A customer by its API password, or one of its users by its own. */
function withHeaders(
  world: World,
  who: Extract<Who, { kind: 'headers' }>,
  owner: Customer | undefined,
): Sending {
  const customers = world.customers.filter(({ deleted }) => !deleted);
  const able = customers.flatMap((customer) =>
    usersOf(world, customer).filter(({ kind, password }) =>
      kind === 'default' ? customer.api_password !== null : kind === 'other' && password !== undefined,
    ),
  );
  const others = able.filter(({ kind }) => kind === 'other');
  const among = who.n % 5 === 0 && others.length > 0 ? others : able;
  const user = ownLogin(world, who) ?? mostlyOwners(world, who.n, within(among, owner));
  if (!user) throw new Error('Nobody may call, not even root');
  const { customer } = user;
  const right = who.right || customer === world.root;
  const proof = user.kind === 'default' ? customer.api_password : user.password;
  const { isNamed, meant } = meaning(world, customer, who, owner);
  const named = isNamed ? (meant?.attributes['name'] ?? 'nobody') : undefined;
  const headers = {
    'x-auth-reseller': text(customer.attributes['name']),
    'x-auth-user': who.n % 2 === 0 ? (user.short_name ?? user.web_login) : user.web_login,
    'x-auth-password': right ? (proof ?? '') : 'not-the-password',
    ...(named !== undefined && { 'x-auth-for': text(named) }),
  };
  return {
    sender: { kind: 'headers', user, right },
    way: {
      face: 'reseller',
      headers,
      query: {},
      words: `${headers['x-auth-reseller']} / ${headers['x-auth-user']} for ${text(named ?? null)}`,
    },
    actor: meant ?? customer,
    ...(named !== undefined && { named: { name_class: meant?.name_class ?? 'nobody' } }),
  };
}

/** By a token, mostly the last one of a person, or by an access key. */
function withToken(
  world: World,
  who: Extract<Who, { kind: 'tenant' }>,
  owner: Customer | undefined,
  isLogout: boolean,
): Sending | NeedsLogin {
  const keys = world.things.filter(({ kind, secret }) => kind === 'access key' && secret !== undefined);
  const key = who.by === 'access key' && !isLogout ? pick(keys, who.n) : undefined;
  if (key) return asTenant(world, who, { kind: 'access key', key }, owner);
  const people = world.users.filter(
    ({ kind, password, deleted, tokens }) =>
      kind !== 'recovery' && ((password !== undefined && !deleted) || (tokens.length > 0 && who.n % 5 === 0)),
  );
  const others = people.filter(({ kind }) => kind === 'other');
  const among = who.n % 4 < 2 && others.length > 0 ? others : people;
  const user = ownLogin(world, who) ?? mostlyOwners(world, who.n, within(among, owner));
  if (!user) throw new Error('Nobody can log in, not even root');
  const token = user.tokens.at(who.n % 6 === 0 ? 0 : -1);
  const isStale = token === undefined || token.ended || token.password !== user.passwords;
  if (token === undefined || (isStale && who.n % 4 !== 0 && !user.deleted)) return { logsIn: user };
  return asTenant(world, who, { kind: 'token', token }, owner);
}

function asTenant(
  world: World,
  who: Extract<Who, { kind: 'tenant' }>,
  sender: Extract<Sender, { kind: 'token' | 'access key' }>,
  owner: Customer | undefined,
): Sending {
  const top = sender.kind === 'token' ? sender.token.user.customer : sender.key.owner;
  const { isNamed, meant } = meaning(world, top, who, owner);
  const uuid = meant?.uuid ?? nobodysUuid;
  const on: Record<string, string> = isNamed ? { customer_id: uuid } : {};
  return {
    sender,
    way: { face: 'tenant', ...shownAs(who.by, sender, on), words: wordsOf(sender, on) },
    actor: meant ?? top,
    ...(isNamed && { named: { uuid } }),
  };
}

function shownAs(
  by: Extract<Who, { kind: 'tenant' }>['by'],
  sender: Extract<Sender, { kind: 'token' | 'access key' }>,
  on: Readonly<Record<string, string>>,
): Pick<RestWay, 'headers' | 'query'> {
  if (sender.kind === 'access key')
    return { headers: {}, query: { ...on, accesskey: sender.key.secret ?? '' } };
  const { text: token } = sender.token;
  if (by === 'query') return { headers: {}, query: { ...on, token } };
  if (by === 'cookie') return { headers: { cookie: `token=${token}` }, query: on };
  return { headers: { authorization: `Bearer ${token}` }, query: on };
}

const wordsOf = (sender: Sender, on: Readonly<Record<string, string>>): string => {
  const who = sender.kind === 'token' ? sender.token.user.web_login : 'an access key';
  return `${who} for ${on['customer_id'] ?? 'itself'}`;
};
