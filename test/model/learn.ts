/** Finds out the ids that no call answers, by asking the database: ids say nothing of the rules. */
import type { TestServer } from '../setup/server';
import type { Customer, World } from './world';

type Db = TestServer['db'];

export async function learn(db: Db, world: World): Promise<void> {
  const unknown = world.customers.filter(
    ({ id, uuid, attributes }) => id === 0 || uuid === '' || attributes['name'] === '',
  );
  if (unknown.length > 0) await learnCustomers(db, unknown);
  const strangers = world.users.filter(
    ({ id, uuid, deleted }) => (id === undefined || uuid === undefined) && !deleted,
  );
  if (strangers.length > 0)
    await learnUsers(db, world, [...new Set(strangers.map(({ customer }) => customer))]);
  const bookless = world.customers.filter(({ entries }) => entries.some(({ id }) => id === undefined));
  if (bookless.length > 0) await learnEntries(db, bookless);
}

async function learnCustomers(db: Db, unknown: readonly Customer[]): Promise<void> {
  const rows = await db.query<{ i_customer: number; uuid: string; name: string }>(
    {
      text: 'SELECT i_customer, uuid, name FROM customers WHERE i_customer = ANY($1) OR uuid = ANY($2::uuid[])',
    },
    [unknown.map(({ id }) => id), unknown.flatMap(({ uuid }) => (uuid === '' ? [] : [uuid]))],
  );
  for (const customer of unknown) {
    const row = rows.find(({ i_customer, uuid }) => i_customer === customer.id || uuid === customer.uuid);
    if (!row) throw new Error(`The customer ${customer.id} ${customer.uuid} is not there`);
    customer.id = row.i_customer;
    customer.uuid = row.uuid;
    // The tenant face makes the unique name itself, of letters that have one form only.
    if (customer.attributes['name'] !== '') continue;
    customer.attributes['name'] = customer.name_class = row.name;
  }
}

interface UserRow {
  readonly i_web_user: number;
  readonly uuid: string;
  readonly i_customer: number;
  readonly web_login: string;
  readonly is_default: boolean;
  readonly is_recovery: boolean;
}

async function learnUsers(db: Db, world: World, customers: readonly Customer[]): Promise<void> {
  const rows = await db.query<UserRow>(
    {
      text: `SELECT i_web_user, uuid, i_customer, web_login, is_default, is_recovery FROM users
        WHERE i_customer = ANY($1) AND deleted_at IS NULL`,
    },
    [customers.map(({ id }) => id)],
  );
  for (const user of world.users) {
    if (user.deleted || !customers.includes(user.customer)) continue;
    const isIt: Record<typeof user.kind, (row: UserRow) => boolean> = {
      default: ({ is_default }) => is_default,
      recovery: ({ is_recovery }) => is_recovery,
      other: ({ web_login }) => web_login === user.web_login,
    };
    const row = rows.find((each) => each.i_customer === user.customer.id && isIt[user.kind](each));
    if (!row) throw new Error(`The user ${user.web_login} is not there`);
    user.id = row.i_web_user;
    user.uuid = row.uuid;
    // What the server itself made up.
    if (user.login_class === '') user.web_login = user.login_class = row.web_login;
  }
}

/** Both keep the entries of an account in the order in which they were booked. */
async function learnEntries(db: Db, customers: readonly Customer[]): Promise<void> {
  const rows = await db.query<{ id: number; i_payment: number; i_customer: number }>(
    {
      text: 'SELECT i_entry::int AS id, i_payment::float8 AS i_payment, i_customer FROM entries WHERE i_customer = ANY($1) ORDER BY i_entry',
    },
    [customers.map(({ id }) => id)],
  );
  for (const customer of customers) {
    const own = rows.filter(({ i_customer }) => i_customer === customer.id);
    for (const [place, entry] of customer.entries.entries()) {
      entry.id = own[place]?.id;
      entry.payment.id ??= own[place]?.i_payment;
    }
  }
}
