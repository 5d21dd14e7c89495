/**
 * `treeline export`: everything there is, as one stream, of one moment: the server may go on
 * meanwhile. It holds hashes of passwords and sealed credentials, so it is kept like a backup.
 */
import { createHash } from 'node:crypto';
import { type Transaction, sql } from '../../db/database';
import { schemaState } from '../../db/migrations';
import type { Context } from '../shared/context';
import {
  type EndLine,
  type Header,
  type OwnLine,
  type SequencesLine,
  type TableInfo,
  type TableLine,
  formatVersion,
  quoteName,
  quoteNames,
  readCatalogue,
  togetherBy,
} from './dump-format';
import { UsageError } from '../shared/exit-codes';
import { grouped, startProgress } from '../shared/progress';
import { type Terminal, write, writeLine } from '../shared/terminal';

/** A row may hold megabytes, so that memory is bounded by so many of the widest. */
const batchSize = 32;
const oneMoment = sql('dump_snapshot', 'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');

export async function exportEverything(
  { store, core }: Context,
  { stdout, stderr }: Terminal,
): Promise<void> {
  if (stdout.isTTY)
    throw new UsageError('The stream is not for terminals: write it to a file, treeline export > FILE');
  const { applied } = await schemaState(store.db);
  const hash = createHash('sha256');
  const say = async (text: string): Promise<void> => {
    hash.update(text);
    await write(stdout, text);
  };
  const sayOwn = (line: OwnLine): Promise<void> => say(`${JSON.stringify(line)}\n`);

  await store.db.transaction(async (tx) => {
    await tx.query(oneMoment);
    const { tables, sequences } = await readCatalogue(tx);
    const total = await countRows(tx, tables);
    const { check_value: secret_check } = core.credentials;
    const header: Header = {
      treeline: 'export',
      format: formatVersion,
      migrations: applied,
      secret_check,
      total,
    };
    await sayOwn(header);

    const progress = startProgress(stderr, 'rows');
    const rows: Record<string, number> = {};
    let written = 0;
    for (const table of tables) {
      await sayOwn({ treeline: 'table', name: table.name } satisfies TableLine);
      rows[table.name] = 0;
      for await (const lines of readRows(tx, table)) {
        await say(lines.map((line) => `${line}\n`).join(''));
        rows[table.name] = (rows[table.name] ?? 0) + lines.length;
        written += lines.length;
        progress.update(written, written / Math.max(total, 1));
      }
    }
    await sayOwn({ treeline: 'sequences', next: await nextValues(tx, sequences) } satisfies SequencesLine);
    const end: EndLine = { treeline: 'end', rows, sha256: hash.digest('hex') };
    await writeLine(stdout, JSON.stringify(end));
    progress.clear();
    await writeLine(
      stderr,
      `${grouped(written)} rows of ${tables.length} tables exported; keep them like a backup`,
    );
  });
}

async function countRows(tx: Transaction, tables: readonly TableInfo[]): Promise<number> {
  let total = 0;
  for (const { name } of tables) {
    const [row] = await tx.query<{ rows: number }>({
      text: `SELECT count(*)::int AS rows FROM ${quoteName(name)}`,
    });
    total += row?.rows ?? 0;
  }
  return total;
}

/** The rows of a table as PostgreSQL writes them as JSON, some at a time. */
async function* readRows(
  tx: Transaction,
  { name, columns, key }: TableInfo,
): AsyncGenerator<readonly string[]> {
  const together = togetherBy[name];
  const order = quoteNames([...(together === undefined ? [] : [together]), ...key]);
  await tx.query({
    text: `DECLARE dump NO SCROLL CURSOR FOR SELECT row_to_json(t)::text AS line
           FROM (SELECT ${quoteNames(columns)} FROM ${quoteName(name)} ORDER BY ${order}) t`,
  });
  for (;;) {
    const rows = await tx.query<{ line: string }>({ text: `FETCH ${batchSize} FROM dump` });
    if (rows.length > 0) yield rows.map(({ line }) => line);
    if (rows.length < batchSize) break;
  }
  await tx.query({ text: 'CLOSE dump' });
}

/** They stand outside of any moment, so they are never behind the rows. */
async function nextValues(tx: Transaction, sequences: readonly string[]): Promise<Record<string, string>> {
  const next: Record<string, string> = {};
  for (const name of sequences) {
    const [row] = await tx.query<{ next: string }>({
      text: `SELECT (CASE WHEN is_called THEN last_value + 1 ELSE last_value END)::text AS next FROM ${name}`,
    });
    if (row) next[name] = row.next;
  }
  return next;
}
