/** Digest authentication as docs/reference/xmlrpc.md describes it, with every field of the answer bent in turn. */
import { randomBytes } from 'node:crypto';
import { createReplayGuard } from '../../src/api/http/auth/replay';
import {
  type Algorithm,
  type Answering,
  type Fields,
  challengesOf,
  digestExchange,
  digestFields,
  digestHeader,
  freshNonce,
  isStale,
} from '../setup/digest-client';
import {
  type RawAnswer,
  basic,
  callBody,
  exchange,
  headerOf,
  headersOf,
  requestBytes,
  withConnection,
} from '../setup/raw-http';
import { readAnswer } from '../setup/read-answer';
import { type TestServer, apiPassword, makeMember, rootPassword, startServer } from '../setup/server';

const body = callBody('system.listMethods');
const key = randomBytes(32);

let server: TestServer;
beforeAll(async () => {
  server = await startServer({}, { secret_key: key });
});
afterAll(() => server.close());

/** A correct answer of root's to a nonce, but for what is given. */
const rootFields = (nonce: string, bent: Partial<Answering> = {}): Fields =>
  digestFields({ login: 'root', password: rootPassword, nonce, ...bent });

/** The status that a call with these fields gets; 200 only with a result in it. */
async function statusOf(fields: Fields, url = server.url): Promise<number> {
  const answer = await digestExchange(url, fields, { body });
  expectAnswered(answer);
  return answer.status;
}

function expectAnswered(answer: RawAnswer): void {
  if (answer.status === 200) expect(readAnswer(answer.body)).toHaveProperty('result');
  else expect(headersOf(answer, 'www-authenticate').length).toBeGreaterThan(0);
}

const without = (fields: Fields, name: string): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([each]) => each !== name));

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('the challenge', () => {
  test('offers MD5 without its name, then SHA-256, then Basic, each on a line of its own', async () => {
    const answer = await exchange(server.url);
    expect(answer.status).toBe(401);
    const lines = headersOf(answer, 'www-authenticate');
    expect(lines).toHaveLength(3);
    const nonce = challengesOf(answer)[0]?.fields['nonce'] ?? '';
    expect(lines[0]).toBe(`Digest realm="Treeline", qop="auth", nonce="${nonce}"`);
    expect(lines[1]).toBe(`Digest realm="Treeline", qop="auth", nonce="${nonce}", algorithm=SHA-256`);
    expect(lines[2]).toBe('Basic realm="Treeline"');
  });

  test('is a new one each time', async () => {
    const nonces = await Promise.all(Array.from({ length: 10 }, () => freshNonce(server.url)));
    expect(new Set(nonces).size).toBe(10);
  });

  test('offers no Basic to a request that somebody forwarded', async () => {
    for (const header of ['X-Forwarded-For: 127.0.0.1', 'Forwarded: for=127.0.0.1;proto=https']) {
      const answer = await exchange(server.url, { headers: [header] });
      expect(challengesOf(answer).map(({ scheme }) => scheme)).toEqual(['Digest', 'Digest']);
    }
  });

  test('goes out before the body is looked at', async () => {
    for (const parts of [{ body: '' }, { body: 'no XML at all' }, { headers: ['Content-Encoding: gzip'] }]) {
      expect((await exchange(server.url, parts)).status).toBe(401);
    }
    await withConnection(server.url, async (connection) => {
      connection.send(requestBytes({ headers: ['Content-Length: 100000'] }));
      expect((await connection.next())?.status).toBe(401);
    });
  });

  test('comes with every wrong answer, and is answered with the right one on the same connection', async () => {
    await withConnection(server.url, async (connection) => {
      connection.send(requestBytes());
      const first = await connection.next();
      const nonce = (first && challengesOf(first)[0]?.fields['nonce']) ?? '';
      connection.send(
        requestBytes({ headers: [digestHeader(rootFields(nonce, { password: 'wrong-password' }))] }),
      );
      const second = await connection.next();
      expect(second?.status).toBe(401);
      expect(second && isStale(second)).toBe(false);
      connection.send(requestBytes({ headers: [digestHeader(rootFields(nonce))], body }));
      expect((await connection.next())?.status).toBe(200);
    });
  });

  test('has no SHA-256 for httplib2, which would keep that challenge alone and fail on it', async () => {
    const answer = await exchange(server.url, { headers: ['User-Agent: Python-httplib2/0.20.4 (gzip)'] });
    expect(challengesOf(answer).map(({ scheme, fields }) => [scheme, fields['algorithm']])).toEqual([
      ['Digest', undefined],
      ['Basic', undefined],
    ]);
  });

  test.each([
    ['MD5', [undefined]],
    ['SHA-256', ['SHA-256']],
    ['SHA-256,MD5', ['SHA-256', undefined]],
    [' md5 , sha-256 ', [undefined, 'SHA-256']],
  ])(
    'offers what TREELINE_DIGEST=%s says, in this order, and accepts nothing else',
    async (setting, names) => {
      const other = await startServer({ TREELINE_DIGEST: setting });
      try {
        const challenges = challengesOf(await exchange(other.url)).filter(
          ({ scheme }) => scheme === 'Digest',
        );
        expect(challenges.map(({ fields }) => fields['algorithm'])).toEqual(names);
        for (const algorithm of ['MD5', 'SHA-256'] as const) {
          const offered = names.includes(algorithm === 'MD5' ? undefined : algorithm);
          const fields = rootFields(await freshNonce(other.url), { algorithm });
          expect(await statusOf(fields, other.url)).toBe(offered ? 200 : 401);
        }
      } finally {
        await other.close();
      }
    },
  );
});

describe('the answer', () => {
  test.each<Algorithm>(['MD5', 'SHA-256'])(
    'of %s is accepted with the right password and refused with a wrong one',
    async (algorithm) => {
      const nonce = await freshNonce(server.url);
      expect(await statusOf(rootFields(nonce, { algorithm, password: 'wrong-password' }))).toBe(401);
      expect(await statusOf(rootFields(nonce, { algorithm, login: 'nobody' }))).toBe(401);
      expect(await statusOf(rootFields(nonce, { algorithm }))).toBe(200);
    },
  );

  test('of MD5 may leave the algorithm out', async () => {
    expect(await statusOf(without(rootFields(await freshNonce(server.url)), 'algorithm'))).toBe(200);
  });

  test.each([
    ['everything quoted', []],
    ['qop, nc and algorithm bare', ['qop', 'nc', 'algorithm']],
    ['only qop bare', ['qop']],
    ['only nc bare', ['nc']],
    ['only algorithm bare', ['algorithm']],
    [
      'everything bare',
      ['username', 'realm', 'nonce', 'uri', 'algorithm', 'qop', 'nc', 'cnonce', 'response'],
    ],
  ])('may have %s', async (_name, unquoted) => {
    for (const algorithm of ['MD5', 'SHA-256'] as const) {
      const fields = rootFields(await freshNonce(server.url), { algorithm });
      expect((await digestExchange(server.url, fields, { body, unquoted })).status).toBe(200);
    }
  });

  test('may have its fields in any order, names and scheme in any case, and odd blanks and commas', async () => {
    const fields = rootFields(await freshNonce(server.url));
    const reversed = Object.fromEntries(Object.entries(fields).reverse());
    const line = digestHeader(reversed)
      .replace('Digest', 'dIGEST')
      .replace('username=', 'UserName = ')
      .replaceAll(', ', ' ,,\t');
    expect((await exchange(server.url, { headers: [line], body })).status).toBe(200);
  });

  test('may have counts in capitals, algorithms in small letters, and fields that nobody asked for', async () => {
    const fields = rootFields(await freshNonce(server.url), { algorithm: 'SHA-256' });
    expect(await statusOf({ ...fields, algorithm: 'sha-256', opaque: '', charset: 'UTF-8' })).toBe(200);
    const nonce = await freshNonce(server.url);
    expect(await statusOf(rootFields(nonce, { nc: '000000AB' }))).toBe(200);
    expect(await statusOf(rootFields(nonce, { nc: '000000ab' }))).toBe(401);
  });

  test.each(['username', 'realm', 'nonce', 'uri', 'qop', 'nc', 'cnonce', 'response'])(
    'is refused without %s, with an empty one, and with two',
    async (name) => {
      const fields = rootFields(await freshNonce(server.url));
      expect(await statusOf(without(fields, name))).toBe(401);
      expect(await statusOf({ ...fields, [name]: '' })).toBe(401);
      const twice = `${digestHeader(fields)}, ${name}="${fields[name] ?? ''}"`;
      expect((await exchange(server.url, { headers: [twice], body })).status).toBe(401);
      expect(await statusOf(fields)).toBe(200);
    },
  );

  test('is refused with another realm, even one that it was computed with', async () => {
    const nonce = await freshNonce(server.url);
    expect(await statusOf(rootFields(nonce, { realm: 'Elsewhere' }))).toBe(401);
    expect(await statusOf({ ...rootFields(nonce), realm: 'Elsewhere' })).toBe(401);
    expect(await statusOf({ ...rootFields(nonce), realm: 'treeline' })).toBe(401);
  });

  test('is refused with another qop, and without any as RFC 2069 had it', async () => {
    const nonce = await freshNonce(server.url);
    expect(await statusOf(rootFields(nonce, { qop: 'auth-int' }))).toBe(401);
    expect(await statusOf(rootFields(nonce, { qop: 'auth,auth-int' }))).toBe(401);
    const { username, realm, uri, response } = rootFields(nonce);
    expect(await statusOf({ username, realm, nonce, uri, response } as Fields)).toBe(401);
  });

  test('is refused with an unknown algorithm, also one that differs by -sess', async () => {
    for (const algorithm of ['MD5-sess', 'SHA-256-sess', 'SHA-512-256', 'none', '__proto__']) {
      expect(await statusOf({ ...rootFields(await freshNonce(server.url)), algorithm })).toBe(401);
    }
    const fields = rootFields(await freshNonce(server.url), { algorithm: 'SHA-256' });
    expect(await statusOf(without(fields, 'algorithm'))).toBe(401);
  });

  test('is refused with a count that is not eight hexadecimal digits, or that is zero', async () => {
    const nonce = await freshNonce(server.url);
    for (const nc of [
      '1',
      '0000001',
      '000000001',
      '0000000g',
      '-0000001',
      '0x000001',
      '+0000001',
      '1.000000',
    ]) {
      expect(await statusOf(rootFields(nonce, { nc }))).toBe(401);
    }
    expect(await statusOf(rootFields(nonce, { nc: 0 }))).toBe(401);
  });

  test('is refused for another path or another HTTP method than it was computed for', async () => {
    const nonce = await freshNonce(server.url);
    expect(await statusOf(rootFields(nonce, { uri: '/RPC2' }))).toBe(401);
    expect(await statusOf({ ...rootFields(nonce, { uri: '/RPC2' }), uri: '/xmlapi/xmlapi' })).toBe(401);
    expect(await statusOf(rootFields(nonce, { uri: '/xmlapi/xmlapi?a=1' }))).toBe(401);
    expect(await statusOf(rootFields(nonce, { method: 'GET' }))).toBe(401);
    expect(await statusOf(rootFields(nonce))).toBe(200);
  });

  test('is accepted on /RPC2, with a query, and with the target written out as proxies do', async () => {
    const whole = `${server.url}/xmlapi/xmlapi`;
    const targets = [
      ['/RPC2', '/RPC2'],
      ['/xmlapi/xmlapi?a=1,b="2"', '/xmlapi/xmlapi?a=1,b="2"'],
      ['/xmlapi/xmlapi', whole],
      [whole, whole],
      [whole, '/xmlapi/xmlapi'],
    ] as const;
    for (const [path, uri] of targets) {
      const fields = rootFields(await freshNonce(server.url), { uri });
      expect((await digestExchange(server.url, fields, { path, body })).status).toBe(200);
    }
  });
});

describe('logins', () => {
  test.each([
    'with blanks',
    'comma, equals=and;semicolon',
    'Łódź-Zoë',
    '漢字😀',
    'at@example.com',
    '<&>%41+/?#',
    'tilde~`!$^*()[]{}|',
    'back\\slash',
    'two\\\\of them\\',
  ])('%s may be a login', async (stem) => {
    const web_login = `${stem}${randomBytes(3).toString('hex')}\\`.slice(
      0,
      stem.endsWith('\\') ? undefined : -1,
    );
    await makeMember(server, server.root, { web_login });
    for (const algorithm of ['MD5', 'SHA-256'] as const) {
      const nonce = await freshNonce(server.url);
      const fields = digestFields({ login: web_login, password: apiPassword, nonce, algorithm });
      expect(await statusOf(fields)).toBe(200);
    }
  });

  test('with a backslash that the client does not double, as Python does not, is read all the same', async () => {
    const web_login = `DOMAIN\\user-${randomBytes(3).toString('hex')}`;
    await makeMember(server, server.root, { web_login });
    const nonce = await freshNonce(server.url);
    const line = digestHeader(digestFields({ login: web_login, password: apiPassword, nonce }));
    const asPython = line.replace('\\\\', '\\');
    expect(asPython).not.toBe(line);
    expect((await exchange(server.url, { headers: [asPython], body })).status).toBe(200);
  });
});

describe('nonces', () => {
  test('that nobody gave out are refused, and are never called stale', async () => {
    const nonce = await freshNonce(server.url);
    const forged = [
      'abc',
      '0'.repeat(nonce.length),
      `${nonce}A`,
      nonce.slice(0, -1),
      nonce.replace(/^./, (first) => (first === 'B' ? 'C' : 'B')),
      nonce.replace(/.$/, (last) => (last === 'A' ? 'E' : 'A')),
      ` ${nonce}`,
      `${nonce}=`,
      Buffer.alloc(32).toString('base64url'),
    ];
    for (const each of forged) {
      const answer = await digestExchange(server.url, rootFields(each), { body });
      expect([each, answer.status, isStale(answer)]).toEqual([each, 401, false]);
    }
    expect(await statusOf(rootFields(nonce))).toBe(200);
  });

  test('of another server with the same SECRET_KEY are accepted, and with another key are not', async () => {
    const sister = await startServer({}, { secret_key: key, connection: server.connection });
    const stranger = await startServer();
    try {
      expect(await statusOf(rootFields(await freshNonce(sister.url)))).toBe(200);
      expect(await statusOf(rootFields(await freshNonce(server.url)), sister.url)).toBe(200);
      const answer = await digestExchange(server.url, rootFields(await freshNonce(stranger.url)), { body });
      expect([answer.status, isStale(answer)]).toEqual([401, false]);
    } finally {
      await Promise.all([sister.close(), stranger.close()]);
    }
  });

  test('that are too old are called stale when the password was right, and only then', async () => {
    const brief = await startServer({ TREELINE_NONCE_LIFE_S: '1' });
    try {
      const nonce = await freshNonce(brief.url);
      expect(await statusOf(rootFields(nonce), brief.url)).toBe(200);
      await wait(1_150);
      const wrong = await digestExchange(brief.url, rootFields(nonce, { password: 'wrong-password' }), {
        body,
      });
      expect([wrong.status, isStale(wrong)]).toEqual([401, false]);
      const unknown = await digestExchange(brief.url, rootFields(nonce, { login: 'nobody' }), { body });
      expect([unknown.status, isStale(unknown)]).toEqual([401, false]);
      const right = await digestExchange(brief.url, rootFields(nonce, { nc: 2 }), { body });
      expect([right.status, isStale(right)]).toEqual([401, true]);
      const renewed = challengesOf(right)[0]?.fields['nonce'] ?? '';
      expect(renewed).not.toBe(nonce);
      expect(await statusOf(rootFields(renewed), brief.url)).toBe(200);
    } finally {
      await brief.close();
    }
  });
});

describe('counts', () => {
  test('may arrive in any order, and each is accepted once', async () => {
    const nonce = await freshNonce(server.url);
    const statuses: number[] = [];
    for (const nc of [1, 3, 2, 3, 2, 1, 4, 0x7fffffff, 5, 0x7fffffff, 0xffffffff]) {
      statuses.push(await statusOf(rootFields(nonce, { nc })));
    }
    expect(statuses).toEqual([200, 200, 200, 401, 401, 401, 200, 200, 200, 401, 200]);
  });

  test('that were used are refused whatever else of the request is new', async () => {
    const nonce = await freshNonce(server.url);
    expect(await statusOf(rootFields(nonce))).toBe(200);
    expect(await statusOf(rootFields(nonce, { cnonce: 'another' }))).toBe(401);
    expect(await statusOf(rootFields(nonce, { algorithm: 'SHA-256' }))).toBe(401);
    const elsewhere = rootFields(nonce, { uri: '/RPC2' });
    expect((await digestExchange(server.url, elsewhere, { path: '/RPC2', body })).status).toBe(401);
  });

  test('that were used are refused under every other spelling of the login', async () => {
    const { name } = await makeMember(server);
    const nonce = await freshNonce(server.url);
    const fields = digestFields({ login: name, password: apiPassword, nonce });
    expect(await statusOf(fields)).toBe(200);
    const wide = name.replace('c', '\uff43');
    for (const username of [name, name.toUpperCase(), wide]) {
      expect([username, await statusOf({ ...fields, username })]).toEqual([username, 401]);
    }
  });

  test('fifty at once, all different, are all accepted', async () => {
    const nonce = await freshNonce(server.url);
    const counts = Array.from({ length: 50 }, (_, index) => index + 1);
    const statuses = await Promise.all(counts.map((nc) => statusOf(rootFields(nonce, { nc }))));
    expect(statuses).toEqual(counts.map(() => 200));
  });

  test('the same one ten times at once is accepted once', async () => {
    const fields = rootFields(await freshNonce(server.url));
    const statuses = await Promise.all(Array.from({ length: 10 }, () => statusOf(fields)));
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
  });

  test('of one login are not used up by another with the same nonce, nor by a wrong password', async () => {
    const [anne, ben] = await Promise.all([makeMember(server), makeMember(server)]);
    const nonce = await freshNonce(server.url);
    const fieldsOf = (login: string, password = apiPassword) => digestFields({ login, password, nonce });
    expect(await statusOf(fieldsOf(ben.name))).toBe(200);
    expect(await statusOf(fieldsOf(anne.name, 'wrong-password'))).toBe(401);
    expect(await statusOf(fieldsOf(anne.name))).toBe(200);
    expect(await statusOf(fieldsOf(anne.name))).toBe(401);
    expect(await statusOf(fieldsOf(ben.name))).toBe(401);
  });
});

describe('what is remembered of counts', () => {
  /** Takes counts of one login, of nonces that were made at `stamp`. */
  const taker = (life_ms: number) => {
    const guard = createReplayGuard(life_ms);
    return (nonce: string, count: number, { login = 'ann', stamp = 0 } = {}): boolean =>
      guard.take(login, nonce, stamp, count);
  };

  test('is bounded for one nonce: after a thousand gaps new counts are refused, and the gaps can still be filled', () => {
    const take = taker(60_000);
    const early = Array.from({ length: 1_024 }, (_, index) => 2 * index + 2);
    expect(early.every((count) => take('nonce', count))).toBe(true);
    expect(take('nonce', 5_000)).toBe(false);
    expect(early.some((count) => take('nonce', count))).toBe(false);
    expect(take('nonce', 1)).toBe(true);
    expect(take('nonce', 3)).toBe(true);
    expect(take('nonce', 5_000)).toBe(true);
    expect(take('another nonce', 5_000)).toBe(true);
  });

  test('is bounded for one login: a new nonce is taken, a forgotten one is not, and other logins are not touched', () => {
    const take = taker(60_000);
    expect(take('of ben', 1, { login: 'ben', stamp: 0 })).toBe(true);
    for (let made = 1; made <= 5_000; made += 1) expect(take(String(made), 1, { stamp: made })).toBe(true);
    expect(take('5001', 1, { stamp: 5_001 })).toBe(true);
    // Forgotten, so nobody can know whether its count is new.
    expect(take('5', 1, { stamp: 5 })).toBe(false);
    expect(take('5', 2, { stamp: 5 })).toBe(false);
    // Never used, but as old as those that were forgotten.
    expect(take('unused', 1, { stamp: 500 })).toBe(false);
    expect(take('4999', 1, { stamp: 4_999 })).toBe(false);
    expect(take('4999', 2, { stamp: 4_999 })).toBe(true);
    expect(take('of ben', 1, { login: 'ben', stamp: 0 })).toBe(false);
    expect(take('of ben', 2, { login: 'ben', stamp: 0 })).toBe(true);
  });

  test('is bounded for all logins together, and a new one still gets in', () => {
    const take = taker(60_000);
    for (let login = 0; login < 75; login += 1) {
      for (let made = 0; made < 4_096; made += 1)
        take(`${login} ${made}`, 1, { login: String(login), stamp: made });
    }
    expect(take('mine', 1, { login: 'newcomer', stamp: 9_999 })).toBe(true);
    expect(take('mine', 1, { login: 'newcomer', stamp: 9_999 })).toBe(false);
    // Nothing that was used passes again.
    for (const made of [0, 1, 4_095]) expect(take(`0 ${made}`, 1, { login: '0', stamp: made })).toBe(false);
  });

  test('is forgotten when no server could accept the nonce any more', async () => {
    const take = taker(50);
    expect([take('nonce', 1), take('nonce', 1)]).toEqual([true, false]);
    await wait(60);
    expect(take('nonce', 1)).toBe(false);
    await wait(60);
    expect(take('nonce', 1)).toBe(true);
  });
});

describe('what is no answer at all', () => {
  const junk = [
    '',
    'Digest',
    'Digest ',
    'Digest ,,,,',
    'Digest "',
    'Digest username',
    'Digest username=',
    'Digest username="root',
    'Digest username="root\\',
    'Digest =root, ="x"',
    'Digest username="root" realm="Treeline" nonce="x"',
    `Digest ${'a'.repeat(9_000)}`,
    `Digest username="${'\\'.repeat(9_000)}`,
    `Digest ${' ,\t'.repeat(3_000)}x`,
    `Digest ${Array.from({ length: 1_500 }, (_, index) => `a${index}=1`).join()}`,
    'DigestX username="root"',
    'Bearer 123',
    'Negotiate abc==',
    'Basic',
    'Basic !!!!',
    'Basic cm9vdA==',
    'Basic Og==',
    'Basic \u00ff\u00fe',
    'root:password',
  ];

  test.each(junk.map((header) => [header.slice(0, 40), header]))(
    'an Authorization of "%s" is challenged',
    async (_name, header) => {
      const answer = await exchange(server.url, { headers: [`Authorization: ${header}`], body });
      expect(answer.status).toBe(401);
      expect(isStale(answer)).toBe(false);
    },
  );

  test('bytes that are not UTF-8 in a login are challenged', async () => {
    const fields = rootFields(await freshNonce(server.url));
    const line = digestHeader(fields).replace('"root"', '"ro\u00ff\u00c3ot"');
    expect((await exchange(server.url, { headers: [line], body })).status).toBe(401);
  });
});

describe('wrong passwords', () => {
  test('twenty from one address for one login are answered by 429 at once, others are not touched', async () => {
    const { name } = await makeMember(server);
    const nonce = await freshNonce(server.url);
    const from = (localAddress: string, login: string, password: string, nc: number) =>
      digestExchange(server.url, digestFields({ login, password, nonce, nc }), { body, localAddress });
    for (let nc = 1; nc <= 20; nc += 1) {
      const password = nc % 2 ? 'wrong-password' : 'wrong-password-2';
      const answer = nc % 3 ? await from('127.0.0.2', name, password, nc) : await basicFrom(name, password);
      expect([nc, answer.status]).toEqual([nc, 401]);
    }
    const refused = await from('127.0.0.2', name, apiPassword, 21);
    expect(refused.status).toBe(429);
    expect(Number(headerOf(refused, 'retry-after'))).toBeGreaterThan(0);
    expect(Number(headerOf(refused, 'retry-after'))).toBeLessThanOrEqual(900);
    expect((await basicFrom(name, apiPassword)).status).toBe(429);
    expect((await from('127.0.0.2', 'root', rootPassword, 22)).status).toBe(200);
    expect((await from('127.0.0.3', name, apiPassword, 23)).status).toBe(200);
  });

  const basicFrom = (login: string, password: string): Promise<RawAnswer> =>
    exchange(server.url, { headers: [basic(login, password)], body }, { localAddress: '127.0.0.2' });
});
