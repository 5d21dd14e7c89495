/**
 * The people who log in under a customer. A customer's own login is its default user, changed by
 * updateCustomer; the recovery user is changed by nobody. Users of customers below need the right
 * to edit; the actor's own users are its own affair.
 */
import { assertRightOver } from '../../core/tree/authorize';
import { changesBetween, secretChange } from '../../core/call/audit';
import { inBatches, isEmpty } from '../../core/call/batches';
import { narrowStep } from '../../core/call/bounded-rows';
import type { Call } from '../../core/call/method';
import { assertPasswordPolicy, assertSatisfiesPolicy } from '../../core/auth/password-policy';
import { assertWithin } from '../../core/tree/tree';
import type { Database } from '../../db/database';
import { badParameter, forbidden, notFound } from '../../base/faults';
import { assertAnotherAdministrator } from './administrators';
import * as repository from './repository';
import type { AccessLevel, LockedUser, UserRow } from './repository';

/** Beside what every face has, what only REST faces set. */
export interface UserFields {
  readonly short_name?: string;
  readonly contact_first_name?: string | null;
  readonly contact_last_name?: string | null;
  readonly web_login?: string;
  readonly web_password?: string;
  readonly i_access_level?: AccessLevel;
  readonly name?: string | null;
  readonly description?: string | null;
  readonly email?: string | null;
}

/** Throws fault 403: a user of a customer below needs the right to edit. It is known before the password is hashed. */
export function assertMayCreateUser(
  call: Pick<Call, 'actor' | 'right'>,
  { i_customer = call.actor.i_customer }: { readonly i_customer?: number },
): void {
  assertRightOver(call, i_customer);
}

/** Makes a user of the actor, or of a customer below it. */
export async function createWebUser(
  call: Call,
  params: UserFields & { i_customer?: number; web_login: string },
  password_hash: string | undefined,
) {
  const { actor, db } = call;
  const i_customer = params.i_customer ?? actor.i_customer;
  assertRightOver(call, i_customer);
  const [, i_web_user] = await Promise.all([
    assertWithin(db, actor, i_customer),
    makeUser(call, i_customer, params, password_hash),
  ]);
  return { result: 'OK' as const, i_web_user };
}

/** Makes a user of a customer that the actor may give one; answers its id. */
export async function makeUser(
  call: Call,
  i_customer: number,
  params: UserFields & { web_login: string },
  password_hash: string | undefined,
): Promise<number> {
  const { web_password, i_access_level = administratorLevel } = params;
  // They go to the database together.
  await Promise.all([
    i_access_level !== storeLevel &&
      repository.buysAtStore(call.db, i_customer).then((found) => {
        assertStoreLevel(found, i_access_level);
      }),
    web_password !== undefined && assertPasswordPolicy(call.db, i_customer, web_password),
  ]);
  const i_web_user = await repository.insertUser(call.db, {
    ...params,
    i_customer,
    password_hash: password_hash ?? null,
  });
  if (i_web_user === undefined) throw notFound();
  await record(call, 'A', { i_web_user, i_customer }, {}, params);
  return i_web_user;
}

/** Changes what is given; nil clears a name, a description or an address. */
export async function updateWebUser(
  call: Call,
  params: UserFields & { i_web_user: number },
  password_hash: string | undefined,
) {
  const user = await assertChangeable(call, params.i_web_user);
  assertStoreLevel(user.buys_at_store, params.i_access_level);
  if (params.web_password !== undefined) assertSatisfiesPolicy(params.web_password, user.policy);
  const isDemoted = params.i_access_level !== undefined && params.i_access_level !== administratorLevel;
  await Promise.all([
    isDemoted && assertNotLast(call, user),
    repository.updateUser(call.db, params.i_web_user, params, password_hash ?? null),
  ]);
  await record(call, 'U', user, user, params);
  return { result: 'OK' as const, i_web_user: user.i_web_user };
}

export async function deleteWebUser(call: Call, { i_web_user }: { i_web_user: number }) {
  const user = await assertChangeable(call, i_web_user);
  await Promise.all([assertNotLast(call, user), repository.markUserDeleted(call.db, i_web_user)]);
  await record(call, 'D', user, {}, {});
  return { result: 'OK' as const, i_web_user };
}

export const blockWebUser = (call: Call, { i_web_user }: { i_web_user: number }) =>
  setBlocked(call, i_web_user, true);
export const unblockWebUser = (call: Call, { i_web_user }: { i_web_user: number }) =>
  setBlocked(call, i_web_user, false);

async function setBlocked(call: Call, i_web_user: number, blocked: boolean) {
  const user = await assertChangeable(call, i_web_user);
  if (user.blocked !== blocked) {
    await Promise.all([
      blocked && assertNotLast(call, user),
      repository.setUserBlocked(call.db, i_web_user, blocked),
    ]);
    await record(call, 'U', user, { blocked: user.blocked }, { blocked });
  }
  return { result: 'OK' as const, i_web_user };
}

export async function getWebUserInfo(call: Call<Database>, { i_web_user }: { i_web_user: number }) {
  const web_user = await repository.findUserRow(call.db, call.actor, i_web_user);
  if (!web_user) throw notFound('User');
  return { result: 'OK' as const, i_web_user, web_user };
}

export async function listWebUsers(
  call: Call<Database>,
  params: { i_customer?: number; offset?: number; limit?: number },
) {
  const i_customer = params.i_customer ?? call.actor.i_customer;
  const { db, actor } = call;
  const web_users = await inBatches<UserRow>(call, { ...params, step: narrowStep }, (page) =>
    repository.listUsers(actor, i_customer, page),
  );
  if (isEmpty(web_users)) await assertWithin(db, actor, i_customer);
  return { result: 'OK' as const, web_users };
}

const administratorLevel: AccessLevel = 'ADMINISTRATOR';
/** The only level of users whose customer buys at a store front, over every API. */
const storeLevel: AccessLevel = 'CALL_SHOP_OPERATOR';

function assertStoreLevel(buys_at_store: boolean, wanted: AccessLevel | undefined): void {
  if (buys_at_store && wanted !== undefined && wanted !== storeLevel)
    throw badParameter(
      'i_access_level',
      `must be that of a store user (${storeLevel}): the customer buys at a store`,
    );
}

async function assertNotLast({ db }: Call, user: LockedUser): Promise<void> {
  if (user.i_access_level === administratorLevel && !user.blocked)
    await assertAnotherAdministrator(db, user.i_customer, user.i_web_user);
}

/** The user, locked, if the actor may change it; 403 without the right, before it is told whether there is one. */
async function assertChangeable(call: Call, i_web_user: number): Promise<LockedUser> {
  const user = await repository.lockUser(call.db, call.actor, i_web_user);
  assertRightOver(call, user?.i_customer);
  if (!user) throw notFound('User');
  if (user.is_default) {
    throw forbidden('The default user is the customer itself: it is changed by updateCustomer');
  }
  if (user.is_recovery) throw forbidden('The recovery user cannot be changed');
  return user;
}

const recordedFields = [
  ...['web_login', 'i_access_level', 'name', 'description', 'email', 'blocked'],
  ...['short_name', 'contact_first_name', 'contact_last_name'],
];

function record(
  call: Call,
  action: 'A' | 'U' | 'D',
  { i_web_user, i_customer }: Pick<UserRow, 'i_web_user' | 'i_customer'>,
  before: object,
  given: object,
): Promise<void> {
  const after: Record<string, unknown> = { ...given };
  const recorded = recordedFields.filter((name) => name in after);
  const changes = {
    ...changesBetween(
      before as Record<string, unknown>,
      Object.fromEntries(recorded.map((name) => [name, after[name]])),
    ),
    ...('web_password' in after && { web_password: secretChange }),
  };
  return call.audit({ action, resource: `web_users:i_web_user=${i_web_user}`, i_customer, changes });
}
