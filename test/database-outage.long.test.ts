/**
 * The database away, in each of the ways in which databases are: frozen, slow, full, read-only, restarted.
 * Callers hear fault 503 in time, /health/ready tells, the server recovers by itself, nothing is half done.
 * (Stopped, and never there: test/faces/http.test.ts. Killed: test/crash.)
 */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type Server, createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { openDatabase } from '../src/db/database';
import { type EmbeddedPostgres, startEmbedded } from '../src/db/embedded/embedded';
import { migrate } from '../src/db/migrations';
import { outcome, provenBooks, times } from './setup/books';
import { until } from './setup/processes';
import { type TestServer, newCustomer, startServer } from './setup/server';

const folder = mkdtempSync(join(tmpdir(), 'treeline-away-'));
const data_dir = join(folder, 'data');
/** PostgreSQL as the server reaches it: through a socket of ours that can be slow. */
const proxyFolder = join(folder, 'p');
const settings = { fsync: 'off', max_connections: '20', superuser_reserved_connections: '0' };
const call_ms = 1_000;
/** The longest that a caller waits, with room for a machine that has other work. */
const inTime_ms = call_ms + 5_000;

let postgres: EmbeddedPostgres;
let proxy: Server;
let delay_ms = 0;
/** Takes connections and lets nothing through, like a machine that is gone behind a firewall. */
let isSwallowing = false;
/** Whether the answer to COMMIT, and all after it, is lost on the way. */
let losesCommits = false;
let server: TestServer;

beforeAll(async () => {
  chmodSync(folder, 0o755);
  postgres = await startEmbedded({ data_dir, settings });
  const db = openDatabase({
    connection: postgres.connection,
    pool_size: 1,
    statement_timeout_ms: 30_000,
    acquire_timeout_ms: 10_000,
  });
  await migrate(db.knex);
  await db.close();
  proxy = await startProxy();
  server = await startServer(
    { TREELINE_POOL_SIZE: '8', TREELINE_CALL_TIMEOUT_MS: String(call_ms), TREELINE_POOL_WAIT_MS: '500' },
    { connection: { ...postgres.connection, host: proxyFolder } },
  );
}, 60_000);

afterAll(async () => {
  await server.close();
  proxy.close();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** Hands bytes on, each after the delay of the moment. */
async function startProxy(): Promise<Server> {
  mkdirSync(proxyFolder);
  const { host, port } = postgres.connection;
  const target = join(host, `.s.PGSQL.${port}`);
  const between = createServer((near) => {
    near.on('error', () => undefined);
    if (isSwallowing) return;
    const far = createConnection(target);
    let isLost = false;
    near.on('data', (chunk) => (isLost ||= losesCommits && chunk.includes('COMMIT')));
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', (chunk) => {
        if (from === near || !isLost) setTimeout(() => to.write(chunk), delay_ms);
      });
      from.on('close', () => to.destroy());
      from.on('error', () => to.destroy());
    }
  });
  return new Promise((resolve) => {
    between.listen(join(proxyFolder, `.s.PGSQL.${port}`), () => {
      resolve(between);
    });
  });
}

const ready = async (): Promise<number> => (await fetch(`${server.url}/health/ready`)).status;
const live = async (): Promise<number> => (await fetch(`${server.url}/health/live`)).status;
const unavailable = /^503 The database is not available, please retry$/;

/** So many creations at once: what each came to, and how long the slowest took. */
async function creations(count: number): Promise<{ said: string[]; slowest_ms: number; names: string[] }> {
  const began = Date.now();
  const params = times(count, () => newCustomer({ balance: 5 }));
  const said = await Promise.all(params.map((each) => outcome(server.root.call('createCustomer', each))));
  return { said, slowest_ms: Date.now() - began, names: params.map(({ name }) => String(name)) };
}

/** The server is as ever, without anybody's help; of the names those are there that were acknowledged. */
async function recovered({
  said,
  names,
}: {
  said: readonly string[];
  names: readonly string[];
}): Promise<void> {
  await until('a server that is ready again', async () => (await ready()) === 200);
  // On a busy machine eight at once may take longer than the time of a call.
  await until('calls that succeed', async () => (await creations(8)).said.every((text) => text === 'OK'));
  const { customers } = await server.root.call('listCustomers');
  const there = new Map(
    (customers as { name: string; balance: number }[]).map(({ name, balance }) => [name, balance]),
  );
  for (const [index, name] of names.entries()) {
    if (said[index] === 'OK') expect(there.get(name)).toBe(5);
  }
  expect(new Set(there.values())).toEqual(new Set([5]));
  await provenBooks(server);
  expect(server.db.poolState()).toMatchObject({ used: 0, waiting: 0 });
  expect(server.logged()).not.toMatch(/Internal error|Unhandled/);
}

const postgresPids = (): number[] => {
  const [postmaster = ''] = readFileSync(join(data_dir, 'postgres', 'postmaster.pid'), 'utf8').split('\n');
  const children = readFileSync(`/proc/${postmaster}/task/${postmaster}/children`, 'utf8').trim().split(' ');
  return [postmaster, ...children].map(Number);
};

/** It thaws whatever happens, or all that follows would wait for it. */
async function whileFrozen<T>(work: () => Promise<T>): Promise<T> {
  const frozen = postgresPids();
  for (const pid of frozen) process.kill(pid, 'SIGSTOP');
  try {
    return await work();
  } finally {
    for (const pid of frozen) process.kill(pid, 'SIGCONT');
  }
}

test('frozen: every call hears 503 in time, nobody queues without end, and when it thaws all is well', async () => {
  await creations(8);
  const { said, slowest_ms, names } = await whileFrozen(async () => {
    const made = await creations(200);
    expect([await ready(), await live()]).toEqual([503, 200]);
    return made;
  });
  expect(new Set(said)).toEqual(new Set(['503 The database is not available, please retry']));
  expect(slowest_ms).toBeLessThan(inTime_ms);
  await recovered({ said, names });
}, 60_000);

test.each([80, 150, 300])(
  'slow, %i ms each way: a write of many steps ends when its time is over, done or not at all',
  async (slow_ms) => {
    await creations(8);
    delay_ms = slow_ms;
    const made = await creations(12);
    delay_ms = 0;
    for (const text of made.said) expect(text).toMatch(/^OK$|^503 /);
    // With 300 ms each way there are three round trips in the time of a call, and making a customer takes more.
    if (slow_ms === 300) expect(new Set(made.said).size).toBe(1);
    expect(made.slowest_ms).toBeLessThan(inTime_ms);
    await recovered(made);
  },
  60_000,
);

test('frozen in the midst of writes that wait for one another: 503 in time, and nothing of them is done later', async () => {
  await creations(8);
  const holder = new Client({ ...postgres.connection, ssl: false });
  await holder.connect();
  await holder.query('BEGIN; LOCK TABLE customers IN EXCLUSIVE MODE');
  const making = creations(4);
  await until('writes that wait', async () => {
    const { rows } = await holder.query<{ waiting: number }>(
      `SELECT count(*)::int AS waiting FROM pg_stat_activity WHERE wait_event_type = 'Lock'`,
    );
    return (rows[0]?.waiting ?? 0) > 0;
  });
  const { said, slowest_ms, names } = await whileFrozen(() => making);
  expect(new Set(said)).toEqual(new Set(['503 The database is not available, please retry']));
  expect(slowest_ms).toBeLessThan(inTime_ms);
  await until('the end of what was given up', async () => {
    const { rows } = await holder.query<{ waiting: number }>(
      `SELECT count(*)::int AS waiting FROM pg_stat_activity WHERE wait_event_type = 'Lock'`,
    );
    return rows[0]?.waiting === 0;
  });
  await holder.query('ROLLBACK');
  await holder.end();
  await recovered({ said, names });
  const { customers } = await server.root.call('listCustomers');
  const there = (customers as { name: string }[]).map(({ name }) => name);
  expect(names.filter((name) => there.includes(name))).toEqual([]);
}, 60_000);

test('a COMMIT whose answer is lost is not acknowledged, and not repeated either', async () => {
  await creations(4);
  losesCommits = true;
  const { said, slowest_ms, names } = await creations(4);
  losesCommits = false;
  expect(new Set(said)).toEqual(new Set(['503 The database is not available, please retry']));
  expect(slowest_ms).toBeLessThan(inTime_ms);
  await recovered({ said, names });
  const { customers } = await server.root.call('listCustomers');
  const there = (customers as { name: string }[]).map(({ name }) => name);
  for (const name of names) expect(there.filter((each) => each === name)).toEqual([name]);
}, 60_000);

test('so many callers that they would wait for ever: those beyond the bound hear 503 at once', async () => {
  const holder = new Client({ ...postgres.connection, ssl: false });
  await holder.connect();
  await holder.query('BEGIN; LOCK TABLE customers IN ACCESS EXCLUSIVE MODE');
  const asked = times(1_500, () =>
    server.db.query({ text: 'SELECT count(*) FROM customers' }).then(
      () => 'OK',
      () => 'refused',
    ),
  );
  const { waiting } = server.db.poolState();
  expect(waiting).toBeLessThanOrEqual(1_000);
  expect(await Promise.race(asked.slice(-1))).toBe('refused');
  await holder.query('ROLLBACK');
  await holder.end();
  await Promise.all(asked);
  await recovered({ said: [], names: [] });
}, 60_000);

test('out of connections: 503, and well again when there are some', async () => {
  // Whatever the server holds goes first, so that it has to ask for new ones.
  const others = times(20, () => new Client({ ...postgres.connection, ssl: false }));
  for (const each of others) each.on('error', () => undefined);
  const [first] = others;
  await first?.connect();
  await first?.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'`,
  );
  const connected = await Promise.all(
    others.slice(1).map((each) =>
      each.connect().then(
        () => true,
        () => false,
      ),
    ),
  );
  const { said, slowest_ms, names } = await creations(10);
  expect(said.filter((text) => !unavailable.test(text))).toEqual([]);
  expect(slowest_ms).toBeLessThan(10_000);
  expect(await ready()).toBe(503);
  await Promise.all(
    others.filter((_each, place) => place === 0 || connected[place - 1]).map((each) => each.end()),
  );
  await recovered({ said, names });
}, 60_000);

test('read-only: reading goes on, writing is 503, and /health/ready says so', async () => {
  const admin = new Client({ ...postgres.connection, ssl: false });
  await admin.connect();
  const setReadOnly = async (value: 'on' | 'off'): Promise<void> => {
    await admin.query(`ALTER SYSTEM SET default_transaction_read_only = ${value}`);
    await admin.query('SELECT pg_reload_conf()');
  };
  await setReadOnly('on');
  await until('a database that is read-only', async () => (await ready()) === 503);
  const { said, names } = await creations(5);
  expect(said.filter((text) => !unavailable.test(text))).toEqual([]);
  expect(await server.root.call('getCustomerInfo', { i_customer: 1 })).toMatchObject({ result: 'OK' });
  await admin.query('SET default_transaction_read_only = off');
  await setReadOnly('off');
  await admin.end();
  await recovered({ said, names });
}, 60_000);

test('with a synchronous standby that is away: no write is acknowledged from one disk, and all goes on when it is waived', async () => {
  const admin = new Client({ ...postgres.connection, ssl: false });
  await admin.connect();
  const waitFor = async (standby: string): Promise<void> => {
    await admin.query(`ALTER SYSTEM SET synchronous_standby_names = '${standby}'`);
    await admin.query('SELECT pg_reload_conf()');
    await until('word of it', async () => {
      const { rows } = await admin.query<{ synchronous_standby_names: string }>(
        'SHOW synchronous_standby_names',
      );
      return rows[0]?.synchronous_standby_names === standby;
    });
  };
  await waitFor('another');
  // The time of a statement ends, but not the waiting of a COMMIT: PostgreSQL would answer it as done.
  const { said, slowest_ms, names } = await creations(6);
  expect(said.filter((text) => !unavailable.test(text))).toEqual([]);
  expect(slowest_ms).toBeLessThan(2 * (call_ms + 1_000) + 5_000);
  expect(await server.root.call('getCustomerInfo', { i_customer: 1 })).toMatchObject({ result: 'OK' });
  await waitFor('');
  await admin.end();
  await recovered({ said, names });
}, 60_000);

test('where connections are swallowed: 503, and those that were begun are given up when the way is free again', async () => {
  const admin = new Client({ ...postgres.connection, ssl: false });
  await admin.connect();
  const ours = `FROM pg_stat_activity WHERE application_name = 'treeline' AND pid <> pg_backend_pid()`;
  isSwallowing = true;
  await admin.query(`SELECT pg_terminate_backend(pid) ${ours}`);
  const { said, names } = await creations(10);
  expect(said.filter((text) => !unavailable.test(text))).toEqual([]);
  isSwallowing = false;
  const began = Date.now();
  await recovered({ said, names });
  await until('one that listens', async () => {
    const { rowCount } = await admin.query(`SELECT ${ours} AND query = 'SELECT 1'`);
    return rowCount === 1;
  });
  expect(Date.now() - began).toBeLessThan(20_000);
  await admin.end();
}, 60_000);

test('restarted in the midst of writing: some hear 503, none is half done, and the server goes on by itself', async () => {
  const [before, during] = [creations(20), creations(20)];
  await postgres.stop();
  const [first, second, after] = [await before, await during, await creations(4)];
  for (const text of [...first.said, ...second.said]) expect(text).toMatch(/^OK$|^503 /);
  expect(after.said).toEqual(times(4, () => '503 The database is not available, please retry'));
  postgres = await startEmbedded({ data_dir, settings });
  await recovered({ said: [...first.said, ...second.said], names: [...first.names, ...second.names] });
}, 60_000);
