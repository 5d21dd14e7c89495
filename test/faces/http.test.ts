/** HTTP as docs/reference/xmlrpc.md describes it: paths, limits, encodings, connections, TLS, the paths for operators, the database away. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { deflateSync, gzipSync } from 'node:zlib';
import { Client } from 'pg';
import { createApp } from '../../src/server/app';
import { openDatabase } from '../../src/db/database';
import { createLog } from '../../src/base/log';
import { insertCustomers } from '../setup/insert-customers';
import { challengesOf, digestExchange, digestFields, freshNonce } from '../setup/digest-client';
import {
  type RawAnswer,
  type RequestParts,
  basic,
  callBody,
  exchange,
  exchangeRaw,
  headerOf,
  headersOf,
  requestBytes,
  structParam,
  withConnection,
} from '../setup/raw-http';
import { readAnswer } from '../setup/read-answer';
import { type TestServer, rootPassword, startServer, testPostgres, uniqueName } from '../setup/server';

const rootBasic = basic('root', rootPassword);
const rootInfo = callBody('getCustomerInfo', structParam({ i_customer: '<int>1</int>' }));

const secret_key = randomBytes(32);

let server: TestServer;
beforeAll(async () => {
  server = await startServer({}, { secret_key });
});
afterAll(() => server.close());

/** Another server of the same database. */
const startSister = (environment: Record<string, string>): Promise<TestServer> =>
  startServer(environment, { connection: server.connection, secret_key });

/** Root's call, as getCustomerInfo of itself unless the parts say otherwise. */
const post = (parts: RequestParts = {}, url = server.url): Promise<RawAnswer> =>
  exchange(url, { body: rootInfo, ...parts, headers: [rootBasic, ...(parts.headers ?? [])] });

function expectResult(answer: RawAnswer | undefined): void {
  expect([answer?.status, answer?.body.toString()]).toEqual([200, expect.stringContaining('<params>')]);
  if (!answer) return;
  expect(headerOf(answer, 'content-type')).toBe('text/xml; charset=utf-8');
  expect(readAnswer(answer.body)).toMatchObject({ result: { result: 'OK' } });
}

function expectFault(answer: RawAnswer | undefined, faultCode: number, text: string): void {
  expect(answer?.status).toBe(200);
  if (!answer) return;
  expect(headerOf(answer, 'content-type')).toBe('text/xml; charset=utf-8');
  const faultString = expect.stringContaining(text) as string;
  expect(readAnswer(answer.body)).toEqual({ fault: { faultCode, faultString } });
}

describe('paths and methods', () => {
  test.each(['/xmlapi/xmlapi', '/RPC2', '/RPC2?login=1', '/xmlapi/xmlapi?'])(
    '%s answers calls',
    async (path) => {
      expectResult(await post({ path }));
    },
  );

  test.each([
    '/',
    '/xmlapi',
    '/xmlapi/xmlapi/',
    '/xmlapi/XMLAPI',
    '/rpc2',
    '/RPC2/x',
    '/RPC2%00',
    '//RPC2',
    '/%zz',
  ])('%s is 404, with and without a password', async (path) => {
    expect((await post({ path })).status).toBe(404);
    expect((await exchange(server.url, { path, method: 'GET' })).status).toBe(404);
  });

  test.each(['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY'])(
    '%s is 405 and says that POST is allowed, with and without a password or a body',
    async (method) => {
      for (const path of ['/xmlapi/xmlapi', '/RPC2']) {
        for (const parts of [
          {},
          { headers: [rootBasic] },
          { body: rootInfo },
          { body: 'x'.repeat(2_000_000) },
        ]) {
          const answer = await exchange(server.url, { ...parts, method, path });
          expect([answer.status, headersOf(answer, 'allow')]).toEqual([405, ['POST']]);
        }
      }
    },
  );

  test.each([
    'application/x-www-form-urlencoded',
    'application/json',
    'text/html; charset=iso-8859-1',
    'text/xml;',
    'text/xml; charset="',
    'multipart/form-data; boundary=x',
    'xml',
    'text/ xml',
    'undefined',
    '*/*',
    '',
    'application/xml, text/xml',
  ])('a Content-Type of "%s" is not looked at', async (type) => {
    expectResult(await post({ headers: [`Content-Type: ${type}`] }));
  });

  test('no Content-Type at all is as good as any', async () => {
    expectResult(await post());
  });
});

describe('limits', () => {
  const limit = 2_048;
  let small: TestServer;
  beforeAll(async () => {
    small = await startServer({ TREELINE_BODY_LIMIT_BYTES: '2048', TREELINE_HEADERS_LIMIT_BYTES: '4096' });
  });
  afterAll(() => small.close());

  const padded = (bytes: number): string => rootInfo + ' '.repeat(bytes - rootInfo.length);
  const chunked = (body: string): RequestParts => ({
    headers: ['Transfer-Encoding: chunked'],
    body: `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
  });

  test('a body of just the limit is read, whether its length was told or not', async () => {
    expectResult(await post({ body: padded(limit) }, small.url));
    expectResult(await post(chunked(padded(limit)), small.url));
  });

  test('a body over the limit is 413, whether its length was told or not', async () => {
    for (const parts of [{ body: padded(limit + 1) }, chunked(padded(limit + 1))]) {
      const answer = await post(parts, small.url);
      expect(answer.status).toBe(413);
      expect(JSON.parse(answer.body.toString())).toEqual({ error: expect.stringMatching(/large/) as string });
    }
  });

  test('a told length over the limit is 413 before the body comes', async () => {
    const bytes = requestBytes({ headers: [rootBasic, 'Content-Length: 999999999'] });
    expect((await exchangeRaw(small.url, bytes))?.status).toBe(413);
  });

  test('whoever has no password is told 401, not 413', async () => {
    const bytes = requestBytes({ headers: ['Content-Length: 999999999'] });
    expect((await exchangeRaw(small.url, bytes))?.status).toBe(401);
  });

  test('a megabyte is the limit unless it is set', async () => {
    const body = rootInfo + ' '.repeat(1_048_576 - rootInfo.length);
    expectResult(await post({ body }));
    expect((await post({ body: `${body} ` })).status).toBe(413);
  });

  test('headers over the limit are 431, whatever else they say', async () => {
    const long = [`X-Long: ${'x'.repeat(5_000)}`];
    expect((await post({ headers: long }, small.url)).status).toBe(431);
    expect((await exchange(small.url, { method: 'GET', path: '/', headers: long })).status).toBe(431);
    expectResult(await post({ headers: long }));
    expect((await post({ headers: [`X-Long: ${'x'.repeat(17_000)}`] })).status).toBe(431);
  });

  const compressed = [
    ['gzip', gzipSync],
    ['x-gzip', gzipSync],
    ['GZIP', gzipSync],
    ['deflate', deflateSync],
  ] as const;

  test.each(compressed)('a body in %s is inflated, up to the limit', async (encoding, compress) => {
    const headers = [`Content-Encoding: ${encoding}`];
    expectResult(await post({ headers, body: compress(rootInfo) }, small.url));
    expectResult(await post({ headers, body: compress(padded(limit)) }, small.url));
    const answer = await post({ headers, body: compress(padded(limit + 1)) }, small.url);
    expect(answer.status).toBe(413);
    expect(JSON.parse(answer.body.toString())).toEqual({ error: expect.stringMatching(/large/) as string });
  });

  test('a bomb of 50 MB in gzip is 413 at once', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000, ' '));
    expect((await post({ headers: ['Content-Encoding: gzip'], body: bomb })).status).toBe(413);
  });

  test('a body that is not what its encoding says is fault -32700', async () => {
    const whole = gzipSync(rootInfo);
    for (const body of [rootInfo, '', whole.subarray(0, -9), whole.subarray(2), deflateSync(rootInfo)]) {
      expectFault(await post({ headers: ['Content-Encoding: gzip'], body }), -32700, 'gzip');
    }
    expectFault(await post({ headers: ['Content-Encoding: deflate'], body: whole }), -32700, 'deflate');
  });

  test.each(['br', 'compress', 'gzip, gzip', '__proto__', 'constructor'])(
    'a body in %s, which is not known, is fault -32700',
    async (encoding) => {
      expectFault(await post({ headers: [`Content-Encoding: ${encoding}`] }), -32700, encoding);
    },
  );

  test('an encoding of identity is none', async () => {
    expectResult(await post({ headers: ['Content-Encoding: identity'] }));
  });

  test('a call that waits too long for a lock is fault 503', async () => {
    const hasty = await startSister({ TREELINE_CALL_TIMEOUT_MS: '500' });
    const { i_customer } = await server.root.call('createCustomer', {
      name: uniqueName(),
      web_password: 'correct-horse-1',
      i_tariff: 1,
    });
    const holder = new Client(server.connection);
    await holder.connect();
    try {
      await holder.query('BEGIN');
      await holder.query('SELECT FROM customers WHERE i_customer = $1 FOR UPDATE', [i_customer]);
      const fault = await hasty.root.fault('updateCustomer', { i_customer, description: 'x' });
      expect(fault.faultCode).toBe(503);
    } finally {
      await holder.end();
      await hasty.close();
    }
  });

  test('a request that does not arrive in time is 408, and its connection is closed', async () => {
    const hasty = await startSister({ TREELINE_CALL_TIMEOUT_MS: '500' });
    try {
      await withConnection(hasty.url, async (connection) => {
        connection.send(requestBytes({ headers: [rootBasic, 'Content-Length: 1000'], body: '<methodCall>' }));
        expect((await connection.next(3_000))?.status).toBe(408);
        expect(await connection.closes()).toBe(true);
      });
    } finally {
      await hasty.close();
    }
  });
});

describe('connections', () => {
  test('HTTP/1.1 is kept alive, call after call, also after a challenge and after a fault', async () => {
    await withConnection(server.url, async (connection) => {
      connection.send(requestBytes({ body: 'not looked at' }));
      expect((await connection.next())?.status).toBe(401);
      connection.send(requestBytes({ headers: [rootBasic], body: 'no XML' }));
      expectFault(await connection.next(), -32700, 'line 1');
      for (let call = 0; call < 5; call += 1) {
        connection.send(requestBytes({ headers: [rootBasic], body: rootInfo }));
        expectResult(await connection.next());
      }
      expect(connection.socket.destroyed).toBe(false);
    });
  });

  test('HTTP/1.1 with Connection: close is closed after the answer', async () => {
    await withConnection(server.url, async (connection) => {
      connection.send(requestBytes({ headers: [rootBasic, 'Connection: close'], body: rootInfo }));
      const answer = await connection.next();
      expectResult(answer);
      expect(answer && headerOf(answer, 'connection')).toBe('close');
      expect(await connection.closes()).toBe(true);
    });
  });

  test('HTTP/1.0 without keep-alive is answered without chunks and closed, as is its challenge', async () => {
    for (const headers of [[], [rootBasic]]) {
      await withConnection(server.url, async (connection) => {
        connection.send(requestBytes({ version: '1.0', headers, body: rootInfo }));
        const answer = await connection.next();
        expect(answer?.status).toBe(headers.length === 0 ? 401 : 200);
        expect(answer && headerOf(answer, 'transfer-encoding')).toBeUndefined();
        expect(await connection.closes()).toBe(true);
      });
    }
  });

  test('HTTP/1.0 with keep-alive stays open and says so', async () => {
    await withConnection(server.url, async (connection) => {
      for (let call = 0; call < 2; call += 1) {
        const headers = [rootBasic, 'Connection: keep-alive'];
        connection.send(requestBytes({ version: '1.0', headers, body: rootInfo }));
        const answer = await connection.next();
        expectResult(answer);
        expect(answer && headerOf(answer, 'connection')?.toLowerCase()).toBe('keep-alive');
      }
    });
  });

  test('a list that comes in pieces reaches HTTP/1.0 whole, and HTTP/1.1 in chunks', async () => {
    const { i_customer } = await server.root.call('createCustomer', {
      name: uniqueName(),
      web_password: 'correct-horse-1',
      i_tariff: 1,
    });
    await insertCustomers(server, Number(i_customer), Array<null>(2_500).fill(null));
    const body = callBody('listCustomers', structParam({ i_wholesaler: `<int>${Number(i_customer)}</int>` }));
    for (const version of ['1.0', '1.1']) {
      const answer = await post({ version, body });
      const read = readAnswer(answer.body) as { result: { customers: unknown[] } };
      expect(read.result.customers).toHaveLength(2_500);
      expect(headerOf(answer, 'transfer-encoding')).toBe(version === '1.0' ? undefined : 'chunked');
    }
  });

  test('Expect: 100-continue is told to go on', async () => {
    await withConnection(server.url, async (connection) => {
      const bytes = requestBytes({ headers: [rootBasic, 'Expect: 100-continue'], body: rootInfo });
      const bodyStart = bytes.length - rootInfo.length;
      connection.send(bytes.subarray(0, bodyStart));
      expect((await connection.next())?.status).toBe(100);
      connection.send(bytes.subarray(bodyStart));
      expectResult(await connection.next());
    });
  });

  test('a body in chunks of any size is read', async () => {
    const chunks = Array.from(rootInfo, (character) => `1;extension=1\r\n${character}\r\n`).join('');
    expectResult(
      await post({ headers: ['Transfer-Encoding: chunked'], body: `${chunks}0\r\nX-Trailer: 1\r\n\r\n` }),
    );
  });

  test('several requests sent at once on one connection are answered in their order', async () => {
    const bodies = [rootInfo, 'no XML', callBody('noSuchMethod'), rootInfo];
    await withConnection(server.url, async (connection) => {
      connection.send(Buffer.concat(bodies.map((body) => requestBytes({ headers: [rootBasic], body }))));
      expectResult(await connection.next());
      expectFault(await connection.next(), -32700, 'line 1');
      expectFault(await connection.next(), -32601, 'noSuchMethod');
      expectResult(await connection.next());
    });
  });
});

describe('answers', () => {
  test('every one bears an X-Request-Id of its own, whatever the caller sent', async () => {
    const mine = 'X-Request-Id: mine';
    const answers = await Promise.all([
      post({ headers: [mine] }),
      post({ body: 'no XML', headers: [mine] }),
      exchange(server.url, { headers: [mine] }),
      exchange(server.url, { method: 'GET', headers: [mine] }),
      exchange(server.url, { path: '/nowhere', headers: [mine] }),
      post({ body: ' '.repeat(1_100_000), headers: [mine] }),
      exchange(server.url, { method: 'GET', path: '/health/live', headers: [mine] }),
      exchange(server.url, { method: 'GET', path: '/metrics', headers: [mine] }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 401, 405, 404, 413, 200, 200]);
    const ids = answers.flatMap((answer) => headersOf(answer, 'x-request-id'));
    expect(new Set(ids).size).toBe(answers.length);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(server.logged()).toContain(ids[0]);
  });

  test.each([
    [-32700, 'line 1', '<methodCall>'],
    [-32600, '<methodCall>', '<wrong/>'],
    [-32601, 'noSuchMethod', callBody('noSuchMethod')],
    [400, 'Parameter i_tariff is required', callBody('createCustomer')],
    [404, 'Customer not found', callBody('deleteCustomer', structParam({ i_customer: '<int>1</int>' }))],
  ])('fault %i is text/xml with HTTP 200', async (number, text, body) => {
    expectFault(await post({ body }), number, text);
  });
});

describe('Basic', () => {
  const forwarded = ['X-Forwarded-For: 192.0.2.7', 'X-Forwarded-For: 127.0.0.1', 'Forwarded: for=127.0.0.1'];

  test('is accepted from loopback, wrong passwords are not', async () => {
    expectResult(await post());
    const wrong = await exchange(server.url, { headers: [basic('root', 'wrong-password')], body: rootInfo });
    expect(wrong.status).toBe(401);
  });

  test.each(forwarded)('is refused and not offered with %s', async (header) => {
    const answer = await post({ headers: [header] });
    expect(answer.status).toBe(401);
    expect(challengesOf(answer).map(({ scheme }) => scheme)).toEqual(['Digest', 'Digest']);
  });

  test.each(forwarded)('is not believed to come over TLS with %s and X-Forwarded-Proto', async (header) => {
    expect((await post({ headers: [header, 'X-Forwarded-Proto: https'] })).status).toBe(401);
  });

  test('through a proxy of ours is accepted where the proxy was called over TLS', async () => {
    const behind = await startSister({ TRUSTED_PROXIES: '127.0.0.1' });
    try {
      const plainly = ['X-Forwarded-For: 192.0.2.7'];
      const overTls = [...plainly, 'X-Forwarded-Proto: https'];
      expect((await post({ headers: plainly }, behind.url)).status).toBe(401);
      expectResult(await post({ headers: overTls }, behind.url));
    } finally {
      await behind.close();
    }
  });

  test('a trusted host needs no password and may show a wrong one, unless somebody forwarded the request', async () => {
    const trusting = await startServer({ TRUSTED_HOSTS: '127.0.0.1' });
    try {
      const body = callBody('listCustomers', structParam({ i_wholesaler: '<int>1</int>' }));
      expectResult(await exchange(trusting.url, { body }));
      const wrong = [basic('root', 'wrong-password')];
      expectResult(await exchange(trusting.url, { body, headers: wrong }));
      for (const header of forwarded) {
        expect((await exchange(trusting.url, { body, headers: [header] })).status).toBe(401);
      }
    } finally {
      await trusting.close();
    }
  });
});

describe('TLS', () => {
  const file = (name: string): string => join(__dirname, '../../fixtures/tls', name);
  let secure: TestServer;
  beforeAll(async () => {
    secure = await startServer({ TLS_CERT: file('cert.pem'), TLS_KEY: file('key.pem') });
  });
  afterAll(() => secure.close());

  test('Basic is offered and accepted, from anywhere', async () => {
    expect(secure.url).toMatch(/^https:/);
    for (const headers of [[], ['X-Forwarded-For: 192.0.2.7']]) {
      const challenge = await exchange(secure.url, { headers });
      expect(challengesOf(challenge).map(({ scheme }) => scheme)).toEqual(['Digest', 'Digest', 'Basic']);
      expectResult(await post({ headers }, secure.url));
    }
  });

  test('Digest is accepted, wrong passwords are not', async () => {
    for (const algorithm of ['MD5', 'SHA-256'] as const) {
      const nonce = await freshNonce(secure.url);
      const fields = digestFields({ login: 'root', password: rootPassword, nonce, algorithm });
      expectResult(await digestExchange(secure.url, fields, { body: rootInfo }));
      const wrong = digestFields({ login: 'root', password: 'wrong-password', nonce, algorithm });
      expect((await digestExchange(secure.url, wrong, { body: rootInfo })).status).toBe(401);
    }
  });

  test('the limits hold there too', async () => {
    expect((await post({ body: ' '.repeat(1_100_000) }, secure.url)).status).toBe(413);
    expect((await post({ headers: [`X-Long: ${'x'.repeat(17_000)}`] }, secure.url)).status).toBe(431);
  });

  test('plain HTTP gets no answer from it', async () => {
    const plain = secure.url.replace('https:', 'http:');
    expect(await exchangeRaw(plain, requestBytes({ headers: [rootBasic], body: rootInfo }))).toBeUndefined();
  });
});

describe('for operators', () => {
  const get = (path: string, headers: string[] = [], url = server.url): Promise<RawAnswer> =>
    exchange(url, { method: 'GET', path, headers });

  test.each(['/health/ready', '/docs', '/openapi.json'])('HEAD %s is GET without the body', async (path) => {
    const [head, whole] = [
      await exchange(server.url, { method: 'HEAD', path }),
      await exchange(server.url, { method: 'GET', path }),
    ];
    expect([head.status, head.body.length]).toEqual([200, 0]);
    expect(headersOf(head, 'content-length')).toEqual(headersOf(whole, 'content-length'));
    expect(headersOf(head, 'content-type')).toEqual(headersOf(whole, 'content-type'));
  });

  test('/health/live and /health/ready answer 200 to anyone', async () => {
    expect((await get('/health/live')).status).toBe(200);
    expect((await get('/health/ready', ['X-Forwarded-For: 192.0.2.7'])).status).toBe(200);
  });

  test('/metrics answers loopback, and nobody whose request was forwarded', async () => {
    expect((await get('/metrics')).status).toBe(200);
    const refused = await get('/metrics', ['X-Forwarded-For: 127.0.0.1']);
    expect(refused.status).toBe(403);
    expect(refused.body.toString()).not.toContain('treeline_');
    expect((await get('/metrics', ['X-Forwarded-For: 127.0.0.1', 'Authorization: Bearer '])).status).toBe(
      403,
    );
    expect((await get('/metrics', ['Forwarded: for=127.0.0.1', rootBasic])).status).toBe(403);
  });

  test('/metrics answers whoever shows the METRICS_TOKEN, and trusted hosts behind a proxy of ours', async () => {
    const guarded = await startServer({
      METRICS_TOKEN: 'a-long-token',
      TRUSTED_PROXIES: '127.0.0.1',
      TRUSTED_HOSTS: '192.0.2.0/24',
    });
    try {
      const elsewhere = 'X-Forwarded-For: 198.51.100.7';
      const show = (token: string) => get('/metrics', [elsewhere, `Authorization: ${token}`], guarded.url);
      expect((await get('/metrics', [elsewhere], guarded.url)).status).toBe(403);
      expect((await show('Bearer a-long-token')).status).toBe(200);
      for (const wrong of [
        'Bearer a-long-toke',
        'Bearer a-long-token2',
        'Basic a-long-token',
        'a-long-token',
      ]) {
        expect([wrong, (await show(wrong)).status]).toEqual([wrong, 403]);
      }
      expect((await get('/metrics', ['X-Forwarded-For: 192.0.2.9'], guarded.url)).status).toBe(200);
    } finally {
      await guarded.close();
    }
  });

  test('/metrics counts calls by method and fault, and never by what callers make up', async () => {
    const text = async (): Promise<string> => (await get('/metrics')).body.toString();
    const count = async (labels: string): Promise<number> =>
      Number(new RegExp(`^treeline_calls_total\\{${labels}\\} (\\d+)$`, 'm').exec(await text())?.[1] ?? 0);
    const before = await count('method="getCustomerInfo",fault="0"');
    await post();
    await post();
    await post({ body: callBody('made-up-method') });
    await server.root.fault('getCustomerInfo', { i_customer: 2_000_000_000 });
    expect(await count('method="getCustomerInfo",fault="0"')).toBe(before + 2);
    expect(await count('method="getCustomerInfo",fault="404"')).toBeGreaterThan(0);
    expect(await count('method="unknown",fault="-32601"')).toBeGreaterThan(0);
    const all = await text();
    expect(all).not.toContain('made-up-method');
    for (const name of [
      'treeline_call_duration_seconds_bucket',
      'treeline_pool_connections',
      'nodejs_eventloop',
    ]) {
      expect(all).toContain(name);
    }
    expect(headerOf(await get('/metrics'), 'content-type')).toMatch(/^text\/plain; version=/);
  });
});

describe('the database away', () => {
  let cut: TestServer;
  beforeAll(async () => {
    cut = await startServer();
  });
  afterAll(async () => {
    await setReachable(true);
    await cut.close();
  });

  /** Lets nobody into the server's database any more and throws out those who are in. */
  async function setReachable(reachable: boolean): Promise<void> {
    const { database } = cut.connection;
    const admin = new Client(testPostgres());
    await admin.connect();
    await admin.query(`ALTER DATABASE ${database} ALLOW_CONNECTIONS ${String(reachable)}`);
    const text = 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1';
    // Again, as one may have been about to come in.
    while (!reachable && (await admin.query(text, [database])).rows.length > 0);
    await admin.end();
  }

  test('is fault 503 with HTTP 200 also while proving a password, and /health tells; then all is well again', async () => {
    const nonce = await freshNonce(cut.url);
    const fields = (nc: number) => digestFields({ login: 'root', password: rootPassword, nonce, nc });
    const ready = async (): Promise<number> =>
      (await exchange(cut.url, { method: 'GET', path: '/health/ready' })).status;
    expectResult(await post({}, cut.url));
    expect(await ready()).toBe(200);

    await setReachable(false);
    for (let call = 1; call <= 3; call += 1) {
      expectFault(await post({}, cut.url), 503, 'retry');
      expectFault(await digestExchange(cut.url, fields(call), { body: rootInfo }), 503, 'retry');
    }
    expect(await ready()).toBe(503);
    expect((await exchange(cut.url, { method: 'GET', path: '/health/live' })).status).toBe(200);
    expect((await exchange(cut.url, { method: 'GET', path: '/metrics' })).status).toBe(200);

    await setReachable(true);
    expect(await ready()).toBe(200);
    expectResult(await post({}, cut.url));
    expectResult(await digestExchange(cut.url, fields(4), { body: rootInfo }));
  });

  test('where nothing listens at all, a call is fault 503 and /health/ready is 503', async () => {
    const db = openDatabase({
      connection: { ...cut.connection, host: '/nowhere' },
      pool_size: 2,
      statement_timeout_ms: 1_000,
      acquire_timeout_ms: 1_000,
    });
    const log = createLog('error', false, process.stderr);
    const app = await createApp({ config: cut.config, db, log, secret_key: Buffer.alloc(32) });
    try {
      const url = await app.listen({ host: '127.0.0.1', port: 0 });
      expectFault(await post({}, url), 503, 'retry');
      expect((await exchange(url, { method: 'GET', path: '/health/ready' })).status).toBe(503);
    } finally {
      await app.close();
      await db.close();
    }
  });
});
