/**
 * What is made can cost. The one who calls pays, whoever the object is made for, and everybody above it pays its own
 * owner, in the transaction that makes the object: no money, no object. Root pays nobody.
 */
import { isZero, plain } from '../../../core/schema/decimal';
import type { Call } from '../../../core/call/method';
import { rootId } from '../../../core/tree/rights';
import type { Money } from '../../../core/schema/schema';
import { type Transaction, sql } from '../../../db/database';
import { conflict, notFound } from '../../../base/faults';
import { type Account, accountColumns, maySee } from '../accounts';
import { post } from '../ledger';
import { chargeLevels } from './levels';
import type { Product } from './prices';
import { isSelfOrAbove } from '../../../core/tree/visibility';

/**
 * `$1` is the payer, `$2` the product. The price of a level is that of the nearest customer above it that has one in
 * its currency. What costs nothing at any level locks nobody.
 */
const payersStatement = sql(
  'lock_payers',
  `SELECT ${accountColumns},
     (SELECT p.amount::text FROM prices p
      WHERE ${isSelfOrAbove('p', 'c')} AND p.i_customer <> c.i_customer AND p.product = $2 AND p.currency = c.base_currency
      ORDER BY p.i_customer DESC LIMIT 1) AS price,
     EXISTS (SELECT FROM prices p
      WHERE ${isSelfOrAbove('p', 'c')} AND p.i_customer <> c.i_customer AND p.product = $2 AND p.amount > 0) AS priced
   FROM customers t JOIN customers c ON c.i_customer = ANY(t.path[2:])
   WHERE t.i_customer = $1 AND c.deleted_at IS NULL AND EXISTS (
     SELECT FROM prices p
     WHERE ${isSelfOrAbove('p', 't')} AND p.i_customer <> t.i_customer AND p.product = $2 AND p.amount > 0)
   ORDER BY c.i_customer FOR NO KEY UPDATE OF c`,
);

interface Payer extends Account {
  /** What it pays its owner; null: there is no price in its currency. */
  readonly price: Money | null;
  /** Whether it costs anything in any currency. */
  readonly priced: boolean;
}

/** Locks who pays for one of the product, the caller first, then upwards; nobody where it is free, or for root. */
export async function lockPayers(call: Call, product: Product): Promise<readonly Payer[]> {
  const { db, caller } = call;
  if (caller.kind !== 'login' || caller.actor.i_customer === rootId) return [];
  return payersOf(db, caller.actor.i_customer, product);
}

const payersOf = async (db: Transaction, i_customer: number, product: Product): Promise<readonly Payer[]> =>
  (await db.query<Payer>(payersStatement, [i_customer, product])).reverse();

/**
 * Charges everybody who was locked for one of the product. Returns the payment of the caller, or null where it pays
 * nothing itself. Throws fault 402 without the money, 409 where there is no price in a payer's currency.
 */
export async function chargePayers(
  call: Call,
  product: Product,
  payers: readonly Payer[],
): Promise<number | null> {
  const [payer] = payers;
  if (!payer || call.caller.kind !== 'login') return null;
  // Deleted since it proved its password.
  if (payer.i_customer !== call.caller.actor.i_customer) throw notFound();
  const accounts = payers.map((account) => ({ ...account, price: priceOf(call, account, product) }));
  const movements = chargeLevels(call, accounts);
  // The lowest one that pays: a seller may give away what costs it money.
  const paying = movements.findIndex(({ amount }) => !isZero(amount));
  const first = payers[paying];
  if (!first) return null;
  const { i_customer } = first;
  const i_payment = await post(call.db, {
    kind: 'charge',
    i_customer,
    movements,
    request_id: call.request_id,
  });
  const amount = (movements[paying]?.amount ?? '0').replace('-', '');
  const resource = `charge:i_customer=${i_customer}:amount=${plain(amount)} ${first.currency}`;
  await call.audit({ action: 'FUNDS', resource, i_customer });
  return first === payer ? i_payment : null;
}

function priceOf(call: Call, account: Payer, product: Product): Money {
  if (account.price !== null) return account.price;
  if (!account.priced) return '0';
  const currency = maySee(call, account) ? ` in ${account.currency}` : '';
  throw conflict(`There is no price${currency} for what is to be made (${product})`);
}
