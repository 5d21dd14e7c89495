/** The methods by name, each with its compiled check of parameters. A Map: a name is never a property. */
import type { Method } from './method';
import { type Check, compileCheck } from '../schema/parameters';

export interface Registered {
  readonly method: Method;
  readonly check: Check;
}

export type Registry = ReadonlyMap<string, Registered>;

/** Compiles every declaration; two of one name are a mistake that stops the start. */
export function createRegistry(methods: readonly Method[]): Registry {
  const registry = new Map<string, Registered>();
  for (const method of methods) {
    if (registry.has(method.name)) throw new Error(`Two methods are called ${method.name}`);
    registry.set(method.name, { method, check: compileCheck(method.params) });
  }
  return registry;
}
