/** Help and signatures of a method, from its declaration. */
import type { Method } from '../../core/call/method';
import { describeRight } from '../../core/tree/rights';
import { type TSchema, declared } from '../../core/schema/schema';
import { faultsOf, describeType, wireType } from '../../core/schema/describe';
import { faultKinds } from '../../base/faults';

/** A page of plain text. */
export function helpOf(method: Method): string {
  const right = describeRight(method.right) ?? 'none';
  const params = Object.entries(method.params.properties).map(([name, schema]) => line(name, schema, method));
  return [
    `${method.name}: ${method.summary}`,
    '',
    `Right: ${right}. Trusted mode: ${trustedInWords[method.trusted]}.`,
    '',
    params.length > 0 ? 'Parameters, members of one struct:' : 'No parameters.',
    ...params,
    '',
    'Answer:',
    ...answerLines(method.result),
    '',
    'Faults:',
    ...faultsOf(method).map((name) => `  ${faultKinds[name].number}  ${faultKinds[name].when}`),
  ].join('\n');
}

const trustedInWords = {
  required: 'i_wholesaler names the actor',
  optional: 'i_wholesaler may name the actor',
  never: 'the same as with a password',
} as const;

function line(name: string, schema: TSchema, method: Method): string {
  const needed = method.params.required?.includes(name) ? 'required' : 'optional';
  return `  ${name} (${describeType(schema)}; ${needed}): ${declared(schema).description}`;
}

function answerLines(schema: TSchema): string[] {
  const { properties, description } = declared(schema);
  if (!properties) return [`  ${wireType(schema)}: ${description}`];
  return Object.entries(properties).map(
    ([name, member]) => `  ${name} (${describeType(member)}): ${declared(member).description}`,
  );
}

/** One signature for each way of calling: with the struct, and without it where nothing is required. */
export function signaturesOf(method: Method): string[][] {
  const result = wireType(method.result);
  const { positional, params } = method;
  if (positional) {
    return [[result, ...positional.map((name) => wireType(params.properties[name] as TSchema))]];
  }
  const none = (params.required ?? []).length === 0;
  const withStruct = [result, 'struct'];
  return none ? [withStruct, [result]] : [withStruct];
}
