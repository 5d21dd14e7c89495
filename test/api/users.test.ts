/**
 * The people who log in under a customer: made, changed, blocked and deleted by those who may, and by nobody else;
 * one namespace with the logins of customers. What the right to edit means is asked of every call in refusals.test.ts.
 */
import { outcome, said } from '../setup/books';
import {
  type Family,
  block,
  create,
  createFault,
  isOk,
  makeFamily,
  nobody,
  post,
  runSql,
  update,
  updateFault,
} from '../setup/family';
import {
  type Caller,
  type Members,
  type TestServer,
  apiPassword,
  makeMember,
  newCustomer,
  startServer,
  uniqueName,
} from '../setup/server';

const web_password = 'correct-horse-1';
const accessLevels = ['ADMINISTRATOR', 'REPORTER', 'BILLING', 'CALL_SHOP_OPERATOR', 'NOC'];

let server: TestServer;
let family: Family;
beforeAll(async () => {
  server = await startServer();
  family = await makeFamily(server);
});
afterAll(() => server.close());

interface Made {
  readonly i_web_user: number;
  readonly web_login: string;
}
const newUser = (members: Members = {}): Members => ({
  web_login: uniqueName('user'),
  web_password,
  ...members,
});
async function createUser(by: Caller, members: Members = {}): Promise<Made> {
  const params = newUser(members);
  const { i_web_user } = await by.call('createWebUser', params);
  return { i_web_user: Number(i_web_user), web_login: String(params['web_login']) };
}
/** What making a user came to. */
const making = (by: Caller, members: Members) => said(by, 'createWebUser', newUser(members));
const change = (by: Caller, { i_web_user }: { i_web_user: unknown }, members: Members) =>
  by.call('updateWebUser', { i_web_user, ...members });
const changing = (by: Caller, user: { i_web_user: unknown }, members: Members) =>
  outcome(change(by, user, members));
const userOf = async (by: Caller, { i_web_user }: { i_web_user: unknown }): Promise<Members> =>
  (await by.call('getWebUserInfo', { i_web_user }))['web_user'] as Members;
const list = async (by: Caller, params: Members = {}): Promise<Members[]> =>
  (await by.call('listWebUsers', params))['web_users'] as Members[];
const auth = (by: Caller, username: string, password = web_password): Promise<Members> =>
  by.call('authCustomer', { username, password });
/** What logging in came to. */
const authed = (by: Caller, username: string, password?: string) => outcome(auth(by, username, password));
const wrong = '403 Wrong username or password';
/** Calls that change one user, with the least that each takes. */
const changes: Readonly<Record<string, Members>> = {
  updateWebUser: { description: 'changed' },
  deleteWebUser: {},
  blockWebUser: {},
  unblockWebUser: {},
};
/** The row of a user, whole. */
const rowOf = (i_web_user: unknown): Promise<unknown[]> =>
  runSql(server, 'SELECT * FROM users WHERE i_web_user = $1', i_web_user);
const recoveryOf = async ({ i_customer }: { i_customer: number }): Promise<Made> => {
  const [row] = await runSql<Made>(
    server,
    'SELECT i_web_user, web_login FROM users WHERE is_recovery AND i_customer = $1',
    i_customer,
  );
  return row ?? Promise.reject(new Error('There is no recovery user'));
};

describe('a user', () => {
  test.each(accessLevels)('with the access level %s logs in, and is told it', async (i_access_level) => {
    const { reseller, wholesaler } = family;
    const fields = { i_access_level, name: 'Ada', description: 'Head of billing', email: 'ada@example.com' };
    const { i_web_user, web_login } = await createUser(reseller.as, fields);
    const { i_customer } = reseller;
    const flags = { blocked: false, is_default: false, is_recovery: false };
    const web_user = { ...fields, ...flags, i_web_user, i_customer, web_login };
    for (const by of [reseller.as, wholesaler.as, server.root]) {
      const info = await by.call('getWebUserInfo', { i_web_user });
      expect(info).toEqual({ result: 'OK', i_web_user, web_user });
      const answer = await auth(by, web_login);
      expect(answer).toEqual({ result: 'OK', i_customer, i_web_user, i_access_level });
    }
  });

  test('is made with an ADMINISTRATOR’s access level and without details unless they are given', async () => {
    const { reseller, client } = family;
    const made = await reseller.as.call('createWebUser', newUser({ i_customer: client.i_customer }));
    expect(made).toEqual({ result: 'OK', i_web_user: expect.any(Number) as number });
    const details = { name: null, description: null, email: null };
    const expected = { i_customer: client.i_customer, i_access_level: 'ADMINISTRATOR', ...details };
    expect(await userOf(client.as, made as Made)).toMatchObject(expected);
  });

  test('is changed in what is given, and nil clears a detail', async () => {
    const { reseller } = family;
    const user = await createUser(reseller.as, { name: 'Ada', description: 'x', email: 'ada@example.com' });
    const before = await userOf(reseller.as, user);
    for (const given of [
      { i_access_level: 'NOC' },
      { name: 'Grace' },
      { email: null },
      { description: null, name: null },
      { web_login: `${user.web_login}-new` },
      { web_login: `${user.web_login}-NEW` },
    ]) {
      expect(await change(reseller.as, user, given)).toEqual({ result: 'OK', i_web_user: user.i_web_user });
      expect(await userOf(reseller.as, user)).toEqual(Object.assign(before, given));
    }
    expect(await authed(reseller.as, user.web_login)).toBe(wrong);
    await change(reseller.as, user, { web_password: 'another-horse' });
    expect(await authed(reseller.as, `${user.web_login}-new`)).toBe(wrong);
    expect(await auth(reseller.as, `${user.web_login}-new`, 'another-horse')).toMatchObject({ result: 'OK' });
    expect(await changing(reseller.as, user, {})).toMatch(/^400 /);
    for (const name of ['i_access_level', 'web_login', 'web_password'])
      expect(await changing(reseller.as, user, { [name]: null })).toBe(
        `400 Parameter ${name} must not be nil`,
      );
  });

  test('has no access to the API, whatever its access level', async () => {
    const { web_login } = await createUser(family.reseller.as);
    for (const password of [web_password, apiPassword])
      expect(await post(server, { method: 'listCustomers', login: [web_login, password] })).toMatchObject({
        status: 401,
      });
  });

  test('is refused a wrong detail, by its name', async () => {
    const { reseller } = family;
    const before = await list(reseller.as);
    for (const [name, values] of Object.entries({
      i_access_level: ['administrator', 'ROOT', '', 32],
      email: ['nobody', '', 'a@example.com\nBcc: b@example.com', 'a@example.com,b@example.com'],
      name: ['x'.repeat(65), 5],
      web_login: ['', '  ', 'a:b', `a"b`, "a'b", 'a\nb', 'x'.repeat(65)],
      web_password: ['', 'short', 'x'.repeat(129)],
      i_customer: ['root', 1.5],
      is_default: [true],
    }))
      for (const value of values)
        expect(await making(reseller.as, { [name]: value })).toMatch(`400 Parameter ${name} `);
    expect(await list(reseller.as)).toEqual(before);
  });

  test('has a password that satisfies the policy of its customer', async () => {
    const strong = { i_password_policy: 2, web_password: 'Correct-horse-1' };
    const { i_customer } = await create(server.root, strong);
    expect(await making(server.root, { i_customer })).toMatch(/^400 Parameter web_password /);
    const user = await createUser(server.root, { i_customer, web_password: 'Correct-horse-2' });
    expect(await changing(server.root, user, { web_password })).toMatch(/^400 Parameter web_password /);
    await change(server.root, user, { web_password: 'Correct-horse-3' });
    // That of the customer that makes it does not matter, its own does.
    const strict = await makeMember(server, server.root, strong);
    const { i_customer: lax } = await create(strict.as);
    await createUser(strict.as, { i_customer: lax, web_password: 'aaaaaaaa' });
  });
});

describe('a login', () => {
  test('is unique among the users of all customers and the customers themselves, in any spelling', async () => {
    const { reseller, stranger } = family;
    const taken = await createUser(stranger.as, { web_login: uniqueName('Ångström') });
    const own = await createUser(reseller.as);
    const fault = '409 This web_login is taken already';
    const login = taken.web_login;
    for (const web_login of [login, login.toUpperCase(), login.normalize('NFKD'), stranger.name]) {
      expect(await making(reseller.as, { web_login })).toBe(fault);
      expect(await changing(reseller.as, own, { web_login })).toBe(fault);
      expect(await createFault(reseller.as, { web_login })).toMatchObject({ faultCode: 409 });
    }
    const { i_customer } = await create(reseller.as);
    const params = { web_login: taken.web_login.toUpperCase() };
    expect(await updateFault(reseller.as, { i_customer }, params)).toMatchObject({ faultCode: 409 });
    const random = (await recoveryOf(stranger)).web_login;
    expect(await making(reseller.as, { web_login: random })).toBe(fault);
  });

  test('of twenty at once is given once', async () => {
    const web_login = uniqueName('race');
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        index % 2
          ? making(server.root, { web_login })
          : outcome(server.root.call('createCustomer', newCustomer({ web_login }))),
      ),
    );
    expect(answers.filter((answer) => answer === 'OK')).toHaveLength(1);
    expect(answers.filter((answer) => answer === '409 This web_login is taken already')).toHaveLength(19);
  });

  test('is free again, and opens nothing, once its user is deleted', async () => {
    const { reseller, client } = family;
    for (let round = 0; round < 2; round += 1) {
      const { i_web_user, web_login } = await createUser(reseller.as, { web_login: 'comes-and-goes' });
      const password = await resetFor(reseller.as, web_login);
      expect(await reseller.as.call('deleteWebUser', { i_web_user })).toEqual({ result: 'OK', i_web_user });
      for (const each of [web_password, password])
        expect(await authed(reseller.as, web_login, each)).toBe(wrong);
      for (const method of ['getWebUserInfo', ...Object.keys(changes)])
        expect(await said(reseller.as, method, { i_web_user, ...changes[method] })).toBe(
          '404 User not found',
        );
      expect((await list(reseller.as)).map((user) => user['i_web_user'] as number)).not.toContain(i_web_user);
    }
    await createUser(client.as, { web_login: 'comes-and-goes' });
  });

  test('goes with its customer', async () => {
    const member = await makeMember(server);
    const { i_web_user, web_login } = await createUser(member.as);
    await server.root.call('deleteCustomer', { i_customer: member.i_customer });
    expect(await authed(server.root, web_login)).toBe(wrong);
    expect(await outcome(userOf(server.root, { i_web_user }))).toBe('404 User not found');
    const { i_customer } = member;
    expect(await said(server.root, 'listWebUsers', { i_customer })).toBe('404 Customer not found');
    expect(await making(server.root, { i_customer })).toBe('404 Customer not found');
    await create(server.root, { web_login });
  });
});

const resetFor = async (by: Caller, web_login: string): Promise<string> =>
  String((await by.call('resetCustomerOneTimePassword', { web_login }))['password']);

describe('a one-time password', () => {
  test('lets a user in once, and is the affair of its customer and of those above', async () => {
    const { reseller, client, sibling, stranger } = family;
    const { web_login, i_web_user } = await createUser(client.as);
    for (const by of [client.as, reseller.as]) {
      const password = await resetFor(by, web_login.toUpperCase());
      expect(await authed(by, web_login, password)).toMatch(/^410 /);
      expect(await authed(by, web_login, password)).toBe(wrong);
    }
    expect(await auth(client.as, web_login)).toMatchObject({ i_web_user });
    for (const { as } of [sibling, stranger])
      expect(await said(as, 'resetCustomerOneTimePassword', { web_login })).toMatch(/^404 /);
  });
});

describe('a blocked user', () => {
  test('does not get in, and nobody else is touched, until it is unblocked', async () => {
    const { reseller } = family;
    const [user, other] = [await createUser(reseller.as), await createUser(reseller.as)];
    const { i_web_user, web_login } = user;
    for (const method of ['blockWebUser', 'blockWebUser'])
      expect(await reseller.as.call(method, { i_web_user })).toEqual({ result: 'OK', i_web_user });
    expect(await userOf(reseller.as, user)).toMatchObject({ blocked: true });
    expect(await authed(reseller.as, web_login)).toMatch(/^403 .*blocked/);
    expect(await authed(reseller.as, web_login, 'wrong-password')).toBe(wrong);
    const password = await resetFor(reseller.as, web_login);
    expect(await authed(reseller.as, web_login, password)).toMatch(/^403 .*blocked/);
    for (const login of [other.web_login, reseller.name]) await auth(reseller.as, login);
    expect(await reseller.as.call('unblockWebUser', { i_web_user })).toEqual({ result: 'OK', i_web_user });
    expect(await authed(reseller.as, web_login, password)).toMatch(/^410 /);
    expect(await auth(reseller.as, web_login)).toMatchObject({ i_web_user });
  });

  test('is also one whose customer, or anybody above, is blocked', async () => {
    const { wholesaler, reseller, client } = await makeFamily(server);
    const { web_login } = await createUser(client.as);
    for (const blocked of [client, reseller, wholesaler]) {
      await block(server, blocked);
      expect(await authed(server.root, web_login)).toMatch(/^403 .*blocked/);
      await block(server, blocked, false);
    }
    await auth(server.root, web_login);
  });
});

describe('listWebUsers', () => {
  test('answers the users of one customer in order, by offset and limit', async () => {
    const member = await makeMember(server);
    const made = [await createUser(member.as), await createUser(member.as), await createUser(member.as)];
    const all = await list(member.as);
    expect(await list(server.root, { i_customer: member.i_customer })).toEqual(all);
    expect(all.slice(0, 2)).toMatchObject([
      { web_login: member.name, is_default: true, is_recovery: false, i_access_level: 'ADMINISTRATOR' },
      { is_default: false, is_recovery: true },
    ]);
    expect(all.slice(2)).toMatchObject(made);
    expect(await list(member.as, { offset: 1, limit: 2 })).toEqual(all.slice(1, 3));
    expect(await list(member.as, { limit: 0 })).toEqual([]);
    expect(JSON.stringify(all)).not.toMatch(/password|hash/);
    for (const { i_customer } of [family.reseller, family.gone, nobody, { i_customer: 1 }])
      expect(await said(member.as, 'listWebUsers', { i_customer })).toBe('404 Customer not found');
  });
});

describe('of a customer that is not below', () => {
  test('a user cannot be told from one that does not exist', async () => {
    const { wholesaler, reseller, sibling, stranger, client } = family;
    const users = [
      await createUser(wholesaler.as),
      await createUser(sibling.as),
      await createUser(stranger.as),
    ];
    for (const { i_web_user } of [...users, wholesaler, sibling, { i_web_user: 1 }, nobody]) {
      const before = await rowOf(i_web_user);
      for (const method of ['getWebUserInfo', ...Object.keys(changes)])
        expect(await said(reseller.as, method, { i_web_user, ...changes[method] })).toBe(
          '404 User not found',
        );
      expect(await rowOf(i_web_user)).toEqual(before);
    }
    for (const { i_customer } of [wholesaler, sibling, stranger, nobody])
      expect(await making(reseller.as, { i_customer })).toBe('404 Customer not found');
    expect(await said(client.as, 'getWebUserInfo', { i_web_user: reseller.i_web_user })).toBe(
      '404 User not found',
    );
  });

  test('or of one below, without the right to edit: only its own users are its own affair', async () => {
    const { reseller, client, stranger } = await makeFamily(server);
    const below = await createUser(client.as);
    const own = await createUser(reseller.as);
    await update(server.root, reseller, { customers_mgmt: 5 });
    for (const { i_web_user } of [below, stranger, nobody])
      for (const [method, rest] of Object.entries(changes))
        expect(await said(reseller.as, method, { i_web_user, ...rest })).toMatch(/^403 .*edit/);
    for (const { i_customer } of [client, stranger, nobody])
      expect(await making(reseller.as, { i_customer })).toMatch(/^403 .*edit/);
    await userOf(reseller.as, below);
    for (const method of ['updateWebUser', 'blockWebUser', 'unblockWebUser', 'deleteWebUser'])
      await reseller.as.call(method, { i_web_user: own.i_web_user, ...changes[method] });
  });
});

describe('neither the default user nor the recovery user', () => {
  test.each(Object.entries(changes))('is changed by %s', async (method, rest) => {
    const { reseller, client } = family;
    const users = [reseller, client, await recoveryOf(reseller), await recoveryOf(client)];
    for (const { i_web_user } of users) {
      const before = await rowOf(i_web_user);
      for (const by of [reseller.as, server.root])
        expect(await said(by, method, { i_web_user, ...rest })).toMatch(/^403 The (default|recovery) user /);
      expect(await rowOf(i_web_user)).toEqual(before);
    }
  });

  test('and nobody logs in as a recovery user, by whatever password', async () => {
    const everybody = await runSql<Made & { closed: boolean }>(
      server,
      'SELECT i_web_user, web_login, password_hash IS NULL AND one_time_hash IS NULL AS closed FROM users WHERE is_recovery',
    );
    const [{ customers } = { customers: 0 }] = await runSql<{ customers: number }>(
      server,
      'SELECT count(*)::int AS customers FROM customers',
    );
    expect(everybody).toHaveLength(customers);
    expect(everybody.filter(({ closed }) => !closed)).toEqual([]);
    const { web_login } = await recoveryOf(family.client);
    for (const password of ['', web_login, web_password, apiPassword])
      expect(await authed(family.reseller.as, web_login, password)).toBe(wrong);
    const reset = { web_login };
    expect(await said(server.root, 'resetCustomerOneTimePassword', reset)).toMatch(/^403 .*recovery/);
    const answer = await post(server, { method: 'listCustomers', login: [web_login, ''] });
    expect([answer.status, isOk(answer)]).toEqual([401, false]);
  });
});
