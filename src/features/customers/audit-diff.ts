/** What a change of a customer leaves in the audit record: old and new values, of secrets only that they changed. */
import { isSame, secretChange } from '../../core/call/audit';
import { plain } from '../../core/schema/decimal';
import { type Attribute, attributes, moneyColumns } from './fields';

type Values = Readonly<Record<string, unknown>>;

const table: Readonly<Record<string, Attribute>> = attributes;

/** The given attributes that differ from what was. */
export function recordedChanges(before: Values, given: Values): Record<string, readonly [unknown, unknown]> {
  const changes: Record<string, readonly [unknown, unknown]> = {};
  for (const name of Object.keys(given)) {
    const attribute = table[name];
    if (attribute?.schema['secret'] === true) changes[name] = secretChange;
    else if (attribute) {
      const [old, now] = [comparable(name, before[name]), comparable(name, given[name])];
      if (!isSame(old, now)) changes[name] = [old, now];
    }
  }
  return changes;
}

/** PostgreSQL says 5.000000 where a caller says 5. */
const comparable = (name: string, value: unknown): unknown =>
  moneyColumns.has(name) && typeof value === 'string' ? plain(value) : (value ?? null);
