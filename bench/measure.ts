/**
 * The measurements, taken in turn within each round and on all sides right after each other:
 * whatever else the machine does falls on all of them alike, and a ratio is one of neighbours.
 */
import type { ClientBase } from 'pg';
import { type Contest, type Entry, type EntryId, entries, entryIds } from './contests';
import type { Load } from './load';
import type { Runners } from './runners';
import { type Spread, spreadOf } from './statistics';

export interface Effort {
  readonly rounds: number;
  readonly seconds: number;
  readonly connections: number;
}

/** What each of those who were there came to; calls of a multicall count singly. */
export type Round = Readonly<Partial<Record<EntryId, Load>>>;

/** Long enough for Node to have compiled what is hot; nobody waits longer to be warm than to be measured. */
const warmUp_s = 1.5;
/** More requests are written than the last round needed, so that the load seldom writes while the clock runs. */
const margin = 1.3;

/** All rounds; one before them, not counted, warms up and shows how many requests to prepare. */
export async function measure(
  runners: Runners,
  customers: number,
  effort: Effort,
  tell: (line: string) => void,
): Promise<Round[]> {
  tell('Warming up');
  let last = await takeRound(
    runners,
    customers,
    { ...effort, seconds: Math.min(warmUp_s, effort.seconds) },
    entryIds,
  );
  const rounds: Round[] = [];
  while (rounds.length < effort.rounds) {
    tell(`Round ${rounds.length + 1} of ${effort.rounds}`);
    // Whoever comes second meets a warmer cache.
    const order = rounds.length % 2 === 0 ? entryIds : entryIds.toReversed();
    last = await takeRound(runners, customers, effort, order, last);
    rounds.push(last);
  }
  return rounds;
}

async function takeRound(
  runners: Runners,
  customers: number,
  effort: Effort,
  order: readonly EntryId[],
  before?: Round,
): Promise<Round> {
  const loads: Partial<Record<EntryId, Load>> = {};
  for (const id of order) {
    const entry: Entry = entries[id];
    const runner = runners[entry.runner];
    if (typeof runner !== 'function') continue;
    const members = entry.members ?? 1;
    // Without a round before, this one warms up.
    const warm_s = before ? 0 : (entry.warm_s ?? 0);
    const seconds = Math.max(effort.seconds, entry.least_s ?? 0, warm_s);
    const rate = (before?.[id]?.calls_per_s ?? 0) / members;
    const load = await runner({
      call: entry.call,
      spread: entry.spread ?? customers,
      seconds,
      connections: entry.connections ?? effort.connections,
      foreseen: Math.ceil(rate * seconds * margin),
    }).catch((cause: unknown) => {
      throw new Error(`Not measured: ${entry.title}`, { cause });
    });
    loads[id] = { ...load, calls_per_s: load.calls_per_s * members };
  }
  return loads;
}

/** Of the rates in each round; undefined where one of the two was not there. */
export function ratioOf({ own, peer }: Contest, rounds: readonly Round[]): Spread | undefined {
  const ratios = rounds.flatMap((round) => {
    const [mine, its] = [round[own], round[peer]];
    return mine && its ? [mine.calls_per_s / its.calls_per_s] : [];
  });
  return ratios.length > 0 ? spreadOf(ratios) : undefined;
}

/** The first answer that was not the expected one, if there was any. */
export function firstWrong(rounds: readonly Round[]): string | undefined {
  const loads = rounds.flatMap((round) => entryIds.map((id) => ({ id, load: round[id] })));
  const wrong = loads.find(({ load }) => (load?.wrong ?? 0) > 0);
  return wrong && `${entries[wrong.id].title}: ${wrong.load?.firstWrong ?? ''}`;
}

/** How many customers have a balance that is not the sum of their entries; any is a mistake. */
export async function wrongBalances(db: ClientBase): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM customers c
     LEFT JOIN (SELECT i_customer, sum(amount) AS sum FROM entries GROUP BY i_customer) e USING (i_customer)
     WHERE c.balance <> coalesce(e.sum, 0)`,
  );
  return rows[0]?.count ?? 0;
}
