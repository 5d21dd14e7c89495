/** `treeline customers`. */
import type { Command } from 'commander';
import type { Value } from '../core/schema/values';
import {
  type Context,
  type Shell,
  customerMember,
  findCustomer,
  inSession,
  methodNamed,
} from './shared/context';
import { delimiterNamed } from './shared/csv';
import { exportCustomers } from './transfer/export-customers';
import { importCustomers } from './transfer/import-customers';
import { type Options, membersOf, secretsGiven } from './shared/options';
import {
  type MethodCommand,
  addMethodCommand,
  sessionOf,
  withCommonOptions,
  withExamples,
} from './shared/method-command';
import { passwordsFrom } from './shared/passwords';
import { confirm } from './shared/terminal';

/** The customer that the only argument names. */
const target = async (context: Context, [text = '']: readonly string[]): Promise<Map<string, Value>> =>
  new Map([['i_customer', await findCustomer(context, text)]]);

const blocking = (verb: 'block' | 'unblock', method: string, done: string): MethodCommand => ({
  usage: `${verb} <customer>`,
  method,
  without: ['i_customer'],
  arguments: target,
  done,
  examples: [`treeline customers ${verb} "Blue Fjord"`],
});

const commands: readonly MethodCommand[] = [
  {
    usage: 'list',
    method: 'listCustomers',
    without: ['with_total'],
    examples: [
      'treeline customers list',
      'treeline customers list --as "Blue Fjord" --name-pattern "a%"',
      'treeline customers list --json | jq ".[].name"',
    ],
  },
  {
    usage: 'show <customer>',
    method: 'getCustomerInfo',
    without: ['i_customer', 'name'],
    arguments: (_context, [text = '']) => Promise.resolve(new Map(Object.entries(customerMember(text)))),
    examples: ['treeline customers show 5', 'treeline customers show "Blue Fjord" --json'],
  },
  blocking('block', 'blockCustomer', 'Blocked'),
  blocking('unblock', 'unblockCustomer', 'Unblocked'),
];

/** Those that take attributes or ask something. */
const changing = (shell: Shell): readonly MethodCommand[] => [
  {
    usage: 'create',
    method: 'createCustomer',
    hasAttributes: true,
    arguments: (_context, _words, options) => {
      const isGiven = secretsGiven(methodNamed(shell, 'createCustomer'), options).includes('web_password');
      return passwordsFrom(shell.terminal, options, isGiven ? [] : ['web_password']);
    },
    done: 'Created',
    examples: [
      'treeline customers create --name "Blue Fjord" --i-tariff 1 --balance 25.50',
      'echo "$PASSWORD" | treeline customers create --set name=shop --nil i_tariff --as "Blue Fjord" --web-password-stdin',
    ],
  },
  {
    usage: 'update <customer>',
    method: 'updateCustomer',
    without: ['i_customer'],
    hasAttributes: true,
    arguments: async (context, words, options) =>
      new Map([...(await target(context, words)), ...(await passwordsFrom(shell.terminal, options, []))]),
    done: 'Updated',
    examples: [
      'treeline customers update 5 --credit-limit 100 --set city=Bergen',
      'treeline customers update "Blue Fjord" --nil description',
    ],
  },
  {
    usage: 'delete <customer>',
    method: 'deleteCustomer',
    without: ['i_customer'],
    arguments: async (context, words, options) => {
      await confirm(shell.terminal, `Delete customer ${words[0] ?? ''}?`, options['yes'] === true);
      return target(context, words);
    },
    done: 'Deleted',
    examples: ['treeline customers delete "Blue Fjord"', 'treeline customers delete 5 --yes'],
  },
];

export function addCustomers(program: Command, shell: Shell): void {
  const group = program
    .command('customers')
    .description('Customers, each named by its id or by its name; name:123 is the one whose name is 123.');
  for (const command of commands) addMethodCommand(group, shell, command);
  for (const command of changing(shell)) {
    const added = addMethodCommand(group, shell, command);
    if (command.hasAttributes) {
      added
        .optionsGroup('Passwords:')
        .option('--web-password-stdin', 'Reads the web password from a line of stdin.')
        .option(
          '--api-password-stdin',
          'Reads the API password from a line of stdin, the next one if it is both.',
        );
    }
    if (command.method === 'deleteCustomer') added.option('--yes', 'Does not ask.');
  }
  addImport(group, shell);
  addExport(group, shell);
}

function addImport(group: Command, shell: Shell): void {
  const method = methodNamed(shell, 'createCustomer');
  const command = withCommonOptions(group.command('import <file>'))
    .description('Creates a customer for each row of a CSV file; - is stdin.')
    .option(
      '--delimiter <character>',
      'What stands between cells, such as ";" or tab; absent: as the header has it.',
    )
    .option(
      '--set <name=value>',
      'An attribute of rows that do not give it; may be repeated.',
      (value, before) => [...before, value],
      [] as string[],
    )
    .addHelpText('after', importHelp);
  withExamples(command, [
    'treeline customers import customers.csv',
    'treeline customers import shops.csv --as "Blue Fjord" --set i_tariff=4',
    'treeline customers import customers.csv --json > refused.json',
  ]).action(async (file: string, options: Options) => {
    const delimiter = delimiterNamed(options['delimiter'] as string | undefined);
    await inSession(shell, sessionOf(options), (context) =>
      importCustomers(context, shell.terminal, {
        file,
        delimiter,
        json: options['json'] === true,
        defaults: membersOf(method, options),
      }),
    );
  });
}

const importHelp = `
The first line names the columns: attributes of customers, and i_wholesaler, which says by id or
by name whom a row belongs to, if not to root or the customer of --as; it may be a customer of an
earlier row. An empty cell says nothing, \\N is nil. Without a web_password nobody can log in
until one is set.

The good rows are imported. Each refused one is told with its line, the header being line 1, and
the exit code is then 1; with --json the refused rows are one array.
`;

function addExport(group: Command, shell: Shell): void {
  const command = group
    .command('export')
    .description('Writes everybody below, at any depth, as CSV; passwords aside.')
    .option('--as <customer>', 'Everybody below this customer, by id or by name; absent: below root.');
  withExamples(command, ['treeline customers export > customers.csv']).action(async (options: Options) => {
    await inSession(shell, sessionOf(options), (context) => exportCustomers(context, shell.terminal));
  });
}
