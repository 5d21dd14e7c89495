/** Help and signatures of a method, from its declaration. */
import type { Method } from '../core/method';
import { type Declared, type TSchema, declared } from '../core/schema';
import { type FaultName, faultKinds } from '../faults';

/** The faults that any call may answer, beside those that its declaration adds. */
const commonFaults: readonly FaultName[] = ['bad_parameter', 'forbidden', 'internal', 'unavailable'];

const wireTypes: Readonly<Record<Declared['wire'], string>> = {
  integer: 'int',
  bit: 'int',
  flag: 'boolean',
  double: 'double',
  money: 'double',
  text: 'string',
  list: 'array',
  struct: 'struct',
  any: 'struct',
};

/** Every fault that the method may answer, by number. */
export const faultsOf = (method: Method): readonly FaultName[] =>
  [...new Set([...commonFaults, ...method.faults])].sort(
    (a, b) => faultKinds[a].number - faultKinds[b].number,
  );

/** The type of a value in the words of XML-RPC. */
export const wireType = (schema: TSchema): string => wireTypes[declared(schema).wire];

/** `int, nil allowed, 0 to 7` and the like. */
export function typeInWords(schema: TSchema): string {
  const { nullable, minimum, maximum, minLength, maxLength, wire, format } = declared(schema);
  const words = [wireTypes[wire]];
  if (nullable) words.push('or nil');
  if (wire !== 'bit' && minimum !== undefined && minimum > -2_147_483_648) {
    words.push(
      maximum !== undefined && maximum < 2_147_483_647 ? `${minimum} to ${maximum}` : `at least ${minimum}`,
    );
  }
  if (wire === 'bit') words.push('0 or 1');
  if (format === 'money-not-negative') words.push('at least 0');
  if (format === 'money-positive') words.push('more than 0');
  if (maxLength !== undefined)
    words.push(minLength === undefined ? `at most ${maxLength}` : `${minLength} to ${maxLength}`);
  return words.join(', ').replace(', or nil', ' or nil');
}

/** A page of plain text. */
export function helpOf(method: Method): string {
  const right = method.right === 'none' ? 'none' : method.right;
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
  return `  ${name} (${typeInWords(schema)}; ${needed}): ${declared(schema).description}`;
}

function answerLines(schema: TSchema): string[] {
  const { properties, description } = declared(schema);
  if (!properties) return [`  ${wireType(schema)}: ${description}`];
  return Object.entries(properties).map(
    ([name, member]) => `  ${name} (${typeInWords(member)}): ${declared(member).description}`,
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
