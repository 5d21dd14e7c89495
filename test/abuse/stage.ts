/**
 * A server to attack: a process of its own, started as `npm start` does, on a fresh database. Its memory and its
 * liveness are watched from outside. The watch ends the process when it outgrows a bound, so that an attack that
 * works cannot take the machine down with it.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { type Database, openDatabase } from '../../src/db/database';
import { type Program, connectionString, projectRoot, start, until } from '../setup/processes';
import { type Members, makeDatabase } from '../setup/server';
import { type Http, type Login, type Params, faultNumber, loginRequest, openHttp, xmlRequest } from './http';

export interface Stage {
  readonly url: string;
  readonly pid: number;
  /** A superuser's connection to the database of the server. */
  readonly sql: Client;
  readonly db: Database;
  readonly http: Http;
  /** A name that no other customer of this stage has; the first is the stem itself. */
  uniqueName(stem: string): string;
  /** Calls a method as root; rejects on a fault. */
  root(method: string, params: Params): Promise<Members>;
  /** Whether the server still runs. */
  isRunning(): boolean;
  /** Resolves when the server process has ended, with the reason. */
  readonly ended: Promise<string>;
  close(): Promise<void>;
}

/** `built`: dist, as an operator runs it. `source`: compiled on the way, for tests. */
export type Build = 'built' | 'source';

export const rootLogin: Login = { login: 'root', password: 'abuse-root-api-password' };
const rootWebPassword = 'abuse-root-web-password';

/** The words that `npm start` gives to node. */
function nodeWords(build: Build): string[] {
  const manifest = readFileSync(join(projectRoot, 'package.json'), 'utf8');
  const { scripts } = JSON.parse(manifest) as { readonly scripts: { readonly start: string } };
  const words = scripts.start.replace(/^exec node /, '').split(' ');
  if (build === 'built') return words;
  return [...words.slice(0, -1), '--import', 'tsx', join(projectRoot, 'src', 'main.ts')];
}

/** Starts the server with default settings but for those given, and waits until it listens. */
export async function openStage(settings: Readonly<Record<string, string>>, build: Build): Promise<Stage> {
  const connection = await makeDatabase();
  const sql = new Client(connection);
  await sql.connect();
  // The database may go away first when a run is broken off.
  sql.on('error', () => undefined);
  const program = start(process.execPath, nodeWords(build), {
    env: {
      PORT: '0',
      DATABASE_URL: connectionString(connection),
      SECRET_KEY: randomBytes(32).toString('base64'),
      ROOT_API_PASSWORD: rootLogin.password,
      ROOT_WEB_PASSWORD: rootWebPassword,
      LOG_LEVEL: 'error',
      ...settings,
    },
  });
  const url = await until('the server', () => urlOf(program), 60_000).catch(async (error: unknown) => {
    await stop(program);
    await sql.end();
    throw error;
  });
  const db = openDatabase({
    connection,
    pool_size: 2,
    statement_timeout_ms: 600_000,
    acquire_timeout_ms: 60_000,
  });
  const http = openHttp(url);
  const names = new Map<string, number>();
  return {
    url,
    pid: program.pid,
    sql,
    db,
    http,
    uniqueName: (stem) => {
      const serial = (names.get(stem) ?? 0) + 1;
      names.set(stem, serial);
      return serial === 1 ? stem : `${stem} ${serial}`;
    },
    root: (method, params) => callAs(http, rootLogin, method, params),
    isRunning: () => program.child.exitCode === null && program.child.signalCode === null,
    ended: program.ended.then(({ code, signal }) => {
      const words = program.err().trim().split('\n').slice(0, 3).join(' ').slice(0, 200);
      return `The server ended by ${signal ?? `exit code ${code}`}${words === '' ? '' : `: ${words}`}`;
    }),
    close: async () => {
      http.close();
      await stop(program);
      await db.close();
      await sql.end().catch(() => undefined);
    },
  };
}

function urlOf(program: Program): string | undefined {
  if (program.child.exitCode !== null) throw new Error(`The server did not start: ${program.err()}`);
  return /^Treeline listens on (\S+)\/xmlapi\/xmlapi/m.exec(program.out())?.[1];
}

/** Asks the server to stop, and kills it when it takes more than ten seconds. */
async function stop({ child, ended }: Program): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await ended;
  clearTimeout(timer);
}

/** Calls a method over XML-RPC and returns the names of its result that tests read as text; rejects on a fault. */
export async function callAs(http: Http, login: Login, method: string, params: Params): Promise<Members> {
  const answer = await http.send({ ...xmlRequest(login, method, params), whole: true });
  if (answer.status !== 200 || faultNumber(answer) !== undefined)
    throw new Error(`${method} answered ${answer.status}: ${answer.text.slice(0, 500)}`);
  return scalarsOf(answer.text);
}

/** The members of an answer that are no structs, by name; the last of a name counts. */
export function scalarsOf(xml: string): Members {
  const pattern =
    /<name>(\w+)<\/name>\s*<value>\s*<(?:int|i4|i8|double|boolean|string)>([^<]*)<\/(?:int|i4|i8|double|boolean|string)>/g;
  return Object.fromEntries([...xml.matchAll(pattern)].map(([, name = '', value = '']) => [name, value]));
}

/** Logs in over the tenant API and returns the token. */
export async function tokenOf(http: Http, login: Login): Promise<string> {
  const { status, text } = await http.send(loginRequest(login));
  if (status !== 200)
    throw new Error(`The login of ${login.login} answered ${status}: ${text.slice(0, 300)}`);
  return (JSON.parse(text) as { readonly token: string }).token;
}

export interface Watched {
  /** The largest resident set, in MB. */
  readonly memory_mb: number;
  /** The time to answer GET /health/live, in milliseconds, of each probe. */
  readonly live_ms: readonly number[];
}

/** The server is ended beyond this: the machine is shared. */
const killAt_mb = 1_500;
const memoryEvery_ms = 100;
const liveEvery_ms = 50;

/** Watches until `finish` is called. */
export function watch(stage: Stage): { finish(): Promise<Watched> } {
  let [memory_mb, over] = [0, false];
  const live_ms: number[] = [];
  const http = openHttp(stage.url);
  const memory = (async () => {
    while (!over && stage.isRunning()) {
      memory_mb = Math.max(memory_mb, memoryOf(stage.pid));
      if (memory_mb > killAt_mb) process.kill(stage.pid, 'SIGKILL');
      await sleep(memoryEvery_ms);
    }
  })();
  const probes = new Set<Promise<void>>();
  const timer = setInterval(() => {
    // A few at once show a server that stands still; more would be an attack of our own.
    if (probes.size >= 8) return;
    const began = performance.now();
    const done = (): void => {
      live_ms.push(performance.now() - began);
      probes.delete(probe);
    };
    const probe: Promise<void> = http.send({ path: '/health/live', timeout_ms: 30_000 }).then(done, done);
    probes.add(probe);
  }, liveEvery_ms);
  return {
    finish: async () => {
      over = true;
      clearInterval(timer);
      await Promise.all([memory, ...probes]);
      http.close();
      return { memory_mb: Math.round(memory_mb), live_ms };
    },
  };
}

/** The resident set of a process in MB; 0 when it is gone. */
export function memoryOf(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1_024;
  } catch {
    return 0;
  }
}
