/** `npm run model`: as many histories as you like. A seed plays the same histories again. */
import { Command } from 'commander';
import { onPostgres, progress, randomSeed, wholeFrom } from '../setup/long-run';
import { runHistories } from './run';

interface Options {
  readonly histories: number;
  readonly concurrent?: number;
  readonly calls: number;
  readonly seed: number;
}

new Command('npm run model --')
  .description(
    'Plays random histories of calls against a real server and a reference model. Ends with 1, and with the shortest history that does it, where their answers differ.',
  )
  .option('--histories <number>', 'how many histories', wholeFrom(0), 100)
  .option('--concurrent <number>', 'how many bursts of 40 calls at once besides (a tenth)', wholeFrom(0))
  .option('--calls <number>', 'calls in a history', wholeFrom(1), 50)
  .option('--seed <number>', 'which histories', wholeFrom(0), randomSeed())
  .action(({ histories, concurrent = Math.ceil(histories / 10), calls, seed }: Options) =>
    onPostgres(async () => {
      console.log(`model: ${histories} histories of ${calls} calls, ${concurrent} bursts, seed ${seed}`);
      const tell = progress(histories + concurrent, 'histories');
      let answers: ReadonlyMap<string, number> = new Map();
      await runHistories({
        histories,
        concurrent,
        calls,
        seed,
        onHistory: (done, counted) => {
          answers = counted;
          tell(done);
        },
      });
      console.log(`All as the model says. Answers:\n${table(answers)}`);
    }),
  )
  .parse();

function table(answers: ReadonlyMap<string, number>): string {
  return [...answers]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, count]) => `${String(count).padStart(8)} ${key}`)
    .join('\n');
}
