/**
 * Writes answers with long lists piece by piece, so that a long list never stands whole in memory.
 * The order of the pieces stands here once; a notation (XML, JSON) says how each piece looks.
 */
import { type Outcome, Outcomes } from '../../core/call/dispatch';
import { type TSchema, declared } from '../../core/schema/schema';
import { Fault } from '../../base/faults';

interface Brackets {
  readonly open: string;
  readonly separator: string;
  readonly close: string;
}

export interface Notation {
  readonly array: Brackets;
  readonly struct: Brackets;
  /** What stands before the value of a member, and after it. */
  readonly member: (name: string) => readonly [string, string];
  /** A value that is whole, by its declaration. */
  readonly value: (schema: TSchema, value: unknown) => string;
  /** A fault as one of the answers of a multicall. */
  readonly fault: (fault: Fault) => string;
}

type Members = Readonly<Record<string, unknown>>;
type Pieces = AsyncGenerator<string, void>;

/** One value after the other, with brackets around them. */
export const joined = ({ open, separator, close }: Brackets, texts: readonly string[]): string =>
  open + texts.join(separator) + close;

/** One answer of a multicall that is whole: its result in an array of one, or a fault as a struct. */
function multicallMember(notation: Notation, outcome: Outcome): string {
  if (outcome instanceof Fault) return notation.fault(outcome);
  return joined(notation.array, [notation.value(outcome.method.result, outcome.result)]);
}

const isBatches = (value: unknown): value is AsyncIterable<readonly unknown[]> =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value;

/** So many items of a list make one piece. */
const itemsAtOnce = 16;

const isLongList = (value: unknown): boolean =>
  isBatches(value) || (Array.isArray(value) && value.length > itemsAtOnce);

/** Whether it must be written in pieces: it holds a long list, or the answers of many calls. */
export function isLong(result: unknown): boolean {
  if (result instanceof Outcomes) return true;
  return typeof result === 'object' && result !== null && Object.values(result).some(isLongList);
}

/**
 * Whether its length can be known before it is sent: it holds a batch of rows at most. Old clients of lists that are
 * not long may not know answers in chunks.
 */
export const isBounded = (outcome: Outcome): boolean =>
  outcome instanceof Fault ||
  !(outcome.result instanceof Outcomes || Object.values(outcome.result ?? {}).some(isBatches));

/** The pieces of a result. Throws what reading a batch throws; the caller then breaks the connection off. */
export async function* inPieces(notation: Notation, schema: TSchema, result: unknown): Pieces {
  if (result instanceof Outcomes) yield* outcomesInPieces(notation, result);
  else if (isLong(result)) yield* structInPieces(notation, schema, result as Members);
  else yield notation.value(schema, result);
}

async function* outcomesInPieces(notation: Notation, { list }: Outcomes): Pieces {
  const { open, separator, close } = notation.array;
  for (const [index, outcome] of list.entries()) {
    yield index === 0 ? open : separator;
    if (outcome instanceof Fault || !isLong(outcome.result)) yield multicallMember(notation, outcome);
    else {
      yield open;
      yield* inPieces(notation, outcome.method.result, outcome.result);
      yield close;
    }
  }
  yield list.length === 0 ? open + close : close;
}

async function* structInPieces(notation: Notation, schema: TSchema, result: Members): Pieces {
  const { open, separator, close } = notation.struct;
  let before = open;
  for (const [name, member] of Object.entries(declared(schema).properties ?? {})) {
    const value = result[name];
    if (value === undefined) continue;
    const [start, end] = notation.member(name);
    yield before + start;
    const { items } = declared(member);
    if (items && isLongList(value)) yield* listInPieces(notation, items, value as LongList);
    else yield notation.value(member, value);
    yield end;
    before = separator;
  }
  yield before === open ? open + close : close;
}

type LongList = readonly unknown[] | AsyncIterable<readonly unknown[]>;

async function* listInPieces(notation: Notation, items: TSchema, value: LongList): Pieces {
  const { open, separator, close } = notation.array;
  let before = open;
  for await (const batch of isBatches(value) ? value : [value]) {
    for (let start = 0; start < batch.length; start += itemsAtOnce) {
      const few = batch.slice(start, start + itemsAtOnce);
      yield before + few.map((item) => notation.value(items, item)).join(separator);
      before = separator;
    }
  }
  yield before === open ? open + close : close;
}
