/**
 * Every list of every API with one row less than a batch, with as many and with one more: alone, in a multicall, and
 * page by page. Every row comes once. The tables of lists are compared with the declarations, so a new list needs a row.
 */
import { allMethods } from '../../src/server/app';
import { declared } from '../../src/core/schema/schema';
import { resellerOperations } from '../../src/api/reseller/operations';
import { tenantOperations } from '../../src/api/tenant/operations/operations';
import { limitNames } from '../../src/base/limits';
import { type KeysOf, fillTo, keysOf, listedKeys } from '../setup/insert-rows';
import { resellerOf } from '../setup/reseller';
import { type Members, type TestServer, apiPassword, startServer } from '../setup/server';
import { type Tenant, makeTenant } from '../setup/tenant';

let server: TestServer;
let tenant: Tenant;
beforeAll(async () => {
  server = await startServer({ TREELINE_LIMITS: limitNames.map((name) => `${name}=1000000`).join(',') });
  const rights = { api_access: 1, api_mgmt: 1, tariffs_mgmt: 7, api_password: apiPassword };
  tenant = await makeTenant(server, rights);
});
afterAll(() => server.close());

/** Lists that answer all rows at once: the member with the rows, their key, and where the keys stand. */
const methodLists: Readonly<Record<string, readonly [list: string, key: string, keys: KeysOf]>> = {
  listCustomers: ['customers', 'i_customer', keysOf.customers],
  listTariffs: ['tariffs', 'i_tariff', keysOf.tariffs],
  listWebUsers: ['web_users', 'i_web_user', keysOf.users],
  getPaymentsList: ['payments', 'i_payment', keysOf.payments],
  getStatement: ['entries', 'i_payment', keysOf.payments],
};
/** Lists that no caller can make long. */
const shortLists = [
  'getAuditLogs',
  'getCustomerLimits',
  'getDictionary',
  'listPrices',
  'listRoutingGroups',
  'listTrustedHosts',
];

const resellerLists: Readonly<Record<string, KeysOf>> = {
  '/account/reseller': keysOf.customerUuids,
  '/account/reseller-address': keysOf.addresses,
  '/account/reseller-user': keysOf.resellerUsers,
  '/account/store': keysOf.stores,
  '/dom/domain': keysOf.domains,
  '/voip/domain': keysOf.domains,
  '/voip/number': keysOf.numbers,
  '/voip/user': keysOf.sipUsers,
};
const tenantLists: Readonly<Record<string, KeysOf>> = {
  '/accesskeys': keysOf.accessKeys,
  '/agents': keysOf.agents,
  '/billings': keysOf.billings,
  '/customers': keysOf.customerUuids,
  '/flows': keysOf.flows,
  '/numbers': keysOf.numbers,
  '/queues': keysOf.queues,
  '/tags': keysOf.tags,
};

test('the tables have every list that is declared', () => {
  const methods = allMethods(() => {
    throw new Error('Nothing is called here');
  });
  const listing = methods.filter(({ result }) =>
    Object.values(declared(result).properties ?? {}).some((member) => declared(member).wire === 'list'),
  );
  expect(listing.map(({ name }) => name).sort()).toEqual([...Object.keys(methodLists), ...shortLists].sort());
  const pagesOf = (operations: readonly { answers: string; path: string }[]): string[] =>
    operations
      .filter(({ answers }) => answers === 'page')
      .map(({ path }) => path)
      .sort();
  expect(pagesOf(resellerOperations)).toEqual(Object.keys(resellerLists));
  // A customer has one billing account. Those of webhooks are walked in test/tenant/webhook-letters.long.test.ts.
  const others = ['/billing_accounts', '/webhook_deliveries', '/webhook_events'];
  expect(pagesOf(tenantOperations)).toEqual([...others, ...Object.keys(tenantLists)].sort());
});

const sortedKeys = (rows: readonly Members[], key: string): string[] =>
  rows.map((row) => String(row[key])).sort();

async function json(method: string, params: unknown): Promise<Members> {
  const authorization = `Basic ${Buffer.from(`${tenant.name}:${apiPassword}`).toString('base64')}`;
  const sent = { method: 'POST', headers: { authorization }, body: JSON.stringify(params) };
  const answer = await fetch(`${server.url}/json/${method}`, sent);
  expect(answer.status).toBe(200);
  return (await answer.json()) as Members;
}

async function walk(page: (cursor: string | undefined) => Promise<[Members[], string]>): Promise<Members[]> {
  const rows: Members[] = [];
  for (let cursor: string | undefined; cursor !== '';) {
    const [items, next] = await page(cursor);
    expect(items.length).toBeGreaterThan(0);
    rows.push(...items);
    cursor = next;
  }
  return rows;
}

describe.each([999, 1_000, 1_001])('%i rows', (count) => {
  beforeAll(async () => {
    for (const keys of Object.values(keysOf)) await fillTo(server, keys, tenant.i_customer, count);
  }, 60_000);

  test.each(Object.keys(methodLists))('%s answers each row once, over both APIs', async (method) => {
    const [list, key, keys] = methodLists[method] ?? ['', '', keysOf.customers];
    const expected = (await listedKeys(server, keys, tenant.i_customer)).sort();
    const params = ['getPaymentsList', 'getStatement'].includes(method)
      ? { i_customer: tenant.i_customer }
      : {};
    const owner = server.as(tenant.name, apiPassword);
    const calls = [
      { methodName: method, params: [params] },
      { methodName: 'listTariffs', params: [{ limit: 0 }] },
      { methodName: method, params: [params] },
    ];
    const [xml, xmlMany, jsonOne, jsonMany] = [
      await owner.call(method, params),
      await owner.call('system.multicall', calls),
      await json(method, params),
      await json('system.multicall', { calls }),
    ];
    const answers = [xml, xmlMany[0][0], xmlMany[2][0], jsonOne, jsonMany[0][0], jsonMany[2][0]] as Members[];
    for (const answer of answers) {
      expect(answer['result']).toBe('OK');
      expect(sortedKeys(answer[list] as Members[], key)).toEqual(expected);
    }
    expect(jsonMany[1]).toEqual([{ result: 'OK', tariffs: [] }]);
  });

  test.each(Object.keys(tenantLists))('GET /v1.0%s answers each row once, page by page', async (path) => {
    const rows = await walk(async (page_token) => {
      const query = page_token === undefined ? {} : { page_token };
      const { result, next_page_token } = await tenant.admin.ok('GET', path, undefined, query);
      return [result as Members[], String(next_page_token)];
    });
    const keys = tenantLists[path] ?? keysOf.flows;
    expect(sortedKeys(rows, 'id')).toEqual((await listedKeys(server, keys, tenant.i_customer)).sort());
  });

  test.each(Object.keys(resellerLists))('GET %s answers each row once, page by page', async (path) => {
    const ask = resellerOf(server, tenant);
    const keys = resellerLists[path] ?? keysOf.stores;
    const expected = (await listedKeys(server, keys, tenant.i_customer)).sort();
    for (const limit of [1_000, 300]) {
      const rows = await walk(async (after) => {
        const query = `limit=${limit}${after === undefined ? '' : `&after=${encodeURIComponent(after)}`}`;
        const { status, body } = await ask('GET', `${path}?${query}`);
        expect(status).toBe(200);
        return [body['result'] as Members[], String(body['next'] ?? '')];
      });
      expect(sortedKeys(rows, 'uuid')).toEqual(expected);
    }
  });
});
