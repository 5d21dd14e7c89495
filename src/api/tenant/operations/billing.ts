/** The billing account of a tenant, which is its balance in the books, and the movements on it. */
import type { Call } from '../../../core/call/method';
import { cursorQuery } from '../../../core/call/cursor-pagination';
import { type Page, defineOperation, definePage } from '../../../core/call/operation';
import { isZero } from '../../../core/schema/decimal';
import { type Money, type Static, money, struct, text, uuid } from '../../../core/schema/schema';
import { type Queryable, sharedRead } from '../../../db/database';
import { forbidden, notFound } from '../../../base/faults';
import { loadFunds, fundsOf } from '../../../features/ledger/funds';
import { type BillingRow, findBilling, newestBillings } from '../../../features/ledger/billings';
import {
  type Guarded,
  administrator,
  idInPath,
  requirePermission,
  rfc3339,
  times,
  timesOf,
} from './shared-schemas';
import { isWithin } from '../../../core/tree/visibility';

const account = struct({
  id: uuid('Its id: `billing_account_id` of the customer.'),
  customer_id: uuid('Whose it is.'),
  name: text(255, 'The display name of the customer.'),
  balance: money('The balance.'),
  credit_limit: money('By how much it may fall below zero.'),
  currency: text(3, 'ISO 4217.'),
  ...times,
});

interface AccountRow {
  readonly i_customer: number;
  readonly uuid: string;
  readonly display: string;
  readonly balance: Money;
  readonly credit_limit: Money;
  readonly currency: string;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly deleted_at: Date | null;
}

const findStatement = sharedRead(
  'find_account',
  `SELECT c.i_customer, c.uuid, coalesce(nullif(c.company_name, ''), c.name) AS display, c.balance::text AS balance,
     c.credit_limit::text AS credit_limit, c.base_currency AS currency, c.created_at, c.updated_at, c.deleted_at
   FROM customers c WHERE c.uuid = coalesce($1::uuid, (SELECT o.uuid FROM customers o WHERE o.i_customer = $2))
     AND ${isWithin('c', '$2')} AND c.deleted_at IS NULL`,
);

/** The account of the actor, or of a customer below it. */
async function findAccount(
  { db, actor }: Pick<Call<Queryable>, 'db' | 'actor'>,
  id?: string,
): Promise<AccountRow> {
  const [row] = await db.query<AccountRow>(findStatement, [id ?? null, actor.i_customer]);
  if (!row) throw notFound('Billing account');
  return row;
}

const accountObject = (row: AccountRow): Static<typeof account> => ({
  id: row.uuid,
  customer_id: row.uuid,
  name: row.display,
  balance: row.balance,
  credit_limit: row.credit_limit,
  currency: row.currency,
  ...timesOf(row),
});

const base = { right: 'none', result: account } as const;
const read = { ...base, verb: 'GET' } as const;

const moving = (word: 'add' | 'subtract', move: ReturnType<typeof fundsOf>) =>
  defineOperation({
    ...base,
    verb: 'POST',
    access: 'write',
    path: `/billing_accounts/{id}/balance_${word}_force`,
    summary:
      word === 'add'
        ? 'Raises the balance of a customer below the own one.'
        : 'Lowers the balance of a customer below the own one, below zero and the credit limit too.',
    right: 'customers_mgmt:edit',
    params: idInPath,
    body: { balance: money('By how much.', 'money-not-negative') },
    faults: ['not_found', 'conflict', 'short_of_money'],
    run: async (call, { id, balance }) => {
      const { i_customer, currency } = await findAccount(call, id);
      if (i_customer === call.actor.i_customer)
        throw forbidden('Only the owner, a customer above, may do this');
      const params = { i_customer, amount: balance, currency };
      if (!isZero(balance)) await move(call, params, undefined, await loadFunds(call.db, call.actor, params));
      return accountObject(await findAccount(call, id));
    },
  });

const billing = struct({
  id: uuid('Its id.'),
  customer_id: uuid('Whose it is.'),
  account_id: uuid('The billing account.'),
  reference_type: text(16, 'What kind of movement it is, such as add_funds or charge.'),
  amount: money('What the balance rose by; negative: fell by.'),
  currency: text(3, 'ISO 4217.'),
  detail: text(1024, 'Notes.'),
  ...times,
});

const billingObject = (row: BillingRow): Static<typeof billing> => ({
  id: row.id,
  customer_id: row.customer_id,
  account_id: row.customer_id,
  reference_type: row.kind,
  amount: row.amount,
  currency: row.currency,
  detail: row.payment_notes ?? '',
  tm_create: rfc3339(row.created_at),
  tm_update: null,
  tm_delete: null,
});

export const billingOperations: readonly Guarded[] = requirePermission(administrator, [
  definePage({
    ...read,
    access: 'read',
    path: '/billing_accounts',
    summary: 'Lists the billing accounts of the tenant: it has one.',
    query: cursorQuery,
    faults: [],
    run: async (call, { page_token = '' }): Promise<Page<Static<typeof account>>> => ({
      items: page_token === '' ? [accountObject(await findAccount(call))] : [],
      next: null,
    }),
  }),
  defineOperation({
    ...read,
    access: 'read',
    path: '/billing_account',
    summary: 'Answers the billing account of the tenant.',
    faults: [],
    run: async (call) => accountObject(await findAccount(call)),
  }),
  defineOperation({
    ...read,
    access: 'read',
    path: '/billing_accounts/{id}',
    summary: 'Answers the billing account of the tenant, or of a customer below it.',
    params: idInPath,
    faults: ['not_found'],
    run: async (call, { id }) => accountObject(await findAccount(call, id)),
  }),
  moving('add', fundsOf('add_funds')),
  moving('subtract', fundsOf('debit')),
  definePage({
    ...read,
    access: 'read',
    result: billing,
    path: '/billings',
    summary: 'Lists the movements on the billing account, the newest first.',
    query: cursorQuery,
    faults: [],
    run: async (call, given) => {
      const { items, next } = await newestBillings(call, call.actor.i_customer, given);
      return { items: items.map(billingObject), next };
    },
  }),
  defineOperation({
    ...read,
    access: 'read',
    result: billing,
    path: '/billings/{id}',
    summary: 'Answers a movement on the billing account.',
    params: idInPath,
    faults: ['not_found'],
    run: async (call, { id }) => {
      const row = await findBilling(call.db, call.actor.i_customer, id);
      if (!row) throw notFound('Billing');
      return billingObject(row);
    },
  }),
]);
