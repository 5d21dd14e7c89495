/**
 * Limits on what can be made: every table of owned rows counts against one, nobody passes a limit, also with many calls
 * at once, a limit of a customer above holds below it, and 64 levels are the most.
 */
import { defaultLimits, limitedResources } from '../../src/base/limits';
import { type Family, makeFamily, runSql } from '../setup/family';
import {
  type Member,
  type TestServer,
  makeMember,
  newCustomer,
  startServer,
  uniqueName,
} from '../setup/server';
import { logIn } from '../setup/tenant';

let server: TestServer;
let family: Family;
beforeAll(async () => {
  server = await startServer({ TREELINE_LIMITS: 'tariffs_per_customer=5, tags_per_subtree=7' });
  family = await makeFamily(server);
});
afterAll(() => server.close());

const web_password = 'correct-horse-1';
const newUser = () => ({ web_login: uniqueName('user'), web_password });

/** What a customer has of a resource, as getCustomerLimits tells it: [used, allowed]. */
async function usage(by: Member, i_customer: number, name: string): Promise<[number, number]> {
  const { limits } = await by.as.call('getCustomerLimits', { i_customer });
  const found = (limits as { name: string; used: number; maximum: number }[]).find(
    (row) => row.name === name,
  );
  return [Number(found?.used), Number(found?.maximum)];
}

const setLimit = (by: Member, { i_customer }: { i_customer: number }, name: string, maximum: number | null) =>
  by.as.call('setCustomerLimits', { i_customer, limits: [{ name, maximum }] });

describe('what counts', () => {
  /** Tables with a customer whose rows have no limit of their own, with the reason. */
  const unlimited: Readonly<Record<string, string>> = {
    api_credentials: 'at most two for each customer',
    audit_index: 'as old as audit records',
    audit_records: 'dropped by age',
    customer_limits: 'one for each name of a limit',
    descendants: 'follows from customers',
    ended_tokens: 'dropped by age',
    entries: 'the books',
    payments: 'the books',
    usage_counts: 'the counters themselves',
    webhook_queues: 'at most one for each customer',
    webhook_deliveries: 'the log keeps the last of each customer',
    webhook_events: 'the outbox bounds itself',
  };

  test('is every table of rows that a customer owns, and a new one cannot be forgotten', async () => {
    const tables = await runSql<{ name: string }>(
      server,
      `SELECT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
       WHERE a.attname = 'i_customer' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
         AND c.relnamespace = 'public'::regnamespace ORDER BY 1`,
    );
    const names = tables.map(({ name }) => name);
    const limited = Object.keys(limitedResources).filter((name) => name !== 'deleted_customers');
    expect(limited.filter((name) => !names.includes(name))).toEqual([]);
    expect(names.filter((name) => !limited.includes(name) && !(name in unlimited))).toEqual([]);
    const triggers = await runSql<{ name: string; events: number }>(
      server,
      `SELECT tgrelid::regclass::text AS name, bit_or(tgtype & 28)::int AS events FROM pg_trigger
       WHERE tgfoid IN ('count_row'::regproc, 'count_rows'::regproc, 'count_customer'::regproc) GROUP BY 1`,
    );
    // 4 INSERT, 8 DELETE, 16 UPDATE; customers are never deleted, and of keys nothing is updated that counts.
    const all = Object.fromEntries(limited.map((name) => [name, 28]));
    expect(Object.fromEntries(triggers.map(({ name, events }) => [name, events]))).toEqual({
      ...all,
      customers: 20,
      idempotency_keys: 12,
    });
  });

  test('is made and deleted in step with the rows, at the owner and above', async () => {
    const parent = await makeMember(server);
    const below = await makeMember(server, parent.as);
    const { i_web_user } = await below.as.call('createWebUser', newUser());
    expect(await usage(parent, below.i_customer, 'users_per_customer')).toEqual([1, 10_000]);
    expect(await usage(parent, parent.i_customer, 'users_per_customer')).toEqual([0, 10_000]);
    expect(await usage(parent, parent.i_customer, 'users_per_subtree')).toEqual([1, 10_000_000]);
    expect(await usage(parent, parent.i_customer, 'customers_per_customer')).toEqual([1, 1_000_000]);
    await below.as.call('deleteWebUser', { i_web_user });
    await parent.as.call('deleteCustomer', { i_customer: below.i_customer });
    expect(await usage(parent, parent.i_customer, 'users_per_subtree')).toEqual([0, 10_000_000]);
    expect(await usage(parent, parent.i_customer, 'customers_per_subtree')).toEqual([0, 10_000_000]);
    expect(await usage(parent, parent.i_customer, 'deleted_customers_per_subtree')).toEqual([1, 10_000_000]);
  });

  test('counted anew from the rows, it is the same', async () => {
    const counts = () =>
      runSql(
        server,
        `SELECT i_customer, resource, sum(own)::int AS own, sum(subtree)::int AS subtree FROM usage_counts
         GROUP BY 1, 2 HAVING sum(subtree) <> 0 ORDER BY 1, 2`,
      );
    const kept = await counts();
    expect(kept.length).toBeGreaterThan(5);
    await runSql(server, 'SELECT recount_usage()');
    expect(await counts()).toEqual(kept);
  });
});

describe('a limit', () => {
  test('of the server is told by its name, and what it refuses leaves nothing', async () => {
    const { as, i_customer } = await makeMember(server);
    const make = () => as.call('createTariff', { name: uniqueName('tariff'), currency: 'USD' });
    for (let made = 0; made < 5; made += 1) await make();
    expect(await as.fault('createTariff', { name: uniqueName('tariff'), currency: 'USD' })).toEqual({
      faultCode: 403,
      faultString: 'Limit reached: at most 5 tariffs (limit tariffs_per_customer)',
    });
    const [row] = await runSql<{ count: number }>(
      server,
      'SELECT count(*)::int AS count FROM tariffs WHERE i_customer = $1',
      i_customer,
    );
    expect(row?.count).toBe(5);
  });

  test('is not passed by fifty calls at once', async () => {
    const parent = await makeMember(server);
    const member = await makeMember(server, parent.as);
    await setLimit(parent, member, 'users_per_customer', 10);
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, () =>
        member.as.call('createWebUser', newUser()).then(
          () => 'made',
          (error: unknown) => (error as { faultCode: number }).faultCode,
        ),
      ),
    );
    expect(outcomes.filter((outcome) => outcome === 'made')).toHaveLength(10);
    expect(new Set(outcomes)).toEqual(new Set(['made', 403]));
    expect(await usage(member, member.i_customer, 'users_per_customer')).toEqual([10, 10]);
  });

  test('of a subtree holds for everybody in it together, at once too', async () => {
    const parent = await makeMember(server);
    const members = [await makeMember(server, parent.as), await makeMember(server, parent.as)];
    const outcomes = await Promise.all(
      members.flatMap(({ name }) =>
        Array.from({ length: 10 }, async () => {
          const tenant = await logIn(server, name, web_password);
          const { status } = await tenant.ask('POST', '/tags', { name: uniqueName('tag') });
          return status;
        }),
      ),
    );
    expect(outcomes.filter((status) => status === 200 || status === 201)).toHaveLength(7);
    expect(outcomes.filter((status) => status === 403)).toHaveLength(13);
    expect(await usage(parent, parent.i_customer, 'tags_per_subtree')).toEqual([7, 7]);
  });

  test('counts each row of a list: addresses from which a customer may call', async () => {
    const { reseller, client } = family;
    const { i_customer } = client;
    await setLimit(reseller, { i_customer }, 'customer_ip_ranges_per_customer', 2);
    const put = (count: number) =>
      runSql(
        server,
        `INSERT INTO customer_ip_ranges (i_customer, ip_range) SELECT $1, ('192.0.2.' || n)::cidr FROM generate_series(1, $2::int) n`,
        i_customer,
        count,
      );
    await expect(put(3)).rejects.toMatchObject({
      code: 'TL403',
      constraint: 'customer_ip_ranges_per_customer',
    });
    await put(2);
  });

  test('set below holds for those below it, and what is deleted makes room', async () => {
    const { wholesaler, reseller, client } = await makeFamily(server);
    await setLimit(wholesaler, reseller, 'users_per_customer', 1);
    expect(await usage(reseller, client.i_customer, 'users_per_customer')).toEqual([0, 1]);
    const made = await client.as.call('createWebUser', newUser());
    expect((await client.as.fault('createWebUser', newUser())).faultCode).toBe(403);
    await client.as.call('deleteWebUser', { i_web_user: made['i_web_user'] });
    await client.as.call('createWebUser', newUser());
    await setLimit(wholesaler, reseller, 'users_per_customer', null);
    await client.as.call('createWebUser', newUser());
  });

  test('of keys stops a caller that repeats nothing', async () => {
    const { wholesaler, reseller, client } = await makeFamily(server);
    await setLimit(wholesaler, reseller, 'idempotency_keys_per_customer', 1);
    const pay = (idempotency_key: string) => ({
      i_customer: client.i_customer,
      amount: 0.01,
      currency: 'USD',
      idempotency_key,
    });
    await reseller.as.call('customerDebit', pay('first'));
    await reseller.as.call('customerDebit', pay('first'));
    expect(await reseller.as.fault('customerDebit', pay('second'))).toMatchObject({
      faultCode: 403,
      faultString: expect.stringContaining('idempotency_keys_per_customer') as string,
    });
  });
});

describe('setCustomerLimits', () => {
  test('raises nothing above what holds for those above, and is refused to the customer itself', async () => {
    const { wholesaler, reseller, client } = await makeFamily(server);
    await setLimit(wholesaler, reseller, 'flows_per_subtree', 10);
    const more = { limits: [{ name: 'flows_per_subtree', maximum: 11 }] };
    expect(await reseller.as.fault('setCustomerLimits', { i_customer: client.i_customer, ...more })).toEqual({
      faultCode: 403,
      faultString: 'Limit flows_per_subtree must be at most 10, which holds for those above the customer',
    });
    expect(
      (await reseller.as.fault('setCustomerLimits', { i_customer: reseller.i_customer, ...more })).faultCode,
    ).toBe(404);
    const most = { limits: [{ name: 'flows_per_subtree', maximum: defaultLimits.flows_per_subtree + 1 }] };
    expect(
      (await server.root.fault('setCustomerLimits', { i_customer: wholesaler.i_customer, ...most }))
        .faultCode,
    ).toBe(403);
  });

  test.each([
    [{ limits: [{ name: 'nothing_per_customer', maximum: 1 }] }, 'limits'],
    [{ limits: [{ name: 'flows_per_subtree', maximum: -1 }] }, 'maximum'],
    [
      {
        limits: [
          { name: 'flows_per_subtree', maximum: 1 },
          { name: 'flows_per_subtree', maximum: 2 },
        ],
      },
      'limits must name each limit once',
    ],
  ])('refuses %j', async (params, words) => {
    const { reseller, client } = family;
    const fault = await reseller.as.fault('setCustomerLimits', { i_customer: client.i_customer, ...params });
    expect(fault).toMatchObject({ faultCode: 400, faultString: expect.stringContaining(words) as string });
  });

  test('of root there are none', async () => {
    expect(await server.root.call('getCustomerLimits', { i_customer: 1 })).toEqual({
      result: 'OK',
      limits: [],
    });
  });
});

test('a tree has at most 64 levels, whatever max_depth says', async () => {
  const top = await makeMember(server, server.root, { max_depth: null });
  await runSql(
    server,
    `INSERT INTO customers (i_customer, i_wholesaler, path, base_currency, name, name_key, use_own_tariff, customers_mgmt, max_depth)
     SELECT 1000000 + n, CASE n WHEN 3 THEN $1 ELSE 999999 + n END,
       ARRAY[1, $1] || (SELECT array_agg(m) FROM generate_series(1000003, 1000000 + n) m), 'USD', 'level-' || n, 'level-' || n, 1, 7, NULL
     FROM generate_series(3, 64) n`,
    top.i_customer,
  );
  const deep = { i_wholesaler: 1_000_064 };
  const trusted = newCustomer({ i_tariff: null, ...deep });
  expect(await server.root.fault('createCustomer', trusted)).toEqual({
    faultCode: 403,
    faultString: 'Too deep: a tree of customers has at most 64 levels',
  });
  await expect(
    runSql(
      server,
      `INSERT INTO customers (i_customer, i_wholesaler, path, base_currency, name, name_key)
       SELECT 2000000, i_customer, path || 2000000, 'USD', 'too deep', 'too deep' FROM customers WHERE i_customer = 1000064`,
    ),
  ).rejects.toMatchObject({ constraint: 'customers_depth_check' });
});
