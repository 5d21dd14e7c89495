/**
 * The process of an attacker. It is apart from the victim's, so that its own work does not make the victim's answers
 * look late. It gets its task as a message, attacks until the time is over, reports and ends.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, failureOf, openHttp, outcomeOf } from './http';
import type { Hands, Tally } from './scenario';
import { scenarioByName } from './scenarios';

export interface Task {
  readonly scenario: string;
  readonly url: string;
  readonly address: string;
  readonly seconds: number;
  readonly scale: number;
  readonly data: unknown;
}

export interface Attacked {
  readonly tally: Tally;
  /** What must not have been possible, in sentences. */
  readonly achieved: readonly string[];
}

/** What the process reports all the time; the last report of a task is the whole of it. */
type Report = Attacked & { readonly last: boolean } & { readonly failure?: string };

export interface Attacker {
  /** Resolves when the process has loaded its code, which takes seconds on a busy machine. */
  ready(): Promise<void>;
  /** Attacks until the time is over; rejects when the scenario itself fails. */
  attack(task: Task): Promise<Attacked>;
  readonly kill: () => void;
}

/** So long an attacker may take to notice that its time is over. */
const grace_ms = 20_000;

/** An attacker whose process starts with the first attack, and anew where one had to be ended. */
export function openAttacker(): Attacker {
  let child: ChildProcess | undefined;
  let starting: Promise<ChildProcess> | undefined;
  const started = (): Promise<ChildProcess> => {
    if (starting && (child === undefined || child.connected)) return starting;
    const forked = fork(join(__dirname, 'attacker.ts'), { execArgv: ['--import', 'tsx'] });
    child = forked;
    starting = Promise.race([once(forked, 'message'), once(forked, 'exit')]).then(() => forked);
    return starting;
  };
  return {
    ready: async () => {
      await started();
    },
    attack: async (task) => attackBy(await started(), task),
    kill: () => {
      child?.kill('SIGKILL');
    },
  };
}

function attackBy(child: ChildProcess, task: Task): Promise<Attacked> {
  return new Promise((resolve, reject) => {
    let latest: Report | undefined;
    // An attack that does not end is ended from here; what it counted until then stands.
    const timer = setTimeout(() => child.kill('SIGKILL'), task.seconds * 1_000 + grace_ms);
    const finish = (): void => {
      clearTimeout(timer);
      child.off('message', hear).off('exit', finish);
      if (latest?.failure !== undefined) reject(new Error(`${task.scenario}: ${latest.failure}`));
      else if (latest) resolve({ tally: latest.tally, achieved: latest.achieved });
      else reject(new Error(`The attacker of ${task.scenario} ended without a report`));
    };
    const hear = (message: unknown): void => {
      latest = message as Report;
      if (latest.last) finish();
    };
    child.on('message', hear).once('exit', finish);
    if (child.connected) child.send(task);
    else finish();
  });
}

function handsOf({ url, address, seconds, scale }: Task, counts: Map<string, number>, said: Set<string>) {
  const until = performance.now() + seconds * 1_000;
  const http = openHttp(url, address);
  const { hostname, port } = new URL(url);
  const isOver = (): boolean => performance.now() >= until;
  const count = (outcome: string, times = 1): void => {
    counts.set(outcome, (counts.get(outcome) ?? 0) + times);
  };
  const hands: Hands = {
    url,
    address,
    scale,
    isOver,
    scaled: (many, least = 2) => Math.max(least, Math.round(many * scale)),
    send: async (sent, uncounted) => {
      try {
        const left_ms = Math.max(2_000, until - performance.now());
        const answer = await http.send({ timeout_ms: left_ms, ...sent });
        if (!uncounted) count(outcomeOf(answer));
        return answer;
      } catch (error) {
        if (!uncounted) count(failureOf(error));
        return undefined;
      }
    },
    flood: async (lanes, work) => {
      const lane = async (number: number): Promise<void> => {
        // Not all in the same moment, or the first answers would only measure the start.
        await sleep((number % 50) * 4);
        while (!isOver()) {
          const answer = (await work(number)) as Partial<Answer> | undefined;
          // A real attacker would not wait; but without a pause refused connections fill our own processor.
          if (answer === undefined || answer.status === 429 || answer.status === 503) await sleep(20);
        }
      };
      await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
    },
    connect: () =>
      new Promise((resolve) => {
        const socket = connect({ host: hostname, port: Number(port), localAddress: address });
        socket.once('connect', () => {
          resolve(socket);
        });
        socket.on('error', (error) => {
          count(failureOf(error));
          resolve(undefined);
        });
      }),
    sleep,
    count,
    achieved: (sentence) => {
      said.add(sentence);
    },
  };
  return { hands, close: http.close };
}

async function attack(task: Task): Promise<void> {
  const [counts, said] = [new Map<string, number>(), new Set<string>()];
  const { hands, close } = handsOf(task, counts, said);
  const report = (last: boolean, failure?: string): void => {
    const attacked = { tally: Object.fromEntries(counts), achieved: [...said], last };
    process.send?.({ ...attacked, ...(failure !== undefined && { failure }) } satisfies Report);
  };
  report(false);
  const reporting = setInterval(() => {
    report(false);
  }, 500);
  const failure = await scenarioByName(task.scenario)
    .attack(hands, task.data)
    .then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? (error.stack ?? error.message) : String(error)),
    );
  clearInterval(reporting);
  close();
  report(true, failure);
}

if (require.main === module) {
  process.on('message', (task) => {
    void attack(task as Task);
  });
  process.once('disconnect', () => process.exit(0));
  process.send?.('ready');
}
