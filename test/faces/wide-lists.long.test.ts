/**
 * Lists of wide rows: a page is bounded in bytes as well as in rows, so no caller can make the server hold a list
 * that he filled. Every row still comes once. Multicalls share one bound, and a write is never refused for it.
 */
import { createHash } from 'node:crypto';
import { runSql } from '../setup/family';
import { insertCustomers } from '../setup/insert-customers';
import { resellerOf } from '../setup/reseller';
import { type Members, type TestServer, apiPassword, makeMember, startServer } from '../setup/server';
import { type Tenant, makeTenant } from '../setup/tenant';

const KiB = 1_024;
const MiB = 1_024 * KiB;
const multicallLimit = 512 * KiB;
let server: TestServer;
beforeAll(async () => {
  server = await startServer(
    {
      TREELINE_MULTICALL_LIMIT_BYTES: String(multicallLimit),
      TREELINE_PAGE_LIMIT_BYTES: String(MiB),
      TREELINE_POOL_WAIT_MS: '60000',
      TREELINE_CALL_TIMEOUT_MS: '60000',
      TREELINE_LIMITS: 'stores_per_customer=1000',
      LOG_LEVEL: 'error',
    },
    { measured: true },
  );
});
afterAll(async () => {
  // Closing reads every table, to look for secrets.
  await runSql(server, 'DELETE FROM flows');
  await server.close();
});

const fillFlows = (i_customer: number, count: number, bytes: number): Promise<unknown> =>
  runSql(
    server,
    `INSERT INTO flows (i_customer, name, detail, actions)
     SELECT $1, g::text, '', jsonb_build_array(jsonb_build_object('type', 'talk', 'option', repeat('x', $3::int)))
     FROM generate_series(1, $2::int) g`,
    i_customer,
    count,
    bytes,
  );

async function walkFlows({ admin }: Tenant): Promise<{ names: string[]; pages: number; longest: number }> {
  const names: string[] = [];
  let [pages, longest, cursor] = [0, 0, ''];
  do {
    const { text, body } = await admin.ask('GET', `/flows?page_token=${cursor}`);
    names.push(...(body['result'] as Members[]).map(({ name }) => String(name)));
    cursor = String(body['next_page_token']);
    longest = Math.max(longest, text.length);
    pages += 1;
  } while (cursor !== '');
  return { names, pages, longest };
}

const newestFirst = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => String(count - index));

describe('GET /v1.0/flows', () => {
  test('with 100 flows of 64 KiB answers pages of 1 MiB, and every flow once', async () => {
    const tenant = await makeTenant(server);
    await fillFlows(tenant.i_customer, 100, 64 * KiB - 100);
    const { names, pages, longest } = await walkFlows(tenant);
    expect(names).toEqual(newestFirst(100));
    expect(longest).toBeLessThan(MiB + 128 * KiB);
    expect(pages).toBeLessThan(9);
  });

  test('with old flows of 1 MB answers one or two a page, and every flow once', async () => {
    const tenant = await makeTenant(server);
    await fillFlows(tenant.i_customer, 12, 1_000_000);
    const { names, longest } = await walkFlows(tenant);
    expect(names).toEqual(newestFirst(12));
    expect(longest).toBeLessThan(2 * MiB);
    const [first] = (await tenant.admin.ok('GET', '/flows?page_size=1'))['result'] as Members[];
    const one = await tenant.admin.ok('GET', `/flows/${String(first?.['id'])}`);
    expect(one['actions']).toEqual(first?.['actions']);
  });

  test('asked 24 times at once with 100 old flows of 1 MB, holds a few pages and no list', async () => {
    const tenant = await makeTenant(server);
    // Narrow rows in front must not make the server ask for all wide ones behind them at once.
    await fillFlows(tenant.i_customer, 100, 1_000_000);
    await fillFlows(tenant.i_customer, 10, 10);
    const used = (): number => {
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    };
    const before = used();
    let most = 0;
    const timer = setInterval(() => (most = Math.max(most, used() - before)), 2);
    const answers = await Promise.all(
      Array.from({ length: 24 }, () => tenant.admin.ask('GET', '/flows').then(({ status }) => status)),
    );
    clearInterval(timer);
    expect(new Set(answers)).toEqual(new Set([200]));
    // Built whole, they were more than 24 times 93 MB. The answers are held here, too.
    expect(most).toBeLessThan(24 * 12 * MiB);
  }, 60_000);
});

describe('the actions of a flow', () => {
  const actionsOf = (bytes: number, filler = 'x'): Members[] => {
    const empty = JSON.stringify([{ type: 'talk', option: { text: '' } }]).length;
    const count = Math.floor((bytes - empty) / Buffer.byteLength(filler));
    const rest = bytes - empty - count * Buffer.byteLength(filler);
    return [{ type: 'talk', option: { text: filler.repeat(count) + 'x'.repeat(rest) } }];
  };
  const tooLarge = { http: 400, message: expect.stringContaining('must be at most 65536 bytes') as string };

  test('are at most 64 KiB of UTF-8, whatever call sets them', async () => {
    const { admin } = await makeTenant(server);
    for (const filler of ['x', '€']) {
      const { id } = await admin.ok('POST', '/flows', { actions: actionsOf(65_536, filler) });
      await admin.ok('PUT', `/flows/${String(id)}`, { actions: actionsOf(65_536, filler) });
      const actions = actionsOf(65_537, filler);
      expect(await admin.refusal('POST', '/flows', { actions })).toMatchObject(tooLarge);
      expect(await admin.refusal('PUT', `/flows/${String(id)}`, { actions })).toMatchObject(tooLarge);
    }
  });

  test('an old flow with larger ones can be read, renamed and deleted', async () => {
    const tenant = await makeTenant(server);
    await fillFlows(tenant.i_customer, 1, 200_000);
    const [flow] = (await tenant.admin.ok('GET', '/flows'))['result'] as Members[];
    const path = `/flows/${String(flow?.['id'])}`;
    expect(await tenant.admin.ok('PUT', path, { name: 'renamed' })).toMatchObject({
      name: 'renamed',
      actions: flow?.['actions'] as unknown,
    });
    await tenant.admin.ok('DELETE', path);
  });
});

test('GET /account/store with 200 style sheets of 64 KiB answers pages of 1 MiB, and every store once', async () => {
  const member = await makeMember(server);
  await runSql(
    server,
    `INSERT INTO stores (i_customer, name, name_key, css)
     SELECT $1, g::text, g::text || $1::int, CASE WHEN g > 40 THEN repeat('c', 65536) END FROM generate_series(1, 200) g`,
    member.i_customer,
  );
  const ask = resellerOf(server, member);
  const names: string[] = [];
  for (let after = ''; after !== 'null';) {
    const query = after === '' ? '' : `&after=${after}`;
    const { text, body } = await ask('GET', `/account/store?limit=1000${query}`);
    expect(text.length).toBeLessThan(MiB + 128 * KiB);
    names.push(...(body['result'] as Members[]).map(({ name }) => String(name)));
    after = String(body['next']);
  }
  expect(names).toEqual(newestFirst(200).toReversed());
});

describe('audit records', () => {
  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
  const digestOf = (text: string) => ({ length: Buffer.byteLength(text), sha256: sha256(text) });
  const recordsOf = async (i_customer: number): Promise<Members[]> =>
    (await server.root.call('getAuditLogs', { i_customer }))['records'] as Members[];
  const changeOf = (records: readonly Members[], resource: string, field: string): Members | undefined =>
    records
      .filter((record) => String(record['resource']).startsWith(resource))
      .flatMap(({ changes }) => changes as Members[])
      .findLast((change) => change['field'] === field);

  test('keep a field up to 1 KiB, and of a longer one its length and SHA-256', async () => {
    const tenant = await makeTenant(server);
    const short = [{ type: 'talk', option: 'x'.repeat(900) }];
    const long = [{ type: 'talk', option: '€'.repeat(5_000) }];
    const { id } = await tenant.admin.ok('POST', '/flows', { actions: short });
    await tenant.admin.ok('PUT', `/flows/${String(id)}`, { actions: long });
    expect(changeOf(await recordsOf(tenant.i_customer), 'flows:', 'actions')).toEqual({
      field: 'actions',
      old: short,
      new: digestOf(JSON.stringify(long)),
    });
    const [row] = await runSql<{ size: number }>(
      server,
      `SELECT max(length(changes::text)) AS size FROM audit_records WHERE i_customer = $1`,
      tenant.i_customer,
    );
    expect(row?.size).toBeLessThan(3 * KiB);
  });

  test('a text is measured in bytes: 1,024 are kept, 1,025 are not', async () => {
    const member = await makeMember(server);
    const ask = resellerOf(server, member);
    for (const css of ['€'.repeat(341) + 'x', '€'.repeat(341) + 'xy'])
      await ask('POST', '/account/store', { name: `store ${css.length}`, css });
    const news = (await recordsOf(member.i_customer))
      .filter(({ resource }) => String(resource).startsWith('stores:'))
      .flatMap(({ changes }) => changes as Members[])
      .filter(({ field }) => field === 'css')
      .map((change) => change['new'] as unknown);
    expect(news).toEqual(['€'.repeat(341) + 'x', digestOf('€'.repeat(341) + 'xy')]);
  });

  test('40 old records of 2 MB are answered, in order, as short as new ones', async () => {
    const { i_customer } = await makeMember(server);
    await runSql(
      server,
      `INSERT INTO audit_records (created_at, request_id, caller, address, method, action, resource, i_customer, changes)
       SELECT now() + g * interval '1 millisecond', g::text, 'x', 'x', 'x', 'U', 'old:' || g, $1,
         jsonb_build_object('css', jsonb_build_array(repeat('o', 1000000), repeat('n', 1000000)))
       FROM generate_series(1, 40) g`,
      i_customer,
    );
    const old = (await server.root.call('getAuditLogs', { i_customer, offset: 1 }))['records'] as Members[];
    const olds = old.filter(({ resource }) => String(resource).startsWith('old:'));
    expect(olds.length).toBeGreaterThan(35);
    expect(olds.map(({ resource }) => Number(String(resource).slice(4)))).toEqual(
      Array.from(
        { length: olds.length },
        (_, index) => Number(String(olds[0]?.['resource']).slice(4)) + index,
      ),
    );
    expect(changeOf(old, 'old:', 'css')).toEqual({
      field: 'css',
      old: digestOf('o'.repeat(1_000_000)),
      new: digestOf('n'.repeat(1_000_000)),
    });
    await runSql(server, 'DELETE FROM audit_records WHERE i_customer = $1', i_customer);
  }, 60_000);
});

describe('a multicall', () => {
  const limitText = `The answers of this multicall already hold ${multicallLimit} bytes; make this call in another request`;

  test('refuses reads beyond its bytes and never a write, over both APIs', async () => {
    const member = await makeMember(server);
    await insertCustomers(
      server,
      member.i_customer,
      Array.from({ length: 1_500 }, () => 'x'.repeat(200)),
    );
    const callsOf = (tag: string) => [
      { methodName: 'listCustomers', params: [{}] },
      { methodName: 'listCustomers', params: [{}] },
      { methodName: 'listCustomers', params: [{}] },
      { methodName: 'createTariff', params: [{ name: `after ${tag}`, currency: 'USD' }] },
      { methodName: 'listTariffs', params: [{}] },
      { methodName: 'createTariff', params: [{ name: `again ${tag}`, currency: 'USD' }] },
    ];
    const authorization = `Basic ${Buffer.from(`${member.name}:${apiPassword}`).toString('base64')}`;
    const sent = { method: 'POST', headers: { authorization } };
    const body = JSON.stringify({ calls: callsOf('json') });
    const json = await fetch(`${server.url}/json/system.multicall`, { ...sent, body });
    const answers = [
      (await json.json()) as Members[],
      (await member.as.call('system.multicall', callsOf('xml'))) as Members[],
    ];
    for (const [first, second, third, made, tariffs, again] of answers) {
      expect(first?.[0].customers).toHaveLength(1_500);
      expect(second?.[0].customers).toHaveLength(1_500);
      expect(third).toEqual({ faultCode: -32600, faultString: limitText });
      expect(made).toMatchObject([{ result: 'OK' }]);
      expect(tariffs).toEqual({ faultCode: -32600, faultString: limitText });
      expect(again).toMatchObject([{ result: 'OK' }]);
    }
    expect((await member.as.call('listTariffs'))['tariffs']).toHaveLength(4);
  });

  test('with payments before a list of 1,000 rows answers the payments, over JSON too', async () => {
    const member = await makeMember(server);
    const [shop] = await insertCustomers(server, member.i_customer, ['shop']);
    await runSql(
      server,
      `WITH p AS (
         INSERT INTO payments (kind, i_customer, amount, currency, request_id)
         SELECT 'add_funds', $1, 1, 'USD', 'test' FROM generate_series(1, 1000) RETURNING i_payment)
       INSERT INTO entries (i_payment, i_customer, currency, amount, balance_after)
       SELECT p.i_payment, a.i_customer, 'USD', a.amount, a.balance_after
       FROM p, (VALUES ($1::int, 1, 1), (NULL, -1, NULL)) a (i_customer, amount, balance_after)`,
      shop,
    );
    const calls = [
      { methodName: 'customerAddFunds', params: [{ i_customer: shop, amount: 5, currency: 'USD' }] },
      { methodName: 'getPaymentsList', params: [{ i_customer: shop }] },
    ];
    const authorization = `Basic ${Buffer.from(`${member.name}:${apiPassword}`).toString('base64')}`;
    const sent = { method: 'POST', headers: { authorization }, body: JSON.stringify({ calls }) };
    const answer = await fetch(`${server.url}/json/system.multicall`, sent);
    expect(answer.status).toBe(200);
    const [paid, list] = (await answer.json()) as Members[];
    expect(paid).toMatchObject([{ result: 'OK' }]);
    expect(list?.[0].payments).toHaveLength(1_001);
  });
});
