/** The call about trusted hosts that only the command line has. */
import { defineMethod } from '../../core/call/method';
import { newTrustedHost } from './methods';
import { addAnyTrustedHost } from './trusted-hosts';

export const platformOperatorMethods = [
  defineMethod({
    ...newTrustedHost,
    name: 'addAnyTrustedHost',
    summary: 'Trusts an address or a range of any size: its calls need no password.',
    access: 'write',
    right: 'root',
    trusted: 'optional',
    faults: ['conflict'],
    run: addAnyTrustedHost,
  }),
];
