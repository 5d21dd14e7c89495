/** `npm run crash`: as many rounds as you like. */
import { Command } from 'commander';
import { killPrograms } from '../setup/processes';
import { wholeFrom } from '../setup/long-run';
import { crash } from './run';

new Command('npm run crash --')
  .description(
    'Lets 8 clients write, kills the server, its database or both by SIGKILL, and checks after each restart that every acknowledged write is there, every other one whole or absent, and the books exact.',
  )
  .option('--rounds <number>', 'how often', wholeFrom(1), 5)
  .action(async ({ rounds }: { rounds: number }) => {
    let [acknowledged, slowest_ms] = [0, 0];
    try {
      await crash(rounds, (round, done) => {
        acknowledged += round.acknowledged;
        slowest_ms = Math.max(slowest_ms, round.back_ms);
        const { killed, unknown, back_ms } = round;
        console.log(
          `${done} of ${rounds}: killed ${killed}; ${round.acknowledged} acknowledged, ${unknown} unknown; back after ${back_ms} ms`,
        );
      });
      console.log(`Nothing lost of ${acknowledged} acknowledged writes; slowest return ${slowest_ms} ms.`);
    } catch (error) {
      console.error(error instanceof Error ? error.message : error);
      process.exitCode = 1;
    } finally {
      killPrograms();
    }
  })
  .parse();
