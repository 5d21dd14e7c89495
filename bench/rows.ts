/**
 * The rows that a call of Treeline's leaves behind, whatever statements wrote them: the peers of createCustomer and
 * updateCustomer write the same rows, one plain statement for each table, and know nothing of Treeline's SQL.
 */
import { randomUUID } from 'node:crypto';
import type { Client, PoolClient } from 'pg';

type Row = Readonly<Record<string, unknown>>;

/** Rows as text, which every type reads. */
export interface Written {
  readonly table: string;
  readonly rows: readonly Row[];
}

const quoted = (name: string): string => `"${name}"`;

/** What the transaction left that wrote this customer last; its own row is the first. */
export async function rowsOf(db: Client, i_customer: number): Promise<Written[]> {
  const { rows: tables } = await db.query<{ table: string; columns: string[] }>(columnsText);
  const xmin = 'SELECT xmin FROM customers WHERE i_customer = $1';
  const written: Written[] = [];
  for (const { table, columns } of tables) {
    const texts = columns.map((name) => `${quoted(name)}::text`).join(', ');
    const { rows } = await db.query<Row>(`SELECT ${texts} FROM ${table} WHERE xmin = (${xmin})`, [
      i_customer,
    ]);
    if (rows.length > 0) written.push({ table, rows });
  }
  return written;
}

/** What triggers write for whoever inserts, so nobody inserts it again. */
const writtenByTriggers = ['access_epochs', 'audit_index', 'descendants', 'usage_counts'];

/** Tables with those first that others refer to; columns that the database numbers are left to it, but for a customer's. */
const columnsText = `
  SELECT c.table_name AS table, array_agg(c.column_name::text ORDER BY c.ordinal_position) AS columns
  FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
  WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.table_name NOT LIKE 'knex%'
    AND (c.is_identity = 'NO' OR c.table_name = 'customers')
    AND c.table_name <> ALL ('{${writtenByTriggers.join(',')}}')
    AND NOT EXISTS (SELECT FROM pg_class p WHERE p.relname = c.table_name AND p.relispartition)
  GROUP BY c.table_name
  ORDER BY array_position(ARRAY['customers', 'users', 'payments', 'entries'], c.table_name::text), c.table_name`;

export interface Statement {
  readonly name: string;
  readonly text: string;
  readonly values: readonly (string | null)[];
}

/** One INSERT for each table, all its rows at once. */
export const insertsOf = (written: readonly Written[]): Statement[] =>
  written.map(({ table, rows }) => {
    const columns = Object.keys(rows[0] ?? {});
    const values = rows.flatMap((row) => columns.map((name) => row[name] as string | null));
    const places = rows.map(
      (_, row) => `(${columns.map((_name, column) => `$${row * columns.length + column + 1}`).join(', ')})`,
    );
    const returning = table === 'payments' ? ' RETURNING i_payment' : '';
    const text = `INSERT INTO ${table} (${columns.map(quoted).join(', ')}) VALUES ${places.join(', ')}${returning}`;
    return { name: `insert_${table}`, text, values };
  });

/** An UPDATE of the columns that changed, and an INSERT for what was written beside it. */
export function changesOf(before: Row, written: readonly Written[]): Statement[] {
  const after = written.find(({ table }) => table === 'customers')?.rows[0] ?? {};
  const changed = Object.keys(after).filter((name) => after[name] !== before[name]);
  const assigned = changed.map((name, index) => `${quoted(name)} = $${index + 2}`).join(', ');
  const text = `UPDATE customers SET ${assigned} WHERE i_customer = $1`;
  const values = ['i_customer', ...changed].map((name) => after[name] as string | null);
  const others = written.filter(({ table }) => table !== 'customers');
  return [{ name: 'update_customers', text, values }, ...insertsOf(others)];
}

/** What stands in a template where a customer's id and its name come, and where a new uuid does: the n-th of its own. */
const slots = { id: '\u0001', name: '\u0002', uuid: '\u0003' } as const;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The statements with slots for the id and the name of the customer that they were taken from. */
export function templatesOf(statements: readonly Statement[], id: number, name: string): Statement[] {
  const uuids: string[] = [];
  return statements.map((statement) => ({
    ...statement,
    values: statement.values.map((value) => {
      if (value === null || !uuid.test(value)) {
        return value?.replaceAll(name, slots.name).replace(new RegExp(`\\b${id}\\b`, 'g'), slots.id) ?? null;
      }
      // The recovery user's login stands twice, and is one.
      if (!uuids.includes(value)) uuids.push(value);
      return slots.uuid + String(uuids.indexOf(value));
    }),
  }));
}

const hasSlot = (value: string): boolean => Object.values(slots).some((slot) => value.includes(slot));

/** Sends the statements in a transaction, one round trip each. */
export async function send(
  client: PoolClient,
  templates: readonly Statement[],
  id: number,
  customer: string,
): Promise<void> {
  const uuids = new Map<string, string>();
  const uuidFor = (slot: string): string => {
    const made = uuids.get(slot) ?? randomUUID();
    uuids.set(slot, made);
    return made;
  };
  const filled = (value: string | null): string | null => {
    if (value === null || !hasSlot(value)) return value;
    if (value.startsWith(slots.uuid)) return uuidFor(value);
    return value.replaceAll(slots.id, String(id)).replaceAll(slots.name, customer);
  };
  let i_payment: string | undefined;
  await client.query('BEGIN');
  for (const { name, text, values } of templates) {
    const given = values.map(filled);
    // Both entries refer to the payment that was numbered just now, in the first column of their table.
    if (name === 'insert_entries' && i_payment !== undefined) {
      for (const place of [0, given.length / 2]) given[place] = i_payment;
    }
    const { rows } = await client.query<{ i_payment?: number }>({ name, text, values: given });
    if (rows[0]?.i_payment !== undefined) i_payment = String(rows[0].i_payment);
  }
  await client.query('COMMIT');
}
