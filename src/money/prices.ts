/** What making a number, a SIP user or a domain costs. Prices are the operator's: no face sets them. */
import { type Call, defineMethod } from '../core/method';
import { rootId } from '../core/rights';
import { type Money, money, ok, oneOf, optional, list, struct, text } from '../core/schema';
import { type Database, sql } from '../db/database';

const products = ['sip_user', 'number', 'domain'] as const;
export type Product = (typeof products)[number];

interface Price {
  readonly product: Product;
  readonly currency: string;
  readonly amount: Money;
}

const setStatement = sql(
  'set_price',
  `WITH before AS (SELECT amount FROM prices WHERE product = $1 AND currency = $2 FOR UPDATE)
   INSERT INTO prices (product, currency, amount) VALUES ($1, $2, $3)
   ON CONFLICT ON CONSTRAINT prices_pkey DO UPDATE SET amount = excluded.amount
   RETURNING (SELECT trim_scale(amount)::text FROM before) AS before`,
);
const listStatement = sql(
  'list_prices',
  'SELECT product, currency, amount::text FROM prices ORDER BY product, currency',
);
const rootCurrencyStatement = sql(
  'root_currency',
  'SELECT base_currency AS currency FROM customers WHERE i_customer = $1',
);

async function setPrice(call: Call, params: { product: Product; amount: Money; currency?: string }) {
  const [root] = await call.db.query<{ currency: string }>(rootCurrencyStatement, [rootId]);
  const currency = params.currency ?? root?.currency ?? '';
  const { product, amount } = params;
  const [row] = await call.db.query<{ before: string | null }>(setStatement, [product, currency, amount]);
  const changes = { amount: [row?.before ?? null, amount] as const };
  await call.audit({
    action: 'U',
    resource: `prices:product=${product}:currency=${currency}`,
    i_customer: rootId,
    changes,
  });
  return { result: 'OK' as const, product, currency };
}

async function listPrices(call: Call<Database>) {
  return { result: 'OK' as const, prices: await call.db.query<Price>(listStatement) };
}

const common = { right: 'root', trusted: 'optional' } as const;
const product = oneOf(products, 'What is made.');
const currency = text(3, 'ISO 4217.', { format: 'currency' });

export const priceOperatorMethods = [
  defineMethod({
    ...common,
    name: 'setPrice',
    summary: 'Sets what making one costs; what was made before cost what it cost then.',
    access: 'write',
    params: struct({
      product,
      amount: money('How much; 0: nothing.', 'money-not-negative'),
      currency: optional(text(3, "ISO 4217; absent: root's base_currency.", { format: 'currency' })),
    }),
    result: struct({ result: ok, product, currency }),
    faults: [],
    run: setPrice,
  }),
  defineMethod({
    ...common,
    name: 'listPrices',
    summary: 'Lists what making things costs; what is not listed costs nothing.',
    access: 'read',
    params: struct({}),
    result: struct({
      result: ok,
      prices: list(struct({ product, currency, amount: money('How much.') }), 'The prices.'),
    }),
    faults: [],
    run: listPrices,
  }),
];
