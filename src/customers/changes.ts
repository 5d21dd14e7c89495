/** What a change of a customer leaves in the audit record: old and new values, of secrets only that they changed. */
import { changesBetween, secretChange } from '../core/audit';
import { plain } from '../core/decimal';
import { type Attribute, attributes, moneyColumns } from './fields';

type Values = Readonly<Record<string, unknown>>;

/** The given attributes that differ from what was. */
export function recordedChanges(before: Values, given: Values): Record<string, readonly [unknown, unknown]> {
  const table: Readonly<Record<string, Attribute>> = attributes;
  const names = Object.keys(given).filter((name) => name in table);
  const secret = names.filter((name) => table[name]?.schema['secret'] === true);
  const open = names.filter((name) => !secret.includes(name));
  const pick = (values: Values): Values =>
    Object.fromEntries(open.map((name) => [name, comparable(name, values[name])]));
  return {
    ...changesBetween(pick(before), pick(given)),
    ...Object.fromEntries(secret.map((name) => [name, secretChange])),
  };
}

/** PostgreSQL says 5.000000 where a caller says 5. */
const comparable = (name: string, value: unknown): unknown =>
  moneyColumns.has(name) && typeof value === 'string' ? plain(value) : (value ?? null);
