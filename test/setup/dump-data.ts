/**
 * The rows of a database as a server of today leaves it, for `test/upgrade.long.test.ts` of tomorrow: run it when a
 * version is released, `npx tsx test/setup/dump-data.ts > fixtures/upgrades/<last migration>.json`.
 */
import { schemaState } from '../../src/db/migrations';
import { onPostgres } from './long-run';
import { type TestServer, makeMember, newCustomer, startServer } from './server';

const secret_key = Buffer.alloc(32, 7);

/** Something of everything that tables hold. */
async function live(server: TestServer): Promise<void> {
  const { root } = server;
  const wholesaler = await makeMember(server, root, {
    name: 'Blue Fjord',
    balance: 100,
    overcommit_protection: true,
    max_depth: 3,
  });
  const { i_tariff } = await wholesaler.as.call('createTariff', { name: 'Retail', currency: 'USD' });
  const { i_routing_group } = await root.call('createRoutingGroup', { name: 'North' });
  const client = await makeMember(server, wholesaler.as, {
    name: 'Zoë & Sons',
    i_tariff,
    i_routing_group,
    description: 'a\nb',
  });
  const funds = { i_customer: client.i_customer, amount: 12.345678, currency: 'USD', idempotency_key: 'k' };
  const { i_payment } = await wholesaler.as.call('customerAddFunds', funds);
  await wholesaler.as.call('reversePayment', { i_payment });
  await wholesaler.as.call('transferFunds', { i_customer: client.i_customer, amount: 0.5 });
  await wholesaler.as.call('createWebUser', {
    web_login: 'ada',
    web_password: 'correct-horse-1',
    i_customer: client.i_customer,
  });
  await root.call('resetCustomerOneTimePassword', { web_login: 'ada' });
  await root.fault('authCustomer', { username: 'ada', password: 'wrong-password' });
  const { i_customer } = await root.call('createCustomer', newCustomer({ name: 'gone', balance: 3 }));
  await root.call('deleteCustomer', { i_customer });
  await root.call('blockCustomer', { i_customer: client.i_customer });
  await root.call('addTrustedHost', { address: '192.0.2.0/24', description: 'office' });
}

async function main(): Promise<void> {
  const server = await startServer({ LOG_LEVEL: 'error' }, { secret_key });
  try {
    process.stdout.write(await dumped(server));
  } finally {
    await server.close();
  }
}

async function dumped(server: TestServer): Promise<string> {
  await live(server);
  const tables = await server.db.query<{ name: string }>({
    text: `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'knex%' ORDER BY 1`,
  });
  const lines: string[] = [];
  for (const { name } of tables) {
    const text = `SELECT coalesce(json_agg(t), '[]')::text AS rows FROM ${name} t`;
    const [row] = await server.db.query<{ rows: string }>({ text });
    // As text: PostgreSQL's numbers have more digits than ours.
    lines.push(`${JSON.stringify(name)}: ${JSON.stringify(row?.rows)}`);
  }
  const { applied: migrations } = await schemaState(server.db);
  return `{"migrations": ${JSON.stringify(migrations)}, "secret_key": "${secret_key.toString('base64')}", "tables": {\n${lines.join(',\n')}\n}}\n`;
}

void onPostgres(main);
