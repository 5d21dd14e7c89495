/**
 * The rules of the contract, once more and in the plainest form: what a call must answer, and what
 * it changes. Only fault numbers are foretold, not their texts. The order of the checks is the
 * contract's: parameters, actor, right, target, grant and depth, reference, conflict, money.
 */
import {
  type Customer,
  type Json,
  type Members,
  type Micro,
  type Payment,
  type Tariff,
  type User,
  type World,
  chain,
  defaultUser,
  defaults,
  heldMask,
  heldSwitch,
  isBelow,
  isBlocked,
  isWithin,
  masks,
  micro,
  newUser,
  subCustomers,
  switches,
  text,
  wire,
} from './world';

/** Who sends a call, as far as the rules go. */
export type Sender =
  | { readonly kind: 'password'; readonly customer: Customer; readonly right: boolean }
  | { readonly kind: 'trusted' };

/** A text of the call that is a name or a login, with what makes it one with others. */
export type Classes = Readonly<Record<string, string>>;

export interface ModelCall {
  readonly sender: Sender;
  readonly method: string;
  /** As they go out, `i_wholesaler` among them. */
  readonly params: Members;
  /** Of `name` and `web_login` and `username`: the class of the text. */
  readonly classes: Classes;
  /** The parameters were spoiled, so that they must be refused. */
  readonly spoiled: boolean;
}

/** What a call must come to. `adopt` gets what only the server can know, such as a new id. */
export interface Expected {
  readonly fault?: number;
  readonly result?: Members;
  readonly adopt?: (answer: Members) => void;
  /** What of the answer is compared; absent: all of it but what `adopts` names. */
  readonly see?: (answer: Members) => unknown;
  readonly adopts?: string;
}

/** Stands for an id that the server gave within the same multicall, and that nobody told yet. */
export const unknown = '(any id)';

class Refusal extends Error {
  constructor(readonly fault: number) {
    super(`fault ${fault}`);
  }
}
const refuse = (fault: number): never => {
  throw new Refusal(fault);
};

/** What the door says before the call is looked at: 401 and 429 as a status, 403 as a fault, undefined: come in. */
export function atTheDoor(world: World, sender: Sender): 401 | 403 | 429 | undefined {
  if (sender.kind === 'trusted') return undefined;
  const { customer, right } = sender;
  const { login_class } = defaultUser(world, customer);
  const knocks = world.knocks.get(login_class) ?? 0;
  if (knocks >= 20) return 429;
  if (customer.deleted || customer.api_password === null || !right) {
    world.knocks.set(login_class, knocks + 1);
    return 401;
  }
  if (isBlocked(customer) || !heldSwitch(customer, 'api_access')) return 403;
  return undefined;
}

/** Answers what the call must come to, and makes its change in the world. */
export function foretell(world: World, call: ModelCall): Expected {
  try {
    return judge(world, call);
  } catch (error) {
    if (error instanceof Refusal) return { fault: error.fault };
    throw error;
  }
}

interface Ground {
  readonly world: World;
  readonly actor: Customer;
  readonly params: Members;
  readonly classes: Classes;
  /** Keeps keys of different callers apart. */
  readonly scope: string;
}
type Rule = (ground: Ground) => Expected;

interface Law {
  /** Bit of customers_mgmt or tariffs_mgmt, or root alone. */
  readonly right?: readonly ['customers_mgmt' | 'tariffs_mgmt', number] | 'root';
  readonly optionalActor?: true;
  readonly rule: Rule;
}

function judge(world: World, { sender, method, params: given, classes, spoiled }: ModelCall): Expected {
  const law = laws[method];
  if (!law) return { fault: -32601 };
  if (spoiled) refuse(400);
  const { i_wholesaler, ...params } = given;
  parametersAlone(method, params);
  const actor = actorOf(world, sender, i_wholesaler, law);
  if (isBlocked(actor)) refuse(403);
  if (law.right === 'root' && actor !== world.root) refuse(403);
  if (Array.isArray(law.right)) demandRight(actor, law.right[0] as string, law.right[1] as number);
  const who =
    sender.kind === 'trusted' ? 'trusted' : `login ${defaultUser(world, sender.customer).web_login}`;
  return once({ world, actor, params, classes, scope: `${who} ${actor.id} ${method}` }, law.rule);
}

/** What is wrong whoever calls and whatever is known. */
function parametersAlone(method: string, params: Members): void {
  const { web_password, name, web_login } = params;
  if (typeof web_password === 'string' && web_password.length < 8) refuse(400);
  if (method === 'createCustomer' && web_login === undefined && /[:'"]/.test(text(name))) refuse(400);
  if (typeof web_login === 'string' && method !== 'resetCustomerOneTimePassword' && /[:'"]/.test(web_login))
    refuse(400);
  if (typeof params['amount'] === 'number' && params['amount'] <= 0) refuse(400);
  if (['updateCustomer', 'updateWebUser', 'updateTariff'].includes(method) && Object.keys(params).length < 2)
    refuse(400);
}

function actorOf(world: World, sender: Sender, named: Json | undefined, law: Law): Customer {
  const found = world.customers.find(({ id, deleted }) => id === named && !deleted);
  if (sender.kind === 'password') {
    if (named === undefined) return sender.customer;
    return found && isWithin(sender.customer, found) ? found : refuse(404);
  }
  if (named === undefined) return law.optionalActor ? world.root : refuse(400);
  return found ?? refuse(404);
}

function demandRight(actor: Customer, mask: string, bit: number): void {
  if ((heldMask(actor, mask) & bit) === 0) refuse(403);
}

/** With a key a call happens once. */
function once(ground: Ground, rule: Rule): Expected {
  const { idempotency_key: key, ...content } = ground.params;
  if (key === undefined) return rule(ground);
  const { keys } = ground.world;
  const id = `${ground.scope} ${text(key)}`;
  const said = JSON.stringify(Object.entries(content).sort());
  const before = keys.get(id);
  if (before) return before.content === said ? { result: before.answer } : refuse(409);
  const expected = rule(ground);
  return {
    ...expected,
    adopt: (answer) => {
      expected.adopt?.(answer);
      keys.set(id, { content: said, answer });
    },
  };
}

const ok: Expected = { result: { result: 'OK' } };
const add = 1;
const edit = 2;
const remove = 4;

// ---------------------------------------------------------------- customers

function below({ world, actor, params }: Ground, member = 'i_customer'): Customer {
  const found = world.customers.find(({ id, deleted }) => id === params[member] && !deleted);
  return found && isBelow(actor, found) ? found : refuse(404);
}

/** The actor itself or somebody below it. */
function within({ world, actor, params }: Ground, deletedToo = false): Customer {
  const found = world.customers.find(({ id }) => id === params['i_customer']);
  return found && isWithin(actor, found) && (deletedToo || !found.deleted) ? found : refuse(404);
}

function demandPolicy(password: Json | undefined, policy: Json | undefined): void {
  if (typeof password !== 'string') return;
  const strong =
    password.length >= 12 && /[a-z]/.test(password) && /[A-Z]/.test(password) && /\d/.test(password);
  if (policy === 2 && !strong) refuse(400);
}

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

const numberOrNull = (value: Json | undefined): number | null => (typeof value === 'number' ? value : null);

function demandRoomBelow(owner: Customer): void {
  chain(owner).forEach(({ attributes }, distance) => {
    const depth = numberOrNull(attributes['max_depth']);
    if (depth !== null && depth - distance < 1) refuse(403);
  });
}

function grantedDepth(owner: Customer, wanted: Json | undefined): number | null {
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
  const alias = params['dns_alias'] ?? null;
  const taken = living.some(
    ({ attributes }) => text(attributes['dns_alias'] ?? null).toLowerCase() === text(alias).toLowerCase(),
  );
  if (typeof alias === 'string' && taken) refuse(409);
}

function demandLoginFree(world: World, login_class: string | undefined, itself?: User): void {
  const taken = world.users.some(
    (each) => !each.deleted && each !== itself && each.login_class === login_class,
  );
  if (login_class !== undefined && taken) refuse(409);
}

/** No top-up may bring what an owner's sub-customers have together above what the owner may commit. */
function demandCommitment(world: World, topped: Customer, balance: Micro): void {
  const { owner } = topped;
  if (owner?.attributes['overcommit_protection'] !== true || balance <= 0n) return;
  const others = subCustomers(world, owner).filter((each) => each !== topped && each.balance > 0n);
  const committed = others.reduce((sum, each) => sum + each.balance, balance);
  const tenths = BigInt(Math.round(Number(owner.attributes['overcommit_limit'] ?? 0) * 10));
  if (committed * 1_000n > owner.balance * (1_000n + tenths)) refuse(402);
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
  demandLoginFree(world, login_class);
  const balance = micro(Number(params['balance'] ?? 0));
  const made = {
    owner: actor,
    name_class: classes['name'] ?? '',
    attributes: { ...defaults, ...keptAttributes(params), max_depth },
    balance: 0n,
    currency: tariff?.currency ?? actor.currency,
    api_password: typeof params['api_password'] === 'string' ? params['api_password'] : null,
    blocked: false,
    deleted: false,
    entries: [],
  };
  demandCommitment(world, { ...made, id: 0 }, balance);
  return {
    result: { result: 'OK' },
    adopts: 'i_customer',
    adopt: ({ i_customer }) => {
      const customer: Customer = { ...made, id: Number(i_customer) };
      world.customers.push(customer);
      const web_login = text(params['web_login'] ?? params['name']);
      world.users.push(
        newUser(customer, 'default', { web_login, login_class, password: text(params['web_password']) }),
      );
      if (balance !== 0n) book(world, customer, 'opening', balance);
    },
  };
};

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
  if (newLogin) demandLoginFree(world, classes['web_login'], user);
  const currency = params['i_tariff'] === undefined ? target.currency : (tariff?.currency ?? owner.currency);
  const changed = currency === target.currency ? [] : inheritors(world, target);
  if (changed.some(({ entries }) => entries.length > 0)) refuse(409);
  const balance = params['balance'] === undefined ? target.balance : micro(Number(params['balance']));
  if (balance > target.balance) demandCommitment(world, target, balance);

  Object.assign(target.attributes, keptAttributes(params));
  if (params['name'] !== undefined) target.name_class = classes['name'] ?? '';
  if (params['web_login'] !== undefined) {
    user.web_login = text(params['web_login']);
    user.login_class = classes['web_login'] ?? '';
  }
  if (params['web_password'] !== undefined) user.password = text(params['web_password']);
  if (params['api_password'] !== undefined) target.api_password = params['api_password'] as string | null;
  for (const each of changed) each.currency = currency;
  if (balance !== target.balance) book(world, target, 'adjustment', balance - target.balance);
  return ok;
};

/** The customer and everybody who is billed by its tariff. */
function inheritors(world: World, customer: Customer): Customer[] {
  const heirs = subCustomers(world, customer).filter(({ attributes }) => attributes['i_tariff'] === null);
  return [customer, ...heirs.flatMap((heir) => inheritors(world, heir))];
}

const deleteCustomer: Rule = (ground) => {
  const { world } = ground;
  const target = below(ground);
  if (subCustomers(world, target).length > 0) refuse(409);
  if (target.balance !== 0n) book(world, target, 'closing', -target.balance);
  target.deleted = true;
  target.attributes['i_tariff'] = null;
  target.attributes['i_routing_group'] = null;
  target.api_password = null;
  for (const user of world.users) if (user.customer === target) user.deleted = true;
  for (const other of world.customers) {
    if (other.attributes['i_commission_agent'] === target.id) other.attributes['i_commission_agent'] = null;
  }
  const kept = world.tariffs.filter(({ owner }) => owner !== target);
  world.tariffs.splice(0, world.tariffs.length, ...kept);
  return ok;
};

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
  web_login: defaultUser(world, customer).web_login,
});

const listCustomers: Rule = ({ world, actor, params }) => {
  const { offset, limit, after, with_total } = params;
  // Of root's sub-customers only those of this history are asked for, by its prefix.
  const all = subCustomers(world, actor).filter(() => params['name_pattern'] !== 'nobody%');
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

// ------------------------------------------------------------------- money

function book(
  world: World,
  customer: Customer,
  kind: string,
  amount: Micro,
  more: { notes?: string | null; time?: string | undefined; reverses?: Payment; payer?: Customer } = {},
): Payment {
  const { notes = null, time, reverses, payer } = more;
  const { currency } = customer;
  const payment: Payment = {
    id: undefined,
    customer,
    kind,
    amount,
    currency,
    notes,
    time,
    reverses,
    reversed: false,
  };
  world.payments.push(payment);
  customer.balance += amount;
  customer.entries.push({ payment, amount });
  if (payer) {
    payer.balance -= amount;
    payer.entries.push({ payment, amount: -amount });
  }
  if (reverses) reverses.reversed = true;
  return payment;
}

/** The new payment's id is the answer. */
const booked = (payment: () => Payment): Expected => ({
  result: { result: 'OK' },
  adopts: 'i_payment',
  adopt: ({ i_payment }) => {
    payment().id = Number(i_payment);
  },
});

const funds =
  (kind: string, sign: 1n | -1n): Rule =>
  (ground) => {
    const { world, params } = ground;
    const target = below(ground);
    if (params['currency'] !== target.currency) refuse(400);
    const amount = sign * micro(Number(params['amount']));
    if (amount > 0n) demandCommitment(world, target, target.balance + amount);
    const notes = typeof params['payment_notes'] === 'string' ? params['payment_notes'] : null;
    const time = params['payment_time'] === undefined ? undefined : '09:57:29.000 GMT Wed Nov 18 2009';
    return booked(() => book(world, target, kind, amount, { notes, time }));
  };

const transferFunds: Rule = (ground) => {
  const { world, actor, params } = ground;
  const target = below(ground);
  const amount = micro(Number(params['amount']));
  if (actor === world.root) return booked(() => book(world, target, 'transfer', amount));
  if (target.currency !== actor.currency) refuse(400);
  if (amount > actor.balance) refuse(402);
  return booked(() => book(world, target, 'transfer', amount, { payer: actor }));
};

const reversePayment: Rule = (ground) => {
  const { world, actor, params } = ground;
  const payment = world.payments.find(({ id }) => id === params['i_payment']);
  if (!payment || payment.customer.deleted || !isBelow(actor, payment.customer)) return refuse(404);
  if (payment.kind === 'transfer' || payment.kind === 'reversal' || payment.reversed) refuse(409);
  const { customer, amount } = payment;
  if (amount < 0n) demandCommitment(world, customer, customer.balance - amount);
  return booked(() => book(world, customer, 'reversal', -amount, { reverses: payment }));
};

/** A payment as it is seen from an account. */
function seenPayment(payment: Payment, customer: Customer, amount: Micro): Members {
  return {
    i_payment: payment.id ?? unknown,
    i_customer: customer.id,
    type: amount < 0n ? 'debit' : 'credit',
    kind: payment.kind,
    amount: wire(amount < 0n ? -amount : amount),
    currency: payment.currency,
    payment_time: payment.time ?? null,
    payment_notes: payment.notes,
    i_reversed: payment.reverses?.id ?? null,
    reversed: payment.reversed,
  };
}

/** A time that nobody gave is the moment of the call, which the model does not know. */
const withoutNow = (payment: Members): Members =>
  payment['payment_time'] === '09:57:29.000 GMT Wed Nov 18 2009'
    ? payment
    : { ...payment, payment_time: null };

const getPaymentsList: Rule = (ground) => {
  const { offset, limit, type } = ground.params;
  const customer = within(ground, true);
  const wanted = customer.entries
    .map(({ payment, amount }) => seenPayment(payment, customer, amount))
    .filter((payment) => type === undefined || payment['type'] === type)
    .slice(Number(offset ?? 0))
    .slice(0, limit === undefined ? undefined : Number(limit));
  const see = ({ payments }: Members): unknown => ({ payments: (payments as Members[]).map(withoutNow) });
  return { result: { payments: wanted }, see };
};

const getPaymentInfo: Rule = ({ world, actor, params }) => {
  const payment = world.payments.find(({ id }) => id === params['i_payment']);
  if (!payment || !isWithin(actor, payment.customer)) return refuse(404);
  const seen = seenPayment(payment, payment.customer, payment.amount);
  return {
    result: { payment: seen },
    see: (answer) => ({ payment: withoutNow(answer['payment'] as Members) }),
  };
};

const getStatement: Rule = (ground) => {
  const customer = within(ground, true);
  let balance = 0n;
  const entries = customer.entries.map(({ payment, amount }) => ({
    i_payment: payment.id ?? unknown,
    kind: payment.kind,
    amount: wire(amount),
    balance: wire((balance += amount)),
    payment_notes: payment.notes,
  }));
  const see = (answer: Members): unknown => ({
    ...answer,
    entries: (answer['entries'] as Members[]).map(({ booked_at: _now, ...entry }) => entry),
  });
  return { result: { result: 'OK', opening: 0, entries, closing: wire(balance) }, see };
};

// ------------------------------------------------------------------ people

const loginWithin = ({ world, actor, classes }: Ground, member: string): User | undefined =>
  world.users.find(
    (user) => !user.deleted && user.login_class === classes[member] && isWithin(actor, user.customer),
  );

const authCustomer: Rule = (ground) => {
  const { world, actor, params, classes } = ground;
  const scope = `${actor.id} ${classes['username'] ?? ''}`;
  const failures = world.failures.get(scope) ?? 0;
  if (failures >= 10) refuse(429);
  const user = loginWithin(ground, 'username');
  const standing = user !== undefined && params['password'] === user.password;
  const oneTime = user?.one_time !== undefined && params['password'] === user.one_time;
  if (!user || !(standing || oneTime)) {
    world.failures.set(scope, failures + 1);
    return refuse(403);
  }
  if (user.blocked || isBlocked(user.customer)) refuse(403);
  if (!standing) {
    user.one_time = undefined;
    refuse(410);
  }
  return {
    result: {
      result: 'OK',
      i_customer: user.customer.id,
      i_web_user: user.id ?? unknown,
      i_access_level: user.level,
    },
  };
};

const resetOneTime: Rule = (ground) => {
  const { world, actor } = ground;
  const user = loginWithin(ground, 'web_login');
  if (user?.customer !== actor) demandRight(actor, 'customers_mgmt', edit);
  if (!user) return refuse(404);
  for (const scope of world.failures.keys()) {
    if (scope.slice(scope.indexOf(' ') + 1) === user.login_class) world.failures.delete(scope);
  }
  return {
    result: { result: 'OK' },
    adopts: 'password',
    adopt: ({ password }) => {
      user.one_time = text(password);
    },
  };
};

const createWebUser: Rule = (ground) => {
  const { world, actor, params, classes } = ground;
  const given = params['i_customer'];
  if (given !== undefined && given !== actor.id) demandRight(actor, 'customers_mgmt', edit);
  const customer = given === undefined ? actor : within(ground);
  demandPolicy(params['web_password'], customer.attributes['i_password_policy']);
  demandLoginFree(world, classes['web_login']);
  return {
    result: { result: 'OK' },
    adopts: 'i_web_user',
    adopt: ({ i_web_user }) => {
      const user = newUser(customer, 'other', {
        id: Number(i_web_user),
        web_login: text(params['web_login']),
        login_class: classes['web_login'] ?? '',
        password: text(params['web_password']),
      });
      world.users.push(user);
      setUser(user, params);
    },
  };
};

function setUser(user: User, params: Members): void {
  if (params['i_access_level'] !== undefined) user.level = text(params['i_access_level']);
  for (const name of ['name', 'description', 'email'] as const) {
    if (params[name] !== undefined) user[name] = params[name] as string | null;
  }
}

/** A user that the actor may change; the right is asked for before it is told whether there is one. */
function changeableUser({ world, actor, params }: Ground): User {
  const found = world.users.find(({ id, deleted }) => id === params['i_web_user'] && !deleted);
  const user = found && isWithin(actor, found.customer) ? found : undefined;
  if (user?.customer !== actor) demandRight(actor, 'customers_mgmt', edit);
  if (!user) return refuse(404);
  if (user.kind === 'default') refuse(403);
  return user;
}

const userAnswer = (user: User): Expected => ({ result: { result: 'OK', i_web_user: user.id ?? unknown } });

const updateWebUser: Rule = (ground) => {
  const { world, params, classes } = ground;
  const user = changeableUser(ground);
  demandPolicy(params['web_password'], user.customer.attributes['i_password_policy']);
  if (params['web_login'] !== undefined) demandLoginFree(world, classes['web_login'], user);
  setUser(user, params);
  if (params['web_login'] !== undefined) {
    user.web_login = text(params['web_login']);
    user.login_class = classes['web_login'] ?? '';
  }
  if (params['web_password'] !== undefined) user.password = text(params['web_password']);
  return userAnswer(user);
};

const changeUser =
  (change: (user: User) => void): Rule =>
  (ground) => {
    const user = changeableUser(ground);
    change(user);
    return userAnswer(user);
  };

const seenUser = (user: User): Members => ({
  i_web_user: user.id ?? unknown,
  i_customer: user.customer.id,
  web_login: user.web_login,
  i_access_level: user.level,
  name: user.name,
  description: user.description,
  email: user.email,
  blocked: user.blocked,
  is_default: user.kind === 'default',
  is_recovery: false,
});

const getWebUserInfo: Rule = ({ world, actor, params }) => {
  const user = world.users.find(({ id, deleted }) => id === params['i_web_user'] && !deleted);
  if (!user || !isWithin(actor, user.customer)) return refuse(404);
  return { result: { result: 'OK', i_web_user: user.id ?? unknown, web_user: seenUser(user) } };
};

const listWebUsers: Rule = (ground) => {
  const { world, actor, params } = ground;
  const customer = params['i_customer'] === undefined ? actor : within(ground);
  const users = world.users.filter((user) => user.customer === customer && !user.deleted);
  const isOurs = (user: Members): boolean =>
    user['is_recovery'] !== true &&
    (customer !== world.root ||
      user['is_default'] === true ||
      text(user['web_login']).startsWith(world.prefix));
  const see = ({ web_users }: Members): unknown => ({ web_users: (web_users as Members[]).filter(isOurs) });
  return { result: { web_users: users.map(seenUser) }, see };
};

// --------------------------------------------------- tariffs and the platform

function ownTariff({ world, actor, params }: Ground): Tariff {
  const tariff = world.tariffs.find(({ id, owner }) => id === params['i_tariff'] && owner === actor);
  return tariff ?? refuse(404);
}

function demandTariffName({ world, actor }: Ground, name: Json | undefined, itself?: Tariff): void {
  const taken = world.tariffs.some((each) => each.owner === actor && each.name === name && each !== itself);
  if (taken) refuse(409);
}

const createTariff: Rule = (ground) => {
  const { world, actor, params } = ground;
  demandTariffName(ground, params['name']);
  return {
    result: { result: 'OK' },
    adopts: 'i_tariff',
    adopt: ({ i_tariff }) => {
      const { name, currency } = params;
      world.tariffs.push({
        id: Number(i_tariff),
        owner: actor,
        name: text(name),
        currency: text(currency),
      });
    },
  };
};

const updateTariff: Rule = (ground) => {
  const tariff = ownTariff(ground);
  const { currency, name } = ground.params;
  if (currency !== undefined && currency !== tariff.currency) refuse(400);
  demandTariffName(ground, name, tariff);
  if (name !== undefined) tariff.name = text(name);
  return ok;
};

const deleteTariff: Rule = (ground) => {
  const tariff = ownTariff(ground);
  const { customers, tariffs } = ground.world;
  if (customers.some(({ attributes }) => attributes['i_tariff'] === tariff.id)) refuse(409);
  tariffs.splice(tariffs.indexOf(tariff), 1);
  return ok;
};

const seenTariff = ({ id, name, currency }: Tariff): Members => ({ i_tariff: id, name, currency });

const listTariffs: Rule = ({ world, actor, params }) => {
  const { offset, limit } = params;
  const own = world.tariffs.filter(({ id, owner }) => owner === actor && id !== 1);
  const tariffs = own
    .slice(Number(offset ?? 0))
    .slice(0, limit === undefined ? undefined : Number(limit))
    .map(seenTariff);
  return { result: { result: 'OK', tariffs } };
};

const createGroup: Rule = ({ world, params }) => {
  if ([...world.groups.values()].includes(text(params['name']))) refuse(409);
  return {
    result: { result: 'OK' },
    adopts: 'i_routing_group',
    adopt: ({ i_routing_group }) => void world.groups.set(Number(i_routing_group), text(params['name'])),
  };
};

function group({ world, params }: Ground): number {
  const id = Number(params['i_routing_group']);
  return world.groups.has(id) ? id : refuse(404);
}

const updateGroup: Rule = (ground) => {
  const id = group(ground);
  const { groups } = ground.world;
  const name = text(ground.params['name']);
  if ([...groups].some(([other, taken]) => other !== id && taken === name)) refuse(409);
  groups.set(id, name);
  return ok;
};

const deleteGroup: Rule = (ground) => {
  const id = group(ground);
  if (ground.world.customers.some(({ attributes }) => attributes['i_routing_group'] === id)) refuse(409);
  ground.world.groups.delete(id);
  return ok;
};

const listGroups: Rule = ({ world }) => {
  const ours = [...world.groups].filter(([id]) => id !== 1).sort(([a], [b]) => a - b);
  const routing_groups = ours.map(([i_routing_group, name]) => ({ i_routing_group, name }));
  const isOurs = (each: Members): boolean => text(each['name']).startsWith(world.prefix);
  return {
    result: { routing_groups },
    see: (answer) => ({ routing_groups: (answer['routing_groups'] as Members[]).filter(isOurs) }),
  };
};

const addHost: Rule = ({ world, params }) => {
  if ([...world.hosts.values()].includes(text(params['address']))) refuse(409);
  return {
    result: { result: 'OK' },
    adopts: 'i_trusted_host',
    adopt: ({ i_trusted_host }) => void world.hosts.set(Number(i_trusted_host), text(params['address'])),
  };
};

const removeHost: Rule = ({ world, params }) =>
  world.hosts.delete(Number(params['i_trusted_host'])) ? ok : refuse(404);

const listHosts: Rule = ({ world }) => {
  const ours = [...world.hosts.keys()].sort((a, b) => a - b);
  const ids = (answer: Members): number[] =>
    (answer['trusted_hosts'] as Members[]).map((host) => Number(host['i_trusted_host']));
  return { result: { ours }, see: (answer) => ({ ours: ids(answer).filter((id) => world.hosts.has(id)) }) };
};

const isFine = (answer: Members): unknown => ({ result: answer['result'] });
const justOk: Expected = { result: { result: 'OK' }, see: isFine };

const customersRight = (bit: number, rule: Rule): Law => ({ right: ['customers_mgmt', bit], rule });
const tariffsRight = (bit: number, rule: Rule): Law => ({ right: ['tariffs_mgmt', bit], rule });
const roots = (rule: Rule): Law => ({ right: 'root', rule });

export const laws: Readonly<Record<string, Law>> = {
  createCustomer: customersRight(add, createCustomer),
  getCustomerInfo: { rule: getCustomerInfo },
  updateCustomer: customersRight(edit, updateCustomer),
  deleteCustomer: customersRight(remove, deleteCustomer),
  blockCustomer: customersRight(edit, setBlocked(true)),
  unblockCustomer: customersRight(edit, setBlocked(false)),
  listCustomers: { rule: listCustomers },
  customerAddFunds: customersRight(edit, funds('add_funds', 1n)),
  customerCredit: customersRight(edit, funds('credit', 1n)),
  customerDebit: customersRight(edit, funds('debit', -1n)),
  transferFunds: customersRight(edit, transferFunds),
  reversePayment: customersRight(edit, reversePayment),
  getPaymentsList: { rule: getPaymentsList },
  getPaymentInfo: { rule: getPaymentInfo },
  getStatement: { rule: getStatement },
  authCustomer: { optionalActor: true, rule: authCustomer },
  resetCustomerOneTimePassword: { rule: resetOneTime },
  createWebUser: { rule: createWebUser },
  updateWebUser: { rule: updateWebUser },
  deleteWebUser: { rule: changeUser((user) => (user.deleted = true)) },
  blockWebUser: { rule: changeUser((user) => (user.blocked = true)) },
  unblockWebUser: { rule: changeUser((user) => (user.blocked = false)) },
  getWebUserInfo: { rule: getWebUserInfo },
  listWebUsers: { rule: listWebUsers },
  createTariff: tariffsRight(add, createTariff),
  updateTariff: tariffsRight(edit, updateTariff),
  deleteTariff: tariffsRight(remove, deleteTariff),
  getTariffInfo: { rule: (ground) => ({ result: { result: 'OK', tariff: seenTariff(ownTariff(ground)) } }) },
  listTariffs: { rule: listTariffs },
  getDictionary: { optionalActor: true, rule: () => justOk },
  getAuditLogs: {
    rule: (ground) => {
      if (ground.params['i_customer'] !== undefined) within(ground, true);
      return justOk;
    },
  },
  createRoutingGroup: roots(createGroup),
  updateRoutingGroup: roots(updateGroup),
  deleteRoutingGroup: roots(deleteGroup),
  listRoutingGroups: roots(listGroups),
  addTrustedHost: roots(addHost),
  removeTrustedHost: roots(removeHost),
  listTrustedHosts: roots(listHosts),
};
