/** For whom a call runs: trusted hosts, `i_wholesaler` from callers with a password, and addresses that are only claimed. */
import {
  type Answer,
  type Family,
  type Post,
  Xml,
  block,
  isOk,
  makeFamily,
  nobody,
  post,
  rootLogin,
  runSql,
  update,
} from '../setup/family';
import {
  type Member,
  type Members,
  type TestServer,
  apiPassword,
  makeMember,
  newCustomer,
  startServer,
} from '../setup/server';

const host = '127.0.0.2';
const proxy = '127.0.0.9';
const elsewhere = '203.0.113.9';
const secret_key = Buffer.alloc(32, 7);

let server: TestServer;
let family: Family;
beforeAll(async () => {
  const environment = { TRUSTED_HOSTS: `${host}, 127.8.0.0/16`, TRUSTED_PROXIES: proxy };
  server = await startServer(environment, { secret_key });
  family = await makeFamily(server);
});
afterAll(() => server.close());

const trusted = (method: string, params: Members = {}, rest: Partial<Post> = {}): Promise<Answer> =>
  post(server, { method, params, from: host, ...rest });
const ownerOf = async (i_customer: number): Promise<unknown> =>
  (await server.root.call('getCustomerInfo', { i_customer }))['customer'].i_wholesaler;
const idIn = ({ body }: Answer): number => Number(/i_customer<\/name><value><int>(\d+)</.exec(body)?.[1]);
const failures = (): Promise<unknown> => runSql(server, 'SELECT count(*) FROM login_failures');
const badWholesaler = (answer: Answer): void => {
  expect(answer).toMatchObject({ status: 200, fault: 400 });
  expect(answer.text).toContain('Parameter i_wholesaler');
};
/** Not one of them is an integer of 32 bits. */
const noIds = ['<double>1.0</double>', '<double>1.5</double>', '<boolean>1</boolean>', '<i8>2147483648</i8>']
  .concat(['<int>12abc</int>', '<string>2147483648</string>', '<string>99999999999999999999</string>'])
  .concat(['<string>1.5</string>', '<string>1e0</string>', '<array><data/></array>', '<struct/>']);

describe('a trusted host', () => {
  test('is asked for no password and acts as the customer that it names', async () => {
    const { i_customer: i_wholesaler } = family.reseller;
    const made = await trusted('createCustomer', newCustomer({ i_tariff: null, i_wholesaler }));
    expect(await ownerOf(idIn(made))).toBe(i_wholesaler);
    expect(isOk(await trusted('listCustomers', { i_wholesaler: String(i_wholesaler) }))).toBe(true);
    expect(isOk(await trusted('listCustomers', { i_wholesaler: 1 }))).toBe(true);
  });

  test('may be a range; its neighbours are not trusted', async () => {
    for (const from of ['127.8.0.0', '127.8.255.255'])
      expect(isOk(await trusted('listCustomers', { i_wholesaler: 1 }, { from }))).toBe(true);
    for (const from of ['127.7.255.255', '127.9.0.0', '127.0.0.3', proxy])
      expect((await trusted('listCustomers', { i_wholesaler: 1 }, { from })).status).toBe(401);
  });

  test('acts for a customer without API access, within its rights and not while it is blocked', async () => {
    const member = await makeMember(server, server.root, { api_access: 0, api_mgmt: 0, customers_mgmt: 1 });
    const params = { i_wholesaler: member.i_customer };
    const made = await trusted('createCustomer', newCustomer({ i_tariff: null, ...params }));
    expect(isOk(made)).toBe(true);
    expect(await trusted('deleteCustomer', { ...params, i_customer: idIn(made) })).toMatchObject({
      fault: 403,
    });
    const grant = newCustomer({ i_tariff: null, ...params, api_access: 1 });
    expect(await trusted('createCustomer', grant)).toMatchObject({ fault: 403 });
    await block(server, member);
    expect(await trusted('listCustomers', params)).toMatchObject({ fault: 403 });
    await block(server, member, false);
    expect(isOk(await trusted('listCustomers', params))).toBe(true);
  });

  test('has no Authorization looked at, right or wrong', async () => {
    const before = await failures();
    const params = { i_wholesaler: family.reseller.i_customer };
    for (const authorization of [
      `Basic ${Buffer.from('root:wrong').toString('base64')}`,
      'Digest username="root"',
      'Bearer x',
      'x',
    ])
      expect(isOk(await trusted('listCustomers', params, { headers: { authorization } }))).toBe(true);
    const asRoot = await trusted('listCustomers', {}, { login: rootLogin });
    expect(asRoot.text).toBe('Parameter i_wholesaler is required');
    expect(await failures()).toEqual(before);
  });

  test('names the customer by an integer and by nothing else', async () => {
    for (const text of [...noIds, '<string>a remark</string>', '<string/>'])
      badWholesaler(await trusted('listCustomers', { i_wholesaler: new Xml(text) }));
    badWholesaler(await trusted('listCustomers', { i_wholesaler: null }));
    badWholesaler(await trusted('listCustomers'));
  });

  test('of the table is in and out within a second, on every server', async () => {
    const other = await startServer({}, { connection: server.connection, secret_key });
    const from = '127.0.0.77';
    const statuses = async (): Promise<number[]> => {
      const call = { method: 'listCustomers', params: { i_wholesaler: 1 }, from };
      return (await Promise.all([post(server, call), post(other, call)])).map(({ status }) => status);
    };
    const within1s = async (wanted: number): Promise<void> => {
      const end = performance.now() + 1_000;
      while (performance.now() < end && !(await statuses()).every((status) => status === wanted));
      expect(await statuses()).toEqual([wanted, wanted]);
    };
    try {
      expect(await statuses()).toEqual([401, 401]);
      const added = await server.root.call('addTrustedHost', { address: '127.0.0.64/28' });
      await within1s(200);
      await server.root.call('removeTrustedHost', { i_trusted_host: added['i_trusted_host'] });
      await within1s(401);
    } finally {
      await other.close();
    }
  });
});

describe('i_wholesaler from a caller with a password', () => {
  const naming = (member: Member, i_wholesaler: unknown, method = 'listCustomers'): Promise<Answer> =>
    post(server, { method, params: { i_wholesaler }, login: [member.name, apiPassword] });
  const actorOf = async (member: Member, i_wholesaler: unknown): Promise<unknown> => {
    const params = newCustomer({ i_tariff: null, i_wholesaler });
    const made = await post(server, {
      method: 'createCustomer',
      params,
      login: [member.name, apiPassword],
    });
    return isOk(made) ? ownerOf(idIn(made)) : made.text;
  };

  test('may name the caller or a customer below it at any depth, as an int or as its digits', async () => {
    const { wholesaler, reseller, client, shop } = family;
    for (const { i_customer } of [wholesaler, reseller, client, shop]) {
      expect(await actorOf(wholesaler, i_customer)).toBe(i_customer);
      expect(await actorOf(wholesaler, String(i_customer))).toBe(i_customer);
    }
    const { result } = await server.root.call('listCustomers', { i_wholesaler: 1 });
    expect(result).toBe('OK');
  });

  test('may name nobody above, beside, unknown or deleted', async () => {
    const { wholesaler, reseller, client, shop, sibling, stranger, gone } = family;
    for (const { i_customer } of [
      wholesaler,
      sibling,
      stranger,
      gone,
      nobody,
      { i_customer: 1 },
      { i_customer: -5 },
    ])
      for (const id of [i_customer, String(i_customer)])
        expect(await naming(reseller, id)).toMatchObject({ fault: 404, text: 'Customer not found' });
    expect(await naming(shop, client.i_customer)).toMatchObject({ fault: 404 });
  });

  test('is dropped and logged where it is a text that is no number', async () => {
    const { client } = family;
    for (const remark of ['only for trusted mode', '12 monkeys', '12abc', '1 or 2', '-', 'NaN', '']) {
      const before = server.logged().length;
      expect(await actorOf(client, remark)).toBe(client.i_customer);
      expect(server.logged().slice(before)).toContain('i_wholesaler');
    }
  });

  test('is the same as absent where it is nil', async () => {
    expect(await actorOf(family.client, null)).toBe(family.client.i_customer);
  });

  test('is fault 400 where it is a number but no integer of 32 bits, and never somebody else', async () => {
    for (const text of noIds.filter((id) => id !== '<string>12abc</string>'))
      badWholesaler(await naming(family.client, new Xml(text)));
  });

  test('makes the call that customer’s: its rights, its blocking, its reach; its API access is not asked', async () => {
    const { wholesaler, reseller } = family;
    const agent = await makeMember(server, reseller.as, { customers_mgmt: 1, api_access: 0 });
    expect(await actorOf(reseller, agent.i_customer)).toBe(agent.i_customer);
    const params = { i_wholesaler: agent.i_customer, i_customer: family.client.i_customer };
    expect(await reseller.as.fault('getCustomerInfo', params)).toMatchObject({ faultCode: 404 });
    expect(await reseller.as.fault('deleteCustomer', params)).toMatchObject({ faultCode: 403 });
    await block(server, agent);
    expect(await naming(reseller, agent.i_customer)).toMatchObject({ fault: 403 });
    // To name oneself on a customer's behalf is to be oneself: nobody changes himself.
    const itself = { i_wholesaler: reseller.i_customer, i_customer: reseller.i_customer };
    expect(await wholesaler.as.fault('updateCustomer', { ...itself, city: 'x' })).toMatchObject({
      faultCode: 404,
    });
    await update(wholesaler.as, reseller, { city: 'x' });
  });
});

describe('an address that is only claimed', () => {
  const call = (rest: Partial<Post>): Promise<Answer> =>
    post(server, { method: 'listCustomers', params: { i_wholesaler: 1 }, ...rest });
  const claims: readonly Readonly<Record<string, string>>[] = [
    { 'x-forwarded-for': host },
    { 'x-forwarded-for': '127.0.0.1' },
    { 'x-forwarded-for': elsewhere, 'x-forwarded-proto': 'https' },
    { 'x-forwarded-for': '' },
    { forwarded: `for=${host}` },
    { forwarded: 'for=127.0.0.1;proto=https' },
    { forwarded: '' },
  ];

  test('by no proxy of ours makes nobody trusted, and takes the trust and Basic from who had them', async () => {
    for (const headers of claims)
      for (const from of ['127.0.0.1', host, '127.0.0.3']) {
        const answer = await call({ from, headers, login: rootLogin });
        expect(answer.status).toBe(401);
        expect(String(answer.headers['www-authenticate'])).not.toContain('Basic');
      }
    const honest = await call({});
    expect(String(honest.headers['www-authenticate'])).toContain('Basic');
    expect(isOk(await call({ login: rootLogin }))).toBe(true);
  });

  test.each([
    { 'x-forwarded-for': host },
    { 'x-forwarded-for': `${elsewhere}, ${host}` },
    { 'x-forwarded-for': `${host}, ${proxy}` },
    { 'x-forwarded-for': `${host}:4711` },
    { 'x-forwarded-for': `::ffff:${host}` },
    { forwarded: `for=${host}` },
    { forwarded: `for=${elsewhere}, for="${host}:4711";proto=http` },
    { forwarded: `For=${host};by=${proxy};host="a,b;c"` },
    { forwarded: `for="[::ffff:${host}]:4711"` },
  ])('is believed from a proxy of ours: %j', async (headers) => {
    expect(isOk(await call({ from: proxy, headers }))).toBe(true);
  });

  test.each([
    { 'x-forwarded-for': elsewhere },
    { 'x-forwarded-for': `${host}, ${elsewhere}` },
    { 'x-forwarded-for': `${host}, unknown` },
    { 'x-forwarded-for': '' },
    { 'x-forwarded-for': host, forwarded: `for=${host}` },
    { forwarded: `for=${elsewhere}` },
    { forwarded: `for=${host}, for=${elsewhere}` },
    { forwarded: `for=${host}, for=unknown` },
    { forwarded: `for=${host}, proto=http` },
    { forwarded: `host="x;for=${host}";for=${elsewhere}` },
    { forwarded: `host="x, for=${host}";for=${elsewhere}` },
    { forwarded: `host="x\\";for=${host}";for=${elsewhere}` },
    { forwarded: `for=${host};for=${elsewhere}` },
    { forwarded: `for="${host}` },
    { forwarded: '' },
  ])('that a proxy of ours passes on trusts nobody whom it does not name last: %j', async (headers) => {
    for (const login of [undefined, rootLogin])
      expect((await call({ from: proxy, headers, ...(login && { login }) })).status).toBe(401);
  });

  test('from a proxy of ours opens Basic to loopback and to what came over TLS', async () => {
    const overTls = { 'x-forwarded-for': elsewhere, 'x-forwarded-proto': 'https' };
    for (const headers of [{ 'x-forwarded-for': '127.0.0.3' }, { 'x-forwarded-for': '::1' }, overTls])
      expect(isOk(await call({ from: proxy, headers, login: rootLogin }))).toBe(true);
  });
});
