/**
 * Results as JSON, by their declaration: money is a number with every digit, a long list comes piece by piece. Each
 * declaration is compiled once into a function. Every function is total: what does not fit its declaration is
 * written as null, because an error here would come after COMMIT, and the caller would repeat what was done.
 */
import { plainIfAmount } from '../../core/schema/decimal';
import type { Outcome } from '../../core/call/dispatch';
import { type TSchema, declared } from '../../core/schema/schema';
import { Fault } from '../../base/faults';
import { type Notation, inPieces, isLong } from '../http/pieces';

type Members = Readonly<Record<string, unknown>>;

/** The answer of a call; in pieces where it is long. */
export function writeJson(outcome: Outcome, request_id: string): string | AsyncIterable<string> {
  if (outcome instanceof Fault) {
    return JSON.stringify({ faultCode: outcome.number, faultString: outcome.message, request_id });
  }
  const { method, result } = outcome;
  return isLong(result) ? inPieces(notation, method.result, result) : textOf(method.result, result);
}

/** One value by its declaration. Never throws. */
export const textOf = (schema: TSchema, value: unknown): string => writerOf(schema)(value);

const notation: Notation = {
  array: { open: '[', separator: ',', close: ']' },
  struct: { open: '{', separator: ',', close: '}' },
  member: (name) => [`${JSON.stringify(name)}:`, ''],
  value: textOf,
  fault: ({ number, message }) => JSON.stringify({ faultCode: number, faultString: message }),
};

type Writer = (value: unknown) => string;

const writers = new WeakMap<TSchema, Writer>();

function writerOf(schema: TSchema): Writer {
  let writer = writers.get(schema);
  if (!writer) {
    const write = compile(schema);
    writer = (value) => (value === null || value === undefined ? 'null' : write(value));
    writers.set(schema, writer);
  }
  return writer;
}

function compile(schema: TSchema): Writer {
  const { wire, properties, items } = declared(schema);
  switch (wire) {
    case 'money':
      return (value) => plainIfAmount(value) ?? 'null';
    case 'list': {
      const write = writerOf(items as TSchema);
      return (value) => (Array.isArray(value) ? `[${value.map(write).join(',')}]` : 'null');
    }
    case 'struct':
      return compileStruct(Object.entries(properties ?? {}));
    case 'any':
      return writeAny;
    default:
      return (value) => (typeof value === 'object' ? writeAny(value) : writeScalar(value));
  }
}

function compileStruct(properties: readonly (readonly [string, TSchema])[]): Writer {
  const members = properties.map(
    ([name, schema]) => [name, `${JSON.stringify(name)}:`, writerOf(schema)] as const,
  );
  return (value) => {
    if (typeof value !== 'object') return 'null';
    let text = '';
    for (const [name, start, write] of members) {
      const member = (value as Members)[name];
      if (member !== undefined) text += `${text === '' ? '' : ','}${start}${write(member)}`;
    }
    return `{${text}}`;
  };
}

/** Of an undefined value, a function or a symbol JSON.stringify makes no text, and it throws for a bigint. */
function writeScalar(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.isWellFormed() ? value : value.toWellFormed());
  if (typeof value === 'bigint') return String(value);
  return typeof value === 'number' || typeof value === 'boolean' ? JSON.stringify(value) : 'null';
}

/** A value that no declaration describes further. */
function writeAny(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value, writable) : writeScalar(value);
}

const writable = (_name: string, value: unknown): unknown => {
  if (typeof value === 'bigint') return Number(value);
  return typeof value === 'string' ? value.toWellFormed() : value;
};
