/** XML-RPC parameters as the one struct that every method takes. */
import { Fault, badParameter } from '../../base/faults';
import type { Registry } from './registry';
import type { Struct, Value } from '../schema/values';

/**
 * No parameters and an empty struct are the same; positional parameters get their names. Throws
 * fault 400 for anything else. An unknown method is left for `dispatch` to name.
 */
export function paramsStruct(registry: Registry, name: string, params: readonly Value[]): Struct {
  const positional = registry.get(name)?.method.positional;
  if (positional) {
    // They take the one struct of all other calls too; none of their parameters is a struct itself.
    const [alone] = params;
    if (alone instanceof Map && params.length === 1) return alone;
    const [unexpected] = params.slice(positional.length);
    if (unexpected !== undefined)
      throw badParameter(`number ${positional.length + 1}`, `is unknown: ${name} takes ${positional.length}`);
    return new Map(params.map((value, index) => [positional[index] ?? '', value]));
  }
  const [first, second] = params;
  if (first === undefined) return new Map();
  if (first instanceof Map && second === undefined) return first;
  // PHP cannot tell an empty struct from an empty array, and writes the latter.
  if (Array.isArray(first) && first.length === 0 && second === undefined) return new Map();
  throw new Fault(
    'bad_parameter',
    `Parameters must be the members of one struct: ${name.slice(0, 64)} takes one struct`,
  );
}
