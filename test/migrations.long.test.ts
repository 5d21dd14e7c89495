/**
 * The migrations on real databases: up, down and up again, ten servers at once, and the schema that comes of it.
 * `migrations/schema.txt` shows that schema to whoever reviews a change; `npm run docs` writes it anew.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, openDatabase, sql } from '../src/db/database';
import { migrate, migrationSource } from '../src/db/migrations';
import { connectionString, projectRoot, start } from './setup/processes';
import { schemaDump } from './setup/schema-dump';
import { makeDatabase } from './setup/server';

const folder = join(projectRoot, 'migrations');
const sources = readdirSync(folder)
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(join(folder, name), 'utf8'))
  .join('\n');

type Connection = Awaited<ReturnType<typeof makeDatabase>>;

const databases: Database[] = [];
afterAll(() => Promise.all(databases.map((db) => db.close())));

function connect(connection: Connection, statement_timeout_ms = 30_000): Database {
  const db = openDatabase({
    connection,
    pool_size: 2,
    statement_timeout_ms,
    acquire_timeout_ms: 10_000,
  });
  databases.push(db);
  return db;
}

const migrationNames = async (): Promise<string[]> => migrationSource.getMigrations([]);

test('every step down leaves the schema that was there before the step up, and up again the same one', async () => {
  const db = connect(await makeDatabase('empty'));
  const names = await migrationNames();
  const seen = [await schemaDump(db)];
  expect(seen).toEqual(['']);
  for (const name of names) {
    await db.knex.migrate.up({ migrationSource, name });
    seen.push(await schemaDump(db));
  }
  const newest = seen.at(-1);
  for (const name of names.toReversed()) {
    expect(await schemaDump(db)).toBe(seen.pop());
    await db.knex.migrate.down({ migrationSource, name });
  }
  expect(await schemaDump(db)).toBe('');
  expect(await migrate(db.knex)).toEqual(names);
  expect(await schemaDump(db)).toBe(newest);
});

test('ten servers that migrate an empty database at once all succeed, and one of them does the work', async () => {
  const connection = await makeDatabase('empty');
  const ran = await Promise.all(Array.from({ length: 10 }, () => migrate(connect(connection).knex)));
  const names = await migrationNames();
  expect(ran.filter((done) => done.length > 0)).toEqual([names]);
  const db = connect(connection);
  const [count] = await db.query<{ roots: number }>(
    sql('roots', 'SELECT count(*)::int AS roots FROM customers'),
  );
  expect(count).toEqual({ roots: 1 });
});

test('a migration takes as long as it needs, however short the time of a call is', async () => {
  const connection = await makeDatabase('empty');
  const other = connect(connection);
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const holder = other.transaction(async (tx) => {
    // As another server that migrates; the number is that of src/db/migrations.ts.
    await tx.query({ text: 'SELECT pg_advisory_xact_lock(7233651)' });
    await held;
  });
  const ran = migrate(connect(connection, 200).knex);
  await Promise.race([ran, new Promise((resolve) => setTimeout(resolve, 1_500))]);
  release();
  await holder;
  expect(await ran).toEqual(await migrationNames());
});

test('migrations/schema.txt shows the schema as it is; `npm run docs` writes it anew', async () => {
  const db = connect(await makeDatabase());
  expect(readFileSync(join(folder, 'schema.txt'), 'utf8')).toBe(await schemaDump(db));
});

/** Their constraints and indexes are named by PostgreSQL after those of the table that they are parts of. */
const noPartition = (relation: string): string =>
  `NOT EXISTS (SELECT FROM pg_class p WHERE p.oid = ${relation} AND p.relispartition)`;

test('every constraint, index and trigger has a name of ours, which the migrations spell out', async () => {
  const db = connect(await makeDatabase());
  const named = await db.query<{ name: string; what: string }>(
    sql(
      'named',
      `SELECT conname AS name, conrelid::regclass::text AS what FROM pg_constraint
         WHERE connamespace = 'public'::regnamespace AND contype <> 'n' AND ${noPartition('conrelid')}
       UNION SELECT indexrelid::regclass::text, indrelid::regclass::text FROM pg_index
         WHERE indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
           AND ${noPartition('indrelid')}
       UNION SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal`,
    ),
  );
  const ours = named.filter(({ what }) => !what.startsWith('knex_'));
  expect(ours.length).toBeGreaterThan(50);
  const words = new Set(sources.match(/\w+/g));
  expect(ours.filter(({ name }) => !words.has(name))).toEqual([]);
  expect(ours.filter(({ name }) => /\d$/.test(name))).toEqual([]);
});

test('knex on the command line does what a server does, under the same names', async () => {
  const connection = await makeDatabase('empty');
  const knex = start('npm', ['run', '--silent', 'knex', '--', 'migrate:latest'], {
    env: { DATABASE_URL: connectionString(connection) },
  });
  expect({ ...(await knex.ended), err: knex.err() }).toMatchObject({ code: 0 });
  const db = connect(connection);
  expect(await migrate(db.knex)).toEqual([]);
  expect(await schemaDump(db)).toBe(readFileSync(join(folder, 'schema.txt'), 'utf8'));
});
