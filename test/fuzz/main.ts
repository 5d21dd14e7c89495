/** `npm run fuzz`: as many hostile inputs as you like. */
import { Command, Option } from 'commander';
import { onPostgres, progress, randomSeed, wholeFrom } from '../setup/long-run';
import type { Faces } from './inputs';
import { fuzz } from './run';

interface Options {
  readonly count: number;
  readonly seed: number;
  readonly first: number;
  readonly faces: Faces;
}

new Command('npm run fuzz --')
  .description(
    'Sends hostile inputs to a server of its own over real sockets. Ends with 1 where it crashes, hangs for a second, logs an error, grows, or answers anything but a well-formed result, fault or 4xx.',
  )
  .option('--count <number>', 'how many inputs', wholeFrom(1), 20_000)
  .option('--seed <number>', 'which inputs', wholeFrom(0), randomSeed())
  .option('--first <number>', 'the number of the first; with --count 1 a finding again', wholeFrom(0), 0)
  .addOption(new Option('--faces <which>', 'for which faces').choices(['all', 'rest']).default('all'))
  .action(({ count, seed, first, faces }: Options) =>
    onPostgres(async () => {
      console.log(`fuzz: ${count} inputs from ${first}, seed ${seed}`);
      const tell = progress(count, 'inputs');
      const report = await fuzz({ count, seed, first, faces, onProgress: tell });
      const lines = [...report.answers].sort(([a], [b]) => (a < b ? -1 : 1));
      for (const [key, times] of lines) console.log(`${String(times).padStart(9)} ${key}`);
      console.log(
        `slowest answer ${report.slowest_ms} ms, memory early ${report.early_mb} MB, late ${report.late_mb} MB`,
      );
      if (report.findings.length > 0) throw new Error(`Findings:\n${report.findings.join('\n\n')}`);
      console.log('No findings.');
    }),
  )
  .parse();
