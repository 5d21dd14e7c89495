/**
 * The customers of a reseller. It is the core's customer with its own members: made without a
 * tariff of its own, with its users, addresses and address ranges in one transaction or not at all.
 */
import { asRanges } from '../../base/config';
import { changesBetween } from '../../core/call/audit';
import { readPage } from '../../core/call/bounded-rows';
import { isUuid } from '../../core/schema/formats';
import { withFieldAliases } from '../../core/schema/field-aliases';
import type { Call, Id } from '../../core/call/method';
import type { Page } from '../../core/call/operation';
import type { Money } from '../../core/schema/schema';
import {
  loadForCreation,
  createCustomer,
  deleteCustomer,
  updateCustomer,
} from '../../features/customers/service';
import type { Database, Queryable, Transaction } from '../../db/database';
import { badParameter, notFound, wrongReference } from '../../base/faults';
import { type TransferAccounts, lockTransfer } from '../../features/ledger/accounts';
import { transferFunds } from '../../features/ledger/funds';
import { type Address, addressKind } from '../../features/resources/kinds';
import { makeOwned } from '../../features/resources/service';
import {
  type CustomerRow,
  findReseller,
  findResellerId,
  hasPeople,
  listResellers,
  placeOfReseller,
  setDetails,
} from './repository';
import { assertStore, findStore } from './stores';
import { type NewUser, createUser, assertRole } from './users';

export interface Replacement {
  readonly name: string;
  readonly contact_name: string;
  readonly phone?: string | null;
  readonly allow_outbound?: boolean;
  readonly store_front?: string | null;
  readonly ip_addresses?: readonly { readonly ip_range: string }[];
}

export interface NewReseller extends Replacement {
  readonly users?: readonly NewUser[];
  readonly addresses?: readonly Address[];
}

const words = { contact: 'contact_name', web_login: 'name', i_customer: 'balance' };

/** Throws fault 400: a store front needs people. */
export function assertPeopleOfStore(given: People): void {
  const { store_front = null } = given;
  if (store_front !== null) assertPeople(given);
}

/** The passwords of the users, one after the other: each waits for its turn. */
export async function hashPasswords(
  { users = [] }: People,
  hash: (password: string) => Promise<string>,
): Promise<string[]> {
  const hashes: string[] = [];
  for (const { password } of users) hashes.push(await hash(password));
  return hashes;
}

/** The core's customer: it is billed by its owner's tariff. */
const coreOf = ({ name, contact_name: contact, phone = null }: NewReseller) => ({
  i_tariff: null,
  name,
  contact,
  phone,
});

/** The store, and what the new customer stands on. */
export const loadForResellerCreation = (db: Transaction, actor: Id, given: NewReseller) =>
  Promise.all([
    given.store_front === undefined || given.store_front === null
      ? null
      : findStore(db, actor.i_customer, given.store_front),
    loadForCreation(db, actor, coreOf(given)),
  ]);

/** Makes a customer directly below the actor, with everything that came with it. */
export async function createReseller(
  call: Call,
  given: NewReseller,
  hashes: readonly string[],
  [i_store, found]: Awaited<ReturnType<typeof loadForResellerCreation>>,
): Promise<CustomerRow> {
  const { name, users = [], addresses = [] } = given;
  if (i_store === undefined) throw wrongReference('store_front');
  const [, , i_customer] = found;
  // They go to the database together, in this order.
  const [, , made] = await withFieldAliases(words, () =>
    Promise.all([
      createCustomer(call, coreOf(given), undefined, found),
      isPlain(given) ? undefined : writeDetails(call, i_customer, given, i_store),
      isAlone(given) ? assertReseller(call, i_customer) : undefined,
    ]),
  );
  for (const address of addresses) await makeOwned(call, addressKind, address, i_customer);
  const home = { i_customer, name };
  for (const [index, user] of users.entries()) {
    await createUser(call, home, user, hashes[index] ?? '', `users[${index}]`);
  }
  return recordDetails(call, noDetails, made ?? (await assertReseller(call, i_customer)));
}

/** It comes with nothing that the core's customer does not have. */
const isPlain = ({ allow_outbound = true, store_front = null, ip_addresses = [] }: NewReseller): boolean =>
  allow_outbound && store_front === null && ip_addresses.length === 0;

/** Nothing else is made with it. */
const isAlone = ({ users = [], addresses = [] }: NewReseller): boolean =>
  users.length + addresses.length === 0;

type People = Pick<NewReseller, 'store_front' | 'users' | 'addresses'>;

function assertPeople({ users = [], addresses = [] }: People): void {
  if (users.length === 0) throw badParameter('users', 'is required with store_front: at least one user');
  if (addresses.length === 0)
    throw badParameter('addresses', 'is required with store_front: at least one address');
  for (const [index, user] of users.entries()) assertRole(user, `users[${index}]`);
}

/** Replaces what a customer is; its users and addresses have paths of their own and stay. */
export async function replaceReseller(call: Call, uuid: string, given: Replacement): Promise<CustomerRow> {
  const { actor, db } = call;
  const place = await findReseller(db, actor, uuid);
  if (!place) throw notFound();
  const { name, contact_name: contact, phone = null, store_front = null } = given;
  // A wrong store is told before a taken name.
  const i_store = store_front === null ? null : await assertStore(db, place.i_wholesaler, store_front);
  if (i_store !== null && !(await hasPeople(db, place.id)))
    throw badParameter(
      'store_front',
      'is only for customers with at least one user and one address, and with store users only',
    );
  await withFieldAliases(words, () =>
    updateCustomer(call, { i_customer: place.id, name, contact, phone }, undefined),
  );
  const [, after] = await Promise.all([
    writeDetails(call, place.id, given, i_store),
    assertReseller(call, place.id),
  ]);
  return recordDetails(call, place, after);
}

/** The accounts between which credit is handed on; undefined for a change of another kind. */
export const loadForReplacement = (
  db: Transaction,
  actor: Id,
  { uuid, balance }: { readonly uuid: string; readonly balance?: Money },
): Promise<TransferAccounts | undefined> =>
  balance === undefined ? Promise.resolve(undefined) : lockTransfer(db, actor, uuid);

/** Hands calling credit from the actor to a customer below it, whose account was found. */
export async function transferTo(
  call: Call,
  amount: Money,
  accounts: TransferAccounts | undefined,
): Promise<CustomerRow> {
  if (!accounts?.receiver) throw notFound();
  const { i_customer } = accounts.receiver;
  // They go to the database together, in this order.
  const [, after] = await withFieldAliases(words, () =>
    Promise.all([
      transferFunds(call, { i_customer, amount }, undefined, accounts),
      assertReseller(call, i_customer),
    ]),
  );
  return after;
}

/** Deletes the customer; returns what became of its money. Throws fault 409 where it holds some, unless it may be closed. */
export async function removeReseller(call: Call, uuid: string, close_balance: boolean) {
  const place = await findResellerId(call.db, call.actor, uuid);
  if (!place) throw notFound();
  const named = { i_customer: place.id };
  const { closed, returned, debt } = await deleteCustomer(call, named, undefined, undefined, !close_balance);
  return { closed, returned, debt };
}

export async function assertReseller(
  call: Pick<Call<Queryable>, 'db' | 'actor'>,
  key: string | number,
): Promise<CustomerRow> {
  const found = await findReseller(call.db, call.actor, key);
  if (!found) throw notFound();
  return found;
}

/** The direct customers of the actor, a part at a time. */
export async function pageOfResellers(
  call: Call<Database>,
  { limit = 100, after }: { limit?: number; after?: string },
): Promise<Page<CustomerRow>> {
  const { db, actor } = call;
  let start: number | undefined = 0;
  if (after !== undefined) start = isUuid(after) ? await placeOfReseller(db, actor, after) : undefined;
  if (start === undefined) throw badParameter('after', 'must be the `next` of the answer before');
  const from = start;
  return readPage<CustomerRow>(
    call,
    { size: limit },
    (last, size) => listResellers(actor, last?.id ?? from, size),
    ({ uuid }) => uuid,
  );
}

interface Detailed {
  readonly allow_outbound: boolean;
  readonly store_front: string | null;
  readonly ip_addresses: readonly { readonly ip_range: string }[];
}

const noDetails: Detailed = { allow_outbound: true, store_front: null, ip_addresses: [] };

/** What the core's customer does not have. */
const writeDetails = (
  { db }: Call,
  i_customer: number,
  { allow_outbound = true, ip_addresses = [] }: Replacement,
  i_store: number | null,
): Promise<void> => {
  const ip_ranges = ip_addresses.flatMap(({ ip_range }) =>
    asRanges(ip_range).map((range) => range.join('/')),
  );
  return setDetails(db, i_customer, { allow_outbound, i_store, ip_ranges });
};

/** Records what of it has changed; answers what the customer is now. */
async function recordDetails(call: Call, before: Detailed, after: CustomerRow): Promise<CustomerRow> {
  const i_customer = after.id;
  const plainly = ({ allow_outbound, store_front, ip_addresses }: Detailed) => ({
    allow_outbound,
    store_front,
    ip_addresses: ip_addresses.map(({ ip_range }) => ip_range).join(', '),
  });
  const changes = changesBetween(plainly(before), plainly(after));
  await call.audit({ action: 'U', resource: `customers:i_customer=${i_customer}`, i_customer, changes });
  return after;
}
