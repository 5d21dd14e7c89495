/** The paths of the account: whether the headers are right, what the actor has, its customers. */
import { type Operation, defineOperation, definePage, pageQuery, wideList } from '../../core/call/operation';
import {
  type Money,
  flag,
  list,
  money,
  nullable,
  optional,
  struct,
  text,
  uuid,
} from '../../core/schema/schema';
import { closeBalance, closedMoney } from '../../features/customers/methods';
import { badParameter } from '../../base/faults';
import { balanceOf } from './balance';
import {
  type Replacement,
  loadForResellerCreation,
  loadForReplacement,
  createReseller,
  assertPeopleOfStore,
  assertReseller,
  hashPasswords,
  pageOfResellers,
  removeReseller,
  replaceReseller,
  transferTo,
} from './customers';
import { common, uuidInPath } from './shared-schemas';
import { addressBody, addressShown } from './resources';
import { userBody, userShown } from './users';

const shown = struct({
  ...common,
  name: text(64, 'Its name, for X-Auth-For.'),
  contact_name: nullable(text(128, 'The person to talk to.')),
  phone: nullable(text(128, 'Phone.')),
  allow_outbound: flag('Whether it may call out.'),
  store_front: nullable(uuid('The store at which it buys.')),
  balance: money('Its balance.'),
  currency: text(3, 'The currency of it, ISO 4217.'),
  users: list(userShown, 'Its users, the first hundred.'),
  addresses: list(struct({ ...common, ...addressShown }), 'Its addresses, the first hundred.'),
  ip_addresses: list(
    struct({ ip_range: text(64, 'An address range, CIDR.') }),
    'From where it may call; none: from everywhere.',
  ),
});

const name = text(64, 'Its name, unique on the platform.', { format: 'login', digits: true });
const contactName = text(128, 'The person to talk to.', { format: 'line', minLength: 1 });
const others = {
  phone: optional(nullable(text(128, 'Phone.', { format: 'line', digits: true }))),
  allow_outbound: optional(flag('Whether it may call out; absent: true.')),
  store_front: optional(nullable(uuid('The store at which it buys, one of its owner.'))),
  ip_addresses: optional(
    list(
      struct({ ip_range: text(64, 'An address or a CIDR range.', { format: 'address-range' }) }),
      'From where it may call, over any face; none: from everywhere.',
      { maxItems: 100 },
    ),
  ),
};
const nested = {
  users: optional(list(struct(userBody), 'Its users; at a store at least one.', { maxItems: 100 })),
  addresses: optional(
    list(struct(addressBody), 'Its addresses; at a store at least one.', { maxItems: 100 }),
  ),
};

const path = '/account/reseller';
const pathOfOne = `${path}/{uuid}`;

const resellers: readonly Operation[] = [
  definePage({
    verb: 'GET',
    path,
    summary: "Lists the caller's direct customers; without X-Auth-For.",
    access: 'read',
    right: 'none',
    on_behalf: 'refused',
    ...wideList,
    query: pageQuery,
    result: shown,
    faults: [],
    run: pageOfResellers,
  }),
  defineOperation({
    verb: 'POST',
    path,
    summary: 'Makes a customer directly below the actor, with its users and addresses, all or nothing.',
    access: 'write',
    right: 'customers_mgmt:add',
    body: { name, contact_name: contactName, ...others, ...nested },
    result: shown,
    faults: ['wrong_reference', 'conflict'],
    idempotent: true,
    checkParams: assertPeopleOfStore,
    prepare: hashPasswords,
    load: loadForResellerCreation,
    run: createReseller,
  }),
  defineOperation({
    verb: 'GET',
    path: pathOfOne,
    summary: 'Answers a customer below the actor.',
    access: 'read',
    right: 'none',
    params: uuidInPath,
    result: shown,
    faults: ['not_found'],
    run: (call, { uuid: key }) => assertReseller(call, key),
  }),
  defineOperation({
    verb: 'PUT',
    path: pathOfOne,
    summary:
      'Replaces a customer below the actor: what is left out takes its default. With balance alone: hands it calling credit of the actor, for good.',
    access: 'write',
    right: 'customers_mgmt:edit',
    params: uuidInPath,
    body: {
      name: optional(name),
      contact_name: optional(contactName),
      ...others,
      balance: optional(
        money('How much, at most 3 decimal places, from 0.01 up to what the actor has; alone.', 'credit'),
      ),
    },
    result: shown,
    faults: ['not_found', 'wrong_reference', 'conflict', 'short_of_money'],
    idempotent: true,
    checkParams: ({ uuid: _uuid, ...given }) => {
      wantedOf(given);
    },
    load: loadForReplacement,
    run: (call, { uuid: key, ...given }, _prepared, accounts) => {
      const wanted = wantedOf(given);
      return 'amount' in wanted
        ? transferTo(call, wanted.amount, accounts)
        : replaceReseller(call, key, wanted);
    },
  }),
  defineOperation({
    verb: 'DELETE',
    path: pathOfOne,
    summary:
      'Deletes a customer below the actor that has no customers; its numbers and domains are free again. One that holds money is 409.',
    access: 'write',
    right: 'customers_mgmt:delete',
    params: uuidInPath,
    query: closeBalance,
    result: struct(closedMoney),
    faults: ['not_found', 'conflict'],
    run: (call, { uuid: key, close_balance = false }) => removeReseller(call, key, close_balance),
  }),
];

/** A transfer alone, or a replacement with all that a customer cannot be without. */
function wantedOf({
  balance,
  ...given
}: Partial<Replacement> & { readonly balance?: Money }): Replacement | { readonly amount: Money } {
  if (balance !== undefined) {
    if (Object.keys(given).length === 0) return { amount: balance };
    throw badParameter('balance', 'must not be given with other members');
  }
  const { name: newName, contact_name } = given;
  if (newName === undefined) throw badParameter('name', 'is required');
  if (contact_name === undefined) throw badParameter('contact_name', 'is required');
  return { ...given, name: newName, contact_name };
}

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
  ...resellers,
];
