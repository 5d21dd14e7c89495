/** A new SECRET_KEY, and new TLS files, while the server serves. */
import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdtempSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { renewTls } from '../src/app';
import { openCredentials } from '../src/core/credentials';
import { WrongSecretKey } from '../src/system/first-start';
import { digestExchange, digestFields, freshNonce } from './setup/digest-client';
import { connectionString, killPrograms, projectRoot, start } from './setup/processes';
import { type TestServer, makeDatabase, makeMember, rootPassword, startServer } from './setup/server';

const [old_key, new_key] = [randomBytes(32), randomBytes(32)];
const SECRET_KEY_PREVIOUS = old_key.toString('base64');
const servers: TestServer[] = [];

afterAll(async () => {
  killPrograms();
  await Promise.all(servers.map((server) => server.close()));
});

async function serverOn(
  connection: TestServer['connection'],
  secret_key: Buffer,
  env = {},
): Promise<TestServer> {
  const server = await startServer(env, { connection, secret_key });
  servers.push(server);
  return server;
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

test('servers with both keys read what either sealed, rotate-key seals all anew, and then the old key opens nothing', async () => {
  const connection = await makeDatabase();
  const before = await serverOn(connection, old_key);
  const early = await makeMember(before);
  const { password: oneTime } = await before.root.call('resetCustomerOneTimePassword', {
    web_login: early.name,
  });

  const between = await serverOn(connection, new_key, { SECRET_KEY_PREVIOUS });
  const late = await makeMember(between);
  for (const { name } of [early, late]) {
    expect(await between.as(name, 'api-password-1').call('listCustomers')).toMatchObject({ result: 'OK' });
  }
  // A nonce that a server with the old key alone gave out, and one of the new.
  expect(await digestStatus(between, await freshNonce(before.url))).toBe(200);
  expect(await digestStatus(between, await freshNonce(between.url))).toBe(200);

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
    out: 'Sealed with the new SECRET_KEY: 2 credentials\n',
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

  const after = await serverOn(connection, new_key);
  for (const { name } of [early, late]) {
    expect(await after.as(name, 'api-password-1').call('listCustomers')).toMatchObject({ result: 'OK' });
  }
  expect(await digestStatus(after, await freshNonce(before.url))).toBe(401);
  await expect(startServer({}, { connection, secret_key: old_key })).rejects.toThrow(WrongSecretKey);
  const rows = await after.db.query<{ i_customer: number; sealed_ha1: Buffer }>({
    text: 'SELECT i_customer, sealed_ha1 FROM api_credentials',
  });
  expect(rows).toHaveLength(3);
  for (const { i_customer, sealed_ha1 } of rows)
    expect(() => openCredentials(old_key).openHa1(sealed_ha1, i_customer)).toThrow();
  const [audit] = await after.db.query<{ changes: object }>({
    text: `SELECT changes FROM audit_records WHERE method = 'rotateKey'`,
  });
  expect(audit?.changes).toEqual({ secret_key: ['changed', 'changed'] });
});

const subjectOf = (url: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    }).on('error', reject);
  });

test('TLS files are read again while the server serves; those that cannot be read leave the old ones in force', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'treeline-tls-'));
  const files = { TLS_CERT: join(folder, 'cert.pem'), TLS_KEY: join(folder, 'key.pem') };
  copyFileSync(join(projectRoot, 'fixtures/tls/cert.pem'), files.TLS_CERT);
  copyFileSync(join(projectRoot, 'fixtures/tls/key.pem'), files.TLS_KEY);
  const server = await serverOn(await makeDatabase(), new_key, files);
  const first = await subjectOf(server.url);
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=renewed.test',
      '-keyout',
      files.TLS_KEY,
      '-out',
      files.TLS_CERT,
    ],
    { stdio: 'ignore' },
  );
  expect(await subjectOf(server.url)).toBe(first);
  expect(renewTls(server.app, server.config)).toBe(true);
  expect(await subjectOf(server.url)).toBe('renewed.test');
  writeFileSync(files.TLS_CERT, 'no certificate');
  expect(() => renewTls(server.app, server.config)).toThrow();
  expect(await subjectOf(server.url)).toBe('renewed.test');
});
