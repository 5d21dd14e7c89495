/**
 * The command line as it is in a fresh clone: nothing is compiled, the database is the embedded one, and commands
 * are processes that join a server, meet one another, and are killed.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { type Program, killPrograms, postgresOn, projectRoot, start, until } from '../setup/processes';
import { makePlace, runWords } from './command';

/** Open to every user, unlike what mkdtemp makes, so that root may hand PostgreSQL to another user. */
const folder = fs.mkdtempSync(join(tmpdir(), 'treeline-cli-'));
const clone = join(folder, 'clone');
const data_dir = join(folder, 'data');

beforeAll(() => {
  fs.chmodSync(folder, 0o755);
  fs.mkdirSync(clone);
  const names = [
    'bin',
    'src',
    'migrations',
    'fixtures',
    'package.json',
    'tsconfig.json',
    'tsconfig.build.json',
  ];
  for (const name of names) fs.cpSync(join(projectRoot, name), join(clone, name), { recursive: true });
  fs.symlinkSync(join(projectRoot, 'node_modules'), join(clone, 'node_modules'));
});
afterAll(() => {
  killPrograms();
  fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

type Env = Readonly<Record<string, string>>;

/** Starts `treeline`; what `stdin` holds is written to it. */
function launch(words: readonly string[], env: Env = {}, stdin = ''): Program {
  const program = start(join(clone, 'bin', 'treeline.mjs'), words, {
    env: { DATA_DIR: data_dir, PORT: '0', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // A program that ends without reading its input is no failure of ours.
  program.child.stdin?.on('error', () => undefined).end(stdin);
  return program;
}

async function run(words: readonly string[], env: Env = {}, stdin = '') {
  const program = launch(words, env, stdin);
  const { code } = await program.ended;
  return { code, out: program.out(), err: program.err() };
}

test('the first use compiles and says so, the next one does not', async () => {
  const { version } = JSON.parse(fs.readFileSync(join(clone, 'package.json'), 'utf8')) as { version: string };
  expect(await run(['--version'])).toEqual({
    code: 0,
    out: `${version}\n`,
    err: 'treeline: compiling the sources first\n',
  });
  expect(await run(['--version'])).toEqual({ code: 0, out: `${version}\n`, err: '' });
}, 120_000);

/** What needs no process of its own is run in this one, on the same folder. */
const runHere = (words: readonly string[], stdin = '', env: Env = {}) =>
  runWords(words, { stdin, env: { DATA_DIR: data_dir, ...env } });

test('an embedded database is made, used, and stopped again', async () => {
  expect(await runHere(['customers', 'list'])).toMatchObject({
    code: 1,
    err: expect.stringContaining('treeline migrate'),
  });
  expect(fs.existsSync(data_dir)).toBe(false);
  expect(await runHere(['migrate'])).toMatchObject({
    code: 0,
    out: expect.stringContaining('embedded PostgreSQL'),
    err: '',
  });
  const words = [
    'customers',
    'create',
    '--name',
    'Blue Fjord',
    '--i-tariff',
    '1',
    '--balance',
    '5',
    '--web-password-stdin',
  ];
  expect(await run(words, {}, 'correct-horse-1\n')).toEqual({
    code: 0,
    out: 'Created: i_customer 2\n',
    err: '',
  });
  expect(await runHere(words, 'correct-horse-1\n')).toMatchObject({ code: 1, out: '' });
  expect(postgresOn(data_dir)).toEqual([]);
});

test('commands that meet share the database that one of them started', async () => {
  const said = await Promise.all(Array.from({ length: 3 }, () => run(['customers', 'list', '--json'])));
  for (const { code, out, err } of said) {
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(JSON.parse(out)).toEqual([expect.objectContaining({ name: 'Blue Fjord', balance: '5' })]);
  }
  expect(postgresOn(data_dir)).toEqual([]);
});

test('commands join a server that runs, which serve is; a second server is refused', async () => {
  const server = launch(['serve']);
  await until('the first screen', () => /^Treeline listens on (\S+)/m.exec(server.out()));
  const joined = await runHere(['customers', 'list', '--json']);
  expect({ ...joined, out: '' }).toEqual({ code: 0, out: '', err: '' });
  expect(JSON.parse(joined.out)).toHaveLength(1);
  expect(await run(['serve'])).toMatchObject({
    code: 1,
    err: expect.stringContaining('Another Treeline is running'),
  });
  process.kill(server.pid, 'SIGTERM');
  expect(await server.ended).toEqual({ code: 0, signal: null });
  expect(postgresOn(data_dir)).toEqual([]);
});

/** Starts a command whose stdin stays open, so that it cannot end by itself. */
function launchOpen(words: readonly string[], env: Env, stdin: string): Program {
  const program = start(join(clone, 'bin', 'treeline.mjs'), words, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  program.child.stdin?.on('error', () => undefined).write(stdin);
  return program;
}

async function kill(program: Program): Promise<void> {
  process.kill(program.pid, 'SIGKILL');
  expect(await program.ended).toMatchObject({ signal: 'SIGKILL' });
}

test('an embedded database moves to a PostgreSQL of yours and back, and killed half-way it has not moved', async () => {
  const key = fs.readFileSync(join(data_dir, 'secret.key'), 'utf8').trim();
  const rows = Array.from({ length: 600 }, (_, index) => `moved ${index},1,${index + 1}\n`);
  const csv = `name,i_tariff,balance\n${rows.join('')}`;
  expect(await runHere(['customers', 'import', '-'], csv)).toMatchObject({ code: 0 });
  const exported = await runHere(['export']);
  expect(exported.code).toBe(0);

  const yours = await makePlace('empty', Buffer.from(key, 'base64'));
  expect(await yours.run(['migrate'])).toMatchObject({ code: 0 });
  const everything = () =>
    yours.query(`SELECT (SELECT count(*) FROM customers) AS customers, (SELECT count(*) FROM entries) AS entries,
      (SELECT count(*) FROM audit_records) AS records, (SELECT last_value FROM customers_i_customer_seq) AS last,
      (SELECT string_agg(u::text, ' ') FROM users u) AS users, (SELECT string_agg(s::text, ' ') FROM server_settings s) AS settings`);
  const untouched = await everything();
  // All but the end, so that nothing but the end is missing.
  const begun = launchOpen(
    ['import'],
    yours.env,
    exported.out.slice(0, exported.out.lastIndexOf('{"treeline":"end"')),
  );
  await until('the import under way', async () => {
    const held = await yours.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction' AND query LIKE 'INSERT INTO%"users"%'`,
    );
    return held.length > 0;
  });
  await kill(begun);
  expect(await everything()).toEqual(untouched);

  expect(await yours.run(['import'], { stdin: exported.out })).toMatchObject({ code: 0 });
  const there = await yours.run(['export']);
  expect(there.out).toBe(exported.out);
  const back = { DATA_DIR: join(folder, 'back'), SECRET_KEY: key };
  expect(await runHere(['import'], there.out, back)).toMatchObject({ code: 0 });
  expect((await runHere(['export'], '', back)).out).toBe(exported.out);
  await yours.close();
});

test('an import of customers that is killed keeps the rows that it came to', async () => {
  const rows = Array.from({ length: 100 }, (_, index) => `kept ${index}\n`);
  const words = ['customers', 'import', '-', '--set', 'i_tariff=1'];
  const importing = launchOpen(words, { DATA_DIR: data_dir }, `name\n${rows.join('')}`);
  await until('some rows', hasRows);
  await kill(importing);
  const kept = JSON.parse((await runHere(['customers', 'list', '--name-pattern', 'kept%', '--json'])).out);
  expect(kept.length).toBeGreaterThan(0);
  expect(await runHere(['verify-books'])).toMatchObject({ code: 0 });
  await until('the end of PostgreSQL', () => postgresOn(data_dir).length === 0);
});

async function hasRows(): Promise<boolean> {
  const client = new Client({
    host: join(data_dir, 'socket'),
    port: 5432,
    user: 'treeline',
    database: 'treeline',
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query(`SELECT FROM customers WHERE name LIKE 'kept %' LIMIT 1`);
    return rows.length > 0;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

test('a reader that has seen enough is no failure', async () => {
  const reading = spawnSync('sh', ['-c', `"${join(clone, 'bin', 'treeline.mjs')}" export | head -n 1`], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '', DATA_DIR: data_dir },
  });
  expect(reading.stdout).toMatch(/^\{"treeline":"export"/);
  expect(reading.stderr).toBe('');
  await until('the end of PostgreSQL', () => postgresOn(data_dir).length === 0);
});
