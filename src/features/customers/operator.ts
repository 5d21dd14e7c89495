/** The calls about customers that only the command line has. None of them is ever in the list of a face. */
import { inBatches, mapRows } from '../../core/call/batches';
import { narrowStep } from '../../core/call/bounded-rows';
import { hashGivenPassword } from '../../core/auth/hashing';
import { type Call, defineMethod } from '../../core/call/method';
import {
  bit,
  double,
  id,
  integer,
  nullable,
  ok,
  optional,
  streamed,
  struct,
  text,
} from '../../core/schema/schema';
import type { Database } from '../../db/database';
import { setApiPassword } from './api-password';
import { eraseCustomer } from './erase';
import { importParams } from './fields';
import { customerInfo } from './methods';
import * as queries from './queries';
import { loadForCreation, createCustomerWithCommit, assertLoginFromName } from './service';

/** Everybody below the actor, at any depth; whoever stands above others comes before them. */
async function exportCustomers(call: Call<Database>) {
  const total = await queries.countBelow(call.db, call.actor);
  const rows = await inBatches<queries.InfoRow>(call, { step: narrowStep }, ({ last, size }) =>
    queries.listInfo(call.actor, last?.customer.i_customer ?? 0, size),
  );
  const named = ({ customer, wholesaler, commission_agent }: queries.InfoRow) => ({
    ...customer,
    wholesaler: customer.i_wholesaler === call.actor.i_customer ? null : wholesaler,
    commission_agent,
  });
  return { result: 'OK' as const, total, customers: mapRows(rows, named) };
}

const exportedCustomer = struct({
  ...customerInfo.properties,
  wholesaler: nullable(text(64, 'The name of its i_wholesaler; nil: the actor.')),
  commission_agent: nullable(text(64, 'The name of its i_commission_agent.')),
});

/** An operator acts through dispatch like everybody; `trusted` is the word for callers who prove nothing. */
const common = { trusted: 'optional', right: 'root' } as const;

export const customerOperatorMethods = [
  defineMethod({
    name: 'importCustomer',
    summary:
      'Creates a customer directly below the actor, also without a password: nobody logs in until one is set.',
    access: 'write',
    trusted: 'optional',
    right: 'customers_mgmt:add',
    params: importParams,
    result: struct({ result: ok, i_customer: id('The id of the new customer.') }),
    faults: ['wrong_reference', 'conflict', 'short_of_money'],
    checkParams: assertLoginFromName,
    prepare: hashGivenPassword,
    load: loadForCreation,
    run: createCustomerWithCommit,
  }),
  defineMethod({
    name: 'exportCustomers',
    summary: 'Answers every customer below the actor, at any depth, with all its attributes.',
    access: 'read',
    trusted: 'optional',
    right: 'none',
    params: struct({}),
    result: struct({
      result: ok,
      total: integer('How many there are.'),
      customers: streamed(exportedCustomer, 'The customers.'),
    }),
    faults: [],
    run: exportCustomers,
  }),
  defineMethod({
    ...common,
    name: 'setApiPassword',
    summary: 'Sets the API password of a customer; the one before may live on for a time.',
    access: 'write',
    params: struct({
      web_login: text(255, 'The login of the customer itself.', { digits: true }),
      api_password: text(128, 'The new password.', {
        format: 'printable-ascii',
        minLength: 8,
        secret: true,
        digits: true,
      }),
      keep_old_hours: optional(
        double('How long the password before lives on; absent: it ends at once.', {
          minimum: 0,
          maximum: 8_760,
        }),
      ),
    }),
    result: struct({
      result: ok,
      i_customer: id('The customer.'),
      api_access: bit('Whether it may use the API at all.'),
    }),
    faults: ['not_found'],
    run: setApiPassword,
  }),
  defineMethod({
    ...common,
    name: 'eraseCustomer',
    summary: 'Erases what tells who a deleted customer was; its books stay.',
    access: 'write',
    params: struct({ i_customer: id('The customer; it must have been deleted.') }),
    result: struct({ result: ok, i_customer: id('The customer.') }),
    faults: ['not_found', 'conflict'],
    run: eraseCustomer,
  }),
];
