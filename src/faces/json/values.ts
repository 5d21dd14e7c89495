/** JSON as the values that a caller may send, by the same rules as those of XML-RPC. */
import type { Struct, Value } from '../../core/values';
import { Double, Unreadable } from '../../core/values';
import { Fault } from '../../faults';
import { placeOfMistake } from './place';

/** As a text that no caller can send: control characters are refused wherever a text is taken. */
const exponentMark = '\u0000exponent ';

/**
 * A text, also one that nobody closes, or a number, whole. Each is taken from its beginning to its end whatever it is:
 * where a part of one could be tried again from within, a megabyte of digits would take minutes.
 */
const token = /"(?:[^"\\]+|\\[^])*(?:"|\\?$)|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

const shown = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}…` : text);

/** Numbers such as 1e2, as texts with that mark. */
const markExponents = (text: string): string =>
  text.replaceAll(token, (found) =>
    found.startsWith('"') || !/e/i.test(found) ? found : JSON.stringify(exponentMark + found),
  );

/**
 * Reads the body of a call: one object, or nothing at all. Throws fault -32700 or -32600.
 * `exponents`: whether 1e2 is 100, or no number at all.
 */
export function readMembers(
  body: Uint8Array,
  limits: { nesting: number; members: number },
  exponents: 'read' | 'refuse' = 'read',
): Struct {
  const given = decode(body);
  const text = exponents === 'refuse' ? markExponents(given) : given;
  if (text.trim() === '') return new Map();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new Fault('not_well_formed', `The body is not JSON: ${describePlace(given)}`);
  }
  // PHP cannot tell an empty object from an empty array, and writes the latter.
  if (Array.isArray(json) && json.length === 0) return new Map();
  const value = valueOf(json, limits, limits.nesting);
  if (!(value instanceof Map))
    throw new Fault('not_a_call', 'The body must be one object: the members of the call');
  return value;
}

function decode(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw new Fault('not_well_formed', 'The body is not UTF-8');
  }
}

function describePlace(text: string): string {
  const place = placeOfMistake(text);
  return place < text.length ? `at position ${place}` : 'it ends too early';
}

function valueOf(json: unknown, limits: { nesting: number; members: number }, left: number): Value {
  if (typeof json === 'number') return Number.isInteger(json) ? json : new Double(json);
  if (typeof json === 'string' && json.startsWith(exponentMark))
    return new Unreadable('double', shown(json.slice(exponentMark.length)));
  if (json === null || typeof json === 'string' || typeof json === 'boolean') return json;
  if (left === 0) throw new Fault('not_a_call', `Values are nested deeper than ${limits.nesting} levels`);
  const members = Array.isArray(json) ? json.length : Object.keys(json as object).length;
  if (members > limits.members) throw new Fault('not_a_call', `More than ${limits.members} members`);
  if (Array.isArray(json)) return json.map((item) => valueOf(item, limits, left - 1));
  return new Map(
    Object.entries(json as object).map(([name, member]) => [name.trim(), valueOf(member, limits, left - 1)]),
  );
}
