/** Customers below customers: who sees, makes, changes, freezes and pays whom; delegation. */
import { runSql } from '../setup/family';
import { type TestServer, apiPassword, makeMember, startServer, uniqueName } from '../setup/server';
import { type TenantCaller, ask, makeAgent, makeTenant, rootTenant } from '../setup/tenant';

let server: TestServer;
let root: TenantCaller;
beforeAll(async () => {
  server = await startServer();
  root = await rootTenant(server);
});
afterAll(() => server.close());

const denied = { http: 403, status: 'PERMISSION_DENIED' };
const missing = { http: 404, status: 'NOT_FOUND' };
const ids = async (by: TenantCaller, path: string): Promise<unknown[]> =>
  ((await by.ok('GET', path))['result'] as { id: string }[]).map(({ id }) => id);

test('an administrator makes customers below, sees and changes them, and deletes them', async () => {
  const { admin, id } = await makeTenant(server);
  const made = await admin.ok('POST', '/customers', {
    name: 'Branch "North": Zürich',
    detail: 'first',
    email: 'north@example.com',
    phone_number: '+41 44 000',
    address: 'Bahnhofstrasse 1',
    permission_ids: [64],
  });
  expect(made).toMatchObject({
    name: 'Branch "North": Zürich',
    detail: 'first',
    email: 'north@example.com',
    phone_number: '+41 44 000',
    address: 'Bahnhofstrasse 1',
    permission_ids: [64],
    status: 'active',
    tm_update: null,
  });
  expect(made).not.toHaveProperty('webhook_key');
  const path = `/customers/${made['id']}`;
  expect(await ids(admin, '/customers')).toEqual([made['id']]);
  expect(await ids(root, '/customers')).toEqual(expect.arrayContaining([made['id'], id]));
  expect(await admin.ok('PUT', path, { detail: '', email: '' })).toMatchObject({
    detail: '',
    email: '',
    address: 'Bahnhofstrasse 1',
  });
  expect(await admin.refusal('DELETE', `/customers/${id}`)).toMatchObject(denied);
  expect(await root.refusal('DELETE', `/customers/${id}`)).toMatchObject({
    http: 409,
    status: 'FAILED_PRECONDITION',
  });
  expect(await admin.ok('DELETE', path)).toMatchObject({
    id: made['id'],
    tm_delete: expect.any(String) as string,
  });
  expect(await admin.refusal('GET', path)).toMatchObject(missing);
  expect(await ids(admin, '/customers')).toEqual([]);
});

test('the rights of the customer hold, as over every face', async () => {
  const { admin } = await makeTenant(server, { customers_mgmt: 1 });
  const { id } = await admin.ok('POST', '/customers', { name: 'x' });
  expect(await admin.refusal('PUT', `/customers/${id}`, { name: 'y' })).toMatchObject(denied);
  expect(await admin.refusal('POST', `/customers/${id}/freeze`)).toMatchObject(denied);
  expect(await admin.refusal('DELETE', `/customers/${id}`)).toMatchObject(denied);
  expect(
    await admin.refusal('POST', `/billing_accounts/${id}/balance_add_force`, { balance: 1 }),
  ).toMatchObject(denied);
  const without = await makeTenant(server, { customers_mgmt: 0 });
  expect(await without.admin.refusal('POST', '/customers', { name: 'x' })).toMatchObject(denied);
  const dear = await makeTenant(server, { use_own_tariff: 0 });
  expect(await dear.admin.refusal('POST', '/customers', { name: 'x' })).toMatchObject(denied);
});

test('a manager reads the own customer and changes nothing of it', async () => {
  const { admin, id } = await makeTenant(server);
  const { as } = await makeAgent(server, admin, { permission: 64 });
  expect(await as.ok('GET', `/customers/${id}`)).toMatchObject({ id });
  for (const [verb, path, body] of [
    ['PUT', `/customers/${id}`, { name: 'x' }],
    ['PUT', '/customer', { name: 'x' }],
    ['GET', '/customers', undefined],
    ['POST', '/customers', { name: 'x' }],
    ['GET', '/billing_accounts', undefined],
  ] as const)
    expect(await as.refusal(verb, path, body)).toMatchObject(denied);
});

test('nobody freezes, deletes or pays himself', async () => {
  const { admin, id } = await makeTenant(server);
  expect(await admin.refusal('POST', `/customers/${id}/freeze`)).toMatchObject(denied);
  expect(await admin.refusal('POST', `/customers/${id}/recover`)).toMatchObject(denied);
  expect(
    await admin.refusal('POST', `/billing_accounts/${id}/balance_add_force`, { balance: 1 }),
  ).toMatchObject(denied);
  expect(
    await admin.refusal('POST', `/billing_accounts/${id}/balance_subtract_force`, { balance: 1 }),
  ).toMatchObject(denied);
});

test('the balance is moved in the books, seen over every face', async () => {
  const { admin, id, i_customer } = await makeTenant(server);
  const path = `/billing_accounts/${id}`;
  expect(await root.ok('POST', `${path}/balance_add_force`, { balance: 20.25 })).toMatchObject({
    balance: 20.25,
  });
  expect(await root.ok('POST', `${path}/balance_subtract_force`, { balance: 30 })).toMatchObject({
    balance: -9.75,
  });
  expect(await root.ok('POST', `${path}/balance_add_force`, { balance: 0 })).toMatchObject({
    balance: -9.75,
  });
  for (const balance of [-1, null, 'x', 1e15])
    expect((await root.ask('POST', `${path}/balance_add_force`, { balance })).status).toBe(400);
  const { customer } = await server.root.call('getCustomerInfo', { i_customer });
  expect(customer).toMatchObject({ balance: -9.75 });
  expect(await admin.ok('GET', '/billing_account')).toMatchObject({ id, balance: -9.75, currency: 'USD' });
  const billings = (await admin.ok('GET', '/billings'))['result'] as { id: string; amount: number }[];
  expect(billings.map(({ amount }) => amount)).toEqual([-30, 20.25]);
  expect(await admin.ok('GET', `/billings/${billings[0]?.id}`)).toEqual(billings[0]);
  const [sums] = await runSql(server, 'SELECT sum(amount) = 0 AS even FROM entries');
  expect(sums).toEqual({ even: true });
});

test('a number costs its price, and nothing is made without the money', async () => {
  await runSql(server, `INSERT INTO prices (product, currency, amount) VALUES ('number', 'USD', 2)`);
  const { admin, id } = await makeTenant(server, { balance: 3 });
  await admin.ok('POST', '/numbers', { number: '+447700900001' });
  expect(await admin.refusal('POST', '/numbers', { number: '+447700900002' })).toMatchObject({
    http: 402,
    status: 'PAYMENT_REQUIRED',
  });
  expect(await admin.ok('GET', `/billing_accounts/${id}`)).toMatchObject({ balance: 1 });
  await runSql(server, 'DELETE FROM prices');
  expect(await admin.refusal('POST', '/numbers', { number: '+447700900001' })).toMatchObject({
    http: 409,
    status: 'ALREADY_EXISTS',
  });
  expect((await admin.ask('POST', '/numbers', { number: '447700900001' })).status).toBe(400);
});

describe('suspension', () => {
  const api = async (name: string): Promise<number> => {
    const headers = { 'x-auth-reseller': name, 'x-auth-user': name, 'x-auth-password': apiPassword };
    return (await fetch(`${server.url}/authenticated`, { headers })).status;
  };

  test('holds for the whole subtree, on all faces at once, tokens and access keys too', async () => {
    const above = await makeTenant(server, { api_access: 1, api_mgmt: 1, api_password: apiPassword });
    const xmlrpc = server.as(above.name, apiPassword);
    const member = await makeMember(server, xmlrpc, {
      name: uniqueName('below'),
      ...Object.fromEntries(
        ['accounts_mgmt', 'tariffs_mgmt', 'vouchers_mgmt', 'system_mgmt', 'api_mgmt'].map((name) => [
          name,
          0,
        ]),
      ),
      did_pool_enabled: false,
      ivr_apps_enabled: false,
      asr_acd_enabled: false,
      debit_credit_cards_enabled: false,
    });
    const { token } = await above.admin.ok('POST', '/accesskeys', {});
    const byKey = async () =>
      (await ask(server, 'GET', '/customer', { query: { accesskey: String(token) } })).status;
    const all = async () => [
      (await above.admin.ask('GET', '/customer')).status,
      await byKey(),
      await api(above.name),
      await api(member.name),
      ((await member.as.call('listCustomers').catch((fault: unknown) => fault)) as { faultCode?: number })
        .faultCode,
    ];
    const open = [200, 200, 200, 200, undefined];
    expect(await all()).toEqual(open);
    await root.ok('POST', `/customers/${above.id}/freeze`);
    expect(await all()).toEqual([403, 403, 403, 403, 403]);
    const login = await ask(server, 'POST', '/auth/login', {
      body: { username: above.name, password: 'correct-horse-1' },
    });
    expect([login.status, (login.body['error'] as { reason: string }).reason]).toEqual([
      403,
      'ACCOUNT_FROZEN',
    ]);
    await server.root.call('unblockCustomer', { i_customer: above.i_customer });
    expect(await all()).toEqual(open);
  });

  test('of a customer below shows in its status, also when it comes from further above', async () => {
    const { admin, id } = await makeTenant(server);
    const below = await admin.ok('POST', '/customers', { name: 'below' });
    const path = `/customers/${below['id']}`;
    await root.ok('POST', `/customers/${id}/freeze`);
    expect(await root.ok('GET', path)).toMatchObject({ status: 'suspended' });
    expect(await root.ok('POST', `${path}/recover`)).toMatchObject({ status: 'suspended' });
    await root.ok('POST', `/customers/${id}/recover`);
    expect(await admin.ok('GET', path)).toMatchObject({ status: 'active' });
  });
});

describe('?customer_id=', () => {
  test('reaches downward only, for administrators, and what is done is recorded with who did it', async () => {
    const { admin, id } = await makeTenant(server);
    const below = await admin.ok('POST', '/customers', { name: 'below' });
    const of = { customer_id: String(below['id']) };
    const stranger = await makeTenant(server);
    const flow = await admin.ok('POST', '/flows', { name: 'theirs' }, of);
    expect(flow).toMatchObject({ customer_id: below['id'] });
    expect(await ids(admin, '/flows')).toEqual([]);
    expect(((await admin.ok('GET', '/flows', undefined, of))['result'] as unknown[]).length).toBe(1);
    expect(await admin.ok('GET', '/customer', undefined, { customer_id: id })).toMatchObject({ id });
    const manager = await makeAgent(server, admin, { permission: 64 });
    expect(await manager.as.refusal('GET', '/flows', undefined, of)).toMatchObject(denied);
    for (const customer_id of [stranger.id, '00000000-0000-4000-8000-000000000000', 'x'])
      expect(await admin.refusal('GET', '/flows', undefined, { customer_id })).toMatchObject(missing);
    expect(await stranger.admin.refusal('POST', '/flows', {}, of)).toMatchObject(missing);
    const [record] = await runSql<{ caller: string; i_caller: number; i_actor: number; i_customer: number }>(
      server,
      'SELECT caller, i_caller, i_actor, i_customer FROM audit_records WHERE resource = $1',
      `flows:uuid=${flow['id']}`,
    );
    expect(record?.i_actor).toBe(record?.i_customer);
    expect(record?.i_caller).not.toBe(record?.i_actor);
    expect(record?.caller).toMatch(/^admin-/);
  });

  test('leaves a record of each look, once an hour for who looks at what from where', async () => {
    const { admin } = await makeTenant(server);
    const made = await admin.ok('POST', '/customers', { name: 'below' });
    const of = { customer_id: String(made['id']) };
    interface Look {
      readonly method: string;
      readonly caller: string;
    }
    const looks = (): Promise<Look[]> =>
      runSql<Look>(
        server,
        `SELECT r.method, r.caller FROM audit_records r JOIN customers c USING (i_customer)
         WHERE c.uuid = $1 AND r.action = 'READ' ORDER BY i_audit_record`,
        of.customer_id,
      );
    await admin.ok('GET', '/flows', undefined, of);
    await admin.ok('GET', '/flows', undefined, { ...of, page_size: '1' });
    await admin.ok('GET', '/agents', undefined, of);
    expect((await looks()).map(({ method }) => method)).toEqual(['GET /flows', 'GET /agents']);
    const other = await makeAgent(server, admin, { permission: 32 });
    await other.as.ok('GET', '/flows', undefined, of);
    const manager = await makeAgent(server, admin, { permission: 64 });
    await manager.as.refusal('GET', '/flows', undefined, of);
    await admin.ok('GET', '/flows');
    expect((await looks()).map(({ caller }) => caller)).toEqual([
      ...Array<unknown>(2).fill(expect.stringMatching(/^admin-/)),
      other.username,
    ]);
    await runSql(server, `UPDATE audit_records SET created_at = created_at - interval '61 minutes'`);
    await admin.ok('GET', '/flows', undefined, of);
    expect(await looks()).toHaveLength(4);
    // Those above see who it was, through the API.
    const { records } = await server.root.call('getAuditLogs', {});
    expect(records).toContainEqual(
      expect.objectContaining({
        action: 'READ',
        method: 'GET /flows',
        caller: expect.stringMatching(/^admin-/) as string,
      }),
    );
  });
});

test('a flow in use stays, a tag is taken off everywhere', async () => {
  const { admin } = await makeTenant(server);
  const flow = await admin.ok('POST', '/flows', {});
  const number = await admin.ok('POST', '/numbers', { number: '+12025550142', message_flow_id: flow['id'] });
  expect(await admin.refusal('DELETE', `/flows/${flow['id']}`)).toMatchObject({
    http: 409,
    status: 'FAILED_PRECONDITION',
  });
  await admin.ok('DELETE', `/numbers/${number['id']}`);
  await admin.ok('DELETE', `/flows/${flow['id']}`);
  const tag = await admin.ok('POST', '/tags', {});
  const queue = await admin.ok('POST', '/queues', { tag_ids: [tag['id']] });
  const agent = await admin.ok('POST', '/agents', { username: uniqueName(), tag_ids: [tag['id']] });
  await admin.ok('DELETE', `/tags/${tag['id']}`);
  expect(await admin.ok('GET', `/queues/${queue['id']}`)).toMatchObject({ tag_ids: [] });
  expect(await admin.ok('GET', `/agents/${agent['id']}`)).toMatchObject({ tag_ids: [] });
});

describe('lists', () => {
  const everything = [
    '/tags',
    '/flows',
    '/queues',
    '/numbers',
    '/agents',
    '/accesskeys',
    '/customers',
    '/billings',
  ];
  const tables: Readonly<Record<string, string>> = {
    '/agents': 'users',
    '/accesskeys': 'access_keys',
    '/customers': 'customers',
    '/billings': 'entries',
  };

  test.each(everything)(
    '%s: to the end, nothing lost or doubled at equal times, newest first',
    async (path) => {
      const { admin, id, i_customer } = await makeTenant(server);
      for (let n = 0; n < 13; n += 1) {
        if (path === '/agents') await admin.ok('POST', path, { username: uniqueName() });
        else if (path === '/numbers') await admin.ok('POST', path, { number: `+1${i_customer}000${10 + n}` });
        else if (path === '/billings')
          await root.ok('POST', `/billing_accounts/${id}/balance_add_force`, { balance: n + 1 });
        else await admin.ok('POST', path, { name: `n ${n}` });
      }
      const table = tables[path] ?? path.slice(1);
      if (table !== 'entries') {
        const owner = table === 'customers' ? 'i_wholesaler' : 'i_customer';
        // All but a few of one time, to the microsecond.
        await runSql(
          server,
          `UPDATE ${table} SET created_at = '2026-01-02 03:04:05.678901+00' WHERE ${owner} = $1
         AND ctid NOT IN (SELECT ctid FROM ${table} WHERE ${owner} = $1 ORDER BY created_at DESC LIMIT 3)`,
          i_customer,
        );
      }
      const whole = (await admin.ok('GET', path))['result'] as { id: string; tm_create: string }[];
      expect(whole.length).toBeGreaterThanOrEqual(13);
      expect(whole.map(({ tm_create }) => tm_create)).toEqual(
        whole
          .map(({ tm_create }) => tm_create)
          .toSorted()
          .toReversed(),
      );
      for (const page_size of ['1', '2', '5']) {
        const seen: unknown[] = [];
        let page_token = '';
        do {
          const page = await admin.ok('GET', path, undefined, { page_size, page_token });
          const rows = page['result'] as unknown[];
          expect(rows.length).toBeLessThanOrEqual(Number(page_size));
          seen.push(...rows);
          page_token = String(page['next_page_token']);
          expect(page_token).toMatch(/^[A-Za-z0-9_-]*$/);
        } while (page_token !== '');
        expect(seen).toEqual(whole);
      }
    },
  );

  test('everybody below is listed once from wherever one looks, at any depth, made and deleted meanwhile', async () => {
    const top = await makeTenant(server);
    // By the ids: who stands below whom, five levels down, beside one another.
    const below = new Map<string, string[]>([[top.id, []]]);
    const above = new Map<string, string[]>([[top.id, []]]);
    for (let n = 0; n < 24; n += 1) {
      const owners = [...below.keys()].filter((id) => (above.get(id)?.length ?? 0) < 5);
      const owner = owners[(n * 7) % owners.length] ?? top.id;
      const query = owner === top.id ? {} : { customer_id: owner };
      if (n % 3 === 0) await root.ok('POST', '/customers', { name: 'beside' });
      const id = String((await top.admin.ok('POST', '/customers', { name: `n ${n}` }, query))['id']);
      // So that others can be made below it.
      await runSql(server, 'UPDATE customers SET customers_mgmt = 7, use_own_tariff = 1 WHERE uuid = $1', id);
      const way = [...(above.get(owner) ?? []), owner];
      above.set(id, way);
      below.set(id, []);
      for (const one of way) below.get(one)?.unshift(id);
    }
    expect(Math.max(...[...above.values()].map(({ length }) => length))).toBeGreaterThan(3);
    // One time for all, as an import would make them.
    await runSql(
      server,
      'UPDATE customers SET created_at = (SELECT created_at FROM customers WHERE i_customer = $1) WHERE $1 = ANY(path)',
      top.i_customer,
    );
    const listFrom = async (id: string, page_size: string): Promise<unknown[]> => {
      const seen: unknown[] = [];
      let page_token = '';
      do {
        const query = { page_size, page_token, ...(id !== top.id && { customer_id: id }) };
        const page = await top.admin.ok('GET', '/customers', undefined, query);
        seen.push(...(page['result'] as { id: string }[]).map((row) => row.id));
        page_token = String(page['next_page_token']);
      } while (page_token !== '');
      return seen;
    };
    for (const [id, ids] of below) {
      expect(await listFrom(id, '1')).toEqual(ids);
      expect(await listFrom(id, '7')).toEqual(ids);
    }
    const leaves = [...below].flatMap(([id, ids]) => (ids.length === 0 ? [id] : []));
    for (const id of leaves) await top.admin.ok('DELETE', `/customers/${id}`);
    for (const [id, ids] of below) {
      if (!leaves.includes(id))
        expect(await listFrom(id, '2')).toEqual(ids.filter((one) => !leaves.includes(one)));
    }
    // What is kept is what the ways from root say.
    const wrong = await runSql(
      server,
      `SELECT * FROM descendants d FULL JOIN (SELECT unnest(path[2:cardinality(path) - 2]) AS i_ancestor, i_customer
         FROM customers WHERE deleted_at IS NULL AND cardinality(path) > 3) w USING (i_ancestor, i_customer)
       WHERE w IS NULL OR d IS NULL`,
    );
    expect(wrong).toEqual([]);
  });

  test('a page_token is one that was answered', async () => {
    const { admin } = await makeTenant(server);
    const bad: Record<string, string>[] = [
      { page_token: 'x' },
      { page_token: Buffer.from('1 infinity').toString('base64url') },
      { page_token: Buffer.from('1 2026-99-99 00:00:00+00').toString('base64url') },
    ];
    for (const query of bad)
      expect([query, (await admin.ask('GET', '/tags', undefined, query)).status]).toEqual([query, 400]);
  });
});
