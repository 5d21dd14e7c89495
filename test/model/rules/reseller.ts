/** The rules of the reseller face: customers with what comes with them, and their users. */
import {
  type Customer,
  type Json,
  type Members,
  type Thing,
  type User,
  type World,
  defaults,
  heldSwitch,
  isBelow,
  micro,
  newCustomer,
  newUser,
  setPassword,
  text,
  usersOf,
  wire,
} from '../world';
import { demandLoginFree, demandNoLogins, grantedDepth, removeCarefully, rename, settle } from './customers';
import { book } from './books';
import {
  type Ground,
  type Laws,
  type Rule,
  add,
  demandPolicy,
  demandRoomBelow,
  edit,
  refuse,
  remove,
  textOrNull,
  unknown,
  without,
} from './law';
import { transferMoves } from './money';
import { page, thingsOf } from './owned';
import { demandNotLast, setLogin } from './people';
import { addressValues, demandPasswordText, nothing, resellerThingLaws } from './reseller-things';

// --------------------------------------------------------------- customers

function belowByUuid({ world, actor, params }: Ground): Customer {
  const found = world.customers.find(({ uuid, deleted }) => uuid === params['uuid'] && !deleted);
  return found && isBelow(actor, found) ? found : refuse(404);
}

const members = (value: Json | undefined): readonly Members[] => (value ?? []) as readonly Members[];
const rangesOf = (params: Members): string[] =>
  [...new Set(members(params['ip_addresses']).map(({ ip_range }) => text(ip_range)))].sort();

const shownAddress = ({ uuid, values }: Pick<Thing, 'uuid' | 'values'>): Members => ({ uuid, ...values });

const roleOf = ({ level }: User): number =>
  level === 'ADMINISTRATOR' ? 1 : level === 'CALL_SHOP_OPERATOR' ? 3 : 2;
const levels: Readonly<Record<number, string>> = {
  1: 'ADMINISTRATOR',
  2: 'REPORTER',
  3: 'CALL_SHOP_OPERATOR',
};

const shownUser = (user: User): Members => ({
  uuid: user.uuid ?? unknown,
  name: user.short_name ?? user.web_login,
  login: user.web_login,
  contact_first_name: user.contact_first_name,
  contact_last_name: user.contact_last_name,
  role_id: roleOf(user),
  email: user.email,
});

function shownCustomer(
  customer: Customer,
  users: readonly User[],
  addresses: readonly Pick<Thing, 'uuid' | 'values'>[],
): Members {
  const { attributes, allow_outbound, store, balance, currency, ranges } = customer;
  return {
    uuid: customer.uuid === '' ? unknown : customer.uuid,
    name: attributes['name'] ?? null,
    contact_name: attributes['contact'] ?? null,
    phone: attributes['phone'] ?? null,
    allow_outbound,
    store_front: store?.uuid ?? null,
    balance: wire(balance),
    currency,
    users: users.map(shownUser),
    addresses: addresses.map(shownAddress),
    ip_addresses: ranges.map((ip_range) => ({ ip_range })),
  };
}

const peopleOf = (world: World, customer: Customer): User[] =>
  usersOf(world, customer).filter(({ kind }) => kind === 'other');
const addressesOf = (world: World, customer: Customer): Thing[] =>
  thingsOf(world, customer, 'address').filter(({ deleted }) => !deleted);

const show = (world: World, customer: Customer): Members =>
  shownCustomer(customer, peopleOf(world, customer), addressesOf(world, customer));

const demandLoginText = (name: Json | undefined): void => {
  if (typeof name === 'string' && /[:'"]/.test(name)) refuse(400);
};
/** A customer that buys at a store has people and an address, and all of its people are the store's. */
function checkCreation(params: Members): void {
  const [users, addresses] = [members(params['users']), members(params['addresses'])];
  demandLoginText(params['name']);
  users.forEach(({ password }) => {
    demandPasswordText(password);
  });
  if (textOrNull(params['store_front']) === null) return;
  if (users.length === 0 || addresses.length === 0 || users.some(({ role_id }) => role_id !== 3)) refuse(400);
}

function storeOf(world: World, owner: Customer, uuid: Json | undefined): Thing | undefined {
  if (textOrNull(uuid) === null) return undefined;
  const found = thingsOf(world, owner, 'store').find((each) => each.uuid === uuid && !each.deleted);
  return found ?? refuse(401);
}

/** A name within a customer, and the login that comes of it. */
function loginsOf(customer: Customer, name: string, short_class: string) {
  return {
    short_name: name,
    short_class,
    web_login: `${name}@${text(customer.attributes['name'])}`,
    login_class: `${short_class}@${customer.name_class}`,
  };
}

function detailsOf(params: Members) {
  const [first, last] = [textOrNull(params['contact_first_name']), textOrNull(params['contact_last_name'])];
  const name = [first ?? '', last ?? ''].join(' ').trim();
  return {
    contact_first_name: first,
    contact_last_name: last,
    email: textOrNull(params['email']),
    name: name === '' ? null : name,
  };
}

const newPerson = (customer: Customer, given: Members, short_class: string): User =>
  newUser(customer, 'other', {
    ...loginsOf(customer, text(given['name']), short_class),
    ...detailsOf(given),
    password: text(given['password']),
    level: levels[Number(given['role_id'])] ?? '',
  });

const createReseller: Rule = ({ world, actor, params, classes }) => {
  const store = storeOf(world, actor, params['store_front']);
  if (!heldSwitch(actor, 'use_own_tariff')) refuse(403);
  demandRoomBelow(actor);
  const name_class = classes['name'] ?? '';
  if (world.customers.some((each) => !each.deleted && each.name_class === name_class)) refuse(409);
  demandNoLogins(world, name_class);
  demandLoginFree(world, name_class, undefined, undefined);
  const attributes: Members = {
    ...defaults,
    i_tariff: null,
    name: params['name'] ?? null,
    contact: params['contact_name'] ?? null,
    phone: params['phone'] ?? null,
    max_depth: grantedDepth(actor, undefined),
  };
  const made = Object.assign(newCustomer(actor, name_class, attributes, actor.currency), {
    allow_outbound: params['allow_outbound'] ?? true,
    store,
    ranges: rangesOf(params),
  });
  const users = members(params['users']).map((given, place) =>
    newPerson(made, given, classes[`users.${place}.name`] ?? ''),
  );
  if (new Set(users.map(({ short_class }) => short_class)).size < users.length) refuse(409);
  const addresses = members(params['addresses']).map((given) => ({
    uuid: unknown,
    values: addressValues(given),
  }));
  return {
    result: shownCustomer(made, users, addresses),
    adopt: (answer) => {
      made.uuid = text(answer['uuid']);
      settle(world, made, { web_login: text(params['name']), login_class: name_class, password: undefined });
      world.users.push(...users);
      const told = members(answer['addresses']);
      for (const [place, { values }] of addresses.entries()) {
        const uuid = text(told[place]?.['uuid']);
        world.things.push({
          kind: 'address',
          owner: made,
          uuid,
          values,
          name_class: '',
          cost: 0n,
          cost_currency: null,
          deleted: false,
        });
      }
    },
  };
};

/** At most three places, from 0.01 up; as it is written, so that 1e2 is no amount. */
function checkReplacement(params: Members): void {
  const { balance } = params;
  const others = without(params, 'uuid', 'idempotency_key', 'balance');
  demandLoginText(others['name']);
  if (balance === undefined) {
    if (others['name'] === undefined || others['contact_name'] === undefined) refuse(400);
    return;
  }
  const written = text(balance);
  if (Object.keys(others).length > 0 || !/^\d+(\.\d{1,3})?$/.test(written) || Number(written) < 0.01)
    refuse(400);
}

const replaceReseller: Rule = (ground) => {
  const { world, actor, params, classes } = ground;
  const target = belowByUuid(ground);
  if (params['balance'] !== undefined) {
    const amount = micro(Number(params['balance']));
    book(world, target, 'transfer', transferMoves(actor, target, amount));
    return { result: show(world, target) };
  }
  const store = target.owner && storeOf(world, target.owner, params['store_front']);
  if (store && (peopleOf(world, target).length === 0 || addressesOf(world, target).length === 0)) refuse(400);
  if (store && peopleOf(world, target).some(({ level }) => level !== 'CALL_SHOP_OPERATOR')) refuse(400);
  const name_class = classes['name'] ?? '';
  if (world.customers.some((each) => !each.deleted && each !== target && each.name_class === name_class))
    refuse(409);
  demandNoLogins(world, name_class, target);
  rename(world, target, text(params['name']), name_class);
  target.attributes['contact'] = params['contact_name'] ?? null;
  target.attributes['phone'] = params['phone'] ?? null;
  Object.assign(target, {
    allow_outbound: params['allow_outbound'] ?? true,
    store,
    ranges: rangesOf(params),
  });
  return { result: show(world, target) };
};

const customersRight = (bit: number) => ({ right: ['customers_mgmt', bit] }) as const;
const path = '/account/reseller';

const accountLaws: Laws = {
  'GET /authenticated': { rule: () => ({ result: { authenticated: true } }) },
  'GET /account/balance': {
    rule: ({ world, actor }) => ({
      result: {
        balance: actor === world.root ? 0 : wire(actor.balance),
        credit_limit: actor.attributes['credit_limit'] ?? 0,
        currency: actor.currency,
      },
    }),
  },
  [`GET ${path}`]: {
    ownOnly: true,
    rule: (ground) => {
      const { world, actor } = ground;
      const direct = world.customers.filter(({ owner }) => owner === actor);
      return page(ground, direct, (customer) => show(world, customer));
    },
  },
  [`POST ${path}`]: { ...customersRight(add), check: checkCreation, rule: createReseller },
  [`GET ${path}/{uuid}`]: { rule: (ground) => ({ result: show(ground.world, belowByUuid(ground)) }) },
  [`PUT ${path}/{uuid}`]: { ...customersRight(edit), check: checkReplacement, rule: replaceReseller },
  [`DELETE ${path}/{uuid}`]: {
    ...customersRight(remove),
    rule: (ground) => ({ result: removeCarefully(ground, belowByUuid(ground)) }),
  },
};

// ------------------------------------------------------------------- users

function ownUser({ world, actor, params }: Ground): User {
  const found = usersOf(world, actor).find(
    ({ uuid, kind }) => uuid === params['uuid'] && kind !== 'recovery',
  );
  return found ?? refuse(404);
}

function demandRole({ actor, params }: Ground): void {
  if (actor.store && params['role_id'] !== 3) refuse(400);
}

function demandNameFree(world: World, customer: Customer, short_class: string, itself?: User): void {
  const isTaken = usersOf(world, customer).some(
    (each) => each !== itself && each.short_class === short_class,
  );
  if (isTaken) refuse(409);
  demandLoginFree(world, `${short_class}@${customer.name_class}`, itself, customer);
}

const createUser: Rule = (ground) => {
  const { world, actor, params, classes } = ground;
  demandRole(ground);
  demandPolicy(params['password'], actor.attributes['i_password_policy']);
  const short_class = classes['name'] ?? '';
  demandNameFree(world, actor, short_class);
  const made = newPerson(actor, params, short_class);
  return {
    result: shownUser(made),
    adopt: ({ uuid }) => {
      made.uuid = text(uuid);
      world.users.push(made);
    },
  };
};

const replaceUser: Rule = (ground) => {
  const { world, actor, params, classes } = ground;
  const user = ownUser(ground);
  demandRole(ground);
  if (user.kind === 'default') refuse(403);
  demandPolicy(params['password'], actor.attributes['i_password_policy']);
  const isOther = Number(params['role_id']) !== roleOf(user);
  if (isOther && params['role_id'] !== 1) demandNotLast(world, user);
  const name = text(params['name']);
  if (name !== (user.short_name ?? user.web_login)) {
    const short_class = classes['name'] ?? '';
    demandNameFree(world, actor, short_class, user);
    const { web_login, login_class } = loginsOf(actor, name, short_class);
    setLogin(user, web_login, login_class);
    Object.assign(user, { short_name: name, short_class });
  }
  if (isOther) user.level = levels[Number(params['role_id'])] ?? '';
  Object.assign(user, detailsOf(params));
  if (params['password'] !== undefined) setPassword(user, text(params['password']));
  return { result: shownUser(user) };
};

const checkUser = ({ password, name }: Members): void => {
  demandPasswordText(password);
  demandLoginText(name);
};

const userLaws: Laws = {
  'GET /account/reseller-user': {
    rule: (ground) => {
      const { world, actor } = ground;
      // After whom a list goes on may be the guest agent too, which is in none.
      const all = world.users.filter(({ customer }) => customer === actor);
      const listed = all.map((user) => ({
        user,
        uuid: user.uuid,
        deleted: user.deleted || user.kind === 'recovery',
      }));
      return page(ground, listed, ({ user }) => shownUser(user));
    },
  },
  'POST /account/reseller-user': { check: checkUser, rule: createUser },
  'GET /account/reseller-user/{uuid}': { rule: (ground) => ({ result: shownUser(ownUser(ground)) }) },
  'PUT /account/reseller-user/{uuid}': { check: checkUser, rule: replaceUser },
  'DELETE /account/reseller-user/{uuid}': {
    rule: (ground) => {
      const user = ownUser(ground);
      if (user.kind === 'default') refuse(403);
      demandNotLast(ground.world, user);
      user.deleted = true;
      return nothing;
    },
  },
};

export const resellerLaws: Laws = { ...accountLaws, ...userLaws, ...resellerThingLaws };
