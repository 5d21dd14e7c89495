/** The parts of a run, one after the other on the same ground, each told as it ends. */
import type { Ground } from './ground';
import { type Grown, measureGrowth, openGrowthSites } from './growth';
import { growthTable } from './growth-tables';
import { type Effort, type Round, firstWrong, measure, wrongBalances } from './measure';
import { crossCheck } from './outside';
import { openRunners } from './runners';
import { type Site, openSite } from './site';
import { absences, contestTable, count, detailTable } from './tables';

export const partNames = ['contests', 'growth', 'memory'] as const;
export type PartName = (typeof partNames)[number];

export interface Plan {
  readonly quick: boolean;
  readonly parts: readonly PartName[];
  readonly effort: Effort;
}

export interface ContestResults {
  readonly rounds: readonly Round[];
  readonly customers: number;
  readonly absences: readonly string[];
  readonly crossCheck: string;
}

export interface Results {
  readonly contests?: ContestResults;
  readonly growth?: Grown;
  /** What must not be; with any of them nothing is written. */
  readonly mistakes: readonly string[];
}

export async function runParts(ground: Ground, plan: Plan): Promise<Results> {
  const mistakes: string[] = [];
  const site = await openSite(ground, 'middle', plan.quick ? 10_000 : 100_000);
  const contests = plan.parts.includes('contests') ? await runContests(ground, plan, site) : undefined;
  const wrong = contests && firstWrong(contests.rounds);
  if (wrong !== undefined) mistakes.push(`Some answers were wrong; the first of them:\n${wrong}`);
  const unbalanced = await wrongBalances(site.db);
  if (unbalanced > 0) mistakes.push(`${unbalanced} balances are not the sums of their entries`);
  const growth = plan.parts.includes('growth') ? await runGrowth(ground, plan, site) : undefined;
  const wrongGrowth = growth?.loads.find((load) => load.wrong > 0);
  if (wrongGrowth) mistakes.push(`Some answers were wrong; the first of them:\n${wrongGrowth.firstWrong}`);
  return { ...(contests && { contests }), ...(growth && { growth }), mistakes };
}

async function runContests(ground: Ground, { effort }: Plan, site: Site): Promise<ContestResults> {
  const runners = await openRunners(ground, site);
  const absent = absences(runners);
  for (const line of absent) ground.tell(line);
  const rounds = await measure(runners, site.population.count, effort, ground.tell);
  const results = {
    rounds,
    customers: site.population.count,
    absences: absent,
    crossCheck: '',
  };
  console.log(`\n${contestTable(rounds)}\n\n${detailTable(rounds)}\n`);
  return results;
}

async function runGrowth(ground: Ground, { effort }: Plan, middle: Site): Promise<Grown> {
  const sites = await openGrowthSites(ground, middle);
  const grown = await measureGrowth(ground, sites, { rounds: effort.rounds, seconds: effort.seconds / 3 });
  console.log(`\n${growthTable(grown)}\n`);
  return grown;
}
