/** Reads the text of a scalar element, such as `<int>`, as a value. */
import { DateTime, Double, Unreadable, type Value } from '../../core/schema/values';
import { isBlank, isBlankCode, shorten, trimBlanks } from './blanks';

const unreadable_max_characters = 40;

/** Longest text of a number. No double and no integer needs more. */
const number_max_characters = 1_000;

/** Returns undefined for text in a type that has no content. */
export type ReadScalar = (text: string, tag: string) => Value | undefined;

export const scalars: ReadonlyMap<string, ReadScalar> = new Map([
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
  // Adding zero turns -0 into 0: integers have no -0.
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

/** Accepts only padded base64. Buffer would skip characters that it does not know. */
function readBase64(text: string, tag: string): Value {
  // Characters beyond ASCII become bytes that base64 does not use.
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
