/**
 * JSON as the values that a caller may send, read in one pass: grammar, duplicate members, numbers with an
 * exponent, and every limit. V8's own parser keeps the last of two members of one name, makes 100 of 1e2, and
 * parses a megabyte without a pause.
 */
import { Double, type Struct, Unreadable, type Value } from '../../core/schema/values';
import { Fault } from '../../base/faults';
import { type ValueLimits, tooManyValues } from '../http/limits';

/** Whether 1e2 is the number 100, or no number at all. */
export type Exponents = 'read' | 'refuse';

/** So many tokens are read between two places where the reading may pause. */
const tokensPerStep = 512;

/** How much of a text stands in a fault: a body may hold a name of a megabyte. */
const quoted_max_characters = 64;
const unreadable_max_characters = 40;

const blanks = /[ \t\n\r]*/y;
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const escapes = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/y;
const literals = [
  ['true', true],
  ['false', false],
  ['null', null],
] as const;

/** An array or an object that is not closed yet. */
type Container = { readonly items: Value[] } | { readonly members: Struct; name: string };

/** What may stand at the position: `first` also closes an empty container, `more` is a comma or the end of one. */
type Expected = 'value' | 'first value' | 'name' | 'first name' | 'colon' | 'more';

/** Reads a text in steps; the generator returns the value. Throws fault -32700 or -32600 for the first mistake. */
export function* readJson(
  text: string,
  limits: ValueLimits,
  exponents: Exponents,
): Generator<undefined, Value> {
  const reader = new JsonReader(text, limits, exponents);
  for (;;) {
    for (let count = 0; count < tokensPerStep; count += 1) {
      if (reader.isAtEnd()) return reader.result();
      reader.readToken();
    }
    yield;
  }
}

class JsonReader {
  private at = 0;
  private expected: Expected = 'value';
  private readonly open: Container[] = [];
  private root: Value | undefined;
  private values = 0;

  constructor(
    private readonly text: string,
    private readonly limits: ValueLimits,
    private readonly exponents: Exponents,
  ) {}

  /** Moves to the next token. */
  isAtEnd(): boolean {
    this.at = endOf(blanks, this.text, this.at);
    return this.at >= this.text.length;
  }

  result(): Value {
    if (this.root === undefined || this.open.length > 0 || this.expected !== 'more') throw this.mistake();
    return this.root;
  }

  readToken(): void {
    const { text, expected } = this;
    const character = text[this.at];
    if (character === ']' || character === '}') {
      this.close(character);
    } else if (expected === 'value' || expected === 'first value') {
      this.readValue(character);
    } else if (character === '"' && (expected === 'name' || expected === 'first name')) {
      this.readName();
    } else if (character === ':' && expected === 'colon') {
      this.at += 1;
      this.expected = 'value';
    } else if (character === ',' && expected === 'more' && this.open.length > 0) {
      this.at += 1;
      this.expected = this.members() ? 'name' : 'value';
    } else {
      throw this.mistake();
    }
  }

  /** The innermost open container, where it is an object. */
  private members(): Extract<Container, { members: Struct }> | undefined {
    const inside = this.open.at(-1);
    return inside && 'members' in inside ? inside : undefined;
  }

  private close(character: ']' | '}'): void {
    const isRight =
      this.open.length > 0 &&
      (this.expected === 'more' || this.expected.startsWith('first')) &&
      (character === '}') === (this.members() !== undefined);
    if (!isRight) throw this.mistake();
    this.at += 1;
    const closed = this.open.pop() as Container;
    this.add('members' in closed ? closed.members : closed.items);
  }

  private readValue(character: string | undefined): void {
    // A container is counted when it opens, before its contents are.
    this.values += 1;
    if (this.values > this.limits.values) throw tooManyValues(this.limits);
    if (character === '[' || character === '{') {
      if (this.open.length >= this.limits.nesting)
        throw new Fault('not_a_call', `Values are nested deeper than ${this.limits.nesting} levels`);
      this.open.push(character === '[' ? { items: [] } : { members: new Map(), name: '' });
      this.expected = character === '[' ? 'first value' : 'first name';
      this.at += 1;
    } else {
      this.add(this.scalar(character));
    }
  }

  private scalar(character: string | undefined): Value {
    if (character === '"') return this.string();
    const literal = literals.find(([word]) => this.text.startsWith(word, this.at));
    if (literal) {
      this.at += literal[0].length;
      return literal[1];
    }
    const end = endOf(number, this.text, this.at);
    if (end === this.at) throw this.mistake();
    const digits = this.text.slice(this.at, end);
    this.at = end;
    return this.numberOf(digits);
  }

  private numberOf(digits: string): Value {
    if (this.exponents === 'refuse' && /e/i.test(digits))
      return new Unreadable('double', shorten(digits, unreadable_max_characters));
    const value = Number(digits);
    return Number.isInteger(value) ? value : new Double(value);
  }

  private readName(): void {
    const inside = this.members();
    if (!inside) throw this.mistake();
    const name = this.string().trim();
    if (inside.members.has(name))
      throw new Fault(
        'not_a_call',
        `An object holds the member ${JSON.stringify(shorten(name, quoted_max_characters))} twice`,
      );
    inside.name = name;
    this.expected = 'colon';
  }

  /** The string that begins here. Its mistakes are told at its beginning, as it is one word of the text. */
  private string(): string {
    const { text, at } = this;
    let hasEscapes = false;
    for (let index = at + 1; index < text.length; index += 1) {
      const code = text.charCodeAt(index);
      if (code === 0x22) {
        this.at = index + 1;
        return hasEscapes ? (JSON.parse(text.slice(at, index + 1)) as string) : text.slice(at + 1, index);
      }
      if (code < 0x20) break;
      if (code === 0x5c) {
        const end =
          text.charCodeAt(index + 1) === 0x75 ? endOf(escapes, text, index) : endOfShort(text, index);
        if (end === index) break;
        hasEscapes = true;
        index = end - 1;
      }
    }
    throw this.mistake();
  }

  /** Puts a whole value where it belongs. */
  private add(value: Value): void {
    const inside = this.open.at(-1);
    this.expected = 'more';
    if (inside === undefined) {
      this.root = value;
      return;
    }
    const size = 'members' in inside ? inside.members.size : inside.items.length;
    if (size >= this.limits.members)
      throw new Fault('not_a_call', `More than ${this.limits.members} members`);
    if ('members' in inside) inside.members.set(inside.name, value);
    else inside.items.push(value);
  }

  /** V8 tells the place only sometimes, and quotes the text, which may hold a password. */
  private mistake(): Fault {
    const place = this.at < this.text.length ? `at position ${this.at}` : 'it ends too early';
    return new Fault('not_well_formed', `The body is not JSON: ${place}`);
  }
}

/** Where an escape of two characters ends that begins here; here, if it is none. */
const endOfShort = (text: string, index: number): number =>
  '"\\/bfnrt'.includes(text.charAt(index + 1) || ' ') ? index + 2 : index;

/** Where the sticky pattern ends that begins here; here, if it does not. */
function endOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

const shorten = (text: string, max_characters: number): string =>
  text.length > max_characters ? `${text.slice(0, max_characters)}…` : text;
