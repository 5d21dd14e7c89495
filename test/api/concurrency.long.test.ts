/** What happens at once: the database decides who was first, nothing is lost, and no caller sees a deadlock. */
import { Client } from 'pg';
import { provenBooks } from '../setup/books';
import {
  type Members,
  type TestServer,
  makeMember,
  newCustomer,
  startServer,
  uniqueName,
} from '../setup/server';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterEach(async () => {
  await provenBooks(server);
  const orphans = await sql(
    `SELECT c.i_customer FROM customers c JOIN customers w ON w.i_customer = c.i_wholesaler
     WHERE c.deleted_at IS NULL AND w.deleted_at IS NOT NULL`,
  );
  expect(orphans).toEqual([]);
  const dangling = await sql(
    `SELECT c.i_customer FROM customers c JOIN customers a ON a.i_customer = c.i_commission_agent
     WHERE c.deleted_at IS NULL AND a.deleted_at IS NOT NULL`,
  );
  expect(dangling).toEqual([]);
  expect(server.logged()).not.toContain('Internal error');
});
afterAll(() => server.close());

const sql = <Row = Members>(text: string, ...values: unknown[]): Promise<Row[]> =>
  server.db.query<Row>({ text }, values);
const create = async (members: Members = {}): Promise<number> =>
  Number((await server.root.call('createCustomer', newCustomer(members)))['i_customer']);
const info = async (i_customer: number): Promise<Members> =>
  (await server.root.call('getCustomerInfo', { i_customer }))['customer'] as Members;
/** What a call comes to: `OK`, or the number of its fault. */
const outcome = async (method: string, params: Members): Promise<string> => {
  const answer = await server.root.call(method, params).catch((error: unknown) => error as Members);
  return String(answer['result'] ?? answer['faultCode']);
};
/** How often each outcome came, of calls that are made all at once. */
async function tally(calls: readonly (readonly [string, Members])[]): Promise<Record<string, number>> {
  const outcomes = await Promise.all(calls.map(([method, params]) => outcome(method, params)));
  return outcomes.reduce<Record<string, number>>((all, one) => ({ ...all, [one]: (all[one] ?? 0) + 1 }), {});
}
const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

/** Runs `work` while a login is taken by a transaction that does not end: a call that wants it stops in its midst. */
async function whileHeld(
  login: string,
  work: (release: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const client = new Client(server.connection);
  await client.connect();
  try {
    await client.query('BEGIN');
    await client.query('INSERT INTO users (i_customer, web_login, login_key) VALUES (1, $1, $2)', [
      login,
      login,
    ]);
    await work(async () => {
      await client.query('ROLLBACK');
    });
  } finally {
    await client.end();
  }
}
/** Waits until so many statements wait for a lock. */
async function waiting(count: number): Promise<void> {
  const text = `SELECT count(*)::int AS count FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
  for (let attempt = 0; attempt < 500; attempt += 1) {
    const [row] = await sql<{ count: number }>(text);
    if ((row?.count ?? 0) >= count) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`There were never ${count} statements that wait for a lock`);
}

describe('a hundred simultaneous createCustomer', () => {
  test.each(['name', 'dns_alias', 'web_login'])('with one %s make one customer', async (attribute) => {
    const value = uniqueName('one');
    const calls = times(100, (index) => {
      const taken = index % 2 === 0 ? value : value.toUpperCase();
      return ['createCustomer', newCustomer({ web_login: uniqueName(), [attribute]: taken })] as const;
    });
    expect(await tally(calls)).toEqual({ OK: 1, 409: 99 });
    const left = await sql(
      `SELECT 1 FROM customers c JOIN users u USING (i_customer)
       WHERE $1 IN (lower(c.name), lower(c.dns_alias), lower(u.web_login))`,
      value,
    );
    expect(left.length).toBe(attribute === 'web_login' ? 1 : 2);
  });
});

test('fifty simultaneous updateCustomer of different attributes lose nothing', async () => {
  const texts =
    'company_name salutation first_name last_name mid_init street_addr state postal_code city country contact phone fax ' +
    'alt_phone alt_contact description css accounts_matching_rule';
  const flags =
    'callshop_enabled overcommit_protection did_pool_enabled ivr_apps_enabled asr_acd_enabled dncl_enabled ' +
    'debit_credit_cards_enabled conferencing_enabled share_payment_processors';
  const changes: Members = {
    ...Object.fromEntries(texts.split(' ').map((name) => [name, `my ${name}`])),
    ...Object.fromEntries(flags.split(' ').map((name) => [name, true])),
    ...{
      name: uniqueName('new'),
      web_login: uniqueName('new'),
      dns_alias: 'all.at.once',
      balance: 12.5,
      credit_limit: 3,
    },
    ...{
      accounts_mgmt: 1,
      customers_mgmt: 2,
      tariffs_mgmt: 4,
      vouchers_mgmt: 7,
      system_mgmt: 1,
      api_access: 1,
      api_mgmt: 1,
    },
    ...{
      email: 'a@b.example',
      cc: 'c@d.example',
      mail_from: 'e@f.example',
      payment_currency: 'EUR',
      payment_method: 2,
    },
    ...{
      max_depth: 4,
      max_sessions: 5,
      max_calls_per_second: 1.5,
      overcommit_limit: 2.5,
      commission_size: 3.5,
    },
  };
  expect(Object.keys(changes).length).toBeGreaterThanOrEqual(49);
  const i_customer = await create();
  const calls = Object.entries(changes).map(
    ([name, value]) => ['updateCustomer', { i_customer, [name]: value }] as const,
  );
  const password = ['updateCustomer', { i_customer, web_password: 'another-horse-2' }] as const;
  expect(await tally([...calls, password])).toEqual({ OK: calls.length + 1 });
  expect(await info(i_customer)).toMatchObject(changes);
  const login = { username: changes['web_login'], password: 'another-horse-2' };
  expect(await server.root.call('authCustomer', login)).toMatchObject({ i_customer });
});

test('simultaneous changes of balances end at one that was asked for', async () => {
  const reseller = await makeMember(server, server.root, { balance: 1_000 });
  const two = await Promise.all(
    times(2, () => create({ i_wholesaler: reseller.i_customer, i_tariff: null })),
  );
  const calls = times(60, (index) => {
    const i_customer = index % 3 === 0 ? reseller.i_customer : (two[index % 2] ?? 0);
    return ['updateCustomer', { i_customer, balance: (index % 3) * 100 + index - 30.25 }] as const;
  });
  expect(await tally(calls)).toEqual({ OK: 60 });
  for (const i_customer of [reseller.i_customer, ...two]) {
    const wanted = calls.filter(([, params]) => params.i_customer === i_customer);
    expect(wanted.map(([, { balance }]) => balance)).toContain((await info(i_customer))['balance']);
  }
});

test('simultaneous top-ups never pass the overcommit limit, and those that fit get through', async () => {
  const protectedOwner = { balance: 100, overcommit_protection: true };
  const { i_customer: i_wholesaler } = await makeMember(server, server.root, protectedOwner);
  const below = { i_wholesaler, i_tariff: null };
  const ids = await Promise.all(times(14, () => create(below)));
  const updates = ids.map((i_customer) => ['updateCustomer', { i_customer, balance: 10 }] as const);
  const creations = times(6, () => ['createCustomer', newCustomer({ ...below, balance: 10 })] as const);
  expect(await tally([...updates, ...creations])).toEqual({ OK: 10, 402: 10 });
  const [sum] = await sql('SELECT sum(balance)::text FROM customers WHERE i_wholesaler = $1', i_wholesaler);
  expect(sum).toEqual({ sum: '100.000000' });
});

test('simultaneous creation below a wholesaler and deletion of it leave no orphan', async () => {
  for (let round = 0; round < 6; round += 1) {
    const { i_customer: i_wholesaler } = await makeMember(server);
    const below = () => newCustomer({ i_wholesaler, i_tariff: null, balance: 1 });
    const creations = times(4, () => ['createCustomer', below()] as const);
    // The deletion comes first, in the middle and last.
    creations.splice(round % 5, 0, ['deleteCustomer', { i_customer: i_wholesaler }] as never);
    const counts = await tally(creations);
    const lives = await sql('SELECT FROM customers WHERE i_wholesaler = $1', i_wholesaler);
    expect(counts).toEqual(lives.length > 0 ? { OK: 4, 409: 1 } : { OK: 1, 404: 4 });
  }
});

test('simultaneous updates and deletions end with a deleted customer, once', async () => {
  for (let round = 0; round < 5; round += 1) {
    const i_customer = await create({ balance: 5, dns_alias: `round-${round}.example` });
    const updates = times(8, (index) => {
      const change =
        index % 2 === 0 ? { balance: index + 1 } : { name: uniqueName(), web_login: uniqueName() };
      return outcome('updateCustomer', { i_customer, ...change });
    });
    const deletions = times(3, () => outcome('deleteCustomer', { i_customer }));
    expect((await Promise.all(deletions)).sort()).toEqual(['404', '404', 'OK']);
    for (const update of await Promise.all(updates)) expect(['OK', '404']).toContain(update);
    expect(await outcome('getCustomerInfo', { i_customer })).toBe('404');
    const logins = await sql('SELECT FROM users WHERE i_customer = $1 AND deleted_at IS NULL', i_customer);
    expect(logins).toEqual([]);
  }
});

test('two who want the name of each other at once both hear that it is taken', async () => {
  const [left, right] = [uniqueName('left'), uniqueName('right')];
  const [first, second] = await Promise.all([create({ name: left }), create({ name: right })]);
  const swap = [
    ['updateCustomer', { i_customer: first, name: right }],
    ['updateCustomer', { i_customer: second, name: left }],
  ] as const;
  expect(await tally(swap)).toEqual({ 409: 2 });
  expect([(await info(first))['name'], (await info(second))['name']]).toEqual([left, right]);
});

describe('while another call is in its midst', () => {
  test('a change of tariff waits for a customer that is being made below, and gives it the currency too', async () => {
    const [tariff] = await sql(
      `INSERT INTO tariffs (i_customer, name, currency) VALUES (1, 'Euro', 'EUR') RETURNING i_tariff`,
    );
    const top = await makeMember(server);
    const middle = await makeMember(server, top.as);
    for (const [balance, change] of [
      [5, '409'],
      [0, 'OK'],
    ] as const) {
      const web_login = uniqueName();
      await whileHeld(web_login, async (release) => {
        const params = newCustomer({ i_wholesaler: middle.i_customer, i_tariff: null, web_login, balance });
        const created = outcome('createCustomer', params);
        await waiting(1);
        const changed = outcome('updateCustomer', {
          i_customer: top.i_customer,
          i_tariff: tariff?.['i_tariff'],
        });
        await waiting(2);
        await release();
        expect([await created, await changed]).toEqual(['OK', change]);
      });
      await provenBooks(server);
      const [child] = await sql(
        'SELECT max(i_customer) AS id FROM customers WHERE i_wholesaler = $1',
        middle.i_customer,
      );
      await server.root.call('deleteCustomer', { i_customer: child?.['id'] });
    }
  });

  test('a change of tariff leaves out whoever is just being given a tariff of its own, and all below', async () => {
    const top = await makeMember(server);
    const i_customer = await create({
      ...{ i_wholesaler: top.i_customer, i_tariff: null, customers_mgmt: 7, use_own_tariff: 1 },
    });
    const leaf = await create({ i_wholesaler: i_customer, i_tariff: null });
    const [euro] = await sql(`SELECT i_tariff FROM tariffs WHERE currency = 'EUR'`);
    const [own] = await sql(
      `INSERT INTO tariffs (i_customer, name, currency) VALUES ($1, 'Own', 'USD') RETURNING i_tariff`,
      top.i_customer,
    );
    const web_login = uniqueName();
    await whileHeld(web_login, async (release) => {
      const given = outcome('updateCustomer', { i_customer, i_tariff: own?.['i_tariff'], web_login });
      await waiting(1);
      const changed = outcome('updateCustomer', { i_customer: top.i_customer, i_tariff: euro?.['i_tariff'] });
      await waiting(2);
      await release();
      expect([await given, await changed]).toEqual(['OK', 'OK']);
    });
    const currencies = [await info(top.i_customer), await info(i_customer), await info(leaf)];
    expect(currencies.map(({ base_currency }) => base_currency as unknown)).toEqual(['EUR', 'USD', 'USD']);
  });

  test('a commission agent that is being given is not deleted behind its back', async () => {
    const agent = await create();
    const web_login = uniqueName();
    await whileHeld(web_login, async (release) => {
      const created = outcome('createCustomer', newCustomer({ web_login, i_commission_agent: agent }));
      await waiting(1);
      const deleted = outcome('deleteCustomer', { i_customer: agent });
      await waiting(2);
      await release();
      expect([await created, await deleted]).toEqual(['OK', 'OK']);
    });
  });

  test('a wholesaler is not deleted before the customer that is being made below is there', async () => {
    const { i_customer: i_wholesaler } = await makeMember(server);
    const web_login = uniqueName();
    await whileHeld(web_login, async (release) => {
      const created = outcome('createCustomer', newCustomer({ i_wholesaler, i_tariff: null, web_login }));
      await waiting(1);
      const deleted = outcome('deleteCustomer', { i_customer: i_wholesaler });
      await waiting(2);
      await release();
      expect([await created, await deleted]).toEqual(['OK', '409']);
    });
  });
});
