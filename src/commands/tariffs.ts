/** `treeline tariffs`. */
import type { Command } from 'commander';
import type { Shell } from './shared/context';
import { type MethodCommand, addMethodCommand } from './shared/method-command';

/** The only argument is this parameter. */
export const argument =
  (...parameters: readonly string[]): NonNullable<MethodCommand['arguments']> =>
  (_context, words) =>
    Promise.resolve(new Map(words.map((word, index) => [parameters[index] ?? '', word])));

const commands: readonly MethodCommand[] = [
  {
    usage: 'list',
    method: 'listTariffs',
    examples: ['treeline tariffs list', 'treeline tariffs list --as "Blue Fjord" --json'],
  },
  {
    usage: 'show <i_tariff>',
    method: 'getTariffInfo',
    without: ['i_tariff'],
    arguments: argument('i_tariff'),
    examples: ['treeline tariffs show 1'],
  },
  {
    usage: 'create <name>',
    method: 'createTariff',
    without: ['name'],
    arguments: argument('name'),
    done: 'Made',
    examples: [
      'treeline tariffs create Gold --currency EUR',
      'treeline tariffs create Retail --currency USD --as "Blue Fjord"',
    ],
  },
  {
    usage: 'rename <i_tariff> <name>',
    method: 'updateTariff',
    without: ['i_tariff', 'name', 'currency'],
    arguments: argument('i_tariff', 'name'),
    done: 'Renamed',
    examples: ['treeline tariffs rename 2 Platinum'],
  },
  {
    usage: 'delete <i_tariff>',
    method: 'deleteTariff',
    without: ['i_tariff'],
    arguments: argument('i_tariff'),
    done: 'Deleted',
    examples: ['treeline tariffs delete 2'],
  },
];

export function addTariffs(program: Command, shell: Shell): void {
  const group = program.command('tariffs').description('The tariffs of root, or of the customer of --as.');
  for (const command of commands) addMethodCommand(group, shell, command);
}
