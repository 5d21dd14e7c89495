/** Several processes behind one port: what is counted, locked and revoked holds across all of them. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { basic, callBody, exchange } from './setup/raw-http';
import { type Program, connectionString, killPrograms, start, until } from './setup/processes';
import { makeDatabase, rootPassword, rootWebPassword } from './setup/server';

let server: Program;
let url: string;

beforeAll(async () => {
  server = start(process.execPath, ['--import', 'tsx', 'src/main.ts'], {
    env: {
      PORT: '0',
      TREELINE_WORKERS: '2',
      DATABASE_URL: connectionString(await makeDatabase('empty')),
      SECRET_KEY: randomBytes(32).toString('base64'),
      ROOT_API_PASSWORD: rootPassword,
      ROOT_WEB_PASSWORD: rootWebPassword,
    },
  });
  url = await until('the first screen', () => /listens on (http:\/\/[^/]*)\//.exec(server.out())?.[1]);
}, 60_000);
afterAll(killPrograms);

/** Each over a connection of its own, which go to the workers in turn. */
const ask = (method: string, password = rootPassword, params = '') =>
  exchange(url, {
    headers: [basic('root', password), 'Connection: close'],
    body: callBody(method, params),
  });

/** The processes that serve; beside them the first one has a helper that compiles. */
const workers = (): number[] =>
  [
    ...spawnSync('ps', ['-o', 'pid=,args=', '--ppid', String(server.pid)], {
      encoding: 'utf8',
    }).stdout.matchAll(/^ *(\d+) .*src\/main/gm),
  ].map(([, pid]) => Number(pid));

const total = async (method: string): Promise<number> => {
  const { body } = await exchange(url, { method: 'GET', path: '/metrics', headers: ['Connection: close'] });
  const line = new RegExp(`^treeline_calls_total\\{[^}]*method="${method}"[^}]*\\} (\\d+)`, 'm').exec(
    body.toString(),
  );
  return Number(line?.[1] ?? 0);
};

test('all of them serve, and whichever is asked tells the figures of all', async () => {
  expect(workers()).toHaveLength(2);
  for (let call = 0; call < 10; call += 1) expect((await ask('listCustomers')).status).toBe(200);
  expect(await total('listCustomers')).toBe(10);
  expect(await total('listCustomers')).toBe(10);
});

test('guesses are counted together', async () => {
  const statuses: number[] = [];
  for (let guess = 0; guess < 21; guess += 1)
    statuses.push((await ask('listCustomers', 'wrong-password')).status);
  expect(statuses.filter((status) => status === 401)).toHaveLength(20);
  expect(statuses.at(-1)).toBe(429);
  // Locked, also for the right password, on each of them.
  expect((await ask('listCustomers')).status).toBe(429);
  expect((await ask('listCustomers')).status).toBe(429);
});

test('one that is killed is replaced, and the others serve meanwhile', async () => {
  const [first = 0] = workers();
  process.kill(first, 'SIGKILL');
  await until('word of it', () => server.out().includes('A worker has ended'));
  await until('another worker', () => workers().length === 2 && !workers().includes(first));
  expect((await exchange(url, { method: 'GET', path: '/health/live' })).status).toBe(200);
});

test('SIGTERM ends all of them', async () => {
  await sleep(500);
  process.kill(server.pid, 'SIGTERM');
  expect(await server.ended).toEqual({ code: 0, signal: null });
  expect(server.out()).toContain('"Stopped"');
});
