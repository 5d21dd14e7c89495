/**
 * People who log in: authCustomer, its lock, one-time passwords, password policies, and the lock of
 * the API. That an unknown login takes as long as a wrong password is not timed here, because a
 * busy machine would decide: both verify one argon2 hash, and the answers are compared byte for byte.
 */
import {
  type Answer,
  type Family,
  block,
  create,
  isOk,
  makeFamily,
  nobody,
  post,
  root,
  runSql,
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
  rootWebPassword,
  startServer,
  uniqueName,
} from '../setup/server';

const webPassword = String(newCustomer()['web_password']);
const trustedHost = '127.0.0.2';

let server: TestServer;
let family: Family;
beforeAll(async () => {
  server = await startServer({ TRUSTED_HOSTS: trustedHost });
  family = await makeFamily(server);
});
afterAll(() => server.close());

const auth = (by: Member, username: string, password: string, rest: Members = {}): Promise<Answer> =>
  post(server, {
    method: 'authCustomer',
    params: { username, password, ...rest },
    login: [by.name, apiPassword],
  });
const trustedAuth = (params: Members): Promise<Answer> =>
  post(server, { method: 'authCustomer', params, from: trustedHost });
const reset = async (by: Caller, web_login: string): Promise<string> =>
  String((await by.call('resetCustomerOneTimePassword', { web_login }))['password']);
const times = <T>(count: number, work: () => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, work));
const codes = (answers: readonly Answer[]): unknown[] => answers.map(({ fault }) => fault).sort();
const many = (count: number, code: number | undefined): unknown[] =>
  Array.from({ length: count }, () => code);
/** As if so much time had passed since every failure. */
const passTime = (interval: string): Promise<unknown> =>
  runSql(server, `UPDATE login_failures SET failed_at = failed_at - $1::interval`, interval);

describe('authCustomer', () => {
  test('finds the login of the actor and of everybody below it', async () => {
    const { wholesaler, reseller, client, shop } = family;
    for (const { name, i_customer, i_web_user } of [wholesaler, reseller, client, shop])
      expect(await wholesaler.as.call('authCustomer', { username: name, password: webPassword })).toEqual({
        result: 'OK',
        i_customer,
        i_web_user,
        i_access_level: 'ADMINISTRATOR',
      });
    const named = { i_wholesaler: reseller.i_customer };
    expect(isOk(await auth(wholesaler, shop.name, webPassword, named))).toBe(true);
    expect(await auth(wholesaler, wholesaler.name, webPassword, named)).toMatchObject({ fault: 403 });
  });

  test('answers the same bytes for a wrong password, an unknown login and those who are not below', async () => {
    const { reseller, client, wholesaler, sibling, stranger, gone } = family;
    const answers = await Promise.all([
      auth(reseller, client.name, 'wrong-password'),
      auth(reseller, client.name, webPassword.toUpperCase()),
      auth(reseller, client.name, ''),
      auth(reseller, reseller.name, apiPassword),
      auth(reseller, nobody.name, webPassword),
      auth(reseller, '', webPassword),
      auth(reseller, root.name, rootWebPassword),
      ...[wholesaler, sibling, stranger, gone].map(({ name }) => auth(reseller, name, webPassword)),
    ]);
    expect(codes(answers)).toEqual(many(answers.length, 403));
    expect(new Set(answers.map(({ body }) => body)).size).toBe(1);
    expect(answers[0].text).toBe('Wrong username or password');
  });

  test('finds everybody for a trusted host that names no i_wholesaler', async () => {
    for (const { name } of [family.shop, family.stranger])
      expect(isOk(await trustedAuth({ username: name, password: webPassword }))).toBe(true);
    expect(isOk(await trustedAuth({ username: 'root', password: rootWebPassword }))).toBe(true);
    const named = { i_wholesaler: family.reseller.i_customer };
    expect(isOk(await trustedAuth({ username: family.shop.name, password: webPassword, ...named }))).toBe(
      true,
    );
    expect(
      await trustedAuth({ username: family.stranger.name, password: webPassword, ...named }),
    ).toMatchObject({ fault: 403 });
  });

  test('knows a login whatever its case and Unicode form, and digits sent as a number', async () => {
    const web_login = uniqueName('Ångström ﬁ');
    const { i_customer } = await create(server.root, { web_login });
    for (const variant of [web_login.toUpperCase(), web_login.toLowerCase(), web_login.normalize('NFKD')])
      expect(
        await server.root.call('authCustomer', { username: variant, password: webPassword }),
      ).toMatchObject({ i_customer });
    const digits = await create(server.root, { web_login: '1234567', web_password: '12345678' });
    const numbers = { username: 1234567, password: 12345678 };
    expect(await server.root.call('authCustomer', numbers)).toMatchObject(digits);
  });

  test('refuses the blocked and those below them, but only who knows the password learns it', async () => {
    const top = await makeMember(server);
    const below = await makeMember(server, top.as);
    await block(server, top);
    for (const { name } of [top, below]) {
      const right = await trustedAuth({ username: name, password: webPassword });
      const wrong = await trustedAuth({ username: name, password: 'wrong-password' });
      expect([right.fault, wrong.fault]).toEqual([403, 403]);
      expect(right.text).toContain('blocked');
      expect(wrong.text).toBe('Wrong username or password');
    }
    const password = await reset(server.root, below.name);
    expect((await trustedAuth({ username: below.name, password })).text).toContain('blocked');
  });
});

describe('ten failures lock a login', () => {
  const fail = (by: Member, username: string): Promise<Answer> => auth(by, username, 'wrong-password');

  test('known or unknown, in any spelling, also for the right password, until they age out', async () => {
    const actor = await makeMember(server);
    const known = await makeMember(server, actor.as);
    const unknown = uniqueName('unknown');
    const texts: (string | undefined)[] = [];
    for (const username of [known.name, unknown]) {
      for (let count = 0; count < 10; count += 1)
        expect(await fail(actor, count % 2 ? username : username.toUpperCase())).toMatchObject({
          fault: 403,
        });
      for (const password of [webPassword, 'wrong-password', await reset(actor.as, actor.name)]) {
        const locked = await auth(actor, username, password);
        expect(locked).toMatchObject({ status: 200, fault: 429 });
        texts.push(locked.text?.replace(/\d+/, 'some'));
      }
    }
    expect(new Set(texts).size).toBe(1);
    await passTime('14 minutes 30 seconds');
    expect(await auth(actor, known.name, webPassword)).toMatchObject({ fault: 429 });
    await passTime('31 seconds');
    // What was tried while it was locked is not counted, so it opens at once and wholly.
    expect(isOk(await auth(actor, known.name, webPassword))).toBe(true);
    expect(codes(await times(9, () => fail(actor, known.name)))).toEqual(many(9, 403));
    expect(isOk(await auth(actor, known.name, webPassword))).toBe(true);
  });

  test('within the scope of the actor and no other', async () => {
    const { wholesaler, reseller, client, shop, stranger } = await makeFamily(server);
    await times(12, () => fail(reseller, shop.name));
    await times(12, () => fail(stranger, shop.name));
    expect(await auth(reseller, shop.name, webPassword)).toMatchObject({ fault: 429 });
    // To be named is to act: the scope is that of the actor, not that of the caller.
    const named = { i_wholesaler: reseller.i_customer };
    expect(await auth(wholesaler, shop.name, webPassword, named)).toMatchObject({ fault: 429 });
    for (const member of [wholesaler, client, shop])
      expect(isOk(await auth(member, shop.name, webPassword))).toBe(true);
    expect(isOk(await trustedAuth({ username: shop.name, password: webPassword }))).toBe(true);
    expect(isOk(await auth(reseller, client.name, webPassword))).toBe(true);
  });

  test('counted one by one, however many come at once', async () => {
    const actor = await makeMember(server);
    const [ten, thirty] = [uniqueName('ten'), uniqueName('thirty')];
    expect(codes(await times(10, () => fail(actor, ten)))).toEqual(many(10, 403));
    expect(await fail(actor, ten)).toMatchObject({ fault: 429 });
    expect(codes(await times(30, () => fail(actor, thirty)))).toEqual([...many(10, 403), ...many(20, 429)]);
    const [row] = await runSql<{ count: number }>(
      server,
      'SELECT count(*)::int FROM login_failures WHERE scope = $1',
      `web ${actor.i_customer}`,
    );
    expect(row?.count).toBe(20);
  });

  test('until its one-time password is reset, in every scope', async () => {
    const { wholesaler, reseller } = await makeFamily(server);
    // One character that is 18 in the form that is compared, so that its key is far longer than a login may be.
    for (const web_login of [uniqueName('login'), `${uniqueName('ﷺ')}${'ﷺ'.repeat(40)}`]) {
      await create(reseller.as, { web_login });
      for (const member of [wholesaler, reseller]) {
        await times(10, () => fail(member, web_login));
        expect(await auth(member, web_login, webPassword)).toMatchObject({ fault: 429 });
      }
      await reset(reseller.as, web_login.toUpperCase());
      for (const member of [wholesaler, reseller])
        expect(isOk(await auth(member, web_login, webPassword))).toBe(true);
    }
  });
});

describe('a one-time password', () => {
  const once = { fault: 410, status: 200 };
  const wrong = { fault: 403, text: 'Wrong username or password' };

  test('is accepted once, with fault 410, and the standing password keeps working', async () => {
    const { client, reseller } = family;
    const password = await reset(reseller.as, client.name);
    expect(isOk(await auth(reseller, client.name, webPassword))).toBe(true);
    expect(await auth(reseller, client.name, password)).toMatchObject(once);
    expect(await auth(reseller, client.name, password)).toMatchObject(wrong);
    expect(isOk(await auth(reseller, client.name, webPassword))).toBe(true);
  });

  test('is accepted once of twenty at once', async () => {
    const member = await makeMember(server);
    const password = await reset(server.root, member.name);
    const answers = codes(await times(20, () => auth(member, member.name, password)));
    expect(answers.filter((code) => code === 410)).toHaveLength(1);
    expect(answers.filter((code) => code === 403 || code === 429)).toHaveLength(19);
  });

  test('lives for 24 hours, and no longer than the next one', async () => {
    const member = await makeMember(server);
    const age = (interval: string): Promise<unknown> =>
      runSql(
        server,
        `UPDATE users SET one_time_expires_at = one_time_expires_at - $2::interval WHERE i_customer = $1`,
        member.i_customer,
        interval,
      );
    const first = await reset(member.as, member.name);
    const second = await reset(member.as, member.name);
    expect(second).not.toBe(first);
    expect(await auth(member, member.name, first)).toMatchObject(wrong);
    await age('23 hours 59 minutes');
    expect(await auth(member, member.name, second)).toMatchObject(once);
    const third = await reset(member.as, member.name);
    await age('24 hours 1 second');
    expect(await auth(member, member.name, third)).toMatchObject(wrong);
  });

  test('is not stored and not logged, and opens no API', async () => {
    const member = await makeMember(server);
    const password = await reset(member.as, member.name);
    const [row] = await runSql<{ all: string }>(
      server,
      'SELECT (SELECT string_agg(u::text, $1) FROM users u) || (SELECT string_agg(a::text, $1) FROM audit_records a) AS all',
      ' ',
    );
    expect(row?.all).toContain(member.name);
    expect(row?.all).not.toContain(password);
    expect(row?.all).not.toContain(Buffer.from(password).toString('hex'));
    expect(server.logged()).not.toContain(password);
    const asApi = await post(server, { method: 'listCustomers', login: [member.name, password] });
    expect(asApi.status).toBe(401);
  });

  test('is reset without a right for oneself and one’s own users; for others the right comes first', async () => {
    const { wholesaler, reseller, client, stranger } = await makeFamily(server);
    const user = { web_login: uniqueName('user'), web_password: webPassword };
    await reseller.as.call('createWebUser', user);
    await update(server.root, reseller, { customers_mgmt: 5 });
    for (const login of [reseller.name, user.web_login])
      expect(await auth(reseller, login, await reset(reseller.as, login))).toMatchObject(once);
    const fault = (web_login: string) => reseller.as.fault('resetCustomerOneTimePassword', { web_login });
    for (const { name } of [client, stranger, wholesaler, nobody])
      expect(await fault(name)).toMatchObject({ faultCode: 403 });
    await update(server.root, reseller, { customers_mgmt: 2 });
    expect(await auth(reseller, client.name, await reset(reseller.as, client.name))).toMatchObject(once);
    for (const { name } of [stranger, wholesaler, nobody])
      expect(await fault(name)).toMatchObject({ faultCode: 404 });
  });

  test('is refused to the recovery user', async () => {
    const [row] = await runSql<{ web_login: string }>(
      server,
      'SELECT web_login FROM users WHERE is_recovery AND i_customer = $1',
      family.client.i_customer,
    );
    const params = { web_login: row?.web_login };
    for (const { as } of [family.client, family.reseller])
      expect(await as.fault('resetCustomerOneTimePassword', params)).toMatchObject({ faultCode: 403 });
  });
});

describe('a web password satisfies the policy of its customer', () => {
  const weak = ['1234567', 'Short1', 'ABcdefgh123', 'correct-horse-1', 'CORRECT-HORSE-1', 'Correct-horse-x'];
  const strong = 'Correct-horse-1';
  const refusal = {
    faultCode: 400,
    faultString: expect.stringContaining('Parameter web_password') as string,
  };

  test.each([1, null])('policy %s: at least 8 characters', async (i_password_policy) => {
    const made = await create(server.root, { i_password_policy, web_password: 'aaaaaaaa' });
    for (const web_password of ['aaaaaaa', 'ÅÅÅÅÅÅÅ', ''])
      expect(await updateFault(server.root, made, { web_password })).toEqual(refusal);
    await update(server.root, made, { web_password: 'ÅÅÅÅÅÅÅÅ' });
  });

  test('policy 2: at least 12, with a lower-case letter, an upper-case letter and a digit', async () => {
    const policy = { i_password_policy: 2 };
    for (const web_password of weak) {
      const params = newCustomer({ ...policy, web_password });
      expect(await server.root.fault('createCustomer', params)).toEqual(refusal);
    }
    const made = await create(server.root, { ...policy, web_password: strong });
    for (const web_password of weak)
      expect(await updateFault(server.root, made, { web_password })).toEqual(refusal);
    await update(server.root, made, { web_password: `${strong}x` });
  });

  test('the one that the same call gives it; the password that it has is not asked again', async () => {
    const made = await create(server.root, { web_password: 'simple-one' });
    const raise = { i_password_policy: 2, web_password: 'simple-two' };
    expect(await updateFault(server.root, made, raise)).toEqual(refusal);
    await update(server.root, made, { web_password: 'simple-two' });
    await update(server.root, made, { i_password_policy: 2 });
    expect(await updateFault(server.root, made, { web_password: 'simple-six' })).toEqual(refusal);
    await update(server.root, made, { i_password_policy: null, web_password: 'simple-six' });
  });
});

describe('twenty wrong API passwords', () => {
  const from = '127.0.3.1';
  const list = (login: string, password: string, address = from): Promise<Answer> =>
    post(server, { method: 'listCustomers', login: [login, password], from: address });

  test('are HTTP 429 for that login from that address, and for nobody else', async () => {
    const [victim, other] = [await makeMember(server), await makeMember(server)];
    for (const name of [victim.name, uniqueName('unknown')]) {
      const wrong = await times(30, () => list(name, 'wrong-password'));
      const statuses = wrong.map(({ status }) => status).sort();
      expect(statuses).toEqual([...many(20, 401), ...many(10, 429)]);
      const locked = await list(name, apiPassword);
      expect(locked.status).toBe(429);
      expect(Number(locked.headers['retry-after'])).toBeGreaterThan(800);
      expect(Number(locked.headers['retry-after'])).toBeLessThanOrEqual(900);
      expect(locked.body).not.toContain('methodResponse');
    }
    expect(isOk(await list(victim.name, apiPassword, '127.0.3.2'))).toBe(true);
    expect(isOk(await list(other.name, apiPassword))).toBe(true);
    // Its web login is another matter.
    expect(isOk(await auth(other, other.name, webPassword))).toBe(true);
    await passTime('15 minutes');
    expect(isOk(await list(victim.name, apiPassword))).toBe(true);
  });

  test('are twenty: nineteen lock nobody', async () => {
    const member = await makeMember(server);
    await times(19, () => list(member.name, 'wrong-password'));
    expect(isOk(await list(member.name, apiPassword))).toBe(true);
    expect((await list(member.name, 'wrong-password')).status).toBe(401);
    expect((await list(member.name, apiPassword)).status).toBe(429);
  });
});
