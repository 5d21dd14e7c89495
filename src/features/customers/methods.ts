/** The customer calls, as docs/reference/xmlrpc.md describes them: the table of contents of this folder. */
import { hashGivenPassword } from '../../core/auth/hashing';
import { defineMethod } from '../../core/call/method';
import {
  bit,
  flag,
  id,
  idOr,
  integer,
  money,
  nullable,
  ok,
  optional,
  streamed,
  struct,
  text,
} from '../../core/schema/schema';
import { createParams, readableSchemas, updateParams } from './fields';
import { costOfList, listCustomers } from './list';
import {
  loadForCreation,
  loadForDeletion,
  loadForUpdate,
  blockCustomer,
  createCustomerWithCommit,
  deleteCustomer,
  assertLoginFromName,
  getCustomerInfo,
  unblockCustomer,
  updateCustomerWithCommit,
} from './service';

/** What there is to know of a customer. */
export const customerInfo = struct({
  i_customer: id('Its id.'),
  i_wholesaler: nullable(id('The customer directly above it; nil for root.')),
  base_currency: text(3, 'The currency of its balance: that of its tariff.'),
  blocked: flag('Whether it is blocked itself.'),
  prepaid: money(
    'The part of the balance that came by transfers, which the customers above have paid already.',
  ),
  ...readableSchemas,
});

/** What became of the money of a customer that was deleted. */
export const closedMoney = {
  closed: money('The balance that it had.'),
  returned: money('How much of it was prepaid, and is prepaid money of its owner now.'),
  debt: money('How much its owner was charged, because its balance was below zero.'),
};

/** The query of a REST operation that deletes a customer. */
export const closeBalance = {
  close_balance: optional(
    flag('true: also where it holds money, which is closed: prepaid money returns to its owner.'),
  ),
};

const listItem = struct({
  i_customer: id('Its id.'),
  name: text(64, 'Its name.'),
  web_login: text(64, 'Its login.'),
  description: nullable(text(1024, 'Its description.')),
  balance: money('Its balance.'),
  credit_limit: money('Its credit limit.'),
  base_currency: text(3, 'The currency of both.'),
});

export const customerMethods = [
  defineMethod({
    name: 'createCustomer',
    summary: 'Creates a customer directly below the actor.',
    access: 'write',
    right: 'customers_mgmt:add',
    trusted: 'required',
    params: createParams,
    result: struct({ result: ok, i_customer: id('The id of the new customer.') }),
    faults: ['wrong_reference', 'conflict', 'short_of_money'],
    checkParams: assertLoginFromName,
    prepare: hashGivenPassword,
    load: loadForCreation,
    run: createCustomerWithCommit,
  }),
  defineMethod({
    name: 'getCustomerInfo',
    summary: 'Answers every attribute of the actor or of a customer below it, passwords aside.',
    access: 'read',
    right: 'none',
    trusted: 'required',
    params: struct(
      {
        i_customer: optional(idOr('name', 'The customer; a string of other than digits is a name.')),
        name: optional(
          text(64, "The customer's name, in the place of i_customer.", {
            format: 'known-name',
            digits: true,
          }),
        ),
      },
      { exactlyOne: ['i_customer', 'name'] },
    ),
    result: struct({ result: ok, customer: customerInfo }),
    faults: ['not_found'],
    cost: 'lookup',
    run: getCustomerInfo,
  }),
  defineMethod({
    name: 'updateCustomer',
    summary: 'Changes a customer below the actor: absent leaves an attribute alone, nil clears it.',
    access: 'write',
    right: 'customers_mgmt:edit',
    trusted: 'required',
    params: updateParams,
    result: struct({ result: ok }),
    faults: ['not_found', 'wrong_reference', 'conflict', 'short_of_money'],
    prepare: hashGivenPassword,
    load: loadForUpdate,
    run: updateCustomerWithCommit,
  }),
  defineMethod({
    name: 'deleteCustomer',
    summary:
      'Deletes a customer below the actor that has no sub-customers; its books stay. A debt and prepaid money go to its owner.',
    access: 'write',
    right: 'customers_mgmt:delete',
    trusted: 'required',
    params: struct({ i_customer: id('The customer to delete.') }),
    result: struct({ result: ok, ...closedMoney }),
    faults: ['not_found', 'conflict'],
    load: loadForDeletion,
    run: deleteCustomer,
  }),
  defineMethod({
    name: 'blockCustomer',
    summary:
      'Blocks a customer below the actor, and with it everybody below that: no login, no call. Twice is as once.',
    access: 'write',
    right: 'customers_mgmt:edit',
    trusted: 'required',
    params: struct({ i_customer: id('The customer to block.') }),
    result: struct({ result: ok }),
    faults: ['not_found'],
    run: blockCustomer,
  }),
  defineMethod({
    name: 'unblockCustomer',
    summary: 'Unblocks a customer below the actor; those that are blocked themselves stay so.',
    access: 'write',
    right: 'customers_mgmt:edit',
    trusted: 'required',
    params: struct({ i_customer: id('The customer to unblock.') }),
    result: struct({ result: ok }),
    faults: ['not_found'],
    run: unblockCustomer,
  }),
  defineMethod({
    name: 'listCustomers',
    summary: 'Lists the direct sub-customers of the actor in order of i_customer.',
    access: 'read',
    right: 'none',
    trusted: 'required',
    params: struct({
      offset: optional(integer('Skip so many; for long lists `after` is the faster way.', { minimum: 0 })),
      limit: optional(integer('Answer at most so many; absent: all.', { minimum: 0 })),
      after: optional(id('Only those with a greater i_customer: the last one seen.')),
      name_pattern: optional(
        text(256, 'Only names like this, whatever their case: % stands for any text, _ for one character.', {
          format: 'like-pattern',
        }),
      ),
      with_total: optional(bit('1: answer `total` too.')),
    }),
    result: struct({
      result: ok,
      customers: streamed(listItem, 'The customers.'),
      total: optional(integer('How many there are, whatever offset, limit and after.')),
    }),
    faults: [],
    cost: costOfList,
    run: listCustomers,
  }),
];
