/**
 * Charging the levels of the tree: who must have the money, what a caller is told about it, and which movements come of
 * it. The arithmetic is in `consume.ts`.
 */
import { exceeds, minus, plain, sum } from '../../../core/schema/decimal';
import type { Call } from '../../../core/call/method';
import type { Money } from '../../../core/schema/schema';
import { Fault } from '../../../base/faults';
import { type Account, maySee } from '../accounts';
import { type Charge, type Movement, chargeAccount, consume } from './consume';

/** An account with what it pays its owner. */
export interface PricedAccount extends Account {
  readonly price: Money;
}

/**
 * Charges the accounts, the payer first, then upwards. Throws fault 402 where one of them is short of money; the first
 * one from the payer upwards is told, to whoever may see it.
 */
export function chargeLevels(call: Pick<Call, 'caller'>, accounts: readonly PricedAccount[]): Movement[] {
  const charges = consume(accounts);
  return accounts.map((account, index) => {
    const charge = charges[index] as Charge;
    assertMoney(call, account, charge);
    return chargeAccount(account, charge);
  });
}

/** Throws fault 402 unless balance and credit limit are enough. A level that pays nothing is never short. */
function assertMoney(call: Pick<Call, 'caller'>, account: Account, { charged }: Charge): void {
  const available = sum(account.balance, account.credit_limit);
  if (!exceeds(charged, '0') || !exceeds(charged, available)) return;
  throw shortOfMoney(
    call,
    account,
    `it costs ${plain(charged)} ${account.currency}, ${minus(charged, available)} more than there is`,
  );
}

/** Fault 402. Those at and above the account hear the figures, those below only that there is not enough. */
export function shortOfMoney(call: Pick<Call, 'caller'>, account: Account, figures: string): Fault {
  if (!maySee(call, account)) return new Fault('short_of_money', 'Not enough money');
  const isOwn = call.caller.kind === 'login' && call.caller.actor.i_customer === account.i_customer;
  const where = isOwn ? '' : ` at customer ${account.i_customer}`;
  return new Fault('short_of_money', `Not enough money${where}: ${figures}`);
}
