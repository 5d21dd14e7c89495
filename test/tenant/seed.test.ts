/** Every example and scenario of the documents that this API comes from. */
import { type TestServer, startServer } from '../setup/server';
import { type Tenant, type TenantCaller, logIn, makeTenant, rootTenant } from '../setup/tenant';

let server: TestServer;
let root: TenantCaller;
beforeAll(async () => {
  server = await startServer();
  root = await rootTenant(server);
});
afterAll(() => server.close());

const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

test('GET and PUT of the own customer, with the token in the query and a slash at the end', async () => {
  const { id, admin }: Tenant = await makeTenant(server);
  const path = `${server.url}/v1.0/customers/${id}/?token=${admin.token}`;
  const put = await fetch(path, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'Acme Corporation Inc.', detail: 'Updated enterprise account' }),
  });
  expect(put.status).toBe(200);
  const got = (await (await fetch(path)).json()) as Record<string, unknown>;
  expect(got).toEqual({
    id,
    name: 'Acme Corporation Inc.',
    detail: 'Updated enterprise account',
    status: 'active',
    permission_ids: [16],
    email: '',
    phone_number: '',
    address: '',
    webhook_method: 'POST',
    webhook_uri: '',
    billing_account_id: expect.any(String) as string,
    tm_create: expect.stringMatching(rfc3339) as string,
    tm_update: expect.stringMatching(rfc3339) as string,
    tm_delete: null,
  });
  expect(await put.json()).toEqual(got);
  expect(await admin.ok('GET', '/customer')).toEqual(got);
});

test('a new customer is set up: guest agent, agents, numbers, flows, links', async () => {
  const made = await root.ok('POST', '/customers', { name: 'New Company LLC' });
  expect(made).toMatchObject({ name: 'New Company LLC', status: 'active', tm_update: null });
  const customer_id = String(made['id']);
  const of = { customer_id };
  const before = await root.ok('GET', '/agents', undefined, of);
  expect(before['result']).toMatchObject([{ name: 'guest agent', permission: 32, customer_id }]);
  const username = 'admin@new-company.example';
  await root.ok('POST', '/agents', { username, password: 'strong-password-1', permission: 32 }, of);
  const admin = await logIn(server, username, 'strong-password-1');

  const number = await admin.ok('POST', '/numbers', { number: '+15550001111' });
  const flow = await admin.ok('POST', '/flows', {
    name: 'Main IVR',
    actions: [{ type: 'answer' }, { type: 'talk', option: { text: 'Welcome', rate: 1.5, tries: [1, null] } }],
  });
  const tag = await admin.ok('POST', '/tags', { name: 'front desk' });
  const agent = await admin.ok('POST', '/agents', { username: 'clerk@new-company.example' });
  expect(agent).toMatchObject({ permission: 16, status: 'offline', ring_method: 'ringall', name: '' });
  const linked = await admin.ok('PUT', `/numbers/${number['id']}`, { call_flow_id: flow['id'] });
  expect(linked).toMatchObject({ number: '+15550001111', call_flow_id: flow['id'], message_flow_id: null });
  await admin.ok('PUT', `/agents/${agent['id']}/tag_ids`, { tag_ids: [tag['id']] });
  const queue = await admin.ok('POST', '/queues', {
    name: 'Front',
    tag_ids: [tag['id']],
    wait_flow_id: flow['id'],
  });
  expect(queue).toMatchObject({ routing_method: 'random', tag_ids: [tag['id']], wait_flow_id: flow['id'] });
  expect(await admin.ok('GET', `/flows/${flow['id']}`)).toEqual(flow);
  expect(flow['actions']).toEqual([
    { type: 'answer' },
    { type: 'talk', option: { text: 'Welcome', rate: 1.5, tries: [1, null] } },
  ]);
});

test('several departments, and a review of the account', async () => {
  const { id, admin, i_customer } = await makeTenant(server, { balance: 25.5 });
  const departments = {
    sales: ['+18005551111', 3],
    support: ['+18005552222', 2],
    billing: ['+18005553333', 1],
  } as const;
  for (const [name, [number, people]] of Object.entries(departments)) {
    const tag = await admin.ok('POST', '/tags', { name });
    const flow = await admin.ok('POST', '/flows', { name: `${name} flow` });
    await admin.ok('POST', '/queues', { name: `${name} queue`, tag_ids: [tag['id']] });
    await admin.ok('POST', '/numbers', { number, name, call_flow_id: flow['id'] });
    for (let n = 1; n <= people; n += 1) {
      const username = `${name}-${n}-${i_customer}`;
      await admin.ok('POST', '/agents', { username, tag_ids: [tag['id']], status: 'available' });
    }
  }
  const count = async (path: string): Promise<number> =>
    ((await admin.ok('GET', path))['result'] as unknown[]).length;
  // Beside the six: the customer's own login, the administrator and the guest agent.
  expect(await count('/agents')).toBe(9);
  expect(await count('/numbers')).toBe(3);
  expect(await count('/flows')).toBe(3);
  expect(await count('/queues')).toBe(3);
  const { result } = await admin.ok('GET', '/billing_accounts');
  expect(result).toMatchObject([{ customer_id: id, balance: 25.5, currency: 'USD' }]);
  expect((await admin.ok('GET', '/billings'))['result']).toMatchObject([
    { amount: 25.5, reference_type: 'opening', customer_id: id },
  ]);
});

test('a suspended account is refused on every call until it is reactivated', async () => {
  const { id, admin } = await makeTenant(server);
  expect(await root.ok('POST', `/customers/${id}/freeze`)).toMatchObject({ status: 'suspended' });
  expect(await root.ok('POST', `/customers/${id}/freeze`)).toMatchObject({ status: 'suspended' });
  expect(await admin.refusal('GET', '/customer')).toMatchObject({
    http: 403,
    status: 'PERMISSION_DENIED',
    reason: 'ACCOUNT_FROZEN',
  });
  expect(await root.ok('POST', `/customers/${id}/recover`)).toMatchObject({ status: 'active' });
  await admin.ok('GET', '/customer');
});

test.each(['id', 'status', 'billing_account_id', 'tm_create', 'tm_update', 'tm_delete', 'webhook_key'])(
  'the locked field %s is refused by its name',
  async (field) => {
    const { id, admin } = await makeTenant(server);
    const { status, body } = await admin.ask('PUT', `/customers/${id}`, { name: 'Other', [field]: 'active' });
    expect(status).toBe(400);
    expect(body['error']).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'INVALID_PARAMETER' });
    expect(JSON.stringify(body)).toContain(field);
    expect(await admin.ok('GET', '/customer')).not.toMatchObject({ name: 'Other' });
  },
);
