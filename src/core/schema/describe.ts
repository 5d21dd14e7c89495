/** Describes a declaration for help, the reference and the pages of documentation: types, ranges and faults. */
import { type FaultName, faultKinds } from '../../base/faults';
import type { Method } from '../call/method';
import { type Declared, type TSchema, declared } from './schema';

/** The faults that any call may answer, beside those that its declaration adds. */
const commonFaults: readonly FaultName[] = [
  'bad_parameter',
  'forbidden',
  'too_many_calls',
  'internal',
  'unavailable',
];

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
export const wireType = (schema: TSchema): string => {
  const { wire, signature } = declared(schema);
  return signature ?? wireTypes[wire];
};

/** `int, nil allowed, 0 to 7` and the like. */
export function describeType(schema: TSchema): string {
  const {
    nullable,
    minimum,
    maximum,
    minLength,
    maxLength,
    wire,
    format,
    enum: texts = [],
  } = declared(schema);
  const words = [wireTypes[wire]];
  if (nullable) words.push('or nil');
  if (wire !== 'bit' && minimum !== undefined && minimum > -2_147_483_648) {
    words.push(
      maximum !== undefined && maximum < 2_147_483_647 ? `${minimum} to ${maximum}` : `at least ${minimum}`,
    );
  }
  if (wire === 'bit') words.push('0 or 1');
  if (texts.length > 1) words.push(`one of ${texts.join(', ')}`);
  if (format === 'money-not-negative') words.push('at least 0');
  if (format === 'money-positive') words.push('more than 0');
  if (maxLength !== undefined)
    words.push(minLength === undefined ? `at most ${maxLength}` : `${minLength} to ${maxLength}`);
  return words.join(', ').replace(', or nil', ' or nil');
}
