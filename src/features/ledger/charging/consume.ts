/**
 * The arithmetic of who pays. No database, no faults: amounts in, amounts out.
 *
 * What is consumed is charged to the payer and to every customer above it, up to the one directly below root. Each pays
 * its own owner by its own price. A balance has a prepaid part, which came by transfers: the levels above paid for it
 * then. So what a level pays from its prepaid part is covered for the levels above, and they pay only the rest.
 *
 * With the prices P0 (the payer), P1 (its owner) and so on, and what is covered at each level, K:
 *
 *   K0 = 0
 *   charged(i) = P(i) - K(i)
 *   taken(i) = the least of charged(i) and the prepaid part of level i
 *   K(i+1) = (K(i) + taken(i)) * min(1, P(i+1) / P(i)), rounded down to six decimal places
 *
 * K(i+1) is 0 where P(i) is 0, and where level i+1 has another currency than level i, because there is no rate of
 * exchange. Rounding down means that the level above pays the millionth that does not divide: nothing is consumed that
 * is not charged. K never passes the price, because it starts at 0 and min(1, ...) keeps its share of the price.
 */
import { fromMicros, minus, negate, sum, toMicros } from '../../../core/schema/decimal';
import type { Money } from '../../../core/schema/schema';

/** A customer of the chain from the payer up to the customer directly below root. */
export interface Level {
  readonly i_customer: number;
  readonly currency: string;
  /** What it pays its owner, not negative, in its own currency. */
  readonly price: Money;
  /** The prepaid part of its balance. */
  readonly prepaid: Money;
}

/** What a level pays. */
export interface Charge {
  readonly i_customer: number;
  readonly currency: string;
  /** What its balance falls by; 0 where others have paid all of it. */
  readonly charged: Money;
  /** How much of that comes from the prepaid part. */
  readonly prepaid: Money;
}

/** Returns the charge of each level, in the order given: the payer first, then upwards. */
export function consume(levels: readonly Level[]): Charge[] {
  let below: { readonly currency: string; readonly price: bigint; readonly covered: bigint } | undefined;
  return levels.map(({ i_customer, currency, ...level }) => {
    const price = toMicros(level.price);
    const covered = below?.currency === currency ? passOn(below.covered, below.price, price) : 0n;
    const charged = price - covered;
    const prepaid = least(charged, toMicros(level.prepaid));
    below = { currency, price, covered: covered + prepaid };
    return { i_customer, currency, charged: fromMicros(charged), prepaid: fromMicros(prepaid) };
  });
}

/** What is covered at the next level up. BigInt division rounds down. */
function passOn(covered: bigint, price: bigint, priceAbove: bigint): bigint {
  if (price === 0n) return 0n;
  return priceAbove >= price ? covered : (covered * priceAbove) / price;
}

const least = (one: bigint, other: bigint): bigint => (one < other ? one : other);
const notNegative = (micros: bigint): bigint => (micros > 0n ? micros : 0n);

/** A balance and its prepaid part. */
export interface Funds {
  readonly balance: Money;
  readonly prepaid: Money;
}

/** What happens to an account in a payment. */
export interface Movement {
  readonly i_customer: number;
  /** What the balance rises by; negative: falls by. */
  readonly amount: Money;
  /** What the prepaid part rises by; negative: falls by. */
  readonly prepaid: Money;
}

/**
 * Moves an account by `amount`, its prepaid part by `prepaid`. The prepaid part never passes the balance: a debit takes
 * the other part first, and what of a transfer fills a debt is not prepaid.
 */
export function moveAccount(
  account: Funds & { readonly i_customer: number },
  amount: Money,
  prepaid: Money = '0',
): Movement {
  const balance = toMicros(sum(account.balance, amount));
  const wanted = toMicros(sum(account.prepaid, prepaid));
  const kept = fromMicros(notNegative(least(wanted, notNegative(balance))));
  return { i_customer: account.i_customer, amount, prepaid: minus(kept, account.prepaid) };
}

/** Moves an account by what it is charged. */
export const chargeAccount = (account: Funds & { readonly i_customer: number }, charge: Charge): Movement =>
  moveAccount(account, negate(charge.charged), negate(charge.prepaid));

/** What the customers of an overcommit limit count of an account: its positive balance and its credit limit. */
export const exposureOf = ({ balance, credit_limit }: { balance: Money; credit_limit: Money }): Money =>
  fromMicros(notNegative(toMicros(balance)) + toMicros(credit_limit));
