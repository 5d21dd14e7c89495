/**
 * The programs of a measurement. Each is a process of its own, so that none runs on another's
 * event loop: Treeline as it is built, and helpers of ours that do one task after another.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const projectRoot = dirname(__dirname);

export interface Program {
  readonly pid: number;
  stop(): Promise<void>;
}

/** A process that answers one task after another. */
export interface Helper<Task, Answer> extends Program {
  ask(task: Task): Promise<Answer>;
}

export interface Server extends Program {
  readonly port: number;
}

type Reply<Answer> = { readonly answer: Answer } | { readonly failure: string };

const start_timeout_ms = 30_000;
const poll_ms = 20;

/** Starts a file of this folder, which calls `serveTasks`. */
export function startHelper<Task extends object, Answer>(file: string): Helper<Task, Answer> {
  const child = fork(join(__dirname, file));
  const ended = once(child, 'exit');
  return {
    pid: child.pid ?? 0,
    ask: async (task) => {
      const answered = once(child, 'message');
      child.send(task);
      const reply = await Promise.race([answered, ended]);
      const [first] = reply as [Reply<Answer> | number | null];
      if (typeof first !== 'object' || first === null) throw new Error(`${file} ended`);
      if ('failure' in first) throw new Error(`${file}: ${first.failure}`);
      return first.answer;
    },
    stop: () => end(child),
  };
}

/** The other side of `startHelper`. */
export function serveTasks<Answer>(work: (task: never) => Promise<Answer>): void {
  const reply = (message: Reply<Answer>): void => {
    process.send?.(message);
  };
  process.on('message', (task) => {
    work(task as never)
      .then(
        (answer) => ({ answer }),
        (error: unknown) => ({ failure: error instanceof Error ? (error.stack ?? '') : String(error) }),
      )
      .then(reply)
      // Nobody is there to be told.
      .catch(() => process.exit(1));
  });
  process.on('disconnect', () => {
    process.exit();
  });
}

/** As `npm start` has it, without npm around it. */
function startWords(): readonly string[] {
  const manifest = readFileSync(join(projectRoot, 'package.json'), 'utf8');
  const { scripts } = JSON.parse(manifest) as { readonly scripts: { readonly start: string } };
  return scripts.start.replace(/^exec node /, '').split(' ');
}

/** Starts Treeline with nothing but these settings in its environment; what it prints, its log, goes into a file. */
export const startTreeline = (settings: Readonly<Record<string, string>>, log: string): Promise<Server> =>
  startServer(process.execPath, startWords(), log, { env: { ...settings, PORT: '0' } });

/** Starts a program that tells on which port of this machine it listens; what it prints goes into `log`. */
export async function startServer(
  command: string,
  words: readonly string[],
  log: string,
  { env = process.env, input = '' }: { env?: NodeJS.ProcessEnv; input?: string } = {},
): Promise<Server> {
  const out = openSync(log, 'w');
  const child = spawn(command, words, { cwd: projectRoot, env, stdio: ['pipe', out, out] });
  closeSync(out);
  child.on('error', ignore);
  child.stdin?.on('error', ignore).end(input);
  for (const deadline = Date.now() + start_timeout_ms; Date.now() < deadline;) {
    await sleep(poll_ms);
    const port = /listens on http:\/\/[^/]*:(\d+)\//.exec(readFileSync(log, 'utf8'))?.[1];
    if (port !== undefined) return { pid: child.pid ?? 0, port: Number(port), stop: () => end(child) };
    if (child.exitCode !== null || child.pid === undefined) break;
  }
  await end(child);
  throw new Error(`${command} ${words.join(' ')} did not start:\n${readFileSync(log, 'utf8')}`);
}

const ignore = (): void => undefined;

/** A port that is free now, for programs that cannot choose one. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
