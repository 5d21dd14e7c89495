/** Who may call over the reseller API: proofs, refusals, the lock against guessing, lists of addresses. */
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { block, runSql, update } from '../setup/family';
import {
  type Identity,
  headersOf,
  identityOf,
  messageOf,
  resellerAs,
  resellerOf,
  resultOf,
} from '../setup/reseller';
import {
  type Member,
  type TestServer,
  apiPassword,
  makeMember,
  startServer,
  uniqueName,
} from '../setup/server';

const secret_key = Buffer.alloc(32, 9);
let server: TestServer;
let member: Member;
beforeAll(async () => {
  server = await startServer({}, { secret_key });
  member = await makeMember(server);
});
afterAll(() => server.close());

const who = (identity: Identity) => resellerAs(server, identity)('GET', '/authenticated');

/** From another address of loopback. */
const from = (address: string, identity: Identity, headers: Record<string, string> = {}): Promise<number> =>
  new Promise((resolve, reject) => {
    const options = {
      localAddress: address,
      agent: false,
      headers: { ...headersOf(identity), ...headers },
    } as const;
    request(`${server.url}/authenticated`, options, (response) => {
      response.resume().once('end', () => {
        resolve(response.statusCode ?? 0);
      });
    })
      .once('error', reject)
      .end();
  });

test('a customer proves itself by name, login and API password, whatever their case or form', async () => {
  expect(await resultOf(who(identityOf(member)))).toEqual({ authenticated: true });
  const upper = {
    ...identityOf(member),
    reseller: member.name.toUpperCase(),
    user: member.name.toUpperCase(),
  };
  expect((await who(upper)).status).toBe(200);
  const odd = await makeMember(server, server.root, { name: 'Zoë  宽', web_login: uniqueName('zoë') });
  const { web_login } = (await odd.as.call('getCustomerInfo', { i_customer: odd.i_customer }))[
    'customer'
  ] as {
    web_login: string;
  };
  expect((await who({ reseller: 'zoë  宽', user: web_login, password: apiPassword })).status).toBe(200);
});

test('without any of the three it is 401', async () => {
  const all = headersOf(identityOf(member));
  for (const name of Object.keys(all)) {
    const headers = Object.fromEntries(Object.entries(all).filter(([other]) => other !== name));
    const answer = await fetch(`${server.url}/voip/number`, { headers });
    expect([answer.status, await answer.json()]).toEqual([
      401,
      {
        result: {},
        status_code: 401,
        status_message: 'Unauthorized',
        errors: [{ field: null, message: 'X-Auth-Reseller, X-Auth-User and X-Auth-Password are required' }],
        request_id: answer.headers.get('x-request-id'),
      },
    ]);
  }
});

test('an administrator calls with its web password, by its name or its login; others are refused', async () => {
  const call = resellerOf(server, member);
  const password = 'correct-horse-1';
  for (const [name, role_id, status] of [
    ['boss', 1, 200],
    ['clerk', 2, 403],
    ['shopper', 3, 403],
  ] as const) {
    const { uuid, login } = await resultOf(
      call('POST', '/account/reseller-user', { name, password, role_id }),
    );
    expect(login).toBe(`${name}@${member.name}`);
    for (const user of [name, String(login)]) {
      expect((await who({ reseller: member.name, user, password })).status).toBe(status);
      expect((await who({ reseller: member.name, user, password: apiPassword })).status).toBe(401);
    }
    if (name === 'boss') {
      const [row] = await runSql<{ i_web_user: number }>(
        server,
        'SELECT i_web_user FROM users WHERE uuid = $1',
        uuid,
      );
      await member.as.call('blockWebUser', { i_web_user: row?.i_web_user });
      expect((await who({ reseller: member.name, user: name, password })).status).toBe(403);
    }
  }
  // The same name under another customer is another person.
  const other = await makeMember(server);
  expect((await who({ reseller: other.name, user: 'boss', password })).status).toBe(401);
});

test('api_access is asked of the caller and not of the actor; nobody who is blocked calls or is acted for', async () => {
  const owner = await makeMember(server, member.as, { api_access: 0 });
  expect((await who(identityOf(owner))).status).toBe(403);
  const acting = resellerOf(server, member, owner.name);
  await resultOf(acting('GET', '/voip/number'));
  await block(server, owner);
  expect(messageOf(await acting('GET', '/voip/number'))).toBe('403 The customer is blocked');
  const blocked = await makeMember(server);
  expect((await who(identityOf(blocked))).status).toBe(200);
  await block(server, blocked);
  expect((await who(identityOf(blocked))).status).toBe(403);
});

test('rights of the actor decide about customers; numbers need none', async () => {
  const plain = await makeMember(server, server.root, { customers_mgmt: 0, use_own_tariff: 0 });
  const call = resellerOf(server, plain);
  const body = { name: uniqueName(), contact_name: 'Somebody' };
  expect(messageOf(await call('POST', '/account/reseller', body))).toMatch(/^403 .*customers_mgmt/);
  await update(server.root, plain, { customers_mgmt: 1 });
  expect(messageOf(await call('POST', '/account/reseller', body))).toMatch(/^403 .*use_own_tariff/);
  await update(server.root, plain, { use_own_tariff: 1 });
  const { uuid } = await resultOf(call('POST', '/account/reseller', body));
  expect((await call('PUT', `/account/reseller/${String(uuid)}`, body)).status).toBe(403);
  expect((await call('DELETE', `/account/reseller/${String(uuid)}`)).status).toBe(403);
  await resultOf(call('POST', '/account/store', { name: 'Shop' }));
});

test('twenty wrong passwords from one address lock the login there, and nowhere else', async () => {
  const target = await makeMember(server);
  const right = identityOf(target);
  const statuses = [];
  for (let times = 0; times < 22; times += 1)
    statuses.push(await from('127.0.0.9', { ...right, password: 'wrong' }));
  expect(statuses).toEqual([...Array<number>(20).fill(401), 429, 429]);
  expect(await from('127.0.0.9', right)).toBe(429);
  expect(await from('127.0.0.10', right)).toBe(200);
  const unknown = { reseller: 'nobody', user: 'nobody', password: 'wrong' };
  const others = [];
  for (let times = 0; times < 22; times += 1) others.push(await from('127.0.0.11', unknown));
  expect(others).toEqual(statuses);
});

test('a web password that was proven is known again until something of the person changes', async () => {
  const { i_customer, name } = await makeMember(server);
  const other = await startServer({ LOG_LEVEL: 'error' }, { connection: server.connection, secret_key });
  const password = 'correct-horse-1';
  const hash = 'correct-horse-2';
  const changes: readonly (readonly [string, Record<string, unknown>, number])[] = [
    ['updateWebUser', { web_password: hash }, 401],
    ['updateWebUser', { i_access_level: 'REPORTER' }, 403],
    ['blockWebUser', {}, 403],
    ['deleteWebUser', {}, 401],
  ];
  for (const [method, members, status] of changes) {
    const web_login = uniqueName('person');
    const made = { i_customer, web_login, web_password: password };
    const { i_web_user } = await server.root.call('createWebUser', made);
    const identity = { reseller: name, user: web_login, password };
    const statuses = async (): Promise<number[]> => [
      (await who(identity)).status,
      (await resellerAs(other, identity)('GET', '/authenticated')).status,
    ];
    expect([await statuses(), await statuses()]).toEqual([
      [200, 200],
      [200, 200],
    ]);
    // Who guesses is asked anew, and whoever knows it is still let in.
    expect((await who({ ...identity, password: hash })).status).toBe(401);
    expect((await who(identity)).status).toBe(200);
    await server.root.call(method, { i_web_user, ...members });
    expect((await who(identity)).status).toBe(status);
    await sleep(900);
    expect(await statuses()).toEqual([status, status]);
  }
  await other.close();
});

test('a new password, a new name and a list of addresses hold at once', async () => {
  const target = await makeMember(server);
  expect((await who(identityOf(target))).status).toBe(200);
  const [row] = await runSql<{ uuid: string }>(
    server,
    'SELECT uuid FROM customers WHERE i_customer = $1',
    target.i_customer,
  );
  const path = `/account/reseller/${String(row?.uuid)}`;
  const root = resellerAs(server, { reseller: 'root', user: 'root', password: 'root-api-password' });
  const body = { name: target.name, contact_name: 'Somebody' };
  await resultOf(
    root('PUT', path, { ...body, ip_addresses: [{ ip_range: '127.0.0.77/32' }, { ip_range: '10.1.2.3/8' }] }),
  );
  expect(messageOf(await who(identityOf(target)))).toBe('403 The customer may not call from this address');
  expect(await from('127.0.0.77', identityOf(target))).toBe(200);
  // Over every face.
  expect(await target.as.fault('listCustomers', {})).toMatchObject({ faultCode: 403 });
  const { ip_addresses } = await resultOf(root('PUT', path, body));
  expect([ip_addresses, (await who(identityOf(target))).status]).toEqual([[], 200]);
  await resultOf(root('PUT', path, { ...body, name: `${target.name}-renamed` }));
  expect((await who(identityOf(target))).status).toBe(401);
  expect((await who({ ...identityOf(target), reseller: `${target.name}-renamed` })).status).toBe(200);
});

test('what a proxy that is not ours forwards is not believed to be loopback', async () => {
  expect(await from('127.0.0.1', identityOf(member), { 'x-forwarded-for': '127.0.0.1' })).toBe(401);
});

test('no operation is a method of the other faces', async () => {
  const names = ['GET /authenticated', 'POST /voip/number'];
  for (const name of names) expect(await server.root.fault(name, {})).toMatchObject({ faultCode: -32601 });
  expect(await server.root.call('system.listMethods')).not.toEqual(expect.arrayContaining(names));
});

test('passwords are in no answer, no log and not in the database', async () => {
  const call = resellerOf(server, member);
  const password = 'a-very-special-secret';
  const sipUser = await call(
    'POST',
    '/voip/user',
    { name: uniqueName('sip'), password },
    { 'idempotency-key': 'sip' },
  );
  const user = await call('POST', '/account/reseller-user', { name: uniqueName('u'), password, role_id: 1 });
  expect([sipUser.status, user.status]).toEqual([200, 200]);
  expect(sipUser.text + user.text + server.logged()).not.toContain(password);
  expect(server.logged()).not.toContain(apiPassword);
  const tables = ['sip_users', 'users', 'audit_records', 'idempotency_keys'];
  for (const table of tables)
    expect(await runSql(server, `SELECT FROM ${table} t WHERE t::text LIKE $1`, `%${password}%`)).toEqual([]);
});
