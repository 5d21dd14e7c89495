/** The people of a tenant: what each may do, what nobody may, and who is protected. */
import { runSql } from '../setup/family';
import { type TestServer, makeMember, newCustomer, startServer, uniqueName } from '../setup/server';
import {
  type TenantCaller,
  agentPassword,
  ask,
  logIn,
  makeAgent,
  makeTenant,
  rootTenant,
} from '../setup/tenant';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

const denied = { http: 403, status: 'PERMISSION_DENIED' };
const list = async (by: TenantCaller): Promise<Record<string, unknown>[]> =>
  (await by.ok('GET', '/agents'))['result'] as Record<string, unknown>[];
const guestOf = async (by: TenantCaller): Promise<string> =>
  String((await list(by)).find(({ name }) => name === 'guest agent')?.['id']);

test('an agent is made, read, listed, changed and deleted', async () => {
  const { id: customer_id, admin } = await makeTenant(server);
  const tag = await admin.ok('POST', '/tags', { name: 'skill' });
  const username = uniqueName('Agent');
  const addresses = [{ type: 'tel', target: '+15551234567', target_name: 'desk' }];
  const made = await admin.ok('POST', '/agents', {
    username,
    password: agentPassword,
    name: '',
    detail: '',
    ring_method: 'linear',
    permission: 64,
    status: 'busy',
    tag_ids: [tag['id'], tag['id']],
    addresses,
  });
  expect(made).toEqual({
    id: expect.any(String) as string,
    customer_id,
    username,
    name: '',
    detail: '',
    ring_method: 'linear',
    permission: 64,
    status: 'busy',
    tag_ids: [tag['id']],
    addresses,
    tm_create: expect.any(String) as string,
    tm_update: null,
    tm_delete: null,
  });
  const path = `/agents/${made['id']}`;
  expect(await admin.ok('GET', path)).toEqual(made);
  expect(await list(admin)).toContainEqual(made);
  expect(await admin.ok('PUT', path, { name: 'Jane' })).toMatchObject({
    name: 'Jane',
    ring_method: 'linear',
  });
  expect(await admin.ok('PUT', `${path}/status`, { status: 'away' })).toMatchObject({ status: 'away' });
  expect(await admin.ok('PUT', `${path}/addresses`, { addresses: [] })).toMatchObject({ addresses: [] });
  expect(await admin.ok('PUT', `${path}/tag_ids`, { tag_ids: [] })).toMatchObject({ tag_ids: [] });
  expect(await admin.ok('PUT', `${path}/permission`, { permission: 16 })).toMatchObject({ permission: 16 });
  expect(await admin.ok('DELETE', path)).toMatchObject({
    id: made['id'],
    tm_delete: expect.any(String) as string,
  });
  expect(await admin.refusal('GET', path)).toMatchObject({ http: 404, status: 'NOT_FOUND' });
  expect((await list(admin)).map(({ id }) => id)).not.toContain(made['id']);
  // The login is free again.
  await admin.ok('POST', '/agents', { username });
});

test('logins are unique on the platform, and wrong members are told in the words of this API', async () => {
  const { admin } = await makeTenant(server);
  const taken = await admin.refusal('POST', '/agents', { username: 'ROOT' });
  expect(taken).toMatchObject({
    http: 409,
    status: 'ALREADY_EXISTS',
    message: 'This username is taken already',
  });
  const { body } = await admin.ask('POST', '/agents', { username: 'ROOT' });
  expect(body['error']).toMatchObject({ details: [{ field: 'username' }] });
  const cases: [object, string][] = [
    [{}, 'username'],
    [{ username: 'a', password: 'short' }, 'password'],
    [{ username: 'a', permission: 48 }, 'permission'],
    [{ username: 'a', permission: 1 }, 'permission'],
    [{ username: 'a', status: 'asleep' }, 'status'],
    [{ username: 'a', ring_method: 'never' }, 'ring_method'],
    [{ username: 'a', tag_ids: ['x'] }, 'tag_ids'],
    [{ username: 'a', addresses: [{ type: 'tel' }] }, 'addresses'],
    [{ username: 'a', extra: 1 }, 'extra'],
  ];
  for (const [body, field] of cases) {
    const { status, body: answer } = await admin.ask('POST', '/agents', body);
    expect([status, JSON.stringify(answer['error'])]).toEqual([400, expect.stringContaining(field)]);
  }
});

test('a weak password is refused by the policy of the customer', async () => {
  const { admin, i_customer } = await makeTenant(server);
  await server.root.call('updateCustomer', { i_customer, i_password_policy: 2 });
  const { status, body } = await admin.ask('POST', '/agents', {
    username: uniqueName(),
    password: 'weak-password',
  });
  expect(status).toBe(400);
  expect(body['error']).toMatchObject({
    message: expect.stringMatching(/^Parameter password must/) as string,
    details: [{ field: 'password' }],
  });
});

test('nobody gives a permission that he does not hold, nor decides about those who hold more', async () => {
  const { admin, admin_id } = await makeTenant(server);
  const manager = await makeAgent(server, admin, { permission: 64 });
  const agent = await makeAgent(server, admin);
  await admin.ok('PUT', '/customer', { permission_ids: [32] });
  const username = uniqueName();
  expect(await manager.as.refusal('POST', '/agents', { username })).toMatchObject(denied);
  expect(await manager.as.refusal('POST', '/agents', { username, permission: 32 })).toMatchObject(denied);
  expect(
    await manager.as.refusal('PUT', `/agents/${manager.id}/permission`, { permission: 32 }),
  ).toMatchObject(denied);
  expect(await manager.as.refusal('PUT', `/agents/${admin_id}/permission`, { permission: 16 })).toMatchObject(
    denied,
  );
  expect(
    await manager.as.refusal('PUT', `/agents/${admin_id}/password`, { password: 'taken-over-1' }),
  ).toMatchObject(denied);
  expect(await manager.as.refusal('DELETE', `/agents/${admin_id}`)).toMatchObject(denied);
  await manager.as.ok('POST', '/agents', { username, permission: 64 });
  await manager.as.ok('PUT', `/agents/${agent.id}/permission`, { permission: 64 });
  expect(await admin.ok('POST', '/agents', { username: uniqueName() })).toMatchObject({ permission: 32 });
});

test('an agent looks at himself and does the little things, and nothing else', async () => {
  const { admin, admin_id } = await makeTenant(server);
  const { as, id } = await makeAgent(server, admin);
  expect(await as.ok('GET', `/agents/${id}`)).toMatchObject({ id, permission: 16 });
  expect(await as.ok('PUT', `/agents/${id}`, { name: 'Me' })).toMatchObject({ name: 'Me' });
  expect(await as.ok('PUT', `/agents/${id}/status`, { status: 'available' })).toMatchObject({
    status: 'available',
  });
  const refused: [string, string, object?][] = [
    ['GET', '/agents'],
    ['GET', `/agents/${admin_id}`],
    ['PUT', `/agents/${admin_id}/status`, { status: 'away' }],
    ['PUT', `/agents/${id}/permission`, { permission: 32 }],
    ['PUT', `/agents/${id}/password`, { password: agentPassword }],
    ['PUT', `/agents/${id}/tag_ids`, { tag_ids: [] }],
    ['DELETE', `/agents/${id}`],
    ['GET', '/customer'],
    ['PUT', '/customer', { name: 'x' }],
    ['GET', '/numbers'],
    ['POST', '/flows', {}],
    ['GET', '/billing_account'],
    ['GET', '/customers'],
  ];
  for (const [verb, path, body] of refused) expect(await as.refusal(verb, path, body)).toMatchObject(denied);
});

describe('the guest agent', () => {
  test('is there for a customer made over any face, and only one', async () => {
    const root = await rootTenant(server);
    const member = await makeMember(server);
    const overXml = await member.as.call('createCustomer', newCustomer({ i_tariff: null }));
    const overRest = await root.ok('POST', '/customers', { name: 'Over REST' });
    const headers = {
      'content-type': 'application/json',
      'x-auth-reseller': member.name,
      'x-auth-user': member.name,
      'x-auth-password': 'api-password-1',
    };
    const made = await fetch(`${server.url}/account/reseller`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ name: uniqueName(), contact_name: 'Somebody' }),
    });
    const { result } = (await made.json()) as { result: { uuid: string } };
    const guests = await runSql(
      server,
      `SELECT u.name, u.i_access_level FROM users u JOIN customers c USING (i_customer)
       WHERE u.is_recovery AND (c.i_customer = $1 OR c.uuid = ANY($2::uuid[]))`,
      overXml['i_customer'],
      [overRest['id'], result.uuid],
    );
    const guest = { name: 'guest agent', i_access_level: 'ADMINISTRATOR' };
    expect(guests).toEqual([guest, guest, guest]);
  });

  test('cannot be deleted, demoted, renamed, nor be given a password, on any face', async () => {
    const { admin, i_customer } = await makeTenant(server);
    const path = `/agents/${await guestOf(admin)}`;
    const before = await admin.ok('GET', path);
    expect(await admin.refusal('DELETE', path)).toMatchObject(denied);
    expect(await admin.refusal('PUT', `${path}/permission`, { permission: 16 })).toMatchObject(denied);
    expect(await admin.refusal('PUT', `${path}/password`, { password: agentPassword })).toMatchObject(denied);
    expect(await admin.refusal('PUT', path, { name: 'other' })).toMatchObject(denied);
    expect(await admin.refusal('PUT', `${path}/status`, { status: 'away' })).toMatchObject(denied);
    const [row] = await runSql<{ i_web_user: number }>(
      server,
      'SELECT i_web_user FROM users WHERE i_customer = $1 AND is_recovery',
      i_customer,
    );
    expect(await server.root.fault('deleteWebUser', { ...row })).toMatchObject({ faultCode: 403 });
    expect(await admin.ok('GET', path)).toEqual(before);
  });
});

describe('the last administrator', () => {
  /** A customer whose own login has no password: beside the guest agent only those who are made. */
  const bare = async () => {
    const root = await rootTenant(server);
    const { id } = await root.ok('POST', '/customers', { name: 'Bare' });
    const of = { customer_id: String(id) };
    const make = async () => {
      const username = uniqueName('admin');
      const made = await root.ok(
        'POST',
        '/agents',
        { username, password: agentPassword, permission: 32 },
        of,
      );
      return { id: String(made['id']), as: await logIn(server, username, agentPassword) };
    };
    return { first: await make(), second: await make() };
  };
  const last = { http: 409, status: 'FAILED_PRECONDITION' };

  test('can neither be deleted nor demoted, even by himself or by the owner', async () => {
    const { first, second } = await bare();
    await first.as.ok('DELETE', `/agents/${second.id}`);
    expect(await first.as.refusal('DELETE', `/agents/${first.id}`)).toMatchObject(last);
    expect(await first.as.refusal('PUT', `/agents/${first.id}/permission`, { permission: 64 })).toMatchObject(
      last,
    );
    const helper = await makeAgent(server, first.as, { permission: 32 });
    await helper.as.ok('PUT', `/agents/${first.id}/permission`, { permission: 64 });
  });

  test('stays, also when two delete each other at once', async () => {
    for (let round = 0; round < 5; round += 1) {
      const { first, second } = await bare();
      const both = await Promise.all([
        first.as.ask('DELETE', `/agents/${second.id}`),
        second.as.ask('DELETE', `/agents/${first.id}`),
      ]);
      expect(both.filter(({ status }) => status === 200)).toHaveLength(1);
    }
  });
});

test('the own login of a customer is one of its agents where it has a password, and decided about from above', async () => {
  const params = newCustomer();
  await server.root.call('createCustomer', params);
  const own = await logIn(server, String(params['name']), String(params['web_password']));
  const self = (await list(own)).find(({ username }) => username === params['name']);
  expect(self).toMatchObject({ permission: 32 });
  const path = `/agents/${String(self?.['id'])}`;
  expect(await own.ok('PUT', path, { name: 'Owner' })).toMatchObject({ name: 'Owner' });
  expect(await own.refusal('DELETE', path)).toMatchObject(denied);
  expect(await own.refusal('PUT', `${path}/password`, { password: agentPassword })).toMatchObject(denied);
});

test('what agents do stands in the audit records, without passwords', async () => {
  const { admin, i_customer } = await makeTenant(server);
  const { id } = await makeAgent(server, admin);
  await admin.ok('PUT', `/agents/${id}/password`, { password: 'another-horse-2' });
  await admin.ok('PUT', `/agents/${id}/status`, { status: 'away' });
  await admin.ok('PUT', `/agents/${id}/status`, { status: 'away' });
  const records = await runSql<{ method: string; changes: object }>(
    server,
    `SELECT method, changes FROM audit_records WHERE i_customer = $1 AND method LIKE 'PUT %' ORDER BY i_audit_record`,
    i_customer,
  );
  expect(records).toEqual([
    { method: 'PUT /agents/{id}/password', changes: { web_password: ['changed', 'changed'] } },
    { method: 'PUT /agents/{id}/status', changes: { status: ['offline', 'away'] } },
  ]);
});

test('a path that is none, and a verb that a path does not have', async () => {
  const { admin } = await makeTenant(server);
  expect(await admin.refusal('GET', '/nothing')).toMatchObject({ http: 404, status: 'NOT_FOUND' });
  const patch = await admin.ask('PATCH', '/agents', {});
  expect([patch.status, patch.headers.get('allow')]).toEqual([405, 'GET, POST']);
  expect((await ask(server, 'GET', '/agents/', { query: { token: admin.token } })).status).toBe(200);
  expect((await admin.ask('POST', '/agents', '{')).status).toBe(400);
});
