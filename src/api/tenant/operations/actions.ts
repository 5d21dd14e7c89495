/** The actions of a flow: what each is called, and an option that only those know who run it. */
import { formats } from '../../../core/schema/formats';
import { any, optional, struct, text, uuid } from '../../../core/schema/schema';
import { DateTime, Double, Unreadable } from '../../../core/schema/values';
import { badParameter } from '../../../base/faults';

const type = text(64, 'What is done, such as answer, talk or connect.', { format: 'name' });
const members = {
  id: optional(uuid('The id of the action, where others refer to it.')),
  next_id: optional(uuid('The action that follows; absent: the next one.')),
  type,
};
export const actionTaken = struct({ ...members, option: optional(any('How it is done.')) });
export const actionShown = struct({ ...members, option: optional(any('How it is done.')) });

/** How large the actions of one flow may be, in bytes of UTF-8, as compact JSON. */
export const actionsAtMost_bytes = 65_536;

/** As they are kept: what came over the wire as plain JSON. Throws fault 400 for what cannot be kept or is too large. */
export function actionsOf(actions: readonly unknown[]): readonly unknown[] {
  const kept = actions.map(plainOf);
  if (Buffer.byteLength(JSON.stringify(kept)) > actionsAtMost_bytes)
    throw badParameter('actions', `must be at most ${actionsAtMost_bytes} bytes as JSON`);
  return kept;
}

function plainOf(value: unknown): unknown {
  if (value instanceof Double) return value.value;
  if (value instanceof DateTime) return value.text;
  if (value instanceof Unreadable) throw badParameter('actions', `must be JSON, not "${value.text}"`);
  if (typeof value === 'string') return storable(value);
  if (Array.isArray(value)) return value.map(plainOf);
  if (typeof value !== 'object' || value === null) return value;
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  return Object.fromEntries(entries.map(([name, member]) => [storable(String(name)), plainOf(member)]));
}

function storable(value: string): string {
  const problem = formats.text(value);
  if (problem !== undefined) throw badParameter('actions', problem);
  return value;
}
