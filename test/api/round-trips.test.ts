/** How often a call waits for the database, counted on the wire between the two. */
import { type Relative, makeRelative, runSql } from '../setup/family';
import { rows } from '../setup/rows';
import { type Member, type TestServer, makeMember, startServer, uniqueName } from '../setup/server';
import { type Reseller, resellerAs, resellerOf, resultOf } from '../setup/reseller';
import { type TenantCaller, logIn } from '../setup/tenant';
import { type Turns, countTurns } from '../setup/turns';
import { allMethods } from '../../src/server/app';

let turns: Turns;
let server: TestServer;
let actor: Member;
let web_login: string;
let i_web_user: number;

beforeAll(async () => {
  turns = await countTurns();
  server = await startServer({}, { connection: turns.connection });
  // With balance, and guarded, which makes the most of top-ups.
  actor = await makeMember(server, server.root, { balance: 1_000, overcommit_protection: true });
});
beforeEach(async () => {
  web_login = uniqueName('user');
  const user = { web_login, web_password: 'correct-horse-1' };
  i_web_user = Number((await actor.as.call('createWebUser', user))['i_web_user']);
});
afterAll(async () => {
  await server.close();
  await turns.close();
});

const methods = allMethods(() => {
  throw new Error('Only declarations are asked for');
});

const writesAtMost = 4;
/** Reads that ask more than once, and why. */
const readsMore: Readonly<Record<string, number>> = {
  // The sums of one moment, and then the entries that are in them.
  getStatement: 2,
  // Looked at again after hashing, lest whoever guesses many at once outruns the lock.
  authCustomer: 2,
  // Whether the customer is within reach, and then its limits.
  getCustomerLimits: 2,
};
/** What `rows` has for refusals would be refused here. */
const instead: Readonly<Record<string, () => object>> = {
  authCustomer: () => ({ username: web_login, password: 'correct-horse-1' }),
  updateWebUser: () => ({ i_web_user, web_password: 'correct-horse-2' }),
  deleteWebUser: () => ({ i_web_user }),
  blockWebUser: () => ({ i_web_user }),
  unblockWebUser: () => ({ i_web_user }),
};
const thoseOfRoot = methods.filter(({ right }) => right === 'root').map(({ name }) => name);

const ownTariff = async (): Promise<number> => {
  const { i_tariff } = await actor.as.call('createTariff', { name: uniqueName('tariff'), currency: 'USD' });
  return Number(i_tariff);
};

async function paramsOf(name: string, target: Relative): Promise<unknown> {
  if (/^(get|update|delete)Tariff/.test(name))
    return rows[name]?.params({ ...target, i_tariff: await ownTariff() });
  return instead[name]?.() ?? rows[name]?.params(target);
}

/** The round trips of a call that succeeds, on a connection that is there, by a caller who is known. */
async function turnsOf(name: string, params: unknown): Promise<number> {
  await actor.as.call('listTariffs');
  // Slow reads have connections of their own.
  await actor.as.call('getAuditLogs', { limit: 1 });
  return turns.during(() => actor.as.call(name, params));
}

test.each(Object.keys(rows).filter((name) => !thoseOfRoot.includes(name)))('%s', async (name) => {
  const target = await makeRelative(server, actor);
  const count = await turnsOf(name, await paramsOf(name, target));
  const isWrite = methods.find((method) => method.name === name)?.access === 'write';
  expect(count).toBeGreaterThan(0);
  expect(count).toBeLessThanOrEqual(isWrite ? writesAtMost : (readsMore[name] ?? 1));
});

test('customers made and changed with everything, and keys, make no more', async () => {
  const target = await makeRelative(server, actor);
  const { i_customer } = target;
  const name = uniqueName();
  const full = { balance: 1, api_password: 'api-password-2', customers_mgmt: 1, max_depth: 3, city: 'Oslo' };
  const made = { ...full, name, web_login: name, web_password: 'correct-horse-1', i_tariff: null };
  expect(await turnsOf('createCustomer', made)).toBeLessThanOrEqual(writesAtMost);
  const changed = { ...full, i_customer, web_login: uniqueName(), web_password: 'correct-horse-2' };
  expect(await turnsOf('updateCustomer', changed)).toBeLessThanOrEqual(writesAtMost);
  const funds = { i_customer, amount: 1, currency: 'USD', idempotency_key: uniqueName() };
  expect(await turnsOf('customerAddFunds', funds)).toBeLessThanOrEqual(writesAtMost);
  // The same again is answered from what was kept.
  expect(await turnsOf('customerAddFunds', funds)).toBeLessThanOrEqual(writesAtMost);
});

test('what is written and not read goes together with COMMIT', async () => {
  // To whom nobody bounds it, an opening balance is only written.
  const free = await makeMember(server, server.root);
  const turnsOfFree = async (name: string, params: object): Promise<number> => {
    await free.as.call('listTariffs');
    return turns.during(() => free.as.call(name, params));
  };
  const name = uniqueName();
  const passwords = { web_password: 'correct-horse-1', api_password: 'api-password-2' };
  const made = { name, ...passwords, balance: 1, i_tariff: null };
  expect(await turnsOfFree('createCustomer', made)).toBe(2);
  const { i_customer } = await makeMember(server, free.as);
  expect(await turnsOfFree('updateCustomer', { i_customer, company_name: 'Northern' })).toBe(2);
});

test('who acts for another, or is trusted, costs a read no more', async () => {
  const target = await makeRelative(server, actor);
  const below = await makeMember(server, target.as);
  const params = { i_wholesaler: target.i_customer, i_customer: below.i_customer };
  await actor.as.call('getCustomerInfo', params);
  expect(await turnsOf('getCustomerInfo', params)).toBe(1);
});

describe('over REST', () => {
  let target: Relative;
  let uuid: string;
  let reseller: Reseller;
  let person: Reseller;
  let tenant: TenantCaller;
  beforeAll(async () => {
    target = await makeRelative(server, actor);
    const { i_customer } = target;
    const [row] = await runSql<{ uuid: string }>(
      server,
      'SELECT uuid FROM customers WHERE i_customer = $1',
      i_customer,
    );
    uuid = String(row?.uuid);
    reseller = resellerOf(server, actor);
    const user = { name: 'boss', password: 'correct-horse-1', role_id: 1 };
    await resultOf(reseller('POST', '/account/reseller-user', user));
    person = resellerAs(server, { reseller: actor.name, user: 'boss', password: 'correct-horse-1' });
    tenant = await logIn(server, actor.name, 'correct-horse-1');
  });

  /** The same call twice, of which the second is counted: whoever calls is known, the connection is there. */
  const countOf = async (call: () => Promise<unknown>): Promise<number> => {
    await call();
    return turns.during(call);
  };
  const contact_name = 'Somebody';
  const named = () => ({ name: uniqueName(), contact_name });

  const readings: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['GET one customer', () => resultOf(reseller('GET', `/account/reseller/${uuid}`))],
    ['GET one customer by a person', () => resultOf(person('GET', `/account/reseller/${uuid}`))],
    ['GET customers', () => resultOf(reseller('GET', '/account/reseller?limit=2'))],
    ['GET the balance', () => resultOf(reseller('GET', '/account/balance'))],
    ['GET one customer as a tenant', () => tenant.ok('GET', `/customers/${uuid}`)],
    ['GET oneself as a tenant', () => tenant.ok('GET', '/customer')],
    ['GET customers as a tenant', () => tenant.ok('GET', '/customers?page_size=2')],
    ['GET agents', () => tenant.ok('GET', '/agents?page_size=3')],
    ['GET the billing account', () => tenant.ok('GET', '/billing_account')],
    ['GET billings', () => tenant.ok('GET', '/billings')],
  ];
  test.each(readings)('%s is one', async (_title, call) => {
    expect(await countOf(call)).toBe(1);
  });

  test('whether one may call is none', async () => {
    expect(await countOf(() => resultOf(person('GET', '/authenticated')))).toBe(0);
  });

  const writings: readonly (readonly [string, number, () => Promise<unknown>])[] = [
    ['PUT balance', 3, () => resultOf(reseller('PUT', `/account/reseller/${uuid}`, { balance: 0.01 }))],
    ['POST customer', 3, () => resultOf(reseller('POST', '/account/reseller', named()))],
    [
      'POST customer with details of its own',
      3,
      () => resultOf(reseller('POST', '/account/reseller', { ...named(), allow_outbound: false })),
    ],
    ['POST customer as a tenant', 3, () => tenant.ok('POST', '/customers', { name: 'North', detail: 'n' })],
    [
      'POST customer with permissions as a tenant',
      4,
      () => tenant.ok('POST', '/customers', { name: 'North', permission_ids: [32] }),
    ],
    ['PUT customer as a tenant', 3, () => tenant.ok('PUT', `/customers/${uuid}`, { detail: uniqueName() })],
    ['PUT oneself as a tenant', 3, () => tenant.ok('PUT', '/customer', { detail: uniqueName() })],
  ];
  test.each(writings)('%s is at most %d', async (_title, most, call) => {
    expect(await countOf(call)).toBeLessThanOrEqual(most);
  });
});

test('the wire counts: a statement more is a round trip more', async () => {
  const once = await turns.during(() => runSql(server, 'SELECT 2'));
  const twice = await turns.during(async () => {
    await runSql(server, 'SELECT 2');
    await runSql(server, 'SELECT 2');
  });
  expect([once, twice]).toEqual([1, 2]);
});
