/** `treeline rotate-key`: the step between two SECRET_KEYs, while servers run. */
import type { Command } from 'commander';
import { type Shell, call, inSession } from './shared/context';
import { withExamples } from './shared/method-command';
import { writeLine } from './shared/terminal';

const steps = `
1. Start every server again, one after the other, with the new key in SECRET_KEY and the old one in
   SECRET_KEY_PREVIOUS: it reads what either sealed. API passwords that are set before the last one
   has started may fail at those that still know the old key alone.
2. Run this, with the same two keys. It may be run again.
3. Start every server again without SECRET_KEY_PREVIOUS. One-time passwords and tokens from before step 1
   end here, and an idempotency_key from before it answers fault 409. For an embedded database write the new key into DATA_DIR/secret.key, or keep SECRET_KEY.
A backup needs the key of its day.
`;

export function addRotateKey(program: Command, shell: Shell): void {
  const command = program
    .command('rotate-key')
    .description('Seals all stored credentials with a new SECRET_KEY, all or none, also while servers run.')
    .addHelpText('after', steps);
  withExamples(command, [
    'SECRET_KEY="$(cat new.key)" SECRET_KEY_PREVIOUS="$(cat data/secret.key)" treeline rotate-key',
  ]).action(() =>
    inSession(shell, {}, async (context) => {
      const { resealed } = await call(context, 'rotateKey', {});
      await writeLine(
        shell.terminal.stdout,
        `Sealed with the new SECRET_KEY: ${String(resealed)} credentials`,
      );
    }),
  );
}
