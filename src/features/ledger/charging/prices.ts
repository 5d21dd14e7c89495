/**
 * What making a number, a SIP user or a domain costs. Prices have an owner: root's are those of the platform, those of
 * a customer are what its direct customers pay it. Without a price of the owner, that of the next customer above holds.
 */
import { type Call, defineMethod } from '../../../core/call/method';
import { type Money, list, money, ok, oneOf, optional, struct, text } from '../../../core/schema/schema';
import { type Database, sql } from '../../../db/database';
import { notFound } from '../../../base/faults';

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

/** `$3` is the currency; null: that of the owner. */
const key = (owner: string): string =>
  `coalesce($3, (SELECT o.base_currency FROM customers o WHERE o.i_customer = ${owner}))`;
const setStatement = sql(
  'set_price',
  `WITH key AS (SELECT ${key('$1')} AS currency),
   before AS (
     SELECT p.amount FROM prices p JOIN key USING (currency) WHERE p.i_customer = $1 AND p.product = $2 FOR UPDATE OF p)
   INSERT INTO prices (i_customer, product, currency, amount) SELECT $1, $2, currency, $4 FROM key
   ON CONFLICT ON CONSTRAINT prices_pkey DO UPDATE SET amount = excluded.amount
   RETURNING currency, (SELECT trim_scale(amount)::text FROM before) AS before`,
);
const deleteStatement = sql(
  'delete_price',
  `DELETE FROM prices WHERE i_customer = $1 AND product = $2 AND currency = ${key('$1')}
   RETURNING currency, trim_scale(amount)::text AS before`,
);
const listStatement = sql(
  'list_prices',
  'SELECT product, currency, amount::text FROM prices WHERE i_customer = $1 ORDER BY product, currency',
);
async function setPrice(call: Call, params: PriceKey & { readonly amount: Money }) {
  const { product, amount } = params;
  const values = [call.actor.i_customer, product, params.currency ?? null, amount];
  const [row] = await call.db.query<{ currency: string; before: string | null }>(setStatement, values);
  if (!row) throw notFound();
  await recordPrice(call, 'U', { product, currency: row.currency }, [row.before, amount]);
  return { result: 'OK' as const, product, currency: row.currency };
}

async function deletePrice(call: Call, params: PriceKey) {
  const { product } = params;
  const values = [call.actor.i_customer, product, params.currency ?? null];
  const [row] = await call.db.query<{ currency: string; before: string }>(deleteStatement, values);
  if (!row) throw notFound('Price');
  await recordPrice(call, 'D', { product, currency: row.currency }, [row.before, null]);
  return { result: 'OK' as const, product, currency: row.currency };
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
