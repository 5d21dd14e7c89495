/** `npm run abuse`: every attack beside a victim, and whether the victim noticed. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { onPostgres, wholeFrom } from '../setup/long-run';
import { killPrograms, projectRoot } from '../setup/processes';
import type { Result } from './measure';
import { terminalTable, wordsOf, writeFigures } from './report';
import { type Effort, runScenario } from './run';
import { openAttacker } from './attacker';
import type { AnyScenario } from './scenario';
import { scenarioByName, scenarios } from './scenarios';
import { openStage } from './stage';
import { makeVictim } from './victim';

interface Options {
  readonly seconds?: number;
  readonly only?: readonly string[];
  readonly quick?: true;
  readonly list?: true;
  readonly json?: string;
  readonly writeDocs?: 'before' | 'after' | true;
}

const attackerAddress = '127.0.0.2';
const document = join(projectRoot, 'docs', 'reliability.md');

const help = `
Exit code 1: a goal was missed, the attacker achieved something, or a call of the victim failed.
Everything happens on loopback, on a PostgreSQL and on servers that end with the run.
`;

const command = new Command('npm run abuse --')
  .description(
    'Attacks a server with the least login, beside a victim that reads, pays and logs in, and holds the times of the victim against the goals.',
  )
  .option('--seconds <number>', 'how long each attack takes (30)', wholeFrom(1))
  .option('--only <name...>', 'these attacks only')
  .option('--quick', '5 seconds each')
  .option('--list', 'lists the attacks and ends')
  .option('--json <file>', 'writes the results into a file')
  .addOption(
    new Option('--write-docs [column]', 'writes the figures into docs/reliability.md').choices([
      'before',
      'after',
    ]),
  )
  .addHelpText('after', help);

async function main({ seconds, only, quick, list, json, writeDocs }: Options): Promise<void> {
  if (list) {
    for (const { name, attack_is } of scenarios) console.log(`${name.padEnd(22)}${attack_is}`);
    return;
  }
  const chosen = only ? only.map(scenarioByName) : scenarios;
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    // What was started is ended first; a second signal does not wait.
    process.once(signal, () => {
      stop.abort();
      process.once(signal, () => process.exit(1));
    });
  }
  console.log('Building Treeline');
  execFileSync('npm', ['run', '-s', 'build'], { cwd: projectRoot, stdio: 'inherit' });
  const results: Result[] = [];
  await onPostgres(async () => {
    try {
      await runAll(chosen, seconds ?? (quick ? 5 : 30), stop.signal, results);
    } finally {
      killPrograms();
    }
  });
  if (results.length === 0) return;
  console.log(terminalTable(results));
  const failed = results.filter(({ passed }) => !passed).length;
  console.log(failed === 0 ? 'Every goal was met.' : `${failed} of ${results.length} attacks missed a goal.`);
  if (failed > 0) process.exitCode = 1;
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(results, null, 2)}\n`);
  if (writeDocs !== undefined) {
    const column = writeDocs === true ? 'after' : writeDocs;
    writeFileSync(document, writeFigures(readFileSync(document, 'utf8'), column, results));
    console.log(`Written: ${document}`);
  }
}

async function runAll(
  chosen: readonly AnyScenario[],
  seconds: number,
  signal: AbortSignal,
  results: Result[],
): Promise<void> {
  const attacker = openAttacker();
  const effort = { attacker, address: attackerAddress, seconds, scale: 1 };
  try {
    for (const [index, scenario] of chosen.entries()) {
      console.log(`${index + 1} of ${chosen.length} ${scenario.name}: ${scenario.attack_is}`);
      const result = await runOne(scenario, effort, signal);
      results.push(result);
      console.log(`  ${result.passed ? 'passed' : 'FAILED'}`);
      console.log(wordsOf(result));
    }
  } finally {
    attacker.kill();
  }
}

/** A scenario on a server and a database of its own. */
async function runOne(scenario: AnyScenario, effort: Effort, signal: AbortSignal): Promise<Result> {
  const stage = await openStage(scenario.settings ?? {}, 'built');
  try {
    const run = async (): Promise<Result> => {
      const victim = await makeVictim(stage);
      return runScenario(stage, victim, scenario, effort).finally(victim.close);
    };
    return await Promise.race([run(), broken(signal)]);
  } finally {
    await stage.close();
  }
}

/** Never resolves; rejects when the run is broken off. */
const broken = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    const end = (): void => {
      reject(new Error('The run was broken off'));
    };
    if (signal.aborted) end();
    signal.addEventListener('abort', end, { once: true });
  });

command.action(main);
command
  .parseAsync()
  .catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  })
  // A run that was broken off may have left timers and connections.
  .finally(() => process.exit());
