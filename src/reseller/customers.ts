/**
 * The customers of a reseller. It is the core's customer with its own members: made without a
 * tariff of its own, with its users, addresses and address ranges in one transaction or not at all.
 */
import { asRanges } from '../config';
import { changesBetween } from '../core/audit';
import { hashPassword } from '../core/credentials';
import { isUuid } from '../core/formats';
import type { Call } from '../core/method';
import type { Page } from '../core/operation';
import type { Money } from '../core/schema';
import { createCustomer, deleteCustomer, updateCustomer } from '../customers/service';
import type { Database, Queryable } from '../db/database';
import { badParameter, notFound } from '../faults';
import { transferFunds } from '../money/funds';
import { type Address, addressKind } from '../resources/kinds';
import { makeOwned } from '../resources/service';
import {
  type CustomerRow,
  findReseller,
  findResellerId,
  hasPeople,
  listResellers,
  placeOfReseller,
  setDetails,
} from './repository';
import { demandStore } from './stores';
import { type NewUser, createUser, demandRole } from './users';
import { inWords } from './words';

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

/** What is wrong with the parameters alone comes before everything else; passwords are hashed before the transaction. */
export async function prepareReseller(given: People): Promise<string[]> {
  const { store_front = null, users = [] } = given;
  if (store_front !== null) demandPeople(given);
  return Promise.all(users.map(({ password }) => hashPassword(password)));
}

/** Makes a customer directly below the actor, with everything that came with it. */
export async function createReseller(
  call: Call,
  given: NewReseller,
  hashes: readonly string[],
): Promise<CustomerRow> {
  const { actor, db } = call;
  const { name, users = [], addresses = [], store_front = null } = given;
  const i_store = store_front === null ? null : await demandStore(db, actor.i_customer, store_front);
  const { i_customer } = await inWords(words, () =>
    createCustomer(
      call,
      { i_tariff: null, name, contact: given.contact_name, phone: given.phone ?? null },
      undefined,
    ),
  );
  await writeDetails(call, i_customer, given, i_store);
  for (const address of addresses) await makeOwned(call, addressKind, address, i_customer);
  const home = { i_customer, name };
  for (const [index, user] of users.entries()) {
    await createUser(call, home, user, hashes[index] ?? '', `users[${index}]`);
  }
  return recordDetails(call, noDetails, i_customer);
}

type People = Pick<NewReseller, 'store_front' | 'users' | 'addresses'>;

function demandPeople({ users = [], addresses = [] }: People): void {
  if (users.length === 0) throw badParameter('users', 'is required with store_front: at least one user');
  if (addresses.length === 0)
    throw badParameter('addresses', 'is required with store_front: at least one address');
  for (const [index, user] of users.entries()) demandRole(user, `users[${index}]`);
}

/** Replaces what a customer is; its users and addresses have paths of their own and stay. */
export async function replaceReseller(call: Call, uuid: string, given: Replacement): Promise<CustomerRow> {
  const { actor, db } = call;
  const place = await findReseller(db, actor, uuid);
  if (!place) throw notFound();
  const { name, contact_name: contact, phone = null, store_front = null } = given;
  // A wrong store is told before a taken name.
  const i_store = store_front === null ? null : await demandStore(db, place.i_wholesaler, store_front);
  if (i_store !== null && !(await hasPeople(db, place.id)))
    throw badParameter('store_front', 'is only for customers with at least one user and one address');
  await inWords(words, () => updateCustomer(call, { i_customer: place.id, name, contact, phone }, undefined));
  await writeDetails(call, place.id, given, i_store);
  return recordDetails(call, place, place.id);
}

/** Hands calling credit from the actor to a customer below it. */
export async function transferTo(call: Call, uuid: string, amount: Money): Promise<CustomerRow> {
  const place = await findResellerId(call.db, call.actor, uuid);
  if (!place) throw notFound();
  await inWords(words, () => transferFunds(call, { i_customer: place.id, amount }));
  return demandReseller(call, place.id);
}

export async function removeReseller(call: Call, uuid: string): Promise<void> {
  const place = await findResellerId(call.db, call.actor, uuid);
  if (!place) throw notFound();
  await deleteCustomer(call, { i_customer: place.id });
}

export async function demandReseller(
  call: Pick<Call<Queryable>, 'db' | 'actor'>,
  key: string | number,
): Promise<CustomerRow> {
  const found = await findReseller(call.db, call.actor, key);
  if (!found) throw notFound();
  return found;
}

/** The direct customers of the actor, a part at a time. */
export async function pageOfResellers(
  { db, actor }: Call<Database>,
  { limit = 100, after }: { limit?: number; after?: string },
): Promise<Page<CustomerRow>> {
  let id: number | undefined = 0;
  if (after !== undefined) id = isUuid(after) ? await placeOfReseller(db, actor, after) : undefined;
  if (id === undefined) throw badParameter('after', 'must be the `next` of the answer before');
  const rows = await listResellers(db, actor, id, limit + 1);
  const items = rows.slice(0, limit);
  return { items, next: rows.length > limit ? (items.at(-1)?.uuid ?? null) : null };
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
async function recordDetails(call: Call, before: Detailed, i_customer: number): Promise<CustomerRow> {
  const after = await demandReseller(call, i_customer);
  const plainly = ({ allow_outbound, store_front, ip_addresses }: Detailed) => ({
    allow_outbound,
    store_front,
    ip_addresses: ip_addresses.map(({ ip_range }) => ip_range).join(', '),
  });
  const changes = changesBetween(plainly(before), plainly(after));
  await call.audit({ action: 'U', resource: `customers:i_customer=${i_customer}`, i_customer, changes });
  return after;
}
