/** One PostgreSQL for the whole run, one migrated template database in it; each test file clones that. */
import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { openDatabase } from '../../src/db/database';
import { type EmbeddedPostgres, startEmbedded } from '../../src/db/embedded/embedded';
import { migrate } from '../../src/db/migrations';

declare global {
  var testPostgres: { embedded: EmbeddedPostgres; folder: string } | undefined;
}

export const template = 'treeline_template';

export default async function globalSetup(): Promise<void> {
  // A server of yours, for trying another version: TEST_POSTGRES='{"host": …, "port": …, "user": …, "database": …}'.
  const connection = givenConnection() ?? (await startOwn());
  process.env['TEST_POSTGRES'] = JSON.stringify(connection);

  const admin = new Client(connection);
  await admin.connect();
  await admin.query(`DROP DATABASE IF EXISTS ${template}`);
  await admin.query(`CREATE DATABASE ${template}`);
  await admin.end();
  const db = openDatabase({
    connection: { ...connection, database: template },
    pool_size: 2,
    statement_timeout_ms: 30_000,
    acquire_timeout_ms: 10_000,
  });
  await migrate(db.knex);
  await db.close();
}

const givenConnection = (): EmbeddedPostgres['connection'] | undefined =>
  process.env['TEST_POSTGRES'] === undefined
    ? undefined
    : (JSON.parse(process.env['TEST_POSTGRES']) as EmbeddedPostgres['connection']);

async function startOwn(): Promise<EmbeddedPostgres['connection']> {
  const folder = mkdtempSync(join(tmpdir(), 'treeline-test-'));
  // PostgreSQL does not run as root; whoever it runs as must reach the folder.
  chmodSync(folder, 0o755);
  const embedded = await startEmbedded({
    data_dir: folder,
    settings: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '300' },
  });
  globalThis.testPostgres = { embedded, folder };
  return embedded.connection;
}
