/**
 * Who changed what: one record for one change of every call that writes, made from the registry, so that no method
 * comes in unrecorded; none for what was refused or changed nothing; failed logins; and who may read what of it.
 */
import { allMethods } from '../../src/server/app';
import { kept } from '../setup/books';
import { type Family, makeFamily, makeTariff, nobody, post, runSql } from '../setup/family';
import { recordedCalls } from '../setup/records';
import { rows as calls } from '../setup/rows';
import {
  type Member,
  type Members,
  type TestServer,
  apiPassword,
  makeMember,
  rootPassword,
  startServer,
  uniqueName,
} from '../setup/server';

const methods = allMethods(() => {
  throw new Error('Nothing is called here');
});
const written = methods.filter((method) => method.access === 'write').map((method) => method.name);

let server: TestServer;
let family: Family;
/** A customer without any right. */
let bare: Member;
beforeAll(async () => {
  server = await startServer({ TRUSTED_HOSTS: '127.0.0.2' });
  family = await makeFamily(server);
  bare = await makeMember(server, server.root, { customers_mgmt: 0, tariffs_mgmt: 0, api_mgmt: 0 });
});
afterAll(() => server.close());

interface Answer {
  readonly status: number;
  readonly request_id: string | null;
  readonly body: Members;
}
/** Calls over JSON, as the answer has the request's id in a header. */
async function json(login: string, method: string, params: Members = {}, password?: string): Promise<Answer> {
  const words = [login, password ?? (login === 'root' ? rootPassword : apiPassword)];
  const authorization = `Basic ${Buffer.from(words.join(':')).toString('base64')}`;
  const sent = { method: 'POST', headers: { authorization }, body: JSON.stringify(params) };
  const answer = await fetch(`${server.url}/json/${method}`, sent);
  const text = await answer.text();
  const body = (text.startsWith('{') ? JSON.parse(text) : {}) as Members;
  return { status: answer.status, request_id: answer.headers.get('x-request-id'), body };
}
const last = async (): Promise<number> => {
  const [row] = await runSql<{ last: string | null }>(
    server,
    'SELECT max(i_audit_record) AS last FROM audit_records',
  );
  return Number(row?.last);
};
/** What was recorded since. */
const since = (mark: number): Promise<Members[]> =>
  runSql(
    server,
    `SELECT request_id, caller, i_actor, address, method, action, resource, i_customer, changes FROM audit_records
     WHERE i_audit_record > $1 ORDER BY i_audit_record`,
    mark,
  );
/** What a customer is answered. */
const logs = async (i_wholesaler: number, params: Members = {}): Promise<Members[]> =>
  (await json('root', 'getAuditLogs', { ...params, i_wholesaler })).body['records'] as Members[];

/** Every secret that is sent or answered here. */
const secrets: string[] = [rootPassword, apiPassword, 'wrong-password'];
const secret = (): string => {
  const made = uniqueName('Secret');
  secrets.push(made);
  return made;
};

describe('the table', () => {
  const names = Object.keys(recordedCalls(server, {} as Member, secret));

  test.each(written)('has a row for %s, which writes', (name) => {
    if (!names.includes(name))
      throw new Error(`${name} writes, but no row of test/setup/records.ts says what it must record`);
  });

  test('has no row for what is not registered', () => {
    expect(names.filter((name) => !written.includes(name))).toEqual([]);
  });
});

test.each(methods.filter((method) => method.access === 'write').map(({ name, right }) => [name, right]))(
  '%s leaves one record, and none when it is refused',
  async (method, right) => {
    const { reseller } = family;
    const expected = await recordedCalls(server, reseller, secret)[method]?.();
    if (!expected) throw new Error('There is no row');
    const caller = right === 'root' ? { name: 'root', i_customer: 1 } : reseller;
    const mark = await last();
    const answer = await json(caller.name, method, expected.params);
    expect(answer).toMatchObject({ status: 200, body: { result: 'OK' } });
    if (typeof answer.body['password'] === 'string') secrets.push(answer.body['password']);
    const id = Number(Object.entries(answer.body).find(([name]) => name.startsWith('i_'))?.[1]);
    expect(await since(mark)).toEqual([
      {
        request_id: answer.request_id,
        caller: caller.name,
        i_actor: caller.i_customer,
        address: '127.0.0.1',
        method,
        action: expected.action,
        resource: expected.resource.replace('$', String(id)),
        i_customer: expected.i_customer ?? id,
        changes: expected.changes,
      },
    ]);

    const before = await kept(server);
    const params = calls[method]?.params(nobody) ?? {};
    expect((await json(caller.name, method, { ...expected.params, no_such_parameter: 1 })).status).toBe(400);
    expect((await json(bare.name, method, params)).status).toBe(403);
    expect(await kept(server)).toEqual(before);
  },
);

describe('no record is left', () => {
  test('by a change that changes nothing, nor by a call that is repeated by its key', async () => {
    const { reseller, client } = family;
    const { i_customer } = client;
    const login = { web_login: uniqueName(), web_password: 'correct-horse-1' };
    const { i_web_user } = await reseller.as.call('createWebUser', login);
    const user = { i_web_user: i_web_user as number };
    const tariff = { i_tariff: await makeTariff(server, reseller) };
    const { name } = (await reseller.as.call('getTariffInfo', tariff))['tariff'];
    const group = { i_routing_group: 1, name: 'Default' };
    const once = { i_customer, amount: 1, currency: 'USD', idempotency_key: 'once' };
    await reseller.as.call('blockWebUser', user);
    await reseller.as.call('customerAddFunds', once);
    const { balance } = (await reseller.as.call('getCustomerInfo', { i_customer }))['customer'];
    const mark = await last();
    for (const [by, method, params] of [
      [reseller.as, 'blockWebUser', user],
      [reseller.as, 'unblockCustomer', { i_customer }],
      [reseller.as, 'updateCustomer', { i_customer, balance, city: null, name: client.name, api_access: 1 }],
      [reseller.as, 'updateWebUser', { ...user, i_access_level: 'ADMINISTRATOR', email: null }],
      [reseller.as, 'updateTariff', { ...tariff, name }],
      [server.root, 'updateRoutingGroup', group],
      [reseller.as, 'customerAddFunds', once],
    ] as const)
      await by.call(method, params);
    expect(await since(mark)).toEqual([]);
  });

  test.each(methods.filter((method) => method.access === 'read').map((method) => method.name))(
    'by %s, which reads',
    async (method) => {
      const { client } = family;
      const params: Members = {
        ...calls[method]?.params(client),
        ...(method === 'authCustomer' && { username: client.name, password: 'correct-horse-1' }),
        ...(method.startsWith('system.method') && { method_name: method }),
        ...(method === 'system.multicall' && { calls: [] }),
      };
      const mark = await last();
      const login = method === 'getTariffInfo' ? client.name : 'root';
      expect((await json(login, method, params)).status).toBe(200);
      expect(await since(mark)).toEqual([]);
    },
  );
});

describe('a failed login', () => {
  const wrong = 'wrong-password';
  const failures = async (mark: number): Promise<unknown[]> =>
    (await since(mark)).map(
      ({ caller, i_actor, address, method, action, resource, i_customer }) =>
        [caller, i_actor, address, method, action, resource, i_customer] as unknown[],
    );

  test('to the API is recorded with its customer, as long as it is counted', async () => {
    const member = await makeMember(server);
    const mark = await last();
    for (let count = 0; count < 22; count += 1)
      expect((await json(member.name, 'listCustomers', {}, wrong)).status).toBe(count < 20 ? 401 : 429);
    const resource = `customer:username=${member.name}`;
    const record = ['unknown', null, '127.0.0.1', 'authentication', 'AUTH_FAIL', resource, member.i_customer];
    expect(await failures(mark)).toEqual(Array.from({ length: 20 }, () => record));
    const [first] = await logs(member.i_customer, { limit: 1, offset: 1 });
    expect(first).toMatchObject({
      action: 'AUTH_FAIL',
      caller: 'unknown',
      address: '127.0.0.1',
      i_actor: null,
    });
  });

  test('to the self-care interface is recorded with the user’s customer, or with the actor', async () => {
    const { reseller, client } = family;
    const unknown = uniqueName('unknown');
    const mark = await last();
    for (const username of [client.name, unknown])
      expect((await json(reseller.name, 'authCustomer', { username, password: wrong })).status).toBe(403);
    const same = [reseller.name, reseller.i_customer, '127.0.0.1', 'authCustomer', 'AUTH_FAIL'];
    expect(await failures(mark)).toEqual([
      [...same, `customer:username=${client.name}`, client.i_customer],
      [...same, 'customer:username=', reseller.i_customer],
    ]);
  });

  test('that is none: a one-time password is recorded when it is used', async () => {
    const { reseller, client } = family;
    const reset = await json(reseller.name, 'resetCustomerOneTimePassword', { web_login: client.name });
    const password = String(reset.body['password']);
    secrets.push(password);
    const mark = await last();
    expect((await json(reseller.name, 'authCustomer', { username: client.name, password })).status).toBe(410);
    expect(await since(mark)).toMatchObject([
      { action: 'AUTH_OTP', resource: `customer:username=${client.name}`, i_customer: client.i_customer },
    ]);
  });
});

describe('getAuditLogs', () => {
  test('answers what concerns the actor and those below it, and hides who stands above', async () => {
    const { wholesaler, reseller, client, shop, sibling, stranger, gone } = await makeFamily(server);
    const seen = async (by: number): Promise<unknown[]> =>
      [...new Set((await logs(by)).map(({ i_customer }) => i_customer as number))].sort((a, b) => a - b);
    const below = [reseller, client, shop, gone].map(({ i_customer }) => i_customer);
    expect(await seen(reseller.i_customer)).toEqual(below);
    expect(await seen(wholesaler.i_customer)).toEqual(
      [wholesaler, reseller, client, shop, sibling, gone]
        .map(({ i_customer }) => i_customer)
        .sort((a, b) => a - b),
    );
    for (const { i_customer } of [client, gone])
      for (const record of await logs(reseller.i_customer, { i_customer }))
        expect(record).toMatchObject({ i_customer });
    for (const { i_customer } of [wholesaler, sibling, stranger, nobody])
      expect((await json(reseller.name, 'getAuditLogs', { i_customer })).body).toMatchObject({
        faultCode: 404,
        faultString: 'Customer not found',
      });

    const { i_customer } = client;
    const mark = (await logs(reseller.i_customer)).length;
    const named = { i_wholesaler: reseller.i_customer };
    await json(reseller.name, 'updateCustomer', { i_customer, city: 'Rome' });
    await json(wholesaler.name, 'updateCustomer', { i_customer, city: 'Oslo' });
    await json(wholesaler.name, 'updateCustomer', { i_customer, city: 'Bonn', ...named });
    await json('root', 'customerDebit', { i_customer, amount: 1, currency: 'USD' });
    const hidden = { caller: null, i_actor: null, address: null };
    const [own, byOther, inItsName, byRoot] = await logs(reseller.i_customer, { offset: mark });
    expect(own).toEqual({
      date: expect.stringMatching(/^\d\d:\d\d:\d\d\.\d{3} GMT /) as string,
      request_id: expect.any(String) as string,
      caller: reseller.name,
      i_actor: reseller.i_customer,
      address: '127.0.0.1',
      method: 'updateCustomer',
      action: 'U',
      resource: `customers:i_customer=${i_customer}`,
      i_customer,
      changes: [{ field: 'city', old: null, new: 'Rome' }],
    });
    expect(byOther).toMatchObject({ ...hidden, changes: [{ field: 'city', old: 'Rome', new: 'Oslo' }] });
    expect(inItsName).toMatchObject(hidden);
    expect(byRoot).toMatchObject({ ...hidden, action: 'FUNDS', method: 'customerDebit' });
    expect((await logs(wholesaler.i_customer)).slice(-3)).toMatchObject([
      { caller: wholesaler.name, i_actor: wholesaler.i_customer },
      { caller: wholesaler.name, i_actor: reseller.i_customer },
      hidden,
    ]);
  });

  test('answers the last hour, at most a hundred, the oldest first; else as limit, offset and dates say', async () => {
    const { i_customer } = await makeMember(server);
    await runSql(
      server,
      `INSERT INTO audit_records (created_at, request_id, caller, address, method, action, resource, i_customer, changes)
       SELECT date_trunc('minute', now()) - n * interval '1 minute', 'r' || n, 'somebody', '::1', 'm', 'U', 'x', $1, '{}'
       FROM generate_series(1, 200) n`,
      i_customer,
    );
    const ids = async (params: Members = {}): Promise<string[]> =>
      (await logs(i_customer, params))
        .map(({ request_id }) => String(request_id))
        .filter((id) => /^r\d+$/.test(id));
    const count = (from: number, to: number): string[] =>
      Array.from({ length: from - to + 1 }, (_, n) => `r${from - n}`);
    const at = (minutes: number): string =>
      new Date(Math.floor(Date.now() / 60_000) * 60_000 - minutes * 60_000).toISOString();
    const lastHour = await ids();
    expect([count(60, 1), count(59, 1)]).toContainEqual(lastHour);
    expect(await ids({ start_date: at(150) })).toEqual(count(150, 91));
    expect(await ids({ start_date: at(200), end_date: at(0) })).toEqual(count(200, 101));
    expect(await ids({ start_date: at(200), end_date: at(0), offset: 95 })).toEqual(count(105, 6));
    expect(await ids({ start_date: at(10), end_date: at(5), limit: 3, offset: 1 })).toEqual(count(9, 7));
    expect(await ids({ start_date: at(5), end_date: at(10) })).toEqual([]);
    expect(await ids({ limit: 0 })).toEqual([]);
    for (const wrong of [
      { limit: 101 },
      { limit: -1 },
      { offset: -1 },
      { start_date: '2026-02-30' },
      { end_date: 'now' },
    ]) {
      const { status, body } = await json('root', 'getAuditLogs', wrong);
      expect([status, body['faultString']]).toEqual([
        400,
        expect.stringContaining(String(Object.keys(wrong)[0])),
      ]);
    }
  });

  test('records each call of a multicall, and a call of a trusted host as such', async () => {
    const { client } = family;
    const params = { i_customer: client.i_customer, description: uniqueName() };
    const call = (description: string) => ({
      methodName: 'updateCustomer',
      params: [{ ...params, description }],
    });
    const mark = await last();
    const answer = await json('root', 'system.multicall', { calls: [call('one'), call('one'), call('two')] });
    const xml = { method: 'updateCustomer', params: { ...params, i_wholesaler: 1 }, from: '127.0.0.2' };
    expect((await post(server, xml)).fault).toBeUndefined();
    expect(await since(mark)).toMatchObject([
      { request_id: `${answer.request_id}.1`, caller: 'root' },
      { request_id: `${answer.request_id}.3`, changes: { description: ['one', 'two'] } },
      { caller: 'trusted', address: '127.0.0.2', i_actor: 1 },
    ]);
  });
});

test('no secret stands in any record, in any key that was kept, or in the log', async () => {
  const [row] = await runSql<{ all: string }>(
    server,
    `SELECT (SELECT string_agg(a::text, ' ') FROM audit_records a) ||
       coalesce((SELECT string_agg(k::text, ' ') FROM idempotency_keys k), '') AS all`,
  );
  const everything = `${row?.all} ${server.logged()}`;
  expect(everything).toContain(family.client.name);
  expect(secrets.length).toBeGreaterThan(8);
  expect(secrets.filter((each) => everything.includes(each))).toEqual([]);
});
