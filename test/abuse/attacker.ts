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

interface Task {
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

export interface Attacker {
  /** Resolves when the attack is over; rejects when its process failed. */
  readonly done: Promise<Attacked>;
  kill(): void;
}

/** So long an attacker may take to notice that its time is over. */
const grace_ms = 20_000;

export function startAttacker(task: Task): Attacker {
  const child = fork(join(__dirname, 'attacker.ts'), { execArgv: ['--import', 'tsx'] });
  child.send(task);
  return { done: attackedBy(child, task), kill: () => child.kill('SIGKILL') };
}

async function attackedBy(child: ChildProcess, { scenario, seconds }: Task): Promise<Attacked> {
  let last: Attacked | undefined;
  child.on('message', (message) => {
    last = message as Attacked;
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1_000 + grace_ms);
  const [code] = (await once(child, 'exit')) as [number | null];
  clearTimeout(timer);
  // An attack that the server left without an answer is ended from here: what it counted until then stands.
  if (last && (code === 0 || code === null)) return last;
  throw new Error(`The attacker of ${scenario} failed with code ${String(code)}`);
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
  const report = (sent: () => void = () => undefined): void => {
    process.send?.({ tally: Object.fromEntries(counts), achieved: [...said] } satisfies Attacked, sent);
  };
  const reporting = setInterval(() => {
    report();
  }, 500);
  await scenarioByName(task.scenario).attack(hands, task.data);
  clearInterval(reporting);
  close();
  // Sockets that nobody answers would keep the process alive.
  report(() => process.exit(0));
}

if (require.main === module) {
  process.once('message', (task) => {
    attack(task as Task).catch((error: unknown) => {
      console.error(error);
      process.exit(1);
    });
  });
  process.once('disconnect', () => process.exit(0));
}
