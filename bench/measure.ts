/**
 * The measurements, taken in turn within each round and on both sides right after each other:
 * whatever else the machine does falls on all of them alike, and a ratio is one of neighbours.
 */
import type { Load } from './load';
import type { CallName } from './requests';
import type { Stage } from './stage';

/** A call of Treeline's that is measured with many connections; where there is a target, it is one for the ratio. */
export interface Contest {
  readonly title: string;
  readonly call: CallName;
  /** Over how many customers; absent: all. */
  readonly spread?: number;
  readonly peer: string;
  /** The peer is this call of Treeline's own, over XML-RPC. */
  readonly twin?: CallName;
  readonly target?: number;
}

export const contests: readonly Contest[] = [
  { title: 'getCustomerInfo', call: 'info', peer: 'SELECT of the row by id', target: 0.5 },
  {
    title: 'customerAddFunds, 1,000 customers',
    call: 'add_funds',
    spread: 1_000,
    peer: 'BEGIN, the same posting, COMMIT',
    target: 0.5,
  },
  {
    title: 'customerAddFunds, one customer',
    call: 'add_funds',
    spread: 1,
    peer: 'BEGIN, the same posting, COMMIT',
    target: 0.5,
  },
  { title: 'listCustomers, limit 50', call: 'list', peer: 'the same SELECT' },
  { title: 'GET one customer', call: 'rest_info', peer: 'getCustomerInfo', twin: 'info', target: 1 },
  { title: 'POST customer', call: 'rest_create', peer: 'createCustomer', twin: 'create_least', target: 1 },
  {
    title: 'PUT balance, 1,000 customers',
    call: 'rest_transfer',
    spread: 1_000,
    peer: 'transferFunds',
    twin: 'transfer',
    target: 1,
  },
];

/** Calls that parsing is compared with, made one after another. */
export const wholeCalls = [
  { title: 'createCustomer, 40 members', call: 'create' },
  { title: 'updateCustomer, 40 members, no password', call: 'update' },
] as const;

export interface Round {
  /** In the order of `contests`. */
  readonly contests: readonly { readonly treeline: Load; readonly peer: Load }[];
  /** In the order of `wholeCalls`. */
  readonly wholeCalls: readonly Load[];
  readonly parsing_ms: number;
}

export interface Effort {
  readonly rounds: number;
  readonly seconds: number;
  readonly connections: number;
}

/** Long enough for Node to have compiled what is hot. */
const warmUp_s = 2;
/** More requests are written than the last round needed, so that the load seldom writes while the clock runs. */
const margin = 1.3;

/** All rounds; one before them, not counted, warms up and shows how many requests to prepare. */
export async function measure(stage: Stage, effort: Effort, tell: (line: string) => void): Promise<Round[]> {
  const rates = new Map<string, number>();
  tell('Warming up');
  await takeRound(stage, { ...effort, seconds: warmUp_s }, 0, rates);
  const rounds: Round[] = [];
  while (rounds.length < effort.rounds) {
    tell(`Round ${rounds.length + 1} of ${effort.rounds}`);
    rounds.push(await takeRound(stage, effort, rounds.length + 1, rates));
  }
  return rounds;
}

type Side = 'treeline' | 'peer';

async function takeRound(
  stage: Stage,
  effort: Effort,
  number: number,
  rates: Map<string, number>,
): Promise<Round> {
  const one = { ...effort, connections: 1 };
  const pairs = [];
  for (const contest of contests) {
    // Whoever comes second meets a warmer cache.
    const order = number % 2 === 0 ? (['treeline', 'peer'] as const) : (['peer', 'treeline'] as const);
    const loads = {} as Record<Side, Load>;
    for (const side of order) loads[side] = await takeSample(stage, effort, number, rates, side, contest);
    pairs.push(loads);
  }
  const parsing_ms = await stage.parsing.ask({ population: stage.population, seconds: effort.seconds });
  const whole = [];
  for (const call of wholeCalls) whole.push(await takeSample(stage, one, number, rates, 'treeline', call));
  return { contests: pairs, wholeCalls: whole, parsing_ms };
}

async function takeSample(
  stage: Stage,
  { seconds, connections }: Effort,
  number: number,
  rates: Map<string, number>,
  side: Side,
  { title, call, twin, spread }: Pick<Contest, 'title' | 'call' | 'twin' | 'spread'>,
): Promise<Load> {
  const isPeer = side === 'peer' && twin === undefined;
  const server = stage[isPeer ? 'peer' : 'treeline'];
  const { population } = stage;
  const key = `${title} ${side}`;
  // What the measurement before has left to be written is not this one's affair.
  await stage.db.query('CHECKPOINT');
  const foreseen = Math.ceil((rates.get(key) ?? 0) * seconds * margin);
  const series = {
    server: isPeer ? 'peer' : 'treeline',
    call: side === 'peer' && twin ? twin : call,
    population,
    spread: spread ?? population.count,
    tag: `new-${number}-${side}`,
  } as const;
  const task = {
    series,
    port: server.port,
    watched: { server: server.pid, postgres: await postgresPids(stage) },
    ...(!isPeer && { login: stage.login }),
    connections,
    seconds,
    foreseen,
  };
  const load = await stage.load.ask(task).catch((cause: unknown) => {
    throw new Error(`Not measured: ${title}, ${side}`, { cause });
  });
  rates.set(key, load.calls_per_s);
  return load;
}

async function postgresPids({ db }: Stage): Promise<number[]> {
  const { rows } = await db.query<{ pid: number }>('SELECT pid FROM pg_stat_activity');
  return rows.map(({ pid }) => pid);
}

/** How many customers have a balance that is not the sum of their entries; any is a mistake. */
export async function wrongBalances({ db }: Stage): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM customers c
     LEFT JOIN (SELECT i_customer, sum(amount) AS sum FROM entries GROUP BY i_customer) e USING (i_customer)
     WHERE c.balance <> coalesce(e.sum, 0)`,
  );
  return rows[0]?.count ?? 0;
}
