/** No web page of others may use what a browser remembers or where it stands: credentials, or a trusted address. */
import { isOk, post, rootLogin, runSql } from '../setup/family';
import { exchange } from '../setup/raw-http';
import { restFaces } from '../setup/rest-faces';
import { type Members, type TestServer, rootPassword, startServer } from '../setup/server';

const trustedHost = '127.0.0.2';
let server: TestServer;
let host: string;
beforeAll(async () => {
  server = await startServer({ TRUSTED_HOSTS: trustedHost, TREELINE_API_PHP: 'on' });
  host = new URL(server.url).host;
});
afterAll(() => server.close());

/** Every way to make a call or to log in. */
const doors: readonly (readonly [verb: string, path: string])[] = [
  ['POST', '/xmlapi/xmlapi'],
  ['POST', '/RPC2'],
  ['POST', '/json/listCustomers'],
  ['GET', '/api.php?action=listCustomers&username=root&apipassword=wrong-password'],
  ['POST', '/auth/login'],
  ['POST', '/auth/logout'],
  ['GET', '/metrics'],
  ...restFaces.flatMap(({ base, operations }) =>
    operations.map(({ verb, path }) => [verb, base + path.replaceAll(/\{\w+\}/g, 'x')] as const),
  ),
];

const wrongBasic = `authorization: Basic ${Buffer.from('root:wrong-password').toString('base64')}`;
const ask = async (method: string, path: string, headers: readonly string[], from = '127.0.0.1') => {
  const answer = await exchange(server.url, { method, path, headers, body: '' }, { localAddress: from });
  return { status: answer.status, text: answer.body.toString() };
};
const failures = () => runSql(server, 'SELECT count(*)::int AS count FROM login_failures');

const foreign = (): readonly string[][] => [
  ['origin: https://evil.example'],
  ['origin: null'],
  ['origin: nonsense'],
  [`origin: http://${host}.evil.example`],
  ['sec-fetch-site: cross-site'],
  ['sec-fetch-site: same-site'],
  [`origin: http://${host}`, 'sec-fetch-site: cross-site'],
];

test.each(doors)('%s %s refuses foreign pages before it looks at credentials', async (verb, path) => {
  const before = await failures();
  for (const headers of foreign()) {
    const { status, text } = await ask(verb, path, [...headers, wrongBasic]);
    expect([headers, status, text]).toEqual([
      headers,
      403,
      expect.stringContaining('Pages of other servers'),
    ]);
  }
  expect(await failures()).toEqual(before);
});

test('pages of this server call with a password', async () => {
  const headers = {
    origin: `http://${host}`,
    referer: `http://${host}/docs`,
    'sec-fetch-site': 'same-origin',
  };
  const answer = await post(server, {
    method: 'listCustomers',
    params: { i_wholesaler: 1 },
    login: rootLogin,
    headers,
  });
  expect(isOk(answer)).toBe(true);
});

test('pages of others may link to what is public', async () => {
  for (const path of ['/docs', '/openapi.json', '/health/live', '/health/ready'])
    expect((await ask('GET', path, ['sec-fetch-site: cross-site'])).status).toBe(200);
});

const marks = [
  'origin: https://evil.example',
  'referer: https://evil.example/',
  'sec-fetch-site: same-origin',
  'sec-fetch-site: none',
  'sec-fetch-mode: no-cors',
  'sec-fetch-dest: empty',
  'sec-fetch-user: ?1',
  'sec-fetch-storage-access: none',
];

describe('in trusted mode', () => {
  test.each(['/xmlapi/xmlapi', '/RPC2', '/json/createCustomer'])('%s refuses browsers', async (path) => {
    for (const mark of [...marks, `origin: http://${host}`]) {
      const { status, text } = await ask('POST', path, [mark, 'content-type: text/plain'], trustedHost);
      expect([mark, status]).toEqual([mark, 403]);
      expect(text).toMatch(/^(A browser is no trusted host|Pages of other servers)/);
    }
  });

  test('a program is still trusted', async () => {
    const asked = { method: 'listCustomers', params: { i_wholesaler: 1 }, from: trustedHost };
    expect(isOk(await post(server, asked))).toBe(true);
  });

  test('api.php needs a password', async () => {
    const path = `/api.php?action=listCustomers&JSONString=${encodeURIComponent('{"i_wholesaler":1}')}`;
    expect((await ask('GET', path, [], trustedHost)).status).toBe(401);
    const proven = `${path}&username=root&apipassword=${rootPassword}`;
    expect((await ask('GET', proven, [], trustedHost)).status).toBe(200);
  });

  test('metrics are for programs', async () => {
    expect((await ask('GET', '/metrics', [])).status).toBe(200);
    for (const mark of ['referer: http://x/', 'sec-fetch-site: none', 'sec-fetch-mode: navigate'])
      expect([mark, (await ask('GET', '/metrics', [mark])).status]).toEqual([mark, 403]);
  });
});

test('nobody trusts everybody over an API', async () => {
  for (const address of [
    '0.0.0.0/0',
    '0.0.0.0/7',
    '128.0.0.0/1',
    '::/0',
    '2001::/31',
    '::ffff:0.0.0.0/96',
    '::ffff:10.0.0.0/103',
  ])
    for (const from of [undefined, trustedHost]) {
      const params: Members = { address, ...(from && { i_wholesaler: 1 }) };
      const login = from === undefined ? { login: rootLogin } : { from };
      const answer = await post(server, { method: 'addTrustedHost', params, ...login });
      expect([address, answer.fault, answer.text]).toEqual([
        address,
        400,
        expect.stringContaining('--yes-everybody'),
      ]);
      expect(await post(server, { method: 'addAnyTrustedHost', params, ...login })).toMatchObject({
        fault: -32601,
      });
    }
  expect(await runSql(server, 'SELECT address FROM trusted_hosts')).toEqual([]);
  for (const TRUSTED_HOSTS of ['0.0.0.0/0', '10.0.0.0/8, ::/31', '::ffff:0:0/96'])
    await expect(startServer({ TRUSTED_HOSTS })).rejects.toThrow('--yes-everybody');
});
