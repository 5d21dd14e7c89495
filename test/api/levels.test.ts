/** Who pays: every level of the tree is charged, prepaid money is charged once, and nobody consumes what nobody pays. */
import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { verifyBooks } from '../../src/features/ledger/verify';
import { consume, moveAccount } from '../../src/features/ledger/charging/consume';
import { kept, outcome, provenBooks, said, times } from '../setup/books';
import { create, makeTariff, post, rootLogin, runSql, update } from '../setup/family';
import { until } from '../setup/processes';
import { type Said, messageOf, newNumber, resellerOf } from '../setup/reseller';
import { logIn } from '../setup/tenant';
import { type Member, type Members, type TestServer, makeMember, startServer } from '../setup/server';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterEach(async () => {
  await runSql(server, 'DELETE FROM prices');
  await provenBooks(server);
  for await (const { found } of verifyBooks(server.db)) expect(found).toEqual([]);
});
afterAll(() => server.close());

/** Balance and prepaid part. */
const fundsOf = async ({ i_customer }: { i_customer: number }): Promise<[number, number]> => {
  const { customer } = await server.root.call('getCustomerInfo', { i_customer });
  const { balance, prepaid } = customer as { balance: number; prepaid: number };
  return [balance, prepaid];
};
const transfer = (by: Member, to: { i_customer: number }, amount: number) =>
  outcome(by.as.call('transferFunds', { i_customer: to.i_customer, amount }));
const buy = (by: Member): Promise<Said> =>
  resellerOf(server, by)('POST', '/voip/number', { number: newNumber() });
const setPrice = (by: Pick<Member, 'as'>, amount: unknown, rest: Members = {}) =>
  said(by.as, 'setPrice', { product: 'number', amount, ...rest });
const root = (): Pick<Member, 'as'> => ({ as: server.root });
const statement = async (by: Pick<Member, 'as'>, i_customer: number): Promise<Members[]> =>
  (await by.as.call('getStatement', { i_customer }))['entries'] as Members[];

/** An owner directly below root and a customer below it. */
async function makePair(owner: Members = {}, payer: Members = {}): Promise<{ owner: Member; payer: Member }> {
  const above = await makeMember(server, server.root, owner);
  return { owner: above, payer: await makeMember(server, above.as, payer) };
}

describe('the arithmetic', () => {
  const charges = (...levels: [price: string, prepaid: string, currency?: string][]): string[] =>
    consume(
      levels.map(([price, prepaid, currency = 'USD'], i_customer) => ({
        i_customer,
        price,
        prepaid,
        currency,
      })),
    ).map(({ charged, prepaid }) => `${charged} of which ${prepaid}`);

  test.each<[string, [string, string, string?][], string[]]>([
    [
      'covers a share of the price above',
      [
        ['10', '4'],
        ['8', '0'],
      ],
      ['10 of which 4', '4.8 of which 0'],
    ],
    [
      'covers no more than was paid below',
      [
        ['0.01', '0.01'],
        ['2', '0'],
      ],
      ['0.01 of which 0.01', '1.99 of which 0'],
    ],
    [
      'charges all where nothing is prepaid',
      [
        ['10', '0'],
        ['8', '0'],
      ],
      ['10 of which 0', '8 of which 0'],
    ],
    [
      'charges nothing above what is all prepaid',
      [
        ['10', '12'],
        ['8', '5'],
      ],
      ['10 of which 10', '0 of which 0'],
    ],
    [
      'adds what each level has prepaid',
      [
        ['10', '4'],
        ['8', '1'],
        ['8', '9'],
      ],
      ['10 of which 4', '4.8 of which 1', '3.8 of which 3.8'],
    ],
    [
      'covers nothing above a price of 0',
      [
        ['10', '10'],
        ['0', '0'],
        ['2', '0'],
      ],
      ['10 of which 10', '0 of which 0', '2 of which 0'],
    ],
    [
      'covers nothing across currencies',
      [
        ['10', '10', 'EUR'],
        ['8', '0'],
      ],
      ['10 of which 10', '8 of which 0'],
    ],
    [
      'rounds what is covered down',
      [
        ['3', '1'],
        ['2', '0'],
        ['1', '0'],
      ],
      ['3 of which 1', '1.333334 of which 0', '0.666667 of which 0'],
    ],
    [
      'is exact at both ends',
      [
        ['99999999999999.999999', '0.000001'],
        ['99999999999999.999999', '0'],
      ],
      ['99999999999999.999999 of which 0.000001', '99999999999999.999998 of which 0'],
    ],
  ])('%s', (_title, levels, expected) => {
    expect(charges(...levels)).toEqual(expected);
  });

  test('never charges less than 0, more than the price, or more from a prepaid part than it has', () => {
    const micros = (text: string): number => Math.round(Number(text) * 1e6);
    for (let round = 0; round < 2_000; round += 1) {
      const levels = times(1 + (round % 6), (i_customer) => {
        const [one, other] = [randomBytes(3).readUIntBE(0, 3), randomBytes(3).readUIntBE(0, 3)];
        const [price, prepaid] = [one % 7 === 0 ? 0 : one / 1e6, other % 5 === 0 ? 0 : other / 1e6].map(
          String,
        );
        return { i_customer, currency: 'USD', price: price ?? '', prepaid: prepaid ?? '' };
      });
      let paid = 0;
      for (const [index, charge] of consume(levels).entries()) {
        const level = levels[index];
        const charged = micros(charge.charged);
        expect(charged).toBeGreaterThanOrEqual(0);
        expect(charged).toBeLessThanOrEqual(micros(level?.price ?? ''));
        expect(micros(charge.prepaid)).toBeLessThanOrEqual(Math.min(charged, micros(level?.prepaid ?? '')));
        // What is not charged here was taken from prepaid parts below.
        expect(micros(level?.price ?? '') - charged).toBeLessThanOrEqual(paid);
        paid += micros(charge.prepaid);
      }
    }
  });

  test.each([
    ['a credit is not prepaid', ['10', '4'], '5', '0', '0'],
    ['a debit takes the other part first', ['10', '4'], '-6', '0', '0'],
    ['and then the prepaid part', ['10', '4'], '-8', '0', '-2'],
    ['down to nothing', ['10', '4'], '-80', '0', '-4'],
    ['a transfer is prepaid', ['10', '4'], '5', '5', '5'],
    ['but for what fills a debt', ['-3', '0'], '5', '5', '2'],
  ])('%s', (_title, [balance = '', prepaid = ''], amount, moved, expected) => {
    expect(moveAccount({ i_customer: 7, balance, prepaid }, amount, moved)).toEqual({
      i_customer: 7,
      amount,
      prepaid: expected,
    });
  });
});

describe('a purchase', () => {
  test('is paid at every level, by the price of each owner, less what is prepaid', async () => {
    const { owner, payer } = await makePair({ balance: 20 }, { credit_limit: 6 });
    await setPrice(root(), 8);
    await setPrice(owner, 10);
    expect(await transfer(owner, payer, 4)).toBe('OK');
    expect([await fundsOf(owner), await fundsOf(payer)]).toEqual([
      [16, 0],
      [4, 4],
    ]);
    const { body, status } = await buy(payer);
    expect([status, body['result']]).toEqual([
      200,
      expect.objectContaining({ cost: 10, cost_currency: 'USD' }),
    ]);
    expect([await fundsOf(owner), await fundsOf(payer)]).toEqual([
      [11.2, 0],
      [-6, 0],
    ]);
    // One payment with the entries of all levels; each reads what it may see.
    const charge = { kind: 'charge', amount: -10, prepaid: -4, balance: -6 };
    const level = { i_customer: owner.i_customer, amount: -4.8, prepaid: 0 };
    expect((await statement(payer, payer.i_customer)).at(-1)).toMatchObject({ ...charge, levels: [] });
    for (const by of [owner, root()])
      expect((await statement(by, payer.i_customer)).at(-1)).toMatchObject({ ...charge, levels: [level] });
    expect((await statement(owner, owner.i_customer)).at(-1)).toMatchObject({ kind: 'charge', amount: -4.8 });
  });

  test('below cost is the loss of the seller', async () => {
    const { owner, payer } = await makePair({ balance: 10 });
    await setPrice(root(), 2);
    await setPrice(owner, 0.01);
    await transfer(owner, payer, 0.01);
    expect((await buy(payer)).status).toBe(200);
    expect([await fundsOf(owner), await fundsOf(payer)]).toEqual([
      [8, 0],
      [0, 0],
    ]);
    // Given away, it costs the seller all the same.
    await setPrice(owner, 0);
    expect((await buy(payer)).body['result']).toMatchObject({ cost: 0, cost_currency: null });
    expect([await fundsOf(owner), await fundsOf(payer)]).toEqual([
      [6, 0],
      [0, 0],
    ]);
  });

  test('with credit that nobody stands for is refused, and nothing happens at any level', async () => {
    await setPrice(root(), 2);
    const { owner, payer } = await makePair({ balance: 0 }, { credit_limit: 99_999_999_999_999 });
    const shop = await makeMember(server, payer.as, { balance: 1_000 });
    const { i_customer } = await create(shop.as);
    const before = await kept(server);
    for (const by of [payer, shop]) expect(messageOf(await buy(by))).toBe('402 Not enough money');
    expect(await transfer(shop, { i_customer }, 5)).toBe('402 Not enough money');
    expect(await kept(server)).toEqual(before);
    const bought = 'SELECT FROM numbers WHERE i_customer = ANY($1)';
    expect(await runSql(server, bought, [payer.i_customer, shop.i_customer])).toEqual([]);
    // What nobody bought leaves no debt behind.
    await owner.as.call('deleteCustomer', { i_customer });
    expect(await fundsOf(owner)).toEqual([0, 0]);
  });

  test('tells those above which level is short, and those below only that one is', async () => {
    await setPrice(root(), 2);
    const { owner, payer } = await makePair({ balance: 3 }, { balance: 1 });
    const shop = await makeMember(server, payer.as, { balance: 9 });
    // The payer is short by one: the shop below it reads less than the payer itself.
    expect(messageOf(await buy(payer))).toBe('402 Not enough money: it costs 2 USD, 1 more than there is');
    expect(messageOf(await buy(shop))).toBe('402 Not enough money');
    const small = await create(shop.as);
    const params = { i_customer: small.i_customer, amount: 5, i_wholesaler: shop.i_customer };
    const named = `402 Not enough money at customer ${payer.i_customer}: it costs 5 USD, 4 more than there is`;
    for (const by of [owner.as, server.root]) expect(await said(by, 'transferFunds', params)).toBe(named);
    expect(await said(shop.as, 'transferFunds', params)).toBe('402 Not enough money');
    expect(await said(payer.as, 'transferFunds', params)).toBe(
      '402 Not enough money: it costs 5 USD, 4 more than there is',
    );
  });
});

describe('a transfer', () => {
  test('takes the prepaid part first and charges the rest to every level above', async () => {
    const { owner, payer } = await makePair({ balance: 20 }, { balance: 6 });
    const shop = await makeMember(server, payer.as);
    await transfer(owner, payer, 4);
    expect(await fundsOf(payer)).toEqual([10, 4]);
    expect(await transfer(payer, shop, 5)).toBe('OK');
    // Four of the five were paid by the owner already.
    expect([await fundsOf(owner), await fundsOf(payer), await fundsOf(shop)]).toEqual([
      [15, 0],
      [5, 0],
      [5, 5],
    ]);
    await setPrice(root(), 3);
    expect((await buy(shop)).status).toBe(200);
    expect([await fundsOf(owner), await fundsOf(payer), await fundsOf(shop)]).toEqual([
      [15, 0],
      [5, 0],
      [2, 2],
    ]);
  });

  test('is refused where a level above is billed in another currency', async () => {
    const owner = await makeMember(server, server.root, { balance: 20 });
    const i_tariff = await makeTariff(server, owner, 'EUR');
    const payer = await makeMember(server, owner.as, { i_tariff, balance: 10 });
    const { i_customer } = await create(payer.as);
    const before = await kept(server);
    expect(await transfer(payer, { i_customer }, 5)).toMatch(/^400 Parameter i_customer .*EUR/);
    expect(await kept(server)).toEqual(before);
  });

  test('handed up and down and spent at once leaves nothing unpaid', async () => {
    await setPrice(root(), 1);
    const { owner, payer } = await makePair({ balance: 100 }, { balance: 30 });
    // Nobody falls below zero: what of a transfer fills a debt is not prepaid.
    const shop = await makeMember(server, payer.as, { balance: 30 });
    const small = await makeMember(server, shop.as, { balance: 30 });
    const before = await fundsOf(owner);
    const answers = await Promise.all(
      times(60, async (index) => {
        switch (index % 6) {
          case 0:
            return transfer(owner, payer, 0.5);
          case 1:
            return transfer(payer, small, 0.7);
          case 2:
            return transfer(shop, small, 0.3);
          case 3:
            return messageOf(await buy(small));
          case 4:
            return messageOf(await buy(shop));
          default:
            return said(server.root, 'customerDebit', {
              i_customer: payer.i_customer,
              amount: 0.1,
              currency: 'USD',
            });
        }
      }),
    );
    expect(answers.filter((answer) => !/^(OK|200 undefined|402 Not enough money)/.test(answer))).toEqual([]);
    const bought = answers.filter((answer) => answer.startsWith('200')).length;
    expect(bought).toBeGreaterThan(0);
    // What is below the owner and prepaid is what it handed on or was charged for, less what was consumed.
    const prepaid = (await Promise.all([payer, shop, small].map(fundsOf))).reduce(
      (sum, [, part]) => sum + part,
      0,
    );
    const [left] = await fundsOf(owner);
    const debited = await runSql<{ lost: string }>(
      server,
      `SELECT coalesce(-sum(e.prepaid), 0)::text AS lost FROM entries e JOIN payments p USING (i_payment)
       WHERE p.kind = 'debit' AND e.i_customer = $1`,
      payer.i_customer,
    );
    expect(before[0] - left).toBeCloseTo(bought + prepaid + Number(debited[0]?.lost), 6);
  });
});

describe('prices', () => {
  test("have owners, pass through where there is none, and are nobody else's", async () => {
    const { owner, payer } = await makePair({ balance: 50 }, { balance: 50 });
    const shop = await makeMember(server, payer.as, { balance: 50 });
    await setPrice(root(), 1);
    expect(await setPrice(owner, '2.50')).toBe('OK');
    expect((await owner.as.call('listPrices'))['prices']).toEqual([
      { product: 'number', currency: 'USD', amount: 2.5 },
    ]);
    expect((await payer.as.call('listPrices'))['prices']).toEqual([]);
    expect((await buy(shop)).body['result']).toMatchObject({ cost: 2.5 });
    expect([await fundsOf(owner), await fundsOf(payer), await fundsOf(shop)]).toEqual([
      [49, 0],
      [47.5, 0],
      [47.5, 0],
    ]);
    expect(await said(payer.as, 'deletePrice', { product: 'number' })).toBe('404 Price not found');
    expect(await said(owner.as, 'deletePrice', { product: 'number' })).toBe('OK');
    expect((await buy(shop)).body['result']).toMatchObject({ cost: 1 });
    expect(await setPrice(owner, -1)).toMatch(/^400 Parameter amount must be at least 0/);
    expect(await setPrice(owner, 1, { currency: 'XXZ' })).toMatch(/^400 Parameter currency/);
    await setPrice(payer, 3);
    await server.root.call('updateCustomer', { i_customer: owner.i_customer, tariffs_mgmt: 1 });
    for (const [method, params] of [
      ['setPrice', { product: 'number', amount: 1 }],
      ['deletePrice', { product: 'number' }],
    ] as const)
      expect(await said(payer.as, method, params)).toMatch(/^403/);
  });

  test('go with the customer that is deleted', async () => {
    const { owner, payer } = await makePair();
    await setPrice(payer, 3);
    await owner.as.call('deleteCustomer', { i_customer: payer.i_customer });
    expect(await runSql(server, 'SELECT FROM prices WHERE i_customer = $1', payer.i_customer)).toEqual([]);
  });
});

test('a charge over two currencies is listed for each level in its own', async () => {
  const owner = await makeMember(server, server.root, { balance: 20 });
  const i_tariff = await makeTariff(server, owner, 'EUR');
  const payer = await makeMember(server, owner.as, { i_tariff, balance: 10 });
  await setPrice(root(), 8);
  await setPrice(owner, 3, { currency: 'EUR' });
  await buy(payer);
  const listed = async (i_customer: number): Promise<unknown[]> => {
    const { payments } = await server.root.call('getPaymentsList', { i_customer });
    return (payments as { amount: number; currency: string }[])
      .slice(-1)
      .map(({ amount, currency }) => [amount, currency]);
  };
  expect([await listed(owner.i_customer), await listed(payer.i_customer)]).toEqual([
    [[8, 'USD']],
    [[3, 'EUR']],
  ]);
});

describe('a charge taken back', () => {
  test('is taken back at every level, prepaid parts as such, once and by root only', async () => {
    await setPrice(root(), 8);
    const { owner, payer } = await makePair({ balance: 20 }, { balance: 6 });
    await setPrice(owner, 10);
    await transfer(owner, payer, 4);
    await buy(payer);
    const [{ i_payment } = {}] = (await statement(payer, payer.i_customer)).slice(-1);
    for (const by of [owner.as, payer.as])
      expect(await said(by, 'reversePayment', { i_payment })).toMatch(/^(403 Only root|404)/);
    const answers = await Promise.all(times(5, () => said(server.root, 'reversePayment', { i_payment })));
    expect(answers.filter((answer) => answer === 'OK')).toHaveLength(1);
    // The missing right is told before the conflict.
    expect(await said(owner.as, 'reversePayment', { i_payment })).toMatch(/^403 Only root/);
    expect([await fundsOf(owner), await fundsOf(payer)]).toEqual([
      [16, 0],
      [10, 4],
    ]);
  });
});

describe('deletion', () => {
  test('books a debt to the owner and gives prepaid money back to it', async () => {
    const { owner, payer } = await makePair({ balance: 20 }, { balance: -3 });
    expect(await owner.as.call('deleteCustomer', { i_customer: payer.i_customer })).toEqual({
      result: 'OK',
      closed: -3,
      returned: 0,
      debt: 3,
    });
    expect(await fundsOf(owner)).toEqual([17, 0]);
    const other = await makeMember(server, owner.as, { balance: 5 });
    await transfer(owner, other, 4);
    expect(await server.root.call('deleteCustomer', { i_customer: other.i_customer })).toEqual({
      result: 'OK',
      closed: 9,
      returned: 4,
      debt: 0,
    });
    // The five that were granted are nobody's now.
    expect(await fundsOf(owner)).toEqual([17, 4]);
  });

  test('over REST of one that holds money is 409, unless it may be closed', async () => {
    const { owner, payer } = await makePair({ balance: 20, customers_mgmt: 7 }, { balance: 2 });
    const other = await makeMember(server, owner.as, { balance: 1 });
    const uuidOf = async (i_customer: number): Promise<string> => {
      const sql = 'SELECT uuid FROM customers WHERE i_customer = $1';
      return String((await runSql<{ uuid: string }>(server, sql, i_customer))[0]?.uuid);
    };
    const path = `/account/reseller/${await uuidOf(payer.i_customer)}`;
    const call = resellerOf(server, owner);
    expect(messageOf(await call('DELETE', path))).toMatch(/^409 The customer still holds money/);
    expect(messageOf(await call('DELETE', `${path}?close_balance=false`))).toMatch(/^409/);
    expect((await call('DELETE', `${path}?close_balance=maybe`)).status).toBe(400);
    expect((await call('DELETE', `${path}?close_balance=true`)).body['result']).toEqual({
      closed: 2,
      returned: 0,
      debt: 0,
    });
    const tenant = await logIn(server, owner.name, 'correct-horse-1');
    const id = await uuidOf(other.i_customer);
    expect((await tenant.ask('DELETE', `/customers/${id}`)).status).toBe(409);
    expect((await tenant.ask('DELETE', `/customers/${id}?close_balance=true`)).status).toBe(200);
  });

  test('during purchases and transfers leaves the books right', async () => {
    await setPrice(root(), 1);
    const { owner } = await makePair({ balance: 100 });
    const doomed = await Promise.all(times(4, () => makeMember(server, owner.as, { credit_limit: 3 })));
    const answers = await Promise.all(
      doomed.flatMap((member) => [
        transfer(owner, member, 2),
        buy(member).then(({ status }) => String(status)),
        buy(member).then(({ status }) => String(status)),
        said(owner.as, 'deleteCustomer', { i_customer: member.i_customer }),
      ]),
    );
    expect(answers.filter((answer) => !/^(OK|200|401|403|404)/.test(answer))).toEqual([]);
    expect(answers.filter((answer) => answer === 'OK').length).toBeGreaterThanOrEqual(4);
    // All lock in one order, so nobody waits for somebody who waits for him.
    const deadlocks = 'SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()';
    expect(await runSql(server, deadlocks)).toEqual([{ deadlocks: 0 }]);
  });
});

describe('overcommit protection at every depth', () => {
  test('holds while customers at several depths are topped up, spend, and it is switched', async () => {
    await setPrice(root(), 0.5);
    const owner = await makeMember(server, server.root, { balance: 100, overcommit_protection: true });
    const middle = await makeMember(server, owner.as, { balance: 10 });
    const leaf = await makeMember(server, middle.as, { balance: 10 });
    const money = { amount: 7, currency: 'USD' };
    const answers = await Promise.all(
      times(48, async (index) => {
        switch (index % 6) {
          case 0:
            return said(owner.as, 'customerAddFunds', { i_customer: middle.i_customer, ...money });
          case 1:
            return said(middle.as, 'customerCredit', { i_customer: leaf.i_customer, ...money });
          case 2:
            return outcome(update(middle.as, leaf, { credit_limit: index }));
          case 3:
            return outcome(update(server.root, owner, { overcommit_protection: index % 4 === 1 }));
          case 4:
            return said(middle.as, 'transferFunds', { i_customer: leaf.i_customer, amount: 1 });
          default:
            return messageOf(await buy(leaf));
        }
      }),
    );
    expect(answers.filter((answer) => !/^(OK|200 undefined|402 )/.test(answer))).toEqual([]);
  });

  test('lets no more than its limit through at two depths at once', async () => {
    const owner = await makeMember(server, server.root, { balance: 100, overcommit_protection: true });
    const middle = await makeMember(server, owner.as);
    const leaf = await makeMember(server, middle.as);
    const add = (by: Member, { i_customer }: Member) =>
      said(by.as, 'customerAddFunds', { i_customer, amount: 10, currency: 'USD' });
    const answers = await Promise.all(
      times(30, (index) => (index % 2 ? add(owner, middle) : add(middle, leaf))),
    );
    expect(answers.filter((answer) => answer === 'OK')).toHaveLength(10);
    expect(answers.filter((answer) => answer.startsWith('402 Over the overcommit limit'))).toHaveLength(20);
  });
});

describe('a statement', () => {
  test('whose end has passed waits for what may still be dated before it, and an older one does not', async () => {
    const { i_customer } = await create(server.root, { balance: 5 });
    const holder = new Client(server.connection);
    await holder.connect();
    try {
      await holder.query('BEGIN');
      await holder.query('SELECT FROM customers WHERE i_customer = $1 FOR NO KEY UPDATE', [i_customer]);
      const ask = (end_date: string) => server.root.call('getStatement', { i_customer, end_date });
      expect(await ask('2020-01-01')).toMatchObject({ closing: 0 });
      let isAnswered = false;
      const recent = ask(new Date(Date.now() - 1).toISOString()).then((answer) => {
        isAnswered = true;
        return answer;
      });
      const waiting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
      await until('the statement to wait', async () => (await runSql(server, waiting)).length > 0);
      expect(isAnswered).toBe(false);
      await holder.query('COMMIT');
      expect(await recent).toMatchObject({ closing: 5 });
    } finally {
      await holder.end();
    }
  });

  test('reads the entries of its period, however many there are before and behind', async () => {
    const { i_customer } = await create(server.root, { balance: 5 });
    await runSql(
      server,
      `WITH made AS (
         INSERT INTO payments (kind, i_customer, amount, currency, request_id)
         SELECT 'add_funds', $1, 1, 'USD', 'many' FROM generate_series(1, 20000) RETURNING i_payment),
       booked AS (
         INSERT INTO entries (i_payment, i_customer, currency, amount, balance_after, booked_at)
         SELECT i_payment, $1::int, 'USD', 1, 5 + row_number() OVER (ORDER BY i_payment),
           now() + row_number() OVER (ORDER BY i_payment) * interval '1 minute' FROM made
         UNION ALL SELECT i_payment, NULL, 'USD', -1, NULL, now() FROM made)
       UPDATE customers SET balance = balance + 20000, booked_at = now() + interval '20001 minutes' WHERE i_customer = $1`,
      i_customer,
    );
    await runSql(server, 'ANALYZE payments, entries, customers');
    const at = (minutes: number): string => new Date(Date.now() + minutes * 60_000).toISOString();
    const params = { i_customer, start_date: at(10_000), end_date: at(10_010) };
    const { opening, entries, closing } = await server.root.call('getStatement', params);
    expect(entries).toHaveLength(10);
    expect(closing - opening).toBe(10);
    // A later payment is dated behind all of them, though the clock is far before.
    await server.root.call('customerDebit', { i_customer, amount: 1, currency: 'USD' });
  });
});

test('i_payment goes past 2^31', async () => {
  const { i_customer } = await create(server.root, { balance: 5 });
  await runSql(server, 'ALTER SEQUENCE payments_i_payment_seq RESTART WITH 2147483647');
  const params = { i_customer, amount: 1, currency: 'USD' };
  const bodies: string[] = [];
  for (let call = 0; call < 3; call += 1)
    bodies.push((await post(server, { method: 'customerAddFunds', params, login: rootLogin })).body);
  expect(bodies.map((body) => /<(int|i8)>(\d+)</.exec(body)?.slice(1))).toEqual([
    ['int', '2147483647'],
    ['i8', '2147483648'],
    ['i8', '2147483649'],
  ]);
  const ask = (method: string, given: Members) => post(server, { method, params: given, login: rootLogin });
  const found = await ask('getPaymentInfo', { i_payment: '2147483648' });
  expect(found.body).toContain('<name>i_payment</name><value><i8>2147483648</i8>');
  expect((await ask('reversePayment', { i_payment: '2147483649' })).body).toContain('<i8>2147483650</i8>');
  expect(await said(server.root, 'getPaymentInfo', { i_payment: '9007199254740991' })).toBe(
    '404 Payment not found',
  );
  expect(await said(server.root, 'getPaymentInfo', { i_payment: '9007199254740993' })).toMatch(
    /^400 Parameter i_payment/,
  );
  const json = await fetch(`${server.url}/json/getPaymentInfo`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(rootLogin.join(':')).toString('base64')}` },
    body: JSON.stringify({ i_payment: 2147483648 }),
  });
  expect(await json.json()).toMatchObject({ payment: { i_payment: 2147483648, reversed: false } });
  const owner = await makeMember(server, server.root, { balance: 3 });
  await setPrice(root(), 1);
  expect((await buy(owner)).body['result']).toMatchObject({ cost: 1 });
});
