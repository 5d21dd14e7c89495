/** The books: each balance is the sum of its entries, nothing in them is ever changed, and money comes from somewhere. */
import { provenBooks } from '../setup/books';
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
afterEach(() => provenBooks(server));
afterAll(() => server.close());

const sql = <Row = Members>(text: string, ...values: unknown[]): Promise<Row[]> =>
  server.db.query<Row>({ text }, values);
const create = async (members: Members = {}, parent: Caller = server.root): Promise<number> => {
  const params = newCustomer({ ...(parent !== server.root && { i_tariff: null }), ...members });
  return Number((await parent.call('createCustomer', params))['i_customer']);
};
const update = (i_customer: number, members: Members) =>
  server.root.call('updateCustomer', { i_customer, ...members });
const refusal = async (method: string, params: Members, caller: Caller = server.root): Promise<string> => {
  const { faultCode, faultString } = await caller.fault(method, params);
  return `${faultCode} ${faultString}`;
};
const info = async (i_customer: number): Promise<Members> =>
  (await server.root.call('getCustomerInfo', { i_customer }))['customer'] as Members;
/** What was booked for a customer: `opening 50.120000 USD`. */
const booked = async (i_customer: number): Promise<string[]> => {
  const rows = await sql<{ line: string }>(
    `SELECT kind || ' ' || amount || ' ' || currency AS line FROM payments WHERE i_customer = $1 ORDER BY i_payment`,
    i_customer,
  );
  return rows.map(({ line }) => line);
};

describe('a balance', () => {
  test('begins with an opening entry, on the customer and against the platform', async () => {
    const i_customer = await create({ balance: 50.123456 });
    expect(await booked(i_customer)).toEqual(['opening 50.123456 USD']);
    const entries = await sql(
      `SELECT e.i_customer, e.amount, e.currency FROM entries e JOIN payments p USING (i_payment)
       WHERE p.i_customer = $1 ORDER BY e.amount`,
      i_customer,
    );
    expect(entries).toEqual([
      { i_customer: null, amount: '-50.123456', currency: 'USD' },
      { i_customer, amount: '50.123456', currency: 'USD' },
    ]);
  });

  test('of zero is no entry', async () => {
    expect(await booked(await create())).toEqual([]);
    expect(await booked(await create({ balance: 0 }))).toEqual([]);
    expect(await booked(await create({ balance: '-0.000000' }))).toEqual([]);
  });

  test('may be negative, and its change is posted as the difference, if there is one', async () => {
    const i_customer = await create({ balance: -10 });
    for (const balance of [60.5, 60.5, -0.000001, 0, 0]) await update(i_customer, { balance });
    expect(await booked(i_customer)).toEqual([
      'opening -10.000000 USD',
      'adjustment 70.500000 USD',
      'adjustment -60.500001 USD',
      'adjustment 0.000001 USD',
    ]);
    expect(await info(i_customer)).toMatchObject({ balance: 0 });
  });

  test('goes from one end of its range to the other and back', async () => {
    const most = '99999999999999.999999';
    const i_customer = await create({ balance: most });
    for (const balance of [`-${most}`, most, 0]) await update(i_customer, { balance });
    expect(await booked(i_customer)).toContain('adjustment -199999999999999.999998 USD');
  });

  test('stays, and nothing is booked, when another parameter of the call is wrong', async () => {
    const i_customer = await create({ balance: 5 });
    const name = String((await info(await create()))['name']);
    for (const wrong of [
      { i_time_zone: 9_999 },
      { name },
      { i_commission_agent: 999_999 },
      { web_password: 'short' },
    ])
      await server.root.fault('updateCustomer', { i_customer, balance: 500, ...wrong });
    expect(await refusal('createCustomer', newCustomer({ name, balance: 7 }))).toMatch('409');
    expect(await booked(i_customer)).toEqual(['opening 5.000000 USD']);
    expect(await info(i_customer)).toMatchObject({ balance: 5 });
  });

  test.each([12.5, -12.5])(
    'of %d is closed when its customer is deleted, and the books stay',
    async (balance) => {
      const i_customer = await create({ balance });
      await server.root.call('deleteCustomer', { i_customer });
      expect(await booked(i_customer)).toEqual([
        `opening ${balance}00000 USD`,
        `closing ${-balance}00000 USD`,
      ]);
      expect(await refusal('getCustomerInfo', { i_customer })).toBe('404 Customer not found');
    },
  );
});

describe('the database', () => {
  test.each([
    ['UPDATE entries SET amount = amount + 1'],
    ['UPDATE entries SET i_customer = 1 WHERE false'],
    ['DELETE FROM entries'],
    ['TRUNCATE entries'],
    [`UPDATE payments SET request_id = 'x'`],
    ['DELETE FROM payments'],
    ['TRUNCATE payments CASCADE'],
    ['TRUNCATE customers CASCADE'],
  ])('refuses %s', async (statement) => {
    await create({ balance: 1 });
    const before = await sql('SELECT count(*), sum(abs(amount)) FROM entries');
    await expect(sql(statement)).rejects.toThrow(/append-only/);
    expect(await sql('SELECT count(*), sum(abs(amount)) FROM entries')).toEqual(before);
  });

  test('refuses entries that do not sum to zero in each currency', async () => {
    const i_customer = await create({ balance: 1 });
    const [payment] = await sql<{ i_payment: number }>(
      'SELECT i_payment FROM payments WHERE i_customer = $1',
      i_customer,
    );
    const insert = (values: string) =>
      sql(
        `INSERT INTO entries (i_payment, i_customer, currency, amount, balance_after) VALUES ${values.replaceAll('$', String(payment?.i_payment))}`,
      );
    for (const values of [
      `($, 1, 'USD', 5, 5)`,
      `($, 1, 'USD', 5, 5), ($, NULL, 'USD', -4.999999, NULL)`,
      `($, 1, 'USD', 5, 5), ($, NULL, 'EUR', -5, NULL)`,
    ])
      await expect(insert(values)).rejects.toThrow(/sum to zero/);
    await expect(insert(`($, 1, 'USD', 0, 0)`)).rejects.toThrow(/entries_amount_check/);
  });
});

describe('overcommit protection', () => {
  let owner: Member;
  let first: number;
  beforeEach(async () => {
    owner = await makeMember(server, server.root, { balance: 100, overcommit_protection: true });
    first = await create({ balance: 60 }, owner.as);
  });
  const over = (available: string) => `402 Over the overcommit limit: ${available} available`;

  test('lets nobody bring the sub-customers above the balance of their owner, and nothing changes', async () => {
    const second = await create({ balance: 10 }, owner.as);
    const made = newCustomer({ i_tariff: null, balance: 30.000001 });
    expect(await refusal('createCustomer', made, owner.as)).toBe(over('30'));
    expect(await refusal('getCustomerInfo', { name: made['name'] })).toBe('404 Customer not found');
    for (const caller of [owner.as, server.root]) {
      const params = { i_customer: second, balance: 40.000001, city: 'Rome' };
      expect(await refusal('updateCustomer', params, caller)).toBe(over('30'));
    }
    for (const method of ['customerCredit', 'customerAddFunds']) {
      const params = { i_customer: second, amount: 30.000001, currency: 'USD' };
      expect(await refusal(method, params)).toBe(over('30'));
    }
    expect(await info(second)).toMatchObject({ balance: 10, city: null });
    await update(second, { balance: 40 });
    expect(await refusal('updateCustomer', { i_customer: second, balance: 40.01 })).toBe(over('0'));
    expect(await refusal('createCustomer', newCustomer({ i_tariff: null, balance: 0.01 }), owner.as)).toBe(
      over('0'),
    );
  });

  test('allows the percentage of overcommit_limit on top', async () => {
    await update(owner.i_customer, { overcommit_limit: 12.5 });
    expect(
      await refusal('createCustomer', newCustomer({ i_tariff: null, balance: 52.500001 }), owner.as),
    ).toBe(over('52.5'));
    await create({ balance: 52.5 }, owner.as);
    await update(owner.i_customer, { overcommit_limit: 1e-9 });
    expect(await refusal('updateCustomer', { i_customer: first, balance: 61 })).toBe(over('0'));
    await update(owner.i_customer, { overcommit_limit: null });
    expect(await refusal('updateCustomer', { i_customer: first, balance: 61 })).toBe(over('0'));
  });

  test('counts no negative balance of a sibling, and only what rises above zero', async () => {
    await create({ balance: -500 }, owner.as);
    expect(await refusal('createCustomer', newCustomer({ i_tariff: null, balance: 41 }), owner.as)).toBe(
      over('40'),
    );
    const debtor = await create({ balance: -50 }, owner.as);
    await update(debtor, { balance: -1 });
    expect(await refusal('updateCustomer', { i_customer: debtor, balance: 41 })).toBe(over('40'));
    await update(debtor, { balance: 40 });
  });

  test('lets every balance be lowered, also where the limit is passed already', async () => {
    await update(owner.i_customer, { balance: 10 });
    await update(first, { balance: 59 });
    expect(await refusal('updateCustomer', { i_customer: first, balance: 59.01 })).toBe(over('0'));
    await update(owner.i_customer, { balance: -5 });
    await update(first, { balance: 1 });
    expect(await refusal('updateCustomer', { i_customer: first, balance: 2 })).toBe(over('0'));
    await update(first, { balance: -7 });
    await server.root.call('deleteCustomer', { i_customer: first });
  });

  test('counts customers at every depth, and tells its figures to nobody below', async () => {
    const middle = await makeMember(server, owner.as, { balance: 1 });
    const deep = newCustomer({ i_tariff: null, balance: 39.000001 });
    expect(await refusal('createCustomer', deep, middle.as)).toBe('402 Over the overcommit limit');
    for (const caller of [owner.as, server.root]) {
      const params = { ...deep, i_wholesaler: middle.i_customer };
      expect(await refusal('createCustomer', params, caller)).toBe(over('39'));
    }
    await create({ balance: 39 }, middle.as);
    expect(await refusal('updateCustomer', { i_customer: first, balance: 60.01 })).toBe(over('0'));
  });

  test('counts credit limits, whoever gave them', async () => {
    const middle = await makeMember(server, owner.as, { credit_limit: 10 });
    const leaf = await create({ credit_limit: 30 }, middle.as);
    expect(await refusal('updateCustomer', { i_customer: leaf, credit_limit: 30.01 })).toBe(over('0'));
    expect(
      await refusal('createCustomer', newCustomer({ i_tariff: null, credit_limit: 0.01 }), owner.as),
    ).toBe(over('0'));
    await update(leaf, { credit_limit: 0 });
    await update(first, { balance: 90 });
  });

  test('binds neither where it is off nor root, and counts anew when it is switched on', async () => {
    const middle = await makeMember(server, owner.as, { balance: 1 });
    await update(owner.i_customer, { overcommit_protection: false });
    await create({ balance: 1_000 }, middle.as);
    await update(first, { balance: 5_000 });
    await update(owner.i_customer, { overcommit_protection: true });
    expect(await refusal('updateCustomer', { i_customer: first, balance: 5_001 })).toBe(over('0'));
    await create({ balance: 1_000_000_000 });
  });
});

describe('the tariff', () => {
  let dollars: number;
  let euros: number;
  beforeAll(async () => {
    const [tariff] = await sql<{ i_tariff: number }>(
      `INSERT INTO tariffs (i_customer, name, currency) VALUES (1, 'Euro', 'EUR') RETURNING i_tariff`,
    );
    euros = Number(tariff?.i_tariff);
    dollars = 1;
  });
  const currency = async (...ids: number[]): Promise<unknown[]> =>
    (await Promise.all(ids.map(info))).map((customer) => customer['base_currency'] as unknown);

  /** Three levels that inherit, beside them one with a tariff of its own. */
  const family = async () => {
    const top = await makeMember(server, server.root, { i_tariff: dollars });
    const middle = await makeMember(server, top.as);
    const leaf = await create({}, middle.as);
    const [own] = await sql<{ i_tariff: number }>(
      `INSERT INTO tariffs (i_customer, name, currency) VALUES ($1, 'Own', 'USD') RETURNING i_tariff`,
      middle.i_customer,
    );
    const apart = await create({ i_tariff: own?.i_tariff }, middle.as);
    return { top: top.i_customer, middle: middle.i_customer, leaf, apart };
  };

  test('gives its currency to its customer and to all who inherit it, at any depth', async () => {
    expect(await currency(await create({ i_tariff: euros }))).toEqual(['EUR']);
    const { top, middle, leaf, apart } = await family();
    await update(top, { i_tariff: euros });
    expect(await currency(top, middle, leaf, apart)).toEqual(['EUR', 'EUR', 'EUR', 'USD']);
    await update(leaf, { balance: 5 });
    expect(await booked(leaf)).toEqual(['adjustment 5.000000 EUR']);
    // Billed as root is: in dollars again, which the one with euros in the books cannot follow.
    expect(await refusal('updateCustomer', { i_customer: top, i_tariff: null })).toMatch(/^409 .*EUR to USD/);
  });

  test.each(['top', 'middle', 'leaf'] as const)(
    'stays where the currency of the %s is fixed by entries',
    async (whose) => {
      const ids = await family();
      await update(ids[whose], { balance: 5 });
      await update(ids[whose], { balance: 0 });
      const fault = await refusal('updateCustomer', { i_customer: ids.top, i_tariff: euros, city: 'Rome' });
      expect(fault).toMatch(/^409 .*USD to EUR/);
      expect(await info(ids.top)).toMatchObject({ i_tariff: dollars, base_currency: 'USD', city: null });
      expect(await currency(ids.middle, ids.leaf)).toEqual(['USD', 'USD']);
    },
  );

  test('changes where only those have entries who keep their currency', async () => {
    const { top, middle, leaf, apart } = await family();
    await update(apart, { balance: 5 });
    const doomed = await create({ i_wholesaler: middle, i_tariff: null, balance: 5 });
    await server.root.call('deleteCustomer', { i_customer: doomed });
    await update(top, { i_tariff: euros });
    expect(await currency(top, middle, leaf, apart)).toEqual(['EUR', 'EUR', 'EUR', 'USD']);
    // From a tariff of its own to the inherited one, in another currency: with entries no, without them yes.
    expect(await refusal('updateCustomer', { i_customer: apart, i_tariff: null })).toMatch(
      /^409 .*USD to EUR/,
    );
  });

  test('may change within one currency whatever the books hold', async () => {
    const i_customer = await create({ balance: 5 });
    await update(i_customer, { i_tariff: null });
    await update(i_customer, { i_tariff: dollars, balance: 6 });
    expect(await info(i_customer)).toMatchObject({ i_tariff: dollars, base_currency: 'USD', balance: 6 });
  });

  test('and the balance change in one call only where the currency is free', async () => {
    const i_customer = await create();
    await update(i_customer, { i_tariff: euros, balance: 6 });
    expect(await booked(i_customer)).toEqual(['adjustment 6.000000 EUR']);
    expect(await refusal('updateCustomer', { i_customer, i_tariff: dollars, balance: 0 })).toMatch('409');
  });
});

describe('a customer', () => {
  test('has a default user and a recovery user without a password, which go with it', async () => {
    const i_customer = await create();
    const users = () =>
      sql(
        `SELECT is_default, is_recovery, password_hash IS NULL AS closed, deleted_at IS NULL AS lives,
          i_access_level, web_login ~ '^[0-9a-f-]{36}$' AS random FROM users WHERE i_customer = $1 ORDER BY is_recovery`,
        i_customer,
      );
    const alike = { i_access_level: 'ADMINISTRATOR', lives: true };
    expect(await users()).toEqual([
      { ...alike, is_default: true, is_recovery: false, closed: false, random: false },
      { ...alike, is_default: false, is_recovery: true, closed: true, random: true },
    ]);
    await server.root.call('deleteCustomer', { i_customer });
    expect(await users()).toMatchObject([
      { lives: false, closed: true },
      { lives: false, closed: true },
    ]);
  });

  test('that is deleted frees its name, its login and its dns_alias at once', async () => {
    const names = {
      name: uniqueName(),
      web_login: uniqueName(),
      dns_alias: 'freed.example.com',
      api_password: 'api-password-1',
    };
    for (let round = 0; round < 3; round += 1) {
      const i_customer = await create(names);
      await server.root.call('deleteCustomer', { i_customer });
      expect(await refusal('deleteCustomer', { i_customer })).toBe('404 Customer not found');
      expect(await refusal('updateCustomer', { i_customer, city: 'Rome' })).toBe('404 Customer not found');
    }
  });

  test('is not deleted while anybody stands below it', async () => {
    const reseller = await makeMember(server);
    const shop = await create({ balance: 3 }, reseller.as);
    expect(await refusal('deleteCustomer', { i_customer: reseller.i_customer })).toBe(
      '409 The customer still has sub-customers',
    );
    await server.root.call('deleteCustomer', { i_customer: shop });
    await server.root.call('deleteCustomer', { i_customer: reseller.i_customer });
  });
});
