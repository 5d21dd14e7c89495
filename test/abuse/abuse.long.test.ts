/**
 * Every attack of `npm run abuse` for a second and on a small scale. Times of a shared machine prove nothing, so only
 * what does not depend on them is asserted: no call of the victim fails, all its kinds of calls are served, the attack
 * achieves nothing, the books are right, and the memory stays bounded. `npm run abuse` asserts the times.
 */
import { killPrograms } from '../setup/processes';
import { openAttacker } from './attacker';
import { goals, kinds } from './measure';
import { type Effort, runScenario } from './run';
import type { AnyScenario } from './scenario';
import { scenarios } from './scenarios';
import { type Stage, openStage } from './stage';
import { type Victim, makeVictim } from './victim';

/** Compiled on the way, the server starts larger than it does from dist. */
const compiler_mb = 150;
/** Only a call that hangs takes so long. */
const hangs_ms = 20_000;

const attacker = openAttacker();
const stages: { readonly stage: Stage; readonly victim: Victim }[] = [];

async function open(settings: Readonly<Record<string, string>>) {
  const stage = await openStage(settings, 'source');
  const opened = { stage, victim: await makeVictim(stage) };
  stages.push(opened);
  return opened;
}

/** Each attack comes from an address of its own, or the failures of one would be those of the next. */
const effortOf = (scenario: AnyScenario): Effort => ({
  attacker,
  address: `127.0.1.${scenarios.indexOf(scenario) + 1}`,
  seconds: 1,
  scale: 0.1,
});

afterAll(async () => {
  attacker.kill();
  for (const { stage, victim } of stages) {
    victim.close();
    await stage.close();
  }
  killPrograms();
}, 60_000);

async function withstands(stage: Stage, victim: Victim, scenario: AnyScenario): Promise<void> {
  const result = await runScenario(stage, victim, scenario, effortOf(scenario));
  expect({ wrong: result.wrong, failed: result.failures }).toEqual({ wrong: [], failed: [] });
  // An attack that nobody answered and an idle victim would prove nothing.
  expect(Object.keys(result.tally)).not.toEqual([]);
  for (const kind of kinds) {
    expect(result.victim[kind].calls).toBeGreaterThan(0);
    expect(result.victim[kind].max_ms).toBeLessThan(hangs_ms);
  }
  expect(result.memory_mb).toBeLessThan(goals.memory_mb + compiler_mb);
}

// Rows that only look like payments must not be in the books of the others.
const alone = scenarios.filter(({ books }) => books === 'skipped');
const together = scenarios.filter(({ books }) => books !== 'skipped');

describe('a victim notices nothing of', () => {
  let opened: Awaited<ReturnType<typeof open>>;
  beforeAll(async () => {
    opened = await open(Object.assign({}, ...together.map(({ settings }) => settings ?? {})));
  }, 90_000);

  test.each(together.map((scenario) => [scenario.name, scenario] as const))(
    '%s',
    (_name, scenario) => withstands(opened.stage, opened.victim, scenario),
    90_000,
  );
});

test.each(alone.map((scenario) => [scenario.name, scenario] as const))(
  'a victim notices nothing of %s',
  async (_name, scenario) => {
    const { stage, victim } = await open(scenario.settings ?? {});
    await withstands(stage, victim, scenario);
  },
  120_000,
);
