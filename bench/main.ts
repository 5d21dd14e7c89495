/**
 * The measurements, in one command: `npm run bench`. It brings its own PostgreSQL and servers, and
 * writes what it finds into docs/benchmarks.md, unless it was in a hurry.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { type Effort, measure, wrongBalances } from './measure';
import { projectRoot } from './processes';
import { detailTable, document, firstWrong, resultTable } from './report';
import { type Stage, onStage } from './stage';

const connections = 32;
const file = join('docs', 'benchmarks.md');

interface Options {
  readonly quick?: true;
  readonly rounds?: number;
  readonly seconds?: number;
}

const command = new Command('npm run bench --')
  .description('Measures Treeline against the least that a Node server on PostgreSQL can do.')
  .option('--quick', `10,000 customers and 3 rounds of 1.5 s, within two minutes; ${file} stays as it is`)
  .option('--rounds <number>', 'how often each measurement is taken (5)', positive)
  .option('--seconds <number>', 'how long each one takes (5)', positive);

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('It must be a number above 0.');
  return value;
}

const tell = (line: string): void => {
  console.log(`${new Date().toTimeString().slice(0, 8)} ${line}`);
};

async function main(options: Options): Promise<void> {
  const quick = options.quick === true;
  const effort = {
    rounds: Math.ceil(options.rounds ?? (quick ? 3 : 5)),
    seconds: options.seconds ?? (quick ? 1.5 : 5),
    connections,
  };
  const [load_average = 0] = loadavg();
  const customers = quick ? 10_000 : 100_000;
  tell('Building Treeline');
  execFileSync('npm', ['run', '-s', 'build'], { cwd: projectRoot, stdio: 'inherit' });
  await onStage({ customers, tell }, (stage) => run(stage, effort, load_average, !quick));
}

async function run(stage: Stage, effort: Effort, load_average: number, write: boolean): Promise<void> {
  const rounds = await measure(stage, effort, tell);
  console.log(`\n${resultTable(rounds)}\n\n${detailTable(rounds)}\n`);

  const wrong = firstWrong(rounds);
  const unbalanced = await wrongBalances(stage);
  if (wrong !== undefined) console.error(`Some answers were wrong; the first of them:\n${wrong}`);
  if (unbalanced > 0) console.error(`${unbalanced} balances are not the sums of their entries`);
  if (wrong !== undefined || unbalanced > 0) process.exitCode = 1;
  else if (write) {
    const { postgres_version, population } = stage;
    const circumstances = { effort, customers: population.count, postgres_version, load_average };
    writeFileSync(join(projectRoot, file), document(rounds, { ...circumstances, command: written() }));
    tell(`Written: ${file}`);
  }
}

/** The command as it was given. */
const written = (): string =>
  ['npm run bench', ...process.argv.slice(2)].join(process.argv.length > 2 ? ' -- ' : '');

command.action(main);
command.parseAsync().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
