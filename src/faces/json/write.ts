/**
 * Results as JSON, by their declaration: money is a number with every digit, a long list comes piece by piece. Each
 * declaration is compiled once into a function.
 */
import { plain } from '../../core/decimal';
import { type Outcome, Outcomes } from '../../core/dispatch';
import { type TSchema, declared } from '../../core/schema';
import { Fault } from '../../faults';

type Members = Readonly<Record<string, unknown>>;

/** The answer of a call; in pieces where a list in it is produced piece by piece. */
export function writeJson(outcome: Outcome, request_id: string): string | AsyncIterable<string> {
  if (outcome instanceof Fault) {
    return JSON.stringify({ faultCode: outcome.number, faultString: outcome.message, request_id });
  }
  const { method, result } = outcome;
  const { properties } = declared(method.result);
  if (properties && Object.values(result as Members).some(isBatches)) {
    return inPieces(Object.entries(properties), result as Members);
  }
  return textOf(method.result, result);
}

/** One value by its declaration. */
export const textOf = (schema: TSchema, value: unknown): string => writerOf(schema)(value);

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
  if (wire === 'money') return (value) => plain(value as string);
  if (wire === 'list' && items) {
    const write = writerOf(items);
    return (value) => `[${(value as unknown[]).map(write).join(',')}]`;
  }
  if (wire === 'struct' && properties) return compileStruct(Object.entries(properties));
  return (value) =>
    value instanceof Outcomes ? `[${value.list.map(multicallMember).join(',')}]` : JSON.stringify(value);
}

function compileStruct(properties: readonly (readonly [string, TSchema])[]): Writer {
  const members = properties.map(
    ([name, schema]) => [name, `${JSON.stringify(name)}:`, writerOf(schema)] as const,
  );
  return (value) => {
    let text = '';
    for (const [name, start, write] of members) {
      const member = (value as Members)[name];
      if (member !== undefined) text += `${text === '' ? '' : ','}${start}${write(member)}`;
    }
    return `{${text}}`;
  };
}

function multicallMember(outcome: Outcome): string {
  if (outcome instanceof Fault)
    return JSON.stringify({ faultCode: outcome.number, faultString: outcome.message });
  return `[${textOf(outcome.method.result, outcome.result)}]`;
}

const isBatches = (value: unknown): value is AsyncIterable<readonly unknown[]> =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value;

async function* inPieces(
  properties: readonly [string, TSchema][],
  result: Members,
): AsyncGenerator<string, void> {
  let separator = '{';
  for (const [name, schema] of properties) {
    const value = result[name];
    if (value === undefined) continue;
    yield `${separator}${JSON.stringify(name)}:`;
    if (isBatches(value)) yield* listInPieces(declared(schema).items as TSchema, value);
    else yield textOf(schema, value);
    separator = ',';
  }
  yield '}';
}

async function* listInPieces(
  items: TSchema,
  batches: AsyncIterable<readonly unknown[]>,
): AsyncGenerator<string, void> {
  let separator = '[';
  for await (const batch of batches) {
    if (batch.length === 0) continue;
    yield separator + batch.map((item) => textOf(items, item)).join(',');
    separator = ',';
  }
  yield separator === '[' ? '[]' : ']';
}
