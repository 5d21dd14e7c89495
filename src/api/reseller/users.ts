/**
 * The users of the actor. A user's name is unique within its customer, so every store may have its
 * `admin`; the login that the whole platform knows is `<name>@<name of the customer>`.
 */
import { narrowStep, readPage } from '../../core/call/bounded-rows';
import { isUuid } from '../../core/schema/formats';
import { withFieldAliases } from '../../core/schema/field-aliases';
import type { Call } from '../../core/call/method';
import { type Operation, type Page, defineOperation, definePage, pageQuery } from '../../core/call/operation';
import { editBelow } from '../../core/tree/rights';
import {
  type Static,
  type TObject,
  integer,
  nullable,
  optional,
  struct,
  text,
} from '../../core/schema/schema';
import type { Database } from '../../db/database';
import { badParameter, notFound } from '../../base/faults';
import type { AccessLevel } from '../../features/users/repository';
import { deleteWebUser, makeUser, updateWebUser } from '../../features/users/service';
import { common, uuidInPath } from './shared-schemas';
import {
  type UserObject,
  type UserRow,
  findResellerUser,
  listResellerUsers,
  placeOfUser,
  standingOf,
} from './repository';

const password = text(128, "The password; must satisfy the customer's policy. It never comes back.", {
  minLength: 8,
  secret: true,
  digits: true,
});
const fields = {
  name: text(64, 'The name, unique within the customer.', { format: 'local-login', digits: true }),
  role_id: integer("1 administrator, 2 billing or reports, 3 store user; a store's customer has 3 only.", {
    minimum: 1,
    maximum: 3,
  }),
  contact_first_name: optional(nullable(text(64, 'First name of the person.', { format: 'line' }))),
  contact_last_name: optional(nullable(text(64, 'Last name of the person.', { format: 'line' }))),
  email: optional(nullable(text(255, 'An e-mail address.', { format: 'address' }))),
};
export const userBody = { ...fields, password };

export const userShown = struct({
  ...common,
  name: text(129, 'The name.'),
  login: text(129, 'The login that the whole platform knows.'),
  contact_first_name: nullable(text(64, 'First name of the person.')),
  contact_last_name: nullable(text(64, 'Last name of the person.')),
  role_id: integer('1 administrator, 2 billing or reports, 3 store user.'),
  email: nullable(text(255, 'An e-mail address.')),
});

export type NewUser = Static<TObject<typeof userBody>>;
type Fields = Omit<NewUser, 'password'> & { readonly password?: string };

const levels: Readonly<Record<number, AccessLevel>> = {
  1: 'ADMINISTRATOR',
  2: 'REPORTER',
  3: 'CALL_SHOP_OPERATOR',
};

/** Where a user belongs. */
interface Home {
  readonly i_customer: number;
  readonly name: string;
}

const loginOf = (name: string, home: Pick<Home, 'name'>): string => `${name}@${home.name}`;

/** The person's name, as the other faces know it. */
function fullName({ contact_first_name, contact_last_name }: Fields): string | null {
  const name = [contact_first_name ?? '', contact_last_name ?? ''].join(' ').trim();
  return name === '' ? null : Array.from(name).slice(0, 64).join('').trim();
}

/** Who buys at a store front has store users only. */
export function assertRole({ role_id }: Pick<Fields, 'role_id'>, place = ''): void {
  if (role_id !== 3)
    throw badParameter(memberOf(place)('role_id'), "must be 3 for a user of a store's customer");
}

const memberOf = (place: string) => (name: string) => (place === '' ? name : `${place}.${name}`);

/** Makes a user; `place` is where it stands in the body, such as `users[0]`. Answers its id. */
export async function createUser(
  call: Call,
  home: Home,
  user: NewUser,
  password_hash: string,
  place = '',
): Promise<number> {
  const member = memberOf(place);
  const { name, contact_first_name = null, contact_last_name = null, email = null } = user;
  const fieldAliases = {
    web_password: member('password'),
    web_login: member('name'),
  };
  return withFieldAliases(fieldAliases, async () => {
    const made = {
      web_login: loginOf(name, home),
      web_password: user.password,
      i_access_level: levels[user.role_id] ?? 'CALL_SHOP_OPERATOR',
      name: fullName(user),
      short_name: name,
      ...{ contact_first_name, contact_last_name, email },
    };
    return makeUser(call, home.i_customer, made, password_hash);
  });
}

async function assertUser(call: Pick<Call<Database>, 'db' | 'actor'>, uuid: string): Promise<UserObject> {
  const user = await findResellerUser(call.db, call.actor.i_customer, uuid);
  if (!user) throw notFound('User');
  return user;
}

async function listUsers(
  call: Call<Database>,
  { limit = 100, after }: { limit?: number; after?: string },
): Promise<Page<UserObject>> {
  const { db, actor } = call;
  let start: number | undefined = 0;
  if (after !== undefined) start = isUuid(after) ? await placeOfUser(db, actor.i_customer, after) : undefined;
  if (start === undefined) throw badParameter('after', 'must be the `next` of the answer before');
  const from = start;
  return readPage<UserRow>(
    call,
    { size: limit, step: narrowStep },
    (last, size) => listResellerUsers(actor.i_customer, last?.id ?? from, size),
    ({ uuid }) => uuid,
  );
}

async function postUser(call: Call, user: NewUser, password_hash: string): Promise<UserObject> {
  const { i_customer } = call.actor;
  const home = { i_customer, ...(await standingOf(call.db, i_customer)) };
  if (home.buys_at_store) assertRole(user);
  const id = await createUser(call, home, user, password_hash);
  const made = await findResellerUser(call.db, i_customer, id);
  if (!made) throw notFound('User');
  return made;
}

async function putUser(
  call: Call,
  { uuid, ...given }: Fields & { uuid: string },
  password_hash: string | undefined,
): Promise<UserObject> {
  const { db, actor } = call;
  const [before, standing] = await Promise.all([
    findResellerUser(db, actor.i_customer, uuid),
    standingOf(db, actor.i_customer),
  ]);
  if (!before) throw notFound('User');
  const home = { i_customer: actor.i_customer, ...standing };
  if (home.buys_at_store) assertRole(given);
  // A login that another face gave stays what it is until the user is given another name.
  const isRenamed = given.name !== before.name;
  // Billing, reporter and NOC are one role here: which of them it is, stays.
  const level = given.role_id === before.role_id ? undefined : levels[given.role_id];
  const { contact_first_name = null, contact_last_name = null, email = null } = given;
  await withFieldAliases({ web_password: 'password', web_login: 'name' }, () =>
    updateWebUser(
      call,
      {
        i_web_user: before.id,
        ...(isRenamed && { web_login: loginOf(given.name, home), short_name: given.name }),
        ...(given.password !== undefined && { web_password: given.password }),
        ...(level && { i_access_level: level }),
        ...{ contact_first_name, contact_last_name, email, name: fullName(given) },
      },
      password_hash,
    ),
  );
  const after = await findResellerUser(db, actor.i_customer, before.id);
  if (!after) throw notFound('User');
  return after;
}

async function removeUser(call: Call, { uuid }: { uuid: string }): Promise<object> {
  const user = await findResellerUser(call.db, call.actor.i_customer, uuid);
  if (!user) throw notFound('User');
  await deleteWebUser(call, { i_web_user: user.id });
  return {};
}

const path = '/account/reseller-user';
const pathOfOne = `${path}/{uuid}`;

export const userOperations: readonly Operation[] = [
  definePage({
    verb: 'GET',
    path,
    summary: 'Lists the users of the actor, its own login among them.',
    access: 'read',
    right: 'none',
    query: pageQuery,
    result: userShown,
    faults: [],
    run: listUsers,
  }),
  defineOperation({
    verb: 'POST',
    path,
    summary: 'Makes a user of the actor.',
    access: 'write',
    right: editBelow,
    body: userBody,
    result: userShown,
    faults: ['conflict'],
    idempotent: true,
    prepare: (user: NewUser, hash) => hash(user.password),
    run: postUser,
  }),
  defineOperation({
    verb: 'GET',
    path: pathOfOne,
    summary: 'Answers a user of the actor; never a password.',
    access: 'read',
    right: 'none',
    params: uuidInPath,
    result: userShown,
    faults: ['not_found'],
    run: (call, { uuid }) => assertUser(call, uuid),
  }),
  defineOperation({
    verb: 'PUT',
    path: pathOfOne,
    summary: 'Replaces a user of the actor: what is left out is cleared, but the password stays.',
    access: 'write',
    right: editBelow,
    params: uuidInPath,
    body: { ...fields, password: optional(password) },
    result: userShown,
    faults: ['not_found', 'conflict'],
    prepare: async (user: Fields, hash) => (user.password === undefined ? undefined : hash(user.password)),
    run: putUser,
  }),
  defineOperation({
    verb: 'DELETE',
    path: pathOfOne,
    summary: 'Deletes a user of the actor.',
    access: 'write',
    right: editBelow,
    params: uuidInPath,
    result: struct({}),
    faults: ['not_found'],
    run: removeUser,
  }),
];
