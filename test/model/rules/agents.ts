/** The rules of a tenant's people: nobody gives what he does not hold, and the guest agent stays as it is. */
import { type Json, type Members, type User, newUser, setPassword, text, usersOf } from '../world';
import { demandLoginFree } from './customers';
import { administrator, agent, manager, permissionOf, platform } from './doors';
import { type Ground, type Laws, type Rule, demandPolicy, refuse, unknown } from './law';
import { newest } from './owned';
import { demandNotLast, demandStoreLevel } from './people';
import { demandTags } from './tenant';

/** A customer's own login is one of its people where somebody can log in as it. */
const isAgent = (user: User): boolean => user.kind !== 'default' || user.password !== undefined;

const show = (user: User): Members => ({
  id: user.uuid ?? unknown,
  customer_id: user.customer.uuid,
  username: user.web_login,
  name: user.name ?? '',
  detail: user.description ?? '',
  ring_method: user.ring_method,
  status: user.status,
  permission: permissionOf(user),
  tag_ids: user.tag_ids,
  addresses: user.addresses,
  tm_delete: user.deleted,
});

/** Who may do more may give what those may who do less. */
function mayGive(permission: number): number {
  if ((permission & platform) !== 0) return platform | administrator | manager | agent;
  if ((permission & administrator) !== 0) return administrator | manager | agent;
  return permission === manager ? manager | agent : permission;
}

function demandHeld({ caller }: Ground, permission: number): void {
  if ((permission & ~mayGive(caller?.permission ?? 0)) !== 0) refuse(403);
}

const isOneself = ({ caller, actor, params }: Ground): boolean =>
  caller?.customer === actor && caller.person !== undefined && caller.person.uuid === params['id'];

function found({ world, actor, params }: Ground): User {
  return usersOf(world, actor).find((user) => user.uuid === params['id'] && isAgent(user)) ?? refuse(404);
}

function demandSelfOrHigher(ground: Ground): void {
  const higher = administrator | manager | platform;
  if (!isOneself(ground) && ((ground.caller?.permission ?? 0) & higher) === 0) refuse(403);
}

/** One about whom the caller decides, or the caller. */
function decidedAgent(ground: Ground): User {
  demandSelfOrHigher(ground);
  const user = found(ground);
  if (!isOneself(ground)) demandHeld(ground, permissionOf(user));
  return user;
}

/** Its login and its rights are the customer's own affair, and the guest agent's nobody's. */
function demandOther({ kind }: User): void {
  if (kind !== 'other') refuse(403);
}

/** The level with just this permission; root's administrators have the platform's bit, named or not. */
function levelOf({ world, actor }: Ground, wanted: number, now?: User): string {
  if (now && permissionOf(now) === wanted) return now.level;
  const isRoot = actor === world.root;
  if (wanted === agent) return 'CALL_SHOP_OPERATOR';
  if (wanted === manager) return 'BILLING';
  if (isRoot ? [1, 32, 33].includes(wanted) : wanted === administrator) return 'ADMINISTRATOR';
  return refuse(400);
}

function checkAgent({ username, password, permission }: Members): void {
  if (typeof username === 'string' && /[:'"]/.test(username)) refuse(400);
  if (typeof password === 'string' && password.length < 8) refuse(400);
  if (permission !== undefined && ![1, 16, 32, 33, 64].includes(Number(permission))) refuse(400);
}

const createAgent: Rule = (ground) => {
  const { world, actor, params, classes } = ground;
  const most = [administrator, manager].find((bit) => actor.permission_ids.includes(bit)) ?? agent;
  const level = levelOf(ground, Number(params['permission'] ?? most));
  demandHeld(ground, permissionOf({ level, customer: actor }));
  const tag_ids = demandTags(ground);
  demandStoreLevel(actor, level);
  demandPolicy(params['password'], actor.attributes['i_password_policy']);
  demandLoginFree(world, classes['username'], undefined, actor);
  const asGiven = (member: string, otherwise: string): string => text(params[member] ?? otherwise);
  const made = newUser(actor, 'other', {
    web_login: text(params['username']),
    login_class: classes['username'] ?? '',
    password: params['password'] === undefined ? undefined : text(params['password']),
    level,
    name: (params['name'] ?? null) as string | null,
    description: (params['detail'] ?? null) as string | null,
    status: asGiven('status', 'offline'),
    ring_method: asGiven('ring_method', 'ringall'),
    tag_ids,
    addresses: params['addresses'] ?? [],
  });
  return {
    result: show(made),
    adopt: ({ id }) => {
      made.uuid = text(id);
      world.users.push(made);
    },
  };
};

/** What says nothing of who may do what. */
function change(ground: Ground, given: Readonly<Record<string, Json | undefined>>) {
  const user = decidedAgent(ground);
  if (user.kind === 'recovery') refuse(403);
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined) Object.assign(user, { [name]: value });
  }
  return { result: show(user) };
}

const everybody = administrator | manager | agent;
const higher = administrator | manager;
const path = '/v1.0/agents';

export const agentLaws: Laws = {
  [`GET ${path}`]: {
    needs: higher,
    rule: (ground) => {
      const { world, actor } = ground;
      const all = world.users.filter(({ customer }) => customer === actor);
      const listed = all.map((user) => ({ user, uuid: user.uuid, deleted: user.deleted || !isAgent(user) }));
      return newest(ground, listed, ({ user }) => show(user));
    },
  },
  [`POST ${path}`]: { needs: higher, check: checkAgent, rule: createAgent },
  [`GET ${path}/{id}`]: {
    needs: everybody,
    rule: (ground) => {
      demandSelfOrHigher(ground);
      return { result: show(found(ground)) };
    },
  },
  [`PUT ${path}/{id}`]: {
    needs: everybody,
    rule: (ground) => {
      const { name, detail: description, ring_method } = ground.params;
      return change(ground, { name, description, ring_method });
    },
  },
  [`DELETE ${path}/{id}`]: {
    needs: higher,
    rule: (ground) => {
      const user = decidedAgent(ground);
      demandOther(user);
      demandNotLast(ground.world, user);
      user.deleted = true;
      return { result: show(user) };
    },
  },
  [`PUT ${path}/{id}/permission`]: {
    needs: higher,
    check: checkAgent,
    rule: (ground) => {
      const user = found(ground);
      demandHeld(ground, permissionOf(user));
      const level = levelOf(ground, Number(ground.params['permission']), user);
      demandHeld(ground, permissionOf({ level, customer: ground.actor }));
      demandOther(user);
      demandStoreLevel(ground.actor, level);
      if (level !== 'ADMINISTRATOR') demandNotLast(ground.world, user);
      user.level = level;
      return { result: show(user) };
    },
  },
  [`PUT ${path}/{id}/password`]: {
    needs: higher,
    check: checkAgent,
    rule: (ground) => {
      const user = decidedAgent(ground);
      demandOther(user);
      demandPolicy(ground.params['password'], ground.actor.attributes['i_password_policy']);
      setPassword(user, text(ground.params['password']));
      return { result: show(user) };
    },
  },
  [`PUT ${path}/{id}/addresses`]: {
    needs: higher,
    rule: (ground) => change(ground, { addresses: ground.params['addresses'] }),
  },
  [`PUT ${path}/{id}/tag_ids`]: {
    needs: higher,
    // Tags are looked at first: who takes one off everywhere holds it before the agents.
    rule: (ground) => change(ground, { tag_ids: demandTags(ground) }),
  },
  [`PUT ${path}/{id}/status`]: {
    needs: everybody,
    rule: (ground) => change(ground, { status: ground.params['status'] }),
  },
};
