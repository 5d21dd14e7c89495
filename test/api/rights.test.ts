/** What a customer may do and may grant: effective rights, depth, references within reach. */
import {
  type Family,
  block,
  create,
  createFault,
  makeFamily,
  makeTariff,
  naming,
  nobody,
  post,
  update,
  updateFault,
} from '../setup/family';
import {
  type Caller,
  type Member,
  type Members,
  type TestServer,
  apiPassword,
  makeMember,
  newCustomer,
  startServer,
} from '../setup/server';

const masks = ['accounts_mgmt', 'customers_mgmt', 'tariffs_mgmt', 'vouchers_mgmt'];
const switches = [
  'system_mgmt',
  'api_mgmt',
  'use_own_tariff',
  'did_pool_enabled',
  'ivr_apps_enabled',
  'asr_acd_enabled',
  'debit_credit_cards_enabled',
];
const trustedHost = '127.0.0.2';

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ TRUSTED_HOSTS: trustedHost });
});
afterAll(() => server.close());

const without = (names: readonly string[]): Members => Object.fromEntries(names.map((name) => [name, 0]));
const info = async (by: Caller, { i_customer }: { i_customer: number }): Promise<Members> =>
  (await by.call('getCustomerInfo', { i_customer }))['customer'] as Members;

describe('a right holds only while everybody above has it', () => {
  let top: Member;
  let middle: Member;
  let low: Member;
  let lowest: { i_customer: number };
  beforeAll(async () => {
    top = await makeMember(server);
    middle = await makeMember(server, top.as);
    low = await makeMember(server, middle.as);
    lowest = await create(low.as);
  });

  test('customers_mgmt that is taken away at the top is gone below at once, and comes back with it', async () => {
    await update(server.root, top, { customers_mgmt: 0 });
    for (const member of [top, middle, low]) {
      expect(await createFault(member.as)).toEqual(naming('customers_mgmt'));
      expect(await updateFault(member.as, lowest, { description: 'x' })).toEqual(naming('customers_mgmt'));
      expect(await member.as.fault('deleteCustomer', lowest)).toEqual(naming('customers_mgmt'));
      expect(await info(member.as, lowest)).toMatchObject({ ...lowest, description: null });
    }
    expect(await info(low.as, low)).toMatchObject({ customers_mgmt: 7 });
    await update(server.root, top, { customers_mgmt: 7 });
    await update(low.as, lowest, { description: 'again' });
  });

  test('api_access that is switched off at the top closes the API below at once', async () => {
    await update(server.root, top, { api_access: 0 });
    for (const member of [top, middle, low])
      expect(await member.as.fault('listCustomers')).toMatchObject({ faultCode: 403 });
    await update(server.root, top, { api_access: 1 });
    await low.as.call('listCustomers');
  });

  test('who is below a blocked customer is blocked, with a password and from a trusted host', async () => {
    await block(server, top);
    for (const { i_customer, as } of [top, middle, low]) {
      expect(await as.fault('listCustomers')).toMatchObject({ faultCode: 403 });
      const answer = await post(server, {
        method: 'listCustomers',
        params: { i_wholesaler: i_customer },
        from: trustedHost,
      });
      expect(answer.fault).toBe(403);
      expect(await server.root.fault('listCustomers', { i_wholesaler: i_customer })).toMatchObject({
        faultCode: 403,
      });
    }
    await block(server, top, false);
    await low.as.call('listCustomers');
  });

  test.each([...masks, ...switches])(
    '%s that was taken away at the top cannot be granted below',
    async (name) => {
      await update(server.root, top, { [name]: 0 });
      const fault = await createFault(low.as, { i_tariff: 1, [name]: 1 });
      // Without customers_mgmt nothing can be created at all.
      expect(fault).toEqual(naming(name));
      expect(await updateFault(server.root, lowest, { [name]: 1 })).toEqual(naming(name));
      await update(server.root, top, { [name]: masks.includes(name) ? 7 : 1 });
      await create(low.as, { [name]: 1 });
    },
  );

  test('without api_mgmt and use_own_tariff at the top nobody below opens the API or uses the own tariff', async () => {
    await update(server.root, top, { api_mgmt: 0 });
    expect(await createFault(low.as, { api_access: 1 })).toEqual(naming('api_access'));
    expect(await updateFault(low.as, lowest, { api_password: apiPassword })).toEqual(naming('api_password'));
    await update(server.root, top, { api_mgmt: 1, use_own_tariff: 0 });
    expect(await createFault(low.as)).toEqual(naming('use_own_tariff'));
    await update(server.root, top, { use_own_tariff: 1 });
    await create(low.as, { api_access: 1, api_password: apiPassword });
  });

  test.each([
    ['add', 1],
    ['edit', 2],
    ['delete', 4],
  ])('the bit to %s allows that and nothing else', async (right, customers_mgmt) => {
    const member = await makeMember(server);
    const child = await create(member.as);
    await update(server.root, member, { customers_mgmt });
    const calls = [
      ['add', 'createCustomer', newCustomer({ i_tariff: null })],
      ['edit', 'updateCustomer', { ...child, description: 'edited' }],
      ['delete', 'deleteCustomer', child],
    ] as const;
    for (const [needed, method, params] of calls) {
      if (needed === right) await member.as.call(method, params);
      else expect(await member.as.fault(method, params)).toEqual(naming('customers_mgmt'));
    }
  });
});

describe('nobody grants what he does not have', () => {
  let poor: Member;
  let child: { i_customer: number };
  let keeper: Member;
  beforeAll(async () => {
    poor = await makeMember(server, server.root, { ...without(switches), use_own_tariff: 1 });
    child = await create(poor.as);
    await update(server.root, poor, {
      accounts_mgmt: 5,
      tariffs_mgmt: 5,
      vouchers_mgmt: 5,
      use_own_tariff: 0,
    });
    keeper = await makeMember(server, server.root, { customers_mgmt: 3 });
  });

  test.each(['accounts_mgmt', 'tariffs_mgmt', 'vouchers_mgmt'])(
    '%s: a subset and nothing more',
    async (name) => {
      for (const more of [2, 3, 7]) {
        expect(await createFault(poor.as, { i_tariff: 1, [name]: more })).toEqual(naming(name));
        expect(await updateFault(poor.as, child, { [name]: more })).toEqual(naming(name));
      }
      for (const subset of [5, 4, 1, 0]) await update(poor.as, child, { [name]: subset });
    },
  );

  test('customers_mgmt: a subset and nothing more', async () => {
    for (const more of [4, 7])
      expect(await createFault(keeper.as, { customers_mgmt: more })).toEqual(naming('customers_mgmt'));
    const made = await create(keeper.as, { customers_mgmt: 3 });
    expect(await updateFault(keeper.as, made, { customers_mgmt: 5 })).toEqual(naming('customers_mgmt'));
    expect(await info(keeper.as, made)).toMatchObject({ customers_mgmt: 3 });
  });

  test.each(switches)('%s: only by those who have it; taking it away is free', async (name) => {
    for (const on of [1, true]) {
      expect(await createFault(poor.as, { i_tariff: 1, [name]: on })).toEqual(naming(name));
      expect(await updateFault(poor.as, child, { [name]: on })).toEqual(naming(name));
    }
    await update(poor.as, child, { [name]: 0 });
    await update(keeper.as, await create(keeper.as, { [name]: 1 }), { [name]: 0 });
  });

  test.each([...masks, ...switches])(
    '%s: not by somebody higher either, where the direct owner lacks it',
    async (name) => {
      const owner = await makeMember(server, server.root);
      const owned = await create(owner.as);
      await update(server.root, owner, { [name]: masks.includes(name) ? 3 : 0 });
      const granted = masks.includes(name) ? 4 : 1;
      expect(await updateFault(server.root, owned, { [name]: granted })).toEqual(naming(name));
      await update(server.root, owner, { [name]: masks.includes(name) ? 7 : 1 });
      await update(server.root, owned, { [name]: granted });
    },
  );

  test('the other switches are anybody’s to give', async () => {
    const names = ['callshop_enabled', 'conferencing_enabled', 'share_payment_processors', 'dncl_enabled'];
    const on = Object.fromEntries(names.map((name) => [name, true]));
    await update(poor.as, child, on);
    expect(await info(poor.as, child)).toMatchObject(on);
  });

  test('api_access and api_password are set only by those with api_mgmt', async () => {
    const plain = await makeMember(server, server.root, { api_mgmt: 0 });
    const open = await makeMember(server);
    const openChild = await makeMember(server, open.as, { api_mgmt: 0 });
    expect(await createFault(plain.as, { api_access: 1 })).toEqual(naming('api_access'));
    expect(await createFault(plain.as, { api_password: apiPassword })).toEqual(naming('api_password'));
    const closedChild = await create(plain.as);
    expect(await updateFault(plain.as, closedChild, { api_access: true })).toEqual(naming('api_access'));
    expect(await updateFault(plain.as, closedChild, { api_password: apiPassword })).toEqual(
      naming('api_password'),
    );
    // Taking away is setting too.
    await update(server.root, open, { api_mgmt: 0 });
    expect(await updateFault(open.as, openChild, { api_access: 0 })).toEqual(naming('api_access'));
    expect(await updateFault(open.as, openChild, { api_password: null })).toEqual(naming('api_password'));
    await openChild.as.call('listCustomers');
    // api_mgmt of the one who acts is what counts, not that of the owner between.
    await update(server.root, closedChild, { api_access: 1, api_password: apiPassword });
  });
});

describe('max_depth', () => {
  const depthOf = async (by: Caller, made: { i_customer: number }): Promise<unknown> =>
    (await info(by, made))['max_depth'];

  test('below root and below the unlimited it is unlimited unless it is given', async () => {
    const unlimited = await makeMember(server);
    expect(await depthOf(server.root, unlimited)).toBeNull();
    expect(await depthOf(unlimited.as, await create(unlimited.as))).toBeNull();
    expect(await depthOf(unlimited.as, await create(unlimited.as, { max_depth: null }))).toBeNull();
    expect(await depthOf(unlimited.as, await create(unlimited.as, { max_depth: 40 }))).toBe(40);
  });

  test('left out, it is one less than the parent has, down to 0, where nobody fits', async () => {
    const first = await makeMember(server, server.root, { max_depth: 2 });
    const second = await makeMember(server, first.as);
    const third = await makeMember(server, second.as);
    expect(await Promise.all([first, second, third].map((member) => depthOf(server.root, member)))).toEqual([
      2, 1, 0,
    ]);
    expect(await createFault(third.as)).toEqual(naming('max_depth'));
    expect(await createFault(third.as, { max_depth: 0 })).toEqual(naming('max_depth'));
    const onBehalf = newCustomer({ i_tariff: null, i_wholesaler: third.i_customer });
    expect(await server.root.fault('createCustomer', onBehalf)).toEqual(naming('max_depth'));
  });

  test('given, it is at most one less than the parent has, at creation and later', async () => {
    const parent = await makeMember(server, server.root, { max_depth: 3 });
    for (const max_depth of [3, 4, 2_147_483_647, null])
      expect(await createFault(parent.as, { max_depth })).toEqual(naming('max_depth'));
    const child = await create(parent.as, { max_depth: 2 });
    for (const max_depth of [3, null])
      expect(await updateFault(parent.as, child, { max_depth })).toEqual(naming('max_depth'));
    expect(await updateFault(server.root, child, { max_depth: 3 })).toEqual(naming('max_depth'));
    await update(parent.as, child, { max_depth: 0 });
    await update(parent.as, child, { max_depth: 2 });
    expect(await parent.as.fault('createCustomer', newCustomer({ max_depth: -1 }))).toMatchObject({
      faultCode: 400,
    });
  });

  test('lowered later, it leaves what exists and stops what is new, at each level', async () => {
    const first = await makeMember(server, server.root, { max_depth: 5 });
    const second = await makeMember(server, first.as);
    const third = await makeMember(server, second.as);
    await update(server.root, first, { max_depth: 1 });
    expect(await depthOf(server.root, third)).toBe(3);
    await update(second.as, third, { description: 'still here' });
    expect(await createFault(second.as)).toEqual(naming('max_depth'));
    expect(await createFault(third.as)).toEqual(naming('max_depth'));
    await create(first.as);
    await update(server.root, first, { max_depth: 2 });
    await create(second.as);
    expect(await createFault(third.as)).toEqual(naming('max_depth'));
  });
});

describe('references', () => {
  const wrong = (parameter: string) => ({ faultCode: 401, faultString: `Wrong ${parameter}` });
  let family: Family;
  beforeAll(async () => {
    family = await makeFamily(server);
  });

  test('i_tariff must be owned by the customer directly above', async () => {
    const { wholesaler, reseller, stranger } = family;
    const [own, above, foreign] = await Promise.all(
      [reseller, wholesaler, stranger].map((owner) => makeTariff(server, owner)),
    );
    const child = await create(reseller.as, { i_tariff: own });
    for (const i_tariff of [above, foreign, 1, nobody.i_customer, 0]) {
      expect(await createFault(reseller.as, { i_tariff })).toEqual(wrong('i_tariff'));
      expect(await updateFault(reseller.as, child, { i_tariff })).toEqual(wrong('i_tariff'));
      expect(await updateFault(server.root, child, { i_tariff })).toEqual(wrong('i_tariff'));
    }
    await update(server.root, child, { i_tariff: own });
    await update(wholesaler.as, child, { i_tariff: null });
    expect(await info(reseller.as, child)).toMatchObject({ i_tariff: null, base_currency: 'USD' });
  });

  test('i_tariff nil needs use_own_tariff of the one who acts', async () => {
    const parent = await makeMember(server, server.root, { use_own_tariff: 0 });
    const i_tariff = await makeTariff(server, parent);
    expect(await createFault(parent.as)).toEqual(naming('use_own_tariff'));
    const child = await create(parent.as, { i_tariff });
    expect(await updateFault(parent.as, child, { i_tariff: null })).toEqual(naming('use_own_tariff'));
    await update(server.root, child, { i_tariff: null });
  });

  test('i_commission_agent is the actor or below it, and nobody’s own', async () => {
    const { reseller, client, shop } = family;
    const beyond = [
      family.wholesaler,
      family.sibling,
      family.stranger,
      family.gone,
      nobody,
      { i_customer: 1 },
    ];
    for (const { i_customer: i_commission_agent } of beyond) {
      expect(await createFault(reseller.as, { i_commission_agent })).toEqual(wrong('i_commission_agent'));
      expect(await updateFault(reseller.as, client, { i_commission_agent })).toEqual(
        wrong('i_commission_agent'),
      );
    }
    const itself = { i_commission_agent: client.i_customer };
    expect(await updateFault(reseller.as, client, itself)).toEqual(wrong('i_commission_agent'));
    for (const { i_customer: i_commission_agent } of [reseller, shop]) {
      await update(reseller.as, client, { i_commission_agent });
      expect(await info(reseller.as, client)).toMatchObject({ i_commission_agent });
    }
    await create(reseller.as, { i_commission_agent: shop.i_customer });
    await update(reseller.as, client, { i_commission_agent: null });
  });
});
