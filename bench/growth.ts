/**
 * What growing costs: the same calls, one after another, in trees of different sizes and from customers at
 * different depths. Every round asks all of them, the smallest tree right beside the largest.
 */
import type { Client } from 'pg';
import { type CallName, farOffset, listLimit, xmlrpcPath } from './calls';
import type { Ground } from './ground';
import type { Load } from './load';
import { type Runner, loadRunner } from './runners';
import { type Login, type Site, makeMember, openSite } from './site';
import { growTree } from './tree';

export const sizes = { small: 1_000, middle: 100_000, large: 1_000_000 } as const;
export type SizeName = keyof typeof sizes;
/** Customers that one owner of the largest tree has directly below itself; it is who calls. */
export const ownedInLarge = 200_000;

export const depths = [1, 8, 64] as const;

export const deepCalls = [
  { call: 'info', title: 'getCustomerInfo' },
  { call: 'update', title: 'updateCustomer' },
] as const satisfies readonly { call: CallName; title: string }[];

export const grownCalls = [
  { call: 'info', title: 'getCustomerInfo' },
  { call: 'create', title: 'createCustomer' },
  { call: 'update', title: 'updateCustomer' },
  { call: 'auth', title: 'authCustomer' },
  { call: 'list_after', title: 'listCustomers by after' },
] as const satisfies readonly { call: CallName; title: string }[];

export const longListCalls = [
  { call: 'list_offset', title: `listCustomers, offset ${farOffset.toLocaleString('en')}` },
  { call: 'list_pattern', title: 'listCustomers by name_pattern' },
  { call: 'list_total', title: 'listCustomers, with_total' },
] as const satisfies readonly { call: CallName; title: string }[];

export interface Grown {
  /** Milliseconds of the median call, by what was asked where; one for each round. */
  readonly medians_ms: ReadonlyMap<string, readonly number[]>;
  readonly loads: readonly Load[];
  readonly customersInLarge: number;
}

export const keyOf = (call: string, where: string | number): string => `${call} ${where}`;
export const bareOffset = 'PostgreSQL itself';

export interface GrowthEffort {
  readonly rounds: number;
  readonly seconds: number;
}

export interface GrowthSites {
  readonly small: Site;
  readonly middle: Site;
  readonly large: Site;
  readonly customersInLarge: number;
}

export async function openGrowthSites(ground: Ground, middle: Site): Promise<GrowthSites> {
  const small = await openSite(ground, 'small', sizes.small);
  const large = await openSite(ground, 'large', ownedInLarge);
  const rest = sizes.large - ownedInLarge;
  const made = await growTree(large.db, rest, (count) => {
    ground.tell(`Made ${count.toLocaleString('en')} of ${rest.toLocaleString('en')} customers in the tree`);
  });
  return { small, middle, large, customersInLarge: made + ownedInLarge };
}

export async function measureGrowth(
  ground: Ground,
  sites: GrowthSites,
  { rounds, seconds }: GrowthEffort,
): Promise<Grown> {
  const tasks = await tasksOf(ground, sites, seconds);
  const medians_ms = new Map<string, number[]>();
  const loads: Load[] = [];
  ground.tell('Warming up');
  for (const { run } of tasks) await run(warmUp_s);
  for (let round = 1; round <= rounds; round += 1) {
    ground.tell(`Growth, round ${round} of ${rounds}`);
    for (const { key, run } of round % 2 === 0 ? tasks : tasks.toReversed()) {
      const load = await run(seconds);
      loads.push(load);
      medians_ms.set(key, [...(medians_ms.get(key) ?? []), load.median_ms]);
    }
  }
  return { medians_ms, loads, customersInLarge: sites.customersInLarge };
}

/** Each of the servers has code of its own to compile. */
const warmUp_s = 1;

interface Task {
  readonly key: string;
  readonly run: (seconds: number) => Promise<Load>;
}

async function tasksOf(ground: Ground, sites: GrowthSites, seconds: number): Promise<Task[]> {
  const call = (runner: Runner, name: CallName, spread: number) => (time_s: number) =>
    runner({ call: name, spread, seconds: time_s, connections: 1, foreseen: Math.ceil(seconds * 800) });
  const runners = Object.fromEntries(
    (Object.keys(sizes) as SizeName[]).map((name) => {
      const site = sites[name];
      const how = { form: 'xmlrpc', path: xmlrpcPath, login: site.login } as const;
      return [name, loadRunner(ground, site, site.treeline, how)] as const;
    }),
  ) as Record<SizeName, Runner>;
  // Whoever is asked for after the last ones gets less than a whole page.
  const spreadOf = (name: SizeName): number => sites[name].population.count - listLimit - 10;
  const grown = grownCalls.flatMap(({ call: name }) =>
    (Object.keys(sizes) as SizeName[]).map((size) => ({
      key: keyOf(name, size),
      run: call(runners[size], name, spreadOf(size)),
    })),
  );
  const long = longListCalls.map(({ call: name }) => ({
    key: keyOf(name, 'large'),
    run: call(runners.large, name, spreadOf('large')),
  }));
  const bare = {
    key: keyOf('list_offset', bareOffset),
    run: (time_s: number) => bareOffsets(sites.large.db, sites.large.i_wholesaler, time_s),
  };
  const deep = await chainTasks(ground, sites.large, call);
  return [...grown, long[0], bare, ...long.slice(1), ...deep].filter((task) => task !== undefined);
}

/** Skips as many by an index alone, in the same database, without any server between. */
async function bareOffsets(db: Client, i_wholesaler: number, seconds: number): Promise<Load> {
  const text = `SELECT i_customer FROM customers WHERE i_wholesaler = $1 AND deleted_at IS NULL
    ORDER BY i_customer OFFSET ${farOffset} LIMIT ${listLimit}`;
  const latencies_ms: number[] = [];
  const until = performance.now() + seconds * 1_000;
  while (performance.now() < until) {
    const began = performance.now();
    await db.query({ name: 'bare_offset', text, values: [i_wholesaler] });
    latencies_ms.push(performance.now() - began);
  }
  const sorted = latencies_ms.sort((a, b) => a - b);
  const median_ms = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  return {
    calls_per_s: 1_000 / median_ms,
    median_ms,
    p99_ms: Number.NaN,
    wrong: 0,
    firstWrong: '',
    stale: 0,
  };
}

/**
 * A chain one level deeper than the greatest depth, each customer the only one of the one above. Those of `depths`
 * ask for themselves, and change the one below.
 */
async function chainTasks(
  ground: Ground,
  site: Site,
  call: (runner: Runner, name: CallName, spread: number) => Task['run'],
): Promise<Task[]> {
  ground.tell('Making a chain of depth 64');
  const chain = [1];
  const loginAt = (depth: number): Login => ({ name: `chain-${depth}`, password: site.login.password });
  for (let depth = 1; depth <= Math.max(...depths) + 1; depth += 1) {
    const above = chain.at(-1) ?? 1;
    const members =
      depth === 1 ? { i_tariff: 1 } : { i_tariff: await tariffOf(site, above), i_wholesaler: above };
    chain.push(await makeMember({ treeline: site.treeline, login: site.root }, loginAt(depth), members));
  }
  return depths.flatMap((depth) => {
    const login = loginAt(depth);
    const about = (place: number, expected?: string): Runner => {
      const population = { ...site.population, first_i_customer: chain[place] ?? 0, count: 1 };
      const how = {
        form: 'xmlrpc',
        path: xmlrpcPath,
        login,
        ...(expected !== undefined && { expected }),
      } as const;
      return loadRunner(ground, { ...site, population }, site.treeline, how);
    };
    return [
      { key: keyOf('info', depth), run: call(about(depth, `>${login.name}<`), 'info', 1) },
      { key: keyOf('update', depth), run: call(about(depth + 1), 'update', 1) },
    ];
  });
}

async function tariffOf({ db }: Site, i_customer: number): Promise<number> {
  const { rows } = await db.query<{ i_tariff: number }>(
    `INSERT INTO tariffs (i_customer, name, currency) VALUES ($1, 'Chain', 'USD') RETURNING i_tariff`,
    [i_customer],
  );
  return rows[0]?.i_tariff ?? 0;
}
