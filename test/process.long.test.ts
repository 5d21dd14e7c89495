/**
 * The server as an operator meets it: a process with an environment, a first screen, signals, and a folder that
 * survives whatever happens to it. What runs here is what `npm start` runs.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { Agent, request } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import {
  type Program,
  connectionString,
  isInstalled,
  killPrograms,
  postgresOn,
  start,
  until,
} from './setup/processes';
import { basicCaller, makeDatabase, newCustomer, testPostgres } from './setup/server';

const folders: string[] = [];
const apiPassword = 'known-api-password';
const webPassword = 'known-web-password';
const knownPasswords = { ROOT_API_PASSWORD: apiPassword, ROOT_WEB_PASSWORD: webPassword };

/** Open to every user, unlike what mkdtemp makes, so that root may hand PostgreSQL to another user. */
function newFolder(): string {
  const folder = fs.mkdtempSync(join(tmpdir(), 'treeline-test-'));
  fs.chmodSync(folder, 0o755);
  folders.push(folder);
  return folder;
}

/** A DATA_DIR whose root has the known passwords; to copy one is much faster than to make one. */
function preparedFolder(): string {
  const folder = join(newFolder(), 'data');
  spawnSync('cp', ['-a', prepared, folder]);
  return folder;
}

const prepared = join(newFolder(), 'data');

beforeAll(async () => {
  const build = start('npm', ['run', '--silent', 'build']);
  expect({ ...(await build.ended), out: build.out() }).toEqual({ code: 0, signal: null, out: '' });
  const server = await startServer(prepared, knownPasswords);
  expect((await stop(server)).code).toBe(0);
}, 60_000);

afterAll(() => {
  killPrograms();
  for (const folder of folders) fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

const launch = (env: Record<string, string>): Program =>
  start(process.execPath, [join('dist', 'src', 'main.js')], { env: { PORT: '0', ...env } });

/** Starts a server and waits until it listens. */
async function startServer(data_dir: string, env: Record<string, string> = {}) {
  return listening(launch({ DATA_DIR: data_dir, ...env }));
}

async function listening(program: Program) {
  const failed = program.ended.then((ended) => {
    throw new Error(`The server ended (${ended.code ?? ended.signal ?? ''}): ${program.err()}`);
  });
  failed.catch(() => undefined);
  const listens = until('the first screen', () =>
    /^Treeline listens on (\S+)\/xmlapi\/xmlapi/m.exec(program.out()),
  );
  const [, url = ''] = await Promise.race([listens, failed]);
  // The log's own line comes last.
  await until('the log', () => logLines(program).some(({ message }) => message === 'Listening'));
  return { ...program, url, root: basicCaller(url, 'root', apiPassword) };
}

async function stop(program: Program, signal: NodeJS.Signals = 'SIGTERM') {
  process.kill(program.pid, signal);
  return program.ended;
}

/** The lines of the log among what stands on the first screen. */
const logLines = (program: Program): Record<string, unknown>[] =>
  program
    .out()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const printedPassword = (program: Program, kind: 'API' | 'Web'): string | undefined =>
  new RegExp(`${kind} password of root: (\\S+)$`, 'm').exec(program.out())?.[1];

/** Where the embedded PostgreSQL of a folder of ordinary length is reached. */
const embeddedClient = (data_dir: string): Client =>
  new Client({ host: join(data_dir, 'socket'), port: 5432, user: 'treeline', database: 'treeline' });

const namesOf = (customers: { name: string }[]): string[] => customers.map(({ name }) => name);

const hasCurl = isInstalled('curl');
const curlTest = hasCurl
  ? 'the line to paste answers when it is pasted into sh'
  : 'the line to paste holds address and password (there is no curl here to run it with)';

describe('the first screen', () => {
  let first: Awaited<ReturnType<typeof startServer>>;
  let data_dir: string;
  beforeAll(async () => {
    data_dir = join(newFolder(), 'not', 'there yet');
    first = await startServer(data_dir);
  });
  afterAll(() => stop(first));

  test('shows where the server listens and root’s passwords, which work', async () => {
    expect(first.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const api_password = printedPassword(first, 'API') ?? '';
    const password = printedPassword(first, 'Web') ?? '';
    expect(api_password).toMatch(/^[a-z2-9]{16}$/);
    expect(first.out().split(password)).toHaveLength(2);
    const root = basicCaller(first.url, 'root', api_password);
    expect(await root.call('authCustomer', { username: 'root', password })).toMatchObject({ i_customer: 1 });
  });

  test(curlTest, () => {
    const line = /^ {2}(curl .*)$/m.exec(first.out())?.[1] ?? '';
    expect(line).toContain(`root:${printedPassword(first, 'API') ?? ''}`);
    expect(line).toContain(first.url);
    if (!hasCurl) return;
    const { status, stdout } = spawnSync('sh', ['-c', line], { encoding: 'utf8' });
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: expect.stringContaining('<member><name>customers</name><value><array>'),
    });
  });

  test('keeps the secret key where nobody else can read it', () => {
    expect(fs.statSync(join(data_dir, 'secret.key')).mode & 0o777).toBe(0o600);
  });

  test('is without passwords at the second start, and the passwords are the same', async () => {
    const folder = preparedFolder();
    const second = await startServer(folder);
    expect(second.out()).not.toMatch(/password/i);
    expect(second.out()).toContain("curl --digest -u 'root' -d ");
    expect(await second.root.call('listCustomers')).toMatchObject({ result: 'OK' });
    await stop(second);
    const third = await startServer(folder, { ROOT_API_PASSWORD: 'another-password' });
    expect(await third.root.call('listCustomers')).toMatchObject({ result: 'OK' });
    await stop(third);
  });

  test('is followed by a log of JSON, one object a line, where there is no terminal', async () => {
    await basicCaller(first.url, 'root', printedPassword(first, 'API')).call('listCustomers');
    const lines = await until('the line of the call', () => {
      const found = logLines(first);
      return found.some(({ message }) => message === 'call') && found;
    });
    expect(lines[0]).toMatchObject({ level: 'info', message: 'Listening', url: first.url });
    expect(lines.at(-1)).toMatchObject({ level: 'info', message: 'call', method: 'listCustomers', fault: 0 });
    const rest = first
      .out()
      .split('\n')
      .filter((line) => !line.startsWith('{'));
    expect(rest.filter((line) => /listCustomers/.test(line))).toEqual([expect.stringMatching(/^ {2}curl /)]);
    expect(first.err()).toBe('');
  });
});

/** Posts on a connection that stays open until the server closes it. */
function post(url: string, agent: Agent, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { agent, method: 'POST', auth: `root:${apiPassword}` };
    request(url, options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => {
        resolve(text);
      });
    })
      .on('error', reject)
      .end(body);
  });
}

const createInFlight =
  '<methodCall><methodName>createCustomer</methodName><params><param><value><struct>' +
  '<member><name>name</name><value>in flight</value></member>' +
  '<member><name>web_password</name><value>correct-horse-1</value></member>' +
  '<member><name>i_tariff</name><value><int>1</int></value></member>' +
  '</struct></value></param></params></methodCall>';

/** A createCustomer that hangs until the returned function is called, because somebody holds root's row. */
async function hangingCall(url: string, data_dir: string, agent: Agent) {
  const holder = embeddedClient(data_dir);
  // Its connection is cut when PostgreSQL stops, which is what is wanted.
  holder.on('error', () => undefined);
  await holder.connect();
  await holder.query('BEGIN');
  await holder.query('SELECT FROM customers WHERE i_customer = 1 FOR UPDATE');
  const answer = post(`${url}/xmlapi/xmlapi`, agent, createInFlight);
  await until('a call that waits for the row', async () => {
    const { rows } = await holder.query('SELECT FROM pg_locks WHERE NOT granted');
    return rows.length > 0;
  });
  return {
    answer,
    letGo: async () => {
      await holder.query('COMMIT');
      await holder.end();
    },
  };
}

const refusesConnections = async (url: string): Promise<boolean> =>
  fetch(`${url}/health/live`).then(
    () => false,
    () => true,
  );

test('SIGTERM lets the call in flight finish, ends with 0 and leaves no PostgreSQL; another one changes nothing', async () => {
  const data_dir = preparedFolder();
  const server = await startServer(data_dir);
  expect(postgresOn(data_dir)).not.toEqual([]);
  const agent = new Agent({ keepAlive: true });
  const { answer, letGo } = await hangingCall(server.url, data_dir, agent);

  process.kill(server.pid, 'SIGTERM');
  await until('the end of listening', () => refusesConnections(server.url));
  process.kill(server.pid, 'SIGTERM');
  process.kill(server.pid, 'SIGINT');
  await sleep(200);
  expect(server.child.exitCode).toBeNull();

  await letGo();
  expect(await answer).toContain('<name>result</name><value><string>OK</string>');
  // The client keeps its connection open; it must not keep the server up, which would then wait for 30 seconds.
  const answered_at = Date.now();
  expect(await server.ended).toEqual({ code: 0, signal: null });
  expect(Date.now() - answered_at).toBeLessThan(10_000);
  agent.destroy();
  expect(server.err()).toBe('');
  expect(postgresOn(data_dir)).toEqual([]);
  expect(logLines(server).map(({ message }) => message)).toEqual([
    'Listening',
    'Stopping',
    'call',
    'Stopped',
  ]);

  const next = await startServer(data_dir);
  expect(namesOf((await next.root.call('listCustomers'))['customers'])).toEqual(['in flight']);
  await stop(next);
});

test('SIGINT, as from Ctrl-C, stops it in the same way, even with a connection kept alive', async () => {
  const data_dir = preparedFolder();
  const server = await startServer(data_dir);
  const agent = new Agent({ keepAlive: true });
  await post(`${server.url}/xmlapi/xmlapi`, agent, '');
  // A terminal sends it to the whole group.
  process.kill(-server.pid, 'SIGINT');
  expect(await server.ended).toEqual({ code: 0, signal: null });
  expect(server.err()).toBe('');
  expect(postgresOn(data_dir)).toEqual([]);
  agent.destroy();
});

describe.each([
  ['the server', (pid: number) => pid],
  ['its process group', (pid: number) => -pid],
])('kill -9 of %s', (_whom, target) => {
  test('loses no acknowledged customer and leaves no PostgreSQL behind', async () => {
    const data_dir = preparedFolder();
    const server = await startServer(data_dir);
    const acknowledged: string[] = [];
    let killed = false;
    const create = async (worker: number): Promise<void> => {
      for (let n = 0; !killed; n += 1) {
        const params = newCustomer({ name: `survivor ${worker}.${n}`, balance: 1 });
        await server.root.call('createCustomer', params);
        acknowledged.push(String(params['name']));
      }
    };
    const workers = [1, 2, 3, 4].map((worker) => create(worker).catch(() => undefined));
    await until('some customers', () => acknowledged.length >= 20);
    process.kill(target(server.pid), 'SIGKILL');
    killed = true;
    await Promise.all(workers);
    expect(await server.ended).toEqual({ code: null, signal: 'SIGKILL' });
    await until('the end of PostgreSQL', () => postgresOn(data_dir).length === 0);

    const next = await startServer(data_dir);
    const { customers } = await next.root.call('listCustomers');
    expect(namesOf(customers)).toEqual(expect.arrayContaining(acknowledged));
    // No more than the calls that were on their way may have come through unacknowledged.
    expect(customers.length).toBeLessThanOrEqual(acknowledged.length + workers.length);
    for (const customer of customers) expect(customer.balance).toBe(1);
    await stop(next);
    expect(postgresOn(data_dir)).toEqual([]);
  });
});

test('a start right after kill -9 waits for the PostgreSQL of the dead one', async () => {
  const data_dir = preparedFolder();
  const server = await startServer(data_dir);
  await server.root.call('createCustomer', newCustomer({ name: 'kept' }));
  process.kill(server.pid, 'SIGKILL');
  const next = await startServer(data_dir);
  expect(namesOf((await next.root.call('listCustomers'))['customers'])).toEqual(['kept']);
  await stop(next);
});

/** The one sentence that a refused start says. */
async function refusal(program: Program): Promise<string> {
  expect(await program.ended).toEqual({ code: 1, signal: null });
  const err = program.err();
  expect(err).toMatch(/^treeline: [^\n]+\n$/);
  expect(err).not.toMatch(/\bat .+:\d+:\d+/);
  expect(program.out()).toBe('');
  return err.trim();
}

test('a second server on the same DATA_DIR is refused in one sentence, and the first goes on', async () => {
  const data_dir = preparedFolder();
  const first = await startServer(data_dir);
  expect(await refusal(launch({ DATA_DIR: data_dir }))).toBe(
    `treeline: Another Treeline is running on ${fs.realpathSync(data_dir)} (process ${first.pid}): stop it, or choose another DATA_DIR.`,
  );
  expect(await first.root.call('listCustomers')).toMatchObject({ result: 'OK' });
  await stop(first);
});

describe('a setting that is wrong stops the start with one sentence that names it', () => {
  const key = randomBytes(32).toString('base64');
  const nowhere = join(tmpdir(), 'treeline-test-nowhere');
  const wrong: [string, Record<string, string>, RegExp][] = [
    ['a port that is none', { PORT: '80a80' }, /PORT must be a whole number from 0 to 65535, not "80a80"/],
    ['an unknown TREELINE_ name', { TREELINE_POOLSIZE: '5' }, /TREELINE_POOLSIZE is not a setting/],
    ['a limit out of range', { TREELINE_POOL_SIZE: '0' }, /TREELINE_POOL_SIZE must be .* from 1 to/],
    ['a level that is none', { LOG_LEVEL: 'loud' }, /LOG_LEVEL must be one of error, warn, info, debug/],
    ['a host that is no address', { TRUSTED_HOSTS: '10.0.0.0/8, office' }, /TRUSTED_HOSTS must be addresses/],
    ['a key that is too short', { SECRET_KEY: 'c2hvcnQ=' }, /SECRET_KEY must be 32 bytes in base64$/],
    ['a password that is too short', { ROOT_API_PASSWORD: 'short' }, /ROOT_API_PASSWORD must be 8 to 128/],
    ['a certificate without a key', { TLS_CERT: nowhere }, /TLS_CERT and TLS_KEY must be set together/],
    ['DATABASE_URL without SECRET_KEY', { DATABASE_URL: 'postgresql://x/y' }, /SECRET_KEY must be set/],
    [
      'a DATABASE_URL where nobody listens',
      { DATABASE_URL: 'postgresql://treeline:hidden@127.0.0.1:1/x', SECRET_KEY: key },
      /127\.0\.0\.1:1\b/,
    ],
  ];
  test.each(wrong)('%s', async (_what, env, sentence) => {
    const data_dir = join(newFolder(), 'data');
    const said = await refusal(launch({ DATA_DIR: data_dir, ...env }));
    expect(said).toMatch(sentence);
    for (const secret of ['c2hvcnQ', 'hidden', key]) expect(said).not.toContain(secret);
    expect(fs.existsSync(data_dir)).toBe(false);
  });

  test('certificate files that are not there', async () => {
    const env = { DATA_DIR: preparedFolder(), TLS_CERT: nowhere, TLS_KEY: nowhere };
    expect(await refusal(launch(env))).toContain(nowhere);
  });

  test('a SECRET_KEY that is not the one of the database, which is left as it was', async () => {
    const data_dir = preparedFolder();
    expect(await refusal(launch({ DATA_DIR: data_dir, SECRET_KEY: key }))).toMatch(
      /SECRET_KEY is not the one/,
    );
    expect(postgresOn(data_dir)).toEqual([]);
    const server = await startServer(data_dir);
    expect(await server.root.call('listCustomers')).toMatchObject({ result: 'OK' });
    await stop(server);
  });

  test('a port that is taken, and no PostgreSQL stays behind', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await until('a listener', () => other.listening);
    const { port } = other.address() as AddressInfo;
    const data_dir = preparedFolder();
    expect(await refusal(launch({ DATA_DIR: data_dir, PORT: String(port) }))).toContain(`127.0.0.1:${port}`);
    expect(postgresOn(data_dir)).toEqual([]);
    other.close();
  });
});

test('five servers that start at once on one empty database of yours all come up, with one set of passwords', async () => {
  const database = await makeDatabase('empty');
  const env = {
    DATABASE_URL: connectionString(database),
    SECRET_KEY: randomBytes(32).toString('base64'),
    DATA_DIR: join(newFolder(), 'unused'),
    TREELINE_POOL_SIZE: '4',
  };
  const servers = await Promise.all(Array.from({ length: 5 }, () => listening(launch(env))));
  const shown = servers.filter((server) => /password of root/.test(server.out()));
  expect(shown).toHaveLength(1);
  const [api, web] = (['API', 'Web'] as const).map(
    (kind) => printedPassword(shown[0] as Program, kind) ?? '',
  );
  for (const { url } of servers) {
    const root = basicCaller(url, 'root', api);
    expect(await root.call('authCustomer', { username: 'root', password: web })).toMatchObject({
      i_customer: 1,
    });
  }
  expect(fs.existsSync(env.DATA_DIR)).toBe(false);
  const ended = await Promise.all(servers.map((server) => stop(server)));
  expect(ended.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0]);
  const client = new Client({ ...testPostgres(), database: database.database });
  await client.connect();
  const { rows } = await client.query('SELECT count(*)::int AS n FROM api_credentials');
  expect(rows).toEqual([{ n: 1 }]);
  await client.end();
});

test.each([
  ['with a space and a quote', "it's my data"],
  ['of 150 characters, too long for a socket', 'long'.repeat(37) + '..'],
])('a DATA_DIR %s', async (_what, name) => {
  const data_dir = join(newFolder(), name);
  const server = await startServer(data_dir, knownPasswords);
  const { i_customer } = await server.root.call('createCustomer', newCustomer());
  expect((await stop(server)).code).toBe(0);
  const again = await startServer(data_dir);
  expect(await again.root.call('getCustomerInfo', { i_customer })).toMatchObject({ result: 'OK' });
  expect((await stop(again)).code).toBe(0);
  expect(postgresOn(data_dir)).toEqual([]);
});

test('the command line is there under its name', async () => {
  const treeline = start('npx', ['--no-install', 'treeline', '--version']);
  expect(await treeline.ended).toEqual({ code: 0, signal: null });
  expect(treeline.out()).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test('the demo ends with 1 where something is not as told, and says what', async () => {
  const server = await startServer(preparedFolder());
  const params = { ...newCustomer(), name: 'nobody', api_access: 1, api_password: apiPassword };
  await server.root.call('createCustomer', params);
  const env = { TREELINE_URL: server.url, TREELINE_LOGIN: 'nobody', TREELINE_PASSWORD: apiPassword };
  const demo = start('npm', ['run', '--silent', 'demo'], { env });
  expect(await demo.ended).toEqual({ code: 1, signal: null });
  expect(demo.out()).toMatch(/NOT as told +faultCode=403/);
  expect(demo.err()).toBe('demo: createCustomer had to answer result="OK"\n');
  await stop(server);
});

test('the demo plays its story on a server of its own and leaves nothing running', async () => {
  const folder = newFolder();
  const demo = start('npm', ['run', '--silent', 'demo'], { env: { TMPDIR: folder } });
  expect({ ...(await demo.ended), err: demo.err() }).toEqual({ code: 0, signal: null, err: '' });
  expect(demo.out()).toContain('createCustomer');
  expect(demo.out()).not.toMatch(/\x1b/);
  expect(postgresOn(folder)).toEqual([]);
  expect(fs.readdirSync(folder).filter((name) => name.startsWith('treeline-demo-'))).toEqual([]);
});
