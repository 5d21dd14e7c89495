/** `treeline serve` and `treeline migrate`. */
import type { Command } from 'commander';
import { type Shell, inSession } from './shared/context';
import type { Options } from './shared/options';
import { withExamples, withJson } from './shared/method-command';
import { writeLine } from './shared/terminal';

export function addServer(program: Command, shell: Shell): void {
  withExamples(
    program.command('serve').description('Runs the server, as npm start does, until SIGTERM or SIGINT.'),
    ['treeline serve', 'PORT=9000 DATA_DIR=/var/lib/treeline treeline serve'],
  ).action(() => shell.serve());

  const migrate = withJson(program.command('migrate')).description(
    'Brings the database to the schema of this version; makes an embedded one where there is none.',
  );
  withExamples(migrate, [
    'treeline migrate',
    'DATABASE_URL=postgresql:///treeline SECRET_KEY=… treeline migrate',
  ]).action((options: Options) =>
    inSession(shell, { schema: 'migrate' }, ({ migrated, store }) => {
      const done = migrated.length > 0 ? `migrated (${migrated.join(', ')})` : 'up to date';
      const said = options['json'] === true ? JSON.stringify({ migrated }) : `${store.description}: ${done}`;
      return writeLine(shell.terminal.stdout, said);
    }),
  );
}
