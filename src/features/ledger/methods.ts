/** The calls that move money and read the books: the table of contents of this folder. */
import { defineMethod } from '../../core/call/method';
import {
  bigId,
  flag,
  id,
  integer,
  list,
  money,
  nullable,
  ok,
  oneOf,
  optional,
  streamed,
  struct,
  text,
  time,
} from '../../core/schema/schema';
import { paymentKinds } from './ledger';
import { loadFunds, loadReversal, loadTransfer, fundsOf, reversePayment, transferFunds } from './funds';
import { priceMethods } from './charging/prices';
import { getPaymentInfo, getPaymentsList, getStatement } from './ledger-queries';

const idempotency_key = optional(
  text(255, 'Any text: repeated with the same content, the call answers the first answer again.', {
    minLength: 1,
  }),
);

const fundsParams = struct({
  i_customer: id('The customer whose balance moves.'),
  amount: money('How much.', 'money-positive'),
  currency: text(3, "ISO 4217; must be the customer's base_currency.", { format: 'currency' }),
  payment_notes: optional(text(1024, 'Notes.')),
  payment_time: optional(time('When it happened; absent: now.')),
  idempotency_key,
});

const posted = struct({ result: ok, i_payment: bigId('The payment in the books.') });

const payment = struct({
  i_payment: bigId('Its id.'),
  i_customer: id('Whose account it is seen from.'),
  type: oneOf(['credit', 'debit'], 'credit: the balance rose; debit: it fell.'),
  kind: oneOf(paymentKinds, 'What it was.'),
  amount: money('By how much.'),
  currency: text(3, 'ISO 4217.'),
  payment_time: time('When it happened.'),
  payment_notes: nullable(text(1024, 'Notes.')),
  i_reversed: nullable(bigId('The payment that it takes back.')),
  reversed: flag('Whether another payment took it back.'),
});

const level = struct({
  i_customer: id('The customer above.'),
  amount: money('What its balance rose by; negative: fell by.'),
  prepaid: money('What the prepaid part of that rose by; negative: fell by.'),
});

const entry = struct({
  i_payment: bigId('Its payment.'),
  kind: oneOf(paymentKinds, 'What it was.'),
  amount: money('What the balance rose by; negative: fell by.'),
  prepaid: money('What the prepaid part of the balance rose by; negative: fell by.'),
  balance: money('The balance after it.'),
  booked_at: time('When it was booked.'),
  payment_notes: nullable(text(1024, 'Notes.')),
  levels: list(level, 'What the customers above paid for it, upwards: those that the actor may see.'),
});

const write = { trusted: 'required', right: 'customers_mgmt:edit' } as const;
const read = { trusted: 'required', right: 'none' } as const;

export const moneyMethods = [
  defineMethod({
    ...write,
    access: 'write',
    name: 'customerAddFunds',
    summary: "Adds money to a customer's balance.",
    params: fundsParams,
    result: posted,
    faults: ['not_found', 'conflict', 'short_of_money'],
    load: loadFunds,
    run: fundsOf('add_funds'),
  }),
  defineMethod({
    ...write,
    access: 'write',
    name: 'customerCredit',
    summary: "Credits a customer's balance, as a refund does.",
    params: fundsParams,
    result: posted,
    faults: ['not_found', 'conflict', 'short_of_money'],
    load: loadFunds,
    run: fundsOf('credit'),
  }),
  defineMethod({
    ...write,
    access: 'write',
    name: 'customerDebit',
    summary: "Charges a customer's balance, below any limit if need be.",
    params: fundsParams,
    result: posted,
    faults: ['not_found', 'conflict'],
    load: loadFunds,
    run: fundsOf('debit'),
  }),
  defineMethod({
    ...write,
    access: 'write',
    name: 'transferFunds',
    summary:
      'Moves money from the actor to a customer below it, at most what the actor has. What is not prepaid is charged to those above the actor, too.',
    params: struct({
      i_customer: id('Who gets it.'),
      amount: money("How much, in the actor's base_currency.", 'money-positive'),
      idempotency_key,
    }),
    result: posted,
    faults: ['not_found', 'conflict', 'short_of_money'],
    load: loadTransfer,
    run: transferFunds,
  }),
  defineMethod({
    ...write,
    access: 'write',
    name: 'reversePayment',
    summary:
      'Takes a payment back at every level, once, by another payment that is linked to it; a charge: only root.',
    params: struct({ i_payment: bigId('The payment; no transfer and no reversal.'), idempotency_key }),
    result: posted,
    faults: ['not_found', 'conflict', 'short_of_money'],
    load: loadReversal,
    run: reversePayment,
  }),
  defineMethod({
    ...read,
    access: 'read',
    name: 'getPaymentsList',
    summary:
      'Lists the payments of the actor or of a customer below it, in the order in which they were booked.',
    params: struct({
      i_customer: id('Whose payments.'),
      offset: optional(integer('Skip so many.', { minimum: 0 })),
      limit: optional(integer('Answer at most so many; absent: all.', { minimum: 0 })),
      start_date: optional(time('Only from this payment_time on.')),
      end_date: optional(time('Only before this payment_time.')),
      type: optional(oneOf(['credit', 'debit'], 'Only what raised, or lowered, the balance.')),
    }),
    result: struct({ result: ok, payments: streamed(payment, 'The payments.') }),
    faults: ['not_found'],
    // Rows out of the period are read, too.
    cost: ({ start_date, end_date, type, offset = 0 }) =>
      (start_date ?? end_date ?? type) !== undefined || offset > 0 ? 'slow' : 'connection',
    run: getPaymentsList,
  }),
  defineMethod({
    ...read,
    access: 'read',
    name: 'getPaymentInfo',
    summary: 'Answers one payment of the actor or of a customer below it.',
    params: struct({ i_payment: bigId('The payment.') }),
    result: struct({ result: ok, payment }),
    faults: ['not_found'],
    run: getPaymentInfo,
  }),
  defineMethod({
    ...read,
    access: 'read',
    name: 'getStatement',
    summary: 'Answers the statement of an account: opening balance, entries, closing balance.',
    params: struct({
      i_customer: id('Whose account.'),
      start_date: optional(time('From here on; absent: from the beginning.')),
      end_date: optional(time('Before this; absent: now.')),
    }),
    result: struct({
      result: ok,
      opening: money('The balance before the first entry.'),
      entries: streamed(entry, 'What was booked.'),
      closing: money('The balance after the last entry.'),
    }),
    faults: ['not_found'],
    cost: 'slow',
    run: getStatement,
  }),
  ...priceMethods,
];
