/** Each path of the reseller API: made, read, listed in parts, replaced, deleted, and what is refused. */
import { runSql } from '../setup/family';
import { type Reseller, messageOf, newNumber, resellerOf, resultOf } from '../setup/reseller';
import {
  type Member,
  type Members,
  type TestServer,
  makeMember,
  startServer,
  uniqueName,
} from '../setup/server';

let server: TestServer;
let member: Member;
let call: Reseller;
beforeAll(async () => {
  server = await startServer();
  member = await makeMember(server);
  call = resellerOf(server, member);
});
afterAll(() => server.close());

const address = { street_one: '1 High Street', city: 'Guildford', country_code: 'GB' };
const noAddress = { street_two: null, street_three: null, state: null, zip: null };
const password = 'correct-horse-1';

interface Path {
  /** What makes one, and what is answered then. */
  readonly body: () => Members;
  readonly made: Members;
  /** What replaces it, and what is answered then. */
  readonly replacement: Members;
  readonly replaced: Members;
  /** Bodies that are refused, with the member that is named. */
  readonly refused: readonly (readonly [Members, string])[];
}

const free = { cost: 0, cost_currency: null };
const domain: Path = {
  body: () => ({ name: `${uniqueName('domain')}.example` }),
  made: free,
  replacement: { name: 'Replaced.example' },
  replaced: { name: 'Replaced.example', ...free },
  refused: [
    [{}, 'name'],
    [{ name: 'no host' }, 'name'],
    [{ name: 'a.example', owner: 1 }, 'owner'],
  ],
};
const paths: Readonly<Record<string, Path>> = {
  '/account/reseller': {
    body: () => ({ name: uniqueName(), contact_name: 'Ann', phone: 441483000000, allow_outbound: false }),
    made: {
      contact_name: 'Ann',
      phone: '441483000000',
      allow_outbound: false,
      store_front: null,
      balance: 0,
    },
    replacement: {
      name: 'Replaced customer',
      contact_name: 'Bob',
      ip_addresses: [{ ip_range: '10.1.2.3/8' }],
    },
    replaced: {
      ...{ name: 'Replaced customer', contact_name: 'Bob', phone: null, allow_outbound: true },
      ip_addresses: [{ ip_range: '10.0.0.0/8' }],
    },
    refused: [
      [{ contact_name: 'Ann' }, 'name'],
      [{ name: 'x' }, 'contact_name'],
      [{ name: 'a:b', contact_name: 'Ann' }, 'name'],
      [{ name: 'x', contact_name: 'Ann', users: {} }, 'users'],
      [{ name: 'x', contact_name: 'Ann', users: [1] }, 'users[0]'],
      [
        { name: 'x', contact_name: 'Ann', addresses: [address, { ...address, zip: 1.5 }] },
        'addresses[1].zip',
      ],
      [
        { name: 'x', contact_name: 'Ann', addresses: [{ ...address, country_code: 'XX' }] },
        'addresses[0].country_code',
      ],
      [{ name: 'x', contact_name: 'Ann', users: [{ name: 'a', role_id: 4, password }] }, 'users[0].role_id'],
      [
        { name: 'x', contact_name: 'Ann', users: [{ name: 'a', role_id: 1, password: 'short' }] },
        'users[0].password',
      ],
      [
        { name: 'x', contact_name: 'Ann', ip_addresses: [{ ip_range: '10.0.0.0/33' }] },
        'ip_addresses[0].ip_range',
      ],
      [
        { name: 'x', contact_name: 'Ann', ip_addresses: Array(101).fill({ ip_range: '10.0.0.1' }) },
        'ip_addresses',
      ],
      [{ name: 'x', contact_name: 'Ann', store_front: 'none' }, 'store_front'],
    ],
  },
  '/account/reseller-user': {
    body: () => ({
      name: uniqueName('user'),
      password,
      role_id: '2',
      email: 'ann@a.example',
      contact_last_name: 'Lee',
    }),
    made: { role_id: 2, email: 'ann@a.example', contact_first_name: null, contact_last_name: 'Lee' },
    replacement: { name: 'replaced', role_id: 1 },
    replaced: { name: 'replaced', role_id: 1, email: null, contact_last_name: null },
    refused: [
      [{ name: 'a', password }, 'role_id'],
      [{ name: 'a', role_id: 1 }, 'password'],
      [{ name: 'a', role_id: 1, password, email: 'nobody' }, 'email'],
    ],
  },
  '/account/reseller-address': {
    body: () => ({ ...address, zip: 12345 }),
    made: { ...address, ...noAddress, zip: '12345' },
    replacement: { ...address, state: 'Surrey' },
    replaced: { ...address, ...noAddress, state: 'Surrey' },
    refused: [
      [{ ...address, country_code: 'gb' }, 'country_code'],
      [{ ...address, city: 'a\nb' }, 'city'],
      [{ city: 'Guildford', country_code: 'GB' }, 'street_one'],
    ],
  },
  '/account/store': {
    body: () => ({ name: uniqueName('store'), domain: `${uniqueName('shop')}.example`, css: 'a {}\n' }),
    made: { css: 'a {}\n' },
    replacement: { name: 'Replaced store' },
    replaced: { name: 'Replaced store', domain: null, css: null },
    refused: [
      [{ name: ' ' }, 'name'],
      [{ name: 'x', domain: 'a b' }, 'domain'],
      [{ name: 'x', css: 'x'.repeat(65_537) }, 'css'],
    ],
  },
  '/voip/user': {
    body: () => ({
      name: uniqueName('sip'),
      password,
      extension: '0042',
      display_name: 'Ann',
      caller_id: 441483,
    }),
    made: { extension: '0042', display_name: 'Ann', caller_id: '441483', ...free },
    replacement: { name: 'replaced', extension: 43 },
    replaced: { name: 'replaced', extension: '43', display_name: null, caller_id: null, ...free },
    refused: [
      [{ name: 'a' }, 'password'],
      [{ name: 'a', password, extension: '1a' }, 'extension'],
      [{ name: 'a', password, extension: '1'.repeat(17) }, 'extension'],
      [{ name: 'a', password, extension: -1 }, 'extension'],
    ],
  },
  '/voip/number': {
    body: () => ({ number: newNumber() }),
    made: free,
    replacement: { number: '+3215000001' },
    replaced: { number: '+3215000001', ...free },
    refused: ['441483', '+0441483', '+4414830000000000', '+44 1483', ''].map(
      (number) => [{ number }, 'number'] as const,
    ),
  },
  '/dom/domain': domain,
  '/voip/domain': { ...domain, replacement: { name: 'b.example' }, replaced: { name: 'b.example', ...free } },
};

const today = (): string => new Date().toISOString().slice(0, 10);

test.each(Object.entries(paths))('%s: one is made, read, replaced and deleted', async (path, one) => {
  const made = await resultOf(call('POST', path, one.body()));
  expect(made).toMatchObject({ ...one.made, created_on: today(), updated_on: today() });
  expect(made).not.toHaveProperty('password');
  const pathOfIt = `${path}/${String(made.uuid)}`;
  expect(await resultOf(call('GET', pathOfIt))).toEqual(made);
  expect(
    await resultOf(call('GET', pathOfIt.replace(String(made.uuid), String(made.uuid).toUpperCase()))),
  ).toEqual(made);
  expect(await resultOf(call('GET', path))).toContainEqual(made);
  const replaced = await resultOf(call('PUT', pathOfIt, one.replacement));
  expect(replaced).toMatchObject({ ...one.replaced, uuid: made.uuid });
  expect(await resultOf(call('GET', pathOfIt))).toEqual(replaced);
  expect(await resultOf(call('PUT', pathOfIt, one.replacement))).toEqual(replaced);
  const nothing = path === '/account/reseller' ? { closed: 0, debt: 0, returned: 0 } : {};
  expect(await resultOf(call('DELETE', pathOfIt))).toEqual(nothing);
  expect((await call('DELETE', pathOfIt)).status).toBe(404);
  expect(((await resultOf(call('GET', path))) as Members[]).map(({ uuid }) => String(uuid))).not.toContain(
    String(made.uuid),
  );
  // What it was called is free again.
  const again = { ...one.body(), ...one.replacement };
  await resultOf(call('DELETE', `${path}/${String((await resultOf(call('POST', path, again))).uuid)}`));
});

test.each(Object.entries(paths))(
  '%s: what is wrong is named, and nothing is made',
  async (path, { body, refused }) => {
    const { uuid } = await resultOf(call('POST', path, body()));
    const before = await resultOf(call('GET', path));
    for (const [wrong, field] of refused) {
      const answer = await call('POST', path, wrong);
      expect([answer.status, answer.body['errors'][0].field]).toEqual([400, field]);
      // A password may be left out of what replaces; users and addresses have paths of their own.
      if (field === 'password' || /^(users|addresses)/.test(field)) continue;
      const replacing = await call('PUT', `${path}/${String(uuid)}`, wrong);
      expect([replacing.status, replacing.body['errors'][0].field]).toEqual([400, field]);
    }
    expect(await resultOf(call('GET', path))).toEqual(before);
  },
);

test.each(Object.entries(paths))(
  '%s: a long list comes in parts, each object once',
  async (path, { body }) => {
    const mine = resellerOf(server, await makeMember(server));
    const made: unknown[] = [];
    const bodies = Array.from({ length: 7 }, (_, n) => ({
      ...body(),
      ...(path === '/voip/user' && { extension: n }),
    }));
    for (const one of bodies) made.push(await resultOf(mine('POST', path, one)));
    const seen: Members[] = [];
    let next: string | null | undefined;
    let parts = 0;
    do {
      const answer = await mine('GET', `${path}?limit=3${next === undefined ? '' : `&after=${next}`}`);
      seen.push(...(answer.body['result'] as Members[]));
      next = answer.body['next'] as string | null;
      parts += 1;
    } while (next !== null && parts < 9);
    // The users hold the login of the customer itself.
    expect(seen.slice(-7)).toEqual(made);
    expect(seen).toHaveLength(path === '/account/reseller-user' ? 8 : 7);
  },
);

test('verbs that a path does not have are told with those that it has', async () => {
  for (const [verb, path, allow] of [
    ['PATCH', '/voip/number', 'GET, POST'],
    ['DELETE', '/account/store', 'GET, POST'],
    ['POST', '/account/balance', 'GET'],
  ] as const) {
    const answer = await call(verb, path);
    expect([answer.status, answer.headers.get('allow'), answer.body['status_message']]).toEqual([
      405,
      allow,
      'Method Not Allowed',
    ]);
  }
});

test('a slash at the end makes no difference', async () => {
  const { uuid } = await resultOf(call('POST', '/voip/number/', { number: newNumber() }));
  const path = `/voip/number/${String(uuid)}`;
  expect(await resultOf(call('GET', `${path}/`))).toEqual(await resultOf(call('GET', path)));
  expect(await resultOf(call('GET', '/voip/number/'))).toEqual(await resultOf(call('GET', '/voip/number')));
});

test('what leads nowhere is answered in the envelope of this API', async () => {
  for (const path of ['/account/stor', '/voip/number/1/2', '/dom/', '/authenticated/x']) {
    const { status, body } = await call('GET', path);
    expect([path, status, body['result'], body['status_message']]).toEqual([path, 404, {}, 'Not Found']);
  }
});

test.each([
  ['/account/reseller', { contact_name: 'Ann' }, 'name', uniqueName()],
  ['/account/reseller-user', { password, role_id: 1 }, 'name', uniqueName()],
  ['/account/store', { name: 'one' }, 'domain', 'taken.example'],
  ['/voip/user', { name: 'one', password }, 'extension', '1001'],
  ['/voip/number', {}, 'number', newNumber()],
  ['/dom/domain', {}, 'name', 'taken.example'],
] as const)('%s: what is taken is told by its member', async (path, more, field, value) => {
  await resultOf(call('POST', path, { ...more, [field]: value }));
  const again = { ...more, ...('name' in more && { name: 'other' }), [field]: value };
  const { status, body } = await call('POST', path, again);
  expect([status, body['errors'][0].field]).toEqual([409, field]);
});

test('a store customer needs people and an address; all or nothing', async () => {
  const { uuid: store_front } = await resultOf(call('POST', '/account/store', { name: uniqueName('store') }));
  const user = { name: 'admin', password, role_id: 3 };
  const whole = {
    name: uniqueName('shopper'),
    contact_name: 'Ann',
    store_front,
    users: [user],
    addresses: [address],
  };
  for (const [body, field] of [
    [{ ...whole, users: [] }, 'users'],
    [{ ...whole, addresses: undefined }, 'addresses'],
    [{ ...whole, users: [user, { ...user, name: 'boss', role_id: 1 }] }, 'users[1].role_id'],
  ] as const) {
    const answer = await call('POST', '/account/reseller', body);
    expect([answer.status, answer.body['errors'][0].field]).toEqual([400, field]);
  }
  const twice = { ...whole, users: [user, user] };
  expect(messageOf(await call('POST', '/account/reseller', twice))).toMatch(
    /^409 This users\[1\]\.name is taken already/,
  );
  const { uuid } = await resultOf(call('POST', '/account/reseller', whole));
  const acting = resellerOf(server, member, whole.name);
  expect((await acting('POST', '/account/reseller-user', { ...user, name: 'boss', role_id: 1 })).status).toBe(
    400,
  );
  await resultOf(acting('POST', '/account/reseller-user', { ...user, name: 'second' }));
  expect(messageOf(await call('DELETE', `/account/store/${String(store_front)}`))).toMatch(/^409/);
  // Replaced without the member, it buys nowhere; without people it cannot buy again.
  const path = `/account/reseller/${String(uuid)}`;
  expect(await resultOf(call('PUT', path, { name: whole.name, contact_name: 'Ann' }))).toMatchObject({
    store_front: null,
  });
  for (const { uuid: one } of (await resultOf(acting('GET', '/account/reseller-address'))) as Members[])
    await resultOf(acting('DELETE', `/account/reseller-address/${String(one)}`));
  const again = await call('PUT', path, { name: whole.name, contact_name: 'Ann', store_front });
  expect([again.status, again.body['errors'][0].field]).toEqual([400, 'store_front']);
  await resultOf(call('DELETE', `/account/store/${String(store_front)}`));
});

test('the login of a customer is shown among its users, and changed elsewhere; the recovery user is not shown', async () => {
  const users = (await resultOf(call('GET', '/account/reseller-user'))) as Members[];
  const own = users.find(({ login }) => login === member.name);
  const path = `/account/reseller-user/${String(own?.['uuid'])}`;
  expect((await call('PUT', path, { name: 'x', role_id: 1 })).status).toBe(403);
  expect((await call('DELETE', path)).status).toBe(403);
  const { web_users } = await member.as.call('listWebUsers', {});
  const recovery = (web_users as Members[]).find(({ is_recovery }) => is_recovery === true);
  expect(users.map(({ login }) => String(login))).not.toContain(recovery?.['web_login']);
});

test('a customer with customers is not deleted', async () => {
  const parent = await makeMember(server, member.as);
  await makeMember(server, parent.as);
  const all = (await resultOf(call('GET', '/account/reseller'))) as Members[];
  const { uuid } = all.find(({ name }) => name === parent.name) ?? {};
  expect(messageOf(await call('DELETE', `/account/reseller/${String(uuid)}`))).toMatch(
    /^409 .*sub-customers/,
  );
});

test('what was done stands in the audit records, without secrets', async () => {
  const { uuid } = await resultOf(call('POST', '/voip/user', { name: uniqueName('sip'), password }));
  await resultOf(call('PUT', `/voip/user/${String(uuid)}`, { name: 'other', password: 'correct-horse-2' }));
  await resultOf(call('DELETE', `/voip/user/${String(uuid)}`));
  const { records } = await member.as.call('getAuditLogs', { i_customer: member.i_customer });
  const mine = (records as Members[]).filter(({ resource }) => resource === `sip_users:uuid=${String(uuid)}`);
  expect(mine.map(({ action }) => String(action)).sort()).toEqual(['A', 'D', 'U']);
  expect(JSON.stringify(mine)).not.toContain('correct-horse');
});

test('every customer may have its 1001; a number or a domain has one owner at a time', async () => {
  const number = newNumber();
  const one = { name: `${uniqueName('d')}.example` };
  const sipUser = { name: 'reception', password: 'correct-horse-1', extension: 1001 };
  const owner = await makeMember(server);
  const child = await makeMember(server, owner.as);
  for (const name of [undefined, child.name]) {
    const acting = resellerOf(server, owner, name);
    expect(await resultOf(acting('POST', '/voip/user', sipUser))).toMatchObject({ extension: '1001' });
    expect((await acting('POST', '/voip/user', { ...sipUser, name: 'other' })).status).toBe(409);
    expect((await acting('POST', '/voip/user', { ...sipUser, extension: '1002' })).status).toBe(409);
  }
  const its = resellerOf(server, owner);
  await resultOf(its('POST', '/voip/number', { number }));
  await resultOf(its('POST', '/voip/domain', one));
  const other = resellerOf(server, await makeMember(server));
  expect((await other('POST', '/voip/number', { number })).status).toBe(409);
  expect((await other('POST', '/dom/domain', { name: one.name.toUpperCase() })).status).toBe(409);
});

test('deleting a customer frees what it had', async () => {
  const doomed = await makeMember(server, member.as);
  const number = newNumber();
  const name = `${uniqueName('d')}.example`;
  const its = resellerOf(server, doomed);
  await resultOf(its('POST', '/voip/number', { number }));
  await resultOf(its('POST', '/voip/domain', { name }));
  const [row] = await runSql<{ uuid: string }>(
    server,
    'SELECT uuid FROM customers WHERE i_customer = $1',
    doomed.i_customer,
  );
  await resultOf(call('DELETE', `/account/reseller/${String(row?.uuid)}`));
  expect((await its('GET', '/authenticated')).status).toBe(401);
  const other = resellerOf(server, await makeMember(server));
  expect(await resultOf(other('POST', '/voip/number', { number }))).toMatchObject({ number });
  expect(await resultOf(other('POST', '/dom/domain', { name }))).toMatchObject({ name });
});
