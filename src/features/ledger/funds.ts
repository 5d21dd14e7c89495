/**
 * Moving money: credit and charge a customer, take a payment back, hand on credit of one's own.
 * Root's side is the platform's account and never short; an operator's debit may pass any limit,
 * a transfer moves at most what the giver has.
 */
import { exceeds, isPositive, minus, negate, plain, sum } from '../../core/schema/decimal';
import type { Call, Id } from '../../core/call/method';
import { rootId } from '../../core/tree/rights';
import type { Money } from '../../core/schema/schema';
import { parseTime } from '../../core/schema/times';
import type { Transaction } from '../../db/database';
import { badParameter, conflict, forbidden, notFound } from '../../base/faults';
import { type Account, type TransferAccounts, lockAccount, lockChain, lockTransfer } from './accounts';
import { type Posting, entriesOf, post } from './ledger';
import { type Movement, exposureOf, moveAccount } from './charging/consume';
import { chargeLevels, shortOfMoney } from './charging/levels';
import { assertCommitment } from './charging/overcommit';
import { type PaymentRow, findPayment, findReversible } from './repository';

export interface FundsParams {
  readonly i_customer: number;
  readonly amount: Money;
  readonly currency: string;
  readonly payment_notes?: string;
  readonly payment_time?: string;
}

type FundsKind = 'add_funds' | 'credit' | 'debit';

/** The account whose balance moves, and the overcommit limits that bound it, locked. */
export const loadFunds = (db: Transaction, actor: Id, { i_customer }: Pick<FundsParams, 'i_customer'>) =>
  lockAccount(db, actor, i_customer);

/** addFunds and credit raise the balance; debit lowers it, below zero and the credit limit too. */
export const fundsOf =
  (kind: FundsKind) => (call: Call, params: FundsParams, _: undefined, account?: Account) =>
    moveFunds(call, kind, params, account);

async function moveFunds(call: Call, kind: FundsKind, params: FundsParams, account: Account | undefined) {
  if (!account) throw notFound();
  if (params.currency !== account.currency) {
    throw badParameter('currency', `must be ${account.currency}, the base_currency of the customer`);
  }
  const amount = kind === 'debit' ? negate(params.amount) : params.amount;
  const i_payment = await postBounded(call, [account], {
    kind,
    i_customer: params.i_customer,
    movements: [moveAccount(account, amount)],
    request_id: call.request_id,
    payment_notes: params.payment_notes,
    payment_time: params.payment_time === undefined ? undefined : parseTime(params.payment_time),
  });
  await recordFunds(call, kind, params.i_customer, amount, account.currency);
  return { result: 'OK' as const, i_payment };
}

/** Posts what moves the accounts, which are locked, within every overcommit limit above them. */
async function postBounded(call: Call, accounts: readonly Account[], posting: Posting): Promise<number> {
  const rises = accounts.map((account) => ({
    path: account.path,
    risen: minus(exposureOf(moved(account, posting.movements)), exposureOf(account)),
  }));
  // They go to the database together, in this order.
  const [i_payment] = await Promise.all([post(call.db, posting), assertCommitment(call, rises)]);
  return i_payment;
}

function moved(account: Account, movements: readonly Movement[]): Account {
  const movement = movements.find(({ i_customer }) => i_customer === account.i_customer);
  return { ...account, balance: sum(account.balance, movement?.amount ?? '0') };
}

const recordFunds = (
  call: Call,
  kind: string,
  i_customer: number,
  amount: Money,
  currency: string,
): Promise<void> =>
  call.audit({
    action: 'FUNDS',
    resource: `${kind === 'add_funds' ? 'add' : kind}:i_customer=${i_customer}:amount=${amount.replace('-', '')} ${currency}`,
    i_customer,
  });

interface ReversalParams {
  readonly i_payment: number;
}

/** The payment, of a living customer below the actor. */
export const loadReversal = (db: Transaction, actor: Id, { i_payment }: ReversalParams) =>
  findReversible(db, actor, i_payment);

/**
 * Takes a payment back, once, by a payment that is linked to it: every account that it moved moves back, and what it
 * took from a prepaid part is prepaid again. A charge was paid at every level, so only root takes it back: anybody else
 * would take money from those above.
 */
export async function reversePayment(
  call: Call,
  { i_payment }: ReversalParams,
  _prepared?: undefined,
  found?: PaymentRow,
) {
  const { db, actor } = call;
  if (!found) throw notFound('Payment');
  assertReversible(call, found);
  // Another call may have taken it back while this one waits for the lock.
  const [accounts, payment, entries] = await Promise.all([
    lockForReversal(db, actor, found),
    findPayment(db, actor, i_payment),
    entriesOf(db, i_payment),
  ]);
  if (!payment || accounts.length === 0) throw notFound('Payment');
  assertReversible(call, payment);
  const movements = entries.map((entry) => {
    const account = accounts.find(({ i_customer }) => i_customer === entry.i_customer);
    if (!account) throw new Error(`Account ${entry.i_customer} of a payment was not locked`);
    return moveAccount(account, negate(entry.amount), negate(entry.prepaid));
  });
  const { i_customer, currency, amount } = payment;
  const reversal = await postBounded(call, accounts, {
    kind: 'reversal',
    i_customer,
    movements,
    request_id: call.request_id,
    i_reversed: i_payment,
  });
  await recordFunds(call, 'reversal', i_customer, negate(amount), currency);
  return { result: 'OK' as const, i_payment: reversal };
}

async function lockForReversal(
  db: Transaction,
  actor: Id,
  { kind, i_customer }: PaymentRow,
): Promise<readonly Account[]> {
  if (kind === 'charge') return lockChain(db, actor, i_customer);
  const account = await lockAccount(db, actor, i_customer);
  return account ? [account] : [];
}

function assertReversible({ actor }: Call, payment: PaymentRow): void {
  // The right comes before what conflicts: anybody but root hears the same, whether it was taken back or not.
  if (payment.kind === 'charge' && actor.i_customer !== rootId) {
    throw forbidden('Only root takes a charge back, because the customers above have paid it too');
  }
  if (payment.kind === 'reversal') throw conflict('A reversal cannot be reversed');
  if (payment.kind === 'transfer') throw conflict('A transfer cannot be reversed');
  if (payment.reversed) throw conflict('The payment was reversed already');
}

interface TransferParams {
  readonly i_customer: number;
  readonly amount: Money;
}

/** The accounts of the giver, of everybody above it and of the receiver, locked. */
export const loadTransfer = (db: Transaction, actor: Id, { i_customer }: TransferParams) =>
  lockTransfer(db, actor, i_customer);

/**
 * Hands calling credit from the actor to a customer below it, never more than the actor has. It is consumption of the
 * amount by the actor: what it does not take from its own prepaid part is charged to the levels above. At the receiver
 * it is prepaid. Throws fault 400 where a currency would be crossed at any level, 402 without the money.
 */
export async function transferFunds(
  call: Call,
  params: TransferParams,
  _prepared?: undefined,
  found?: TransferAccounts,
) {
  const { givers, receiver } = found ?? (await loadTransfer(call.db, call.actor, params));
  if (!receiver) throw notFound();
  const { amount } = params;
  const [giver] = givers;
  // Root's side is the platform's account, which has no balance to look at.
  if (!giver && call.actor.i_customer !== rootId) throw notFound();
  if (giver) assertTransferable(call, givers, receiver, amount);
  const charges = chargeLevels(
    call,
    givers.map((account) => ({ ...account, price: amount })),
  );
  const i_payment = await post(call.db, {
    kind: 'transfer',
    i_customer: receiver.i_customer,
    movements: [moveAccount(receiver, amount, amount), ...charges],
    request_id: call.request_id,
  });
  await recordFunds(call, 'transfer', receiver.i_customer, amount, receiver.currency);
  return { result: 'OK' as const, i_payment };
}

/** The giver hands on what it has, not what its credit limit lends it. */
function assertTransferable(call: Call, givers: readonly Account[], receiver: Account, amount: Money): void {
  const [giver] = givers as readonly [Account, ...Account[]];
  const { currency } = giver;
  if (receiver.currency !== currency) {
    throw badParameter(
      'i_customer',
      `must have the currency of the giver, ${currency}, not ${receiver.currency}`,
    );
  }
  if (givers.some((account) => account.currency !== currency)) {
    throw badParameter(
      'i_customer',
      `must be paid in one currency: a customer above is not billed in ${currency}`,
    );
  }
  if (exceeds(amount, giver.balance)) {
    const available = isPositive(giver.balance) ? plain(giver.balance) : '0';
    throw shortOfMoney(call, giver, `${available} ${currency} available`);
  }
}
