/**
 * Results and faults as XML, the way Python's xmlrpc.client writes: `<int>`, an explicit
 * `<string>`, no blank between `<value>` and the type's tag, doubles without exponent. The tag
 * comes from the declaration, never from the value, so 10.0 stays a double. Each declaration is
 * compiled once into a function, because walking it for every answer costs more than the query.
 * Every function is total: what does not fit its declaration is written as nil, because an error
 * here would come after COMMIT, and the caller would repeat what was done.
 */
import { plain, plainIfAmount } from '../../core/schema/decimal';
import type { Outcome } from '../../core/call/dispatch';
import { type TSchema, declared, maxInteger } from '../../core/schema/schema';
import { Fault } from '../../base/faults';
import { type Notation, inPieces, isLong, joined } from '../http/pieces';

const head = `<?xml version="1.0" encoding="UTF-8"?>\n<methodResponse>`;
const before = `${head}<params><param>`;
const after = '</param></params></methodResponse>\n';

/** The whole answer; in pieces where it is long. */
export function writeOutcome(outcome: Outcome): string | AsyncIterable<string> {
  if (outcome instanceof Fault) return writeFault(outcome.number, outcome.message);
  const { method, result } = outcome;
  if (isLong(result)) return enveloped(inPieces(notation, method.result, result));
  return before + writerOf(method.result)(result) + after;
}

async function* enveloped(pieces: AsyncIterable<string>): AsyncGenerator<string, void> {
  yield before;
  yield* pieces;
  yield after;
}

export function writeFault(number: number, text: string): string {
  return `${head}<fault>${faultValue(number, text)}</fault></methodResponse>\n`;
}

const faultValue = (number: number, text: string): string =>
  '<value><struct>' +
  `<member><name>faultCode</name><value><int>${number}</int></value></member>` +
  `<member><name>faultString</name><value><string>${escape(text)}</string></value></member>` +
  '</struct></value>';

const notation: Notation = {
  array: { open: '<value><array><data>', separator: '', close: '</data></array></value>' },
  struct: { open: '<value><struct>', separator: '', close: '</struct></value>' },
  member: (name) => [`<member><name>${escape(name)}</name>`, '</member>'],
  value: (schema, value) => writerOf(schema)(value),
  fault: ({ number, message }) => faultValue(number, message),
};

type Writer = (value: unknown) => string;
type Members = Readonly<Record<string, unknown>>;

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
  return (value) => (value === null || value === undefined ? nil : write(value));
}

function compileTyped(schema: TSchema): Writer {
  const { wire, properties, items } = declared(schema);
  switch (wire) {
    case 'integer':
    case 'bit':
      return (value) =>
        Number.isSafeInteger(value) ? integerValue(value as number) : writeOddInteger(value);
    case 'flag':
      return (value) => `<value><boolean>${value === true ? 1 : 0}</boolean></value>`;
    case 'double':
      return writeDouble;
    case 'money':
      return writeMoney;
    case 'text':
      return (value) =>
        typeof value === 'string' ? `<value><string>${escape(value)}</string></value>` : writeOddText(value);
    case 'list': {
      const item = writerOf(items as TSchema);
      return (value) => (Array.isArray(value) ? joined(notation.array, value.map(item)) : nil);
    }
    case 'struct':
      return compileStruct(Object.entries(properties ?? {}));
    case 'any':
      return writeAny;
  }
}

/** `<int>` has 32 bits. What is greater goes as `<i8>`, which most clients read, and the others refuse loudly. */
const integerValue = (value: number | bigint): string =>
  value > maxInteger || value < -maxInteger - 1
    ? `<value><i8>${value}</i8></value>`
    : `<value><int>${value}</int></value>`;

function compileStruct(properties: readonly (readonly [string, TSchema])[]): Writer {
  const members = properties.map(
    ([name, schema]) => [name, `<member><name>${escape(name)}</name>`, writerOf(schema)] as const,
  );
  return (value) => {
    if (typeof value !== 'object') return nil;
    let text = '<value><struct>';
    for (const [name, start, write] of members) {
      const member = (value as Members)[name];
      if (member !== undefined) text += `${start}${write(member)}</member>`;
    }
    return `${text}</struct></value>`;
  };
}

/** PostgreSQL gives large integers as text. A number that is no integer is a double. */
function writeOddInteger(value: unknown): string {
  const isDigits = typeof value === 'bigint' || (typeof value === 'string' && /^-?\d+$/.test(value));
  return isDigits ? integerValue(BigInt(value)) : writeDouble(value);
}

const writeDouble = (value: unknown): string =>
  Number.isFinite(value) ? `<value><double>${doubleText(value as number)}</double></value>` : nil;

function writeMoney(value: unknown): string {
  const text = typeof value === 'string' && decimalForm.test(value) ? value : plainIfAmount(value);
  return text === undefined ? nil : `<value><double>${moneyText(text)}</double></value>`;
}

const decimalForm = /^-?\d+(\.\d+)?$/;

function writeOddText(value: unknown): string {
  if (value instanceof Date) return writeAny(value);
  const isScalar = typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean';
  return isScalar ? `<value><string>${String(value)}</string></value>` : nil;
}

/** A value that no declaration describes further. */
function writeAny(value: unknown): string {
  if (typeof value === 'string') return `<value><string>${escape(value)}</string></value>`;
  if (typeof value === 'boolean') return `<value><boolean>${value ? 1 : 0}</boolean></value>`;
  if (typeof value === 'number' || typeof value === 'bigint')
    return Number.isSafeInteger(value) || typeof value === 'bigint'
      ? integerValue(value)
      : writeDouble(value);
  if (typeof value !== 'object' || value === null) return nil;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? nil : writeAny(value.toISOString());
  if (Array.isArray(value)) return joined(notation.array, value.map(writeAny));
  return joined(
    notation.struct,
    Object.entries(value).map(([name, member]) => {
      const [start, end] = notation.member(name);
      return start + writeAny(member) + end;
    }),
  );
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
