/** What only root manages: routing groups, and the hosts whose calls are trusted. */
import { defineMethod } from '../../core/call/method';
import { id, list, nullable, ok, optional, struct, text } from '../../core/schema/schema';
import * as routingGroups from './routing-groups';
import * as trustedHosts from './trusted-hosts';

const groupName = text(64, 'The name; unique.', { format: 'name', digits: true });
const root = { right: 'root', trusted: 'required' } as const;
const done = struct({ result: ok });

export const newTrustedHost = {
  params: struct({
    address: text(64, 'An address or a CIDR range.', { format: 'address-range' }),
    description: optional(nullable(text(1024, 'What it is.'))),
  }),
  result: struct({ result: ok, i_trusted_host: id('The id of the new entry.') }),
} as const;

export const platformMethods = [
  defineMethod({
    ...root,
    access: 'write',
    name: 'createRoutingGroup',
    summary: 'Makes a routing group.',
    params: struct({ name: groupName }),
    result: struct({ result: ok, i_routing_group: id('The id of the new group.') }),
    faults: ['conflict'],
    run: routingGroups.createRoutingGroup,
  }),
  defineMethod({
    ...root,
    access: 'write',
    name: 'updateRoutingGroup',
    summary: 'Renames a routing group.',
    params: struct({ i_routing_group: id('The group.'), name: groupName }),
    result: done,
    faults: ['not_found', 'conflict'],
    run: routingGroups.updateRoutingGroup,
  }),
  defineMethod({
    ...root,
    access: 'write',
    name: 'deleteRoutingGroup',
    summary: 'Deletes a routing group that no customer has.',
    params: struct({ i_routing_group: id('The group.') }),
    result: done,
    faults: ['not_found', 'conflict'],
    run: routingGroups.deleteRoutingGroup,
  }),
  defineMethod({
    ...root,
    access: 'read',
    name: 'listRoutingGroups',
    summary: 'Lists the routing groups.',
    params: struct({}),
    result: struct({
      result: ok,
      routing_groups: list(
        struct({ i_routing_group: id('Its id.'), name: text(64, 'Its name.') }),
        'The groups.',
      ),
    }),
    faults: [],
    run: routingGroups.listRoutingGroups,
  }),
  defineMethod({
    ...root,
    access: 'write',
    name: 'addTrustedHost',
    summary: 'Trusts an address or a range: its calls need no password, within a second on every server.',
    ...newTrustedHost,
    faults: ['conflict'],
    run: trustedHosts.addTrustedHost,
  }),
  defineMethod({
    ...root,
    access: 'write',
    name: 'removeTrustedHost',
    summary: 'Trusts an address or a range no more, within a second on every server.',
    params: struct({ i_trusted_host: id('The entry.') }),
    result: done,
    faults: ['not_found'],
    run: trustedHosts.removeTrustedHost,
  }),
  defineMethod({
    ...root,
    access: 'read',
    name: 'listTrustedHosts',
    summary: 'Lists the trusted addresses of the table; those of the setting TRUSTED_HOSTS come on top.',
    params: struct({}),
    result: struct({
      result: ok,
      trusted_hosts: list(
        struct({
          i_trusted_host: id('Its id.'),
          address: text(64, 'An address or a range.'),
          description: nullable(text(1024, 'What it is.')),
        }),
        'The entries.',
      ),
    }),
    faults: [],
    run: trustedHosts.listTrustedHosts,
  }),
];
