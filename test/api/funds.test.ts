/** Moving money: exact to the sixth place, once for each key, within every limit, however many calls come at once. */
import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { kept, outcome, provenBooks, tally, times } from '../setup/books';
import { Xml, create, makeFamily, makeTariff, post, rootLogin, runSql, update } from '../setup/family';
import { until } from '../setup/processes';
import {
  type Caller,
  type Members,
  type TestServer,
  makeDatabase,
  makeMember,
  startServer,
} from '../setup/server';

const secret_key = randomBytes(32);
let server: TestServer;
beforeAll(async () => {
  server = await startServer({}, { connection: await makeDatabase(), secret_key });
});
afterEach(() => provenBooks(server));
const others: TestServer[] = [];
afterAll(async () => {
  for (const each of [...others, server]) await each.close();
});

/** The same database behind a server of its own, as after a restart or beside the other. */
async function anotherServer(environment: Record<string, string> = {}): Promise<TestServer> {
  const other = await startServer(environment, { connection: server.connection, secret_key });
  others.push(other);
  return other;
}

const funds = (method: string, i_customer: number, amount: unknown, rest: Members = {}, by = server.root) =>
  by.call(method, { i_customer, amount, currency: 'USD', ...rest });
const add = (i_customer: number, amount: unknown, rest: Members = {}, by?: Caller) =>
  funds('customerAddFunds', i_customer, amount, rest, by);
const transfer = (by: Caller, i_customer: number, amount: unknown, rest: Members = {}) =>
  by.call('transferFunds', { i_customer, amount, ...rest });
const reverse = (i_payment: unknown, by = server.root) => by.call('reversePayment', { i_payment });
const balanceOf = async (i_customer: number, by = server.root): Promise<unknown> =>
  (await by.call('getCustomerInfo', { i_customer }))['customer'].balance;
const fundsMethods = ['customerAddFunds', 'customerCredit', 'customerDebit'] as const;

describe('the sequence of the public tests', () => {
  test.each([
    ['natural', 1],
    ['inverted', -1],
  ])('comes to 49.88, 70.00 and 92.12 with a %s sign', async (balance_sign, sign) => {
    const other = await anotherServer({ TREELINE_BALANCE_SIGN: balance_sign });
    const { i_customer } = await create(other.root, { balance: 100 });
    const seen = [await balanceOf(i_customer, other.root)];
    for (const [method, amount] of [
      ['customerDebit', 50.12],
      ['customerAddFunds', 20.12],
      ['customerCredit', 22.12],
    ] as const) {
      expect(await funds(method, i_customer, amount, {}, other.root)).toEqual({
        result: 'OK',
        i_payment: expect.any(Number) as number,
      });
      seen.push(await balanceOf(i_customer, other.root));
    }
    // === and not a tolerance: that is how callers compare.
    expect(
      seen.map((balance, index) => balance === [100, 49.88, 70.0, 92.12].map((b) => b * sign)[index]),
    ).toEqual([true, true, true, true]);
  });
});

describe('an amount', () => {
  const most = '99999999999999.999999';
  const zero = 'Parameter amount must be more than 0';
  const text = 'Parameter amount must be a number';
  const places = 'Parameter amount must have at most 6 decimal places';
  const range = `Parameter amount must be between -${most} and ${most}`;
  test.each<[unknown, string]>([
    [0, zero],
    ['0', zero],
    [-0.000001, zero],
    ['-5', zero],
    ['NaN', text],
    [new Xml('<double>NaN</double>'), text],
    [new Xml('<double>INF</double>'), text],
    ['1e400', range],
    [new Xml('<double>1e400</double>'), text],
    ['-1e400', range],
    ['0.0000001', places],
    [1.1234567, places],
    [1e-7, places],
    ['100000000000000', range],
    [1e15, range],
    ['', text],
    ['5,00', text],
    ['0x10', text],
    ['5 USD', text],
    [true, text],
    [null, 'Parameter amount must not be nil'],
  ])('of %p is refused and changes nothing', async (amount, faultString) => {
    const { i_customer } = await create(server.root, { balance: 10 });
    const before = await kept(server);
    for (const method of [...fundsMethods, 'transferFunds']) {
      const params = { i_customer, amount, ...(method !== 'transferFunds' && { currency: 'USD' }) };
      const answer = await post(server, { method, params, login: rootLogin });
      expect([method, answer.fault, answer.text]).toEqual([
        method,
        400,
        expect.stringContaining(faultString),
      ]);
    }
    expect(await kept(server)).toEqual(before);
  });

  test.each<[unknown, number]>([
    [0.000001, 0.000001],
    ['1e-06', 0.000001],
    [0.1 + 0.2, 0.3],
    ['1234567890.123456', 1234567890.123456],
    [new Xml('<i8>5</i8>'), 5],
  ])('of %p is entered exactly', async (amount, expected) => {
    const { i_customer } = await create(server.root);
    const params = { i_customer, amount, currency: 'USD' };
    expect(
      (await post(server, { method: 'customerAddFunds', params, login: rootLogin })).fault,
    ).toBeUndefined();
    expect(await balanceOf(i_customer)).toBe(expected);
  });

  test('that brings a balance out of numeric(20,6) is refused, whichever way it goes', async () => {
    const { i_customer } = await create(server.root, { balance: most });
    const poor = await makeMember(server, server.root, { balance: `-${most}` });
    const rich = await makeMember(server, server.root, { balance: 5 });
    const { i_customer: full } = await create(rich.as, { balance: most });
    const { i_payment } = await funds('customerDebit', full, 7);
    await add(full, 7);
    const before = await kept(server);
    for (const answer of [
      add(i_customer, '0.000001'),
      funds('customerCredit', i_customer, most),
      funds('customerDebit', poor.i_customer, '0.000001'),
      transfer(server.root, i_customer, 1),
      transfer(rich.as, full, 1),
      reverse(i_payment),
    ])
      expect(await outcome(answer)).toMatch(/^400 Parameter amount .*numeric\(20,6\)/);
    expect(await kept(server)).toEqual(before);
  });

  test('is in the base_currency of its customer and in no other', async () => {
    const euros = await makeTariff(server, { i_customer: 1 }, 'EUR');
    const { i_customer } = await create(server.root, { i_tariff: euros });
    const before = await kept(server);
    for (const method of fundsMethods) {
      for (const currency of ['USD', 'GBP'])
        expect(await outcome(funds(method, i_customer, 5, { currency }))).toBe(
          '400 Parameter currency must be EUR, the base_currency of the customer',
        );
      for (const currency of ['eur', 'EURO', 'XXZ', '', '978'])
        expect(await outcome(funds(method, i_customer, 5, { currency }))).toMatch(/^400 Parameter currency /);
    }
    expect(await outcome(server.root.call('customerDebit', { i_customer, amount: 5 }))).toBe(
      '400 Parameter currency is required',
    );
    expect(await kept(server)).toEqual(before);
    await add(i_customer, 5, { currency: 'EUR' });
  });

  test.each([
    ['customerAddFunds', '400 Parameter currency must be EUR, the base_currency of the customer'],
    ['transferFunds', '400 Parameter i_customer must have the currency of the giver, USD, not EUR'],
  ])('of %s is not entered in a currency that its customer is given meanwhile', async (method, refusal) => {
    const giver = await makeMember(server, server.root, { balance: 10 });
    const { i_customer } = await create(giver.as);
    const euros = await makeTariff(server, giver, 'EUR');
    const params = { i_customer, amount: 5, ...(method !== 'transferFunds' && { currency: 'USD' }) };
    const other = new Client(server.connection);
    await other.connect();
    try {
      await other.query('BEGIN');
      const change = `UPDATE customers SET i_tariff = $2, base_currency = 'EUR' WHERE i_customer = $1`;
      await other.query(change, [i_customer, euros]);
      const answer = outcome(giver.as.call(method, params));
      const waiting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
      await until('the call to wait', async () => (await runSql(server, waiting)).length > 0);
      await other.query('COMMIT');
      expect(await answer).toBe(refusal);
    } finally {
      await other.end();
    }
    expect(await balanceOf(i_customer)).toBe(0);
  });
});

describe('an idempotency_key', () => {
  const key = (name: string) => ({ idempotency_key: name });

  test('makes of the same content one payment with one answer, also after a restart of the server', async () => {
    const [{ i_customer }, other] = [await create(server.root), await create(server.root)];
    const notes = { payment_notes: 'once' };
    const first = await add(i_customer, 5.5, { ...key('one'), ...notes });
    expect(await add(i_customer, '5.50', { ...key('one'), ...notes })).toEqual(first);
    const restarted = await anotherServer();
    expect(await add(i_customer, 5.5, { ...notes, ...key('one') }, restarted.root)).toEqual(first);
    expect(await balanceOf(i_customer)).toBe(5.5);
    const before = await kept(server);
    for (const rest of [{ payment_notes: 'twice' }, { amount: 5.6 }, { payment_time: '2009-11-18' }, other])
      expect(await outcome(add(i_customer, 5.5, { ...key('one'), ...notes, ...rest }))).toMatch(
        /^409 .*idempotency_key/,
      );
    expect(await kept(server)).toEqual(before);
    await server.root.call('deleteCustomer', { i_customer });
    expect(await add(i_customer, 5.5, { ...key('one'), ...notes })).toEqual(first);
  });

  test('is another key for another caller, another actor and another call', async () => {
    const { wholesaler, reseller, client } = await makeFamily(server);
    const answers = [
      await add(client.i_customer, 1, key('shared'), wholesaler.as),
      await add(client.i_customer, 1, key('shared'), reseller.as),
      await add(client.i_customer, 1, { ...key('shared'), i_wholesaler: reseller.i_customer }, wholesaler.as),
      await funds('customerCredit', client.i_customer, 1, key('shared'), wholesaler.as),
      await transfer(wholesaler.as, client.i_customer, 1, key('shared')),
    ];
    expect(new Set(answers.map(({ i_payment }) => i_payment as number)).size).toBe(5);
    expect(await balanceOf(client.i_customer)).toBe(15);
    // To name oneself is to be the same caller and the same actor.
    const again = { ...key('shared'), i_wholesaler: wholesaler.i_customer };
    expect(await add(client.i_customer, 1, again, wholesaler.as)).toEqual(answers[0]);
    // A login is not taken for a trusted host that is called so in the records.
    const named = await makeMember(server, server.root, { name: 'trusted' });
    const trusting = await anotherServer({ TRUSTED_HOSTS: '127.0.0.2' });
    const { i_customer } = await create(named.as);
    await add(i_customer, 1, key('shared'), named.as);
    const params = {
      i_customer,
      amount: 2,
      currency: 'USD',
      i_wholesaler: named.i_customer,
      ...key('shared'),
    };
    expect(await post(trusting, { method: 'customerAddFunds', params, from: '127.0.0.2' })).toMatchObject({
      fault: undefined,
    });
  });

  test('of a refused call is not kept', async () => {
    const giver = await makeMember(server);
    const { i_customer } = await create(giver.as);
    const before = await kept(server);
    expect(await outcome(transfer(giver.as, i_customer, 7, key('early')))).toBe(
      '402 Not enough money: 0 USD available',
    );
    expect(await outcome(add(i_customer, 7, { ...key('early'), currency: 'EUR' }, giver.as))).toMatch(/^400/);
    for (const wrong of ['', 'x'.repeat(256)])
      expect(await outcome(add(i_customer, 7, key(wrong)))).toMatch(/^400 Parameter idempotency_key /);
    expect(await kept(server)).toEqual(before);
    await add(giver.i_customer, 10);
    await transfer(giver.as, i_customer, 8, key('early'));
    await add(i_customer, 7, key('early'), giver.as);
    expect(await balanceOf(i_customer)).toBe(15);
  });

  test('used twenty times at once is one payment', async () => {
    const { i_customer } = await create(server.root);
    const answers = await Promise.all(times(20, () => add(i_customer, 3, key('at once'))));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(await balanceOf(i_customer)).toBe(3);
  });
});

describe('at once', () => {
  test('a hundred payments on one customer are all there, to the sixth place', async () => {
    const { i_customer } = await create(server.root);
    const answers = times(100, (index) =>
      index % 4 === 3
        ? funds('customerDebit', i_customer, 0.25)
        : add(i_customer, (index + 1) / 1_000_000 + 1),
    );
    expect(await tally(answers)).toEqual({ OK: 100 });
    // 1 to 100 without 4, 8, … 100 are 3,750 millionths, on top of 75 and without 25 quarters.
    expect(await balanceOf(i_customer)).toBe(75 + 0.00375 - 6.25);
  });

  test.each([
    [null, 10],
    [25, 12],
  ])('no top-ups pass an overcommit_limit of %p percent', async (overcommit_limit, allowed) => {
    const owner = await makeMember(server, server.root, {
      balance: 100,
      overcommit_protection: true,
      overcommit_limit,
    });
    const subs = await Promise.all(times(5, () => create(owner.as)));
    const answers = times(40, (index) =>
      funds(
        index % 2 ? 'customerCredit' : 'customerAddFunds',
        subs[index % 5]?.i_customer ?? 0,
        10,
        {},
        index % 3 ? owner.as : server.root,
      ),
    );
    expect(await tally(answers)).toEqual({
      OK: allowed,
      '402 Over the overcommit limit: some available': 40 - allowed,
    });
  });

  test('200 transfers never hand on more than there is, and those up and down a tree do not stop each other', async () => {
    const giver = await makeMember(server, server.root, { balance: 150.5 });
    const receivers = await Promise.all(times(3, () => create(giver.as)));
    expect(
      await tally(times(200, (index) => transfer(giver.as, receivers[index % 3]?.i_customer ?? 0, 1))),
    ).toEqual({
      OK: 150,
      '402 Not enough money: some available': 50,
    });
    expect(await balanceOf(giver.i_customer)).toBe(0.5);
    const { wholesaler, reseller, client, shop } = await makeFamily(server);
    const mixed = times(
      60,
      (index) =>
        [
          () => transfer(wholesaler.as, reseller.i_customer, 0.1),
          () => transfer(reseller.as, client.i_customer, 0.1),
          () => transfer(wholesaler.as, client.i_customer, 0.1),
          () => add(reseller.i_customer, 0.1, {}, wholesaler.as),
          () => transfer(client.as, shop.i_customer, 0.1),
          () => update(server.root, client, { credit_limit: index }),
        ][index % 6]?.() ?? Promise.reject(new Error()),
    );
    expect(await tally(mixed)).toEqual({ OK: 60 });
    expect(await balanceOf(shop.i_customer)).toBe(11);
  });
});

describe('overcommit protection', () => {
  test('bounds what the funds calls and reversals add, and neither a debit nor a transfer', async () => {
    const owner = await makeMember(server, server.root, { balance: 100, overcommit_protection: true });
    const { i_customer } = await create(owner.as, { balance: 60 });
    const { i_payment } = await funds('customerDebit', i_customer, 70);
    const before = await kept(server);
    // Of 110.000001, ten make good a debt; what rises above zero is bounded.
    const over = '402 Over the overcommit limit: 100 available';
    for (const by of [server.root, owner.as])
      expect(await outcome(add(i_customer, 110.000001, {}, by))).toBe(over);
    expect(await kept(server)).toEqual(before);
    await add(i_customer, 110, {}, owner.as);
    for (const answer of [funds('customerCredit', i_customer, 0.000001), reverse(i_payment)])
      expect(await outcome(answer)).toBe('402 Over the overcommit limit: 0 available');
    await transfer(owner.as, i_customer, 30);
    expect([await balanceOf(owner.i_customer), await balanceOf(i_customer)]).toEqual([70, 130]);
    await funds('customerDebit', i_customer, 130);
    await reverse(i_payment);
  });
});
