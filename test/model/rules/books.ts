/** The books: who pays what for a thing or a transfer, how balances move, and what may be committed. */
import {
  type Customer,
  type Micro,
  type Move,
  type Payment,
  type World,
  chain,
  isBelow,
  micro,
  numberOf,
} from '../world';
import { refuse } from './law';

const least = (one: Micro, other: Micro): Micro => (one < other ? one : other);
const most = (one: Micro, other: Micro): Micro => (one > other ? one : other);

/** Somebody who pays its owner a price. */
export interface Level {
  readonly currency: string;
  readonly prepaid: Micro;
  readonly price: Micro;
}

/**
 * What each level pays, the payer first, then upwards, and how much of it was prepaid. A level does not pay what was
 * prepaid below it, as far as its own price is a part of the price below.
 */
export function sharesOf(levels: readonly Level[]): { readonly pays: Micro; readonly prepaid: Micro }[] {
  let covered = 0n;
  let below: Level | undefined;
  return levels.map((level) => {
    if (below) {
      const isComparable = below.currency === level.currency && below.price > 0n;
      if (!isComparable) covered = 0n;
      else if (level.price < below.price) covered = (covered * level.price) / below.price;
    }
    const pays = level.price - covered;
    const prepaid = least(level.prepaid, pays);
    covered += prepaid;
    below = level;
    return { pays, prepaid };
  });
}

export const creditOf = ({ attributes }: Customer): Micro => micro(numberOf(attributes['credit_limit']));

/** Everybody who is charged: the customer and all above it but root. */
export const payersFrom = (customer: Customer): Customer[] => chain(customer).slice(0, -1);

/** What the levels are charged, each of them by its price. No level may be short of money. */
export function charge(payers: readonly Customer[], priceOf: (payer: Customer) => Micro): Move[] {
  const levels = payers.map((payer) => ({
    currency: payer.currency,
    prepaid: payer.prepaid,
    price: priceOf(payer),
  }));
  return sharesOf(levels).map(({ pays, prepaid }, index) => {
    const customer = payers[index] as Customer;
    if (pays > 0n && pays > customer.balance + creditOf(customer)) refuse(402);
    return { customer, amount: -pays, prepaid: -prepaid };
  });
}

/** A balance that falls loses its other part first. The prepaid part is never more than the balance. */
export function moveOf(customer: Customer, amount: Micro, prepaid: Micro = 0n): Move {
  const left = most(0n, customer.balance + amount);
  return { customer, amount, prepaid: least(most(0n, customer.prepaid + prepaid), left) - customer.prepaid };
}

/** A payment moves these balances. Who does not move has no entry. */
export function book(
  world: World,
  customer: Customer,
  kind: string,
  moved: readonly Move[],
  more: { notes?: string | null; time?: string | undefined; reverses?: Payment } = {},
): Payment {
  const { notes = null, time, reverses } = more;
  const moves = moved.filter(({ amount }) => amount !== 0n);
  const own = moves.find((move) => move.customer === customer);
  if (!own) throw new Error(`A payment of ${customer.id} does not move its balance`);
  const payment: Payment = {
    id: undefined,
    customer,
    kind,
    amount: own.amount,
    currency: customer.currency,
    notes,
    time,
    reverses,
    moves,
    reversed: false,
  };
  world.payments.push(payment);
  for (const { customer: account, amount, prepaid } of moves) {
    account.balance += amount;
    account.prepaid += prepaid;
    account.entries.push({ id: undefined, payment, amount, prepaid });
  }
  if (reverses) reverses.reversed = true;
  return payment;
}

/** What a customer may spend. */
export interface Spendable {
  readonly balance: Micro;
  readonly credit: Micro;
}

/**
 * Whoever is protected against overcommitment: all customers below it, at any depth, may spend no more together than it
 * has, with the tolerated part. A call that makes it more is refused.
 */
export function demandCommitment(world: World, after: ReadonlyMap<Customer, Spendable>): void {
  const exposure = ({ balance, credit }: Spendable): Micro => most(0n, balance) + credit;
  const now = (customer: Customer): Micro =>
    world.customers.includes(customer)
      ? exposure({ balance: customer.balance, credit: creditOf(customer) })
      : 0n;
  const then = (customer: Customer): Micro => {
    const changed = after.get(customer);
    return changed ? exposure(changed) : now(customer);
  };
  const sum = (customers: readonly Customer[], of: (customer: Customer) => Micro): Micro =>
    customers.reduce((total, customer) => total + of(customer), 0n);
  const everybody = [...new Set([...world.customers.filter(({ deleted }) => !deleted), ...after.keys()])];
  const above = new Set([...after.keys()].flatMap((customer) => payersFrom(customer).slice(1)));
  for (const owner of above) {
    if (owner.attributes['overcommit_protection'] !== true) continue;
    const below = everybody.filter((customer) => isBelow(owner, customer));
    const committed = sum(below, then);
    const tenths = BigInt(Math.round(numberOf(owner.attributes['overcommit_limit']) * 10));
    const balance = after.get(owner)?.balance ?? owner.balance;
    const isRise = committed > sum(below, now);
    if (isRise && committed * 1_000n > balance * (1_000n + tenths)) refuse(402);
  }
}

/** As the moves leave the balances. */
export function demandCommitmentOf(world: World, moves: readonly Move[]): void {
  const after = moves.map(({ customer, amount }): [Customer, Spendable] => [
    customer,
    { balance: customer.balance + amount, credit: creditOf(customer) },
  ]);
  demandCommitment(world, new Map(after));
}
