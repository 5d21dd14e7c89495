/** Logging in and out, tokens, cookies and access keys: who gets in, and who no longer does. */
import { createHmac, createSecretKey, randomBytes } from 'node:crypto';
import { openCredentials } from '../../src/core/auth/credentials';
import { runWords } from '../cli/command';
import { connectionString } from '../setup/processes';
import { runSql } from '../setup/family';
import { type TestServer, makeDatabase, rootWebPassword, startServer } from '../setup/server';
import { agentPassword, ask, logIn, makeAgent, makeTenant, rootTenant, withToken } from '../setup/tenant';

const secret_key = randomBytes(32);
let server: TestServer;
let connection: Awaited<ReturnType<typeof makeDatabase>>;
beforeAll(async () => {
  connection = await makeDatabase();
  server = await startServer({}, { connection, secret_key });
});
afterAll(() => server.close());

const invalid = { http: 401, status: 'UNAUTHENTICATED', reason: 'INVALID_CREDENTIALS' };

test('a login answers a token for a week, and a cookie that no script reads', async () => {
  const body = { username: 'ROOT', password: rootWebPassword };
  const { status, body: answer, headers } = await ask(server, 'POST', '/auth/login/', { body });
  expect(status).toBe(200);
  expect(Object.keys(answer)).toEqual(['username', 'token']);
  expect(answer['username']).toBe('root');
  const token = String(answer['token']);
  expect(headers.get('set-cookie')).toBe(`token=${token}; Max-Age=604800; Path=/; HttpOnly; SameSite=Strict`);
  const [, claims = ''] = token.split('.');
  const { iat, exp, ...others } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<
    string,
    unknown
  >;
  expect(Number(exp) - Number(iat)).toBe(7 * 24 * 3_600);
  expect(Object.keys(others).sort()).toEqual(['iss', 'jti', 'pwd', 'sub']);
});

test('a wrong password and an unknown login are refused alike', async () => {
  const wrong = await ask(server, 'POST', '/auth/login', { body: { username: 'root', password: 'wrong' } });
  const unknown = await ask(server, 'POST', '/auth/login', {
    body: { username: 'nobody', password: 'wrong' },
  });
  expect(wrong.status).toBe(401);
  expect(wrong.body['error']).toMatchObject({ status: 'UNAUTHENTICATED', reason: 'INVALID_CREDENTIALS' });
  const without = (text: string): string => text.replace(/"request_id":"[^"]*"/, '');
  expect(without(unknown.text)).toBe(without(wrong.text));
  const odd = await ask(server, 'POST', '/auth/login', { body: { username: 'root' } });
  expect(odd.status).toBe(400);
  expect(odd.body['error']).toMatchObject({ details: [{ field: 'password' }] });
});

test('ten failures lock a login for this address, whatever password comes then', async () => {
  const { admin } = await makeTenant(server);
  const { username } = await makeAgent(server, admin);
  const guess = (password: string) => ask(server, 'POST', '/auth/login', { body: { username, password } });
  const guesses = await Promise.all(Array.from({ length: 14 }, (_, n) => guess(`wrong-${n}`)));
  expect(guesses.filter(({ status }) => status === 401).length).toBeLessThanOrEqual(10);
  const locked = await guess(agentPassword);
  expect(locked.status).toBe(429);
  expect(locked.body['error']).toMatchObject({ status: 'RESOURCE_EXHAUSTED' });
  expect(Number(locked.headers.get('retry-after'))).toBeGreaterThan(0);
});

test('without credentials, and with such as are none', async () => {
  const none = await ask(server, 'GET', '/customer');
  expect(none.status).toBe(401);
  expect(none.body['error']).toMatchObject({ reason: 'AUTHENTICATION_REQUIRED' });
  const empty = await ask(server, 'GET', '/customer', { query: { token: '' } });
  expect(empty.body['error']).toMatchObject({ reason: 'AUTHENTICATION_REQUIRED' });
  for (const token of ['x', 'a.b.c', `${'a'.repeat(3_000)}.b.c`]) {
    expect(await withToken(server, token).refusal('GET', '/customer')).toMatchObject(invalid);
    const asKey = await ask(server, 'GET', '/customer', { query: { accesskey: token } });
    expect(asKey.body['error']).toMatchObject({ reason: 'INVALID_CREDENTIALS' });
  }
});

test('cookie, then ?token=, then bearer, then ?accesskey=: the first that is there decides', async () => {
  const { token } = await rootTenant(server);
  const cookie = (value: string) => ({ cookie: `other=1; token=${value}` });
  const bearer = (value: string) => ({ authorization: `Bearer ${value}` });
  const status = async (given: Parameters<typeof ask>[3]) =>
    (await ask(server, 'GET', '/customer', given)).status;
  expect(await status({ headers: cookie(token), query: { token: 'x' } })).toBe(200);
  expect(await status({ headers: cookie('x'), query: { token } })).toBe(401);
  expect(await status({ headers: bearer('x'), query: { token } })).toBe(200);
  expect(await status({ headers: bearer(token), query: { accesskey: 'x' } })).toBe(200);
  expect(await status({ query: { token: 'x', accesskey: 'y' } })).toBe(401);
});

test('with a cookie, what changes something is JSON and comes from a page of this server', async () => {
  const { token } = await rootTenant(server);
  const put = async (headers: Record<string, string>) => {
    const given = { body: '{"detail":"by cookie"}', headers: { cookie: `token=${token}`, ...headers } };
    const { status, body } = await ask(server, 'PUT', '/customer', given);
    return [status, (body['error'] as { reason?: string } | undefined)?.reason];
  };
  const { host } = new URL(server.url);
  expect(await put({})).toEqual([200, undefined]);
  expect(await put({ origin: `http://${host}` })).toEqual([200, undefined]);
  expect(await put({ origin: 'https://evil.example' })).toEqual([403, 'FOREIGN_ORIGIN']);
  expect(await put({ origin: 'null' })).toEqual([403, 'FOREIGN_ORIGIN']);
  const login = {
    body: { username: 'root', password: rootWebPassword },
    headers: { origin: 'https://evil.example' },
  };
  expect((await ask(server, 'POST', '/auth/login', login)).status).toBe(403);
  expect(await put({ 'content-type': 'text/plain' })).toEqual([400, 'JSON_REQUIRED']);
});

describe('a token ends', () => {
  const people = async () => {
    const tenant = await makeTenant(server);
    return { ...tenant, ...(await makeAgent(server, tenant.admin, { permission: 64 })) };
  };

  test('with logout, at once', async () => {
    const { as } = await people();
    await as.ok('GET', '/customer');
    expect(
      (await ask(server, 'POST', '/auth/logout', { headers: { authorization: `Bearer ${as.token}` } }))
        .status,
    ).toBe(200);
    expect(await as.refusal('GET', '/customer')).toMatchObject(invalid);
  });

  test('with another password, at once; the new one opens', async () => {
    const { as, id, admin, username } = await people();
    await as.ok('GET', '/customer');
    await admin.ok('PUT', `/agents/${id}/password`, { password: 'another-horse-2' });
    expect(await as.refusal('GET', '/customer')).toMatchObject(invalid);
    await (await logIn(server, username, 'another-horse-2')).ok('GET', '/customer');
  });

  test('with the agent, and with a block of it over another face', async () => {
    const { as, id, admin } = await people();
    await as.ok('GET', '/customer');
    await admin.ok('DELETE', `/agents/${id}`);
    expect(await as.refusal('GET', '/customer')).toMatchObject(invalid);
    const other = await people();
    await other.as.ok('GET', '/customer');
    const [row] = await runSql<{ i_web_user: number }>(
      server,
      'SELECT i_web_user FROM users WHERE uuid = $1',
      other.id,
    );
    await server.root.call('blockWebUser', { i_web_user: row?.i_web_user });
    expect(await other.as.refusal('GET', '/customer')).toMatchObject(invalid);
  });

  test('with a lost permission, as far as that goes', async () => {
    const { as, id, admin } = await people();
    await as.ok('GET', '/agents');
    await admin.ok('PUT', `/agents/${id}/permission`, { permission: 16 });
    expect(await as.refusal('GET', '/agents')).toMatchObject({ http: 403, status: 'PERMISSION_DENIED' });
  });

  test('with its time', async () => {
    const { as } = await people();
    const token = resigned(as.token, { exp: Math.floor(Date.now() / 1_000) - 1 });
    expect(await withToken(server, token).refusal('GET', '/customer')).toMatchObject(invalid);
  });
});

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** The same token with other claims, header or key. */
function resigned(token: string, claims: object = {}, header: object = {}, key?: Buffer): string {
  const [head = '', body = ''] = token.split('.');
  const read = (text: string): object => JSON.parse(Buffer.from(text, 'base64url').toString()) as object;
  const signed = `${part({ ...read(head), ...header })}.${part({ ...read(body), ...claims })}`;
  const secret = createSecretKey(key ?? openCredentials(secret_key).token_keys[0] ?? Buffer.alloc(0));
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

test('nobody signs tokens but we: no algorithm, other algorithms, foreign keys, changed claims', async () => {
  const { token } = await rootTenant(server);
  const [head = '', body = '', signature = ''] = token.split('.');
  const refused = [
    `${part({ alg: 'none', typ: 'JWT' })}.${body}.`,
    `${head}.${body}.`,
    resigned(token, {}, { alg: 'none' }),
    resigned(token, {}, { alg: 'HS512' }),
    resigned(token, {}, {}, randomBytes(32)),
    resigned(token, {}, { kid: 'unknown' }),
    resigned(token, { iss: 'somebody' }),
    resigned(token, { pwd: 'x' }),
    `${head}.${part({ sub: 'x' })}.${signature}`,
  ];
  for (const one of refused)
    expect(await withToken(server, one).refusal('GET', '/customer')).toMatchObject(invalid);
  expect((await withToken(server, resigned(token)).ask('GET', '/customer')).status).toBe(200);
});

test('keys can be changed one after the other', async () => {
  const [old, next] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')];
  const on = (keys: string) => startServer({ TREELINE_TOKEN_KEYS: keys }, { connection, secret_key });
  const before = await on(old);
  const { token } = await rootTenant(before);
  await before.close();
  const between = await on(`${next},${old}`);
  expect((await withToken(between, token).ask('GET', '/customer')).status).toBe(200);
  const { token: newer } = await rootTenant(between);
  await between.close();
  const after = await on(next);
  expect((await withToken(after, token).ask('GET', '/customer')).status).toBe(401);
  expect((await withToken(after, newer).ask('GET', '/customer')).status).toBe(200);
  await after.close();
});

test('tokens and the keys of events outlive a new SECRET_KEY', async () => {
  const place = await makeDatabase();
  const [old_key, new_key] = [randomBytes(32), randomBytes(32)];
  const before = await startServer({}, { connection: place, secret_key: old_key });
  const root = await rootTenant(before);
  const made = await root.ok('POST', '/customers', { name: 'x', webhook_uri: 'https://hook.invalid/' });
  await before.close();
  const SECRET_KEY_PREVIOUS = old_key.toString('base64');
  const after = await startServer({ SECRET_KEY_PREVIOUS }, { connection: place, secret_key: new_key });
  expect((await withToken(after, root.token).ask('GET', '/customer')).status).toBe(200);
  const env = {
    DATABASE_URL: connectionString(place),
    SECRET_KEY: new_key.toString('base64'),
    SECRET_KEY_PREVIOUS,
  };
  expect(await runWords(['rotate-key'], { env })).toMatchObject({ code: 0 });
  const [row] = await runSql<{ sealed: Buffer }>(
    after,
    'SELECT sealed_webhook_key AS sealed FROM customers WHERE uuid = $1',
    made['id'],
  );
  const sealed = row?.sealed ?? Buffer.alloc(0);
  expect(openCredentials(new_key).openSecret(sealed, `webhook ${made['id']}`)).toBe(made['webhook_key']);
  await after.close();
});

test('who is known asks the database nothing about it', async () => {
  const { admin, id } = await makeTenant(server);
  for (let n = 0; n < 3; n += 1) await admin.ok('GET', '/customer');
  await server.db.query({ text: 'ALTER TABLE ended_tokens RENAME TO hidden_tokens' });
  expect(await admin.ok('GET', '/customer')).toMatchObject({ id });
  await server.db.query({ text: 'ALTER TABLE hidden_tokens RENAME TO ended_tokens' });
});

describe('access keys', () => {
  test('are told once, kept as a hash, act as an administrator, and end at once', async () => {
    const { id, admin } = await makeTenant(server);
    const made = await admin.ok('POST', '/accesskeys', { name: 'robot', expire: 3_600 });
    const token = String(made['token']);
    expect(token).toMatch(/^tl_[A-Za-z0-9_-]{43}$/);
    expect(made).toMatchObject({ name: 'robot', token_prefix: token.slice(0, 11), customer_id: id });
    expect(
      new Date(String(made['tm_expire'])).getTime() - new Date(String(made['tm_create'])).getTime(),
    ).toBeCloseTo(3_600_000, -4);
    const kept = { ...made };
    delete kept['token'];
    expect(await admin.ok('GET', `/accesskeys/${made['id']}`)).toEqual(kept);
    expect((await admin.ok('GET', '/accesskeys'))['result']).toEqual([kept]);
    const rows = await runSql(server, 'SELECT row_to_json(k)::text AS text FROM access_keys k');
    expect(JSON.stringify(rows)).not.toContain(token.slice(11));

    const by = (verb: string, path: string, body?: unknown) =>
      ask(server, verb, path, { query: { accesskey: token }, ...(body !== undefined && { body }) });
    expect((await by('GET', '/customer')).body).toMatchObject({ id });
    const flow = await by('POST', '/flows', { name: 'by key' });
    expect(flow.status).toBe(200);
    const [record] = await runSql<{ caller: string }>(
      server,
      'SELECT caller FROM audit_records WHERE resource = $1',
      `flows:uuid=${flow.body['id']}`,
    );
    expect(record?.caller).toBe(`accesskey ${token.slice(0, 11)}`);
    expect(await admin.ok('PUT', `/accesskeys/${made['id']}`, { detail: 'of the shop' })).toMatchObject({
      name: 'robot',
      detail: 'of the shop',
    });
    expect(await admin.ok('DELETE', `/accesskeys/${made['id']}`)).toMatchObject({
      tm_delete: expect.any(String) as string,
    });
    expect((await by('GET', '/customer')).status).toBe(401);
  });

  test('end with their time', async () => {
    const { admin } = await makeTenant(server);
    const { token } = await admin.ok('POST', '/accesskeys', { expire: 1 });
    const status = async () =>
      (await ask(server, 'GET', '/customer', { query: { accesskey: String(token) } })).status;
    expect(await status()).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect(await status()).toBe(401);
  });

  test('are for administrators', async () => {
    const { admin } = await makeTenant(server);
    const manager = await makeAgent(server, admin, { permission: 64 });
    expect(await manager.as.refusal('POST', '/accesskeys', {})).toMatchObject({ http: 403 });
    expect(await manager.as.refusal('GET', '/accesskeys')).toMatchObject({ http: 403 });
  });
});

test('neither tokens nor access keys nor passwords reach the log', async () => {
  const { admin } = await makeTenant(server);
  const { token } = await admin.ok('POST', '/accesskeys', {});
  await ask(server, 'GET', '/customer', { query: { token: admin.token } });
  await ask(server, 'GET', '/customer', { query: { accesskey: String(token) } });
  await ask(server, 'GET', '/nothing', { query: { token: admin.token } });
  await ask(server, 'GET', '/numbers', { query: { token: admin.token, page_size: 'x' } });
  await ask(server, 'POST', '/flows', { query: { token: `${admin.token}x` }, body: '{' });
  const logged = server.logged();
  expect(logged).toContain('GET /customer');
  for (const secret of [admin.token.slice(-20), String(token).slice(11), agentPassword])
    expect(logged).not.toContain(secret);
});

test('the id that a caller gives its request comes back, and stands in the log', async () => {
  const { token } = await rootTenant(server);
  const idOf = async (given: string, path = '/customer') => {
    const headers = { 'x-request-id': given, authorization: `Bearer ${token}` };
    return (await ask(server, 'GET', path, { headers })).headers.get('x-request-id');
  };
  expect(await idOf('my-request_1')).toBe('my-request_1');
  expect(server.logged()).toContain('my-request_1');
  expect(await idOf('x'.repeat(65))).toMatch(/^[0-9a-f-]{36}$/);
  expect(await idOf('a b')).toMatch(/^[0-9a-f-]{36}$/);
  const { text, headers } = await ask(server, 'GET', '/customer', { headers: { 'x-request-id': 'refused' } });
  expect(headers.get('x-request-id')).toBe('refused');
  expect(text).toContain('"request_id":"refused"');
});

test('credentials are taken only where nobody can listen in', async () => {
  const { token } = await rootTenant(server);
  const headers = { 'x-forwarded-for': '203.0.113.5', authorization: `Bearer ${token}` };
  const { status, body } = await ask(server, 'GET', '/customer', { headers });
  expect([status, (body['error'] as { reason: string }).reason]).toEqual([401, 'TLS_REQUIRED']);
});

describe('treeline recover', () => {
  test('lets the guest agent in for an hour, which the audit shows', async () => {
    const { id, i_customer, name, admin_id } = await makeTenant(server);
    const env = { DATABASE_URL: connectionString(connection), SECRET_KEY: secret_key.toString('base64') };
    const said = await runWords(['recover', name], { env });
    expect(said).toMatchObject({ code: 0, err: expect.stringMatching(/^It ends at /) as string });
    const guest = withToken(server, said.out.trim());
    expect(await guest.ok('GET', '/customer')).toMatchObject({ id });
    await guest.ok('PUT', `/agents/${admin_id}/password`, { password: 'regained-horse-3' });
    const records = await runSql(
      server,
      'SELECT action, caller, method, resource FROM audit_records WHERE i_customer = $1 ORDER BY created_at',
      i_customer,
    );
    expect(records).toContainEqual({
      action: 'RECOVER',
      caller: 'operator',
      method: 'recoverLogin',
      resource: `customer:username=${name}`,
    });
    expect(await runWords(['recover', 'nobody-of-this-name'], { env })).toMatchObject({ code: 1 });
  });

  test('is the only way in for the guest agent', async () => {
    const { i_customer } = await makeTenant(server);
    const [guest] = await runSql<{ web_login: string }>(
      server,
      'SELECT web_login FROM users WHERE i_customer = $1 AND is_recovery',
      i_customer,
    );
    for (const password of ['', 'guest agent', agentPassword]) {
      const body = { username: guest?.web_login, password };
      expect((await ask(server, 'POST', '/auth/login', { body })).status).toBe(401);
    }
  });
});
