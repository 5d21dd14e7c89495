/**
 * The rules of the customer calls. Each function runs inside the call's transaction and checks in
 * the order of docs/reference/faults.md: target, grant and depth, reference, conflict, money.
 */
import { ha1Of } from '../../core/auth/credentials';
import { isPositive, isZero, minus, negate } from '../../core/schema/decimal';
import { formats } from '../../core/schema/formats';
import type { Call, Id } from '../../core/call/method';
import { nameKey } from '../../core/schema/normalize-name';
import { assertSatisfiesPolicy } from '../../core/auth/password-policy';
import { assertGrantable, maskNames, switchNames } from '../../core/tree/rights';
import { type Change, type Wholesaler, findBelow, holdWholesaler } from '../../core/tree/tree';
import type { Database, Transaction } from '../../db/database';
import { badParameter, conflict, forbidden, notFound, wrongReference } from '../../base/faults';
import { enterOpening, hasEntries, post } from '../ledger/ledger';
import { lockOwner } from '../ledger/accounts';
import { closeAccount } from '../ledger/charging/closing';
import { exposureOf, moveAccount } from '../ledger/charging/consume';
import { assertCommitment } from '../ledger/charging/overcommit';
import { recordedChanges } from './audit-diff';
import {
  type CreateParams,
  type ImportParams,
  type UpdateParams,
  customerColumns,
  fallbacks,
} from './fields';
import * as queries from './queries';
import * as repository from './repository';
import type { References, Target } from './repository';

/** What a new customer stands on, held until it is made, and its id. */
export const loadForCreation = (db: Transaction, actor: Id, params: ImportParams) =>
  Promise.all([
    holdWholesaler(db, actor, undefined, changeOf(params)),
    repository.checkReferences(db, actor, undefined, params),
    repository.nextId(db),
  ]);

/** Creates a customer as a step of something larger, which is told here what the database refuses. */
export const createCustomer: typeof createCustomerWithCommit = async (call, ...given) => {
  const made = await createCustomerWithCommit(call, ...given);
  await call.db.flush();
  return made;
};

/**
 * Creates a customer directly below the actor; only an operator's import leaves out the password. What
 * is written goes together with COMMIT.
 */
export async function createCustomerWithCommit(
  call: Call,
  params: ImportParams,
  password_hash: string | undefined,
  found?: Awaited<ReturnType<typeof loadForCreation>>,
) {
  const { db } = call;
  const web_login = params.web_login ?? params.name;
  const balance = params.balance ?? '0';

  const [wholesaler, references, i_customer] = found ?? (await loadForCreation(db, call.actor, params));
  if (!wholesaler) throw notFound();
  assertPolicy(params, references);
  assertGrants(call, wholesaler, params, 0, references);
  assertFits(wholesaler);
  const max_depth = grantedDepth(wholesaler, params.max_depth);
  assertReferences(params, references);

  repository.insertCustomer(db, {
    i_customer,
    wholesaler,
    base_currency: references.tariff_currency ?? wholesaler.base_currency,
    web_login,
    password_hash: password_hash ?? null,
    column: columnsOf(params, { balance, max_depth }),
  });
  if (typeof params.api_password === 'string') {
    storeApiPassword(call, i_customer, web_login, params.api_password);
  }
  if (!isZero(balance)) enterOpening(db, { i_customer, request_id: call.request_id });
  if (wholesaler.is_bounded) {
    const risen = exposureOf({ balance, credit_limit: params.credit_limit ?? '0' });
    await assertCommitment(call, [{ path: [...wholesaler.path, i_customer], risen }]);
  }
  const changes = recordedChanges({}, params);
  changes['web_login'] = [null, web_login];
  if (params.web_password === undefined) changes['web_password'] = [null, 'none'];
  await call.audit({ action: 'A', resource: `customers:i_customer=${i_customer}`, i_customer, changes });
  return { result: 'OK' as const, i_customer };
}

type Values = Readonly<Record<string, unknown>>;

/** What a new customer has: what was decided here, what was given, or what the definition says. */
const columnsOf =
  (given: Values, decided: Values) =>
  (name: string): unknown => {
    if (name in decided) return decided[name];
    return name in given ? given[name] : fallbacks[name];
  };

/** The attributes that its wholesaler has a say in; for others nothing of it is looked at. */
const wholesalersAffair = ['i_tariff', 'balance', 'credit_limit', 'max_depth', ...maskNames, ...switchNames];

/** The customer as it is, and what the change stands on. Downwards: the wholesaler's row is locked before the customer's. */
export const loadForUpdate = (db: Transaction, actor: Id, params: UpdateParams) =>
  Promise.all([
    wholesalersAffair.some((name) => name in params)
      ? holdWholesaler(db, actor, params.i_customer, changeOf(params))
      : undefined,
    repository.lockTarget(db, actor, params),
    repository.checkReferences(db, actor, params.i_customer, params),
  ]);

/** Changes a customer as a step of something larger, which is told here what the database refuses. */
export const updateCustomer: typeof updateCustomerWithCommit = async (call, ...given) => {
  const changed = await updateCustomerWithCommit(call, ...given);
  await call.db.flush();
  return changed;
};

/** Changes what is given; what is absent stays as it is. What is written goes together with COMMIT. */
export async function updateCustomerWithCommit(
  call: Call,
  params: UpdateParams,
  password_hash: string | undefined,
  found?: Awaited<ReturnType<typeof loadForUpdate>>,
) {
  const { i_customer } = params;
  const [wholesaler, target, references] = found ?? (await loadForUpdate(call.db, call.actor, params));
  if (!target) throw notFound();

  const newLogin =
    params.web_login !== undefined && params.web_login !== target.web_login ? params.web_login : undefined;
  if (newLogin !== undefined && references.has_api_password && params.api_password === undefined) {
    throw badParameter(
      'api_password',
      'is required, because it is kept together with the web_login that changes',
    );
  }
  assertPolicy(params, references);
  const { i_tariff, ...others } = params;
  assertGrants(
    call,
    wholesaler,
    i_tariff === target.i_tariff ? others : params,
    target.api_access,
    references,
  );
  if (wholesaler && params.max_depth !== undefined) grantedDepth(wholesaler, params.max_depth);
  assertReferences(params, references);
  if (params.i_commission_agent === i_customer) throw wrongReference('i_commission_agent');

  await changeTariff(call, params, target, references.tariff_currency ?? wholesaler?.base_currency);
  writeColumns(call, params);
  writeLogin(call, i_customer, newLogin, password_hash);
  if (params.name !== undefined && params.name !== target.attributes['name']) {
    repository.renameLogins(call.db, i_customer, params.name);
  }
  if (params.api_password !== undefined) {
    storeApiPassword(call, i_customer, newLogin ?? target.web_login, params.api_password);
  }
  await moveMoney(call, target, params, wholesaler?.is_bounded ?? false);
  const changes = recordedChanges(target.attributes, params);
  await call.audit({ action: 'U', resource: `customers:i_customer=${i_customer}`, i_customer, changes });
  return { result: 'OK' as const };
}

/** Blocks a customer: nobody at or below it may log in or call until it is unblocked; at once, everywhere. */
export const blockCustomer = (call: Call, params: Named) => setBlocked(call, params, true);

export const unblockCustomer = (call: Call, params: Named) => setBlocked(call, params, false);

interface Named {
  readonly i_customer: number;
}

async function setBlocked(call: Call, { i_customer }: Named, blocked: boolean) {
  if (!(await findBelow(call.db, call.actor, i_customer))) throw notFound();
  const changed = await repository.setBlocked(call.db, i_customer, blocked);
  if (changed) {
    const resource = `customers:i_customer=${i_customer}`;
    await call.audit({ action: 'U', resource, i_customer, changes: { blocked: [!blocked, blocked] } });
  }
  return { result: 'OK' as const };
}

/** The customer, held against everything, whether anybody stands below it, and its owner's account. */
export const loadForDeletion = (db: Transaction, actor: Id, { i_customer }: Named) =>
  Promise.all([
    lockOwner(db, actor, i_customer),
    repository.lockDoomed(db, actor, i_customer),
    repository.hasSubCustomers(db, i_customer),
  ]);

/**
 * Deletes a customer that nobody stands below. Its money is closed by a payment, and returned: what it was, what of it
 * went to its owner. `keepMoney`: fault 409 where it still holds money.
 */
export async function deleteCustomer(
  call: Call,
  params: Named,
  _prepared?: undefined,
  found?: Awaited<ReturnType<typeof loadForDeletion>>,
  keepMoney = false,
) {
  const { db } = call;
  const { i_customer } = params;
  const [owner, target, hasSubCustomers] = found ?? (await loadForDeletion(db, call.actor, params));
  if (!target) throw notFound();
  if (hasSubCustomers) throw conflict('The customer still has sub-customers');
  if (keepMoney && isPositive(target.balance)) {
    throw conflict('The customer still holds money: close_balance=true deletes it all the same');
  }
  const [closed] = await Promise.all([
    closeAccount(call, target, owner),
    repository.markDeleted(db, i_customer),
  ]);
  await call.audit({ action: 'D', resource: `customers:i_customer=${i_customer}`, i_customer });
  return { result: 'OK' as const, ...closed };
}

/** The actor itself or a customer below it. */
export async function getCustomerInfo(call: Call<Database>, params: { i_customer?: number; name?: string }) {
  const customer = await queries.findInfo(call.db, call.actor, params.i_customer ?? params.name ?? '');
  if (!customer) throw notFound();
  const inverted = call.config.balance_sign === 'inverted';
  return {
    result: 'OK' as const,
    customer: inverted ? { ...customer, balance: negate(customer.balance) } : customer,
  };
}

type Grants = Partial<Pick<CreateParams, 'i_tariff' | 'api_access' | 'api_password'>>;

/** What a change means for the wholesaler's row. */
const changeOf = (params: Partial<CreateParams>): Change => ({
  inherits: params.i_tariff === null,
  moves: params.balance !== undefined || params.credit_limit !== undefined,
});

/** Without a `web_login` the name becomes the login, so it must be fit for one. */
export function assertLoginFromName(params: ImportParams): void {
  if (params.web_login !== undefined) return;
  const problem = formats.login(params.name);
  if (problem !== undefined)
    throw badParameter('web_login', `is required, because a login ${problem}, and the name does not fit`);
}

/**
 * What only some may set: rights where the actor and the wholesaler, which is the actor or below it,
 * hold them, API access by those with api_mgmt, the own tariff by those allowed to.
 */
function assertGrants(
  call: Call,
  wholesaler: Wholesaler | undefined,
  params: Grants,
  api_access: number,
  { has_api_password }: References,
): void {
  const { rights } = call.actor;
  if (wholesaler) assertGrantable(wholesaler.rights, params);
  const changesAccess = params.api_access !== undefined && params.api_access !== api_access;
  const changesPassword =
    typeof params.api_password === 'string' || (params.api_password === null && has_api_password);
  if ((changesAccess || changesPassword) && !rights.api_mgmt) {
    throw forbidden(
      `Parameter ${changesAccess ? 'api_access' : 'api_password'} can be set only by those with api_mgmt`,
    );
  }
  if (params.i_tariff === null && !rights.use_own_tariff) {
    throw forbidden(
      'Parameter i_tariff cannot be nil: the right to use the own tariff (use_own_tariff) is missing',
    );
  }
}

/** Root is the first level. The constraint customers_depth_check holds the same. */
const maxLevels = 64;

/** A new customer must fit under everybody above it. */
function assertFits(wholesaler: Wholesaler): void {
  if (wholesaler.path.length >= maxLevels) {
    throw forbidden(`Too deep: a tree of customers has at most ${maxLevels} levels`);
  }
  if (wholesaler.levels_left !== null && wholesaler.levels_left < 1) {
    throw forbidden('Too deep: max_depth of a customer above allows no further level');
  }
}

/** At most one level less than the wholesaler has, where none is the least; absent, just that. */
function grantedDepth(wholesaler: Wholesaler, max_depth: number | null | undefined): number | null {
  const limit = wholesaler.max_depth === null ? null : Math.max(wholesaler.max_depth - 1, 0);
  if (max_depth === undefined) return limit;
  if (limit !== null && (max_depth === null || max_depth > limit)) {
    throw forbidden(`Parameter max_depth must be at most ${limit}, one less than its wholesaler has`);
  }
  return max_depth;
}

/** Throws fault 400; a policy that does not exist is left for `assertReferences` to name. */
function assertPolicy(params: Partial<CreateParams>, { policy }: References): void {
  if (params.web_password !== undefined && policy) assertSatisfiesPolicy(params.web_password, policy);
}

/** Throws fault 401 for the first reference that is wrong. */
function assertReferences(params: Partial<CreateParams>, references: References): void {
  if (typeof params.i_tariff === 'number' && references.tariff_currency === null)
    throw wrongReference('i_tariff');
  const [wrong] = references.wrong;
  if (wrong !== undefined) throw wrongReference(wrong);
}

function storeApiPassword(call: Call, i_customer: number, web_login: string, password: string | null): void {
  const sealed = password === null ? null : call.credentials.sealHa1(ha1Of(web_login, password), i_customer);
  repository.setApiPassword(call.db, i_customer, sealed);
}

/** Writes the attributes that are plain columns; the balance is moved by the books. */
function writeColumns(call: Call, params: UpdateParams): void {
  const given: Record<string, unknown> = params;
  const names = customerColumns.filter((name) => name in given && name !== 'balance');
  const columns = Object.fromEntries(names.map((name) => [name, given[name]]));
  const key = params.name === undefined ? {} : { name_key: nameKey(params.name) };
  repository.updateCustomerColumns(call.db, params.i_customer, { ...columns, ...key });
}

function writeLogin(
  call: Call,
  i_customer: number,
  web_login: string | undefined,
  password_hash: string | undefined,
): void {
  if (web_login === undefined && password_hash === undefined) return;
  repository.updateDefaultUser(call.db, i_customer, web_login ?? null, password_hash ?? null);
}

/** The currency follows the tariff, for everybody who is billed by it; those with entries in the books keep theirs. */
async function changeTariff(
  call: Call,
  params: UpdateParams,
  target: Target,
  currency: string | undefined,
): Promise<void> {
  if (params.i_tariff === undefined || currency === undefined || currency === target.base_currency) return;
  const changed = await repository.changeCurrency(call.db, target.i_customer, currency);
  if (await hasEntries(call.db, changed)) {
    throw conflict(
      `The tariff would change the currency from ${target.base_currency} to ${currency}, but there are entries in the books`,
    );
  }
}

/** Posts the difference between the balance that is and the one that is wanted, within overcommit limits. */
async function moveMoney(
  call: Call,
  target: Target,
  params: UpdateParams,
  is_bounded: boolean,
): Promise<void> {
  const { balance = target.balance, credit_limit = target.credit_limit } = params;
  const amount = minus(balance, target.balance);
  const { i_customer, path } = target;
  const risen = minus(exposureOf({ balance, credit_limit }), exposureOf(target));
  const movements = [moveAccount(target, amount)];
  await Promise.all([
    !isZero(amount) &&
      post(call.db, { kind: 'adjustment', i_customer, movements, request_id: call.request_id }),
    is_bounded && assertCommitment(call, [{ path, risen }]),
  ]);
}
