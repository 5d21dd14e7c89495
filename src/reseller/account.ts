/** Whether the credentials are right, and what the actor has. */
import { type Operation, defineOperation } from '../core/operation';
import { flag, money, struct, text } from '../core/schema';
import { balanceOf } from './balance';

export const accountOperations: readonly Operation[] = [
  defineOperation({
    verb: 'GET',
    path: '/authenticated',
    summary: 'Answers whether the headers are right.',
    access: 'read',
    right: 'none',
    result: struct({ authenticated: flag('true: anything else is an error.') }),
    faults: [],
    run: () => Promise.resolve({ authenticated: true }),
  }),
  defineOperation({
    verb: 'GET',
    path: '/account/balance',
    summary: "Answers the actor's balance.",
    access: 'read',
    right: 'none',
    result: struct({
      balance: money('What there is.'),
      credit_limit: money('By how much it may fall below zero.'),
      currency: text(3, 'ISO 4217.'),
    }),
    faults: [],
    run: (call) => balanceOf(call.db, call.actor.i_customer),
  }),
];
