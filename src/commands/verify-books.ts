/** `treeline verify-books`: every account, every payment, and the zero sum. */
import type { Command } from 'commander';
import { verifyBooks } from '../features/ledger/verify';
import { type Context, type Shell, inSession } from './shared/context';
import { Refusal } from './shared/exit-codes';
import type { Options } from './shared/options';
import { withExamples, withJson } from './shared/method-command';
import { jsonArray, visible } from './shared/output';
import { grouped, startProgress } from './shared/progress';
import { type Terminal, writeLine } from './shared/terminal';

/** What is wrong is told as it is found: a line each, or one array of all. */
async function verify({ store }: Context, { stdout, stderr }: Terminal, json: boolean): Promise<void> {
  const progress = startProgress(stderr, 'accounts and payments');
  const array = jsonArray(stdout);
  let found = 0;
  let checked = 0;
  for await (const verified of verifyBooks(store.db)) {
    ({ checked } = verified);
    progress.update(checked, checked / Math.max(verified.total, 1));
    if (verified.found.length > 0) progress.clear();
    if (json) await array.add(verified.found);
    else for (const { problem } of verified.found) await writeLine(stdout, visible(problem));
    found += verified.found.length;
  }
  progress.clear();
  if (json) await array.end();
  if (found > 0) throw new Refusal(`The books are wrong in ${grouped(found)} places`);
  if (!json)
    await writeLine(stdout, `The books are right: ${grouped(checked)} accounts and payments checked`);
}

export function addVerifyBooks(program: Command, shell: Shell): void {
  const command = withJson(program.command('verify-books')).description(
    'Checks that every balance is the sum of its entries, and that all entries sum to zero.',
  );
  withExamples(command, [
    'treeline verify-books',
    'treeline verify-books --json | jq ".[].i_customer"',
  ]).action((options: Options) =>
    inSession(shell, {}, (context) => verify(context, shell.terminal, options['json'] === true)),
  );
}
