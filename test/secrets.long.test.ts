/**
 * Secrets in the places where somebody may look who should not have them: every answer, the log at its
 * most talkative, every table, and the memory of a server that has done its work. (What else the log is
 * tried with: test/logs.long.test.ts.)
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openClient } from './model/client';
import type { Members } from './model/world';
import { connectionString, killPrograms, projectRoot, start, until } from './setup/processes';
import { everyTable } from './setup/leaks';
import { makeDatabase, rootPassword, startServer, uniqueName } from './setup/server';

const folder = mkdtempSync(join(tmpdir(), 'treeline-secrets-'));
afterAll(() => {
  killPrograms();
  rmSync(folder, { recursive: true, force: true });
});

/** Every secret that was made, with what may be made of it. */
const secrets = new Map<string, string>();
function secret(what: string, login?: string): string {
  const text = `S${randomBytes(9).toString('hex')}x`;
  secrets.set(text, what);
  if (login === undefined) return text;
  secrets.set(
    Buffer.from(`${login}:${text}`).toString('base64').replace(/=+$/, ''),
    `${what}, as Basic sends it`,
  );
  for (const hash of ['md5', 'sha256']) {
    secrets.set(createHash(hash).update(`${login}:Treeline:${text}`).digest('hex'), `${what}, as HA1`);
  }
  return text;
}

const found = (where: string): string[] =>
  [...secrets].filter(([text]) => where.includes(text)).map(([, what]) => what);

async function serverProcess(
  connection: Awaited<ReturnType<typeof makeDatabase>>,
  env: Record<string, string>,
) {
  const node = ['--heapsnapshot-signal=SIGUSR2', `--diagnostic-dir=${folder}`, '--import', 'tsx'];
  const program = start(process.execPath, [...node, join(projectRoot, 'src', 'main.ts')], {
    env: { PORT: '0', DATABASE_URL: connectionString(connection), LOG_LEVEL: 'debug', ...env },
  });
  const [, url = ''] = await until('the first screen', () =>
    /^Treeline listens on (\S+)\/xmlapi\/xmlapi/m.exec(program.out()),
  );
  return { program, url };
}

/** What a live server holds, after its garbage was collected. */
async function memoryOf(pid: number): Promise<string> {
  process.kill(pid, 'SIGUSR2');
  const file = await until('a heap snapshot', () =>
    readdirSync(folder).find((name) => name.endsWith('.heapsnapshot')),
  );
  return until('a whole heap snapshot', () => {
    const text = readFileSync(join(folder, file), 'utf8');
    return text.trimEnd().endsWith('}') && text;
  });
}

test('no password, key or token is in an answer, the log, a table or the memory of an idle server', async () => {
  const connection = await makeDatabase();
  const rootApiPassword = secret("root's API password", 'root');
  const rootWebPassword = secret("root's web password");
  const token = secret('METRICS_TOKEN');
  const key = randomBytes(32).toString('base64');
  secrets.set(key, 'SECRET_KEY');
  const { program, url } = await serverProcess(connection, {
    ROOT_API_PASSWORD: rootApiPassword,
    ROOT_WEB_PASSWORD: rootWebPassword,
    METRICS_TOKEN: token,
    SECRET_KEY: key,
  });
  const answers: string[] = [];
  const client = openClient(url);
  const call = async (
    login: string,
    password: string,
    method: string,
    params: Members,
    by: 'basic' | 'digest' = 'basic',
  ) => {
    const outcome = await client.call({ face: 'xml', proof: { by, login, password } }, method, params);
    answers.push(JSON.stringify(outcome));
    return 'result' in outcome ? (outcome.result as Members) : {};
  };
  const asRoot = (method: string, params: Members) => call('root', rootApiPassword, method, params);

  const [web, api] = [secret('web_password', 'one'), secret('api_password', 'one')];
  const made = await asRoot('createCustomer', {
    name: 'one',
    i_tariff: 1,
    web_password: web,
    api_access: 1,
    api_password: api,
  });
  const i_customer = made['i_customer'] ?? null;
  await call('one', api, 'getCustomerInfo', { i_customer }, 'digest');
  await call('one', secret('a wrong API password', 'one'), 'listCustomers', {}, 'digest');
  await call('one', secret('a wrong API password', 'one'), 'listCustomers', {});
  await asRoot('authCustomer', { username: 'one', password: web });
  await asRoot('authCustomer', { username: 'one', password: secret('a wrong web password') });
  const changed = {
    web_password: secret('a new web_password'),
    api_password: secret('a new api_password', 'one'),
  };
  await asRoot('updateCustomer', { i_customer, ...changed });
  await asRoot('createCustomer', {
    name: 'two',
    i_tariff: 77,
    web_password: secret('of a refused call'),
    api_password: 'short',
  });
  await asRoot('createCustomer', {
    name: 'two',
    i_tariff: 1,
    web_password: secret('beside a misspelling'),
    api_pasword: secret('misspelled'),
  });
  const user = await asRoot('createWebUser', {
    web_login: 'user',
    web_password: secret("a user's password"),
    i_customer,
  });
  await asRoot('updateWebUser', {
    i_web_user: user['i_web_user'] ?? null,
    web_password: secret("a user's new password"),
  });
  // The one answer that must have it.
  const reset = { face: 'xml', proof: { by: 'basic', login: 'root', password: rootApiPassword } } as const;
  const outcome = await client.call(reset, 'resetCustomerOneTimePassword', { web_login: 'user' });
  const oneTime = 'result' in outcome ? (outcome.result as { password: string }).password : '';
  secrets.set(oneTime, 'a one-time password');
  await asRoot('authCustomer', { username: 'user', password: oneTime });
  await asRoot('getAuditLogs', {});
  await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } });
  await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${secret('a wrong token')}` } });
  client.close();
  await sleep(1_500);

  expect(oneTime).toHaveLength(16);
  expect(answers.join('\n')).toContain('"customer"');
  expect(found(answers.join('\n'))).toEqual([]);
  expect(program.out()).toContain('"method":"createCustomer"');
  expect(found(program.out() + program.err())).toEqual([]);
  const tables = [...(await everyTable(connection)).values()].join('\n');
  expect(tables).toContain('createCustomer');
  expect(found(tables)).toEqual([]);
  const memory = await memoryOf(program.pid);
  // It is the memory of the server, and a text of its own is found in it.
  expect(memory).toContain('TREELINE_NONCE_LIFE_S');
  expect(found(memory)).toEqual([]);
}, 60_000);

test('every server of the suite is searched when it is closed, and the search finds what is planted', async () => {
  const planted = (what: string): string => `Planted-${what}-${randomBytes(4).toString('hex')}`;
  const clean = await startServer();
  await clean.root.call('listCustomers');
  expect(await clean.leaks()).toEqual([]);
  await clean.close();

  const server = await startServer();
  // A password in the place of a login is not logged; one in a description stands in a table, and in an answer.
  const [inLog, inTable] = [planted('log'), planted('table')];
  await server
    .as('root', inLog)
    .fault('listCustomers')
    .catch(() => undefined);
  await server
    .as(inLog, 'something else')
    .fault('listCustomers')
    .catch(() => undefined);
  const described = { name: uniqueName(), i_tariff: 1, web_password: inTable, description: inTable };
  await server.root.call('createCustomer', described);
  await server.root.call('listCustomers');
  const tables = ['web_password, in audit_records', 'web_password, in customers'];
  const leaks = await server.leaks();
  expect(leaks).toEqual(expect.arrayContaining([...tables, 'web_password, in an answer']));
  expect(leaks).not.toContain('a password of Basic, in the log');
  await expect(server.close()).rejects.toThrow('Secrets got out');
  expect(server.logged()).not.toContain(rootPassword);
});

test('and so is what programs say', async () => {
  const METRICS_TOKEN = randomBytes(9).toString('hex');
  await start('sh', ['-c', 'echo "$METRICS_TOKEN" >&2'], { env: { METRICS_TOKEN } }).ended;
  expect(killPrograms).toThrow('a program has said METRICS_TOKEN');
});
