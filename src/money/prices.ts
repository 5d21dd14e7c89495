/**
 * What making a number, a SIP user or a domain costs. Prices have an owner: root's are those of the platform, those of
 * a customer are what its direct customers pay it. Without a price of the owner, that of the next customer above holds.
 */
import { type Call, defineMethod } from '../core/method';
import { type Money, list, money, ok, oneOf, optional, struct, text } from '../core/schema';
import { type Database, sql } from '../db/database';
import { notFound } from '../faults';

const products = ['sip_user', 'number', 'domain'] as const;
export type Product = (typeof products)[number];

interface Price {
  readonly product: Product;
  readonly currency: string;
  readonly amount: Money;
}

interface PriceKey {
  readonly product: Product;
  /** Absent: the base_currency of the actor. */
  readonly currency?: string;
}

const setStatement = sql(
  'set_price',
  `WITH before AS (
     SELECT amount FROM prices WHERE i_customer = $1 AND product = $2 AND currency = $3 FOR UPDATE)
   INSERT INTO prices (i_customer, product, currency, amount) VALUES ($1, $2, $3, $4)
   ON CONFLICT ON CONSTRAINT prices_pkey DO UPDATE SET amount = excluded.amount
   RETURNING (SELECT trim_scale(amount)::text FROM before) AS before`,
);
const deleteStatement = sql(
  'delete_price',
  `DELETE FROM prices WHERE i_customer = $1 AND product = $2 AND currency = $3
   RETURNING trim_scale(amount)::text AS before`,
);
const listStatement = sql(
  'list_prices',
  'SELECT product, currency, amount::text FROM prices WHERE i_customer = $1 ORDER BY product, currency',
);
const currencyStatement = sql(
  'base_currency',
  'SELECT base_currency AS currency FROM customers WHERE i_customer = $1',
);

async function currencyOf({ db, actor }: Call, { currency }: PriceKey): Promise<string> {
  if (currency !== undefined) return currency;
  const [row] = await db.query<{ currency: string }>(currencyStatement, [actor.i_customer]);
  if (!row) throw notFound();
  return row.currency;
}

async function setPrice(call: Call, params: PriceKey & { readonly amount: Money }) {
  const currency = await currencyOf(call, params);
  const { product, amount } = params;
  const values = [call.actor.i_customer, product, currency, amount];
  const [row] = await call.db.query<{ before: string | null }>(setStatement, values);
  await recordPrice(call, 'U', { product, currency }, [row?.before ?? null, amount]);
  return { result: 'OK' as const, product, currency };
}

async function deletePrice(call: Call, params: PriceKey) {
  const currency = await currencyOf(call, params);
  const { product } = params;
  const values = [call.actor.i_customer, product, currency];
  const [row] = await call.db.query<{ before: string }>(deleteStatement, values);
  if (!row) throw notFound('Price');
  await recordPrice(call, 'D', { product, currency }, [row.before, null]);
  return { result: 'OK' as const, product, currency };
}

const recordPrice = (
  call: Call,
  action: 'U' | 'D',
  { product, currency }: PriceKey,
  amount: readonly [string | null, string | null],
): Promise<void> =>
  call.audit({
    action,
    resource: `prices:product=${product}:currency=${currency ?? ''}`,
    i_customer: call.actor.i_customer,
    changes: { amount },
  });

async function listPrices({ db, actor }: Call<Database>) {
  return { result: 'OK' as const, prices: await db.query<Price>(listStatement, [actor.i_customer]) };
}

const common = { trusted: 'required' } as const;
const product = oneOf(products, 'What is made.');
const currency = text(3, 'ISO 4217.', { format: 'currency' });
const currencyOrOwn = optional(
  text(3, "ISO 4217; absent: the actor's base_currency.", { format: 'currency' }),
);

export const priceMethods = [
  defineMethod({
    ...common,
    name: 'setPrice',
    summary:
      'Sets what making one costs the direct customers of the actor; what was made before cost what it cost then.',
    access: 'write',
    right: 'tariffs_mgmt:edit',
    params: struct({
      product,
      amount: money('How much; 0: nothing.', 'money-not-negative'),
      currency: currencyOrOwn,
    }),
    result: struct({ result: ok, product, currency }),
    faults: [],
    run: setPrice,
  }),
  defineMethod({
    ...common,
    name: 'deletePrice',
    summary: 'Deletes a price of the actor: that of the next customer above holds again.',
    access: 'write',
    right: 'tariffs_mgmt:delete',
    params: struct({ product, currency: currencyOrOwn }),
    result: struct({ result: ok, product, currency }),
    faults: ['not_found'],
    run: deletePrice,
  }),
  defineMethod({
    ...common,
    name: 'listPrices',
    summary: 'Lists the prices of the actor; what is not listed costs what the next customer above takes.',
    access: 'read',
    right: 'none',
    params: struct({}),
    result: struct({
      result: ok,
      prices: list(struct({ product, currency, amount: money('How much.') }), 'The prices.'),
    }),
    faults: [],
    run: listPrices,
  }),
];
