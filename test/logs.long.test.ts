/**
 * The log holds what an operator needs, and nothing that an intruder could use: one line a call, and no secret at
 * any level, however a caller comes to send it. Secrets of every kind go in through every method and every
 * failure; then the whole log is searched for each of them.
 */
import { createHash, randomBytes } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Client } from 'pg';
import { settings } from '../src/base/config';
import { ha1Of } from '../src/core/auth/credentials';
import { type TSchema, declared } from '../src/core/schema/schema';
import { createLog } from '../src/base/log';
import { methods } from './setup/docs';
import {
  type Members,
  type TestServer,
  basicCaller,
  makeMember,
  newCustomer,
  rootPassword,
  rootWebPassword,
  startServer,
  testPostgres,
  uniqueName,
} from './setup/server';

const open: TestServer[] = [];
afterAll(() => Promise.all(open.map((server) => server.close())));

/** A server that is closed in the end, also where a test fails. */
async function openServer(...how: Parameters<typeof startServer>): Promise<TestServer> {
  const server = await startServer(...how);
  open.push(server);
  return server;
}

type Line = Readonly<Record<string, unknown>>;

const linesOf = (server: TestServer): Line[] =>
  server
    .logged()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);

const post = (to: TestServer, body: string, headers: Record<string, string>, path = '/xmlapi/xmlapi') =>
  fetch(to.url + path, { method: 'POST', body, headers });

const basic = (login: string, password: string): string =>
  `Basic ${Buffer.from(`${login}:${password}`).toString('base64')}`;
const rootHeaders = { authorization: basic('root', rootPassword) };

const string = (text: string): string => `<value><string>${text}</string></value>`;
const member = (name: string, value: string): string => `<member><name>${name}</name>${value}</member>`;
const callXml = (method: string, members = ''): string =>
  `<methodCall><methodName>${method}</methodName><params><param><value><struct>${members}</struct></value></param></params></methodCall>`;

describe('the line of a call', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await openServer();
  });

  /** What is logged while `run` runs. */
  const during = async (run: () => Promise<unknown>): Promise<Line[]> => {
    const before = linesOf(server).length;
    await run();
    // The log writes what was logged in one turn of the event loop at its end.
    await nextTurn();
    return linesOf(server).slice(before);
  };

  test('says which request, who called what, for whom, from where, how it ended and how long it took', async () => {
    let id: string | null = null;
    const lines = await during(async () => {
      id = (await post(server, callXml('listCustomers'), rootHeaders)).headers.get('x-request-id');
    });
    expect(lines).toEqual([
      {
        timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        level: 'info',
        message: 'call',
        request_id: id,
        method: 'listCustomers',
        caller: 'root',
        address: '127.0.0.1',
        actor: 1,
        fault: 0,
        ms: expect.any(Number),
      },
    ]);
  });

  test('tells the caller from the actor, and a trusted host from a login', async () => {
    const reseller = await makeMember(server);
    const acting = { i_wholesaler: reseller.i_customer };
    const lines = await during(() => server.root.call('listCustomers', acting));
    expect(lines).toEqual([expect.objectContaining({ caller: 'root', actor: reseller.i_customer })]);

    const trusting = await openServer({ TRUSTED_HOSTS: '127.0.0.1' });
    await basicCaller(trusting.url).call('listCustomers', { i_wholesaler: 1 });
    expect(linesOf(trusting)).toEqual([expect.objectContaining({ caller: 'trusted', actor: 1 })]);
  });

  test('has the number of the fault, also where no actor was found', async () => {
    const lines = await during(async () => {
      await server.root.fault('getCustomerInfo', { i_customer: 999_999 });
      await server.root.fault('listCustomers', { i_wholesaler: 999_999 });
      await server.root.fault('deleteCustomer', {});
      await server.root.fault('no.such.method');
      await post(server, '<methodCall>', rootHeaders);
    });
    expect(lines.map(({ method, fault, level }) => [method, fault, level])).toEqual([
      ['getCustomerInfo', 404, 'info'],
      ['listCustomers', 404, 'info'],
      ['deleteCustomer', 400, 'info'],
      ['unknown', -32_601, 'info'],
      ['unknown', -32_700, 'info'],
    ]);
  });

  test('stands once for each member of a multicall, under a number of its own', async () => {
    const calls = ['listCustomers', 'system.listMethods'].map((methodName) => ({ methodName, params: [] }));
    const lines = await during(() => server.root.call('system.multicall', calls));
    const [id] = lines.map(({ request_id }) => String(request_id).split('.')[0]);
    expect(lines.map(({ request_id, method }) => [request_id, method])).toEqual([
      [`${id}.1`, 'listCustomers'],
      [`${id}.2`, 'system.listMethods'],
      [id, 'system.multicall'],
    ]);
  });

  test('is not written below the level that is asked for', async () => {
    const quiet = await openServer({ LOG_LEVEL: 'warn' });
    await quiet.root.call('listCustomers');
    expect(quiet.logged()).toBe('');
  });
});

/** Texts with all that could end a line, clear a terminal, or look like a line of the log. */
const forgery =
  '\r\n{"level":"info","message":"call","caller":"root"}\u001b[2J\u009b1A\u2028\u2029\u0085\u007f\0end';

describe('a text of a caller', () => {
  test.each([
    ['JSON', false],
    ['lines for people', true],
  ])('cannot forge a line, nor move the cursor of a terminal: %s', async (_form, terminal) => {
    const sink = new PassThrough();
    const log = createLog('debug', terminal, sink);
    log.info('call', { caller: forgery, nested: { login: forgery }, list: [forgery] });
    log.warn(`A message with ${forgery}`);
    // Lines of one turn of the event loop are written at its end.
    await new Promise(setImmediate);
    const written = String(sink.read());
    expect(written.trimEnd().split('\n')).toHaveLength(2);
    expect(written.replaceAll('\n', '')).not.toMatch(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/);
    if (terminal) return;
    const [first] = written.split('\n').map((line) => (line === '' ? {} : (JSON.parse(line) as Line)));
    expect(first).toMatchObject({ caller: forgery, nested: { login: forgery } });
  });

  test('cannot forge a line by way of a login that is claimed', async () => {
    const server = await openServer();
    // A header carries bytes; those of UTF-8 go through, save DEL.
    const quoted = Buffer.from(JSON.stringify(forgery).replace('\x7f', '')).toString('latin1');
    const claims = [basic(forgery.replaceAll(':', ' '), 'wrong'), `Digest username=${quoted}`];
    for (const authorization of claims) {
      expect((await post(server, callXml('listCustomers'), { authorization })).status).toBe(401);
    }
    await server.root.fault('authCustomer', { username: 'a\u2028b', password: 'wrong' });
    const lines = linesOf(server);
    expect(lines.filter(({ message }) => message === 'call')).toHaveLength(1);
    expect(lines.filter(({ caller }) => caller === 'root')).toHaveLength(1);
    expect(server.logged()).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]/);
  });

  test('of a field that bears the name of a secret is hidden, at any depth', () => {
    const sink = new PassThrough();
    const log = createLog('debug', false, sink);
    log.info('A slip of ours', {
      password: 'slip-1',
      api_password: 'slip-2',
      detail: { secret_key: 'slip-3' },
    });
    expect(String(sink.read())).not.toMatch(/slip-\d/);
  });
});

/** Makes secrets and remembers them; each is plain letters and digits, so that it is the same on every wire. */
class Secrets {
  private readonly known = new Map<string, string>();

  make(kind: string): string {
    const secret = `Zx9${randomBytes(9).toString('hex')}`;
    this.known.set(`${kind} ${this.known.size}`, secret);
    return secret;
  }

  /** One that was made elsewhere. */
  add(kind: string, secret: string): void {
    this.known.set(kind, secret);
  }

  /** Which secrets stand in the text, as they are, in base64 at any offset, or as a hash of them. */
  foundIn(text: string): string[] {
    return [...this.known]
      .filter(([, secret]) => shapesOf(secret).some((shape) => text.includes(shape)))
      .map(([kind]) => kind);
  }
}

function shapesOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  // What stands before a secret shifts its base64 by up to two bytes; the edges depend on the neighbours.
  const encoded = [0, 1, 2].flatMap((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .replaceAll('=', '');
    return [text.slice(shift === 0 ? 0 : shift + 1, -2)];
  });
  const hashes = ['md5', 'sha256'].flatMap((algorithm) => [
    createHash(algorithm).update(secret).digest('hex'),
    createHash(algorithm).update(secret).digest('base64'),
  ]);
  return [secret, bytes.toString('hex'), ...encoded, ...hashes];
}

/** A value for a parameter: a secret where the declaration says so, else something that fits its type. */
function valueFor(schema: TSchema, secrets: Secrets, kind: string): unknown {
  const { wire, secret, enum: values } = declared(schema);
  if (secret) return secrets.make(kind);
  switch (wire) {
    case 'integer':
    case 'bit':
      return 1;
    case 'flag':
      return true;
    case 'double':
    case 'money':
      return 1.5;
    case 'text':
      return values?.[0] ?? uniqueName('text');
    case 'list':
      return [];
    case 'struct':
    case 'any':
      return {};
  }
}

const swallow = (): undefined => undefined;

/** Every method: as it should be called, with secrets of the wrong type, and with secrets under misspelled names. */
async function callEveryMethod(server: TestServer, secrets: Secrets): Promise<void> {
  for (const { name, params, positional } of methods) {
    const entries = Object.entries(params.properties);
    const fitting = Object.fromEntries(
      entries.map(([param, schema]) => [param, valueFor(schema, secrets, `${name}.${param}`)]),
    );
    const odd = entries.map(([param]) => [
      param,
      [{ [param]: secrets.make(`${name}.${param} within a list`) }],
    ]);
    const misspelled = {
      ...fitting,
      web_pasword: secrets.make(`${name} misspelled`),
      apiPassword: secrets.make(`${name} in other letters`),
      description2: { deep: [secrets.make(`${name} deep`)] },
    };
    // A stranger's login is another one each time, or its address would soon be locked out.
    const stranger = server.as(uniqueName('stranger'), secrets.make(`${name} with a wrong API password`));
    for (const caller of [server.root, stranger]) {
      if (positional) await caller.call(name, ...positional.map((param) => fitting[param])).catch(swallow);
      else await caller.call(name, fitting).catch(swallow);
      await caller.call(name, Object.fromEntries(odd)).catch(swallow);
      await caller.call(name, misspelled).catch(swallow);
      await caller.call(name, secrets.make(`${name} as no struct`)).catch(swallow);
    }
  }
}

/** The life of the passwords of one customer, as the API has it. */
async function livePasswords(server: TestServer, secrets: Secrets): Promise<void> {
  const [web_password, api_password] = [secrets.make('web_password'), secrets.make('api_password')];
  const customer = newCustomer({ web_password, api_password, api_access: 1 });
  const { i_customer } = await server.root.call('createCustomer', customer);
  const username = String(customer['name']);
  secrets.add('HA1 by MD5', ha1Of(username, api_password).MD5);
  secrets.add('HA1 by SHA-256', ha1Of(username, api_password)['SHA-256']);
  await server.as(username, api_password).call('listCustomers');
  await server.root.call('authCustomer', { username, password: web_password });

  const change = (members: Members) =>
    server.root.call('updateCustomer', { i_customer, ...members }).catch(swallow);
  await change({
    web_password: secrets.make('changed web_password'),
    api_password: secrets.make('changed api_password'),
  });
  await change({ web_login: uniqueName(), web_password: secrets.make('web_password of a refused change') });
  await change({ i_password_policy: 2, web_password: secrets.make('too weak').toLowerCase() });
  await change({ api_password: `${secrets.make('api_password that is no ASCII')}é` });
  await change({ web_password: secrets.make('too long').repeat(10) });
  await change({ i_tariff: secrets.make('in the place of an id') });

  const { password } = await server.root.call('resetCustomerOneTimePassword', { web_login: username });
  secrets.add('one-time password', String(password));
  for (let n = 0; n < 2; n += 1)
    await server.root.call('authCustomer', { username, password }).catch(swallow);
  for (let n = 0; n < 11; n += 1) {
    const guess = secrets.make('a guess');
    await server.root.call('authCustomer', { username, password: guess }).catch(swallow);
  }
  const inMulticall = [
    { methodName: 'authCustomer', params: [{ username, password: secrets.make('in a multicall') }] },
    {
      methodName: 'createCustomer',
      params: [{ ...newCustomer(), web_password: secrets.make('made in a multicall') }],
    },
    { methodName: secrets.make('in the place of a method'), params: [] },
  ];
  await server.root.call('system.multicall', inMulticall);
}

/** What never becomes a call: headers, paths, and bodies that cannot be read. */
async function sendOddRequests(server: TestServer, secrets: Secrets): Promise<void> {
  const headers = [
    `Bearer ${secrets.make('a bearer token')}`,
    `Digest username="root", realm="Treeline", response="${secrets.make('a response')}"`,
    `Basic ${Buffer.from(secrets.make('no colon')).toString('base64')}`,
    secrets.make('no scheme'),
  ];
  for (const authorization of headers) await post(server, callXml('listCustomers'), { authorization });
  await fetch(`${server.url}/metrics`, {
    headers: { authorization: `Bearer ${secrets.make('no METRICS_TOKEN')}` },
  });
  await post(
    server,
    callXml('listCustomers'),
    rootHeaders,
    `/xmlapi/xmlapi?password=${secrets.make('in a query')}`,
  );
  await fetch(`${server.url}/${secrets.make('in a path')}`);
  const cookie = { ...rootHeaders, cookie: `session=${secrets.make('a cookie')}` };
  await post(server, callXml('listCustomers'), cookie);

  const bodies = [
    `<methodCall><methodName>authCustomer</methodName>${secrets.make('where nothing may stand')}`,
    `<!DOCTYPE x [<!ENTITY a "${secrets.make('in an entity')}">]><methodCall/>`,
    callXml(secrets.make('as the name of a method')),
    callXml('authCustomer', member('password', `<value><int>${secrets.make('in an int')}</int></value>`)),
    callXml('authCustomer', member('password', `<value><${secrets.make('as a tag')}/></value>`)),
    callXml('authCustomer', member('password', string(secrets.make('given twice'))).repeat(2)),
    secrets.make('no XML'),
  ];
  for (const body of bodies) await post(server, body, rootHeaders);
}

/** The other wires: JSON, and the old form that carries passwords in its query. */
async function sendOtherWires(server: TestServer, secrets: Secrets): Promise<void> {
  const json = (method: string, members: unknown) =>
    post(server, JSON.stringify(members), rootHeaders, `/json/${method}`);
  await json('authCustomer', { username: 'root', password: secrets.make('as JSON') });
  await json('createCustomer', { ...newCustomer(), web_pasword: secrets.make('misspelled as JSON') });
  await json(secrets.make('as a path of JSON'), {});
  await post(server, `{"password": ${secrets.make('no JSON')}`, rootHeaders, '/json/authCustomer');

  const form = new URLSearchParams({
    username: 'root',
    apipassword: rootPassword,
    action: 'authCustomer',
    JSONString: JSON.stringify({ username: 'root', password: secrets.make('in JSONString') }),
  });
  const answer = await fetch(`${server.url}/api.php?${form.toString()}`);
  expect(answer.status).toBe(403);
  form.set('apipassword', secrets.make('apipassword'));
  await fetch(`${server.url}/api.php?${form.toString()}`);
}

/** Our own bugs, and a database that is away: the paths on which the most is told. */
async function breakEverything(server: TestServer, secrets: Secrets): Promise<void> {
  const attempts = async (): Promise<void> => {
    const web_password = secrets.make('web_password meets a bug');
    const api_password = secrets.make('api_password meets a bug');
    await server.root.call('createCustomer', newCustomer({ web_password, api_password })).catch(swallow);
    const password = secrets.make('password meets a bug');
    await server.root.call('authCustomer', { username: 'root', password }).catch(swallow);
    await server.as('root', secrets.make('API password meets a bug')).call('listCustomers').catch(swallow);
  };
  const { db, connection } = server;
  await db.query({ text: 'ALTER TABLE users RENAME COLUMN password_hash TO broken' });
  await attempts();
  await db.query({ text: 'ALTER TABLE users RENAME COLUMN broken TO password_hash' });
  await db.query({ text: `ALTER TABLE api_credentials ADD CONSTRAINT broken CHECK (false) NOT VALID` });
  await attempts();
  const admin = new Client(testPostgres());
  await admin.connect();
  await admin.query(`ALTER DATABASE ${connection.database} ALLOW_CONNECTIONS false`);
  await admin.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${connection.database}'`,
  );
  await attempts();
  await admin.end();
}

test.each(['refuse', 'ignore'])(
  'no secret is ever in the log, at its most talkative, where unknown parameters are to %s',
  async (unknown) => {
    const secrets = new Secrets();
    const secret_key = randomBytes(32);
    secrets.add('SECRET_KEY', secret_key.toString('base64'));
    secrets.add('ROOT_API_PASSWORD', rootPassword);
    secrets.add('ROOT_WEB_PASSWORD', rootWebPassword);
    const server = await openServer(
      {
        TREELINE_UNKNOWN_PARAMETERS: unknown,
        TREELINE_API_PHP: 'on',
        METRICS_TOKEN: secrets.make('METRICS_TOKEN'),
      },
      { secret_key },
    );
    await livePasswords(server, secrets);
    await callEveryMethod(server, secrets);
    await sendOddRequests(server, secrets);
    await sendOtherWires(server, secrets);
    await breakEverything(server, secrets);

    const lines = linesOf(server);
    expect(secrets.foundIn(server.logged())).toEqual([]);
    // The search would also succeed on an empty log.
    const called = new Set(lines.map(({ method }) => method));
    expect(methods.filter(({ name }) => !called.has(name)).map(({ name }) => name)).toEqual([]);
    const messages = new Set(lines.map(({ message }) => message));
    expect([...messages]).toEqual(expect.arrayContaining(['call', 'Internal error', 'Wrong API password']));
    const faults = new Set(lines.map(({ fault }) => fault));
    expect([...faults]).toEqual(expect.arrayContaining([0, -32_601, 400, 403, 404, 410, 429, 500, 503]));
  },
);

test('the search finds a secret in each of the shapes that it looks for', () => {
  const secrets = new Secrets();
  const secret = secrets.make('a secret');
  const shapes = [
    `password=${secret}`,
    basic('a', secret),
    basic('ab', secret),
    basic('abc', `${secret}!`),
    createHash('md5').update(secret).digest('hex'),
  ];
  for (const shape of shapes) expect(secrets.foundIn(shape)).toEqual(['a secret 0']);
  expect(secrets.foundIn('nothing of it')).toEqual([]);
});

test('every setting that is a secret is marked as one', () => {
  const marked = Object.values(settings).filter((setting) => 'secret' in setting);
  const byName = Object.values(settings).filter(({ name }) =>
    /PASSWORD|SECRET|TOKEN|DATABASE_URL/.test(name),
  );
  const names = byName.map(({ name }) => name).filter((name) => !name.endsWith('_LIFE_H'));
  expect(marked.map(({ name }) => name)).toEqual(names);
});
