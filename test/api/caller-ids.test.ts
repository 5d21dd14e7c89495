/** A caller is known by its id, not by what it is called; and what was typed as a login is not kept. */
import { migrate, migrationSource } from '../../src/db/migrations';
import { post, runSql } from '../setup/family';
import { headersOf, resellerAs, resellerOf, resultOf } from '../setup/reseller';
import { uuidOf } from '../setup/rest-rows';
import {
  type Member,
  type Members,
  type TestServer,
  apiPassword,
  makeMember,
  startServer,
  uniqueName,
} from '../setup/server';
import { ask, logIn } from '../setup/tenant';

const password = 'correct-horse-1';
let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

describe('an idempotency key', () => {
  const newCustomer = (name: string): Members => ({ name, contact_name: 'Ann' });
  const make = (member: Member, user: string, key: string, name: string): Promise<Members> =>
    resultOf(
      resellerAs(server, { reseller: member.name, user, password })(
        'POST',
        '/account/reseller',
        newCustomer(name),
        {
          'idempotency-key': key,
        },
      ),
    ) as Promise<Members>;
  const addUser = (member: Member, name: string): Promise<Members> =>
    resultOf(
      resellerOf(server, member)('POST', '/account/reseller-user', { name, password, role_id: 1 }),
    ) as Promise<Members>;

  test('stays with who is given another name, and does not go to who takes the old one', async () => {
    const member = await makeMember(server);
    const ann = await addUser(member, 'ann');
    const [key, name] = [uniqueName('key'), uniqueName('made')];
    const first = await make(member, 'ann', key, name);
    const path = `/account/reseller-user/${String(ann['uuid'])}`;
    await resultOf(resellerOf(server, member)('PUT', path, { name: 'anna', role_id: 1 }));
    await addUser(member, 'ann');
    // The same person is answered the same; the other one makes a call of its own, which fails.
    expect(await make(member, 'anna', key, name)).toEqual(first);
    await expect(make(member, 'ann', key, name)).rejects.toThrow('exists already');
    const other = await make(member, 'ann', key, uniqueName('made'));
    expect(other['uuid']).not.toBe(first['uuid']);
  });

  test('that was kept before callers were known by ids answers after the upgrade', async () => {
    const member = await makeMember(server);
    const child = await makeMember(server, member.as);
    const params = {
      i_customer: child.i_customer,
      amount: 1,
      currency: 'USD',
      idempotency_key: uniqueName('key'),
    };
    const first = await member.as.call('customerAddFunds', params);
    const scope = 'SELECT scope FROM idempotency_keys WHERE idempotency_key = $1';
    const [kept] = await runSql<{ scope: string }>(server, scope, params.idempotency_key);
    const old = `login ${member.name} ${member.i_customer} customerAddFunds`;
    await server.db.knex.migrate.down({ name: '010_access_epochs', migrationSource });
    await runSql(
      server,
      'UPDATE idempotency_keys SET scope = $1 WHERE idempotency_key = $2',
      old,
      params.idempotency_key,
    );
    await runSql(
      server,
      `INSERT INTO audit_records (request_id, caller, address, method, action, resource, i_customer, changes)
      SELECT 'r', 'c', 'a', 'authCustomer', 'AUTH_FAIL', 'customer:username=' || name, 1, '{}' FROM unnest($1::text[]) name`,
      ['my-secret-1', member.name],
    );
    await migrate(server.db.knex);
    expect(await runSql(server, scope, params.idempotency_key)).toEqual([kept]);
    expect(await member.as.call('customerAddFunds', params)).toEqual(first);
    const resources = `SELECT resource FROM audit_records WHERE request_id = 'r' ORDER BY 1`;
    expect(await runSql(server, resources)).toEqual([
      { resource: 'customer:username=' },
      { resource: `customer:username=${member.name}` },
    ]);
  });
});

describe('what is typed as a login', () => {
  /** As somebody types who is in the wrong field. */
  const typed = 'Typed-by-mistake-7';
  const tries: Readonly<Record<string, () => Promise<unknown>>> = {
    'with Basic': () => post(server, { method: 'listCustomers', login: [typed, 'wrong-password'] }),
    'over authCustomer': () =>
      server.root.fault('authCustomer', { username: typed, password: 'wrong-password' }),
    'over JSON': () =>
      fetch(`${server.url}/json/authCustomer`, {
        method: 'POST',
        headers: { authorization: `Basic ${Buffer.from(`${typed}:x`).toString('base64')}` },
        body: '{}',
      }),
    'at /auth/login': () => ask(server, 'POST', '/auth/login', { body: { username: typed, password: 'x' } }),
    'as X-Auth-User': () =>
      fetch(`${server.url}/authenticated`, {
        headers: headersOf({ reseller: 'root', user: typed, password: 'wrong-password' }),
      }),
    'as X-Auth-Reseller': () =>
      fetch(`${server.url}/authenticated`, {
        headers: headersOf({ reseller: typed, user: typed, password: 'wrong-password' }),
      }),
  };

  test.each(Object.entries(tries))('%s stands in no log line and no table', async (_how, tryIt) => {
    const [before] = await runSql<{ count: number }>(server, 'SELECT count(*)::int FROM login_failures');
    await tryIt();
    const [after] = await runSql<{ count: number }>(server, 'SELECT count(*)::int FROM login_failures');
    expect(after?.count).toBe((before?.count ?? 0) + 1);
    const tables = await runSql<{ name: string }>(
      server,
      `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'`,
    );
    for (const { name } of tables)
      expect(await runSql(server, `SELECT * FROM ${name} t WHERE t::text ILIKE $1`, `%${typed}%`)).toEqual(
        [],
      );
    expect(server.logged().toLowerCase()).not.toContain(typed.toLowerCase());
  });

  test('is recorded where it is a login that exists', async () => {
    const member = await makeMember(server);
    await server.root.fault('authCustomer', {
      username: member.name.toUpperCase(),
      password: 'wrong-password',
    });
    await post(server, { method: 'listCustomers', login: [member.name, 'wrong-password'] });
    const text = `SELECT resource FROM audit_records WHERE action = 'AUTH_FAIL' AND i_customer = $1`;
    const resource = `customer:username=${member.name}`;
    expect(await runSql(server, text, member.i_customer)).toEqual([{ resource }, { resource }]);
    expect(server.logged()).toContain(`"login":"${member.name}"`);
  });
});

describe('a customer that buys at a store front has store users only', () => {
  let owner: Member;
  let shopper: Member & { readonly i_web_user: number };
  const address = { street_one: '1 High Street', city: 'Guildford', country_code: 'GB' };
  beforeAll(async () => {
    owner = await makeMember(server);
    const api = resellerOf(server, owner);
    const { uuid: store_front } = (await resultOf(
      api('POST', '/account/store', { name: 'shop' }),
    )) as Members;
    const member = await makeMember(server, owner.as);
    const acting = resellerOf(server, owner, member.name);
    const user = { name: 'seller', password, role_id: 3 };
    const { uuid } = (await resultOf(acting('POST', '/account/reseller-user', user))) as Members;
    await resultOf(acting('POST', '/account/reseller-address', address));
    const boss = (await resultOf(
      acting('POST', '/account/reseller-user', { ...user, name: 'boss', role_id: 1 }),
    )) as Members;
    const path = `/account/reseller/${await uuidOf(server, member)}`;
    const body = { name: member.name, contact_name: 'Ann', store_front };
    expect((await api('PUT', path, body)).body).toMatchObject({
      status_code: 400,
      errors: [{ field: 'store_front' }],
    });
    await resultOf(acting('DELETE', `/account/reseller-user/${String(boss['uuid'])}`));
    await resultOf(api('PUT', path, body));
    const [row] = await runSql<{ i_web_user: number }>(
      server,
      'SELECT i_web_user FROM users WHERE uuid = $1',
      uuid,
    );
    shopper = { ...member, i_web_user: Number(row?.i_web_user) };
  });
  const levels = ['ADMINISTRATOR', 'REPORTER', 'BILLING', 'NOC'];
  const newUser = (): Members => ({ web_login: uniqueName('user'), web_password: password });

  test('over XML-RPC and JSON', async () => {
    const refusal = { faultCode: 400, faultString: expect.stringContaining('i_access_level') as string };
    const { i_customer, i_web_user } = shopper;
    for (const i_access_level of levels) {
      expect(await shopper.as.fault('createWebUser', { ...newUser(), i_access_level })).toMatchObject(
        refusal,
      );
      const change = { i_web_user, i_access_level };
      for (const [by, more] of [
        [shopper, {}],
        [owner, {}],
        [owner, { i_wholesaler: i_customer }],
      ] as const)
        expect(await by.as.fault('updateWebUser', { ...change, ...more })).toMatchObject(refusal);
    }
    expect(await owner.as.fault('createWebUser', { ...newUser(), i_customer })).toMatchObject(refusal);
    const json = await fetch(`${server.url}/json/createWebUser`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${shopper.name}:${apiPassword}`).toString('base64')}` },
      body: JSON.stringify(newUser()),
    });
    expect(json.status).toBe(400);
    const store = { ...newUser(), i_access_level: 'CALL_SHOP_OPERATOR' };
    expect(await shopper.as.call('createWebUser', store)).toMatchObject({ result: 'OK' });
    await shopper.as.call('updateWebUser', { i_web_user, description: 'sells' });
  });

  test('over the tenant API', async () => {
    const admin = await logIn(server, shopper.name, password);
    const refused = { http: 400, reason: 'INVALID_PARAMETER' };
    for (const permission of [32, 64])
      expect(
        await admin.refusal('POST', '/agents', { username: uniqueName('agent'), permission }),
      ).toMatchObject(refused);
    const { id } = await admin.ok('POST', '/agents', { username: uniqueName('agent'), permission: 16 });
    for (const permission of [32, 64])
      expect(await admin.refusal('PUT', `/agents/${String(id)}/permission`, { permission })).toMatchObject(
        refused,
      );
  });
});
