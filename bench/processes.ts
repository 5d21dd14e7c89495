/**
 * The programs of a measurement. Each is a process of its own, so that none runs on another's
 * event loop: Treeline as it is built, and helpers of ours that do one task after another.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
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
export function startHelper<Answer>(file: string): Helper<object, Answer> {
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

/** Starts Treeline with nothing but these settings in its environment; what it prints goes into `log`. */
export async function startTreeline(
  settings: Readonly<Record<string, string>>,
  log: string,
  words: readonly string[] = ['dist/src/main.js'],
): Promise<Server> {
  const out = openSync(log, 'w');
  const child = spawn(process.execPath, words, {
    cwd: projectRoot,
    env: { ...settings, PORT: '0' },
    stdio: ['ignore', out, out],
  });
  for (const deadline = Date.now() + start_timeout_ms; Date.now() < deadline;) {
    await sleep(poll_ms);
    const port = /listens on http:\/\/[^/]*:(\d+)\//.exec(readFileSync(log, 'utf8'))?.[1];
    if (port !== undefined) return { pid: child.pid ?? 0, port: Number(port), stop: () => end(child) };
    if (child.exitCode !== null) break;
  }
  await end(child);
  throw new Error(`Treeline did not start:\n${readFileSync(log, 'utf8')}`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
