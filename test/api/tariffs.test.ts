/** What customers are billed by and refer to: tariffs, routing groups, dictionaries; and the hosts that need no password. */
import { randomBytes } from 'node:crypto';
import dictionaries from '../../fixtures/dictionaries.json';
import { outcome, said } from '../setup/books';
import {
  type Family,
  create,
  createFault,
  isOk,
  makeFamily,
  makeTariff,
  naming,
  post,
  runSql,
  update,
  updateFault,
} from '../setup/family';
import { until } from '../setup/processes';
import {
  type Caller,
  type Members,
  type TestServer,
  makeDatabase,
  makeMember,
  newCustomer,
  startServer,
  uniqueName,
} from '../setup/server';

const secret_key = randomBytes(32);
let server: TestServer;
/** Another server of the same database. */
let second: TestServer;
let family: Family;
beforeAll(async () => {
  const connection = await makeDatabase();
  server = await startServer({}, { connection, secret_key });
  second = await startServer({}, { connection, secret_key });
  family = await makeFamily(server);
});
afterAll(async () => {
  await second.close();
  await server.close();
});

const tariffOf = async (by: Caller, i_tariff: unknown): Promise<Members> =>
  (await by.call('getTariffInfo', { i_tariff }))['tariff'] as Members;
const newTariff = async (by: Caller, currency = 'USD', name = uniqueName('tariff')): Promise<number> =>
  Number((await by.call('createTariff', { name, currency }))['i_tariff']);
const tariffs = async (by: Caller, rest: Members = {}): Promise<Members[]> =>
  (await by.call('listTariffs', rest))['tariffs'] as Members[];
const currencyOf = async (i_customer: number): Promise<unknown> =>
  (await server.root.call('getCustomerInfo', { i_customer }))['customer'].base_currency;
/** Everything that these calls change, to see that a refused one changes nothing. */
const everything = () =>
  runSql(
    server,
    `SELECT (SELECT json_agg(t ORDER BY t.i_tariff) FROM tariffs t) AS tariffs,
       (SELECT json_agg(g ORDER BY g.i_routing_group) FROM routing_groups g) AS groups,
       (SELECT json_agg(h) FROM trusted_hosts h) AS hosts, (SELECT count(*) FROM audit_records) AS records`,
  );
const gone = '404 Tariff not found';
const nowhere = { i_tariff: 2_000_000_000 };

describe('a tariff', () => {
  test('is made, renamed, listed and deleted by its owner', async () => {
    const owner = await makeMember(server);
    expect(await tariffs(owner.as)).toEqual([]);
    const made = await owner.as.call('createTariff', { name: 'Retail', currency: 'EUR' });
    expect(made).toEqual({ result: 'OK', i_tariff: expect.any(Number) as number });
    const { i_tariff } = made;
    expect(await tariffOf(owner.as, i_tariff)).toEqual({ i_tariff, name: 'Retail', currency: 'EUR' });
    expect(await said(owner.as, 'updateTariff', { i_tariff, name: 'Wholesale', currency: 'EUR' })).toBe('OK');
    const other = await newTariff(owner.as, 'USD', '100% free');
    const all = [
      { i_tariff, name: 'Wholesale', currency: 'EUR' },
      { i_tariff: other, name: '100% free', currency: 'USD' },
    ];
    expect(await tariffs(owner.as)).toEqual(all);
    expect(await tariffs(owner.as, { offset: 1 })).toEqual(all.slice(1));
    expect(await tariffs(owner.as, { limit: 1 })).toEqual(all.slice(0, 1));
    expect(await tariffs(owner.as, { name_pattern: 'whole%' })).toEqual(all.slice(0, 1));
    expect(await tariffs(owner.as, { name_pattern: '%\\%%' })).toEqual(all.slice(1));
    expect(await owner.as.call('deleteTariff', { i_tariff })).toEqual({ result: 'OK' });
    for (const method of ['getTariffInfo', 'deleteTariff'])
      expect(await said(owner.as, method, { i_tariff })).toBe(gone);
    expect(await tariffs(owner.as)).toEqual(all.slice(1));
    await server.root.call('deleteCustomer', { i_customer: owner.i_customer });
    expect(await runSql(server, 'SELECT FROM tariffs WHERE i_tariff = $1', other)).toEqual([]);
  });

  test('has a currency of ISO 4217 that never changes, and a name that its owner has once', async () => {
    const owner = await makeMember(server);
    const i_tariff = await newTariff(owner.as, 'USD', 'One');
    await newTariff(owner.as, 'USD', 'Two');
    await newTariff(family.reseller.as, 'USD', 'One');
    const before = await everything();
    for (const currency of ['usd', 'XXZ', 'EURO', '', 840, null])
      expect(await said(owner.as, 'createTariff', { name: 'Three', currency })).toMatch(
        /^400 Parameter currency /,
      );
    for (const name of ['', ' ', 'a\nb', 'x'.repeat(65), null])
      for (const [method, rest] of [
        ['createTariff', { currency: 'USD' }],
        ['updateTariff', { i_tariff }],
      ] as const)
        expect(await said(owner.as, method, { ...rest, name })).toMatch(/^400 Parameter name /);
    expect(await said(owner.as, 'updateTariff', { i_tariff, currency: 'EUR' })).toBe(
      '400 Parameter currency cannot be changed, it is USD',
    );
    expect(await said(owner.as, 'updateTariff', { i_tariff })).toMatch(/^400 /);
    const taken = '409 A tariff of this name exists already';
    expect(await said(owner.as, 'createTariff', { name: 'Two', currency: 'EUR' })).toBe(taken);
    expect(await said(owner.as, 'updateTariff', { i_tariff, name: 'Two' })).toBe(taken);
    expect(await everything()).toEqual(before);
  });

  test('of anybody else, above or below, does not exist', async () => {
    const { wholesaler, reseller, client, sibling, stranger } = family;
    const before = await everything();
    const methods = { getTariffInfo: {}, updateTariff: { name: 'mine' }, deleteTariff: {} };
    for (const { i_tariff } of [wholesaler, client, sibling, stranger, { i_tariff: 1 }, nowhere])
      for (const [method, rest] of Object.entries(methods))
        expect(await said(reseller.as, method, { i_tariff, ...rest })).toBe(gone);
    expect(await everything()).toEqual(before);
    const { i_customer: i_wholesaler, i_tariff } = client;
    expect(await said(reseller.as, 'getTariffInfo', { i_wholesaler, i_tariff })).toBe('OK');
  });

  test.each([
    ['createTariff', 1, 'add'],
    ['updateTariff', 2, 'edit'],
    ['deleteTariff', 4, 'delete'],
  ])('%s needs bit %d of tariffs_mgmt and no other', async (method, bit, word) => {
    const top = await makeMember(server);
    const owner = await makeMember(server, top.as);
    const params = async (): Promise<Members> => ({
      ...(method === 'createTariff' ? { currency: 'USD' } : { i_tariff: await makeTariff(server, owner) }),
      ...(method !== 'deleteTariff' && { name: uniqueName() }),
    });
    await update(server.root, owner, { tariffs_mgmt: bit });
    expect(await outcome(owner.as.call(method, await params()))).toBe('OK');
    await update(server.root, owner, { tariffs_mgmt: 7 - bit });
    expect(await owner.as.fault(method, await params())).toEqual(naming(word));
    // Held, but not by everybody above.
    await update(server.root, owner, { tariffs_mgmt: 7 });
    await update(server.root, top, { tariffs_mgmt: 7 - bit });
    expect(await owner.as.fault(method, await params())).toEqual(naming(word));
    await owner.as.call('listTariffs', {});
  });
});

describe('being billed by a tariff', () => {
  test('is possible by one of the owner alone', async () => {
    const { wholesaler, reseller, client } = family;
    const { i_customer } = await create(reseller.as);
    for (const { i_tariff } of [wholesaler, client, { i_tariff: 1 }, nowhere]) {
      const wrong = { faultCode: 401, faultString: 'Wrong i_tariff' };
      expect(await createFault(reseller.as, { i_tariff })).toEqual(wrong);
      for (const by of [reseller.as, wholesaler.as, server.root])
        expect(await updateFault(by, { i_customer }, { i_tariff })).toEqual(wrong);
    }
    await update(wholesaler.as, { i_customer }, { i_tariff: reseller.i_tariff });
  });

  test('gives its currency, and without one that of the tariff in force above', async () => {
    const top = await makeMember(server, server.root, { i_tariff: await newTariff(server.root, 'GBP') });
    const middle = await makeMember(server, top.as);
    const euros = await newTariff(middle.as, 'EUR');
    const { i_customer: leaf } = await create(middle.as, { i_tariff: euros });
    const { i_customer: heir } = await create(middle.as);
    const seen = () => Promise.all([top.i_customer, middle.i_customer, leaf, heir].map(currencyOf));
    expect(await seen()).toEqual(['GBP', 'GBP', 'EUR', 'GBP']);
    await update(top.as, middle, { i_tariff: await newTariff(top.as, 'CHF') });
    expect(await seen()).toEqual(['GBP', 'CHF', 'EUR', 'CHF']);
    await update(top.as, middle, { i_tariff: null });
    await update(middle.as, { i_customer: leaf }, { i_tariff: null });
    expect(await seen()).toEqual(['GBP', 'GBP', 'GBP', 'GBP']);
    const fault = await said(middle.as, 'customerAddFunds', { i_customer: leaf, amount: 1, currency: 'EUR' });
    expect(fault).toMatch(/^400 Parameter currency must be GBP/);
    const [item] = (await middle.as.call('listCustomers', {}))['customers'] as Members[];
    expect(item).toMatchObject({ i_customer: leaf, base_currency: 'GBP' });
  });

  test('keeps it from being deleted, also the only one in use, until nobody is', async () => {
    const owner = await makeMember(server);
    const only = await newTariff(owner.as);
    const { i_customer } = await create(owner.as, { i_tariff: only });
    const before = await everything();
    for (const [by, i_tariff] of [
      [server.root, 1],
      [owner.as, only],
    ] as const)
      expect(await said(by, 'deleteTariff', { i_tariff })).toBe('409 The tariff is in use');
    expect(await everything()).toEqual(before);
    await server.root.call('deleteCustomer', { i_customer });
    await owner.as.call('deleteTariff', { i_tariff: only });
  });

  test('and deleting it at once leaves either the tariff or nobody who has it', async () => {
    const owner = await makeMember(server);
    for (let round = 0; round < 8; round += 1) {
      const i_tariff = await newTariff(owner.as);
      const making = owner.as.call('createCustomer', newCustomer({ i_tariff }));
      const answers = await Promise.all([outcome(making), said(owner.as, 'deleteTariff', { i_tariff })]);
      expect([
        ['OK', '409 The tariff is in use'],
        ['401 Wrong i_tariff', 'OK'],
      ]).toContainEqual(answers);
    }
  });
});

describe('routing groups', () => {
  const groups = async (): Promise<Members[]> =>
    (await server.root.call('listRoutingGroups', {}))['routing_groups'] as Members[];

  test('are managed by root, and a customer may be given any', async () => {
    expect(await groups()).toEqual([{ i_routing_group: 1, name: 'Default' }]);
    const made = await server.root.call('createRoutingGroup', { name: 'Premium' });
    expect(made).toEqual({ result: 'OK', i_routing_group: expect.any(Number) as number });
    const { i_routing_group } = made;
    const { i_customer } = await create(family.reseller.as, { i_routing_group });
    expect(await said(server.root, 'updateRoutingGroup', { i_routing_group, name: 'Gold' })).toBe('OK');
    expect((await groups())[1]).toEqual({ i_routing_group, name: 'Gold' });
    const before = await everything();
    expect(await said(server.root, 'deleteRoutingGroup', { i_routing_group })).toBe(
      '409 The routing group is in use',
    );
    const taken = '409 A routing group of this name exists already';
    expect(await said(server.root, 'createRoutingGroup', { name: 'Gold' })).toBe(taken);
    expect(await said(server.root, 'updateRoutingGroup', { i_routing_group: 1, name: 'Gold' })).toBe(taken);
    expect(await said(server.root, 'createRoutingGroup', { name: ' ' })).toMatch(/^400 Parameter name /);
    for (const [method, rest] of [
      ['updateRoutingGroup', { name: 'x' }],
      ['deleteRoutingGroup', {}],
    ] as const)
      expect(await said(server.root, method, { i_routing_group: 99, ...rest })).toBe(
        '404 Routing group not found',
      );
    expect(await everything()).toEqual(before);
    await update(server.root, { i_customer }, { i_routing_group: null });
    expect(await server.root.call('deleteRoutingGroup', { i_routing_group })).toEqual({ result: 'OK' });
    expect(await createFault(server.root, { i_routing_group })).toEqual({
      faultCode: 401,
      faultString: 'Wrong i_routing_group',
    });
  });

  test('and trusted hosts are nobody else’s affair, whatever its rights', async () => {
    const before = await everything();
    for (const [method, params] of Object.entries({
      createRoutingGroup: { name: 'mine' },
      updateRoutingGroup: { i_routing_group: 1, name: 'mine' },
      deleteRoutingGroup: { i_routing_group: 1 },
      listRoutingGroups: {},
      addTrustedHost: { address: '127.0.0.9' },
      removeTrustedHost: { i_trusted_host: 1 },
      listTrustedHosts: {},
    }))
      expect([method, await said(family.wholesaler.as, method, params)]).toEqual([
        method,
        '403 Only root may do this',
      ]);
    expect(await everything()).toEqual(before);
  });
});

describe('a trusted host', () => {
  const add = (address: unknown, rest: Members = {}) =>
    server.root.call('addTrustedHost', { address, ...rest });
  const hosts = async (): Promise<Members[]> =>
    (await server.root.call('listTrustedHosts', {}))['trusted_hosts'] as Members[];
  const trusts = async (at: TestServer, from: string): Promise<boolean> =>
    isOk(await post(at, { method: 'listCustomers', params: { i_wholesaler: 1 }, from }));
  /** How late after now a server was still seen to think otherwise. */
  const settled = async (from: string, trusted: boolean): Promise<number> => {
    const began = performance.now();
    let late_ms = 0;
    await until(`${from} to be ${trusted ? 'trusted' : 'out'}`, async () => {
      const asked_ms = performance.now() - began;
      const seen = await Promise.all([server, second].map((at) => trusts(at, from)));
      if (seen.some((each) => each !== trusted)) late_ms = asked_ms;
      return seen.every((each) => each === trusted);
    });
    return late_ms;
  };

  test('needs no password within a second on every server, and is out again within a second', async () => {
    expect(await settled('127.0.0.9', false)).toBeLessThan(5_000);
    const made = await add('127.0.0.9', { description: 'The portal' });
    const { i_trusted_host } = made;
    expect(made).toEqual({ result: 'OK', i_trusted_host: expect.any(Number) as number });
    expect(await settled('127.0.0.9', true)).toBeLessThan(5_000);
    expect(await trusts(server, '127.0.0.10')).toBe(false);
    expect(await hosts()).toEqual([{ i_trusted_host, address: '127.0.0.9/32', description: 'The portal' }]);
    expect(await server.root.call('removeTrustedHost', { i_trusted_host })).toEqual({ result: 'OK' });
    expect(await settled('127.0.0.9', false)).toBeLessThan(5_000);
    expect(await said(server.root, 'removeTrustedHost', { i_trusted_host })).toBe(
      '404 Trusted host not found',
    );
  });

  test('is an address or a range, however it is written', async () => {
    const written = {
      '127.0.7.0/24': ['127.0.7.0/24', '127.0.7.200'],
      '127.0.8.77/24': ['127.0.8.0/24', '127.0.8.1'],
      '::ffff:127.0.0.11': ['127.0.0.11/32', '127.0.0.11'],
      '::ffff:127.0.9.0/120': ['127.0.9.0/24', '127.0.9.9'],
    };
    for (const [address, [range]] of Object.entries(written)) {
      await add(address);
      expect(await outcome(add(range))).toBe('409 This address is trusted already');
    }
    expect((await hosts()).map(({ address }) => address as string)).toEqual(
      Object.values(written).map(([range]) => range),
    );
    for (const [, from = ''] of Object.values(written)) await settled(from, true);
    for (const { i_trusted_host } of await hosts())
      await server.root.call('removeTrustedHost', { i_trusted_host });
    for (const [, from = ''] of Object.values(written)) await settled(from, false);
  });

  test('is nothing that is read in two ways, and nothing else', async () => {
    const before = await everything();
    const ranges = '127.0.0.0/33|127.0.0.0/|127.0.0.0/-1|::1/129|fe80::1%eth0/64|10/8|127.0.0.1/8/8';
    const numbers = '127.0.0.256|127.1|2130706434|0x7f.0.0.2|0177.0.0.2|fe80::1%eth0|1::2::3';
    const texts = '|localhost|127.0.0.1, 127.0.0.2|,127.0.0.2| 127.0.0.2|127.0.0.2 |%';
    for (const address of [...`${ranges}|${numbers}|${texts}`.split('|'), null, 2]) {
      const fault = await outcome(add(address));
      expect([address, fault]).toEqual([address, expect.stringMatching(/^400 Parameter address /)]);
    }
    expect(await everything()).toEqual(before);
  });
});

describe('getDictionary', () => {
  const get = async (name: string, rest: Members = {}): Promise<unknown> =>
    (await family.client.as.call('getDictionary', { name, ...rest }))['dictionary'];
  const names = Object.keys(dictionaries).concat('access_levels');

  test.each(Object.entries(dictionaries))(
    'answers %s as they stand in the database, in order',
    async (name, entries) => {
      const sorted = (entries as Members[]).toSorted((a, b) => {
        const [left, right] = [Object.values(a)[0], Object.values(b)[0]] as [
          string | number,
          string | number,
        ];
        return left < right ? -1 : 1;
      });
      expect(await get(name)).toEqual(sorted);
    },
  );

  test('answers the access levels, and the languages by their type', async () => {
    expect(await get('access_levels')).toEqual(
      ['ADMINISTRATOR', 'REPORTER', 'BILLING', 'CALL_SHOP_OPERATOR', 'NOC'].map((level) => ({
        i_access_level: level,
        name: level,
      })),
    );
    const languages = await get('languages');
    for (const type of ['web', 'ivr']) expect(await get('languages', { type })).toEqual(languages);
    expect(await said(family.client.as, 'getDictionary', { name: 'languages', type: 'fax' })).toMatch(
      /^400 Parameter type /,
    );
  });

  test.each(['nothing', '', 'Currencies', 'constructor', '__proto__', 'customers'])(
    'refuses the unknown name %p and lists the known',
    async (name) => {
      const fault = await said(family.client.as, 'getDictionary', { name });
      expect(fault).toMatch(/^400 Parameter name /);
      for (const known of names) expect(fault).toContain(known);
    },
  );

  test('knows what the attributes of a customer refer to', async () => {
    const { i_customer } = await create(server.root);
    for (const [dictionary, attribute] of Object.entries({
      languages: 'i_lang',
      export_types: 'i_export_type',
      timezones: 'i_time_zone',
      payment_methods: 'payment_method',
      password_policies: 'i_password_policy',
    })) {
      const entries = (await get(dictionary)) as Members[];
      expect(Object.keys(entries[0] ?? {})).toEqual([attribute, 'name']);
      await update(server.root, { i_customer }, { [attribute]: entries.at(-1)?.[attribute] as unknown });
    }
    const [currency] = (await get('currencies')) as Members[];
    await newTariff(server.root, String(currency?.['currency']));
  });
});
