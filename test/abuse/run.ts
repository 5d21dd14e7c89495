/** One scenario after the other, each on a server and a database of its own. */
import { brokenBooks } from '../setup/books';
import { startAttacker } from './attacker';
import { type Result, missedGoals, spreadOf } from './measure';
import type { AnyScenario } from './scenario';
import { type Build, type Stage, openStage, watch } from './stage';
import { type Victim, makeVictim, victimAddress } from './victim';

export interface Effort {
  readonly seconds: number;
  /** 1; less for the suite. */
  readonly scale: number;
  readonly build: Build;
  /** Breaks the run off. */
  readonly signal?: AbortSignal;
}

const attackerAddress = '127.0.0.2';

export async function runScenario(scenario: AnyScenario, effort: Effort): Promise<Result> {
  const stage = await openStage(scenario.settings ?? {}, effort.build);
  try {
    return await Promise.race([attackStage(stage, scenario, effort), broken(effort.signal)]);
  } finally {
    await stage.close();
  }
}

/** Never resolves; rejects when the run is broken off. */
const broken = (signal?: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    const end = (): void => {
      reject(new Error('The run was broken off'));
    };
    if (signal?.aborted) end();
    signal?.addEventListener('abort', end, { once: true });
  });

async function attackStage(stage: Stage, scenario: AnyScenario, effort: Effort): Promise<Result> {
  const victim = await makeVictim(stage);
  const data = await scenario.prepare(stage, effort.scale);
  await victim.warmUp();
  const beside = await scenario.beside?.(stage, victim);
  const seconds = Math.max(effort.seconds, scenario.least_s ?? 0);
  const watching = watch(stage);
  victim.begin();
  const attacker = startAttacker({
    scenario: scenario.name,
    url: stage.url,
    address: scenario.same_address ? victimAddress : attackerAddress,
    seconds,
    scale: effort.scale,
    data,
  });
  effort.signal?.addEventListener('abort', attacker.kill, { once: true });
  const { tally, achieved } = await attacker.done.finally(attacker.kill);
  const suffered = await victim.finish();
  const { memory_mb, live_ms } = await watching.finish();
  const besideIt = (await beside?.finish()) ?? [];
  const wrong = [
    ...achieved,
    ...besideIt,
    ...(stage.isRunning()
      ? await wrongAfterwards(stage, scenario, victim, data, tally)
      : [await stage.ended]),
  ];
  const { reads, payments, logins } = suffered.times_ms;
  const measured = {
    victim: { reads: spreadOf(reads), payments: spreadOf(payments), logins: spreadOf(logins) },
    memory_mb,
    live: spreadOf(live_ms),
  };
  const missed = missedGoals(measured);
  const { failed_calls, failures } = suffered;
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
