/** Runs many histories, some at once on one server: what the test and `npm run model` share. */
import fc from 'fast-check';
import { type TestServer, rootPassword, rootWebPassword, startServer } from '../setup/server';
import { playBurst } from './burst';
import { type Client, type Outcome, openClient, trustedAddress } from './client';
import { compareAll, freshWorld, play } from './play';
import { bursts, histories, prelude } from './steps';
import type { Step } from './symbols';
import { rootPrices } from './world';

export interface Run {
  /** How many histories, and how many of them end in a burst of calls at once. */
  readonly histories: number;
  readonly concurrent: number;
  readonly calls: number;
  readonly seed: number;
  /** Told after each history, with every answer that came so far by method and fault. */
  readonly onHistory?: (done: number, answers: ReadonlyMap<string, number>) => void;
}

/** Histories that run at once: each waits for the database and for argon2 most of its time. */
const lanes = 4;

/** Rejects with the shortest failing history and its seed. */
export async function runHistories({
  histories: count,
  concurrent,
  calls,
  seed,
  onHistory,
}: Run): Promise<void> {
  const server = await startServer({
    TRUSTED_HOSTS: trustedAddress,
    LOG_LEVEL: 'warn',
    TREELINE_WEBHOOK_RANGES: '127.0.0.1',
  });
  const answers = new Map<string, number>();
  const client = counting(openClient(server.url), answers);
  let done = 0;
  const ended = (): void => {
    done += 1;
    onHistory?.(done, answers);
  };
  const share = (total: number, lane: number): number =>
    Math.floor(total / lanes) + (lane < total % lanes ? 1 : 0);
  const ground = { client, db: server.db, rootPassword, rootWebPassword };
  await setPrices(server);
  const playOne = async (steps: readonly Step[]): Promise<void> => {
    const world = freshWorld(ground);
    await play(ground, world, [...prelude, ...steps]);
    await compareAll(ground, world);
  };
  const lane = async (index: number): Promise<void> => {
    const single = fc.asyncProperty(histories(calls), async (steps) => {
      await playOne(steps).catch((error: unknown) => shorten(playOne, steps, error, seed + index));
      ended();
    });
    // A history is made shorter by `shorten`, which leaves calls out in halves.
    await asserted(single, { seed: seed + index, numRuns: share(count, index), endOnFailure: true });
  };
  const burst = async (): Promise<void> => {
    const property = fc.asyncProperty(histories(20), bursts(40), async (before, at_once) => {
      await playBurst(ground, server, before, at_once);
      ended();
    });
    await asserted(property, { seed, numRuns: concurrent, endOnFailure: true });
  };
  try {
    const used = Array.from({ length: lanes }, (_, index) => index).filter(
      (index) => share(count, index) > 0,
    );
    await Promise.all(used.map(lane));
    // By itself, because it looks at all books at once.
    if (concurrent > 0) await burst();
    noBugs(server);
  } finally {
    client.close();
    await server.close();
  }
}

/** Checks the property; what it rejects with is our own text, which has the history in words. */
async function asserted<T>(property: fc.IAsyncProperty<T>, parameters: fc.Parameters<T>): Promise<void> {
  await fc.assert(property, parameters).catch((error: unknown) => {
    throw error instanceof Error && error.cause instanceof Error ? error.cause : error;
  });
}

/** Leaves calls out as long as what is left still fails; rejects with the shortest history that does. */
async function shorten(
  playOne: (steps: readonly Step[]) => Promise<void>,
  steps: readonly Step[],
  reason: unknown,
  seed: number,
): Promise<never> {
  let [shortest, why] = [steps, reason];
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from < shortest.length;) {
      const fewer = [...shortest.slice(0, from), ...shortest.slice(from + size)];
      const error: unknown = await playOne(fewer).then(
        () => undefined,
        (failure: unknown) => failure,
      );
      if (error === undefined) from += size;
      else [shortest, why] = [fewer, error];
    }
  }
  const text = why instanceof Error ? why.message : String(why);
  throw new Error(`${text}\n\n${shortest.length} of ${steps.length} calls, lane with seed ${seed}`, {
    cause: why,
  });
}

function noBugs(server: TestServer): void {
  const line = server
    .logged()
    .split('\n')
    .find((each) => /Internal error|Unhandled/.test(each));
  if (line !== undefined) throw new Error(`The server logged a bug: ${line}`);
}

/** The prices of root are the same for all histories, so they are set once. */
async function setPrices({ db }: TestServer): Promise<void> {
  for (const [key, amount] of rootPrices) {
    const values = [...key.split(' '), amount.toString()];
    const text =
      'INSERT INTO prices (i_customer, product, currency, amount) VALUES (1, $1, $2, $3::numeric / 1000000)';
    await db.query({ text }, values);
  }
}

/** Counts every answer under its method or operation, and fault or status. */
function counting(client: Client, answers: Map<string, number>): Client {
  const count = (name: string, outcome: Outcome): Outcome => {
    const how =
      'fault' in outcome ? String(outcome.fault) : 'status' in outcome ? `HTTP ${outcome.status}` : 'OK';
    const key = `${name} ${how}`;
    answers.set(key, (answers.get(key) ?? 0) + 1);
    return outcome;
  };
  return {
    ...client,
    call: async (way, method, params) => count(method, await client.call(way, method, params)),
    ask: async (way, operation, params) => count(operation, await client.ask(way, operation, params)),
  };
}
