/** One scenario on a server, beside a victim. */
import { brokenBooks } from '../setup/books';
import type { Attacker } from './attacker';
import { type Result, missedGoals, spreadOf } from './measure';
import type { AnyScenario } from './scenario';
import { type Stage, watch } from './stage';
import type { Victim } from './victim';

/** What an attack is made with. */
export interface Effort {
  readonly attacker: Attacker;
  /** Where the attacker calls from, unless the scenario says otherwise. */
  readonly address: string;
  readonly seconds: number;
  /** 1; less for the suite. */
  readonly scale: number;
}

export async function runScenario(
  stage: Stage,
  victim: Victim,
  scenario: AnyScenario,
  effort: Effort,
): Promise<Result> {
  const data = await scenario.prepare(stage, effort.scale);
  await victim.warmUp();
  const beside = await scenario.beside?.(stage, victim);
  const seconds = Math.max(effort.seconds, (scenario.least_s ?? 0) * Math.min(1, effort.scale * 2));
  await effort.attacker.ready();
  const watching = watch(stage);
  const business = victim.begin();
  const attacked = effort.attacker.attack({
    scenario: scenario.name,
    url: stage.url,
    address: scenario.address ?? effort.address,
    seconds,
    scale: effort.scale,
    data,
  });
  // Also after an attack that failed: timers that go on would keep the process alive.
  await attacked.catch(() => undefined);
  const { times_ms, failed_calls, failures } = await business.finish();
  const { memory_mb, live_ms } = await watching.finish();
  const besideIt = (await beside?.finish()) ?? [];
  const { tally, achieved } = await attacked;
  const wrong = [
    ...achieved,
    ...besideIt,
    ...(stage.isRunning()
      ? await wrongAfterwards(stage, scenario, victim, data, tally)
      : [await stage.ended]),
  ];
  const measured = {
    victim: {
      reads: spreadOf(times_ms.reads),
      payments: spreadOf(times_ms.payments),
      logins: spreadOf(times_ms.logins),
    },
    memory_mb,
    live: spreadOf(live_ms),
  };
  const missed = missedGoals(measured);
  return {
    name: scenario.name,
    attack_is: scenario.attack_is,
    seconds,
    ...measured,
    failed_calls,
    failures,
    tally,
    wrong,
    missed,
    passed: wrong.length === 0 && missed.length === 0 && failed_calls === 0,
  };
}

/** What the database shows when the attack is over. */
async function wrongAfterwards(
  stage: Stage,
  scenario: AnyScenario,
  victim: Victim,
  data: unknown,
  tally: Result['tally'],
): Promise<string[]> {
  const books = scenario.books === 'skipped' ? {} : await brokenBooks(stage);
  return [
    ...Object.entries(books).map(
      ([sentence, rows]) => `The books are wrong: not ${sentence} (${rows.length})`,
    ),
    ...(await victim.verify()),
    ...((await scenario.verify?.(stage, data, tally)) ?? []),
  ];
}
