/** A new SECRET_KEY, and new TLS files, while the server serves. */
import { createHmac, randomBytes } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TLSSocket, connect } from 'node:tls';
import { openCredentials } from '../src/core/auth/credentials';
import { WrongSecretKey } from '../src/features/system/first-start';
import { vaults } from '../src/features/system/rotate-key';
import { digestExchange, digestFields, freshNonce } from './setup/digest-client';
import { type Program, connectionString, killPrograms, projectRoot, start, until } from './setup/processes';
import { basic, callBody, requestBytes } from './setup/raw-http';
import { type Receiver, startReceiver } from './setup/receiver';
import { resellerAs, resultOf, rootIdentity } from './setup/reseller';
import {
  type TestServer,
  makeDatabase,
  makeMember,
  rootPassword,
  startServer,
  uniqueName,
} from './setup/server';
import { ask, logIn, makeTenant, withToken } from './setup/tenant';

const [old_key, new_key] = [randomBytes(32), randomBytes(32)];
const SECRET_KEY_PREVIOUS = old_key.toString('base64');
const servers: TestServer[] = [];
let receiver: Receiver;
beforeAll(async () => {
  receiver = await startReceiver();
});

afterAll(async () => {
  killPrograms();
  await Promise.all(servers.map((server) => server.close()));
  await receiver.close();
});

async function serverOn(
  connection: TestServer['connection'],
  secret_key: Buffer,
  env = {},
): Promise<TestServer> {
  const allowed = { TREELINE_WEBHOOK_RANGES: '127.0.0.1' };
  const server = await startServer({ ...allowed, ...env }, { connection, secret_key });
  servers.push(server);
  return server;
}

async function shut(server: TestServer): Promise<void> {
  servers.splice(servers.indexOf(server), 1);
  await server.close();
}

const digestStatus = async (server: TestServer, nonce: string): Promise<number> => {
  const fields = digestFields({
    login: 'root',
    password: rootPassword,
    nonce,
    nc: 1 + randomBytes(3).readUIntBE(0, 3),
  });
  const body = '<methodCall><methodName>listCustomers</methodName></methodCall>';
  return (await digestExchange(server.url, fields, { body })).status;
};

const sipPassword = 'Sip-password-1';

/** One of everything that stands on SECRET_KEY, made by a server that has only the old one. */
async function everythingSealed(server: TestServer) {
  const sip = { name: uniqueName('sip'), password: sipPassword };
  await resultOf(resellerAs(server, rootIdentity)('POST', '/voip/user', sip));
  const tenant = await makeTenant(server);
  const { webhook_key } = await tenant.admin.ok('PUT', '/customer', {
    webhook_uri: receiver.uri,
    webhook_method: 'POST',
  });
  const { token: accesskey } = await tenant.admin.ok('POST', '/accesskeys', { name: 'robot', expire: 3_600 });
  const paid = { i_customer: tenant.i_customer, amount: 5, currency: 'USD', idempotency_key: 'once' };
  const { i_payment } = await server.root.call('customerAddFunds', paid);
  return { tenant, webhook_key: String(webhook_key), accesskey: String(accesskey), paid, i_payment };
}

type Everything = Awaited<ReturnType<typeof everythingSealed>>;

/** The tenant is told of a change, signed as ever. */
async function expectSignedEvent(server: TestServer, { webhook_key, accesskey }: Everything): Promise<void> {
  const before = receiver.taken.length;
  const query = { accesskey };
  expect((await ask(server, 'POST', '/flows', { query, body: { name: 'f' } })).status).toBe(200);
  await until('an event', () => receiver.taken.length > before);
  const told = receiver.taken.at(-1);
  const timestamp = String(told?.headers['x-treeline-timestamp']);
  const signature = createHmac('sha256', webhook_key)
    .update(`${timestamp}.${told?.body ?? ''}`)
    .digest('hex');
  expect(told?.headers['x-treeline-signature']).toBe(`sha256=${signature}`);
}

/** What every vault holds, opened with one key alone. */
async function opened(server: TestServer, key: Buffer): Promise<string[]> {
  const credentials = openCredentials(key);
  const texts: string[] = [];
  for (const { table, column, row, kind } of vaults) {
    const rows = await server.db.query<{ row: string; sealed: Buffer }>({
      text: `SELECT (${row})::text AS "row", ${column} AS sealed FROM ${table} WHERE ${column} IS NOT NULL`,
    });
    expect(rows.length).toBeGreaterThan(0);
    for (const { row, sealed } of rows) {
      texts.push(
        kind === 'ha1'
          ? credentials.openHa1(sealed, Number(row))['SHA-256']
          : credentials.openSecret(sealed, row),
      );
    }
  }
  return texts;
}

test('rotate-key knows every column in which something is sealed', () => {
  const schema = readFileSync(join(projectRoot, 'migrations/schema.txt'), 'utf8');
  const columns = schema
    .split('\n\n')
    .flatMap((table) =>
      [...table.matchAll(/^ {2}(\w+) bytea/gm)].map(([, column]) => `${table.split('\n')[0]}.${column}`),
    );
  // One-way: the old key goes on checking it while it is the key before, or no key is needed.
  const hashes = ['access_keys.token_hash', 'users.one_time_hash'];
  expect(columns.filter((column) => !hashes.includes(column)).sort()).toEqual(
    vaults.map(({ table, column }) => `${table}.${column}`).sort(),
  );
  expect(schema.match(/encrypted with a key of SECRET_KEY/g)).toHaveLength(vaults.length);
});

test('servers with both keys read what either sealed, rotate-key seals all anew, and then the old key opens nothing', async () => {
  const connection = await makeDatabase();
  const before = await serverOn(connection, old_key);
  const early = await makeMember(before);
  const { password: oneTime } = await before.root.call('resetCustomerOneTimePassword', {
    web_login: early.name,
  });

  const everything = await everythingSealed(before);
  const { tenant, paid, i_payment } = everything;

  const between = await serverOn(connection, new_key, { SECRET_KEY_PREVIOUS });
  const late = await makeMember(between);
  for (const { name } of [early, late]) {
    expect(await between.as(name, 'api-password-1').call('listCustomers')).toMatchObject({ result: 'OK' });
  }
  // A nonce that a server with the old key alone gave out, and one of the new.
  expect(await digestStatus(between, await freshNonce(before.url))).toBe(200);
  expect(await digestStatus(between, await freshNonce(between.url))).toBe(200);

  const early_nonce = await freshNonce(before.url);
  await shut(before);

  const env = { DATABASE_URL: connectionString(connection), SECRET_KEY: new_key.toString('base64') };
  const run = (more: object) =>
    start(process.execPath, ['--import', 'tsx', join(projectRoot, 'src', 'cli.ts'), 'rotate-key'], {
      env: { ...env, ...more },
    });
  const without = run({});
  expect({ ...(await without.ended), err: without.err() }).toMatchObject({
    code: 1,
    err: expect.stringContaining('SECRET_KEY'),
  });
  const first = run({ SECRET_KEY_PREVIOUS });
  expect({ ...(await first.ended), out: first.out() }).toMatchObject({
    code: 0,
    // Two API passwords, one of a SIP user, one key of a webhook.
    out: 'Sealed with the new SECRET_KEY: 4 credentials\n',
  });
  const again = run({ SECRET_KEY_PREVIOUS });
  expect({ ...(await again.ended), out: again.out() }).toMatchObject({
    code: 0,
    out: 'Sealed with the new SECRET_KEY: 0 credentials\n',
  });

  // Those that served meanwhile go on, with the one-time password of the old key too.
  expect(await between.as(early.name, 'api-password-1').call('listCustomers')).toMatchObject({
    result: 'OK',
  });
  const used = await between.root.fault('authCustomer', { username: early.name, password: oneTime });
  expect(used.faultCode).toBe(410);
  expect(await withToken(between, tenant.admin.token).ok('GET', '/customer')).toMatchObject({
    id: tenant.id,
  });
  expect(await between.root.call('customerAddFunds', paid)).toMatchObject({ i_payment });
  await expectSignedEvent(between, everything);

  await shut(between);
  const after = await serverOn(connection, new_key);
  for (const { name } of [early, late]) {
    expect(await after.as(name, 'api-password-1').call('listCustomers')).toMatchObject({ result: 'OK' });
  }
  expect(await digestStatus(after, early_nonce)).toBe(401);
  await expect(startServer({}, { connection, secret_key: old_key })).rejects.toThrow(WrongSecretKey);
  const secrets = await opened(after, new_key);
  expect(secrets).toEqual(expect.arrayContaining([sipPassword, everything.webhook_key]));
  expect(secrets).toHaveLength(5);
  await expect(opened(after, old_key)).rejects.toThrow();
  await expectSignedEvent(after, everything);
  // Tokens of the old key ended with it; whoever knows the password gets another.
  expect(await withToken(after, tenant.admin.token).refusal('GET', '/customer')).toMatchObject({ http: 401 });
  expect(await logIn(after, tenant.name, 'correct-horse-1')).toHaveProperty('token');
  const [audit] = await after.db.query<{ changes: object }>({
    text: `SELECT changes FROM audit_records WHERE method = 'rotateKey'`,
  });
  expect(audit?.changes).toEqual({ secret_key: ['changed', 'changed'] });
}, 60_000);

interface Connection {
  readonly socket: TLSSocket;
  /** The name in the certificate that it was shown. */
  readonly subject: string;
  /** Makes a call on it; the status of the answer. */
  call(): Promise<number>;
}

function connectTo(url: string): Promise<Connection> {
  const { hostname, port } = new URL(url);
  const body = callBody('listCustomers');
  const request = requestBytes({ headers: [basic('root', rootPassword)], body });
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false }, () => {
      const call = async (): Promise<number> => {
        const answered = once(socket, 'data');
        socket.write(request);
        const [chunk] = (await answered) as [Buffer];
        return Number(/^HTTP\/1\.1 (\d+)/.exec(chunk.toString())?.[1]);
      };
      resolve({ socket, subject: String(socket.getPeerCertificate().subject.CN), call });
    }).on('error', reject);
  });
}

async function subjectOf(url: string): Promise<string> {
  const { socket, subject } = await connectTo(url);
  socket.destroy();
  return subject;
}

const newCertificate = (name: string, files: { TLS_CERT: string; TLS_KEY: string }): void => {
  const key = ['-newkey', 'rsa:2048', '-nodes', '-keyout', files.TLS_KEY];
  const words = ['req', '-x509', ...key, '-days', '2', '-subj', `/CN=${name}`, '-out', files.TLS_CERT];
  execFileSync('openssl', words, { stdio: 'ignore' });
};

const said = (program: Program, message: string): number => program.out().split(message).length - 1;

test.each([
  ['one process', '1'],
  ['workers', '2'],
])(
  'SIGHUP to %s: new TLS files are taken, old connections go on, and files that are none leave the old ones in force',
  async (_what, TREELINE_WORKERS) => {
    const folder = mkdtempSync(join(tmpdir(), 'treeline-tls-'));
    const files = { TLS_CERT: join(folder, 'cert.pem'), TLS_KEY: join(folder, 'key.pem') };
    copyFileSync(join(projectRoot, 'fixtures/tls/cert.pem'), files.TLS_CERT);
    copyFileSync(join(projectRoot, 'fixtures/tls/key.pem'), files.TLS_KEY);
    const program = start(process.execPath, ['--import', 'tsx', join(projectRoot, 'src', 'main.ts')], {
      env: {
        ...files,
        TREELINE_WORKERS,
        PORT: '0',
        DATABASE_URL: connectionString(await makeDatabase()),
        SECRET_KEY: new_key.toString('base64'),
        ROOT_API_PASSWORD: rootPassword,
      },
    });
    // Three processes that compile themselves take their time on a machine that has other work.
    const screen = () => /^Treeline listens on (https:\/\/[^/]+)\//m.exec(program.out());
    const [, url = ''] = await until('the first screen', screen, 60_000);
    const processes = Number(TREELINE_WORKERS);
    const old = await connectTo(url);
    const first = old.subject;
    expect(await old.call()).toBe(200);

    newCertificate('renewed.test', files);
    expect(await subjectOf(url)).toBe(first);
    process.kill(program.pid, 'SIGHUP');
    await until('new files', () => said(program, 'The TLS files were read again') === processes);
    // Connections go to the workers in turn.
    for (let turn = 0; turn < 4; turn += 1) expect(await subjectOf(url)).toBe('renewed.test');
    expect(await old.call()).toBe(200);

    const tries: (() => void)[] = [
      () => {
        writeFileSync(files.TLS_CERT, 'no certificate');
      },
      () => {
        // A key that is not that of the certificate.
        newCertificate('other.test', files);
        copyFileSync(join(projectRoot, 'fixtures/tls/key.pem'), files.TLS_KEY);
      },
      () => {
        rmSync(files.TLS_KEY);
      },
    ];
    for (const [before, spoil] of tries.entries()) {
      spoil();
      process.kill(program.pid, 'SIGHUP');
      const failed = 'The TLS files could not be read again; the ones before stay in force';
      await until('a failure that is told', () => said(program, failed) === (before + 1) * processes);
      for (let turn = 0; turn < 4; turn += 1) expect(await subjectOf(url)).toBe('renewed.test');
    }
    expect(await old.call()).toBe(200);
    old.socket.destroy();
    process.kill(program.pid, 'SIGTERM');
    expect(await program.ended).toEqual({ code: 0, signal: null });
  },
  120_000,
);
