/** The rules of customers over XML-RPC: making, changing, reading, deleting them, and what may be granted. */
import {
  type Customer,
  type Json,
  type Members,
  type Tariff,
  type User,
  type World,
  defaultUser,
  defaults,
  heldMask,
  heldSwitch,
  isWithin,
  masks,
  micro,
  newCustomer,
  newUser,
  numberOf,
  setPassword,
  subCustomers,
  switches,
  text,
  usersOf,
  wire,
} from '../world';
import {
  type Ground,
  type Laws,
  type Law,
  type Rule,
  add,
  below,
  demandPolicy,
  demandRoomBelow,
  edit,
  numberOrNull,
  ok,
  refuse,
  remove,
  textOrNull,
  within,
} from './law';
import { type Spendable, book, creditOf, demandCommitment, moveOf } from './books';

/** Nothing may be given that the granter lacks. */
function demandHeld(granter: Customer, params: Members): void {
  for (const name of masks) {
    if ((Number(params[name] ?? 0) & ~heldMask(granter, name)) !== 0) refuse(403);
  }
  for (const name of switches) {
    if ((params[name] === 1 || params[name] === true) && !heldSwitch(granter, name)) refuse(403);
  }
}

function demandAccess(
  actor: Customer,
  params: Members,
  now: { readonly api_access: Json | undefined; readonly api_password: string | null },
): void {
  const changesAccess = params['api_access'] !== undefined && params['api_access'] !== now.api_access;
  const password = params['api_password'];
  const changesPassword = typeof password === 'string' || (password === null && now.api_password !== null);
  if ((changesAccess || changesPassword) && !heldSwitch(actor, 'api_mgmt')) refuse(403);
}

export function grantedDepth(owner: Customer, wanted: Json | undefined): number | null {
  const own = numberOrNull(owner.attributes['max_depth']);
  const most = own === null ? null : Math.max(own - 1, 0);
  if (wanted === undefined) return most;
  if (most !== null && (wanted === null || Number(wanted) > most)) refuse(403);
  return numberOrNull(wanted);
}

const dictionaries: Readonly<Record<string, (world: World, value: Json) => boolean>> = {
  i_routing_group: (world, value) => world.groups.has(Number(value)),
  i_password_policy: (_world, value) => value === 1 || value === 2,
  i_time_zone: (_world, value) => value === 1 || value === 370,
  i_export_type: (_world, value) => value === 1 || value === 2,
  payment_method: (_world, value) => Number(value) >= 1 && Number(value) <= 7,
  i_lang: (_world, value) => value === 'en' || value === 'ar',
};

/** Answers the tariff that is given; refuses what refers to nothing. */
function references(ground: Ground, owner: Customer, itself?: Customer): Tariff | undefined {
  const { world, actor, params } = ground;
  const { i_tariff, i_commission_agent: agent } = params;
  const tariff = world.tariffs.find(({ id }) => id === i_tariff);
  if (typeof i_tariff === 'number' && tariff?.owner !== owner) refuse(401);
  for (const [name, stands] of Object.entries(dictionaries)) {
    const value = params[name];
    if (value !== undefined && value !== null && !stands(world, value)) refuse(401);
  }
  if (typeof agent === 'number') {
    const found = world.customers.find(({ id, deleted }) => id === agent && !deleted);
    if (!found || !isWithin(actor, found) || found === itself) refuse(401);
  }
  return tariff;
}

function demandFree({ world, params, classes }: Ground, itself?: Customer): void {
  const living = world.customers.filter((each) => !each.deleted && each !== itself);
  if (params['name'] !== undefined && living.some((each) => each.name_class === classes['name'])) refuse(409);
  if (params['name'] !== undefined) demandNoLogins(world, classes['name'] ?? '', itself);
  const alias = params['dns_alias'] ?? null;
  const taken = living.some(
    ({ attributes }) => text(attributes['dns_alias'] ?? null).toLowerCase() === text(alias).toLowerCase(),
  );
  if (typeof alias === 'string' && taken) refuse(409);
}

/** A login that ends with an @ and the name of a living customer is that customer's. */
const endsWith = (login_class: string, name_class: string): boolean => login_class.endsWith(`@${name_class}`);

/** Nobody takes a name that would make the logins of others its own. */
export function demandNoLogins(world: World, name_class: string, itself?: Customer): void {
  const isOthers = (user: User): boolean => !user.deleted && user.customer !== itself;
  if (world.users.some((user) => isOthers(user) && endsWith(user.login_class, name_class))) refuse(409);
}

/** The login is nobody's, and ends with nobody's name but that of its customer, which may be a new one. */
export function demandLoginFree(
  world: World,
  login_class: string | undefined,
  itself: User | undefined,
  customer: Customer | undefined,
): void {
  const taken = world.users.some(
    (each) => !each.deleted && each !== itself && each.login_class === login_class,
  );
  if (login_class !== undefined && taken) refuse(409);
  const isOthers = world.customers.some(
    (each) => !each.deleted && each !== customer && endsWith(login_class ?? '', each.name_class),
  );
  if (isOthers) refuse(409);
}

/** The attributes of a call that are kept as they come. */
function keptAttributes(params: Members): Members {
  return Object.fromEntries(
    Object.entries(params).filter(([name]) => name in defaults || name === 'i_tariff' || name === 'name'),
  );
}

const createCustomer: Rule = (ground) => {
  const { world, actor, params, classes } = ground;
  demandPolicy(params['web_password'], params['i_password_policy'] ?? 1);
  demandHeld(actor, params);
  demandAccess(actor, params, { api_access: 0, api_password: null });
  if (params['i_tariff'] === null && !heldSwitch(actor, 'use_own_tariff')) refuse(403);
  demandRoomBelow(actor);
  const max_depth = grantedDepth(actor, params['max_depth']);
  const tariff = references(ground, actor);
  demandFree(ground);
  const login_class = classes['web_login'] ?? classes['name'] ?? '';
  demandLoginFree(world, login_class, undefined, undefined);
  const balance = micro(Number(params['balance'] ?? 0));
  const attributes = { ...defaults, ...keptAttributes(params), max_depth };
  const currency = tariff?.currency ?? actor.currency;
  const made = {
    ...newCustomer(actor, classes['name'] ?? '', attributes, currency),
    api_password: textOrNull(params['api_password']),
  };
  demandCommitment(world, new Map([[made, { balance, credit: creditOf(made) }]]));
  return {
    result: { result: 'OK' },
    adopts: 'i_customer',
    adopt: ({ i_customer }) => {
      const web_login = text(params['web_login'] ?? params['name']);
      const password = text(params['web_password']);
      settle(world, Object.assign(made, { id: Number(i_customer) }), { web_login, login_class, password });
      if (balance !== 0n) book(world, made, 'opening', [moveOf(made, balance)]);
    },
  };
};

/** A new customer comes with its own login and with the guest agent, over any face. */
export function settle(
  world: World,
  customer: Customer,
  login: { web_login: string; login_class: string; password: string | undefined },
): void {
  world.customers.push(customer);
  world.users.push(newUser(customer, 'default', login));
  const guest = { web_login: '', login_class: '', password: undefined, name: 'guest agent' };
  world.users.push(newUser(customer, 'recovery', guest));
}

const updateCustomer: Rule = (ground) => {
  const { world, actor, params, classes } = ground;
  const target = below(ground);
  const owner = target.owner ?? world.root;
  const user = defaultUser(world, target);
  const newLogin = params['web_login'] !== undefined && params['web_login'] !== user.web_login;
  if (newLogin && target.api_password !== null && params['api_password'] === undefined) refuse(400);
  const policy =
    params['i_password_policy'] === undefined
      ? target.attributes['i_password_policy']
      : params['i_password_policy'];
  demandPolicy(params['web_password'], policy);
  demandHeld(actor, params);
  demandHeld(owner, params);
  demandAccess(actor, params, {
    api_access: target.attributes['api_access'],
    api_password: target.api_password,
  });
  const inherits = params['i_tariff'] === null && target.attributes['i_tariff'] !== null;
  if (inherits && !heldSwitch(actor, 'use_own_tariff')) refuse(403);
  if (params['max_depth'] !== undefined) grantedDepth(owner, params['max_depth']);
  const tariff = references(ground, owner, target);
  demandFree(ground, target);
  if (newLogin) demandLoginFree(world, classes['web_login'], user, target);
  const currency = params['i_tariff'] === undefined ? target.currency : (tariff?.currency ?? owner.currency);
  const changed = currency === target.currency ? [] : inheritors(world, target);
  if (changed.some(({ entries }) => entries.length > 0)) refuse(409);
  const balance = params['balance'] === undefined ? target.balance : micro(Number(params['balance']));
  const credit =
    params['credit_limit'] === undefined ? creditOf(target) : micro(numberOf(params['credit_limit']));
  demandCommitment(world, new Map<Customer, Spendable>([[target, { balance, credit }]]));

  if (params['name'] !== undefined) rename(world, target, text(params['name']), classes['name'] ?? '');
  Object.assign(target.attributes, keptAttributes(params));
  if (params['web_login'] !== undefined) {
    user.web_login = text(params['web_login']);
    user.login_class = classes['web_login'] ?? '';
  }
  if (params['web_password'] !== undefined) setPassword(user, text(params['web_password']));
  if (params['api_password'] !== undefined) target.api_password = params['api_password'] as string | null;
  for (const each of changed) each.currency = currency;
  const amount = balance - target.balance;
  if (amount !== 0n) book(world, target, 'adjustment', [moveOf(target, amount)]);
  return ok;
};

/** The logins that hold the customer's name follow it. */
export function rename(world: World, customer: Customer, name: string, name_class: string): void {
  const isOther = customer.attributes['name'] !== name;
  customer.attributes['name'] = name;
  customer.name_class = name_class;
  for (const user of isOther ? usersOf(world, customer) : []) {
    if (user.short_name === null) continue;
    user.web_login = `${user.short_name}@${name}`;
    user.login_class = `${user.short_class ?? ''}@${name_class}`;
  }
}

/** The customer and everybody who is billed by its tariff. */
function inheritors(world: World, customer: Customer): Customer[] {
  const heirs = subCustomers(world, customer).filter(({ attributes }) => attributes['i_tariff'] === null);
  return [customer, ...heirs.flatMap((heir) => inheritors(world, heir))];
}

const deleteCustomer: Rule = (ground) => {
  return { result: { result: 'OK', ...removeCustomer(ground.world, below(ground)) } };
};

/** Over REST who still holds money stays, unless it is said that the balance is to be closed. */
export function removeCarefully({ world, params }: Ground, target: Customer): Members {
  const holdsMoney = subCustomers(world, target).length === 0 && target.balance > 0n;
  if (holdsMoney && params['close_balance'] !== true) refuse(409);
  return removeCustomer(world, target);
}

/** A debt is its owner's, and prepaid money returns to the owner; the rest is the platform's, as is all across currencies. */
function closeBalance(world: World, target: Customer): Members {
  const { balance, prepaid, owner } = target;
  const bearer = owner !== world.root && owner?.currency === target.currency ? owner : undefined;
  const returned = bearer ? prepaid : 0n;
  const debt = bearer && balance < 0n ? -balance : 0n;
  const moves = [moveOf(target, -balance), ...(bearer ? [moveOf(bearer, returned - debt, returned)] : [])];
  if (balance !== 0n) book(world, target, 'closing', moves);
  return { closed: wire(balance), returned: wire(returned), debt: wire(debt) };
}

/** What it owned is free again, its books stay. Answers what became of its money. */
export function removeCustomer(world: World, target: Customer): Members {
  if (subCustomers(world, target).length > 0) refuse(409);
  const closed = closeBalance(world, target);
  target.deleted = true;
  target.attributes['i_tariff'] = null;
  target.attributes['i_routing_group'] = null;
  target.api_password = null;
  target.store = undefined;
  target.ranges = [];
  for (const thing of world.things) if (thing.owner === target) thing.deleted = true;
  for (const user of world.users) if (user.customer === target) user.deleted = true;
  for (const other of world.customers) {
    if (other.attributes['i_commission_agent'] === target.id) other.attributes['i_commission_agent'] = null;
  }
  const kept = world.tariffs.filter(({ owner }) => owner !== target);
  world.tariffs.splice(0, world.tariffs.length, ...kept);
  return closed;
}

const setBlocked =
  (blocked: boolean): Rule =>
  (ground) => {
    below(ground).blocked = blocked;
    return ok;
  };

const getCustomerInfo: Rule = (ground) => {
  const { world, actor, params, classes } = ground;
  const byName = world.customers.find((each) => !each.deleted && each.name_class === classes['name']);
  const named = byName && isWithin(actor, byName) ? byName : undefined;
  const customer = params['name'] === undefined ? within(ground) : (named ?? refuse(404));
  if (customer === world.root) {
    return { result: { id: 1 }, see: ({ customer: seen }) => ({ id: (seen as Members)['i_customer'] }) };
  }
  return { result: { result: 'OK', customer: infoOf(world, customer) } };
};

const infoOf = (world: World, customer: Customer): Members => ({
  ...customer.attributes,
  i_customer: customer.id,
  i_wholesaler: customer.owner?.id ?? null,
  base_currency: customer.currency,
  blocked: customer.blocked,
  balance: wire(customer.balance),
  prepaid: wire(customer.prepaid),
  web_login: defaultUser(world, customer).web_login,
});

const folded = (value: unknown): string => (typeof value === 'string' ? value.toLowerCase() : '');

const listCustomers: Rule = ({ world, actor, params }) => {
  const { offset, limit, after, with_total } = params;
  // Of root's sub-customers only those of this history are asked for, by its prefix; the tenant API gives names of its own.
  const beginning = folded(params['name_pattern']).slice(0, -1);
  const all = subCustomers(world, actor).filter(({ attributes }) =>
    folded(attributes['name']).startsWith(beginning),
  );
  const from = all.filter(({ id }) => id > Number(after ?? 0)).slice(Number(offset ?? 0));
  const customers = from.slice(0, limit === undefined ? undefined : Number(limit)).map((customer) => ({
    i_customer: customer.id,
    name: customer.attributes['name'] ?? null,
    web_login: defaultUser(world, customer).web_login,
    description: customer.attributes['description'] ?? null,
    balance: wire(customer.balance),
    credit_limit: customer.attributes['credit_limit'] ?? 0,
    base_currency: customer.currency,
  }));
  return { result: { result: 'OK', customers, ...(with_total === 1 && { total: all.length }) } };
};

export const customersRight = (bit: number, rule: Rule): Law => ({ right: ['customers_mgmt', bit], rule });

export const customerLaws: Laws = {
  createCustomer: customersRight(add, createCustomer),
  getCustomerInfo: { rule: getCustomerInfo },
  updateCustomer: customersRight(edit, updateCustomer),
  deleteCustomer: customersRight(remove, deleteCustomer),
  blockCustomer: customersRight(edit, setBlocked(true)),
  unblockCustomer: customersRight(edit, setBlocked(false)),
  listCustomers: { rule: listCustomers },
};
