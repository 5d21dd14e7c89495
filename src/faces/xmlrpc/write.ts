/**
 * Results and faults as XML, the way Python's xmlrpc.client writes: `<int>`, an explicit
 * `<string>`, no blank between `<value>` and the type's tag, doubles without exponent. The tag
 * comes from the declaration, never from the value, so 10.0 stays a double. Each declaration is
 * compiled once into a function, because walking it for every answer costs more than the query.
 */
import { plain } from '../../core/decimal';
import { type Outcome, Outcomes } from '../../core/dispatch';
import { type TSchema, declared, maxInteger } from '../../core/schema';
import { Fault } from '../../faults';

const head = `<?xml version="1.0" encoding="UTF-8"?>\n<methodResponse>`;
const before = `${head}<params><param>`;
const after = '</param></params></methodResponse>\n';

/** The whole answer; in pieces where a list in it is produced piece by piece. */
export function writeOutcome(outcome: Outcome): string | AsyncIterable<string> {
  if (outcome instanceof Fault) return writeFault(outcome.number, outcome.message);
  const { method, result } = outcome;
  if (hasBatches(result)) return writeInPieces(method.result, result);
  return before + writerOf(method.result)(result) + after;
}

export function writeFault(number: number, text: string): string {
  return `${head}<fault>${faultValue(number, text)}</fault></methodResponse>\n`;
}

const faultValue = (number: number, text: string): string =>
  '<value><struct>' +
  `<member><name>faultCode</name><value><int>${number}</int></value></member>` +
  `<member><name>faultString</name><value><string>${escape(text)}</string></value></member>` +
  '</struct></value>';

type Writer = (value: unknown) => string;
type Members = Record<string, unknown>;

const writers = new WeakMap<TSchema, Writer>();

function writerOf(schema: TSchema): Writer {
  let writer = writers.get(schema);
  if (!writer) {
    writer = compile(schema);
    writers.set(schema, writer);
  }
  return writer;
}

const nil = '<value><nil/></value>';

function compile(schema: TSchema): Writer {
  const write = compileTyped(schema);
  return (value) => (value === null ? nil : write(value));
}

function compileTyped(schema: TSchema): Writer {
  const { wire, properties, items, maximum } = declared(schema);
  switch (wire) {
    case 'integer':
      return maximum === undefined || maximum > maxInteger
        ? (value) => integerValue(value as number)
        : (value) => `<value><int>${String(value)}</int></value>`;
    case 'bit':
      return (value) => `<value><int>${String(value)}</int></value>`;
    case 'flag':
      return (value) => `<value><boolean>${value === true ? 1 : 0}</boolean></value>`;
    case 'double':
      return (value) =>
        Number.isFinite(value) ? `<value><double>${doubleText(value as number)}</double></value>` : nil;
    case 'money':
      return (value) =>
        value === 'NaN' ? nil : `<value><double>${moneyText(value as string)}</double></value>`;
    case 'text':
      return (value) => `<value><string>${escape(value as string)}</string></value>`;
    case 'list': {
      const item = writerOf(items as TSchema);
      return (value) =>
        `<value><array><data>${(value as unknown[]).map(item).join('')}</data></array></value>`;
    }
    case 'struct':
      return compileStruct(Object.entries(properties ?? {}));
    case 'any':
      return writeAny;
  }
}

/** `<int>` has 32 bits. What is greater goes as `<i8>`, which most clients read, and the others refuse loudly. */
const integerValue = (value: number): string =>
  Math.abs(value) > maxInteger ? `<value><i8>${value}</i8></value>` : `<value><int>${value}</int></value>`;

function compileStruct(properties: readonly (readonly [string, TSchema])[]): Writer {
  const members = properties.map(
    ([name, schema]) => [name, `<member><name>${escape(name)}</name>`, writerOf(schema)] as const,
  );
  return (value) => {
    let text = '<value><struct>';
    for (const [name, start, write] of members) {
      const member = (value as Members)[name];
      if (member !== undefined) text += `${start}${write(member)}</member>`;
    }
    return `${text}</struct></value>`;
  };
}

/** A value that no declaration describes further: those of system.*. */
function writeAny(value: unknown): string {
  if (value instanceof Outcomes) {
    return `<value><array><data>${value.list.map(multicallMember).join('')}</data></array></value>`;
  }
  if (typeof value === 'string') return `<value><string>${escape(value)}</string></value>`;
  if (value === null || value === undefined) return nil;
  if (typeof value === 'boolean') return `<value><boolean>${value ? 1 : 0}</boolean></value>`;
  if (typeof value === 'number') {
    return Number.isInteger(value)
      ? integerValue(value)
      : `<value><double>${doubleText(value)}</double></value>`;
  }
  const members = Object.entries(value as Members);
  const written = members.map(
    ([name, member]) => `<member><name>${escape(name)}</name>${writeAny(member)}</member>`,
  );
  return `<value><struct>${written.join('')}</struct></value>`;
}

/** A result in an array of one, a fault as a struct, as the extension has it. */
function multicallMember(outcome: Outcome): string {
  if (outcome instanceof Fault) return faultValue(outcome.number, outcome.message);
  return `<value><array><data>${writerOf(outcome.method.result)(outcome.result)}</data></array></value>`;
}

const isBatches = (value: unknown): value is AsyncIterable<readonly unknown[]> =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value;

function hasBatches(result: unknown): boolean {
  if (result instanceof Outcomes)
    return result.list.some((outcome) => !(outcome instanceof Fault) && hasBatches(outcome.result));
  return typeof result === 'object' && result !== null && Object.values(result).some(isBatches);
}

async function* writeInPieces(schema: TSchema, result: unknown): AsyncGenerator<string, void> {
  yield before;
  if (result instanceof Outcomes) yield* writeOutcomes(result);
  else yield* writeMembers(schema, result as Members);
  yield after;
}

async function* writeOutcomes({ list }: Outcomes): AsyncGenerator<string, void> {
  yield '<value><array><data>';
  for (const outcome of list) {
    if (outcome instanceof Fault || !hasBatches(outcome.result)) {
      yield multicallMember(outcome);
      continue;
    }
    yield '<value><array><data>';
    yield* writeMembers(outcome.method.result, outcome.result as Members);
    yield '</data></array></value>';
  }
  yield '</data></array></value>';
}

async function* writeMembers(schema: TSchema, result: Members): AsyncGenerator<string, void> {
  yield '<value><struct>';
  for (const [name, member] of Object.entries(declared(schema).properties ?? {})) {
    const value = result[name];
    if (value === undefined) continue;
    yield `<member><name>${escape(name)}</name>`;
    if (isBatches(value)) yield* writeBatches(member, value);
    else yield writerOf(member)(value);
    yield '</member>';
  }
  yield '</struct></value>';
}

async function* writeBatches(
  schema: TSchema,
  batches: AsyncIterable<readonly unknown[]>,
): AsyncGenerator<string, void> {
  const item = writerOf(declared(schema).items as TSchema);
  yield '<value><array><data>';
  for await (const batch of batches) yield batch.map(item).join('');
  yield '</data></array></value>';
}

/** Of a finite number: PostgreSQL can hold others, which XML-RPC cannot say; they go out as nil. */
function doubleText(value: number): string {
  const short = String(value);
  const text = short.includes('e') ? plain(short) : short;
  return text.includes('.') ? text : `${text}.0`;
}

/** PostgreSQL gives `92.120000`; the zeros carry nothing, but a double keeps its point. */
function moneyText(value: string): string {
  if (!value.includes('.')) return `${value}.0`;
  const short = value.replace(/0+$/, '');
  return short.endsWith('.') ? `${short}0` : short;
}

// What XML cannot carry, or would read as something else; a lone CR would come back as LF.
const special = /[&<>\r\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g;
/** Or halves of a character, which may stand alone. */
const maybeSpecial = /[&<>\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]/;

function escape(text: string): string {
  if (!maybeSpecial.test(text)) return text;
  return text.toWellFormed().replace(special, (character) => {
    switch (character) {
      case '&':
        return '&amp;';
      case '<':
        return '&lt;';
      case '>':
        return '&gt;';
      case '\r':
        return '&#13;';
      default:
        return '\ufffd';
    }
  });
}
