/**
 * The schema of a database as text that people read and `diff` compares: `migrations/schema.txt` is one, so every
 * change of a migration shows in review what it does. NOT NULL constraints have no names worth reading and stand
 * with their columns; the tables of knex are left out, because knex makes them, and partitions, because their names
 * depend on the day.
 */
import { type Queryable, sql } from '../../src/db/database';

const relations = `
  SELECT c.oid, c.relname FROM pg_class c
  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') AND c.relname NOT LIKE 'knex\\_%'
    AND NOT c.relispartition`;

/** Collation by code point: the order is the same on every server. */
const tables = sql(
  'schema_tables',
  `WITH relation AS (${relations})
   SELECT relation || E'\\n' || string_agg('  ' || line || E'\\n', '' ORDER BY part, place, name COLLATE "C") AS text FROM (
     SELECT r.relname AS relation, 1 AS part, a.attnum::int AS place, a.attname AS name,
       concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod),
         CASE WHEN a.attnotnull THEN 'not null' END,
         CASE a.attidentity WHEN 'd' THEN 'identity by default' WHEN 'a' THEN 'identity always' END,
         'default ' || pg_get_expr(d.adbin, d.adrelid),
         '-- ' || col_description(r.oid, a.attnum)) AS line
     FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
     LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
     UNION ALL
     SELECT r.relname, 2, 0, c.conname, 'constraint ' || c.conname || ' ' || pg_get_constraintdef(c.oid)
     FROM relation r JOIN pg_constraint c ON c.conrelid = r.oid AND c.contype <> 'n'
     UNION ALL
     SELECT r.relname, 3, 0, i.relname, regexp_replace(pg_get_indexdef(i.oid), '^CREATE ', '')
     FROM relation r JOIN pg_index x ON x.indrelid = r.oid JOIN pg_class i ON i.oid = x.indexrelid
     WHERE NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.oid AND c.contype IN ('p', 'u', 'x'))
     UNION ALL
     SELECT r.relname, 4, 0, t.tgname, regexp_replace(pg_get_triggerdef(t.oid), '^CREATE ', '')
     FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
     UNION ALL
     SELECT r.relname, 5, 0, '', 'comment: ' || obj_description(r.oid, 'pg_class')
     FROM relation r WHERE obj_description(r.oid, 'pg_class') IS NOT NULL
   ) parts GROUP BY relation ORDER BY relation COLLATE "C"`,
);

const functions = sql(
  'schema_functions',
  `SELECT trim(pg_get_functiondef(p.oid)) AS text FROM pg_proc p
   WHERE p.pronamespace = 'public'::regnamespace ORDER BY p.proname COLLATE "C"`,
);

/** Tables with their columns, constraints, indexes and triggers, then functions; empty for an empty schema. */
export async function schemaDump(db: Queryable): Promise<string> {
  const parts = [
    ...(await db.query<{ text: string }>(tables)),
    ...(await db.query<{ text: string }>(functions)),
  ];
  return parts.map(({ text }) => `${text.trimEnd()}\n`).join('\n');
}
