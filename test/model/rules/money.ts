/** The rules of money: the books, moving it, charging for what is made, and reading what was booked. */
import {
  type Customer,
  type Members,
  type Micro,
  type Payment,
  type ThingKind,
  type World,
  isBelow,
  isWithin,
  micro,
  prices,
  subCustomers,
  wire,
} from '../world';
import {
  type Caller,
  type Expected,
  type Law,
  type Laws,
  type Rule,
  below,
  edit,
  refuse,
  unknown,
  within,
} from './law';

/** No top-up may bring what an owner's sub-customers have together above what the owner may commit. */
export function demandCommitment(world: World, topped: Customer, balance: Micro): void {
  const { owner } = topped;
  if (owner?.attributes['overcommit_protection'] !== true || balance <= 0n) return;
  const others = subCustomers(world, owner).filter((each) => each !== topped && each.balance > 0n);
  const committed = others.reduce((sum, each) => sum + each.balance, balance);
  const tenths = BigInt(Math.round(Number(owner.attributes['overcommit_limit'] ?? 0) * 10));
  if (committed * 1_000n > owner.balance * (1_000n + tenths)) refuse(402);
}

export function book(
  world: World,
  customer: Customer,
  kind: string,
  amount: Micro,
  more: { notes?: string | null; time?: string | undefined; reverses?: Payment; payer?: Customer } = {},
): Payment {
  const { notes = null, time, reverses, payer } = more;
  const { currency } = customer;
  const payment: Payment = {
    id: undefined,
    customer,
    kind,
    amount,
    currency,
    notes,
    time,
    reverses,
    reversed: false,
  };
  world.payments.push(payment);
  customer.balance += amount;
  customer.entries.push({ id: undefined, payment, amount });
  if (payer) {
    payer.balance -= amount;
    payer.entries.push({ id: undefined, payment, amount: -amount });
  }
  if (reverses) reverses.reversed = true;
  return payment;
}

/** The new payment's id is the answer. */
const booked = (payment: () => Payment): Expected => ({
  result: { result: 'OK' },
  adopts: 'i_payment',
  adopt: ({ i_payment }) => {
    payment().id = Number(i_payment);
  },
});

const funds =
  (kind: string, sign: 1n | -1n): Rule =>
  (ground) => {
    const { world, params } = ground;
    const target = below(ground);
    if (params['currency'] !== target.currency) refuse(400);
    const amount = sign * micro(Number(params['amount']));
    if (amount > 0n) demandCommitment(world, target, target.balance + amount);
    const notes = typeof params['payment_notes'] === 'string' ? params['payment_notes'] : null;
    const time = params['payment_time'] === undefined ? undefined : '09:57:29.000 GMT Wed Nov 18 2009';
    return booked(() => book(world, target, kind, amount, { notes, time }));
  };

const transferFunds: Rule = (ground) => {
  const { world, actor, params } = ground;
  const target = below(ground);
  const amount = micro(Number(params['amount']));
  demandTransferable(world, actor, target, amount);
  return booked(() => transfer(world, actor, target, amount));
};

/** A transfer is in one currency, and of what there is; root's side is the platform, which is never short. */
export function demandTransferable(world: World, giver: Customer, taker: Customer, amount: Micro): void {
  if (giver === world.root) return;
  if (taker.currency !== giver.currency) refuse(400);
  if (amount > giver.balance) refuse(402);
}

export const transfer = (world: World, giver: Customer, taker: Customer, amount: Micro): Payment =>
  book(world, taker, 'transfer', amount, giver === world.root ? {} : { payer: giver });

const reversePayment: Rule = (ground) => {
  const { world, actor, params } = ground;
  const payment = world.payments.find(({ id }) => id === params['i_payment']);
  if (!payment || payment.customer.deleted || !isBelow(actor, payment.customer)) return refuse(404);
  if (payment.kind === 'transfer' || payment.kind === 'reversal' || payment.reversed) refuse(409);
  const { customer, amount } = payment;
  if (amount < 0n) demandCommitment(world, customer, customer.balance - amount);
  return booked(() => book(world, customer, 'reversal', -amount, { reverses: payment }));
};

/** A payment as it is seen from an account. */
function seenPayment(payment: Payment, customer: Customer, amount: Micro): Members {
  return {
    i_payment: payment.id ?? unknown,
    i_customer: customer.id,
    type: amount < 0n ? 'debit' : 'credit',
    kind: payment.kind,
    amount: wire(amount < 0n ? -amount : amount),
    currency: payment.currency,
    payment_time: payment.time ?? null,
    payment_notes: payment.notes,
    i_reversed: payment.reverses?.id ?? null,
    reversed: payment.reversed,
  };
}

/** A time that nobody gave is the moment of the call, which the model does not know. */
const withoutNow = (payment: Members): Members =>
  payment['payment_time'] === '09:57:29.000 GMT Wed Nov 18 2009'
    ? payment
    : { ...payment, payment_time: null };

const getPaymentsList: Rule = (ground) => {
  const { offset, limit, type } = ground.params;
  const customer = within(ground, true);
  const wanted = customer.entries
    .map(({ payment, amount }) => seenPayment(payment, customer, amount))
    .filter((payment) => type === undefined || payment['type'] === type)
    .slice(Number(offset ?? 0))
    .slice(0, limit === undefined ? undefined : Number(limit));
  const see = ({ payments }: Members): unknown => ({ payments: (payments as Members[]).map(withoutNow) });
  return { result: { payments: wanted }, see };
};

const getPaymentInfo: Rule = ({ world, actor, params }) => {
  const payment = world.payments.find(({ id }) => id === params['i_payment']);
  if (!payment || !isWithin(actor, payment.customer)) return refuse(404);
  const seen = seenPayment(payment, payment.customer, payment.amount);
  return {
    result: { payment: seen },
    see: (answer) => ({ payment: withoutNow(answer['payment'] as Members) }),
  };
};

const getStatement: Rule = (ground) => {
  const customer = within(ground, true);
  let balance = 0n;
  const entries = customer.entries.map(({ payment, amount }) => ({
    i_payment: payment.id ?? unknown,
    kind: payment.kind,
    amount: wire(amount),
    balance: wire((balance += amount)),
    payment_notes: payment.notes,
  }));
  const see = (answer: Members): unknown => ({
    ...answer,
    entries: (answer['entries'] as Members[]).map(({ booked_at: _now, ...entry }) => entry),
  });
  return { result: { result: 'OK', opening: 0, entries, closing: wire(balance) }, see };
};

/** What the caller is charged for one: the money must be there before the thing is. Root's account is the platform's. */
export function priceFor(world: World, { customer }: Caller, kind: ThingKind): Micro {
  const list = prices[kind] ?? {};
  const isPriced = Object.values(list).some((price) => price > 0n);
  if (customer === world.root || !isPriced) return 0n;
  const price = list[customer.currency];
  if (price === undefined) return refuse(409);
  const available = customer.balance + micro(Number(customer.attributes['credit_limit']));
  if (price > 0n && price > available) refuse(402);
  return price;
}

const moving = (rule: Rule): Law => ({
  right: ['customers_mgmt', edit],
  check: ({ amount }) => {
    if (typeof amount === 'number' && amount <= 0) refuse(400);
  },
  rule,
});

export const moneyLaws: Laws = {
  customerAddFunds: moving(funds('add_funds', 1n)),
  customerCredit: moving(funds('credit', 1n)),
  customerDebit: moving(funds('debit', -1n)),
  transferFunds: moving(transferFunds),
  reversePayment: moving(reversePayment),
  getPaymentsList: { rule: getPaymentsList },
  getPaymentInfo: { rule: getPaymentInfo },
  getStatement: { rule: getStatement },
};
