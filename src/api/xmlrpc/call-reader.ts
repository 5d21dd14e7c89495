/**
 * The grammar of XML-RPC: one case per element. The first problem ends the reading with a fault that names what was
 * found, what was expected, and where. Nothing here recurses.
 */
import type { Struct, Value } from '../../core/schema/values';
import { Fault } from '../../base/faults';
import { type ValueLimits, tooManyValues } from '../http/limits';
import { isBlank, shorten, trimBlanks } from './blanks';
import { type ReadScalar, scalars } from './scalars';
import { type Source, notWellFormed, quoted_max_characters } from './source';

export interface XmlRpcCall {
  readonly method: string;
  readonly params: readonly Value[];
}

const method_name_max_characters = 255;

/** An open element. `up` is its parent, which receives its value. Undefined means not read yet; null is a value. */
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

/** Builds the call from the events of saxes. Its state is the innermost open element. */
export class CallReader {
  private readonly document: DocumentFrame = { at: 'document', up: undefined, call: undefined };
  private top: Frame = this.document;
  private nesting = 0;
  private values = 0;
  private attributes = 0;

  constructor(
    private readonly limits: ValueLimits,
    private readonly source: () => Source,
  ) {}

  /** Returns the call. saxes ends without an error only after a root element, and `child` accepts no other root. */
  result(): XmlRpcCall {
    if (this.document.call === undefined) throw this.missing('<methodCall>');
    return this.document.call;
  }

  /** Limits the attributes of a tag: saxes compares all of them in one step at the end of the tag. */
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

  /** Text arrives in pieces: comments and CDATA sections divide it. */
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
        // Around the root only blanks are well-formed. saxes checks that after this event.
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

  /** The fault does not repeat the text, because it may be a misplaced password. */
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
    // saxes emits the end of an element before it compares the names of the two tags.
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
