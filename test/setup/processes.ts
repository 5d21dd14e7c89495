/** Programs as an operator meets them: started as processes, spoken to by signals, seen by what they print. */
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { testPostgres } from './server';

export const projectRoot = dirname(dirname(__dirname));

/** What every program gets to see; the settings of whoever runs the tests must not reach it. */
const environment = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '' };

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Program {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly out: () => string;
  readonly err: () => string;
  /** Resolves when the program and everything that holds its output has ended. */
  readonly ended: Promise<Ended>;
}

const running = new Set<ChildProcess>();

/** What a program was given in confidence, and what it has said. */
interface Confided {
  readonly secrets: readonly (readonly [name: string, secret: string])[];
  readonly said: () => string;
}
const confided: Confided[] = [];

const secretsOf = (env: SpawnOptions['env'] = {}) =>
  Object.entries(env).flatMap(([name, value = '']) =>
    /^(SECRET_KEY|ROOT_|METRICS_TOKEN|TREELINE_TOKEN)/.test(name) && value.length >= 10
      ? [[name, value] as const]
      : [],
  );

/** Starts a program in a process group of its own. */
export function start(command: string, words: readonly string[], options: SpawnOptions = {}): Program {
  const child = spawn(command, words, {
    cwd: projectRoot,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    ...options,
    env: { ...environment, ...options.env },
  });
  running.add(child);
  let out = '';
  let err = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (err += text));
  const ended = once(child, 'close').then(([code, signal]) => {
    running.delete(child);
    return { code: code as number | null, signal: signal as NodeJS.Signals | null };
  });
  confided.push({ secrets: secretsOf(options.env), said: () => out + err });
  return { child, pid: child.pid ?? 0, out: () => out, err: () => err, ended };
}

/** Ends whatever a failed test left running; for `afterAll`. Throws where one has said a secret that it was given. */
export function killPrograms(): void {
  for (const child of running) child.kill('SIGKILL');
  const leaks = confided.splice(0).flatMap(({ secrets, said }) => {
    const text = said();
    return secrets.filter(([, secret]) => text.includes(secret)).map(([name]) => name);
  });
  if (leaks.length > 0) throw new Error(`Secrets got out: a program has said ${leaks.join(', ')}`);
}

type Nothing = undefined | null | false;

/** Polls until there is a value, for at most 20 seconds unless told otherwise; `what` is told when there is none. */
export async function until<Value>(
  what: string,
  find: () => Value | Nothing | Promise<Value | Nothing>,
  patience_ms = 20_000,
): Promise<Value> {
  for (const deadline = Date.now() + patience_ms; Date.now() < deadline;) {
    const value = await find();
    if (value !== undefined && value !== null && value !== false) return value;
    await sleep(20);
  }
  throw new Error(`Waited in vain for ${what}`);
}

/** Whether a program can be run here at all. */
export const isInstalled = (program: string): boolean =>
  spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;

/** The PostgreSQL processes, with their children, that were started on a folder. */
export function postgresOn(folder: string): readonly string[] {
  const { stdout } = spawnSync('ps', ['-eo', 'pid=,ppid=,stat=,args='], { encoding: 'utf8' });
  const all = [...stdout.matchAll(/^ *(\d+) +(\d+) +([^Z\s]\S*) +(.*)$/gm)].map(
    ([, pid = '', parent = '', , args = '']) => ({ pid, parent, args }),
  );
  const named = all.filter(({ args }) => args.includes('postgres') && args.includes(folder));
  const pids = new Set(named.map(({ pid }) => pid));
  return all.filter(({ pid, parent }) => pids.has(pid) || pids.has(parent)).map(({ args }) => args);
}

/** A DATABASE_URL for a PostgreSQL that listens on a unix socket. */
export const connectionString = (to: ReturnType<typeof testPostgres>): string =>
  `postgresql://${to.user}@/${to.database}?host=${encodeURIComponent(to.host)}&port=${to.port}`;
