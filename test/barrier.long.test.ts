/**
 * A revocation is a barrier: once it is acknowledged, nothing of those concerned commits. Each call here waits for a
 * row lock while access is revoked, on its own server or on another, and must then be refused and change nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { type Post, isOk, post, runSql } from './setup/family';
import { insertCustomers } from './setup/insert-customers';
import { resellerAs, resellerOf, resultOf, rootIdentity } from './setup/reseller';
import { uuidOf } from './setup/rest-rows';
import {
  type Member,
  type Members,
  type TestServer,
  apiPassword,
  makeMember,
  startServer,
  uniqueName,
} from './setup/server';
import { ask, logIn, makeAgent, rootTenant } from './setup/tenant';

const secret_key = Buffer.alloc(32, 12);
const password = 'correct-horse-1';
const trustedHost = '127.7.7.7';
let one: TestServer;
let other: TestServer;

beforeAll(async () => {
  one = await startServer({}, { secret_key });
  other = await startServer({}, { secret_key, connection: one.connection });
});
afterAll(async () => {
  await one.close();
  await other.close();
});

/** Somebody with a customer below, and all that it may call with. */
interface Subject extends Member {
  readonly child: Member;
  readonly uuid: string;
}

async function makeSubject(): Promise<Subject> {
  const member = await makeMember(one);
  const child = await makeMember(one, member.as);
  return { ...member, child, uuid: await uuidOf(one, member) };
}

/** A call that makes a user with this login; returns the status or fault that it came to. */
type Write = (login: string) => Promise<string>;
/** Prepares the caller of a write and what takes its access away. */
type Prepare = (
  subject: Subject,
) => Promise<{ readonly write: Write; readonly revoke: (by: TestServer) => Promise<unknown> }>;

const sent = async (asked: Post): Promise<string> => {
  const answer = await post(one, asked);
  return isOk(answer) ? 'OK' : String(answer.fault ?? answer.status);
};
const newUser = (web_login: string): Members => ({ web_login, web_password: password });

/** With the API password, over XML-RPC. */
const byPassword =
  ({ name }: Member, more: Members = {}): Write =>
  (login) =>
    sent({ method: 'createWebUser', params: { ...newUser(login), ...more }, login: [name, apiPassword] });

/** With what a request of the tenant API shows. */
const byProof =
  (shown: { headers?: Record<string, string>; query?: Record<string, string> }): Write =>
  async (username) => {
    const { status } = await ask(one, 'POST', '/agents', { body: { username }, ...shown });
    return status === 200 ? 'OK' : String(status);
  };
const byToken = (token: string): Write => byProof({ headers: { authorization: `Bearer ${token}` } });

/** With the web password of an administrator, over the reseller API. */
async function byPerson(subject: Subject) {
  const person = uniqueName('person');
  const body = { name: person, password, role_id: 1 };
  const { uuid } = (await resultOf(resellerOf(one, subject)('POST', '/account/reseller-user', body))) as {
    uuid: string;
  };
  const api = resellerAs(one, { reseller: subject.name, user: person, password });
  const write: Write = async (login) => {
    const { status } = await api('POST', '/account/reseller-user', { ...body, name: login });
    return status === 200 ? 'OK' : String(status);
  };
  const [row] = await runSql<{ i_web_user: number }>(
    one,
    'SELECT i_web_user FROM users WHERE uuid = $1',
    uuid,
  );
  return { write, i_web_user: Number(row?.i_web_user) };
}

const update =
  ({ i_customer }: Member, members: Members) =>
  (by: TestServer) =>
    by.root.call('updateCustomer', { i_customer, ...members });
const block =
  ({ i_customer }: Member) =>
  (by: TestServer) =>
    by.root.call('blockCustomer', { i_customer });
const admin = (subject: Subject) => logIn(one, subject.name, password);

const revocations: Readonly<Record<string, readonly [Prepare, refusals: readonly string[]]>> = {
  block: [(subject) => Promise.resolve({ write: byPassword(subject), revoke: block(subject) }), ['403']],
  'block above': [
    (subject) => Promise.resolve({ write: byPassword(subject.child), revoke: block(subject) }),
    ['403'],
  ],
  'block of whom it acts for': [
    (subject) =>
      Promise.resolve({
        write: byPassword(subject, { i_wholesaler: subject.child.i_customer }),
        revoke: block(subject.child),
      }),
    ['403'],
  ],
  'block of whom a trusted host acts for': [
    async (subject) => {
      await one.root.call('addTrustedHost', { address: '127.7.7.8' }).catch(() => undefined);
      const params = { i_wholesaler: subject.i_customer };
      const write: Write = (login) =>
        sent({ method: 'createWebUser', params: { ...newUser(login), ...params }, from: '127.7.7.8' });
      return { write, revoke: block(subject) };
    },
    ['403'],
  ],
  freeze: [
    (subject) =>
      Promise.resolve({
        write: byPassword(subject),
        revoke: async (by) => (await rootTenant(by)).ok('POST', `/customers/${subject.uuid}/freeze`),
      }),
    ['403'],
  ],
  'the right to edit, for who acts for another': [
    (subject) =>
      Promise.resolve({
        write: byPassword(subject, { i_wholesaler: subject.child.i_customer }),
        revoke: update(subject, { customers_mgmt: 0 }),
      }),
    ['403'],
  ],
  'the right to call': [
    (subject) => Promise.resolve({ write: byPassword(subject), revoke: update(subject, { api_access: 0 }) }),
    ['403'],
  ],
  'the API password': [
    (subject) =>
      Promise.resolve({
        write: byPassword(subject),
        revoke: update(subject, { api_password: 'another-password-1' }),
      }),
    ['503'],
  ],
  'an API password that expires': [
    async (subject) => {
      const text = `UPDATE api_credentials SET expires_at = now() + interval '1.5 seconds' WHERE i_customer = $1`;
      await runSql(one, text, subject.i_customer);
      return { write: byPassword(subject), revoke: () => sleep(1_600) };
    },
    ['503'],
  ],
  'the login': [
    (subject) =>
      Promise.resolve({
        write: byPassword(subject),
        revoke: update(subject, { web_login: uniqueName(), api_password: apiPassword }),
      }),
    ['503'],
  ],
  'an address list': [
    (subject) => {
      const body = { name: subject.name, contact_name: 'x', ip_addresses: [{ ip_range: '10.0.0.0/8' }] };
      const revoke = (by: TestServer) =>
        resultOf(resellerAs(by, rootIdentity)('PUT', `/account/reseller/${subject.uuid}`, body));
      return Promise.resolve({ write: byPassword(subject), revoke });
    },
    ['403'],
  ],
  deletion: [
    (subject) => {
      const text = 'UPDATE customers SET deleted_at = now() WHERE i_customer = $1';
      const revoke = (by: TestServer) => runSql(by, text, subject.child.i_customer);
      return Promise.resolve({ write: byPassword(subject.child), revoke });
    },
    ['503'],
  ],
  'the password of a person': [
    async (subject) => {
      const { write, i_web_user } = await byPerson(subject);
      const change = { i_wholesaler: subject.i_customer, i_web_user, web_password: 'another-horse-1' };
      return { write, revoke: (by) => by.root.call('updateWebUser', change) };
    },
    ['503'],
  ],
  'the level of a person': [
    async (subject) => {
      const { write, i_web_user } = await byPerson(subject);
      const change = { i_wholesaler: subject.i_customer, i_web_user, i_access_level: 'BILLING' };
      return { write, revoke: (by) => by.root.call('updateWebUser', change) };
    },
    ['403'],
  ],
  'the block of a person': [
    async (subject) => {
      const { write, i_web_user } = await byPerson(subject);
      const params = { i_wholesaler: subject.i_customer, i_web_user };
      return { write, revoke: (by) => by.root.call('blockWebUser', params) };
    },
    ['403'],
  ],
  'the deletion of a person': [
    async (subject) => {
      const { write, i_web_user } = await byPerson(subject);
      const params = { i_wholesaler: subject.i_customer, i_web_user };
      return { write, revoke: (by) => by.root.call('deleteWebUser', params) };
    },
    ['503'],
  ],
  'a token': [
    async (subject) => {
      const { as } = await makeAgent(one, await admin(subject), { permission: 32 });
      const headers = { authorization: `Bearer ${as.token}` };
      return {
        write: byToken(as.token),
        revoke: (by) => ask(by, 'POST', '/auth/logout', { body: {}, headers }),
      };
    },
    ['503'],
  ],
  'the password behind a token': [
    async (subject) => {
      const by = await admin(subject);
      const { as, id } = await makeAgent(one, by, { permission: 32 });
      const body = { password: 'another-horse-1' };
      return { write: byToken(as.token), revoke: () => by.ok('PUT', `/agents/${id}/password`, body) };
    },
    ['503'],
  ],
  'an access key': [
    async (subject) => {
      const by = await admin(subject);
      const { id, token } = await by.ok('POST', '/accesskeys', {});
      const write = byProof({ query: { accesskey: String(token) } });
      return { write, revoke: () => by.ok('DELETE', `/accesskeys/${String(id)}`) };
    },
    ['503'],
  ],
  'a trusted host': [
    async (subject) => {
      const added = await one.root.call('addTrustedHost', { address: trustedHost });
      const params = { i_wholesaler: subject.i_customer };
      const write: Write = (login) =>
        sent({ method: 'createWebUser', params: { ...newUser(login), ...params }, from: trustedHost });
      const i_trusted_host: unknown = added['i_trusted_host'];
      return { write, revoke: (by) => by.root.call('removeTrustedHost', { i_trusted_host }) };
    },
    ['503'],
  ],
};

/** Runs `work` while a transaction holds the login, so that a call that wants it stops in its midst. */
async function whileHeld(
  { i_customer, name }: Pick<Subject, 'i_customer' | 'name'>,
  login: string,
  work: (release: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const holder = new Client(one.connection);
  await holder.connect();
  try {
    await holder.query('BEGIN');
    const text = `INSERT INTO users (i_customer, web_login, login_key, i_access_level) VALUES ($1, $2, $3, 'NOC')`;
    // The reseller API appends the name of the customer.
    for (const held of [login, `${login}@${name}`]) await holder.query(text, [i_customer, held, held]);
    await work(async () => {
      await holder.query('ROLLBACK');
    });
  } finally {
    await holder.end();
  }
}

const waiting = `SELECT count(*)::int AS count FROM pg_stat_activity
  WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'transactionid'`;
async function someoneWaits(): Promise<void> {
  for (let looked = 0; looked < 400; looked += 1) {
    const [row] = await runSql<{ count: number }>(one, waiting);
    if ((row?.count ?? 0) > 0) return;
    await sleep(10);
  }
  throw new Error('The call did not wait for the lock');
}

const isMade = async (login: string): Promise<boolean> =>
  (await runSql(one, `SELECT FROM users WHERE login_key = $1 OR short_name_key = $1`, login)).length > 0;

/** What a write comes to that waits for a lock while `revoke` is acknowledged, and whether it changed something. */
async function writeAround(
  subject: Subject,
  { write, revoke }: Awaited<ReturnType<Prepare>>,
  by: TestServer,
): Promise<readonly [outcome: string, made: boolean]> {
  const login = uniqueName('late');
  let outcome = '';
  await whileHeld(subject, login, async (release) => {
    const writing = write(login);
    await someoneWaits();
    await revoke(by);
    await release();
    outcome = await writing;
  });
  return [outcome, await isMade(login)];
}

describe.each(Object.entries(revocations))('%s', (_what, [prepare, refusals]) => {
  test.each(['the same server', 'another server'])('revoked on %s ends a write that waits', async (where) => {
    const subject = await makeSubject();
    const [outcome, made] = await writeAround(
      subject,
      await prepare(subject),
      where === 'the same server' ? one : other,
    );
    expect(refusals).toContain(outcome);
    expect(made).toBe(false);
  });
});

test('without a revocation the write goes on', async () => {
  const subject = await makeSubject();
  for (const write of [byPassword(subject), (await byPerson(subject)).write]) {
    const nothing = () => Promise.resolve();
    expect(await writeAround(subject, { write, revoke: nothing }, one)).toEqual(['OK', true]);
  }
});

test('what concerns somebody else lets the write go on: it is proved anew', async () => {
  const subject = await makeSubject();
  const by = await admin(subject);
  const { token } = await by.ok('POST', '/accesskeys', {});
  const logOut = () =>
    ask(other, 'POST', '/auth/logout', { body: {}, headers: { authorization: `Bearer ${by.token}` } });
  const writes: readonly [Write, () => Promise<unknown>][] = [
    [
      byPassword(subject),
      () => one.root.call('updateCustomer', { i_customer: subject.i_customer, tariffs_mgmt: 0 }),
    ],
    [byProof({ query: { accesskey: String(token) } }), logOut],
    [(await byPerson(subject)).write, () => block(subject.child)(other)],
  ];
  for (const [write, revoke] of writes)
    expect(await writeAround(subject, { write, revoke }, one)).toEqual(['OK', true]);
});

test('who revokes for himself is not refused by it, also twice at once', async () => {
  const subject = await makeSubject();
  const users = await Promise.all(
    Array.from({ length: 6 }, async () => subject.as.call('createWebUser', newUser(uniqueName('own')))),
  );
  const changes = users.map(({ i_web_user }: Members) =>
    subject.as.call('updateWebUser', { i_web_user, web_password: 'another-horse-1' }),
  );
  const deadlocks = () =>
    runSql(one, 'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()');
  const before = await deadlocks();
  await Promise.all(changes);
  await sleep(1_100);
  expect(await deadlocks()).toEqual(before);
});

test('a one-time password is not used up by who was blocked meanwhile', async () => {
  const subject = await makeSubject();
  const params = { web_login: subject.child.name };
  const made = await subject.as.call('resetCustomerOneTimePassword', params);
  const holder = new Client(one.connection);
  await holder.connect();
  await holder.query('BEGIN');
  await holder.query('SELECT FROM users WHERE login_key = $1 FOR UPDATE', [subject.child.name]);
  const tried = { username: subject.child.name, password: String(made['password']) };
  const trying = sent({ method: 'authCustomer', params: tried, login: [subject.name, apiPassword] });
  await someoneWaits();
  await block(subject)(other);
  await holder.query('ROLLBACK');
  await holder.end();
  expect(await trying).toBe('403');
  const text = 'SELECT one_time_hash IS NOT NULL AS kept FROM users WHERE login_key = $1';
  expect(await runSql(one, text, subject.child.name)).toEqual([{ kept: true }]);
});

test('moving money and wrong passwords raise no epoch', async () => {
  const subject = await makeSubject();
  const epochs = () => runSql(one, 'SELECT subject, epoch FROM access_epochs ORDER BY subject');
  const before = await epochs();
  await one.root.call('customerAddFunds', { i_customer: subject.i_customer, amount: 1, currency: 'USD' });
  await subject.as.call('transferFunds', { i_customer: subject.child.i_customer, amount: 1 });
  expect(await sent({ method: 'listCustomers', login: [subject.name, 'wrong-password'] })).toBe('401');
  await logIn(one, subject.name, password);
  expect(await epochs()).toEqual(before);
});

test('a revocation for more customers than there are locks fits into one transaction', async () => {
  const subject = await makeSubject();
  const many = Array.from({ length: 5_000 }, () => null);
  await insertCustomers(one, subject.i_customer, many);
  const text =
    'UPDATE customers SET tariffs_mgmt = tariffs_mgmt # 1 WHERE i_wholesaler = $1 RETURNING i_customer';
  expect((await runSql(one, text, subject.i_customer)).length).toBeGreaterThan(5_000);
  const count = `SELECT count(*)::int FROM access_epochs e JOIN customers c ON c.i_customer = e.subject
    WHERE c.i_wholesaler = $1`;
  const [raised] = await runSql<{ count: number }>(one, count, subject.i_customer);
  expect(raised?.count).toBeGreaterThan(5_000);
});

test('a deletion over the API waits for the writes of the customer that began before', async () => {
  const subject = await makeSubject();
  const login = uniqueName('late');
  await whileHeld({ i_customer: 1, name: 'root' }, login, async (release) => {
    const writing = byPassword(subject.child)(login);
    await someoneWaits();
    let isDeleted = false;
    const params = { i_customer: subject.child.i_customer };
    const deleting = other.root.call('deleteCustomer', params).then(() => (isDeleted = true));
    await sleep(300);
    expect(isDeleted).toBe(false);
    await release();
    expect(await writing).toBe('OK');
    await deleting;
  });
});
