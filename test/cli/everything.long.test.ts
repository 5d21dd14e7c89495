/** Everything out of one database and into another: nothing is lost, nothing is half done, and nothing is overwritten. */
import { randomBytes } from 'node:crypto';
import { type Place, makePlace, placeOn, runWords } from './command';
import { makeFamily, update } from '../setup/family';
import { schemaDump } from '../setup/schema-dump';
import { type TestServer, newCustomer, startServer, uniqueName } from '../setup/server';

const secret_key = randomBytes(32);
let server: TestServer;
let source: Place;
let stream: string;

/** A life of its own: customers of four levels, one of them deleted, money that moved every way, people, settings. */
async function live(): Promise<void> {
  const family = await makeFamily(server);
  const { wholesaler, reseller, client, sibling } = family;
  // It refers to somebody who comes later.
  await update(server.root, wholesaler, { i_commission_agent: sibling.i_customer, commission_size: 1e-9 });
  await update(wholesaler.as, reseller, {
    css: 'a { content: "\\n\u2028 宽 \'" }\n',
    description: '{"treeline":"end"}',
    first_name: '\\N',
  });
  const funds = { amount: 1.234567, currency: 'USD' };
  const target = { i_customer: reseller.i_customer };
  const { i_payment } = await wholesaler.as.call('customerAddFunds', {
    ...target,
    ...funds,
    idempotency_key: 'once',
    payment_notes: 'naïve',
  });
  await wholesaler.as.call('reversePayment', { i_payment });
  await Promise.all(
    Array.from({ length: 20 }, () =>
      reseller.as.call('transferFunds', { i_customer: client.i_customer, amount: 0.1 }),
    ),
  );
  await source.run(['customers', 'update', String(sibling.i_customer), '--balance', '99999999999999.999999']);
  await client.as.call('createWebUser', {
    web_login: uniqueName('user'),
    web_password: 'correct-horse-1',
    email: 'a@b.example',
  });
  await server.root.call('resetCustomerOneTimePassword', { web_login: client.name });
  await server.root.fault('authCustomer', { username: client.name, password: 'wrong' });
  await server.root.call('addTrustedHost', { address: '10.0.0.0/8' });
  await server.root.call('addTrustedHost', { address: '2001:db8::/32', description: 'six' });
  await server.root.call('createRoutingGroup', { name: 'Premium' });
  await source.run(['set-api-password', client.name, '--keep-old', '5', '--stdin'], {
    stdin: 'another-password\n',
  });
  await source.run(['prices', 'set', 'number', '1.50']);
  await ownEverything(client.i_customer);
  for (let times = 0; times < 700; times += 1)
    await source.query('INSERT INTO tariffs (i_customer, name, currency) VALUES (1, $1, $2)', [
      `tariff ${times}`,
      'EUR',
    ]);
}

/** One object of every kind, with all that it may have. */
async function ownEverything(i_customer: number): Promise<void> {
  const statements = [
    `INSERT INTO numbers (i_customer, number) VALUES ($1, '+441483000000')`,
    `INSERT INTO sip_users (i_customer, name, name_key, extension, sealed_password) VALUES ($1, 'Ann', 'ann', '0100', '\\x00ff')`,
    `INSERT INTO domains (i_customer, name, name_key) VALUES ($1, 'A.example', 'a.example')`,
    `INSERT INTO stores (i_customer, name, name_key) VALUES ($1, 'Shop', 'shop')`,
    `INSERT INTO customer_limits (i_customer, name, maximum) VALUES ($1, 'tags_per_customer', 5)`,
    `INSERT INTO addresses (i_customer, street_one, city, country_code) VALUES ($1, '1 High Street', 'Guildford', 'GB')`,
    `INSERT INTO customer_ip_ranges (i_customer, ip_range) VALUES ($1, '2001:db8::/32')`,
    `INSERT INTO tags (i_customer, name, detail) VALUES ($1, 'sales', '')`,
    `INSERT INTO flows (i_customer, name, detail, actions) VALUES ($1, 'IVR', '', '[{"type": "talk", "option": 1.50}]')`,
    `INSERT INTO queues (i_customer, name, detail, routing_method, tag_ids, wait_flow_id, wait_timeout, service_timeout)
     SELECT $1, 'Sales', '', 'random', ARRAY[t.uuid], f.uuid, 1, 2 FROM tags t, flows f`,
    `UPDATE numbers SET call_flow_id = (SELECT uuid FROM flows) WHERE i_customer = $1`,
    `INSERT INTO access_keys (i_customer, name, detail, token_prefix, token_hash, tm_expire)
     VALUES ($1, '', '', 'tl_01234567', '\\x0001', now())`,
    `INSERT INTO ended_tokens (i_customer, token_id, expires_at) VALUES ($1, gen_random_uuid(), now() + interval '1 day')`,
    `UPDATE customers SET webhook_uri = 'https://hook.invalid/', sealed_webhook_key = '\\x00' WHERE i_customer = $1`,
    `INSERT INTO webhook_events (i_customer, type, subject, bytes) VALUES ($1, 'flow_created', '{"a": 1.50}', 11)`,
    `UPDATE webhook_queues SET state = 'paused', ready_at = now() + interval '1 day', waiting = 1, waiting_bytes = 11
     WHERE i_customer = $1`,
    `INSERT INTO webhook_deliveries (i_customer, number, event_uuid, type, attempt, reason, duration_ms)
     SELECT $1, 1, uuid, type, 1, 'HTTP status 500', 17 FROM webhook_events`,
    // A customer refers to a store, and a store to its customer.
    `UPDATE customers SET i_store = (SELECT i_store FROM stores) WHERE i_customer <> $1 AND i_store IS NULL`,
  ];
  for (const statement of statements) await source.query(statement, [i_customer]);
}

beforeAll(async () => {
  server = await startServer({}, { secret_key });
  source = await placeOn(server.connection, secret_key);
  await live();
  const said = await source.run(['export']);
  expect(said).toMatchObject({ code: 0, err: expect.stringMatching(/^[\d,]+ rows of \d+ tables exported/) });
  stream = said.out;
});
afterAll(async () => {
  await server.close();
  await source.close();
});

/** A count is the sum of its rows, which after an import is one. */
const summedCounts = `(SELECT i_customer, resource, sum(own) AS own, sum(subtree) AS subtree FROM usage_counts
  GROUP BY 1, 2 HAVING sum(subtree) <> 0)`;

/** Every row of every table, as the database itself writes it, but the epochs, which begin anew. */
async function everythingIn(place: Place): Promise<Record<string, string[]>> {
  const tables = await place.query(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
       AND NOT relispartition AND relname NOT LIKE 'knex%' AND relname <> 'access_epochs' ORDER BY 1`,
  );
  const found: Record<string, string[]> = {};
  for (const { name } of tables) {
    const from = name === 'usage_counts' ? summedCounts : name;
    const rows = await place.query(`SELECT t::text AS row FROM ${from} t ORDER BY t::text COLLATE "C"`);
    found[String(name)] = rows.map(({ row }) => String(row));
  }
  return found;
}

const fresh = (key = secret_key) => makePlace('empty', key);
const importing = (place: Place, text: string | Buffer = stream) => place.run(['import'], { stdin: text });

test('every table is the same afterwards, to the last digit', async () => {
  const target = await fresh();
  const said = await importing(target);
  expect(said).toEqual({
    code: 0,
    out: expect.stringMatching(/^[\d,]+ rows imported into PostgreSQL/),
    err: '',
  });
  const [before, after] = [await everythingIn(source), await everythingIn(target)];
  const empty = Object.entries(before).flatMap(([name, rows]) => (rows.length === 0 ? [name] : []));
  expect(empty).toEqual([]);
  expect(after).toEqual(before);
  expect((await target.run(['export'])).out).toBe(stream);
  expect(await target.run(['verify-books'])).toMatchObject({ code: 0 });
  await target.close();
});

test('the schema is what it was, sequences go on, and a server serves from it as before', async () => {
  const target = await fresh();
  await importing(target);
  const again = await startServer({}, { connection: target.connection, secret_key });
  expect(await schemaDump(again.db)).toBe(await schemaDump(server.db));
  const made = await again.root.call('createCustomer', newCustomer());
  const [next] = await source.query('SELECT max(i_customer) + 1 AS i_customer FROM customers');
  expect(made).toMatchObject({ ...next });
  expect(await again.root.call('listCustomers')).toMatchObject({ result: 'OK' });
  await expect(target.query('DELETE FROM entries')).rejects.toThrow('append-only');
  await again.close();
  await target.close();
});

test('an export is of one moment, though the server goes on', async () => {
  const ended = new AbortController();
  const goOn = async (): Promise<void> => {
    while (!ended.signal.aborted) await server.root.call('createCustomer', newCustomer({ balance: 1 }));
  };
  const going = goOn();
  const { out } = await source.run(['export']);
  ended.abort();
  await going;
  const target = await fresh();
  expect(await importing(target, out)).toMatchObject({ code: 0 });
  expect(await target.run(['verify-books'])).toMatchObject({ code: 0 });
  await target.close();
});

describe('nothing is imported', () => {
  let target: Place;
  beforeAll(async () => {
    target = await fresh();
    await target.run(['migrate']);
  });
  afterAll(() => target.close());

  const damaged = (from: string | RegExp, to: string): string => {
    const text = stream.replace(from, to);
    expect(text).not.toBe(stream);
    return text;
  };
  const lines = () => stream.trimEnd().split('\n');
  const cases: [string, () => string | Buffer, RegExp][] = [
    ['from a stream without its end', () => lines().slice(0, -1).join('\n'), /ends too early/],
    ['from half a stream', () => stream.slice(0, stream.length / 2), /ends too early|invalid input/],
    [
      'from a stream in which a digit was changed',
      () => damaged(/"payment_time":"20/, '"payment_time":"21'),
      /damaged/,
    ],
    [
      'from a stream without one of its rows',
      () =>
        lines()
          .filter((line) => !line.includes('"Premium"'))
          .join('\n'),
      /damaged/,
    ],
    [
      'from a stream that goes on after its end',
      () => `${stream}{}\n`,
      /not a stream that treeline export wrote/,
    ],
    ['from something else', () => 'name,i_tariff\nx,1\n', /not a stream that treeline export wrote/],
    ['from nothing', () => '', /not a stream that treeline export wrote/],
    ['from bytes', () => randomBytes(100_000), /not a stream that treeline export wrote/],
    ['from a later format', () => damaged('"format":1', '"format":2'), /format 2/],
    ['from another version', () => damaged('"migrations":["001', '"migrations":["000'), /another version/],
    [
      'from a stream with a table that there is not',
      () => damaged('"table","name":"users"', '"table","name":"losers"'),
      /not a stream/,
    ],
  ];
  test.each(cases)('%s', async (_what, text, reason) => {
    const before = await everythingIn(target);
    const said = await importing(target, text());
    expect(said).toMatchObject({ code: 1, out: '', err: expect.stringMatching(/^treeline: [^\n]+\n$/) });
    expect(said.err).toMatch(reason);
    expect(await everythingIn(target)).toEqual(before);
  });

  test('with another SECRET_KEY, and the database does not belong to it afterwards', async () => {
    const other = await fresh(randomBytes(32));
    expect(await importing(other)).toMatchObject({ code: 1, err: expect.stringContaining('SECRET_KEY') });
    expect(await other.query('SELECT 1 FROM server_settings')).toEqual([]);
    await other.close();
  });

  test('into a database that is not empty', async () => {
    const used = await makePlace('template', secret_key);
    await used.run(['customers', 'create', '--name', 'x', '--i-tariff', '1', '--web-password-stdin'], {
      stdin: 'correct-horse-1\n',
    });
    expect(await importing(used)).toMatchObject({ code: 1, err: expect.stringContaining('is not empty') });
    await used.close();
  });

  test('while somebody else works on the database', async () => {
    const busy = await makePlace('template', secret_key);
    await busy.query('BEGIN');
    await busy.query('SELECT * FROM customers FOR UPDATE');
    const said = await importing(busy);
    expect(said).toMatchObject({
      code: 1,
      err: 'treeline: The database is in use: stop its servers first\n',
    });
    await busy.query('ROLLBACK');
    expect(await importing(busy)).toMatchObject({ code: 0 });
    await busy.close();
  });
});

test('neither is for a terminal', async () => {
  expect(await source.run(['export'], { terminal: true })).toMatchObject({
    code: 2,
    out: '',
    err: expect.stringContaining('treeline export > FILE'),
  });
  expect(await source.run(['import'], { terminal: true })).toMatchObject({
    code: 2,
    err: expect.stringContaining('treeline import < FILE'),
  });
});

test('help says that the stream is to be kept like a backup', async () => {
  expect((await runWords(['export', '--help'])).out).toMatch(
    /hashes of passwords and\s+sealed credentials: keep it like a backup/,
  );
});
