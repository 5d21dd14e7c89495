/**
 * What is made can cost. The one who calls pays, whoever the object is made for, out of its balance
 * and its credit limit, in the transaction that makes the object: no money, no object. Root's side
 * is the platform's account, so root never pays and is never short.
 */
import { exceeds, isZero, minus, negate, plain, sum } from '../core/decimal';
import type { Call } from '../core/method';
import { rootId } from '../core/rights';
import type { Money } from '../core/schema';
import { type Transaction, sql } from '../db/database';
import { Fault, conflict, notFound } from '../faults';
import { post } from './books';
import type { Product } from './prices';

const payerStatement = sql(
  'lock_payer',
  `SELECT c.balance::text AS balance, c.credit_limit::text AS credit_limit, c.base_currency AS currency,
     (SELECT p.amount::text FROM prices p WHERE p.product = $2 AND p.currency = c.base_currency) AS price,
     EXISTS (SELECT FROM prices p WHERE p.product = $2 AND p.amount > 0) AS priced
   FROM customers c WHERE c.i_customer = $1 AND c.deleted_at IS NULL FOR NO KEY UPDATE OF c`,
);

const isPricedStatement = sql('is_priced', 'SELECT FROM prices WHERE product = $1 AND amount > 0 LIMIT 1');

interface Payer {
  readonly balance: Money;
  readonly credit_limit: Money;
  readonly currency: string;
  /** In the payer's currency; null: there is none in it. */
  readonly price: Money | null;
  /** Whether it costs anything in any currency. */
  readonly priced: boolean;
}

/**
 * Charges the caller for one of the product; answers the payment, or null where it is free. Throws
 * fault 402 without the money, 409 where it is priced in other currencies only.
 */
export async function chargeCaller(call: Call, product: Product): Promise<number | null> {
  const { db, caller } = call;
  if (caller.kind !== 'login' || caller.actor.i_customer === rootId) return null;
  const { i_customer } = caller.actor;
  // What is free waits for nobody.
  if ((await db.query(isPricedStatement, [product])).length === 0) return null;
  const payer = await lockPayer(db, i_customer, product);
  if (!payer.priced) return null;
  if (payer.price === null) {
    throw conflict(`There is no price in ${payer.currency} for what is to be made (${product})`);
  }
  if (isZero(payer.price)) return null;
  demandMoney(payer, payer.price);
  const amount = negate(payer.price);
  const posted = await post(db, { kind: 'charge', i_customer, amount, request_id: call.request_id });
  if (!posted) throw notFound();
  const resource = `charge:i_customer=${i_customer}:amount=${plain(payer.price)} ${payer.currency}`;
  await call.audit({ action: 'FUNDS', resource, i_customer });
  return posted.i_payment;
}

async function lockPayer(db: Transaction, i_customer: number, product: Product): Promise<Payer> {
  const [payer] = await db.query<Payer>(payerStatement, [i_customer, product]);
  if (!payer) throw notFound();
  return payer;
}

function demandMoney({ balance, credit_limit, currency }: Payer, price: Money): void {
  const available = sum(balance, credit_limit);
  if (!exceeds(price, available)) return;
  throw new Fault(
    'short_of_money',
    `Not enough money: it costs ${plain(price)} ${currency}, ${minus(price, available)} more than there is`,
  );
}
