/** Databases as released versions left them (`fixtures/upgrades`, made by `test/setup/dump-data.ts`) come up to this one. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, openDatabase } from '../src/db/database';
import { migrate, migrationSource } from '../src/db/migrations';
import { provenBooks } from './setup/books';
import { projectRoot } from './setup/processes';
import { apiPassword, makeDatabase, newCustomer, startServer } from './setup/server';

const folder = join(projectRoot, 'fixtures', 'upgrades');

interface Dump {
  readonly migrations: readonly string[];
  readonly secret_key: string;
  readonly tables: Readonly<Record<string, string>>;
}

/** The schema of that version, with its rows. */
async function restore(db: Database, { migrations, tables }: Dump): Promise<void> {
  for (const name of migrations) await db.knex.migrate.up({ migrationSource, name });
  await db.knex.transaction(async (tx) => {
    // In any order, and over the rows that migrations make.
    await tx.raw('SET LOCAL session_replication_role = replica');
    for (const [table, rows] of Object.entries(tables)) {
      await tx.raw(`DELETE FROM ${table}`);
      await tx.raw(`INSERT INTO ${table} SELECT * FROM json_populate_recordset(NULL::${table}, ?::json)`, [
        rows,
      ]);
      const { rows: identities } = await tx.raw<{ rows: { column_name: string }[] }>(
        `SELECT column_name FROM information_schema.columns WHERE table_name = ? AND is_identity = 'YES'`,
        [table],
      );
      for (const { column_name } of identities) {
        await tx.raw(
          `SELECT setval(pg_get_serial_sequence('${table}', '${column_name}'), greatest(max(${column_name}), 1)) FROM ${table}`,
        );
      }
    }
  });
}

test.each(readdirSync(folder))('%s migrates up, and everything is there and works', async (file) => {
  const dump = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Dump;
  const connection = await makeDatabase('empty');
  const db = openDatabase({
    connection,
    pool_size: 2,
    statement_timeout_ms: 30_000,
    acquire_timeout_ms: 10_000,
  });
  await restore(db, dump);
  const known = await migrationSource.getMigrations([]);
  expect(await migrate(db.knex)).toEqual(known.slice(dump.migrations.length));
  await db.close();

  const server = await startServer({}, { connection, secret_key: Buffer.from(dump.secret_key, 'base64') });
  await provenBooks(server);
  const fjord = server.as('Blue Fjord', apiPassword);
  const { customers } = await fjord.call('listCustomers');
  expect(customers).toMatchObject([{ name: 'Zoë & Sons', description: 'a\nb', balance: 0.5 }]);
  const [{ i_customer }] = customers as [{ i_customer: number }];
  expect(await fjord.call('getStatement', { i_customer })).toMatchObject({ opening: 0, closing: 0.5 });
  const { payments } = await fjord.call('getPaymentsList', { i_customer });
  expect(payments).toMatchObject([
    { amount: 12.345678, reversed: true },
    { kind: 'reversal' },
    { kind: 'transfer' },
  ]);
  // Its customer was blocked, which is told only to who knows the password.
  const ada = { username: 'ada', password: 'correct-horse-1' };
  expect(await server.root.fault('authCustomer', ada)).toMatchObject({
    faultCode: 403,
    faultString: 'The customer is blocked',
  });
  await server.root.call('unblockCustomer', { i_customer });
  expect(await server.root.call('authCustomer', ada)).toMatchObject({ i_customer });
  expect(await server.root.call('createCustomer', newCustomer())).toMatchObject({ result: 'OK' });
  await provenBooks(server);
  await server.close();
});
