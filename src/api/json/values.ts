/** The body of a call in JSON, by the same rules as one in XML-RPC: one object, or nothing at all. */
import { runInSteps } from '../../core/fairness/event-loop';
import type { Struct, Value } from '../../core/schema/values';
import { Fault } from '../../base/faults';
import type { ValueLimits } from '../http/limits';
import { type Exponents, readJson } from './read';

/**
 * Reads the members of a call; a promise of them where that takes more than a few milliseconds. Throws, or
 * rejects with, fault -32700 or -32600. `exponents`: whether 1e2 is 100, or no number at all.
 */
export function readMembers(
  body: Uint8Array,
  limits: ValueLimits,
  exponents: Exponents = 'read',
): Struct | Promise<Struct> {
  const text = decode(body);
  if (text.trim() === '') return new Map();
  const value = runInSteps(readJson(text, limits, exponents));
  return value instanceof Promise ? value.then(structOf) : structOf(value);
}

function decode(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw new Fault('not_well_formed', 'The body is not UTF-8');
  }
}

function structOf(value: Value): Struct {
  // PHP cannot tell an empty object from an empty array, and writes the latter.
  if (Array.isArray(value) && value.length === 0) return new Map();
  if (value instanceof Map) return value;
  throw new Fault('not_a_call', 'The body must be one object: the members of the call');
}
