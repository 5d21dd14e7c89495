/** system.multicall: many calls in one request, each with its own transaction and its own outcome. */
import { type Core, type Outcome, Outcomes, dispatch } from '../core/dispatch';
import { nextTurn } from '../core/event-loop';
import { membersOf } from '../core/members';
import type { Call } from '../core/method';
import type { Value } from '../core/values';
import type { Database } from '../db/database';
import { Fault, badParameter } from '../faults';

export const multicallLimit = 100;

export async function multicall(
  core: Core,
  call: Call<Database>,
  calls: readonly Value[],
): Promise<Outcomes> {
  if (calls.length > multicallLimit) {
    throw badParameter('calls', `must have at most ${multicallLimit} members`);
  }
  const outcomes: Outcome[] = [];
  // One after the other: a caller that creates and then updates relies on the order.
  for (const [index, member] of calls.entries()) {
    // Members that wait for nothing would otherwise run together without a pause.
    if (index > 0) await nextTurn();
    outcomes.push(await one(core, call, member, index));
  }
  return new Outcomes(outcomes);
}

async function one(core: Core, call: Call<Database>, member: Value, index: number): Promise<Outcome> {
  if (!(member instanceof Map)) return new Fault('not_a_call', 'A member of a multicall must be a struct');
  const method = member.get('methodName');
  const params = member.get('params') ?? [];
  if (typeof method !== 'string')
    return new Fault('not_a_call', 'A member of a multicall needs methodName, a string');
  if (!Array.isArray(params)) return new Fault('not_a_call', 'params of a multicall must be an array');
  if (method === 'system.multicall') return new Fault('not_a_call', 'A multicall cannot contain a multicall');
  const read = () => ({ method, members: membersOf(core.registry, method, params) });
  const { caller, ends_at } = call;
  return dispatch(core, { request_id: `${call.request_id}.${index + 1}`, caller, ends_at, read });
}
