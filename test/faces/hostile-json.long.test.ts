/**
 * What hostile.test.ts tries on the XML-RPC face, on those that speak JSON: the bridge, the reseller API, the tenant
 * API and its login. And what stands in a text stays a text, wherever it comes out.
 */
import { gzipSync } from 'node:zlib';
import { resellerOperations } from '../../src/api/reseller/operations';
import { tenantOperations } from '../../src/api/tenant/operations/operations';
import { methods } from '../setup/docs';
import { kept } from '../setup/books';
import { type RawAnswer, basic, exchangeRaw, requestBytes, withConnection } from '../setup/raw-http';
import { headersOf, resellerAs, resultOf, rootIdentity } from '../setup/reseller';
import { type TestServer, rootPassword, startServer, uniqueName } from '../setup/server';
import { rootTenant } from '../setup/tenant';

let server: TestServer;
let token: string;
beforeAll(async () => {
  server = await startServer();
  ({ token } = await rootTenant(server));
});
afterAll(() => server.close());
afterEach(() => {
  expect(server.logged()).not.toMatch(/Internal error|Unhandled/);
});

const id = '3951ec81-cca4-4c4a-8efb-4bce76e04032';
const hasBody = ({ verb }: { readonly verb: string }): boolean => verb === 'POST' || verb === 'PUT';

interface Target {
  readonly verb: string;
  readonly path: string;
  readonly headers: readonly string[];
}

const asRoot = (): string[] => [basic('root', rootPassword)];
const asReseller = (): string[] =>
  Object.entries(headersOf(rootIdentity)).map(([name, value]) => `${name}: ${value}`);
const asTenant = (): string[] => [`Authorization: Bearer ${token}`];

/** One that takes a body, of each face. */
const samples = (): Record<string, Target> => ({
  'the bridge': { verb: 'POST', path: '/json/createCustomer', headers: asRoot() },
  'the reseller API': { verb: 'POST', path: '/account/store', headers: asReseller() },
  'the tenant API': { verb: 'POST', path: '/v1.0/flows', headers: asTenant() },
  'the login of the tenant API': { verb: 'POST', path: '/auth/login', headers: [] },
});
const faces = Object.keys(samples());

/** Everything that takes a body. */
const everything = (): Target[] => [
  ...methods.map(({ name }) => ({ verb: 'POST', path: `/json/${name}`, headers: asRoot() })),
  ...resellerOperations
    .filter(hasBody)
    .map(({ verb, path }) => ({ verb, path: path.replace('{uuid}', id), headers: asReseller() })),
  ...tenantOperations
    .filter(hasBody)
    .map(({ verb, path }) => ({ verb, path: `/v1.0${path.replace('{id}', id)}`, headers: asTenant() })),
  ...Object.values(samples()).slice(-1),
];

async function send({ verb, path, headers }: Target, body: string | Buffer, more: readonly string[] = []) {
  const bytes = requestBytes({ method: verb, path, headers: [...headers, ...more], body });
  const answer = await exchangeRaw(server.url, bytes, { method: verb, timeout_ms: 10_000 });
  if (!answer) throw new Error(`${verb} ${path} was not answered`);
  return answer;
}

const target = (face: string): Target => samples()[face] as Target;
const told = ({ status, body }: RawAnswer): string => `${status} ${body.toString()}`;

describe('a prototype cannot be reached', () => {
  const bodies = [
    '{"__proto__":{"polluted":1}}',
    '{"__proto__":null}',
    '{"constructor":{"prototype":{"polluted":1}}}',
    '{"prototype":{"polluted":1}}',
    '{"\\u005f_proto__":{"polluted":1}}',
  ];

  test('by a member of any operation of any face: it is unknown, as every other is', async () => {
    const before = await kept(server);
    for (const each of everything()) {
      for (const body of bodies) {
        const answer = await send(each, body);
        expect([each.path, body, told(answer)]).toEqual([
          each.path,
          body,
          expect.stringMatching(/^(400|404) /),
        ]);
      }
    }
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(Object.prototype).not.toHaveProperty('polluted');
    expect(await kept(server)).toEqual(before);
  });

  test('by a struct within a list, nor by a free one', async () => {
    const tenant = (actions: string) => send(target('the tenant API'), `{"name":"f","actions":${actions}}`);
    const free = await tenant('[{"type":"answer","option":{"__proto__":{"polluted":1}}}]');
    expect([200, 400]).toContain(free.status);
    expect((await tenant('[{"__proto__":{"type":"answer"}}]')).status).toBe(400);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

describe.each(faces)('%s', (face) => {
  test('takes no bomb: of gzip, of depth, of members, of digits', async () => {
    const gzip = ['Content-Encoding: gzip'];
    const bomb = gzipSync(Buffer.alloc(50_000_000, '['));
    expect((await send(target(face), bomb, gzip)).status).toBe(413);
    expect((await send(target(face), gzipSync(gzipSync('{}')), gzip)).status).toBe(400);
    const deep = (open: string, close: string): string => open.repeat(100_000) + close.repeat(100_000);
    const hostile = [
      deep('[', ']'),
      deep('{"a":', '}').replace('}', '1}'),
      `{"name":${'['.repeat(900_000)}`,
      `{${Array.from({ length: 50_000 }, (_, index) => `"m${index}":1`).join(',')}}`,
      `{"name":[${'1,'.repeat(400_000)}1]}`,
      `{"name":${'9'.repeat(900_000)}}`,
      `{"name":1e${'9'.repeat(900_000)}}`,
      `{"name":"${'\\ud800'.repeat(10)}"}`,
      `"${'\\'.repeat(900_001)}"`,
    ];
    for (const body of hostile) {
      const began = performance.now();
      const answer = await send(target(face), body);
      expect([body.slice(0, 30), answer.status]).toEqual([body.slice(0, 30), 400]);
      // Of a megabyte that is read in the wrong way some took minutes.
      expect(performance.now() - began).toBeLessThan(10_000);
      expect(answer.body.length).toBeLessThan(2_000);
      expect(() => JSON.parse(answer.body.toString()) as unknown).not.toThrow();
    }
  });

  test('cuts off who sends slowly, and serves others meanwhile', async () => {
    const hasty = await startServer({ TREELINE_CALL_TIMEOUT_MS: '400' });
    const { verb, path, headers } = target(face);
    const whole = requestBytes({ method: verb, path, headers: [...headers, 'Content-Length: 500'] });
    try {
      const slow = [whole, whole.subarray(0, 40)].map((start) =>
        withConnection(hasty.url, async (connection) => {
          connection.send(start);
          const timer = setInterval(() => {
            connection.send('x');
          }, 50);
          try {
            const answer = await connection.next();
            // A token of another server is refused before its body is waited for.
            expect([401, 408]).toContain(answer?.status);
            expect(await connection.closes()).toBe(true);
          } finally {
            clearInterval(timer);
          }
        }),
      );
      const ready = await fetch(`${hasty.url}/health/ready`);
      expect(ready.status).toBe(200);
      await Promise.all(slow);
    } finally {
      await hasty.close();
    }
  });

  test.each<[string, string[], string]>([
    ['both lengths', ['Content-Length: 2', 'Transfer-Encoding: chunked'], '0\r\n\r\n'],
    ['two lengths', ['Content-Length: 2', 'Content-Length: 3'], '{}'],
    ['a header folded', ['Content-Length: 2', 'X-Auth-For:\r\n somebody'], '{}'],
    ['a line feed alone within its headers', ['Content-Length: 2\nX-Auth-For: somebody'], '{}'],
    [
      'an extension of a chunk that ends in a line feed',
      ['Transfer-Encoding: chunked'],
      '2;x\n{}\r\n0\r\n\r\n',
    ],
    ['an extension of a chunk with a CR', ['Transfer-Encoding: chunked'], '2;x=\ry\r\n{}\r\n0\r\n\r\n'],
    [
      'an extension of a chunk of 100 kB',
      ['Transfer-Encoding: chunked'],
      `2;${'x'.repeat(100_000)}\r\n{}\r\n0\r\n\r\n`,
    ],
    ['line feeds alone between chunks', ['Transfer-Encoding: chunked'], '2\n{}\n0\n\n'],
    [
      'trailers that are headers',
      ['Transfer-Encoding: chunked'],
      '2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n',
    ],
  ])(
    'refuses a request with %s, or takes it for what it is, and nothing behind it',
    async (_name, more, body) => {
      const { verb, path, headers } = target(face);
      const before = await kept(server);
      const smuggled = `GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n`;
      await withConnection(server.url, async (connection) => {
        connection.send(
          requestBytes({ method: verb, path, headers: [...headers, ...more], body: body + smuggled }),
        );
        const answer = await connection.next(2_000);
        expect(Math.floor((answer?.status ?? 400) / 100)).toBe(4);
      });
      expect(await kept(server)).toEqual(before);
    },
  );
});

test('css and texts stand in answers as they were given, in JSON that no browser takes for a page', async () => {
  const texts = [
    '</style><script>alert(1)</script>',
    ']]>--><!--',
    '"}],"status_code":200,"x":{"',
    '</title><svg onload=alert(1)>',
    "=cmd|'/c calc'!A1",
  ];
  const call = resellerAs(server, rootIdentity);
  for (const css of texts) {
    const name = uniqueName(css.slice(0, 20));
    const { uuid } = await resultOf(call('POST', '/account/store', { name, css }));
    const { body, headers } = await call('GET', `/account/store/${String(uuid)}`);
    expect(body['result']).toMatchObject({ name, css });
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  }
  for (const path of ['/docs', '/docs/', '/openapi.json', '/']) {
    const page = await (await fetch(server.url + path)).text();
    for (const css of texts) expect(page).not.toContain(css);
  }
});
