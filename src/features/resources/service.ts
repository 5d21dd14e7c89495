/**
 * The rules of what a customer owns, the same for every kind and every face: it belongs to the
 * actor, the caller pays for it, and to everybody else it does not exist.
 */
import { randomUUID } from 'node:crypto';
import { changesBetween, secretChange } from '../../core/call/audit';
import { readPage } from '../../core/call/bounded-rows';
import { isUuid } from '../../core/schema/formats';
import type { Call } from '../../core/call/method';
import type { CursorParams } from '../../core/call/cursor-pagination';
import type { Page } from '../../core/call/operation';
import type { Database, Queryable } from '../../db/database';
import { badParameter, notFound } from '../../base/faults';
import { chargePayers, lockPayers } from '../ledger/charging/charge';
import type { Kind, Values } from './kinds';
import * as repository from './repository';
import type { Owned } from './repository';

/** An object with the columns of its kind. */
export type OwnedRow = Owned & Values;

/** Makes an object of the actor, or, once it is made in the same call, of a customer below it. */
export async function makeOwned<V extends object>(
  call: Call,
  kind: Kind<V>,
  values: V,
  i_customer: number = call.actor.i_customer,
): Promise<OwnedRow> {
  const { db, credentials } = call;
  const uuid = randomUUID();
  const columns = kind.columns(values, (secret) => credentials.sealSecret(secret, `${kind.table} ${uuid}`));
  const { product } = kind;
  // The payers are locked before the owner, as everywhere; what is taken is told before what is too dear.
  const [payers, id] = await Promise.all([
    product === undefined ? [] : lockPayers(call, product),
    repository.insertOwned(db, kind, i_customer, uuid, columns),
  ]);
  if (id === undefined) throw notFound();
  const i_payment = product === undefined ? null : await chargePayers(call, product, payers);
  if (i_payment !== null) await repository.updateOwned(db, kind, id, { i_payment });
  await record(call, 'A', kind, uuid, i_customer, {}, values);
  const made = await repository.findOwned(db, kind, i_customer, uuid);
  if (!made) throw new Error('What was just made is not there');
  return made;
}

export async function getOwned(
  call: Pick<Call<Queryable>, 'db' | 'actor'>,
  kind: Kind<never>,
  uuid: string,
): Promise<OwnedRow> {
  const found = await repository.findOwned(call.db, kind, call.actor.i_customer, uuid);
  if (!found) throw notFound(kind.noun);
  return found;
}

/** Replaces the whole object: what is not given is cleared, but a secret stays. */
export async function replaceOwned<V extends object>(
  call: Call,
  kind: Kind<V>,
  uuid: string,
  values: V,
): Promise<OwnedRow> {
  const { db, actor, credentials } = call;
  const before = await repository.lockOwned(db, kind, actor.i_customer, uuid);
  if (!before) throw notFound(kind.noun);
  const seal = (secret: string): Buffer => credentials.sealSecret(secret, `${kind.table} ${uuid}`);
  await repository.updateOwned(db, kind, before.id, kind.columns(values, seal));
  const after = await getOwned(call, kind, uuid);
  const secrets = (kind.secret ?? []).filter((name) => name in values);
  await record(call, 'U', kind, uuid, actor.i_customer, before, {
    ...Object.fromEntries(kind.readable.map((name) => [name, after[name]])),
    ...Object.fromEntries(secrets.map((name) => [name, true])),
  });
  return after;
}

/** Deletes the object; its number, name or extension is free again. Nothing is paid back. */
export async function deleteOwned(call: Call, kind: Kind<never>, uuid: string): Promise<OwnedRow> {
  const { db, actor } = call;
  const found = await repository.lockOwned(db, kind, actor.i_customer, uuid);
  if (!found) throw notFound(kind.noun);
  await repository.markOwnedDeleted(db, kind, found.id);
  await record(call, 'D', kind, uuid, actor.i_customer, {}, {});
  return { ...found, deleted_at: call.now, updated_at: call.now };
}

/** A part of the actor's objects, in the order in which they were made; `after` is the uuid of the last one seen. */
export async function pageOfOwned(
  call: Call<Database>,
  kind: Kind<never>,
  { limit = 100, after }: { limit?: number; after?: string },
): Promise<Page<OwnedRow>> {
  const { i_customer } = call.actor;
  const start = after === undefined ? 0 : await placeAfter(call.db, kind, i_customer, after);
  return readPage<OwnedRow>(
    call,
    { size: limit, step: repository.stepOf(kind) },
    (last, size) => repository.listOwned(kind, i_customer, last?.id ?? start, size),
    ({ uuid }) => uuid,
  );
}

async function placeAfter(
  db: Queryable,
  kind: Kind<never>,
  i_customer: number,
  after: string,
): Promise<number> {
  const id = isUuid(after) ? await repository.idOfOwned(db, kind, i_customer, after) : undefined;
  if (id === undefined) throw badParameter('after', 'must be the `next` of the answer before');
  return id;
}

/** A part of the actor's objects, the newest first. */
export const newestOwned = (
  call: Call<Database>,
  kind: Kind<never>,
  params: CursorParams,
): Promise<Page<OwnedRow>> => repository.listNewest(call, kind, call.actor.i_customer, params);

/** Throws fault 404 unless all of these are objects of the actor; they stay so until the call has ended. */
export async function assertOwned(
  call: Pick<Call, 'db' | 'actor'>,
  kind: Kind<never>,
  uuids: readonly string[],
): Promise<void> {
  if (uuids.length === 0) return;
  if (!(await repository.holdOwned(call.db, kind, call.actor.i_customer, uuids))) throw notFound(kind.noun);
}

function record<V extends object>(
  call: Call,
  action: 'A' | 'U' | 'D',
  kind: Kind<V>,
  uuid: string,
  i_customer: number,
  before: Values,
  after: object,
): Promise<void> {
  const secret = new Set(kind.secret);
  const open = Object.fromEntries(Object.entries(after).filter(([name]) => !secret.has(name)));
  const changed = Object.keys(after).filter((name) => secret.has(name));
  const changes = {
    ...changesBetween(before, open),
    ...Object.fromEntries(changed.map((name) => [name, secretChange])),
  };
  return call.audit({ action, resource: `${kind.table}:uuid=${uuid}`, i_customer, changes });
}
