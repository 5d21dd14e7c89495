/** `treeline prices`. */
import type { Command } from 'commander';
import type { Shell } from './shared/context';
import { type MethodCommand, addMethodCommand } from './shared/method-command';
import { argument } from './tariffs';

const commands: readonly MethodCommand[] = [
  { usage: 'list', method: 'listPrices', examples: ['treeline prices list', 'treeline prices list --json'] },
  {
    usage: 'set <product> <amount>',
    method: 'setPrice',
    without: ['product', 'amount'],
    arguments: argument('product', 'amount'),
    done: 'Set',
    examples: [
      'treeline prices set number 1.50',
      'treeline prices set domain 9 --currency EUR',
      'treeline prices set number 2.50 --as "Blue Fjord"',
    ],
  },
  {
    usage: 'delete <product>',
    method: 'deletePrice',
    without: ['product'],
    arguments: argument('product'),
    done: 'Deleted',
    examples: ['treeline prices delete domain --currency EUR --as "Blue Fjord"'],
  },
];

export function addPrices(program: Command, shell: Shell): void {
  const group = program
    .command('prices')
    .description('What root, or the customer of --as, takes for numbers, SIP users and domains.');
  for (const command of commands) addMethodCommand(group, shell, command);
}
