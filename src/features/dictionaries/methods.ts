/** getDictionary: the values that attributes may take, as the database has them. */
import { defineMethod } from '../../core/call/method';
import type { Call } from '../../core/call/method';
import { any, list, ok, oneOf, optional, struct, text } from '../../core/schema/schema';
import { type Database, sql } from '../../db/database';
import { badParameter } from '../../base/faults';
import { accessLevels } from '../users/repository';

const fromTable = (table: string, id: string) =>
  sql(`dictionary_${table}`, `SELECT ${id}, name FROM ${table} ORDER BY ${id}`);

/** By the name of the call: the table, or the values that stand in the code. */
const dictionaries = {
  languages: fromTable('languages', 'i_lang'),
  export_types: fromTable('export_types', 'i_export_type'),
  currencies: fromTable('currencies', 'currency'),
  timezones: fromTable('time_zones', 'i_time_zone'),
  payment_methods: fromTable('payment_methods', 'payment_method'),
  password_policies: fromTable('password_policies', 'i_password_policy'),
  access_levels: accessLevels.map((level) => ({ i_access_level: level, name: level })),
} as const;

const known = Object.keys(dictionaries);

async function getDictionary(call: Call<Database>, { name, type }: { name: string; type?: 'web' | 'ivr' }) {
  const dictionary = Object.hasOwn(dictionaries, name)
    ? dictionaries[name as keyof typeof dictionaries]
    : undefined;
  if (!dictionary) throw badParameter('name', `must be one of ${known.join(', ')}`);
  if (type !== undefined && name !== 'languages') throw badParameter('type', 'is only for languages');
  const rows =
    'text' in dictionary ? await call.db.query<Readonly<Record<string, unknown>>>(dictionary) : dictionary;
  return { result: 'OK' as const, dictionary: [...rows] };
}

export const dictionaryMethods = [
  defineMethod({
    name: 'getDictionary',
    summary: `Answers a dictionary: ${known.join(', ')}.`,
    access: 'read',
    right: 'none',
    trusted: 'optional',
    params: struct({
      name: text(64, `The dictionary: ${known.join(', ')}.`),
      type: optional(
        oneOf(
          ['web', 'ivr'],
          'Of languages: those of the web interface or of voice menus; the same for now.',
        ),
      ),
    }),
    result: struct({
      result: ok,
      dictionary: list(
        any("The id under its parameter's name, and `name`."),
        'The entries, in order of their ids.',
      ),
    }),
    faults: [],
    run: getDictionary,
  }),
];
