/**
 * The measurements, in one command: `npm run bench`. It brings its own PostgreSQL and servers, and
 * writes what it finds into docs/benchmarks.md, unless it was in a hurry.
 */
import { execFileSync } from 'node:child_process';
import { loadavg } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import { onGround } from './ground';
import { type Plan, type PartName, partNames, runParts } from './parts';
import { projectRoot } from './processes';
import { benchmarksFile, writeDocument } from './report';

const help = `
What is measured, each an option of its own; without any of them all of it:

  --contests  calls a second beside those of the peers, in rounds
  --growth    1,000 customers, 100,000 and 1,000,000; the depth of the tree
  --memory    what a server keeps when idle, after a million calls, while it lists and imports

Exit code 1: an answer was wrong, or a balance was not the sum of its entries.
`;

interface Options {
  readonly quick?: true;
  readonly rounds?: number;
  readonly seconds?: number;
  readonly calls?: number;
  readonly contests?: true;
  readonly growth?: true;
  readonly memory?: true;
}

const command = new Command('npm run bench --')
  .description('Measures Treeline beside its peers, in a growing tree, and in memory.')
  .option(
    '--quick',
    `two minutes: fewer customers, fewer rounds, no growth; ${benchmarksFile} stays as it is`,
  )
  .option('--rounds <number>', 'how often each measurement is taken (5)', positive)
  .option('--seconds <number>', 'how long each one takes (3)', positive)
  .option(
    '--calls <number>',
    'after how many memory is read again (1,000,000); an import has a tenth as many rows',
    positive,
  )
  .option('--contests', 'only the calls beside those of the peers')
  .option('--growth', 'only the growing tree')
  .option('--memory', 'only the memory')
  .addHelpText('after', help);

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('It must be a number above 0.');
  return value;
}

const tell = (line: string): void => {
  console.log(`${new Date().toTimeString().slice(0, 8)} ${line}`);
};

function planOf(options: Options): Plan {
  const quick = options.quick === true;
  const chosen = partNames.filter((name) => options[name]);
  const usual: readonly PartName[] = quick ? ['contests', 'memory'] : partNames;
  return {
    quick,
    parts: chosen.length > 0 ? chosen : usual,
    calls: options.calls ?? (quick ? 20_000 : 1_000_000),
    effort: {
      rounds: Math.ceil(options.rounds ?? (quick ? 2 : 5)),
      seconds: options.seconds ?? (quick ? 0.5 : 3),
      connections: 32,
    },
  };
}

async function main(options: Options): Promise<void> {
  const plan = planOf(options);
  const [load_average = 0] = loadavg();
  const began = performance.now();
  tell('Building Treeline');
  execFileSync('npm', ['run', '-s', 'build'], { cwd: projectRoot, stdio: 'inherit' });
  await onGround(tell, async (ground) => {
    const results = await runParts(ground, plan);
    for (const mistake of results.mistakes) console.error(mistake);
    if (results.mistakes.length > 0) process.exitCode = 1;
    else if (!plan.quick && plan.parts.length === partNames.length) {
      const minutes = (performance.now() - began) / 60_000;
      const { postgres_version } = ground;
      const circumstances = {
        effort: plan.effort,
        postgres_version,
        load_average,
        minutes,
        command: written(),
      };
      for (const file of writeDocument(results, circumstances)) tell(`Written: ${file}`);
    }
  });
}

/** The command as it was given. */
const written = (): string =>
  ['npm run bench', ...(process.argv.length > 2 ? ['--'] : []), ...process.argv.slice(2)].join(' ');

command.action(main);
command.parseAsync().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
