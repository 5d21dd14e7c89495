/**
 * Who comes in, and as whom: by API password, by the headers of the reseller face, by a token or an
 * access key of the tenant face. How a token is got and ended stands here too.
 */
import { type Customer, type User, type World, defaultUser, heldSwitch, isBlocked, text } from '../world';
import { type Caller, type Expected, type Ground, type Sender, refuse, refuseFrozen } from './law';

/** What the door says before the call is looked at; undefined: come in. */
export interface Refused {
  readonly status: 401 | 403 | 429;
  readonly reason?: string;
}

const wrongPasswordsAtMost = 20;
const wrongLoginsAtMost = 10;

/** All tests call from loopback. */
const mayCallFromHere = ({ ranges }: Customer): boolean =>
  ranges.length === 0 || ranges.includes('127.0.0.0/8');

export function atTheDoor(world: World, sender: Sender): Refused | undefined {
  switch (sender.kind) {
    case 'trusted':
    case 'nobody':
      return undefined;
    case 'password': {
      const { customer, right } = sender;
      const isProven = right && !customer.deleted && customer.api_password !== null;
      return knock(world, defaultUser(world, customer).login_class, isProven) ?? apiRefusal(customer);
    }
    case 'headers': {
      const { user, right } = sender;
      const { customer } = user;
      const proof = user.kind === 'default' ? customer.api_password : (user.password ?? null);
      const isProven = right && !user.deleted && proof !== null;
      const refused = knock(world, claimOf(user), isProven) ?? apiRefusal(customer);
      if (refused || user.kind === 'default') return refused;
      return user.blocked || user.level !== 'ADMINISTRATOR' ? { status: 403 } : undefined;
    }
    case 'token': {
      const { user, password, ended } = sender.token;
      const isGood = !ended && !user.deleted && !user.blocked && user.passwords === password;
      return isGood ? tenantRefusal(user.customer) : { status: 401, reason: 'INVALID_CREDENTIALS' };
    }
    case 'access key': {
      const { key } = sender;
      return key.deleted ? { status: 401, reason: 'INVALID_CREDENTIALS' } : tenantRefusal(key.owner);
    }
  }
}

/** So many wrong passwords for what was claimed, and nobody comes in with it. */
function knock(world: World, claimed: string, isProven: boolean): Refused | undefined {
  const knocks = world.knocks.get(claimed) ?? 0;
  if (knocks >= wrongPasswordsAtMost) return { status: 429 };
  if (isProven) return undefined;
  world.knocks.set(claimed, knocks + 1);
  return { status: 401 };
}

/** A name within a customer and the login that comes of it are one claim. */
function claimOf({ login_class, customer }: User): string {
  const suffix = `@${customer.name_class}`;
  return login_class.endsWith(suffix) ? login_class : login_class + suffix;
}

const apiRefusal = (customer: Customer): Refused | undefined =>
  isBlocked(customer) || !heldSwitch(customer, 'api_access') || !mayCallFromHere(customer)
    ? { status: 403 }
    : undefined;

/** The people of a tenant need no api_access. */
function tenantRefusal(customer: Customer): Refused | undefined {
  if (isBlocked(customer)) return { status: 403, reason: 'ACCOUNT_FROZEN' };
  return mayCallFromHere(customer) ? undefined : { status: 403 };
}

export const administrator = 32;
export const manager = 64;
export const agent = 16;
export const platform = 1;

/** The access level of a user, seen by the tenant face. */
export function permissionOf({ level, customer }: Pick<User, 'level' | 'customer'>): number {
  if (level === 'ADMINISTRATOR') return administrator + (customer.owner === undefined ? platform : 0);
  return level === 'CALL_SHOP_OPERATOR' ? agent : manager;
}

export function callerOf(world: World, sender: Sender): Caller | undefined {
  const as = (user: User, person?: User): Caller => ({
    customer: user.customer,
    id: `user ${world.users.indexOf(user)}`,
    permission: person ? permissionOf(person) : 0,
    person,
  });
  switch (sender.kind) {
    case 'trusted':
    case 'nobody':
      return undefined;
    case 'password':
      return as(defaultUser(world, sender.customer));
    case 'headers':
      return as(sender.user);
    case 'token':
      return as(sender.token.user, sender.token.user);
    case 'access key':
      return {
        customer: sender.key.owner,
        id: `key ${sender.key.uuid}`,
        permission: administrator,
        person: undefined,
      };
  }
}

/** The web password for a token. */
export function logIn({ world, params, classes }: Ground): Expected {
  const scope = `token ${classes['username'] ?? ''}`;
  const failures = world.failures.get(scope) ?? 0;
  if (failures >= wrongLoginsAtMost) refuse(429);
  const user = world.users.find((each) => !each.deleted && each.login_class === classes['username']);
  const isRight = user?.password !== undefined && user.password === params['password'] && !user.blocked;
  if (!user || !isRight) {
    world.failures.set(scope, failures + 1);
    return { door: { status: 401, reason: 'INVALID_CREDENTIALS' } };
  }
  if (isBlocked(user.customer)) refuseFrozen();
  if (!mayCallFromHere(user.customer)) refuse(403);
  return {
    result: { username: user.web_login },
    adopts: 'token',
    adopt: ({ token }) => {
      user.tokens.push({ text: text(token), user, password: user.passwords, ended: false });
    },
  };
}

export function logOut(sender: Sender): Expected {
  if (sender.kind === 'token') sender.token.ended = true;
  return { result: {} };
}
