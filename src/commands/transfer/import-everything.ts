/**
 * `treeline import`: fills an empty database with what `treeline export` wrote. Everything happens
 * in one transaction, so whatever ends it early leaves the database as it was; rows are only ever
 * inserted, so the books are checked by the database as when they were written.
 */
import { createHash } from 'node:crypto';
import { type Statement, type Transaction, sql } from '../../db/database';
import { schemaState } from '../../db/migrations';
import { keptCheck } from '../../features/system/first-start';
import type { Context } from '../shared/context';
import {
  type Catalogue,
  type EndLine,
  type Header,
  type OwnLine,
  type SequencesLine,
  type TableInfo,
  formatVersion,
  ownLine,
  quoteName,
  quoteNames,
  readCatalogue,
  togetherBy,
} from './dump-format';
import { Refusal, UsageError } from '../shared/exit-codes';
import { type Progress, grouped, startProgress } from '../shared/progress';
import type { Input, Terminal } from '../shared/terminal';
import { writeLine } from '../shared/terminal';

const batchRows = 500;
const batchCharacters = 1_048_576;
/** The longest line; a row of ours is far shorter. */
const lineLimit_bytes = 16 * 1_048_576;

/** How many rows these have after the migrations, with root and after a first start; all other tables have none. */
const rowsAtFirst: Readonly<Record<string, number>> = {
  customers: 1,
  users: 2,
  api_credentials: 1,
  tariffs: 1,
  routing_groups: 1,
  server_settings: Infinity,
  currencies: Infinity,
  time_zones: Infinity,
  languages: Infinity,
  export_types: Infinity,
  payment_methods: Infinity,
  password_policies: Infinity,
  login_failures: Infinity,
};

export async function importEverything(context: Context, { stdin, stdout, stderr }: Terminal): Promise<void> {
  if (stdin.isTTY) throw new UsageError('The stream is read from stdin: treeline import < FILE');
  const { db } = context.store;
  const lines = readLinesOf(stdin);
  const header = await readHeader(lines);
  await assertFits(context, header.own);

  const progress = startProgress(stderr, 'rows');
  let begun = false;
  const imported = await db.transaction(async (tx) => {
    // The stream cannot be read twice, so what PostgreSQL gave up is not tried again.
    if (begun) throw new Refusal('The database is in use; nothing was imported');
    begun = true;
    const catalogue = await readCatalogue(tx);
    await emptied(tx, catalogue);
    // Counting each row would take most of the time; all are counted at the end.
    await tx.query({ text: `SET LOCAL treeline.recount = 'later'` });
    const rows = await fill(tx, catalogue, lines, header, progress);
    await tx.query({ text: 'SELECT recount_usage()' });
    // A record may be imported before its customer: then the trigger found no path to index it by.
    await tx.query({ text: indexRecords });
    await checked(tx, catalogue);
    return rows;
  });
  progress.clear();
  await db.query({ text: 'ANALYZE' });
  await writeLine(stdout, `${grouped(imported)} rows imported into ${context.store.description}`);
}

/** A line as it stands in the stream, and what it says if it is one of ours. */
interface Line {
  readonly text: string;
  readonly own?: OwnLine;
}

async function* readLinesOf(input: Input): AsyncGenerator<Line> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of input) {
    rest = Buffer.concat([rest, Buffer.from(chunk)]);
    let start = 0;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10, start)) {
      yield lineOf(rest.toString('utf8', start, end));
      start = end + 1;
    }
    rest = rest.subarray(start);
    if (rest.length > lineLimit_bytes) throw notOurs();
  }
  if (rest.length > 0) yield lineOf(rest.toString('utf8'));
}

function lineOf(text: string): Line {
  if (!text.startsWith(ownLine)) return { text };
  try {
    return { text, own: JSON.parse(text) as OwnLine };
  } catch {
    throw notOurs();
  }
}

const notOurs = (): Refusal =>
  new Refusal('This is not a stream that treeline export wrote, or a damaged one');

async function readHeader(lines: AsyncGenerator<Line>): Promise<{ text: string; own: Header }> {
  const first = await lines.next();
  if (first.done || first.value.own?.treeline !== 'export') throw notOurs();
  return { text: first.value.text, own: first.value.own };
}

/** Throws unless the stream is for this program, this schema and this SECRET_KEY. */
async function assertFits({ store, core }: Context, header: Header): Promise<void> {
  if (header.format !== formatVersion) {
    throw new Refusal(
      `The stream has format ${header.format}, and this program reads format ${formatVersion}`,
    );
  }
  const { applied } = await schemaState(store.db);
  if (header.migrations.join() !== applied.join()) {
    throw new Refusal(
      `The stream is of another version (${header.migrations.join(', ')}; here ${applied.join(', ')}): export and import with the same one`,
    );
  }
  const kept = (await keptCheck(store.db)) ?? header.secret_check;
  if (header.secret_check !== core.credentials.check_value || header.secret_check !== kept) {
    throw new Refusal(
      'SECRET_KEY is not the one of the exported database: stored credentials could not be read with it',
    );
  }
}

/** Refuses a database that holds anything; else takes out what the migrations put in, as it comes again with the stream. */
async function emptied(tx: Transaction, { tables, unordered }: Catalogue): Promise<void> {
  const filled: TableInfo[] = [];
  await lock(tx, tables);
  for (const table of tables) {
    const [row] = await tx.query<{ rows: number }>({
      text: `SELECT count(*)::int AS rows FROM ${quoteName(table.name)}`,
    });
    const rows = row?.rows ?? 0;
    if (rows > (rowsAtFirst[table.name] ?? 0)) {
      throw new Refusal(`The database is not empty (${table.name}): import into one that was just made`);
    }
    if (rows > 0) filled.push(table);
  }
  for (const { name, from } of unordered) {
    await tx.query({
      text: `ALTER TABLE ${quoteName(from)} ALTER CONSTRAINT ${quoteName(name)} DEFERRABLE INITIALLY DEFERRED`,
    });
  }
  for (const { name } of filled.reverse()) await tx.query({ text: `DELETE FROM ${quoteName(name)}` });
}

/** Nobody writes meanwhile, and a server that runs on the database waits. */
async function lock(tx: Transaction, tables: readonly TableInfo[]): Promise<void> {
  await tx.query({ text: `SET LOCAL lock_timeout = '3s'` });
  try {
    await tx.query({
      text: `LOCK TABLE ${quoteNames(tables.map(({ name }) => name))} IN ACCESS EXCLUSIVE MODE`,
    });
  } catch (error) {
    const isTaken = error instanceof Error && 'code' in error && error.code === '55P03';
    throw isTaken ? new Refusal('The database is in use: stop its servers first') : error;
  }
}

/** All references hold, and are checked from now on as they always are. */
async function checked(tx: Transaction, { unordered }: Catalogue): Promise<void> {
  await tx.query({ text: 'SET CONSTRAINTS ALL IMMEDIATE' });
  for (const { name, from } of unordered) {
    await tx.query({
      text: `ALTER TABLE ${quoteName(from)} ALTER CONSTRAINT ${quoteName(name)} NOT DEFERRABLE`,
    });
  }
}

/** Inserts row by row until the end, which must be there and must agree with what came; answers how many rows. */
async function fill(
  tx: Transaction,
  catalogue: Catalogue,
  lines: AsyncGenerator<Line>,
  header: { text: string; own: Header },
  progress: Progress,
): Promise<number> {
  const hash = createHash('sha256').update(`${header.text}\n`);
  const rows: Record<string, number> = {};
  let batch: Batch | undefined;
  let sequences: SequencesLine | undefined;
  let end: EndLine | undefined;
  let total = 0;
  for await (const { text, own } of lines) {
    if (end) throw notOurs();
    if (own?.treeline === 'end') end = own;
    else hash.update(`${text}\n`);
    if (own) await batch?.flush();
    if (own?.treeline === 'table') {
      const table = catalogue.tables.find(({ name }) => name === own.name);
      if (!table || table.name in rows) throw notOurs();
      rows[table.name] = 0;
      batch = startBatch(tx, table);
    } else if (own?.treeline === 'sequences') sequences = own;
    else if (!own) {
      if (!batch) throw notOurs();
      await batch.add(text);
      rows[batch.table] = (rows[batch.table] ?? 0) + 1;
      total += 1;
      progress.update(total, total / Math.max(header.own.total, 1));
    }
  }
  if (!end || !sequences) throw new Refusal('The stream ends too early; nothing was imported');
  const isWhole = catalogue.tables.every(({ name }) => end.rows[name] === rows[name]);
  if (!isWhole || end.sha256 !== hash.digest('hex')) {
    throw new Refusal('The stream is damaged: its checksum is another; nothing was imported');
  }
  await restartSequences(tx, catalogue, sequences);
  return total;
}

const indexRecords = `INSERT INTO audit_index (i_ancestor, created_at, i_audit_record)
  SELECT unnest(c.path[2:]), r.created_at, r.i_audit_record FROM audit_records r JOIN customers c USING (i_customer)
  ON CONFLICT DO NOTHING`;

/** What a table needs before a batch of its rows: the months of audit records have partitions. */
const preparations: Readonly<Record<string, Statement>> = {
  audit_records: sql(
    'prepare_audit_records',
    `SELECT make_audit_partitions(month) FROM (
       SELECT DISTINCT date_trunc('month', created_at, 'UTC') AS month
       FROM json_to_recordset($1::json) AS r (created_at timestamptz)) months`,
  ),
};

interface Batch {
  readonly table: string;
  add(row: string): Promise<void>;
  flush(): Promise<void>;
}

/** Collects rows and inserts many with one statement; those that belong together are never parted. */
function startBatch(tx: Transaction, { name, columns }: TableInfo): Batch {
  const names = quoteNames(columns);
  const statement = sql(
    `restore_${name}`,
    `INSERT INTO ${quoteName(name)} (${names}) OVERRIDING SYSTEM VALUE
     SELECT ${names} FROM json_populate_recordset(NULL::${quoteName(name)}, $1::json)`,
  );
  const together = togetherBy[name];
  const prepare = preparations[name];
  let rows: string[] = [];
  let characters = 0;
  let group: unknown;
  const flush = async (): Promise<void> => {
    const values = [`[${rows.join(',')}]`];
    if (rows.length > 0 && prepare) await tx.query(prepare, values);
    if (rows.length > 0) await tx.query(statement, values);
    rows = [];
    characters = 0;
  };
  return {
    table: name,
    flush,
    add: async (row) => {
      const next: unknown = together === undefined ? undefined : groupOf(row, together);
      const isFull = rows.length >= batchRows || characters >= batchCharacters;
      if (isFull && (together === undefined || next !== group)) await flush();
      group = next;
      rows.push(row);
      characters += row.length;
    },
  };
}

function groupOf(row: string, column: string): unknown {
  try {
    return (JSON.parse(row) as Record<string, unknown>)[column];
  } catch {
    throw notOurs();
  }
}

/** In contrast to setval, this is undone with the transaction. */
async function restartSequences(
  tx: Transaction,
  catalogue: Catalogue,
  { next }: SequencesLine,
): Promise<void> {
  for (const name of catalogue.sequences) {
    const value = next[name];
    if (value === undefined || !/^\d{1,19}$/.test(value)) throw notOurs();
    await tx.query({ text: `ALTER SEQUENCE ${name} RESTART WITH ${value}` });
  }
}
