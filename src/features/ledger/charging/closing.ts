/**
 * Closing the account of a customer that is deleted. A debt is booked to its owner, who let it arise, and not to the
 * platform. Prepaid money goes back to the owner as prepaid money; the rest goes to the platform.
 */
import { isNegative, isZero, minus, negate, plain } from '../../../core/schema/decimal';
import type { Call } from '../../../core/call/method';
import type { Money } from '../../../core/schema/schema';
import type { Account } from '../accounts';
import { post } from '../ledger';
import { type Funds, moveAccount } from './consume';

/** What became of the money. */
export interface Closed {
  /** The balance that the customer had. */
  readonly closed: Money;
  /** How much of it went to the owner as prepaid money. */
  readonly returned: Money;
  /** How much the owner was charged. */
  readonly debt: Money;
}

interface ClosedAccount extends Funds {
  readonly i_customer: number;
  readonly base_currency: string;
}

/**
 * Brings the account to zero. `owner` is locked; undefined: it is root, whose side is the platform. An owner that is
 * billed in another currency is not concerned: money never crosses currencies.
 */
export async function closeAccount(
  call: Call,
  target: ClosedAccount,
  owner: Account | undefined,
): Promise<Closed> {
  const { i_customer, balance } = target;
  const bearer = owner?.currency === target.base_currency ? owner : undefined;
  const debt = bearer && isNegative(balance) ? negate(balance) : '0';
  const returned = bearer ? target.prepaid : '0';
  if (isZero(balance)) return { closed: '0', returned: '0', debt: '0' };
  const movements = [moveAccount(target, negate(balance))];
  if (bearer) movements.push(moveAccount(bearer, minus(returned, debt), returned));
  await post(call.db, { kind: 'closing', i_customer, movements, request_id: call.request_id });
  return { closed: plain(balance), returned: plain(returned), debt };
}
