/**
 * What `treeline export` and `treeline import` have in common: the tables as the catalogue of the
 * database tells of them, in an order in which they can be filled, and the form of the stream.
 *
 * The stream is lines of JSON. A line that begins with `{"treeline":` is ours: the header, the name
 * of the table whose rows follow, the sequences, the end. Every other line is one row, as PostgreSQL
 * wrote it and as PostgreSQL will read it: no number of it ever becomes one of JavaScript's.
 */
import { type Queryable, sql } from '../../db/database';

export const formatVersion = 1;
export const ownLine = '{"treeline":';

export interface Header {
  readonly treeline: 'export';
  readonly format: number;
  /** The migrations of the database, which must be those of the other one. */
  readonly migrations: readonly string[];
  /** Tells whether both sides have one SECRET_KEY, and nothing else about it. */
  readonly secret_check: string;
  /** How many rows will come. */
  readonly total: number;
}

/** The rows that follow belong to this table, and have these columns. */
export interface TableLine {
  readonly treeline: 'table';
  readonly name: string;
}

/** The next value of every sequence, by its name. */
export interface SequencesLine {
  readonly treeline: 'sequences';
  readonly next: Readonly<Record<string, string>>;
}

export interface EndLine {
  readonly treeline: 'end';
  /** How many rows came, by table. */
  readonly rows: Readonly<Record<string, number>>;
  /** Of all lines before this one. */
  readonly sha256: string;
}

export type OwnLine = Header | TableLine | SequencesLine | EndLine;

export interface TableInfo {
  readonly name: string;
  readonly columns: readonly string[];
  readonly key: readonly string[];
}

/** A foreign key that is checked at once, though rows may come before those that they refer to. */
export interface Reference {
  readonly name: string;
  readonly from: string;
  readonly to: string;
}

export interface Catalogue {
  /** In an order in which each table comes after those that it refers to. */
  readonly tables: readonly TableInfo[];
  /** Those that no order satisfies, such as the ones of a table to itself. */
  readonly unordered: readonly Reference[];
  /** Names of the sequences, as SQL has them. */
  readonly sequences: readonly string[];
}

/** They follow from the other tables, and are written again as those are. */
const writtenByTriggers = ['access_epochs', 'descendants', 'audit_index', 'usage_counts'];

const tablesStatement = sql(
  'dump_tables',
  `SELECT c.relname::text AS name,
     (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns,
     (SELECT array_agg(a.attname::text ORDER BY k.place) FROM pg_index i
      CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
      WHERE i.indrelid = c.oid AND i.indisprimary) AS key
   FROM pg_class c
   WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
     AND c.relname NOT LIKE 'knex\\_%' AND c.relname <> ALL ('{${writtenByTriggers.join(',')}}')
   ORDER BY c.relname COLLATE "C"`,
);
const referencesStatement = sql(
  'dump_references',
  `SELECT k.conname::text AS name, f.relname::text AS from, t.relname::text AS to
   FROM pg_constraint k JOIN pg_class f ON f.oid = k.conrelid JOIN pg_class t ON t.oid = k.confrelid
   WHERE k.contype = 'f' AND NOT k.condeferrable AND k.conparentid = 0
     AND f.relnamespace = current_schema()::regnamespace ORDER BY k.conname COLLATE "C"`,
);
const sequencesStatement = sql(
  'dump_sequences',
  `SELECT c.oid::regclass::text AS name FROM pg_class c
   WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'S' AND c.relname NOT LIKE 'knex\\_%'
     AND c.relname <> 'usage_counts_i_usage_count_seq'
   ORDER BY c.relname COLLATE "C"`,
);

export async function readCatalogue(db: Queryable): Promise<Catalogue> {
  const tables = await db.query<TableInfo>(tablesStatement);
  const references = await db.query<Reference>(referencesStatement);
  const sequences = await db.query<{ name: string }>(sequencesStatement);
  return { ...inOrderOfReferences(tables, references), sequences: sequences.map(({ name }) => name) };
}

/** Takes one table after the other that refers to none that is left; where there is a circle, it is cut. */
function inOrderOfReferences(
  all: readonly TableInfo[],
  references: readonly Reference[],
): Pick<Catalogue, 'tables' | 'unordered'> {
  const tables: TableInfo[] = [];
  const unordered: Reference[] = [];
  let left = [...all];
  while (left.length > 0) {
    const names = new Set(left.map(({ name }) => name));
    const blocking = (table: TableInfo): Reference[] =>
      references.filter(({ from, to }) => from === table.name && names.has(to));
    const isFree = (table: TableInfo): boolean => blocking(table).every(({ to }) => to === table.name);
    const next = left.find(isFree) ?? left[0];
    if (!next) break;
    unordered.push(...blocking(next));
    tables.push(next);
    left = left.filter((table) => table !== next);
  }
  return { tables, unordered };
}

/**
 * Rows that must come in one statement, by the column that they share: the database checks with
 * each statement that the entries of a payment sum to zero.
 */
export const togetherBy: Readonly<Record<string, string>> = { entries: 'i_payment' };

/** A name in SQL. */
export const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`;
export const quoteNames = (names: readonly string[]): string => names.map(quoteName).join(', ');
