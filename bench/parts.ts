/** The parts of a run, one after the other on the same ground, each told as it ends. */
import type { Ground } from './ground';
import { type Grown, type GrowthSites, measureGrowth, openGrowthSites } from './growth';
import { growthTable } from './growth-tables';
import { importFile } from './import';
import { type Effort, type Round, firstWrong, measure, wrongBalances } from './measure';
import { measureMemory } from './memory';
import { type Kept, memoryTable } from './memory-tables';
import { crossCheck } from './outside';
import { type Everybody, openRunners } from './runners';
import { type Site, openSite } from './site';
import { absences, contestTable, count, detailTable } from './tables';

export const partNames = ['contests', 'growth', 'memory'] as const;
export type PartName = (typeof partNames)[number];

export interface Plan {
  readonly quick: boolean;
  readonly parts: readonly PartName[];
  readonly effort: Effort;
  /** After how many memory is read again; imports have a tenth as many rows. */
  readonly calls: number;
}

export interface ContestResults {
  readonly rounds: readonly Round[];
  readonly customers: number;
  /** Who could not take part, and why. */
  readonly absent: readonly string[];
  /** How our own load and another one count the same peer; empty in a hurry. */
  readonly crossChecked: string;
}

export interface Results {
  readonly contests?: ContestResults;
  readonly growth?: Grown;
  readonly memory?: Kept;
  /** What must not be; with any of them nothing is written. */
  readonly mistakes: readonly string[];
}

export async function runParts(ground: Ground, plan: Plan): Promise<Results> {
  const has = (name: PartName): boolean => plan.parts.includes(name);
  const site = await openSite(ground, 'middle', plan.quick ? 10_000 : 100_000);
  const contests = has('contests') ? await runContests(ground, plan, site) : undefined;
  const needsTree = has('growth') || (has('memory') && !plan.quick);
  const sites = needsTree ? await openGrowthSites(ground, site) : undefined;
  const growth = sites && has('growth') ? await runGrowth(ground, plan, sites) : undefined;
  const memory = has('memory') ? await runMemory(ground, plan, sites?.large ?? site, site) : undefined;
  const unbalanced = await wrongBalances(site.db);
  const wrong = [
    contests && firstWrong(contests.rounds),
    growth?.loads.find((load) => load.wrong > 0)?.firstWrong,
    memory?.memory.wrong,
  ];
  const mistakes = wrong.flatMap((text) =>
    text ? [`Some answers were wrong; the first of them:\n${text}`] : [],
  );
  if (unbalanced > 0) mistakes.push(`${unbalanced} balances are not the sums of their entries`);
  return { ...(contests && { contests }), ...(growth && { growth }), ...(memory && { memory }), mistakes };
}

async function runContests(ground: Ground, { effort, quick }: Plan, site: Site): Promise<ContestResults> {
  const everybody = await openRunners(ground, site);
  const { runners } = everybody;
  const absent = absences(runners);
  for (const line of absent) ground.tell(line);
  const customers = site.population.count;
  const rounds = await measure(runners, customers, effort, ground.tell);
  const crossChecked = quick ? '' : await crossChecks(everybody, site, effort);
  if (crossChecked !== '') ground.tell(crossChecked);
  console.log(`\n${contestTable(rounds)}\n\n${detailTable(rounds)}\n`);
  return { rounds, customers, absent, crossChecked };
}

/** The bare peer's SELECT, asked by our load and by one that everybody knows. */
async function crossChecks(
  { runners, plain }: Everybody,
  { population }: Site,
  effort: Effort,
): Promise<string> {
  const { first_i_customer: id } = population;
  const runner = runners.plain;
  if (typeof runner !== 'function') return '';
  const { connections } = effort;
  // wrk takes whole seconds.
  const seconds = Math.max(1, Math.round(effort.seconds));
  const own = await runner({ call: 'info', spread: 1, seconds, connections, foreseen: seconds * 10_000 });
  const other = await crossCheck(`http://127.0.0.1:${plain.port}/info/${id}`, connections, seconds);
  return `${other.tool} makes ${count(other.calls_per_s)} calls a second with it, and this load ${count(own.calls_per_s)}`;
}

async function runGrowth(ground: Ground, { effort }: Plan, sites: GrowthSites): Promise<Grown> {
  const grown = await measureGrowth(ground, sites, { rounds: effort.rounds, seconds: effort.seconds / 3 });
  console.log(`\n${growthTable(grown)}\n`);
  return grown;
}

async function runMemory(ground: Ground, { calls }: Plan, large: Site, middle: Site): Promise<Kept> {
  const kept = {
    memory: await measureMemory(ground, large, calls),
    imported: await importFile(ground, middle, Math.ceil(calls / 10), 'without passwords'),
    importedWithPasswords: await importFile(ground, middle, Math.ceil(calls / 200), 'with passwords'),
  };
  console.log(`\n${memoryTable(kept)}\n`);
  return kept;
}
