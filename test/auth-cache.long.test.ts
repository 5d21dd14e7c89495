/**
 * What is remembered of those who call is forgotten when it is revoked: at once by the server that
 * revoked it, within a second by every other, and always where the announcements cannot be heard.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { isOk, post } from './setup/family';
import {
  type Member,
  type TestServer,
  apiPassword,
  makeMember,
  newCustomer,
  startServer,
  uniqueName,
} from './setup/server';

const secret_key = Buffer.alloc(32, 7);
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

/** What a read comes to: `OK`, the number of a fault, or the HTTP status where no fault is owed. */
async function readOn(server: TestServer, { name }: Member): Promise<string> {
  const answer = await post(server, { method: 'listCustomers', login: [name, apiPassword] });
  if (isOk(answer)) return 'OK';
  return String(answer.fault ?? answer.status);
}

/** Revocations of everything that lets somebody in. */
const revocations: readonly (readonly [string, (member: Member) => Promise<unknown>, string])[] = [
  ['block', ({ i_customer }) => one.root.call('blockCustomer', { i_customer }), '403'],
  [
    'the right to call',
    ({ i_customer }) => one.root.call('updateCustomer', { i_customer, api_access: 0 }),
    '403',
  ],
  [
    'password',
    ({ i_customer }) => one.root.call('updateCustomer', { i_customer, api_password: 'another-password-1' }),
    '401',
  ],
  ['deletion', ({ i_customer }) => one.root.call('deleteCustomer', { i_customer }), '401'],
  [
    'login',
    ({ i_customer }) =>
      one.root.call('updateCustomer', { i_customer, web_login: uniqueName(), api_password: apiPassword }),
    '401',
  ],
];

describe.each(revocations)('%s', (_what, revoke, refusal) => {
  test('is taken at once on the same server, calls under way or none', async () => {
    for (let time = 0; time < 10; time += 1) {
      const member = await makeMember(one);
      expect(await readOn(one, member)).toBe('OK');
      const underway = Array.from({ length: time }, () => readOn(one, member));
      await revoke(member);
      expect(await readOn(one, member)).toBe(refusal);
      await Promise.all(underway);
      expect(await readOn(one, member)).toBe(refusal);
    }
  });

  test('is taken within a second on another server', async () => {
    const member = await makeMember(one);
    expect(await readOn(other, member)).toBe('OK');
    await revoke(member);
    await sleep(900);
    expect(await readOn(other, member)).toBe(refusal);
  });
});

test('a block above is taken at once below, also by whom somebody acts for', async () => {
  const above = await makeMember(one);
  const below = await makeMember(one, above.as);
  const leaf = await makeMember(one, below.as);
  const onBehalf = () => above.as.call('listCustomers', { i_wholesaler: below.i_customer });
  await onBehalf();
  expect(await readOn(one, leaf)).toBe('OK');
  await one.root.call('blockCustomer', { i_customer: below.i_customer });
  expect(await readOn(one, leaf)).toBe('403');
  await expect(onBehalf()).rejects.toMatchObject({ faultCode: 403 });
  await one.root.call('unblockCustomer', { i_customer: below.i_customer });
  expect(await readOn(one, leaf)).toBe('OK');
});

test('a right that is taken above is gone below at once', async () => {
  const above = await makeMember(one);
  const below = await makeMember(one, above.as);
  await below.as.call('createCustomer', newCustomer({ i_tariff: null }));
  await one.root.call('updateCustomer', { i_customer: above.i_customer, customers_mgmt: 0 });
  expect(await below.as.fault('createCustomer', newCustomer({ i_tariff: null }))).toMatchObject({
    faultCode: 403,
  });
});

test('a trusted host that is removed is no longer one, within a second everywhere', async () => {
  const { i_trusted_host } = await one.root.call('addTrustedHost', { address: '127.9.9.9' });
  const asked = { method: 'listCustomers', params: { i_wholesaler: 1 }, from: '127.9.9.9' };
  const statuses = async () => [(await post(one, asked)).status, (await post(other, asked)).status];
  await sleep(900);
  expect(await statuses()).toEqual([200, 200]);
  await one.root.call('removeTrustedHost', { i_trusted_host });
  expect((await post(one, asked)).status).toBe(401);
  await sleep(900);
  expect(await statuses()).toEqual([401, 401]);
});

describe('a server that hears no announcements', () => {
  let admin: Client;
  beforeAll(async () => {
    admin = new Client(one.connection);
    await admin.connect();
  });
  afterAll(() => admin.end());

  /** Changes what no announcement tells of: triggers are off in such a session. */
  const blockInSilence = async ({ i_customer }: Member): Promise<void> => {
    await admin.query("SET session_replication_role = 'replica'");
    await admin.query('UPDATE customers SET blocked = true WHERE i_customer = $1', [i_customer]);
    await admin.query("SET session_replication_role = 'origin'");
  };

  /** Throws out whoever does nothing but listen, again and again while `work` runs. */
  async function deafened(work: () => Promise<void>): Promise<void> {
    const deafen = () =>
      admin.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'treeline' AND query IN ('SELECT 1', 'LISTEN treeline')`,
      );
    await deafen();
    const again = setInterval(() => void deafen().catch(() => undefined), 20);
    try {
      await work();
    } finally {
      clearInterval(again);
    }
  }

  test('asks the database each time, so a revocation holds at once', async () => {
    const member = await makeMember(one);
    expect(await readOn(one, member)).toBe('OK');
    expect(await readOn(one, member)).toBe('OK');
    await deafened(async () => {
      await sleep(100);
      await blockInSilence(member);
      expect(await readOn(one, member)).toBe('403');
    });
  });

  test('while it hears them, nothing is asked: what was changed in silence is not seen', async () => {
    const member = await makeMember(one);
    await sleep(600);
    expect(await readOn(one, member)).toBe('OK');
    await blockInSilence(member);
    expect(await readOn(one, member)).toBe('OK');
  });
});
