/**
 * Moving money: credit and charge a customer, take a payment back, hand on credit of one's own.
 * Root's side is the platform's account and never short; an operator's debit may pass any limit,
 * a transfer moves at most what the giver has.
 */
import { exceeds, isPositive, minus, negate, plain } from '../core/decimal';
import type { Call, Id } from '../core/method';
import { rootId } from '../core/rights';
import type { Money } from '../core/schema';
import { parseTime } from '../core/times';
import { type Place, findBelow, holdWholesaler } from '../core/tree';
import type { Transaction } from '../db/database';
import { Fault, badParameter, conflict, notFound } from '../faults';
import { type Posting, post } from './books';
import { demandCommitment } from './overcommit';
import { type Account, type PaymentRow, findPaymentBelow, lockAccounts } from './repository';

export interface FundsParams {
  readonly i_customer: number;
  readonly amount: Money;
  readonly currency: string;
  readonly payment_notes?: string;
  readonly payment_time?: string;
}

type FundsKind = 'add_funds' | 'credit' | 'debit';

/** Whose balance moves, and by what it is bounded. */
export const beforeFunds = (db: Transaction, actor: Id, { i_customer }: Pick<FundsParams, 'i_customer'>) =>
  findBelow(db, actor, i_customer);

/** addFunds and credit raise the balance; debit lowers it, below zero and the credit limit too. */
export const fundsOf = (kind: FundsKind) => (call: Call, params: FundsParams, _: undefined, place?: Place) =>
  move(call, kind, params, place);

async function move(call: Call, kind: FundsKind, params: FundsParams, place: Place | undefined) {
  if (!place) throw notFound();
  if (params.currency !== place.base_currency) {
    throw badParameter('currency', `must be ${place.base_currency}, the base_currency of the customer`);
  }
  const i_payment = await postFor(call, place, {
    kind,
    i_customer: params.i_customer,
    currency: params.currency,
    amount: kind === 'debit' ? negate(params.amount) : params.amount,
    request_id: call.request_id,
    payment_notes: params.payment_notes,
    payment_time: params.payment_time === undefined ? undefined : parseTime(params.payment_time),
  });
  return { result: 'OK' as const, i_payment };
}

/** Posts against the platform's account, within overcommit protection, and records it. */
async function postFor(call: Call, place: Place, posting: Posting): Promise<number> {
  const { db, actor } = call;
  const guarded = place.overcommit_protection && isPositive(posting.amount);
  const [, posted] = await Promise.all([
    // Downwards: the wholesaler's row before the customer's.
    guarded && holdWholesaler(db, actor, place.i_customer, { inherits: false, rises: true }),
    post(db, posting),
  ]);
  // Deleted, or given another tariff, since it was found.
  if (!posted) throw conflict('The customer was changed meanwhile, please retry');
  if (guarded && isPositive(posted.balance)) {
    const before = minus(posted.balance, posting.amount);
    await demandCommitment(db, place.i_wholesaler, isPositive(before) ? posting.amount : posted.balance);
  }
  await recordFunds(call, posting.kind, posting.i_customer, posting.amount, place.base_currency);
  return posted.i_payment;
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

/** Takes a payment back, once, by a payment that is linked to it. */
export async function reversePayment(call: Call, { i_payment }: { i_payment: number }) {
  const payment = await findPaymentBelow(call.db, call.actor, i_payment);
  if (!payment) throw notFound('Payment');
  demandReversible(payment);
  const reversal = await postFor(call, payment, {
    kind: 'reversal',
    i_customer: payment.i_customer,
    currency: payment.currency,
    amount: negate(payment.amount),
    request_id: call.request_id,
    i_reversed: i_payment,
  });
  return { result: 'OK' as const, i_payment: reversal };
}

function demandReversible(payment: PaymentRow): void {
  if (payment.kind === 'reversal') throw conflict('A reversal cannot be reversed');
  if (payment.kind === 'transfer') throw conflict('A transfer cannot be reversed');
  if (payment.reversed) throw conflict('The payment was reversed already');
}

interface TransferParams {
  readonly i_customer: number;
  readonly amount: Money;
}

/** The accounts of giver and receiver, held. */
export const beforeTransfer = (db: Transaction, actor: Id, { i_customer }: TransferParams) =>
  lockAccounts(db, actor, i_customer);

/** Of the two, the one that is not the actor's. */
export const receiverOf = (actor: Id, accounts: readonly Account[]): Account | undefined =>
  accounts.find(({ i_customer }) => i_customer !== actor.i_customer);

/** Hands calling credit from the actor to a customer below it, in one currency, never more than there is. */
export async function transferFunds(
  call: Call,
  params: TransferParams,
  _prepared?: undefined,
  found?: readonly Account[],
) {
  const { db, actor } = call;
  // Root's side is the platform's account, which has no balance to look at.
  const i_payer = actor.i_customer === rootId ? undefined : actor.i_customer;
  const accounts = found ?? (await beforeTransfer(db, actor, params));
  const receiver = receiverOf(actor, accounts);
  if (!receiver) throw notFound();
  const { base_currency: currency } = receiver;
  const account = accounts.find(({ i_customer }) => i_customer === i_payer);
  if (account && account.base_currency !== currency) {
    throw badParameter(
      'i_customer',
      `must have the currency of the giver, ${account.base_currency}, not ${currency}`,
    );
  }
  if (account && exceeds(params.amount, account.balance)) {
    const available = isPositive(account.balance) ? plain(account.balance) : '0';
    throw new Fault('short_of_money', `Not enough money: ${available} ${account.base_currency} available`);
  }
  const posted = await post(db, {
    kind: 'transfer',
    i_customer: params.i_customer,
    amount: params.amount,
    request_id: call.request_id,
    currency,
    ...(i_payer !== undefined && { i_payer }),
  });
  if (!posted) throw notFound();
  await recordFunds(call, 'transfer', params.i_customer, params.amount, currency);
  return { result: 'OK' as const, i_payment: posted.i_payment };
}
