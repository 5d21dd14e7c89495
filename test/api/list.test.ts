/** listCustomers and getCustomerInfo: who is answered, in which order, how far, and how much at once. */
import { SaxesParser } from 'saxes';
import { callXmlOk, memberOf, rawCall, rootAuth, xmlCall, xmlStruct } from '../setup/raw';
import {
  type Caller,
  type Member,
  type Members,
  type TestServer,
  makeMember,
  newCustomer,
  startServer,
  uniqueName,
} from '../setup/server';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

const make = async (parent: Caller, members: Members = {}): Promise<number> => {
  const params = newCustomer({ i_tariff: null, web_login: uniqueName(), ...members });
  return Number((await parent.call('createCustomer', params))['i_customer']);
};
const items = async (caller: Caller, params?: Members): Promise<Members[]> =>
  (await caller.call('listCustomers', ...(params ? [params] : [])))['customers'] as Members[];
const ids = async (caller: Caller, params?: Members): Promise<number[]> =>
  (await items(caller, params)).map(({ i_customer }) => Number(i_customer));
const fault = async (caller: Caller, method: string, params: Members): Promise<string> => {
  const { faultCode, faultString } = await caller.fault(method, params);
  return `${faultCode} ${faultString}`;
};

describe('pages of seven customers', () => {
  let reseller: Member;
  let seven: number[];
  beforeAll(async () => {
    reseller = await makeMember(server);
    seven = [];
    for (let index = 0; index < 7; index += 1) seven.push(await make(reseller.as));
  });

  const pages: [Members, number, number][] = [
    [{}, 0, 7],
    [{ offset: 0 }, 0, 7],
    [{ offset: 2 }, 2, 7],
    [{ offset: 7 }, 7, 7],
    [{ offset: 2_147_483_647 }, 7, 7],
    [{ limit: 3 }, 0, 3],
    [{ limit: 0 }, 0, 0],
    [{ limit: 2_147_483_647 }, 0, 7],
    [{ offset: 2, limit: 3 }, 2, 5],
    [{ offset: 5, limit: 3 }, 5, 7],
    [{ offset: '5', limit: '1' }, 5, 6],
  ];
  test.each(pages)('%j are those from the %i. to the %i.', async (params, from, to) => {
    expect(await ids(reseller.as, params)).toEqual(seven.slice(from, to));
    const { total } = await reseller.as.call('listCustomers', { ...params, with_total: 1 });
    expect(total).toBe(7);
  });

  test('go on after the last one seen, also if that one is gone meanwhile', async () => {
    expect(await ids(reseller.as, { after: seven[2] })).toEqual(seven.slice(3));
    expect(await ids(reseller.as, { after: seven[2], limit: 2 })).toEqual(seven.slice(3, 5));
    expect(await ids(reseller.as, { after: seven[2], offset: 1 })).toEqual(seven.slice(4));
    expect(await ids(reseller.as, { after: seven[6] })).toEqual([]);
    expect(await ids(reseller.as, { after: 0 })).toEqual(seven);
    const doomed = await make(reseller.as);
    const next = await make(reseller.as);
    await reseller.as.call('deleteCustomer', { i_customer: doomed });
    expect(await ids(reseller.as, { after: doomed })).toEqual([next]);
    expect(await ids(reseller.as)).toEqual([...seven, next]);
    expect(await reseller.as.call('listCustomers', { with_total: true })).toMatchObject({ total: 8 });
    await reseller.as.call('deleteCustomer', { i_customer: next });
  });

  test.each([
    { offset: -1 },
    { limit: -1 },
    { limit: null },
    { limit: '' },
    { offset: 1.5 },
    { limit: true },
    { after: 'x' },
  ])('%j is fault 400', async (params) => {
    expect(await fault(reseller.as, 'listCustomers', params)).toMatch(
      /^400 Parameter (offset|limit|after) must /,
    );
  });

  test('hold the direct sub-customers and nobody else, each with the seven members', async () => {
    const shop = await makeMember(server, reseller.as, {
      balance: 7.25,
      credit_limit: 5,
      description: '<b>',
    });
    await make(shop.as);
    expect(await ids(reseller.as)).toEqual([...seven, shop.i_customer]);
    expect(await ids(server.root)).not.toContain(shop.i_customer);
    expect(await ids(server.root)).not.toContain(1);
    // Root acts for the reseller, and sees what the reseller sees.
    expect(await ids(server.root, { i_wholesaler: reseller.i_customer })).toEqual([
      ...seven,
      shop.i_customer,
    ]);
    const [item] = await items(reseller.as, { after: seven[6] });
    expect(item).toEqual({
      ...{ i_customer: shop.i_customer, name: shop.name, web_login: shop.name, description: '<b>' },
      ...{ balance: 7.25, credit_limit: 5, base_currency: 'USD' },
    });
    const answer = await callXmlOk(server, 'listCustomers', {
      i_wholesaler: `<int>${reseller.i_customer}</int>`,
    });
    expect(memberOf(answer, 'description')).toBe('<nil/>');
    expect(memberOf(answer, 'balance')).toBe('<double>0.0</double>');
    expect(answer).not.toContain('<name>total</name>');
  });
});

describe('name_pattern', () => {
  let reseller: Member;
  const names = [
    'Alpha',
    'alpha beta',
    '50% off',
    '50 % off',
    'a_b',
    'axb',
    'back\\slash',
    'Straße',
    'ÉCOLE',
    "O'Neill",
  ];
  beforeAll(async () => {
    reseller = await makeMember(server);
    for (const name of names) await make(reseller.as, { name });
  });

  const patterns: [string, string[]][] = [
    ['alpha%', ['Alpha', 'alpha beta']],
    ['ALPHA', ['Alpha']],
    ['%ETA', ['alpha beta']],
    ['%', names],
    ['', []],
    ['50% off', ['50% off', '50 % off']],
    ['50\\% off', ['50% off']],
    ['a_b', ['a_b', 'axb']],
    ['a\\_b', ['a_b']],
    ['back\\\\slash', ['back\\slash']],
    ['back\\\\%', ['back\\slash']],
    ['ends\\\\', []],
    ['STRASSE', ['Straße']],
    ['éc%', ['ÉCOLE']],
    ["o'n%", ["O'Neill"]],
    ["' OR '1'='1", []],
    ['\\a%', ['Alpha', 'alpha beta', 'a_b', 'axb']],
  ];
  test.each(patterns)('%j finds %j', async (name_pattern, expected) => {
    const answer = await reseller.as.call('listCustomers', { name_pattern, with_total: 1, limit: 20 });
    expect((answer['customers'] as Members[]).map(({ name }) => String(name))).toEqual(expected);
    expect(answer['total']).toBe(expected.length);
  });

  test.each(['\\', 'ends\\', 'ends\\\\\\', 'ends\uff3c', 'ends\ufe68'])(
    '%j ends in the midst of an escape',
    async (name_pattern) => {
      expect(await fault(reseller.as, 'listCustomers', { name_pattern })).toMatch(
        '400 Parameter name_pattern must not end',
      );
    },
  );

  test('of more than 256 characters is refused', async () => {
    expect(await items(reseller.as, { name_pattern: '%'.repeat(256) })).toHaveLength(names.length);
    expect(await fault(reseller.as, 'listCustomers', { name_pattern: '%'.repeat(257) })).toMatch(
      /^400 .* at most 256/,
    );
  });
});

describe('2,500 customers', () => {
  let reseller: Member;
  let all: number[];
  beforeAll(async () => {
    reseller = await makeMember(server);
    const text = `
      WITH made AS (SELECT nextval(pg_get_serial_sequence('customers', 'i_customer'))::int AS id, n FROM generate_series(1, 2500) n),
      customer AS (INSERT INTO customers (i_customer, i_wholesaler, path, base_currency, name, name_key)
        SELECT id, $1::int, ARRAY[1, $1, id], 'USD', 'Bulk <' || n || '>', 'bulk <' || n || '>' FROM made RETURNING i_customer)
      INSERT INTO users (i_customer, web_login, login_key, is_default)
      SELECT i_customer, 'bulk-' || i_customer, 'bulk-' || i_customer, true FROM customer RETURNING i_customer`;
    const rows = await server.db.query<{ i_customer: number }>({ text }, [reseller.i_customer]);
    all = rows.map(({ i_customer }) => i_customer).sort((a, b) => a - b);
  });

  test('are all answered in order without a limit, in an answer that is well formed', async () => {
    const struct = xmlStruct({
      i_wholesaler: `<int>${reseller.i_customer}</int>`,
      with_total: '<int>1</int>',
    });
    const { status, headers, text } = await rawCall(server.url, rootAuth, xmlCall('listCustomers', struct));
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('text/xml; charset=utf-8');
    expect(() => new SaxesParser().write(text).close()).not.toThrow();
    expect(
      [...text.matchAll(/<name>i_customer<\/name><value><int>(\d+)</g)].map(([, id]) => Number(id)),
    ).toEqual(all);
    expect(memberOf(text, 'total')).toBe('<int>2500</int>');
    expect(memberOf(text, 'result')).toBe('<string>OK</string>');
    const customers = await items(reseller.as);
    expect(customers).toHaveLength(2_500);
    expect(customers[1_999]).toMatchObject({ name: 'Bulk <2000>', description: null, balance: 0 });
  });

  test.each([1_000, 1_001, 700])('are paged with after and a limit of %i', async (limit) => {
    const seen: number[] = [];
    for (;;) {
      const page: number[] = await ids(reseller.as, {
        limit,
        ...(seen.length > 0 && { after: seen.at(-1) }),
      });
      if (page.length === 0) break;
      seen.push(...page);
    }
    expect(seen).toEqual(all);
  });

  test('are cut by an offset and a limit that no batch ends at', async () => {
    expect(await ids(reseller.as, { offset: 999, limit: 1_002 })).toEqual(all.slice(999, 2_001));
    expect(await ids(reseller.as, { offset: 1_500 })).toEqual(all.slice(1_500));
    expect(await ids(reseller.as, { name_pattern: 'bulk <1%', offset: 1 })).toHaveLength(1_110);
  });

  test('are answered within a multicall too', async () => {
    const calls = [{ methodName: 'listCustomers', params: [{}] }];
    const [[answer]] = (await reseller.as.call('system.multicall', calls)) as unknown as [[Members]];
    expect((answer['customers'] as Members[]).map(({ i_customer }) => Number(i_customer))).toEqual(all);
  });
});

describe('getCustomerInfo', () => {
  test('finds a customer by id, by name in any case, and by a name given in i_customer', async () => {
    const name = `Łódź ${uniqueName()}`;
    const i_customer = await make(server.root, { name });
    const keys = [
      { i_customer },
      { i_customer: String(i_customer) },
      { name },
      { name: name.toUpperCase() },
      { i_customer: name },
    ];
    for (const key of keys) {
      const { result, customer } = await server.root.call('getCustomerInfo', key);
      expect([key, result, customer]).toEqual([key, 'OK', expect.objectContaining({ i_customer, name })]);
    }
  });

  test('takes digits in i_customer for an id, and a name of digits only as a name', async () => {
    const i_customer = await make(server.root, { name: '1' });
    expect((await server.root.call('getCustomerInfo', { i_customer: '1' }))['customer']).toMatchObject({
      name: 'root',
    });
    expect((await server.root.call('getCustomerInfo', { name: '1' }))['customer']).toMatchObject({
      i_customer,
    });
    expect((await server.root.call('getCustomerInfo', { name: 1 }))['customer']).toMatchObject({
      i_customer,
    });
  });

  test('wants exactly one of the two', async () => {
    expect(await fault(server.root, 'getCustomerInfo', {})).toMatch('400 Parameter i_customer is required');
    for (const params of [
      { i_customer: 1, name: 'root' },
      { i_customer: 'root', name: 'root' },
      { i_customer: null },
      { name: null },
      { i_customer: 1, name: null },
      { i_customer: '' },
      { name: ' ' },
      { i_customer: 1.5 },
    ])
      expect(await fault(server.root, 'getCustomerInfo', params)).toMatch(
        /^400 Parameter (i_customer|name) /,
      );
  });

  test('answers the actor itself and everybody below, at any depth; the rest does not exist', async () => {
    const reseller = await makeMember(server);
    const shop = await makeMember(server, reseller.as);
    const leaf = await make(shop.as);
    for (const i_customer of [reseller.i_customer, shop.i_customer, leaf])
      expect((await reseller.as.call('getCustomerInfo', { i_customer }))['customer']).toMatchObject({
        i_customer,
      });
    const stranger = await makeMember(server);
    for (const key of [
      { i_customer: 1 },
      { name: 'root' },
      { i_customer: stranger.i_customer },
      { name: stranger.name },
      { i_customer: 0 },
      { i_customer: -1 },
      { i_customer: 2_147_483_647 },
      { name: 'nobody' },
    ])
      expect(await fault(reseller.as, 'getCustomerInfo', key)).toBe('404 Customer not found');
  });
});

test('with TREELINE_BALANCE_SIGN=inverted getCustomerInfo answers minus the balance, and nothing else is turned', async () => {
  const inverted = await startServer({ TREELINE_BALANCE_SIGN: 'inverted' });
  try {
    const params = newCustomer({ balance: 12.345678, credit_limit: 5 });
    const i_customer = Number((await inverted.root.call('createCustomer', params))['i_customer']);
    const info = async () =>
      (await inverted.root.call('getCustomerInfo', { i_customer }))['customer'] as Members;
    expect(await info()).toMatchObject({ balance: -12.345678, credit_limit: 5 });
    expect(await items(inverted.root)).toMatchObject([{ balance: 12.345678, credit_limit: 5 }]);
    await inverted.root.call('updateCustomer', { i_customer, balance: -3 });
    expect(await info()).toMatchObject({ balance: 3 });
    await inverted.root.call('updateCustomer', { i_customer, balance: 0 });
    const answer = await callXmlOk(inverted, 'getCustomerInfo', { i_customer: `<int>${i_customer}</int>` });
    expect(memberOf(answer, 'balance')).toBe('<double>0.0</double>');
  } finally {
    await inverted.close();
  }
});
