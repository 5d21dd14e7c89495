/** The JSON bridge: the same calls, answers and faults as over XML-RPC; the old form in a query; and what documents it all. */
import { resellerOperations } from '../../src/api/reseller/operations';
import { tenantOperations } from '../../src/api/tenant/operations/operations';
import { spawnSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import Ajv from 'ajv/dist/2020';
import { allMethods } from '../../src/server/app';
import { digestFields, digestHeader, freshNonce } from '../setup/digest-client';
import { type Family, block, create, makeFamily } from '../setup/family';
import { insertCustomers } from '../setup/insert-customers';
import { projectRoot } from '../setup/processes';
import { rows } from '../setup/rows';
import { exchange } from '../setup/raw-http';
import {
  type Members,
  type TestServer,
  apiPassword,
  makeMember,
  newCustomer,
  rootPassword,
  startServer,
  uniqueName,
} from '../setup/server';

const methods = allMethods(() => {
  throw new Error('Nothing is called here');
});

let server: TestServer;
let family: Family;
/** Serves the old form too. */
let php: TestServer;
const opened: TestServer[] = [];
async function open(environment: Record<string, string> = {}): Promise<TestServer> {
  const made = await startServer(environment);
  opened.push(made);
  return made;
}
beforeAll(async () => {
  server = await open();
  php = await open({ TREELINE_API_PHP: 'on' });
  family = await makeFamily(server);
});
afterAll(() => Promise.all(opened.map((each) => each.close())));

const basic = (login: string, password: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${login}:${password}`).toString('base64')}`,
});
const asRoot = basic('root', rootPassword);

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Undefined where it is no JSON. */
  readonly body: Members | undefined;
}
async function get(url: string, init: RequestInit = {}): Promise<Answer> {
  const answer = await fetch(url, init);
  const text = await answer.text();
  const isJson = answer.headers.get('content-type') === 'application/json; charset=utf-8';
  const body = isJson ? (JSON.parse(text) as Members) : undefined;
  return { status: answer.status, headers: answer.headers, text, body };
}
/** Posts a body, as JSON unless it is text or bytes already. */
function post(method: string, body?: unknown, headers = asRoot, to = server): Promise<Answer> {
  const sent = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
  return get(`${to.url}/json/${method}`, {
    method: 'POST',
    headers,
    ...(body !== undefined && { body: sent }),
  });
}
const ok = async (method: string, body?: unknown): Promise<Members> => {
  const answer = await post(method, body);
  if (answer.status !== 200 || !answer.body) throw new Error(`${method} answered ${answer.text}`);
  return answer.body;
};
const list = (body?: unknown, headers?: Record<string, string>) => post('listCustomers', body, headers);
/** A fault's status, number and text. */
const refusal = async (answer: Promise<Answer>): Promise<string> => {
  const { status, body, headers } = await answer;
  expect(Object.keys(body ?? {})).toEqual(['faultCode', 'faultString', 'request_id']);
  expect(body?.['request_id']).toBe(headers.get('x-request-id'));
  return `${status} ${body?.['faultCode']} ${body?.['faultString']}`;
};

describe('a call', () => {
  test('is answered as over XML-RPC', async () => {
    const { client } = family;
    const made = await ok('createCustomer', newCustomer({ balance: 92.12, i_tariff: null }));
    expect(made).toEqual({ result: 'OK', i_customer: expect.any(Number) as number });
    for (const [method, params] of [
      ['getCustomerInfo', { i_customer: made['i_customer'] }],
      ['listCustomers', { limit: 3, with_total: 1 }],
      ['getPaymentsList', { i_customer: client.i_customer }],
      ['getPaymentInfo', { i_payment: client.i_payment }],
      ['getStatement', { i_customer: client.i_customer }],
      ['listWebUsers', { i_customer: client.i_customer }],
      ['getDictionary', { name: 'currencies' }],
      ['getAuditLogs', { limit: 5 }],
      ['listTrustedHosts', {}],
    ] as const)
      expect([method, await ok(method, params)]).toEqual([method, await server.root.call(method, params)]);
    expect(await ok('system.listMethods')).toEqual(await server.root.call('system.listMethods'));
    const help = await ok('system.methodHelp', { method_name: 'getStatement' });
    expect(help).toEqual(await server.root.call('system.methodHelp', 'getStatement'));
  });

  test('needs neither a body nor a content type, and takes members by the same rules', async () => {
    const { reseller, client } = family;
    const whole = await ok('listCustomers', {});
    for (const body of [undefined, '', ' \n', '{}', '\ufeff{}'])
      expect(await ok('listCustomers', body)).toEqual(whole);
    for (const type of ['application/json', 'text/plain', 'application/x-www-form-urlencoded', 'nonsense'])
      expect((await list('{"limit":1}', { ...asRoot, 'content-type': type })).status).toBe(200);
    const { i_customer } = client;
    for (const id of [i_customer, String(i_customer), client.name])
      expect((await ok('getCustomerInfo', { i_customer: id }))['customer']).toMatchObject({ i_customer });
    const named = await ok('listCustomers', { i_wholesaler: reseller.i_customer, ' limit ': '1' });
    expect(named['customers']).toMatchObject([{ i_customer }]);
    await ok('createCustomer', newCustomer({ name: 5551234, web_password: 12345678 }));
    expect((await ok('getCustomerInfo', { name: 5551234 }))['customer']).toMatchObject({ name: '5551234' });
  });

  test('carries money with every digit, there and back', async () => {
    for (const [balance, written] of [
      ['99999999999999.999999', '99999999999999.999999'],
      ['-0.000001', '-0.000001'],
      ['1e-6', '0.000001'],
      ['70.00', '70'],
    ]) {
      const { i_customer } = await ok('createCustomer', newCustomer({ balance }));
      const { text } = await post('getCustomerInfo', { i_customer });
      expect(/"balance":([^,}]*)/.exec(text)?.[1]).toBe(written);
    }
    const body = JSON.stringify(newCustomer({ overcommit_limit: 1e-9, balance: 0.1 + 0.2 }));
    expect(body).toContain('0.30000000000000004');
    const { i_customer } = await ok('createCustomer', body);
    const { customer } = await ok('getCustomerInfo', { i_customer });
    expect(customer).toMatchObject({ balance: 0.3, overcommit_limit: 1e-9 });
  });

  test('many times in one is answered as over XML-RPC, each with its outcome', async () => {
    const calls = [
      { methodName: 'getCustomerInfo', params: [{ i_customer: family.client.i_customer }] },
      { methodName: 'getCustomerInfo', params: [{ i_customer: 2_000_000_000 }] },
      { methodName: 'system.multicall', params: [] },
      { methodName: 'listRoutingGroups' },
    ];
    const answer = await ok('system.multicall', { calls });
    expect(answer).toEqual(await server.root.call('system.multicall', calls));
    const fine = [{ result: 'OK' }];
    expect(answer).toMatchObject([fine, { faultCode: 404 }, { faultCode: -32600 }, fine]);
  });

  test('answers a long list whole, in pieces, wherever a batch ends', async () => {
    const owner = await makeMember(server);
    const part = (rest: Members = {}) => list({ i_wholesaler: owner.i_customer, ...rest });
    expect((await part()).body).toEqual({ result: 'OK', customers: [] });
    const descriptions = Array.from({ length: 2_500 }, (_, n) => `"${n}\\\u2028`);
    const ids = await insertCustomers(server, owner.i_customer, descriptions);
    for (const count of [1, 999, 1_000, 1_001, 2_000, 2_500]) {
      const { body, headers } = await part({ limit: count, with_total: 1 });
      expect(body).toMatchObject({ result: 'OK', total: 2_500 });
      const seen = (body?.['customers'] as Members[]).map(({ i_customer }) => i_customer as number);
      expect(seen).toEqual(ids.slice(0, count));
      expect(headers.get('transfer-encoding')).toBe(count <= 1_000 ? null : 'chunked');
    }
    const last = { i_customer: ids[2_499], description: descriptions[2_499], balance: 0 };
    expect((await part({ offset: 2_499 })).body?.['customers']).toMatchObject([last]);
  });
});

describe('a fault', () => {
  test('has the HTTP status of its kind, and a body with number, text and request id', async () => {
    const { reseller, client, stranger } = family;
    const poor = await makeMember(server, reseller.as, { balance: 0 });
    const { i_customer } = await create(poor.as);
    const asPoor = basic(poor.name, apiPassword);
    const { password: one_time } = await ok('resetCustomerOneTimePassword', { web_login: client.name });
    const auth = (password: unknown, username = client.name) => post('authCustomer', { username, password });
    const locked = uniqueName();
    for (let count = 0; count < 10; count += 1) await auth('wrong', locked);
    for (const [expected, answer] of [
      ['400 400 Parameter i_tariff is required', post('createCustomer', { name: 'x' })],
      ['400 401 Wrong i_tariff', post('createCustomer', newCustomer({ i_tariff: 99 }))],
      ['402 402 Not enough money: 0 USD available', post('transferFunds', { i_customer, amount: 1 }, asPoor)],
      ['403 403 Only root may do this', post('listRoutingGroups', {}, asPoor)],
      ['404 404 Customer not found', post('getCustomerInfo', { i_customer: stranger.i_customer }, asPoor)],
      ['409 409 A customer of this name exists', post('createCustomer', newCustomer({ name: client.name }))],
      ['410 410 Authenticated by a one-time password: set a new password now', auth(one_time)],
      ['429 429 Too many failed logins, retry in', auth('wrong', locked)],
      ['404 -32601 There is no method noSuchMethod', post('noSuchMethod')],
      ['404 -32601 There is no method __proto__', post('__proto__')],
    ] as const)
      expect(await refusal(answer)).toMatch(expected);
    await block(server, poor);
    expect(await refusal(list({}, asPoor))).toBe('403 403 The customer is blocked');
    for (const path of ['/json', '/json/', '/json/a/b'])
      expect((await get(server.url + path, { method: 'POST', headers: asRoot })).status).toBe(404);
  });

  test('is 503 while the database is away', async () => {
    const lonely = await open();
    await lonely.db.close();
    const answer = post('listCustomers', {}, asRoot, lonely);
    expect(await refusal(answer)).toMatch(/^503 503 The database is not available/);
  });

  test.each<[string, unknown, string]>([
    ['getCustomerInfo', { i_customer: 1.5 }, 'i_customer must be an integer'],
    ['listCustomers', { limit: 0.5 }, 'limit must be an integer'],
    ['listCustomers', '{"limit":1e400}', 'limit must be an integer'],
    ['listCustomers', { limit: 1e15 }, 'limit must be at most 2147483647'],
    ['listCustomers', { limit: true }, 'limit must be an integer'],
    ['listCustomers', { limit: [1] }, 'limit must be an integer'],
    ['listCustomers', { limit: null }, 'limit must not be nil'],
    ['listCustomers', { i_wholesaler: 1.5 }, 'i_wholesaler must be an integer'],
    ['listCustomers', { name_pattern: 5 }, 'name_pattern must be a string'],
    ['createCustomer', newCustomer({ name: 1.5 }), 'name must be a string'],
    ['createCustomer', newCustomer({ balance: '' }), 'balance must be a number'],
    ['createCustomer', newCustomer({ callshop_enabled: 2 }), 'callshop_enabled must be true or false'],
    ['listCustomers', '{"__proto__":{"limit":1}}', '__proto__ is unknown'],
    ['listCustomers', '{"constructor":1}', 'constructor is unknown'],
    ['listCustomers', '{"limit":{"__proto__":1}}', 'limit must be an integer'],
  ])('names the parameter: %s of %j', async (method, body, text) => {
    expect(await refusal(post(method, body))).toBe(`400 400 Parameter ${text}`);
  });
});

describe('a body that is no call', () => {
  const secret = 'hunter2-hunter2';
  test.each<[string, number | 'end']>([
    ['{"limit":x}', 9],
    ['{"limit":1,}', 11],
    ['{"limit":1}x', 11],
    ['{"limit" 1}', 9],
    ["{'limit':1}", 1],
    ['{"limit":01}', 10],
    ['{"limit":+1}', 9],
    ['{"limit":NaN}', 9],
    ['[1 2]', 3],
    ['<methodCall/>', 0],
    [`{"password":"${secret}","limit":}`, 38],
    [`{"password":"${secret}`, 12],
    [`{"password":"at position 7 ${secret}",x}`, 44],
    [`{"a":"${secret}\n"}`, 5],
    ['{"limit":1', 'end'],
    ['{', 'end'],
    ['[[', 'end'],
  ])('%j is refused with the place, and without a word of it', async (body, place) => {
    const where = place === 'end' ? 'it ends too early' : `at position ${place}`;
    expect(await refusal(list(body))).toBe(`400 -32700 The body is not JSON: ${where}`);
  });

  test('a member that is given twice is named, one of a megabyte in part', async () => {
    const name = 'n'.repeat(500_000);
    expect(await refusal(list('{"limit":1,"limit":1}'))).toMatch(/holds the member "limit" twice$/);
    expect((await refusal(list(`{"${name}":1,"${name}":1}`))).length).toBeLessThan(200);
  });

  test.each<[string, unknown]>([
    ['an array', [1]],
    ['an array of members', [{ limit: 1 }]],
    ['a text', '"limit"'],
    ['null', 'null'],
    ['nested deeper than 32 levels', `{"limit":${'['.repeat(33)}${']'.repeat(33)}}`],
    ['nested 100,000 levels deep', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
    ['an object of 1,001 members', Object.fromEntries(Array.from({ length: 1_001 }, (_, n) => [`m${n}`, n]))],
    ['a member of 1,001 members', { limit: Array.from({ length: 1_001 }, () => 1) }],
    ['a member twice', '{"limit":1,"limit":1}'],
    ['a member twice, once with blanks', '{"limit":1," limit ":2}'],
    ['a member twice, once with an escape', '{"limit":1,"\\u006cimit":2}'],
    ['a member twice within a list', '{"name_pattern":[{"a":1,"b":{},"a":2}]}'],
    ['__proto__ twice', '{"__proto__":1,"__proto__":2}'],
    [
      'more values than 50,000',
      `{"limit":[${Array(60)
        .fill(`[${'1,'.repeat(899)}1]`)
        .join()}]}`,
    ],
  ])('%s is refused', async (_what, body) => {
    expect(await refusal(list(body))).toMatch(/^400 -32600 /);
  });

  test('is refused also where it is only open, or no UTF-8, or too large, or badly packed', async () => {
    const packed = (body: Buffer, encoding = 'gzip') =>
      list(body, { ...asRoot, 'content-encoding': encoding });
    expect(await refusal(list('['.repeat(32)))).toMatch('it ends too early');
    expect(await refusal(list('['.repeat(1_000_000)))).toMatch('nested deeper than 32 levels');
    for (const body of [Buffer.from('{"name_pattern":"\xe4"}', 'latin1'), Buffer.from('\ufeff{}', 'utf16le')])
      expect(await refusal(list(body))).toMatch(/^400 -32700 /);
    expect((await list(' '.repeat(1_048_577))).status).toBe(413);
    const packedOk = await packed(gzipSync('{"limit":1}'));
    expect(packedOk.body?.['customers']).toHaveLength(1);
    expect((await packed(gzipSync(Buffer.alloc(1_048_577, ' ')))).status).toBe(413);
    expect(await refusal(packed(Buffer.from('{}')))).toBe('400 -32700 The body is not gzip');
    expect(await refusal(packed(Buffer.from('{}'), 'br'))).toMatch(/^400 -32700 .*br is unknown/);
  });
});

describe('who calls', () => {
  test('proves it by Digest or by Basic; others are asked', async () => {
    const { reseller, client } = family;
    const asked = /^Digest realm="Treeline".*Digest .*SHA-256.*Basic realm="Treeline"/;
    for (const headers of [
      {},
      basic('root', 'wrong'),
      basic('nobody', 'wrong'),
      { authorization: 'Bearer x' },
    ]) {
      const answer = await list('{not JSON', headers);
      expect([answer.status, answer.body]).toEqual([401, { error: 'Authentication is required' }]);
      expect(answer.headers.get('www-authenticate')).toMatch(asked);
    }
    const nonce = await freshNonce(server.url);
    const claim = { login: reseller.name, password: apiPassword, nonce, uri: '/json/listCustomers' };
    for (const [index, algorithm] of (['MD5', 'SHA-256'] as const).entries()) {
      const header = digestHeader(digestFields({ ...claim, algorithm, nc: index + 1 }));
      const { body } = await list({ limit: 1 }, { authorization: header.replace('Authorization: ', '') });
      expect(body?.['customers']).toMatchObject([{ i_customer: client.i_customer }]);
    }
    // Basic would be read on the way.
    const answer = await list({}, { ...asRoot, 'x-forwarded-for': '127.0.0.1' });
    expect([answer.status, answer.headers.get('www-authenticate')?.includes('Basic')]).toEqual([401, false]);
    const closed = await makeMember(server, server.root, { api_access: 0 });
    const refused = list({}, basic(closed.name, apiPassword));
    expect(await refusal(refused)).toBe('403 403 API access is not enabled');
  });
});

test('a trusted host needs no password, and must say for whom it calls', async () => {
  const trusting = await open({ TRUSTED_HOSTS: '127.0.0.1', TREELINE_API_PHP: 'on' });
  const form = (json: string) =>
    get(`${trusting.url}/api.php?action=listCustomers&JSONString=${encodeURIComponent(json)}`);
  // Not by fetch(), which sends Sec-Fetch-Mode as a browser does.
  const posted = async (json: string): Promise<Answer> => {
    const { status, headers, body } = await exchange(trusting.url, {
      path: '/json/listCustomers',
      body: json,
    });
    const text = body.toString();
    return {
      status,
      headers: new Headers(headers.map(([name, value]): [string, string] => [name, value])),
      text,
      body: JSON.parse(text) as Members,
    };
  };
  expect(await refusal(posted('{}'))).toBe('400 400 Parameter i_wholesaler is required');
  expect(await refusal(posted('{"i_wholesaler":99}'))).toBe('404 404 Customer not found');
  expect((await posted('{"i_wholesaler":1}')).body).toEqual({ result: 'OK', customers: [] });
  // A link in a page would be enough to send it.
  expect((await form('{"i_wholesaler":1}')).status).toBe(401);
});

describe('GET /api.php', () => {
  type Words = Record<string, string>;
  const query = (to: TestServer, words: Words, headers: Words = {}): Promise<Answer> =>
    get(`${to.url}/api.php?${new URLSearchParams(words).toString()}`, { headers });
  const root = { username: 'root', apipassword: rootPassword };
  const action = 'listCustomers';

  test('is nothing where it is not switched on, and its query is not logged', async () => {
    const params = { ...root, action, JSONString: '{"name_pattern":"hunter2"}' };
    expect((await query(server, params)).status).toBe(404);
    expect(server.logged()).not.toMatch(/hunter2|apipassword|JSONString/);
    expect(server.logged()).not.toContain(rootPassword);
  });

  test('makes a call as POST would, where it is', async () => {
    const newOne = JSON.stringify(newCustomer({ balance: 0.1 + 0.2 }));
    const made = await query(php, { ...root, action: 'createCustomer', JSONString: newOne });
    expect(made.body).toEqual({ result: 'OK', i_customer: expect.any(Number) as number });
    const JSONString = JSON.stringify({ i_customer: made.body?.['i_customer'] as number });
    const { body } = await query(php, { ...root, action: 'getCustomerInfo', JSONString });
    expect(body).toEqual((await post('getCustomerInfo', JSONString, asRoot, php)).body);
    for (const each of [{}, { JSONString: '' }, { JSONString: '{}' }])
      expect((await query(php, { ...root, action, ...each })).body).toMatchObject({ result: 'OK' });
    expect((await query(php, { action }, asRoot)).status).toBe(200);
    const asking = await makeMember(php, php.root, { api_password: 'who? & what+%' });
    const raw = `username=${asking.name}&action=${action}&JSONString={"name_pattern":"who?"}`;
    for (const apipassword of [encodeURIComponent('who? & what+%'), 'who?%20%26%20what%2B%25'])
      expect((await get(`${php.url}/api.php?${raw}&apipassword=${apipassword}`)).status).toBe(200);
  });

  test('answers the same faults, and asks who does not prove who it is', async () => {
    const call = (rest: Record<string, string>) => refusal(query(php, { ...root, ...rest }));
    expect(await call({})).toBe('400 400 Parameter action is required');
    expect(await call({ action: '' })).toBe('400 400 Parameter action is required');
    expect(await call({ action: 'noSuchMethod' })).toBe('404 -32601 There is no method noSuchMethod');
    const place = '400 -32700 The body is not JSON: at position 9';
    expect(await call({ action, JSONString: '{"limit":hunter2' })).toBe(place);
    expect(await call({ action, JSONString: '[1]' })).toMatch(/^400 -32600 /);
    expect(await call({ action: 'createCustomer' })).toBe('400 400 Parameter i_tariff is required');
    for (const words of [
      {},
      { username: 'root' },
      { ...root, apipassword: 'hunter2' },
      { ...root, username: 'hunter2' },
    ])
      expect((await query(php, { action, ...words })).status).toBe(401);
    expect((await query(php, { ...root, action }, { 'x-forwarded-for': '127.0.0.1' })).status).toBe(401);
    const posted = await get(`${php.url}/api.php?action=${action}`, { method: 'POST', headers: asRoot });
    expect(posted.status).toBe(404);
    expect(php.logged()).toContain('Wrong API password');
    for (const word of ['JSONString', 'apipassword', rootPassword, 'name_pattern', 'limit'])
      expect(php.logged()).not.toContain(word);
    // Somebody may have typed the password into the field of the login.
    expect(php.logged()).not.toContain('hunter2');
  });
});

describe('the documentation', () => {
  const documentOf = async (to = server): Promise<Members> =>
    (await get(`${to.url}/openapi.json`)).body ?? {};

  test('is a valid OpenAPI 3.1 document, open to everybody', async () => {
    const { status, text } = await get(`${server.url}/openapi.json`);
    expect(status).toBe(200);
    const script = `import { Validator } from '@seriousme/openapi-schema-validator';
      const validator = new Validator();
      const { valid, errors } = await validator.validate(JSON.parse((await process.stdin.toArray()).join('')));
      console.log(JSON.stringify({ valid, errors, version: validator.version }));`;
    const words = ['--input-type=module', '-e', script];
    const { stdout, stderr } = spawnSync('node', words, { cwd: projectRoot, input: text, encoding: 'utf8' });
    expect([stderr, JSON.parse(stdout)]).toEqual(['', { valid: true, version: '3.1' }]);
  });

  test('has every method and every other path that is served', async () => {
    const names = methods.map(({ name }) => `/json/${name}`);
    const rest = new Set([
      ...resellerOperations.map(({ path }) => path),
      ...tenantOperations.map(({ path }) => `/v1.0${path}`),
      ...['/auth/login', '/auth/logout'],
    ]);
    const others = ['/xmlapi/xmlapi', '/RPC2', '/health/live', '/health/ready', '/metrics'];
    for (const [to, more] of [
      [server, []],
      [php, ['/api.php']],
    ] as const) {
      const { paths } = await documentOf(to);
      expect(Object.keys(paths as Members).sort()).toEqual([...names, ...others, ...more, ...rest].sort());
    }
  });

  test('says of every call what it takes and answers, as it does', async () => {
    const { client } = family;
    const { paths } = await documentOf();
    const ajv = new Ajv({ strict: false, allErrors: true });
    for (const { name } of methods) {
      const { requestBody, responses } = paths[`/json/${name}`].post as Members;
      const takes = ajv.compile(requestBody.content['application/json'].schema as object);
      const answers = ajv.compile(responses['200'].content['application/json'].schema as object);
      const params: Members = {
        ...rows[name]?.params(client),
        ...(name.startsWith('system.method') && { method_name: name }),
        ...(name === 'system.multicall' && { calls: [] }),
      };
      expect([name, takes(params), takes.errors]).toEqual([name, true, null]);
      expect([name, takes({ ...params, unknown: 1 })]).toEqual([name, false]);
      expect([name, takes({ ...params, i_wholesaler: 1 })]).toEqual([name, !name.startsWith('system.')]);
      if (!/^(get|list|system)/.test(name)) continue;
      const headers = name === 'getTariffInfo' ? basic(client.name, apiPassword) : asRoot;
      const { status, body } = await post(name, params, headers);
      expect([name, status, answers(body), answers.errors]).toEqual([name, 200, true, null]);
    }
  });

  test('is a page with every method and without a script, open to everybody', async () => {
    const { status, headers, text } = await get(`${server.url}/docs`);
    expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    for (const { name, summary } of methods) {
      expect(text).toContain(`<h2 id="${name}">${name}</h2>`);
      expect(text).toContain(`href="#${name}"`);
      expect(text.replaceAll('&quot;', '"').replaceAll('&gt;', '>')).toContain(summary);
    }
    for (const [base, operations] of [
      ['', resellerOperations],
      ['/v1.0', tenantOperations],
    ] as const) {
      for (const { verb, path } of operations) {
        const id = `${verb} ${base}${path}`.replaceAll(/[^A-Za-z0-9.]+/g, '-');
        expect(text).toContain(`<h2 id="${id}">${verb} ${base}${path}</h2>`);
        expect(text).toContain(`href="#${id}"`);
      }
    }
    // What is within a member is told, too.
    expect(text).toContain('<td>users[].role_id</td>');
    expect(text).not.toMatch(/<script|javascript:|\son\w+=|src=/i);
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
  });
});
