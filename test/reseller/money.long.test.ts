/** Credit that is handed on and charges for what is made: one set of books, no cent lost, nobody overdrawn. */
import { kept, provenBooks, times } from '../setup/books';
import { runSql } from '../setup/family';
import { messageOf, newNumber, resellerAs, resellerOf, resultOf, rootIdentity } from '../setup/reseller';
import { type Member, type TestServer, makeMember, startServer, uniqueName } from '../setup/server';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  await provenBooks(server);
  await server.close();
});

const balanceOf = async ({ i_customer }: Pick<Member, 'i_customer'>): Promise<number> => {
  const { customer } = await server.root.call('getCustomerInfo', { i_customer });
  return (customer as { balance: number }).balance;
};
const uuidOf = async ({ i_customer }: Pick<Member, 'i_customer'>): Promise<string> => {
  const [row] = await runSql<{ uuid: string }>(
    server,
    'SELECT uuid FROM customers WHERE i_customer = $1',
    i_customer,
  );
  return row?.uuid ?? '';
};
const setPrice = (product: string, amount: string, currency = 'USD'): Promise<unknown> =>
  runSql(
    server,
    `INSERT INTO prices (product, currency, amount) VALUES ($1, $3, $2)
     ON CONFLICT ON CONSTRAINT prices_pkey DO UPDATE SET amount = excluded.amount`,
    product,
    amount,
    currency,
  );

describe('calling credit', () => {
  test('a thousand transfers at once never overdraw the giver and lose no cent', async () => {
    const giver = await makeMember(server, server.root, { balance: 5 });
    const receivers = [await makeMember(server, giver.as), await makeMember(server, giver.as)];
    const paths = await Promise.all(receivers.map(async (one) => `/account/reseller/${await uuidOf(one)}`));
    const call = resellerOf(server, giver);
    const answers = await Promise.all(
      times(1_000, async (n) => {
        // A server that is too busy says so, and has moved nothing.
        for (;;) {
          const said = await call('PUT', paths[n % 2] ?? '', { balance: '0.01' });
          if (said.status !== 503) return said;
        }
      }),
    );
    const count = (status: number) => answers.filter((answer) => answer.status === status).length;
    expect([count(200), count(402)]).toEqual([500, 500]);
    expect(await balanceOf(giver)).toBe(0);
    const received = await Promise.all(receivers.map(balanceOf));
    expect(received.reduce((sum, balance) => sum + Math.round(balance * 100), 0)).toBe(500);
    await provenBooks(server);
  }, 60_000);

  test('amounts from 0.01 up to the whole balance, written as decimals of at most three places', async () => {
    const giver = await makeMember(server, server.root, { balance: 20, credit_limit: 100 });
    const receiver = await makeMember(server, giver.as);
    const path = `/account/reseller/${await uuidOf(receiver)}`;
    const call = resellerOf(server, giver);
    const before = await kept(server);
    const refused = [
      ...['"0.009"', '0.009', '0', '"0"', '"-1"', '-1', '"1e2"', '1e2', '1E2', '"1.0005"', '1.0005', '"+1"'],
      ...['" 1"', '""', '"."', '"1."', '".5"', '"01"', '"NaN"', '"1,5"', 'true', 'null', '[]', '{}', '"٣"'],
    ];
    for (const amount of refused) {
      const answer = await call('PUT', path, `{"balance":${amount}}`);
      expect([amount, answer.status, answer.body['errors'][0].field]).toEqual([amount, 400, 'balance']);
    }
    for (const amount of ['20.001', '99999999999999'])
      expect(messageOf(await call('PUT', path, { balance: amount }))).toMatch(
        /^402 Not enough money: 20 USD/,
      );
    expect(messageOf(await call('PUT', path, { balance: '1', name: 'x' }))).toBe(
      '400 Parameter balance must not be given with other members',
    );
    expect(await kept(server)).toEqual(before);
    for (const [amount, after] of [
      ['0.01', 0.01],
      [0.99, 1],
      ['9.000', 10],
      [10, 20],
    ] as const) {
      expect(await resultOf(call('PUT', path, { balance: amount }))).toMatchObject({ balance: after });
    }
    expect(await resultOf(call('GET', '/account/balance'))).toEqual({
      balance: 0,
      credit_limit: 100,
      currency: 'USD',
    });
    const { payments } = await receiver.as.call('getPaymentsList', { i_customer: receiver.i_customer });
    expect((payments as { kind: string }[]).map(({ kind }) => kind)).toEqual(Array(4).fill('transfer'));
  });

  test('comes from the actor where X-Auth-For names one, and needs its right to edit', async () => {
    const caller = await makeMember(server, server.root, { balance: 50 });
    const actor = await makeMember(server, caller.as, { balance: 5 });
    const receiver = await makeMember(server, actor.as);
    const path = `/account/reseller/${await uuidOf(receiver)}`;
    const call = resellerOf(server, caller, actor.name);
    expect(await resultOf(call('PUT', path, { balance: 3 }))).toMatchObject({ balance: 3 });
    // What the actor hands on is charged to those above it, too.
    expect([await balanceOf(caller), await balanceOf(actor)]).toEqual([47, 2]);
    await caller.as.call('updateCustomer', { i_customer: actor.i_customer, customers_mgmt: 1 });
    expect((await call('PUT', path, { balance: 1 })).status).toBe(403);
  });
});

describe('what is made', () => {
  test('is charged to the caller and belongs to the customer', async () => {
    await setPrice('number', '1.50');
    const caller = await makeMember(server, server.root, { balance: 2, credit_limit: 1 });
    const owner = await makeMember(server, caller.as, { balance: 7 });
    const call = resellerOf(server, caller, owner.name);
    const made = await resultOf(call('POST', '/voip/number', { number: newNumber() }));
    expect(made).toMatchObject({ cost: 1.5, cost_currency: 'USD' });
    expect(await resultOf(call('GET', `/voip/number/${String(made.uuid)}`))).toEqual(made);
    // The credit limit is good for it, too: 2 + 1 is twice the price.
    await resultOf(call('POST', '/voip/number', { number: newNumber() }));
    expect([await balanceOf(caller), await balanceOf(owner)]).toEqual([-1, 7]);
    const before = await kept(server);
    const number = newNumber();
    expect(messageOf(await call('POST', '/voip/number', { number }))).toMatch(
      /^402 Not enough money: it costs 1.5 USD/,
    );
    expect(await kept(server)).toEqual(before);
    expect(await resultOf(call('GET', '/voip/number'))).toHaveLength(2);
    // The owner itself pays for its own, and so does the caller above it, who must have the money.
    expect(messageOf(await resellerOf(server, owner)('POST', '/voip/number', { number }))).toBe(
      '402 Not enough money',
    );
    await server.root.call('updateCustomer', { i_customer: caller.i_customer, balance: 0.5 });
    expect(await resultOf(resellerOf(server, owner)('POST', '/voip/number', { number }))).toMatchObject({
      cost: 1.5,
    });
    expect([await balanceOf(owner), await balanceOf(caller)]).toEqual([5.5, -1]);
    expect(await resultOf(resellerOf(server, caller)('GET', '/voip/number'))).toEqual([]);
    const { payments } = await caller.as.call('getPaymentsList', {
      i_customer: caller.i_customer,
      type: 'debit',
    });
    expect(
      (payments as { kind: string; amount: number }[]).map(({ kind, amount }) => [kind, amount]),
    ).toEqual([
      ['charge', 1.5],
      ['charge', 1.5],
      ['charge', 1.5],
    ]);
    await setPrice('number', '0');
  });

  test('of many made at once, no more than there is money for', async () => {
    await setPrice('domain', '1');
    const caller = await makeMember(server, server.root, { balance: 10 });
    const call = resellerOf(server, caller);
    const answers = await Promise.all(
      times(30, () => call('POST', '/dom/domain', { name: `${uniqueName('d')}.example` })),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(10);
    expect(answers.filter(({ status }) => status === 402)).toHaveLength(20);
    expect(await balanceOf(caller)).toBe(0);
    await setPrice('domain', '0');
  });

  test('is refused where there is no price in the currency of the caller; root pays nothing', async () => {
    await setPrice('sip_user', '2', 'EUR');
    const caller = await makeMember(server, server.root, { balance: 10 });
    const sipUser = { name: 'ann', password: 'correct-horse-1' };
    const answer = await resellerOf(server, caller)('POST', '/voip/user', sipUser);
    expect(messageOf(answer)).toMatch(/^409 There is no price in USD/);
    expect(await resultOf(resellerOf(server, caller)('GET', '/voip/user'))).toEqual([]);
    const asRoot = resellerAs(server, { ...rootIdentity, for: caller.name });
    expect(await resultOf(asRoot('POST', '/voip/user', sipUser))).toMatchObject({
      cost: 0,
      cost_currency: null,
    });
    await runSql(server, 'DELETE FROM prices');
  });
});

describe('Idempotency-Key', () => {
  const once = { 'idempotency-key': 'one' };

  test('a repeated call answers the first answer; another body under it is refused; so is nobody else', async () => {
    const caller = await makeMember(server, server.root, { balance: 10 });
    const [first, second] = [await makeMember(server, caller.as), await makeMember(server, caller.as)];
    const call = resellerOf(server, caller);
    const path = `/account/reseller/${await uuidOf(first)}`;
    const answers = await Promise.all(times(20, () => call('PUT', path, { balance: 1 }, once)));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect([await balanceOf(caller), await balanceOf(first)]).toEqual([9, 1]);
    expect(messageOf(await call('PUT', path, { balance: 2 }, once))).toMatch(/^409/);
    // Another path, another actor, another caller: another key.
    await resultOf(call('PUT', `/account/reseller/${await uuidOf(second)}`, { balance: 1 }, once));
    const number = newNumber();
    const [mine, again] = [
      await call('POST', '/voip/number', { number }, once),
      await call('POST', '/voip/number', { number }, once),
    ];
    expect([mine.status, again.text]).toEqual([200, mine.text]);
    for (const name of [first.name, second.name])
      expect((await resellerOf(server, caller, name)('POST', '/voip/number', { number }, once)).status).toBe(
        409,
      );
    expect(
      (await resellerOf(server, first)('POST', '/voip/number', { number: newNumber() }, once)).status,
    ).toBe(200);
  });

  test('a refused call keeps no key, and a key must be one', async () => {
    const caller = await makeMember(server);
    const call = resellerOf(server, caller);
    const name = `${uniqueName('d')}.example`;
    expect((await call('POST', '/dom/domain', { name: 'no host' }, once)).status).toBe(400);
    expect((await call('POST', '/dom/domain', { name }, once)).status).toBe(200);
    expect((await call('POST', '/dom/domain', { name }, { 'idempotency-key': 'x'.repeat(256) })).status).toBe(
      400,
    );
  });

  test('a hundred customers made at once with one key are one', async () => {
    const caller = await makeMember(server);
    const call = resellerOf(server, caller);
    const body = {
      name: uniqueName('once'),
      contact_name: 'One',
      users: [{ name: 'admin', password: 'correct-horse-1', role_id: 1 }],
    };
    const answers = await Promise.all(times(100, () => call('POST', '/account/reseller', body, once)));
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(await resultOf(call('GET', '/account/reseller'))).toHaveLength(1);
    const [row] = await runSql<{ found: boolean }>(
      server,
      `SELECT EXISTS (SELECT FROM idempotency_keys k WHERE k::text LIKE '%correct-horse-1%') AS found`,
    );
    expect(row).toEqual({ found: false });
  });
});
