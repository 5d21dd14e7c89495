/**
 * The rules of docs/reference, once more and in the plainest form: what a call must answer, and what
 * it changes. The order of the checks is that of faults.md: parameters, actor, right, target, grant and
 * depth, reference, conflict, money. The laws themselves stand in `rules/`, by area.
 */
import { agentLaws } from './rules/agents';
import { customerLaws } from './rules/customers';
import { administrator, callerOf, logIn, logOut, platform } from './rules/doors';
import {
  type Caller,
  type Expected,
  type Ground,
  type Law,
  type Laws,
  type ModelCall,
  Refusal,
  demandRight,
  edit,
  once,
  refuse,
  refuseFrozen,
} from './rules/law';
import { strangeNames } from './names';
import { limitLaws } from './rules/limits';
import { moneyLaws } from './rules/money';
import { peopleLaws } from './rules/people';
import { platformLaws } from './rules/platform';
import { resellerLaws } from './rules/reseller';
import { tenantLaws } from './rules/tenant';
import { type Customer, type Json, type Members, type World, isBlocked, isWithin, text } from './world';

/** The methods of XML-RPC and JSON. */
export const laws: Laws = { ...customerLaws, ...limitLaws, ...moneyLaws, ...peopleLaws, ...platformLaws };
/** The operations of both REST faces, by verb and path. */
export const operationLaws: Laws = { ...resellerLaws, ...tenantLaws, ...agentLaws };

export const isOperation = (method: string): boolean => method.includes(' ');

/** Answers what the call must come to, and makes its change in the world. */
export function foretell(world: World, call: ModelCall): Expected {
  try {
    return isOperation(call.method) ? judgeOperation(world, call) : judge(world, call);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { fault, reason } = error;
    return { fault, ...(reason !== undefined && { reason }) };
  }
}

function judge(world: World, { sender, method, params: given, classes, spoiled }: ModelCall): Expected {
  const law = laws[method];
  if (!law) return { fault: -32601 };
  if (spoiled) refuse(400);
  const { i_wholesaler, ...params } = given;
  parametersAlone(method, params);
  demandReadableNames(method, params);
  law.check?.(params);
  const caller = callerOf(world, sender);
  const actor = actorOf(world, caller, i_wholesaler, law);
  const who = caller?.id ?? 'trusted';
  const ground = { world, actor, params, classes, caller, scope: `${who} ${actor.id} ${method}` };
  return decide(ground, law, method);
}

/** Whether the call changes something that is free to change for oneself. */
const changesOwn = (method: string, law: Law): boolean =>
  law.right === undefined &&
  (isOperation(method)
    ? !method.startsWith('GET ')
    : /^(create|update|delete|block|unblock|reset)/.test(method));

/** A blocked customer, a missing right; with a key a call happens once. */
function decide(ground: Ground, law: Law, method: string): Expected {
  const { actor, world, caller } = ground;
  if (isBlocked(actor)) refuseFrozen();
  if (law.right === 'root' && actor !== world.root) refuse(403);
  if (Array.isArray(law.right)) demandRight(actor, law.right[0] as string, law.right[1] as number);
  // Acting for a customer below needs the right that the same change of one below needs.
  if (caller && caller.customer !== actor && changesOwn(method, law))
    demandRight(caller.customer, 'customers_mgmt', edit);
  return once(ground, law.rule);
}

const naming =
  /^((create|update)(Customer|WebUser)|(POST|PUT) \/account\/reseller(\/\{uuid\})?|POST \/v1.0\/agents)$/;

/** No name or login that people could not tell from others: with a character that is not seen, or like root's. */
function demandReadableNames(method: string, params: Members): void {
  if (!naming.test(method)) return;
  const given = Object.entries(params).filter(([member]) => /^(name|web_login|username)$/.test(member));
  if (given.some(([, value]) => strangeNames.includes(text(value ?? null)))) refuse(400);
}

/** What is wrong whoever calls and whatever is known. */
function parametersAlone(method: string, params: Members): void {
  const { web_password, name, web_login } = params;
  if (typeof web_password === 'string' && web_password.length < 8) refuse(400);
  if (method === 'createCustomer' && web_login === undefined && /[:'"]/.test(text(name))) refuse(400);
  if (typeof web_login === 'string' && method !== 'resetCustomerOneTimePassword' && /[:'"]/.test(web_login))
    refuse(400);
  if (['updateCustomer', 'updateWebUser', 'updateTariff'].includes(method) && Object.keys(params).length < 2)
    refuse(400);
}

function actorOf(world: World, caller: Caller | undefined, named: Json | undefined, law: Law): Customer {
  const found = world.customers.find(({ id, deleted }) => id === named && !deleted);
  if (caller) {
    if (named === undefined) return caller.customer;
    return found && isWithin(caller.customer, found) ? found : refuse(404);
  }
  if (named === undefined) return law.optionalActor ? world.root : refuse(400);
  return found ?? refuse(404);
}

// -------------------------------------------------------------- operations

function judgeOperation(world: World, call: ModelCall): Expected {
  const { sender, method, params, classes, spoiled } = call;
  if (method === 'POST /auth/logout') return logOut(sender);
  const nobody = { world, actor: world.root, params, classes, caller: undefined, scope: '' };
  if (method === 'POST /auth/login') return spoiled ? refuse(400) : logIn(nobody);
  const law = operationLaws[method];
  if (!law) throw new Error(`The model has no law for ${method}`);
  const caller = callerOf(world, sender);
  if (!caller) throw new Error(`Nobody sends ${method}`);
  if (spoiled || (law.ownOnly && call.named)) refuse(400);
  demandReadableNames(method, params);
  law.check?.(params);
  const actor = namedActor(world, caller, call);
  const address = method.replaceAll(/\{(\w+)\}/g, (_all, name: string) => text(params[name]));
  const scope = `${caller.id} ${actor.id} ${address}`;
  const rule = (ground: Ground): Expected => {
    demandNeeds(ground, law.needs);
    return law.rule(ground);
  };
  return decide({ world, actor, params, classes, caller, scope }, { ...law, rule }, method);
}

/** By its name only one below the caller can be meant, by its uuid the caller itself too. */
function namedActor(world: World, { customer }: Caller, { named }: ModelCall): Customer {
  if (!named) return customer;
  const isMeant = (each: Customer): boolean =>
    'uuid' in named ? each.uuid === named.uuid : each.name_class === named.name_class && each !== customer;
  const found = world.customers.find((each) => !each.deleted && isMeant(each));
  return found && isWithin(customer, found) ? found : refuse(404);
}

/** Who acts for a customer below is an administrator, whatever is asked of the tenant's own people. */
function demandNeeds({ caller, actor }: Ground, needs: number | undefined): void {
  if (needs === undefined || !caller) return;
  const bits = caller.customer === actor ? needs : administrator;
  if ((caller.permission & (bits | platform)) === 0) refuse(403);
}
