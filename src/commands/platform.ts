/** `treeline routing-groups` and `treeline trusted-hosts`: what only root manages. */
import type { Command } from 'commander';
import { asRanges } from '../base/config';
import { notFound } from '../base/faults';
import { type Context, type Shell, call } from './shared/context';
import { type MethodCommand, addMethodCommand } from './shared/method-command';
import { argument } from './tariffs';

const routingGroups: readonly MethodCommand[] = [
  { usage: 'list', method: 'listRoutingGroups', examples: ['treeline routing-groups list'] },
  {
    usage: 'create <name>',
    method: 'createRoutingGroup',
    without: ['name'],
    arguments: argument('name'),
    done: 'Made',
    examples: ['treeline routing-groups create Premium'],
  },
  {
    usage: 'rename <i_routing_group> <name>',
    method: 'updateRoutingGroup',
    without: ['i_routing_group', 'name'],
    arguments: argument('i_routing_group', 'name'),
    done: 'Renamed',
    examples: ['treeline routing-groups rename 2 Economy'],
  },
  {
    usage: 'delete <i_routing_group>',
    method: 'deleteRoutingGroup',
    without: ['i_routing_group'],
    arguments: argument('i_routing_group'),
    done: 'Deleted',
    examples: ['treeline routing-groups delete 2'],
  },
];

const trustedHosts: readonly MethodCommand[] = [
  { usage: 'list', method: 'listTrustedHosts', examples: ['treeline trusted-hosts list --json'] },
  {
    usage: 'add <address>',
    method: 'addTrustedHost',
    without: ['address'],
    arguments: argument('address'),
    confirmation: {
      option: '--yes-everybody',
      description: 'Trusts a range wider than a /8 (IPv4) or a /32 (IPv6), too.',
      method: 'addAnyTrustedHost',
    },
    done: 'Trusted',
    examples: [
      'treeline trusted-hosts add 192.0.2.7 --description "the portal"',
      'treeline trusted-hosts add 10.1.0.0/16',
    ],
  },
  {
    usage: 'remove <address>',
    method: 'removeTrustedHost',
    without: ['i_trusted_host'],
    arguments: async (context, [address = '']) =>
      new Map([['i_trusted_host', await findTrustedHost(context, address)]]),
    done: 'Trusted no more',
    examples: ['treeline trusted-hosts remove 192.0.2.7', 'treeline trusted-hosts remove 3'],
  },
];

interface TrustedHost {
  readonly i_trusted_host: number;
  readonly address: string;
}

/** The id of an entry that is given by id or by address, however the address is written. */
async function findTrustedHost(context: Context, text: string): Promise<number> {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  const wanted = normal(text);
  const { trusted_hosts } = await call(context, 'listTrustedHosts', {});
  const found = (trusted_hosts as readonly TrustedHost[]).find(({ address }) => normal(address) === wanted);
  if (!found) throw notFound('Trusted host');
  return found.i_trusted_host;
}

/** What cannot be read as an address is none of the entries. */
function normal(text: string): string {
  try {
    return asRanges(text)
      .map(([network, bits]) => `${network.toNormalizedString()}/${bits}`)
      .join();
  } catch {
    return text;
  }
}

export function addPlatform(program: Command, shell: Shell): void {
  const groups = program.command('routing-groups').description('The routing groups.');
  for (const command of routingGroups) addMethodCommand(groups, shell, command);
  const hosts = program
    .command('trusted-hosts')
    .description('The hosts whose calls need no password; running servers see a change within a second.');
  for (const command of trustedHosts) addMethodCommand(hosts, shell, command);
}
