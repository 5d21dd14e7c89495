/** The rules of people over XML-RPC: who logs in with what, and who changes whom. */
import {
  type Customer,
  type Members,
  type User,
  type World,
  isBlocked,
  isWithin,
  newUser,
  setPassword,
  text,
  usersOf,
} from '../world';
import { demandLoginFree } from './customers';
import {
  type Expected,
  type Ground,
  type Laws,
  type Rule,
  demandPolicy,
  demandRight,
  edit,
  refuse,
  unknown,
  within,
} from './law';

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
  const standing = user?.password !== undefined && params['password'] === user.password;
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
  if (user.kind === 'recovery') refuse(403);
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

/** Who buys at a store front has store users only. */
export function demandStoreLevel({ store }: Customer, level: string): void {
  if (store && level !== 'CALL_SHOP_OPERATOR') refuse(400);
}

const createWebUser: Rule = (ground) => {
  const { world, actor, params, classes } = ground;
  const given = params['i_customer'];
  if (given !== undefined && given !== actor.id) demandRight(actor, 'customers_mgmt', edit);
  const customer = given === undefined ? actor : within(ground);
  demandStoreLevel(customer, text(params['i_access_level'] ?? 'ADMINISTRATOR'));
  demandPolicy(params['web_password'], customer.attributes['i_password_policy']);
  demandLoginFree(world, classes['web_login'], undefined, customer);
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
  if (user.kind !== 'other') refuse(403);
  return user;
}

const userAnswer = (user: User): Expected => ({ result: { result: 'OK', i_web_user: user.id ?? unknown } });

/** Somebody must be left who can log in as an administrator. */
export function demandNotLast(world: World, user: User): void {
  if (user.level !== 'ADMINISTRATOR' || user.blocked) return;
  const canLogIn = (each: User): boolean =>
    each.password !== undefined || (each.kind === 'default' && each.customer.api_password !== null);
  const others = usersOf(world, user.customer).filter(
    (each) => each !== user && each.kind !== 'recovery' && each.level === 'ADMINISTRATOR' && !each.blocked,
  );
  if (!others.some(canLogIn)) refuse(409);
}

/** Another login: the name within the customer is no part of it any more. */
export function setLogin(user: User, web_login: string, login_class: string): void {
  if (web_login !== user.web_login) user.short_name = user.short_class = null;
  user.web_login = web_login;
  user.login_class = login_class;
}

const updateWebUser: Rule = (ground) => {
  const { world, params, classes } = ground;
  const user = changeableUser(ground);
  if (params['i_access_level'] !== undefined) demandStoreLevel(user.customer, text(params['i_access_level']));
  demandPolicy(params['web_password'], user.customer.attributes['i_password_policy']);
  const level = params['i_access_level'];
  if (level !== undefined && level !== 'ADMINISTRATOR') demandNotLast(world, user);
  if (params['web_login'] !== undefined) demandLoginFree(world, classes['web_login'], user, user.customer);
  setUser(user, params);
  if (params['web_login'] !== undefined)
    setLogin(user, text(params['web_login']), classes['web_login'] ?? '');
  if (params['web_password'] !== undefined) setPassword(user, text(params['web_password']));
  return userAnswer(user);
};

const changeUser =
  (change: (user: User) => void, needsAnother = true): Rule =>
  (ground) => {
    const user = changeableUser(ground);
    if (needsAnother) demandNotLast(ground.world, user);
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
  is_recovery: user.kind === 'recovery',
});

const getWebUserInfo: Rule = ({ world, actor, params }) => {
  const user = world.users.find(({ id, deleted }) => id === params['i_web_user'] && !deleted);
  if (!user || !isWithin(actor, user.customer)) return refuse(404);
  return { result: { result: 'OK', i_web_user: user.id ?? unknown, web_user: seenUser(user) } };
};

const listWebUsers: Rule = (ground) => {
  const { world, actor, params } = ground;
  const customer = params['i_customer'] === undefined ? actor : within(ground);
  const users = usersOf(world, customer);
  const isOurs = (user: Members): boolean =>
    customer !== world.root ||
    user['is_default'] === true ||
    text(user['web_login']).startsWith(world.prefix);
  const see = ({ web_users }: Members): unknown => ({ web_users: (web_users as Members[]).filter(isOurs) });
  return { result: { web_users: users.map(seenUser) }, see };
};

export const peopleLaws: Laws = {
  authCustomer: { optionalActor: true, rule: authCustomer },
  resetCustomerOneTimePassword: { rule: resetOneTime },
  createWebUser: { rule: createWebUser },
  updateWebUser: { rule: updateWebUser },
  deleteWebUser: { rule: changeUser((user) => (user.deleted = true)) },
  blockWebUser: { rule: changeUser((user) => (user.blocked = true)) },
  unblockWebUser: { rule: changeUser((user) => (user.blocked = false), false) },
  getWebUserInfo: { rule: getWebUserInfo },
  listWebUsers: { rule: listWebUsers },
};
