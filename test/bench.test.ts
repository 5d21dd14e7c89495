/** The peers of the benchmark do what Treeline does: they follow its statements and rows, whatever these become. */
import { randomBytes } from 'node:crypto';
import { Pool, type PoolClient } from 'pg';
import { newMembers } from '../bench/calls';
import { wrongBalances } from '../bench/measure';
import { allRights } from '../bench/members';
import { type Recordings, recordTreeline } from '../bench/record';
import { send } from '../bench/rows';
import {
  type Member,
  type TestServer,
  apiPassword,
  makeMember,
  newCustomer,
  startServer,
} from './setup/server';

let server: TestServer;
let member: Member;
let pool: Pool;
let i_tariff: number;
let samples: [number, number];
let recordings: Recordings;

beforeAll(async () => {
  const secret_key = randomBytes(32);
  server = await startServer({}, { secret_key });
  member = await makeMember(server, server.root, allRights);
  const made = async (name: string, method: string, members: object): Promise<number> =>
    Number((await member.as.call(method, members))[name]);
  i_tariff = await made('i_tariff', 'createTariff', { name: 'Own', currency: 'USD' });
  const customer = () => made('i_customer', 'createCustomer', newCustomer({ i_tariff }));
  samples = [await customer(), await customer()];
  const { connection } = server;
  pool = new Pool(connection);
  recordings = await recordTreeline({
    connection,
    pool_size: 2,
    import_pool_size: 2,
    i_wholesaler: member.i_customer,
    i_tariff,
    samples,
    login: { name: member.name, password: apiPassword },
    secret_key: secret_key.toString('base64'),
  });
}, 60_000);
afterAll(async () => {
  await pool.end();
  await server.close();
});

const tables = ['customers', 'users', 'api_credentials', 'payments', 'entries', 'audit_records'];

/** How many rows each table has more after `work`. */
async function rowsMadeBy(work: () => Promise<unknown>): Promise<number[]> {
  const count = async (): Promise<number[]> => {
    const counts = tables.map((table) => `(SELECT count(*)::int FROM ${table})`);
    const { rows } = await pool.query<{ counts: number[] }>(`SELECT ARRAY[${counts.join(', ')}] AS counts`);
    return rows[0]?.counts ?? [];
  };
  const before = await count();
  await work();
  return (await count()).map((rows, place) => rows - (before[place] ?? 0));
}

async function onClient(work: (client: PoolClient) => Promise<unknown>) {
  const client = await pool.connect();
  await work(client).finally(() => {
    client.release();
  });
}

const population = () => ({ first_i_customer: samples[0], count: 1, i_tariff });

test('createCustomer with all parameters leaves the same rows', async () => {
  const treeline = await rowsMadeBy(() =>
    member.as.call('createCustomer', newMembers('by-treeline', population())),
  );
  const peer = await rowsMadeBy(() =>
    onClient((client) => send(client, recordings.created, 1_000_000_001, 'by-peer')),
  );
  expect(peer).toEqual(treeline);
  expect(peer).toEqual([1, 2, 1, 1, 2, 1]);
});

test('an import leaves them too, but for the passwords', async () => {
  const made = await rowsMadeBy(() =>
    onClient((client) => send(client, recordings.imported, 1_000_000_002, 'imported')),
  );
  expect(made).toEqual([1, 2, 0, 1, 2, 1]);
  const { rows } = await pool.query(
    'SELECT FROM users WHERE i_customer = $1 AND password_hash IS NOT NULL',
    [1_000_000_002],
  );
  expect(rows).toEqual([]);
});

test('updateCustomer changes the same and records it', async () => {
  const made = await rowsMadeBy(() =>
    onClient((client) => send(client, recordings.updated, samples[1], 'By the peer')),
  );
  expect(made).toEqual([0, 0, 0, 0, 0, 1]);
  const { customer } = await member.as.call('getCustomerInfo', { i_customer: samples[1] });
  expect(customer).toMatchObject({ company_name: 'By the peer' });
});

test('customerAddFunds is replayed for any customer, and the books stay right', async () => {
  const balance = async (): Promise<number> =>
    Number((await member.as.call('getCustomerInfo', { i_customer: 1_000_000_001 }))['customer'].balance);
  const before = await balance();
  const made = await rowsMadeBy(() => onClient((client) => recordings.funds(client, 1_000_000_001)));
  expect(made).toEqual([0, 0, 0, 1, 2, 1]);
  expect(await balance()).toBeCloseTo(before + 0.01, 6);
  await onClient(async (client) => {
    expect(await wrongBalances(client)).toBe(0);
  });
});
