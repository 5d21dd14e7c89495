/**
 * The words in which the rules are written: a call, what it must come to, a refusal, and what is
 * common to all faces. Fault numbers are foretold and values, not texts.
 */
import {
  type Customer,
  type Json,
  type Members,
  type Thing,
  type Token,
  type User,
  type World,
  chain,
  heldMask,
  isBelow,
  isWithin,
  text,
} from '../world';

/** Who sends a call, as far as the rules go. */
export type Sender =
  | { readonly kind: 'password'; readonly customer: Customer; readonly right: boolean }
  | { readonly kind: 'trusted' }
  /** Over the reseller face: a customer's own login with its API password, or a user with the user's. */
  | { readonly kind: 'headers'; readonly user: User; readonly right: boolean }
  | { readonly kind: 'token'; readonly token: Token }
  | { readonly kind: 'access key'; readonly key: Thing }
  /** Who logs in is nobody yet. */
  | { readonly kind: 'nobody' };

/** A text of the call that is a name or a login, with what makes it one with others. */
export type Classes = Readonly<Record<string, string>>;

/** For whom a REST call runs: by its name, or by its uuid. */
export type Named = { readonly name_class: string } | { readonly uuid: string };

export interface ModelCall {
  readonly sender: Sender;
  /** The name of a method, or verb and path of an operation. */
  readonly method: string;
  /** As they go out: of an XML-RPC call `i_wholesaler`, of an operation path, query and body together. */
  readonly params: Members;
  /** Of `name` and `web_login` and `username`: the class of the text. */
  readonly classes: Classes;
  /** The parameters were spoiled, so that they must be refused. */
  readonly spoiled: boolean;
  readonly named?: Named | undefined;
  /** For whom it runs, where it is let in. */
  readonly actor?: Customer;
}

/** What a call must come to. `adopt` gets what only the server can know, such as a new id. */
export interface Expected {
  readonly fault?: number;
  /** A refusal that is no fault: of who is not let in. */
  readonly door?: { readonly status: number; readonly reason?: string };
  /** The word of the tenant face for it, where it matters. */
  readonly reason?: string;
  readonly result?: Json;
  readonly adopt?: (answer: Members) => void;
  /** What of the answer is compared; absent: all of it but what `adopts` names. */
  readonly see?: (answer: Members) => unknown;
  readonly adopts?: string;
}

/** Stands for an id that the server gave, and that nobody told yet. */
export const unknown = '(any id)';

export class Refusal extends Error {
  constructor(
    readonly fault: number,
    readonly reason?: string,
  ) {
    super(`fault ${fault}`);
  }
}
export const refuse = (fault: number, reason?: string): never => {
  throw new Refusal(fault, reason);
};
export const refuseFrozen = (): never => refuse(403, 'ACCOUNT_FROZEN');

/** Somebody who proved to be somebody. */
export interface Caller {
  readonly customer: Customer;
  /** As it is known by, whatever its login. */
  readonly id: string;
  /** What a person may do over the tenant face, as bits. */
  readonly permission: number;
  readonly person: User | undefined;
}

export interface Ground {
  readonly world: World;
  readonly actor: Customer;
  readonly params: Members;
  readonly classes: Classes;
  /** Keeps keys of different callers apart. */
  readonly scope: string;
  /** Absent: a trusted host. */
  readonly caller: Caller | undefined;
}
export type Rule = (ground: Ground) => Expected;

export interface Law {
  /** Bit of customers_mgmt or tariffs_mgmt, or root alone. */
  readonly right?: readonly ['customers_mgmt' | 'tariffs_mgmt', number] | 'root';
  readonly optionalActor?: true;
  /** What is wrong with the parameters alone. */
  readonly check?: (params: Members) => void;
  /** It must not be sent on behalf of others. */
  readonly ownOnly?: true;
  /** One of these bits must be held over the tenant face. */
  readonly needs?: number;
  readonly rule: Rule;
}
export type Laws = Readonly<Record<string, Law>>;

export const ok: Expected = { result: { result: 'OK' } };
export const add = 1;
export const edit = 2;
export const remove = 4;

/** The others of the members. */
export const without = (params: Members, ...names: readonly string[]): Members =>
  Object.fromEntries(Object.entries(params).filter(([name]) => !names.includes(name)));

export function demandRight(actor: Customer, mask: string, bit: number): void {
  if ((heldMask(actor, mask) & bit) === 0) refuse(403);
}

/** Whether the texts are one name, where both are there. */
export const isSame = (one: string | undefined, other: string | undefined): boolean =>
  one !== undefined && one === other;

/** With a key a call happens once. */
export function once(ground: Ground, rule: Rule): Expected {
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

export function below({ world, actor, params }: Ground, member = 'i_customer'): Customer {
  const found = world.customers.find(({ id, deleted }) => id === params[member] && !deleted);
  return found && isBelow(actor, found) ? found : refuse(404);
}

/** The actor itself or somebody below it. */
export function within({ world, actor, params }: Ground, deletedToo = false): Customer {
  const found = world.customers.find(({ id }) => id === params['i_customer']);
  return found && isWithin(actor, found) && (deletedToo || !found.deleted) ? found : refuse(404);
}

export const numberOrNull = (value: Json | undefined): number | null =>
  typeof value === 'number' ? value : null;
export const textOrNull = (value: Json | undefined): string | null =>
  typeof value === 'string' ? value : null;

export function demandPolicy(password: Json | undefined, policy: Json | undefined): void {
  if (typeof password !== 'string') return;
  const strong =
    password.length >= 12 && /[a-z]/.test(password) && /[A-Z]/.test(password) && /\d/.test(password);
  if (policy === 2 && !strong) refuse(400);
}

/** Nobody may stand deeper than those above allow. */
export function demandRoomBelow(owner: Customer): void {
  chain(owner).forEach(({ attributes }, distance) => {
    const depth = numberOrNull(attributes['max_depth']);
    if (depth !== null && depth - distance < 1) refuse(403);
  });
}
