/**
 * The text of an XML-RPC call, turned into a method name and values. saxes sees to it that the text
 * is well-formed XML; the grammar of XML-RPC stands here, one case per element. The first problem
 * ends the reading with a fault that says what was found, what was expected, and where.
 *
 * Nothing here recurses, and text is joined once and read once: time is linear in the body's length. It is read in
 * steps, between which other requests run.
 */
import { SaxesParser } from 'saxes';

import { DateTime, Double, type Struct, Unreadable, type Value } from '../../core/schema/values';
import { Fault } from '../../base/faults';
import { type ValueLimits, tooManyValues } from '../http/limits';

export interface XmlRpcCall {
  readonly method: string;
  readonly params: readonly Value[];
}

const method_name_max_characters = 255;
const unreadable_max_characters = 40;

/** No number that a double or an integer holds needs so many. */
const number_max_characters = 1_000;

/** Names out of a body that stand in a fault are cut, as a body may hold one of a megabyte. */
const quoted_max_characters = 64;

/** So many characters are read between two places where the reading may pause. */
const charactersPerStep = 8_192;

/** So often what saxes collects is made one string: see `joinCollected`. */
const charactersPerJoin = 4 * charactersPerStep;

/** Reads a call in steps; the generator returns it. Throws fault -32700 or -32600. */
export function* parseCall(body: string, limits: ValueLimits): Generator<undefined, XmlRpcCall> {
  // No decoder yields half a surrogate pair; saxes would take the character after it for the other half.
  if (!(body as WellFormedString).isWellFormed()) {
    throw new Fault('not_well_formed', 'The body holds half a surrogate pair');
  }
  const text = body.includes('\r') ? yield* normalizeLineEnds(body) : body;
  if (isBlank(text)) throw new Fault('not_well_formed', 'The body is empty');

  // 1.x is read as 1.0, as XML 1.0 wants it. saxes' own positions would stand in front of its messages.
  const parser = new SaxesParser({ position: false, forceXMLVersion: true, defaultXMLVersion: '1.0' });
  const source = (): Source => new Source(text, parser.position);
  const reader = new CallReader(limits, source);
  listen(parser, reader, source);
  for (let start = 0; start < text.length; start += charactersPerStep) {
    parser.write(text.slice(start, start + charactersPerStep));
    if (start % charactersPerJoin === 0) joinCollected(parser);
    yield;
  }
  parser.close();
  return reader.result();
}

/** Line ends as XML wants them; saxes does it too, but one string at a time for each of them. */
function* normalizeLineEnds(body: string): Generator<undefined, string> {
  let text = '';
  for (let start = 0; start < body.length;) {
    let end = start + charactersPerStep;
    if (body.charAt(end - 1) === '\r' && body.charAt(end) === '\n') end += 1;
    text += body.slice(start, end).split('\r\n').join('\n').split('\r').join('\n');
    start = end;
    yield;
  }
  return text;
}

/**
 * saxes collects some texts character by character, and V8 keeps a node for each addition until somebody reads the
 * text. Reading it now and then leaves one string, where a collection of a million nodes would take 30 ms.
 */
function joinCollected(parser: SaxesParser): void {
  const { text, piTarget } = parser as unknown as { text: string; piTarget: string };
  for (const collected of [text, piTarget]) {
    if (collected.length >= charactersPerStep) collected.charCodeAt(collected.length - 1);
  }
}

/** Hands saxes' events to the reader. */
function listen(parser: SaxesParser, reader: CallReader, source: () => Source): void {
  parser.on('error', (error) => {
    throw faultOfSaxes(error.message.replace(/\.$/, ''), source());
  });
  parser.on('doctype', () => {
    throw notWellFormed('a document type (DOCTYPE) is not accepted', source().lastRead());
  });
  parser.on('attribute', () => {
    reader.countAttribute();
  });
  parser.on('opentag', (tag) => {
    reader.open(tag.name);
  });
  parser.on('text', (chunk) => {
    reader.addText(chunk);
  });
  parser.on('cdata', (chunk) => {
    reader.addText(chunk);
  });
  parser.on('closetag', () => {
    reader.close();
  });
}

/** Node has it since 20; TypeScript's ES2023 does not list it yet. */
type WellFormedString = string & { isWellFormed(): boolean };

/** An element that is open; each knows, by type, the one that it reports to. Undefined: not seen yet (null is a value). */
type Frame =
  | DocumentFrame
  | CallFrame
  | MethodNameFrame
  | ParamsFrame
  | ParamFrame
  | ValueFrame
  | ScalarFrame
  | StructFrame
  | MemberFrame
  | NameFrame
  | ArrayFrame
  | DataFrame;

interface Element<At extends string, Up> {
  readonly at: At;
  readonly up: Up;
}
interface DocumentFrame extends Element<'document', undefined> {
  call: XmlRpcCall | undefined;
}
interface CallFrame extends Element<'methodCall', DocumentFrame> {
  method: string | undefined;
  params: Value[] | undefined;
}
interface MethodNameFrame extends Element<'methodName', CallFrame> {
  text: string;
}
interface ParamsFrame extends Element<'params', CallFrame> {
  readonly items: Value[];
}
interface ParamFrame extends Element<'param', ParamsFrame> {
  value: Value | undefined;
}
interface ValueFrame extends Element<'value', ParamFrame | MemberFrame | DataFrame> {
  text: string;
  value: Value | undefined;
}
interface ScalarFrame extends Element<'scalar', ValueFrame> {
  readonly tag: string;
  readonly read: ReadScalar;
  text: string;
}
interface StructFrame extends Element<'struct', ValueFrame> {
  readonly members: Struct;
}
interface MemberFrame extends Element<'member', StructFrame> {
  name: string | undefined;
  value: Value | undefined;
}
interface NameFrame extends Element<'name', MemberFrame> {
  text: string;
}
interface ArrayFrame extends Element<'array', ValueFrame> {
  items: Value[] | undefined;
}
interface DataFrame extends Element<'data', ArrayFrame> {
  readonly items: Value[];
}

/** The grammar: saxes' events go in, the call comes out. Its state is the innermost open element. */
class CallReader {
  private readonly document: DocumentFrame = { at: 'document', up: undefined, call: undefined };
  private top: Frame = this.document;
  private nesting = 0;
  private values = 0;
  private attributes = 0;

  constructor(
    private readonly limits: ValueLimits,
    private readonly source: () => Source,
  ) {}

  /** There is one: saxes ends without an error only after a root element, and no other root passes here. */
  result(): XmlRpcCall {
    if (this.document.call === undefined) throw this.missing('<methodCall>');
    return this.document.call;
  }

  /** saxes compares the attributes of a tag in one go when it ends, so there may not be many. */
  countAttribute(): void {
    this.attributes += 1;
    if (this.attributes > this.limits.members)
      throw new Fault(
        'not_a_call',
        `Not an XML-RPC call: more attributes in a tag than the limit of ${this.limits.members}`,
      );
  }

  open(tag: string): void {
    this.attributes = 0;
    this.top = this.child(this.top, tag);
  }

  private child(top: Frame, tag: string): Frame {
    switch (top.at) {
      case 'document':
        if (tag === 'methodCall') return { at: 'methodCall', up: top, method: undefined, params: undefined };
        throw this.unexpected(tag, '<methodCall>');
      case 'methodCall':
        return this.childOfCall(top, tag);
      case 'params':
        if (tag !== 'param') throw this.unexpected(tag, '<param>');
        this.checkCount(top.items.length, 'parameters in the call');
        return { at: 'param', up: top, value: undefined };
      case 'param':
        if (top.value === undefined && tag === 'value') return this.openValue(top);
        throw this.unexpected(tag, top.value === undefined ? '<value>' : '</param>');
      case 'value':
        return this.childOfValue(top, tag);
      case 'struct':
        if (tag !== 'member') throw this.unexpected(tag, '<member>');
        this.checkCount(top.members.size, 'members in a struct');
        return { at: 'member', up: top, name: undefined, value: undefined };
      case 'member':
        return this.childOfMember(top, tag);
      case 'array':
        if (top.items === undefined && tag === 'data') return { at: 'data', up: top, items: [] };
        throw this.unexpected(tag, top.items === undefined ? '<data>' : '</array>');
      case 'data':
        if (tag !== 'value') throw this.unexpected(tag, '<value>');
        this.checkCount(top.items.length, 'elements in an array');
        return this.openValue(top);
      case 'methodName':
      case 'name':
      case 'scalar':
        throw this.unexpected(tag, 'text alone');
    }
  }

  private childOfCall(top: CallFrame, tag: string): Frame {
    if (top.method === undefined) {
      if (tag === 'methodName') return { at: 'methodName', up: top, text: '' };
      throw this.unexpected(tag, '<methodName>');
    }
    if (top.params !== undefined) throw this.unexpected(tag, '</methodCall>');
    if (tag === 'params') return { at: 'params', up: top, items: [] };
    throw this.unexpected(tag, '<params> or </methodCall>');
  }

  private childOfMember(top: MemberFrame, tag: string): Frame {
    if (top.name === undefined) {
      if (tag === 'name') return { at: 'name', up: top, text: '' };
      throw this.unexpected(tag, '<name>');
    }
    if (top.value === undefined && tag === 'value') return this.openValue(top);
    throw this.unexpected(tag, top.value === undefined ? '<value>' : '</member>');
  }

  private childOfValue(top: ValueFrame, tag: string): Frame {
    if (top.value !== undefined) throw this.unexpected(tag, '</value>, as a value holds one type');
    if (!isBlank(top.text)) throw this.unexpected(tag, '</value>, as text stands before it');
    const read = scalars.get(tag);
    if (read !== undefined) return { at: 'scalar', up: top, tag, read, text: '' };
    if (tag === 'struct') return { at: 'struct', up: top, members: new Map() };
    if (tag === 'array') return { at: 'array', up: top, items: undefined };
    throw this.unexpected(tag, 'a type such as <string> or <struct>');
  }

  private openValue(up: ParamFrame | MemberFrame | DataFrame): ValueFrame {
    this.values += 1;
    if (this.values > this.limits.values) throw tooManyValues(this.limits);
    this.nesting += 1;
    if (this.nesting > this.limits.nesting) {
      throw this.notACall(
        `values stand deeper in each other than the limit of ${this.limits.nesting} levels`,
      );
    }
    return { at: 'value', up, text: '', value: undefined };
  }

  private checkCount(count: number, what: string): void {
    if (count >= this.limits.members) {
      throw this.notACall(`more ${what} than the limit of ${this.limits.members}`);
    }
  }

  /** Text comes in pieces, as comments and CDATA sections divide it. */
  addText(chunk: string): void {
    const top = this.top;
    switch (top.at) {
      case 'methodName':
      case 'name':
      case 'scalar':
        top.text += chunk;
        return;
      case 'value':
        if (top.value === undefined) top.text += chunk;
        else if (!isBlank(chunk)) throw this.unexpectedText('</value>, as a value holds one type');
        return;
      case 'document':
        // Before and after the root only blanks are well-formed; saxes sees to that after this event.
        return;
      default:
        if (!isBlank(chunk)) throw this.unexpectedText('elements alone');
    }
  }

  close(): void {
    const top = this.top;
    if (top.at === 'document') return;
    this.finish(top);
    this.top = top.up;
  }

  private finish(top: Exclude<Frame, DocumentFrame>): void {
    switch (top.at) {
      case 'methodCall':
        if (top.method === undefined) throw this.missing('<methodName>');
        top.up.call = { method: top.method, params: top.params ?? [] };
        return;
      case 'methodName':
        top.up.method = this.methodName(top.text);
        return;
      case 'params':
        top.up.params = top.items;
        return;
      case 'param':
        if (top.value === undefined) throw this.missing('<value>');
        top.up.items.push(top.value);
        return;
      case 'value':
        this.finishValue(top);
        return;
      case 'scalar':
        top.up.value = this.scalar(top);
        return;
      case 'struct':
        top.up.value = top.members;
        return;
      case 'member':
        if (top.name === undefined) throw this.missing('<name>');
        if (top.value === undefined) throw this.missing('<value>');
        top.up.members.set(top.name, top.value);
        return;
      case 'name':
        top.up.name = this.memberName(top);
        return;
      case 'array':
        if (top.items === undefined) throw this.missing('<data>');
        top.up.value = top.items;
        return;
      case 'data':
        top.up.items = top.items;
    }
  }

  private finishValue(top: ValueFrame): void {
    this.nesting -= 1;
    const value = top.value === undefined ? top.text : top.value;
    if (top.up.at === 'data') top.up.items.push(value);
    else top.up.value = value;
  }

  private scalar(top: ScalarFrame): Value {
    const value = top.read(top.text, top.tag);
    if (value === undefined) throw this.unexpectedText(`</${top.tag}>, as it holds nothing`);
    return value;
  }

  private methodName(text: string): string {
    const name = trimBlanks(text);
    if (name === '') throw this.notACall('the method name is empty');
    if (name.length > method_name_max_characters) {
      throw this.notACall(`the method name is longer than ${method_name_max_characters} characters`);
    }
    return name;
  }

  private memberName(top: NameFrame): string {
    const name = trimBlanks(top.text);
    if (top.up.up.members.has(name)) {
      throw this.notACall(`a struct holds the member "${shorten(name, quoted_max_characters)}" twice`);
    }
    return name;
  }

  private unexpected(tag: string, expected: string): Fault {
    return this.notACall(
      `found <${shorten(tag, quoted_max_characters)}> in ${this.where()}, expected ${expected}`,
    );
  }

  /** The text itself is not repeated: it may be a password that slipped out of its place. */
  private unexpectedText(expected: string): Fault {
    return this.notACall(`found text in ${this.where()}, expected ${expected}`);
  }

  private missing(expected: string): Fault {
    return this.notACall(`found the end of ${this.where()}, expected ${expected}`);
  }

  private where(): string {
    if (this.top.at === 'document') return 'the body';
    return `<${this.top.at === 'scalar' ? this.top.tag : this.top.at}>`;
  }

  private notACall(problem: string): Fault {
    const source = this.source();
    // saxes announces the end of an element before it compares the names of the two tags.
    const closing = source.closingName();
    if (closing !== undefined && `<${closing}>` !== this.where()) {
      return notWellFormed(
        `</${shorten(closing, quoted_max_characters)}> closes ${this.where()}`,
        source.event(),
      );
    }
    return new Fault('not_a_call', `Not an XML-RPC call: ${problem} (${source.event()})`);
  }
}

/** Where saxes stands in the text. Made only when a fault is: reading needs no positions. */
class Source {
  constructor(
    private readonly text: string,
    private readonly position: number,
  ) {}

  /** The character that saxes read last. */
  lastRead(): string {
    return this.place(this.position - 1);
  }

  /** What the event is about: the beginning of a tag or CDATA section, or the end of a text. */
  event(): string {
    let index = this.markup();
    if (this.text[this.position - 1] === '<') {
      while (index > 0 && isBlankCode(this.text.charCodeAt(index - 1))) index -= 1;
      index -= 1;
    }
    return this.place(index);
  }

  /** The name in the end tag that saxes just read, if it was one. */
  closingName(): string | undefined {
    const tag = this.text.slice(this.markup(), this.position);
    return tag.startsWith('</') && tag.endsWith('>') ? trimBlanks(tag.slice(2, -1)) : undefined;
  }

  /** The `&` that began the last reference. saxes may stand far behind it, as it reads on to a `;`. */
  reference(): string | undefined {
    const index = this.text.indexOf('&', this.text.lastIndexOf(';', this.position - 2) + 1);
    return index === -1 || index >= this.position ? undefined : this.place(index);
  }

  /** `<` cannot stand within a tag, and text is announced when the `<` after it has been read. */
  private markup(): number {
    const isCdata = this.text.endsWith(']]>', this.position);
    return this.text.lastIndexOf(isCdata ? '<![CDATA[' : '<', this.position - 1);
  }

  /** Lines and columns count from 1, columns in UTF-16 units. */
  private place(index: number): string {
    let line = 1;
    let lineStart = 0;
    for (let at = 0; at < index; at += 1) {
      if (this.text.charCodeAt(at) !== 0x0a) continue;
      line += 1;
      lineStart = at + 1;
    }
    return `line ${line}, column ${Math.max(index, 0) - lineStart + 1}`;
  }
}

/** saxes' own words, with the place where the mistake is where saxes notices it only later. */
function faultOfSaxes(problem: string, source: Source): Fault {
  const closing = source.closingName();
  if (problem === 'unexpected close tag' && closing !== undefined) {
    return notWellFormed(`${problem} </${closing}>`, source.event());
  }
  const reference = source.reference();
  if (reference !== undefined && /^[a-z ]*\bentity\b/.test(problem)) return notWellFormed(problem, reference);
  // `Smith & Co`, the most frequent mistake of them all, swallows the rest of the body.
  const isEnd = problem.startsWith('unclosed tag') || problem.startsWith('unexpected end');
  const hint =
    isEnd && reference !== undefined ? `, perhaps for an & that should be &amp; at ${reference}` : '';
  return notWellFormed(problem, source.lastRead(), hint);
}

function notWellFormed(problem: string, place: string, hint = ''): Fault {
  const short = shorten(problem, 2 * quoted_max_characters);
  return new Fault('not_well_formed', `Not well-formed XML: ${short} (${place}${hint})`);
}

/** Undefined: the type holds nothing, but something stands there. */
type ReadScalar = (text: string, tag: string) => Value | undefined;

const scalars: ReadonlyMap<string, ReadScalar> = new Map([
  ...['int', 'i4', 'i8', 'i1', 'i2'].flatMap((tag): [string, ReadScalar][] => [
    [tag, readInteger],
    [`ex:${tag}`, readInteger],
  ]),
  ['boolean', readBoolean],
  ['double', readDouble],
  ['string', (text) => text],
  ['dateTime.iso8601', (text) => new DateTime(trimBlanks(text))],
  ['base64', readBase64],
  ['nil', readNil],
  ['ex:nil', readNil],
]);

function readInteger(text: string, tag: string): Value {
  const digits = trimBlanks(text);
  const number = /^[+-]?\d{1,400}$/.test(digits) ? Number(digits) : Number.NaN;
  // Adding zero makes 0 of -0, which an integer does not have.
  return Number.isSafeInteger(number) ? number + 0 : unreadable(tag, digits);
}

function readBoolean(text: string, tag: string): Value {
  const word = trimBlanks(text);
  if (word === '1' || word === 'true') return true;
  if (word === '0' || word === 'false') return false;
  return unreadable(tag, word);
}

function readDouble(text: string, tag: string): Value {
  const decimal = trimBlanks(text);
  const number =
    decimal.length <= number_max_characters && /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/.test(decimal)
      ? Number(decimal)
      : Number.NaN;
  return Number.isFinite(number) ? new Double(number) : unreadable(tag, decimal);
}

/** Buffer would skip what it does not know; here all of it must be base64, padded to whole groups. */
function readBase64(text: string, tag: string): Value {
  // Characters beyond ASCII become bytes that are none of base64.
  const bytes = Buffer.from(text, 'utf8');
  let length = 0;
  // By index: an iterator would take four times as long over a megabyte.
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index] ?? 0;
    if (isBlankCode(byte)) continue;
    bytes[length] = byte;
    length += 1;
  }
  const packed = bytes.toString('latin1', 0, length);
  if (length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(packed)) return unreadable(tag, trimBlanks(text));
  return new Uint8Array(Buffer.from(packed, 'base64'));
}

function readNil(text: string): Value | undefined {
  return isBlank(text) ? null : undefined;
}

function unreadable(tag: string, text: string): Unreadable {
  return new Unreadable(tag, shorten(text, unreadable_max_characters));
}

/** At most so many characters, without half a surrogate pair at the end. */
function shorten(text: string, max_characters: number): string {
  return text.length <= max_characters ? text : text.slice(0, max_characters).replace(/[\ud800-\udbff]$/, '');
}

/** Blanks as XML has them: a no-break space is text. */
function isBlankCode(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

function isBlank(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (!isBlankCode(text.charCodeAt(index))) return false;
  }
  return true;
}

function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlankCode(text.charCodeAt(start))) start += 1;
  while (end > start && isBlankCode(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}
