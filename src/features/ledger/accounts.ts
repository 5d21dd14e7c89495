/**
 * The accounts of a payment, locked. Every payment locks from root downwards, which is the order of the ids: a customer
 * is made after its owner. So two payments never wait for each other.
 */
import type { Call, Id } from '../../core/call/method';
import { rootId } from '../../core/tree/rights';
import type { Money } from '../../core/schema/schema';
import { type Statement, type Transaction, sql } from '../../db/database';
import { isBelow } from '../../core/tree/visibility';

/** A customer as an account in the books, its row locked. */
export interface Account {
  readonly i_customer: number;
  readonly i_wholesaler: number;
  /** Ids from root down to the customer itself. */
  readonly path: readonly number[];
  readonly balance: Money;
  readonly prepaid: Money;
  readonly credit_limit: Money;
  readonly currency: string;
}

export const accountColumns = `c.i_customer, c.i_wholesaler, to_json(c.path) AS path, c.balance::text AS balance, c.prepaid::text AS prepaid,
  c.credit_limit::text AS credit_limit, c.base_currency AS currency`;

/** Which customers above the target are locked, beside those whose overcommit limit counts it. */
type Above = 'nobody' | 'owner' | 'actor' | 'everybody';

const conditions: Readonly<Record<Above, string>> = {
  nobody: 'c.i_customer = t.i_customer',
  /** The target itself is locked by the caller, more strongly. */
  owner: 'c.i_customer = t.i_wholesaler',
  /** The actor and everybody above it. */
  actor: 'c.i_customer = t.i_customer OR c.i_customer <= $2',
  everybody: 'true',
};

/** `$1` is the target, `$2` the actor, which is above it. Root has no account: its side is the platform's. */
const lockStatement = (above: Above, key: 'i_customer' | 'uuid' = 'i_customer'): Statement =>
  sql(
    `lock_accounts_${above}_${key}`,
    `SELECT ${accountColumns}, c.i_customer = t.i_customer AS is_target
     FROM customers t JOIN customers c ON c.i_customer = ANY(t.path[2:])
     WHERE t.${key} = $1 AND ${isBelow('t', '$2')} AND t.deleted_at IS NULL AND c.deleted_at IS NULL
       AND (${conditions[above]} OR c.overcommit_protection AND c.i_customer <> t.i_customer)
     ORDER BY c.i_customer FOR NO KEY UPDATE OF c`,
  );

const accountStatement = lockStatement('nobody');
const chainStatement = lockStatement('everybody');
const ownerStatement = lockStatement('owner');
const transferStatements = { i_customer: lockStatement('actor'), uuid: lockStatement('actor', 'uuid') };

type Locked = Account & { readonly is_target: boolean };

const lockBy = (db: Transaction, statement: Statement, actor: Id, key: number | string): Promise<Locked[]> =>
  db.query<Locked>(statement, [key, actor.i_customer]);

/** Locks a customer below the actor; undefined: there is no such customer. */
export async function lockAccount(
  db: Transaction,
  actor: Id,
  i_customer: number,
): Promise<Account | undefined> {
  const accounts = await lockBy(db, accountStatement, actor, i_customer);
  return accounts.find(({ is_target }) => is_target);
}

/** Locks a customer below the actor and everybody above it but root; the customer first, then upwards. */
export async function lockChain(db: Transaction, actor: Id, i_customer: number): Promise<readonly Account[]> {
  const accounts = await lockBy(db, chainStatement, actor, i_customer);
  return accounts.some(({ is_target }) => is_target) ? accounts.reverse() : [];
}

/** Locks the owner of a customer below the actor; undefined: it is root. The customer is left to the caller. */
export async function lockOwner(
  db: Transaction,
  actor: Id,
  i_customer: number,
): Promise<Account | undefined> {
  const accounts = await lockBy(db, ownerStatement, actor, i_customer);
  return accounts.at(-1);
}

/** The accounts between which credit is handed on. */
export interface TransferAccounts {
  /** The actor first, then upwards; nobody for root, whose side is the platform. */
  readonly givers: readonly Account[];
  /** Undefined: there is no such customer below the actor. */
  readonly receiver: Account | undefined;
}

/** Locks the accounts of a transfer from the actor to a customer below it, by id or uuid. */
export async function lockTransfer(
  db: Transaction,
  actor: Id,
  key: number | string,
): Promise<TransferAccounts> {
  const statement = transferStatements[typeof key === 'number' ? 'i_customer' : 'uuid'];
  const accounts = await lockBy(db, statement, actor, key);
  return {
    givers: accounts.filter(({ i_customer }) => i_customer <= actor.i_customer).reverse(),
    receiver: accounts.find(({ is_target }) => is_target),
  };
}

/**
 * Whether whoever called may know the figures of the account: it is its own, or below it. Those who prove nothing but
 * their place, an operator or a trusted host, see all.
 */
export const maySee = ({ caller }: Pick<Call, 'caller'>, { path }: Pick<Account, 'path'>): boolean =>
  path.includes(caller.kind === 'login' ? caller.actor.i_customer : rootId);
