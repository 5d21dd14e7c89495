/** Payments as they are read, taken back and handed on: lists, statements, transfers, reversals. */
import { setTimeout as sleep } from 'node:timers/promises';
import { kept, outcome, provenBooks, said, tally, times } from '../setup/books';
import { type Family, create, makeFamily, makeTariff, nobody, runSql, update } from '../setup/family';
import { type Caller, type Members, type TestServer, startServer } from '../setup/server';

let server: TestServer;
let family: Family;
beforeAll(async () => {
  server = await startServer();
  family = await makeFamily(server);
});
afterEach(() => provenBooks(server));
afterAll(() => server.close());

const funds = (method: string, i_customer: number, amount: unknown, rest: Members = {}, by = server.root) =>
  by.call(method, { i_customer, amount, currency: 'USD', ...rest });
const add = (i_customer: number, amount: unknown, rest: Members = {}, by?: Caller) =>
  funds('customerAddFunds', i_customer, amount, rest, by);
const transfer = (by: Caller, i_customer: number, amount: unknown) =>
  by.call('transferFunds', { i_customer, amount });
const reverse = (i_payment: unknown, by = server.root) => by.call('reversePayment', { i_payment });
const balanceOf = async (i_customer: number): Promise<unknown> =>
  (await server.root.call('getCustomerInfo', { i_customer }))['customer'].balance;
const list = async (i_customer: number, rest: Members = {}, by = server.root): Promise<Members[]> =>
  (await by.call('getPaymentsList', { i_customer, ...rest }))['payments'] as Members[];
const amounts = async (i_customer: number, rest?: Members): Promise<unknown[]> =>
  (await list(i_customer, rest)).map(({ amount }) => amount as unknown);
const paymentOf = async (by: Caller, i_payment: unknown): Promise<Members> =>
  (await by.call('getPaymentInfo', { i_payment }))['payment'] as Members;
const statement = async (i_customer: number, rest: Members = {}, by = server.root): Promise<Members> =>
  by.call('getStatement', { i_customer, ...rest });
const fundsMethods = ['customerAddFunds', 'customerCredit', 'customerDebit'] as const;

/** Opening and entries are closing, to the sixth place, and each balance is the one before and its amount. */
function expectConsistent({ opening, entries, closing }: Members): void {
  const exact = (amount: unknown): bigint => BigInt(Math.round(Number(amount) * 1e6));
  let balance = exact(opening);
  for (const entry of entries as Members[]) {
    balance += exact(entry['amount']);
    expect(exact(entry['balance'])).toBe(balance);
  }
  expect(exact(closing)).toBe(balance);
}

/** Books that many payments of one cent at once, as many as a list of several batches has. */
async function bookMany(i_customer: number, count: number): Promise<void> {
  await runSql(
    server,
    `WITH made AS (
       INSERT INTO payments (kind, i_customer, amount, currency, request_id)
       SELECT 'add_funds', $1, 0.01, 'USD', 'many' FROM generate_series(1, $2) RETURNING i_payment),
     booked AS (
       INSERT INTO entries (i_payment, i_customer, currency, amount, balance_after)
       SELECT i_payment, $1, 'USD', 0.01, c.balance + 0.01 * row_number() OVER (ORDER BY i_payment)
       FROM made, customers c WHERE c.i_customer = $1
       UNION ALL SELECT i_payment, NULL, 'USD', -0.01, NULL FROM made)
     UPDATE customers SET balance = balance + 0.01 * $2 WHERE i_customer = $1`,
    i_customer,
    count,
  );
  await runSql(server, 'ANALYZE payments, entries');
}

describe('getPaymentsList', () => {
  test('answers every kind of payment in the order in which it was booked', async () => {
    const { i_customer } = await create(server.root, { balance: 100 });
    await update(server.root, { i_customer }, { balance: 90 });
    const details = { payment_notes: 'November', payment_time: '09:57:29.000 GMT Wed Nov 18 2009' };
    const { i_payment } = await funds('customerDebit', i_customer, 50.12, details);
    await add(i_customer, 20.12);
    await funds('customerCredit', i_customer, 22.12);
    await transfer(server.root, i_customer, 1);
    await reverse(i_payment);
    const payments = await list(i_customer);
    expect(payments.map(({ kind, type, amount }) => [kind, type, amount] as unknown[])).toEqual([
      ['opening', 'credit', 100],
      ['adjustment', 'debit', 10],
      ['debit', 'debit', 50.12],
      ['add_funds', 'credit', 20.12],
      ['credit', 'credit', 22.12],
      ['transfer', 'credit', 1],
      ['reversal', 'credit', 50.12],
    ]);
    const debit = { type: 'debit', kind: 'debit', amount: 50.12, currency: 'USD' };
    const rest = { i_reversed: null, reversed: true };
    expect(payments[2]).toEqual({ i_payment, i_customer, ...debit, ...details, ...rest });
    for (const payment of payments)
      expect(await paymentOf(server.root, payment['i_payment'])).toEqual(payment);
  });

  test('goes by offset, limit, type and payment_time, alone and together', async () => {
    const { i_customer } = await create(server.root);
    for (const day of [5, 1, 4, 2, 3]) {
      const method = day % 2 ? 'customerAddFunds' : 'customerDebit';
      await funds(method, i_customer, day, { payment_time: `2020-03-0${day}T12:00:00Z` });
    }
    expect(await amounts(i_customer)).toEqual([5, 1, 4, 2, 3]);
    for (const [rest, expected] of [
      [{ offset: 2 }, [4, 2, 3]],
      [{ limit: 2 }, [5, 1]],
      [{ offset: 1, limit: 3 }, [1, 4, 2]],
      [{ limit: 0 }, []],
      [{ offset: 5 }, []],
      [{ type: 'credit' }, [5, 1, 3]],
      [{ type: 'debit' }, [4, 2]],
      [{ type: 'credit', offset: 1, limit: 1 }, [1]],
      [{ start_date: '2020-03-03T12:00:00Z' }, [5, 4, 3]],
      [{ end_date: '12:00:00.000 GMT Tue Mar 03 2020' }, [1, 2]],
      [{ start_date: '2020-03-02', end_date: '2020-03-04' }, [2, 3]],
      [{ start_date: '2020-03-04', end_date: '2020-03-02' }, []],
      [{ start_date: '2020-03-02', type: 'credit', limit: 1 }, [5]],
      [{ start_date: '2021-01-01' }, []],
    ] as const)
      expect([rest, await amounts(i_customer, rest)]).toEqual([rest, expected]);
    const wrong = { offset: -1, limit: -1, type: 'transfer', start_date: '2020-02-30', end_date: 'x' };
    for (const [name, value] of Object.entries(wrong)) {
      const fault = await said(server.root, 'getPaymentsList', { i_customer, [name]: value });
      expect(fault).toMatch(`400 Parameter ${name} `);
    }
  });

  test('answers a list of several batches whole, each payment once', async () => {
    const { i_customer } = await create(server.root, { balance: 5 });
    await bookMany(i_customer, 2_000);
    const ids = (await list(i_customer)).map(({ i_payment }) => i_payment as number);
    expect(ids.length).toBe(2_001);
    expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
    expect(await amounts(i_customer, { offset: 900, limit: 1_001 })).toHaveLength(1_001);
    const whole = await statement(i_customer);
    expect(whole).toMatchObject({ opening: 0, closing: 25 });
    expect(whole['entries']).toHaveLength(2_001);
    expectConsistent(whole);
  });

  test('shows a transfer to its giver as a debit and to its receiver as a credit', async () => {
    const { wholesaler, reseller, client } = await makeFamily(server);
    const { i_payment } = await transfer(reseller.as, client.i_customer, 2.5);
    const same = { i_payment, kind: 'transfer', amount: 2.5, currency: 'USD' };
    const given = { ...same, type: 'debit', i_customer: reseller.i_customer };
    const received = { ...same, type: 'credit', i_customer: client.i_customer };
    for (const by of [reseller.as, wholesaler.as, server.root]) {
      expect(await list(reseller.i_customer, { offset: 1 }, by)).toMatchObject([given]);
      expect(await list(client.i_customer, { offset: 1 }, by)).toMatchObject([received]);
    }
    expect(await list(client.i_customer, { type: 'credit', offset: 1 }, client.as)).toMatchObject([received]);
    expect(await paymentOf(client.as, i_payment)).toMatchObject(received);
    const expected = { closing: 7.5, entries: [{}, { amount: -2.5 }] };
    expect(await statement(reseller.i_customer, {}, reseller.as)).toMatchObject(expected);
  });
});

describe('what is read', () => {
  test('is of oneself and of those below, and of nobody else', async () => {
    const { wholesaler, reseller, client, shop, sibling, stranger } = family;
    for (const { i_customer, i_payment } of [reseller, client, shop]) {
      const payment = { i_payment, i_customer, kind: 'opening', amount: 10 };
      expect(await list(i_customer, {}, reseller.as)).toMatchObject([payment]);
      expect(await paymentOf(reseller.as, i_payment)).toMatchObject(payment);
      expect(await statement(i_customer, {}, reseller.as)).toMatchObject({ closing: 10 });
    }
    for (const { i_customer } of [wholesaler, sibling, stranger, nobody, { i_customer: 1 }])
      for (const method of ['getPaymentsList', 'getStatement'])
        expect(await said(reseller.as, method, { i_customer })).toBe('404 Customer not found');
    for (const { i_payment } of [wholesaler, sibling, stranger, nobody])
      expect(await outcome(paymentOf(reseller.as, i_payment))).toBe('404 Payment not found');
  });

  test('stays when a customer is deleted, for those above, with the payment that closed it', async () => {
    const { reseller, wholesaler, sibling, client, gone } = family;
    const { i_customer } = gone;
    const [closing] = await list(i_customer, { type: 'debit' });
    expect(closing).toMatchObject({ kind: 'closing', amount: 10, i_customer });
    for (const by of [reseller.as, wholesaler.as, server.root]) {
      expect(await paymentOf(by, gone.i_payment)).toMatchObject({ kind: 'opening', amount: 10 });
      expect(await paymentOf(by, closing?.['i_payment'])).toEqual(closing);
      expect(await list(i_customer, {}, by)).toMatchObject([{ kind: 'opening' }, { kind: 'closing' }]);
      const expected = { closing: 0, entries: [{ balance: 10 }, { balance: 0 }] };
      expect(await statement(i_customer, {}, by)).toMatchObject(expected);
    }
    for (const { as } of [sibling, client]) {
      expect(await outcome(list(i_customer, {}, as))).toBe('404 Customer not found');
      expect(await outcome(paymentOf(as, gone.i_payment))).toBe('404 Payment not found');
    }
    expect(await outcome(reverse(closing?.['i_payment']))).toBe('404 Payment not found');
  });
});

describe('getStatement', () => {
  test('opens, enters and closes: the periods of an account follow one another without a gap', async () => {
    const { i_customer } = await create(server.root, { balance: 100 });
    const moments: string[] = [];
    for (const [method, amount] of [
      ['customerDebit', 50.12],
      ['customerAddFunds', 20.12],
      ['customerCredit', 0.000001],
    ] as const) {
      // Times are given to the millisecond: one of it lies between this moment and the payments around it.
      await sleep(2);
      const [row] = await runSql<{ now: Date }>(server, 'SELECT clock_timestamp() AS now');
      moments.push(row?.now.toISOString() ?? '');
      await sleep(2);
      await funds(method, i_customer, amount, { payment_time: '2009-11-18', payment_notes: method });
    }
    const [first = '', second = '', third = ''] = moments;
    const whole = await statement(i_customer);
    expect(whole).toMatchObject({ result: 'OK', opening: 0, closing: 70.000001 });
    expect(whole['entries']).toMatchObject([
      { kind: 'opening', amount: 100, balance: 100, payment_notes: null },
      { kind: 'debit', amount: -50.12, balance: 49.88, payment_notes: 'customerDebit' },
      { kind: 'add_funds', amount: 20.12, balance: 70 },
      { kind: 'credit', amount: 0.000001, balance: 70.000001 },
    ]);
    for (const [rest, opening, count, closing] of [
      [{ end_date: first }, 0, 1, 100],
      [{ start_date: first, end_date: second }, 100, 1, 49.88],
      [{ start_date: second, end_date: third }, 49.88, 1, 70],
      [{ start_date: second }, 49.88, 2, 70.000001],
      [{ start_date: first, end_date: first }, 100, 0, 100],
      [{ start_date: third, end_date: first }, 70, 0, 70],
      [{ end_date: '2009-11-19' }, 0, 0, 0],
      [{ start_date: '2999-01-01' }, 70.000001, 0, 70.000001],
    ] as const) {
      const period = await statement(i_customer, rest);
      expect([rest, period]).toMatchObject([rest, { opening, closing, entries: { length: count } }]);
      expectConsistent(period);
    }
    const wrong = { start_date: '2009-02-30' };
    expect(await outcome(statement(i_customer, wrong))).toMatch(/^400 Parameter start_date /);
  });

  test('of an account that nothing was booked on is empty', async () => {
    const { i_customer } = await create(server.root);
    expect(await statement(i_customer)).toEqual({ result: 'OK', opening: 0, entries: [], closing: 0 });
  });

  test('is consistent while payments come in', async () => {
    const { i_customer } = await create(server.root, { balance: 1 });
    const statements: Promise<Members>[] = [];
    const payments = times(60, (index) => {
      statements.push(statement(i_customer));
      return add(i_customer, (index + 1) / 1_000_000);
    });
    expect(await tally(payments)).toEqual({ OK: 60 });
    const seen = await Promise.all(statements);
    seen.forEach(expectConsistent);
    expect(new Set(seen.map(({ closing }) => closing as number)).size).toBeGreaterThan(5);
    expect(await statement(i_customer)).toMatchObject({ closing: 1.00183 });
  });
});

describe('payment_time', () => {
  test.each([
    ['09:57:29.000 GMT Wed Nov 18 2009', '09:57:29.000 GMT Wed Nov 18 2009'],
    ['2009-11-18T09:57:29Z', '09:57:29.000 GMT Wed Nov 18 2009'],
    ['20091118T09:57:29', '09:57:29.000 GMT Wed Nov 18 2009'],
    ['2012-02-29 00:00:00.250', '00:00:00.250 GMT Wed Feb 29 2012'],
  ])('%s is kept as it is, with the notes', async (payment_time, answered) => {
    const { i_customer } = await create(server.root);
    const { i_payment } = await add(i_customer, 1, { payment_time, payment_notes: 'for Ü & co.' });
    expect(await paymentOf(server.root, i_payment)).toMatchObject({
      payment_time: answered,
      payment_notes: 'for Ü & co.',
    });
  });

  test('is now where it is absent', async () => {
    const { i_customer } = await create(server.root);
    const { i_payment } = await add(i_customer, 1);
    const [row] = await runSql<{ close: boolean }>(
      server,
      `SELECT payment_time = created_at AND created_at > now() - interval '20 s' AS close FROM payments WHERE i_payment = $1`,
      i_payment,
    );
    expect(row?.close).toBe(true);
    expect(await paymentOf(server.root, i_payment)).toMatchObject({ payment_notes: null });
  });

  test('that does not exist is refused and changes nothing', async () => {
    const { i_customer } = await create(server.root);
    const before = await kept(server);
    for (const payment_time of [
      '2009-02-30',
      '2010-02-29T00:00:00Z',
      '2009-13-01',
      '2009-11-18T24:00:00Z',
      '2009-11-18T09:60:00Z',
      '09:57:29.000 GMT Thu Nov 18 2009',
      '09:57:29.000 GMT Mon Feb 30 2009',
      '25:57:29.000 GMT Wed Nov 18 2009',
      '2009-11-18T09:57:29+02:00',
      'yesterday',
      '',
    ])
      for (const method of fundsMethods)
        expect([payment_time, await outcome(funds(method, i_customer, 1, { payment_time }))]).toEqual([
          payment_time,
          expect.stringMatching(/^400 Parameter payment_time must be a time \(UTC\) that exists/),
        ]);
    expect(await kept(server)).toEqual(before);
  });
});

describe('transferFunds', () => {
  test('moves at most what the giver has, whatever its credit limit, and names it', async () => {
    const { reseller, client, shop } = await makeFamily(server);
    await update(server.root, reseller, { credit_limit: 1_000 });
    const before = await kept(server);
    expect(await outcome(transfer(reseller.as, client.i_customer, 10.000001))).toBe(
      '402 Not enough money: 10 USD available',
    );
    expect(await kept(server)).toEqual(before);
    await transfer(reseller.as, shop.i_customer, 10);
    expect([await balanceOf(reseller.i_customer), await balanceOf(shop.i_customer)]).toEqual([0, 20]);
    await funds('customerDebit', reseller.i_customer, 5);
    expect(await outcome(transfer(reseller.as, client.i_customer, 1))).toBe(
      '402 Not enough money: 0 USD available',
    );
    await transfer(server.root, client.i_customer, 1_000_000);
  });

  test('goes neither upwards nor beside nor to oneself, nor into another currency', async () => {
    const { wholesaler, reseller, client, sibling, stranger, gone } = await makeFamily(server);
    const euros = await makeTariff(server, reseller, 'EUR');
    const { i_customer: european } = await create(reseller.as, { i_tariff: euros });
    const before = await kept(server);
    for (const i_customer of [wholesaler, reseller, sibling, stranger, gone, { i_customer: 1 }].map(
      (to) => to.i_customer,
    )) {
      expect(await outcome(transfer(reseller.as, i_customer, 1))).toBe('404 Customer not found');
      for (const method of fundsMethods)
        expect(await outcome(funds(method, i_customer, 1, {}, reseller.as))).toBe('404 Customer not found');
    }
    expect(await outcome(transfer(reseller.as, european, 1))).toMatch(/^400 .*USD, not EUR$/);
    await update(server.root, reseller, { customers_mgmt: 5 });
    const refused = [transfer(reseller.as, client.i_customer, 1), add(client.i_customer, 1, {}, reseller.as)];
    for (const answer of refused) expect(await outcome(answer)).toMatch(/^403 .*edit/);
    await update(server.root, reseller, { customers_mgmt: 7 });
    expect(await kept(server)).not.toEqual(before);
    expect(await balanceOf(client.i_customer)).toBe(10);
  });
});

describe('reversePayment', () => {
  test.each(fundsMethods)('takes a %s back once, by a payment that is linked to it', async (method) => {
    const { i_customer } = await create(server.root, { balance: 7 });
    const { i_payment } = await funds(method, i_customer, 2.5);
    const { i_payment: reversal } = await reverse(i_payment);
    expect(await balanceOf(i_customer)).toBe(7);
    expect(await paymentOf(server.root, i_payment)).toMatchObject({ reversed: true, i_reversed: null });
    const type = method === 'customerDebit' ? 'credit' : 'debit';
    expect(await paymentOf(server.root, reversal)).toMatchObject({
      kind: 'reversal',
      i_reversed: i_payment,
      amount: 2.5,
      type,
    });
    const before = await kept(server);
    expect(await outcome(reverse(i_payment))).toBe('409 The payment was reversed already');
    expect(await outcome(reverse(reversal))).toBe('409 A reversal cannot be reversed');
    expect(await kept(server)).toEqual(before);
  });

  test('takes no transfer back, and nothing of those who are not below', async () => {
    const { wholesaler, reseller, client, sibling, stranger, gone } = await makeFamily(server);
    const { i_payment } = await transfer(reseller.as, client.i_customer, 1);
    expect(await outcome(reverse(i_payment, reseller.as))).toBe('409 A transfer cannot be reversed');
    const before = await kept(server);
    for (const foreign of [wholesaler, reseller, sibling, stranger, gone, { i_payment: 2_000_000_000 }])
      expect(await outcome(reverse(foreign.i_payment, reseller.as))).toBe('404 Payment not found');
    expect(await kept(server)).toEqual(before);
  });

  test('twice at once is once', async () => {
    const { i_customer } = await create(server.root);
    const { i_payment } = await add(i_customer, 5);
    expect(await tally(times(2, () => reverse(i_payment)))).toEqual({
      OK: 1,
      '409 The payment was reversed already': 1,
    });
    expect(await balanceOf(i_customer)).toBe(0);
  });
});
