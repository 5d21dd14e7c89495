/**
 * For whom a call runs, and whether that customer may make it. The rules of `i_wholesaler` stand
 * here: in trusted mode it names the actor; from a caller with a password it may name the caller
 * or a customer below, and any other id is answered as if it did not exist.
 */
import { badParameter, blocked, notFound } from '../../base/faults';
import { type CustomerRef, isInSubtree } from './actors';
import type { Call, Method } from '../call/method';
import type { Params } from '../schema/parameters';
import { type Actor, assertRight, rootActor } from './rights';
import { maxInteger } from '../schema/schema';
import { Unreadable, type Value } from '../schema/values';
import type { Caller } from '../auth/caller';

/** What `i_wholesaler` said: an id, nothing, or a remark that is to be dropped. */
export type Wholesaler = { readonly i_customer: number } | { readonly remark: string } | undefined;

const decimal = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;

/** Reads the parameter; throws fault 400 for what is neither an id nor, from a password caller, a remark. */
export function readWholesaler(caller: Caller, method: Method, value: Value | undefined): Wholesaler {
  if (value === undefined || value === null) {
    if (caller.kind === 'trusted' && method.trusted === 'required')
      throw badParameter('i_wholesaler', 'is required');
    return undefined;
  }
  // `-1` or `1.5` is no remark: dropped, the call would run as somebody whom the caller did not name.
  if (typeof value === 'string' && caller.kind === 'login' && !decimal.test(value)) return { remark: value };
  const id = typeof value === 'string' && /^[+-]?\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof id !== 'number') {
    throw badParameter(
      'i_wholesaler',
      `must be an integer${value instanceof Unreadable ? `, not "${value.text}"` : ''}`,
    );
  }
  if (Math.abs(id) > maxInteger) throw badParameter('i_wholesaler', `must be at most ${maxInteger}`);
  return { i_customer: id };
}

/** Finds a living customer with the rights that it has. */
type Find = (named: CustomerRef) => Promise<Actor | undefined>;

/** The customer that the call runs as, as `find` knows it; throws 404 or 403. */
export async function resolveActor(
  find: Find,
  caller: Caller,
  named: CustomerRef | undefined,
): Promise<Actor> {
  const actor = await findNamed(find, caller, named);
  if (actor.rights.blocked) throw blocked();
  return actor;
}

async function findNamed(find: Find, caller: Caller, named: CustomerRef | undefined): Promise<Actor> {
  if (caller.kind === 'login') {
    const actor = await find(named ?? caller.actor);
    if (!actor || !isInSubtree(caller.actor, actor.path)) throw notFound();
    // By its name only one below the caller can be meant.
    if (named && 'name' in named && actor.i_customer === caller.actor.i_customer) throw notFound();
    return actor;
  }
  if (named === undefined) return rootActor;
  const actor = await find(named);
  if (!actor) throw notFound();
  return actor;
}

/**
 * Throws fault 403 unless the actor effectively holds the right that the method declares, or, where
 * it is free for oneself only, the caller is the actor or holds the right for those below. What the
 * method itself says of caller, actor and parameters comes after that.
 */
export function authorize(caller: Caller, actor: Actor, method: Method, params: Params): void {
  assertDeclaredRight(caller, actor, method);
  method.mayCall?.({ caller, actor, right: method.right }, params);
}

function assertDeclaredRight(caller: Caller, actor: Actor, { right }: Method): void {
  if (right === 'none') return;
  if (typeof right === 'string') assertRight(actor, right);
  else if (caller.kind === 'login' && caller.actor.i_customer !== actor.i_customer)
    assertRight(caller.actor, right.below);
}

/**
 * Throws fault 403 unless the actor may do what the method does to this customer: to itself, or to
 * one below it with the right that the method declares. Undefined stands for a customer that was not
 * found, so that it is refused as one below is.
 */
export function assertRightOver(
  { actor, right }: Pick<Call, 'actor' | 'right'>,
  i_customer: number | undefined,
): void {
  if (typeof right === 'object' && i_customer !== actor.i_customer) assertRight(actor, right.below);
}
