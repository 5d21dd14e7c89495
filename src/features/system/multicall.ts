/** system.multicall: many calls in one request, each with its own transaction and its own outcome. */
import type { Config } from '../../base/config';
import { type Core, type Outcome, Outcomes, dispatch } from '../../core/call/dispatch';
import { pauseInSlices } from '../../core/fairness/event-loop';
import { paramsStruct } from '../../core/call/xmlrpc-params';
import type { Call } from '../../core/call/method';
import type { Batches } from '../../core/schema/schema';
import type { Value } from '../../core/schema/values';
import type { Database } from '../../db/database';
import { Fault, badParameter } from '../../base/faults';

export const multicallLimit = 100;

const overLimit = ({ multicall_limit_bytes }: Config): Fault =>
  new Fault(
    'not_a_call',
    `The answers of this multicall already hold ${multicall_limit_bytes} bytes; make this call in another request`,
  );

export async function multicall(
  core: Core,
  call: Call<Database>,
  calls: readonly Value[],
): Promise<Outcomes> {
  if (calls.length > multicallLimit) {
    throw badParameter('calls', `must have at most ${multicallLimit} members`);
  }
  const outcomes: Outcome[] = [];
  let held_bytes = 0;
  let refusal: Fault | undefined;
  const pause = pauseInSlices();
  // One after the other: a caller that creates and then updates relies on the order.
  for (const [index, member] of calls.entries()) {
    // Members that wait for nothing would otherwise run together without a pause.
    await pause();
    const outcome = await one(core, call, member, { index, refusal });
    const bytes = sizeOf(outcome);
    held_bytes += bytes;
    refusal ??= held_bytes >= core.config.multicall_limit_bytes ? overLimit(core.config) : call.hold(bytes);
    outcomes.push(outcome);
  }
  return new Outcomes(outcomes);
}

/** The bytes that an answer holds, about: those of its texts and a few for every other value. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (value instanceof Fault) return value.message.length;
  if (typeof value !== 'object' || value === null) return 8;
  if ('held_bytes' in value) return (value as Batches<unknown>).held_bytes;
  if ('method' in value && 'result' in value) return sizeOf(value.result);
  return Object.values(value).reduce<number>((sum, member) => sum + sizeOf(member), 16);
}

/**
 * All members run before the first is written. Written while they run, a caller that stops reading would hold up the
 * rest, and would not know what was done. So the answers wait in memory, and their bytes are bounded: members that
 * only read are refused beyond the limits of one multicall and of its caller, before they run. Members that write always run; their answers are small.
 */
async function one(
  core: Core,
  call: Call<Database>,
  member: Value,
  { index, refusal }: { readonly index: number; readonly refusal: Fault | undefined },
): Promise<Outcome> {
  if (!(member instanceof Map)) return new Fault('not_a_call', 'A member of a multicall must be a struct');
  const method = member.get('methodName');
  const params = member.get('params') ?? [];
  if (typeof method !== 'string')
    return new Fault('not_a_call', 'A member of a multicall needs methodName, a string');
  if (!Array.isArray(params)) return new Fault('not_a_call', 'params of a multicall must be an array');
  if (method === 'system.multicall') return new Fault('not_a_call', 'A multicall cannot contain a multicall');
  if (refusal && core.registry.get(method)?.method.access === 'read') return refusal;
  const read = () => ({ method, members: paramsStruct(core.registry, method, params) });
  const { caller, deadline } = call;
  return dispatch(core, { request_id: `${call.request_id}.${index + 1}`, caller, deadline, read });
}
