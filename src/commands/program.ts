/** START HERE for the command line: what commands there are, and what their ends mean. */
import { Command, CommanderError } from 'commander';
import { type Shell, inSession } from './shared/context';
import { addCustomers } from './customers';
import { addDoctor } from './doctor';
import { addErase } from './erase';
import { exportEverything } from './transfer/export-everything';
import { exitCodeOf, sentenceOf } from './shared/exit-codes';
import { importEverything } from './transfer/import-everything';
import { withExamples } from './shared/method-command';
import { addPasswords } from './shared/passwords';
import { addPlatform } from './platform';
import { addPrices } from './prices';
import { addRecover } from './recover';
import { addRotateKey } from './rotate-key';
import { addServer } from './server';
import { addTariffs } from './tariffs';
import { addVerifyBooks } from './verify-books';

const help = `
Commands work on the database of DATABASE_URL, or on the embedded one in DATA_DIR, also while a
server runs on it. They act as root, or with --as as another customer, by the rules of the API.

Exit codes: 0 done, 1 refused or something is wrong, 2 not given as it must be.
`;

const examples = [
  'treeline serve',
  'treeline customers create --name "Blue Fjord" --i-tariff 1',
  'treeline customers import customers.csv',
  'treeline doctor',
];

/** Runs one command line; answers the exit code. */
export async function runCommand(words: readonly string[], shell: Shell): Promise<number> {
  try {
    await createProgram(shell).parseAsync([...words], { from: 'user' });
    return 0;
  } catch (error) {
    // Commander has said what it had to say.
    if (!(error instanceof CommanderError)) shell.terminal.stderr.write(`treeline: ${sentenceOf(error)}\n`);
    return exitCodeOf(error);
  }
}

function createProgram(shell: Shell): Command {
  const { stdout, stderr } = shell.terminal;
  // Commands inherit this from the program they are added to.
  const program = new Command('treeline')
    .description('The command line of Treeline, the customer server.')
    .version(shell.version)
    .exitOverride()
    .showHelpAfterError('(--help tells more)')
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      getOutHelpWidth: () => stdout.columns ?? 100,
      getErrHelpWidth: () => stderr.columns ?? 100,
      outputError: (text, write) => {
        write(text.replace(/^error: /, 'treeline: '));
      },
    })
    .addHelpText('after', help);
  withExamples(program, examples);
  addServer(program, shell);
  addCustomers(program, shell);
  addTariffs(program, shell);
  addPrices(program, shell);
  addPlatform(program, shell);
  addPasswords(program, shell);
  addRecover(program, shell);
  addRotateKey(program, shell);
  addErase(program, shell);
  addVerifyBooks(program, shell);
  addEverything(program, shell);
  addDoctor(program, shell);
  return program;
}

const exportHelp = `
One stream of lines, of one moment, also while the server runs. It holds hashes of passwords and
sealed credentials: keep it like a backup, readable by nobody else. It can be read again only where
SECRET_KEY is the same; that of an embedded database is in DATA_DIR/secret.key.
`;

const importHelp = `
Fills an empty database with what treeline export wrote, all of it or nothing. SECRET_KEY must be
that of the exported database; both sides must be of one version of Treeline.
`;

function addEverything(program: Command, shell: Shell): void {
  const exporting = program
    .command('export')
    .description('Writes everything there is to stdout.')
    .addHelpText('after', exportHelp);
  withExamples(exporting, ['(umask 077; treeline export > treeline.export)']).action(() =>
    inSession(shell, {}, (context) => exportEverything(context, shell.terminal)),
  );
  const importing = program
    .command('import')
    .description('Fills an empty database from stdin with what export wrote.')
    .addHelpText('after', importHelp);
  withExamples(importing, [
    'treeline import < treeline.export',
    'DATA_DIR=./data treeline export | DATABASE_URL=postgresql:///treeline SECRET_KEY="$(cat data/secret.key)" treeline import',
  ]).action(() =>
    inSession(shell, { schema: 'migrate', key: 'leave' }, (context) =>
      importEverything(context, shell.terminal),
    ),
  );
}
