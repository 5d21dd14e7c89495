/**
 * What ages leaves the database: old audit records by month, deleted rows, idempotency keys. Values that are replaced
 * again and again leave next to nothing behind.
 */
import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { keepAuditPartitions } from '../../src/features/audit/partitions';
import { purgeIdempotencyKeys } from '../../src/core/call/idempotency';
import { purgeDeletedRows } from '../../src/features/customers/purge';
import { runSql } from '../setup/family';
import { resellerOf } from '../setup/reseller';
import { type Member, type TestServer, makeMember, startServer, uniqueName } from '../setup/server';
import { logIn } from '../setup/tenant';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

const count = async (from: string, ...values: unknown[]): Promise<number> => {
  const [row] = await runSql<{ count: number }>(
    server,
    `SELECT count(*)::int AS count FROM ${from}`,
    ...values,
  );
  return Number(row?.count);
};

const partitions = async (): Promise<string[]> => {
  const rows = await runSql<{ name: string }>(
    server,
    `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'audit_records'::regclass ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
};

/** Audit records of so many months ago. */
const record = (i_customer: number, months: number, request_id: string) =>
  runSql(
    server,
    `INSERT INTO audit_records (created_at, request_id, caller, address, method, action, resource, i_customer, changes)
     VALUES (now() - $1 * interval '1 month', $2, 'somebody', '::1', 'm', 'U', 'x', $3, '{}')`,
    months,
    request_id,
    i_customer,
  );

describe('audit records', () => {
  test('have partitions for this month and the next three', async () => {
    await keepAuditPartitions(server.db, 24);
    await keepAuditPartitions(server.db, 24);
    const month = (ahead: number): string => {
      const now = new Date();
      const date = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + ahead, 1));
      return `audit_records_${date.toISOString().slice(0, 7).replace('-', '_')}`;
    };
    expect(await partitions()).toEqual(expect.arrayContaining([0, 1, 2, 3].map(month)));
  });

  test('leave after their retention, with their partition or from the default one, and 0 keeps all', async () => {
    const { i_customer, as } = await makeMember(server);
    await runSql(server, `SELECT make_audit_partitions(now() - interval '30 months')`);
    for (const months of [30, 40, 23]) await record(i_customer, months, `months-${months}`);
    const seen = async (): Promise<unknown[]> => {
      const { records } = await as.call('getAuditLogs', {
        start_date: '2000-01-01T00:00:00Z',
        end_date: '2100-01-01T00:00:00Z',
      });
      return (records as { request_id: string }[])
        .map(({ request_id }) => request_id)
        .filter((id) => id.startsWith('months-'));
    };
    await keepAuditPartitions(server.db, 0);
    expect(await seen()).toEqual(['months-40', 'months-30', 'months-23']);
    const before = (await partitions()).length;
    await keepAuditPartitions(server.db, 24);
    expect(await seen()).toEqual(['months-23']);
    expect(await partitions()).toHaveLength(before - 1);
    expect(await count("audit_index WHERE created_at < now() - interval '26 months'")).toBe(0);
  });

  test('move out of the default partition when their month gets its own', async () => {
    const { i_customer, as } = await makeMember(server);
    await record(i_customer, 12, 'moved');
    expect(await count(`audit_records_default WHERE request_id = 'moved'`)).toBe(1);
    await runSql(server, `SELECT make_audit_partitions(now() - interval '12 months')`);
    expect(await count(`audit_records_default WHERE request_id = 'moved'`)).toBe(0);
    const params = {
      i_customer,
      start_date: '2000-01-01T00:00:00Z',
      end_date: '2100-01-01T00:00:00Z',
      limit: 1,
    };
    expect((await as.call('getAuditLogs', params))['records']).toMatchObject([{ request_id: 'moved' }]);
  });

  test('are skipped at most 10,000 at a time', async () => {
    const { as } = await makeMember(server);
    await as.call('getAuditLogs', { offset: 10_000 });
    expect(await as.fault('getAuditLogs', { offset: 10_001 })).toMatchObject({
      faultCode: 400,
      faultString: expect.stringContaining('offset') as string,
    });
  });

  test('are written while a partition is made', async () => {
    const { as } = await makeMember(server);
    const admin = new Client(server.connection);
    await admin.connect();
    await admin.query('BEGIN');
    await admin.query(`SELECT make_audit_partitions(now() + interval '60 months')`);
    const made = as.call('createTariff', { name: uniqueName('tariff'), currency: 'USD' });
    await new Promise((resolve) => setTimeout(resolve, 200));
    await admin.query('COMMIT');
    await admin.end();
    expect(await made).toMatchObject({ result: 'OK' });
  });
});

describe('deleted rows', () => {
  test('leave after their retention, also where another one refers to them', async () => {
    const { name, i_customer } = await makeMember(server);
    const tenant = await logIn(server, name, 'correct-horse-1');
    const flow = await tenant.ok('POST', '/flows', { name: 'greeting', actions: [] });
    const kept = await tenant.ok('POST', '/flows', { name: 'kept', actions: [] });
    await runSql(
      server,
      `INSERT INTO numbers (i_customer, number, call_flow_id) VALUES ($1, '+441483000001', $2)`,
      i_customer,
      flow['id'],
    );
    await runSql(server, `UPDATE numbers SET deleted_at = now() WHERE i_customer = $1`, i_customer);
    await tenant.ok('DELETE', `/flows/${String(flow['id'])}`);
    await purgeDeletedRows(server.db, 10);
    expect(await count('flows WHERE i_customer = $1', i_customer)).toBe(2);
    const age = (table: string) =>
      runSql(
        server,
        `UPDATE ${table} SET deleted_at = deleted_at - interval '11 minutes' WHERE i_customer = $1 AND deleted_at IS NOT NULL`,
        i_customer,
      );
    await age('flows');
    await purgeDeletedRows(server.db, 10);
    // The number that leads to it was deleted later.
    expect(await count('flows WHERE i_customer = $1', i_customer)).toBe(2);
    await age('numbers');
    await purgeDeletedRows(server.db, 10);
    expect(await runSql(server, 'SELECT uuid FROM flows WHERE i_customer = $1', i_customer)).toEqual([
      { uuid: kept['id'] },
    ]);
  });

  test('of a deleted customer leave too, but not its own login, and its style sheet goes', async () => {
    const parent = await makeMember(server);
    const { i_customer, as } = await makeMember(server, parent.as, { css: 'body {}' });
    await as.call('createWebUser', { web_login: uniqueName('user'), web_password: 'correct-horse-1' });
    await parent.as.call('deleteCustomer', { i_customer });
    for (const table of ['customers', 'users'])
      await runSql(
        server,
        `UPDATE ${table} SET deleted_at = deleted_at - interval '1 hour' WHERE i_customer = $1`,
        i_customer,
      );
    await purgeDeletedRows(server.db, 10);
    expect(await count('users WHERE i_customer = $1 AND (is_default OR is_recovery)', i_customer)).toBe(2);
    expect(await count('users WHERE i_customer = $1', i_customer)).toBe(2);
    expect(await count('customers WHERE i_customer = $1 AND css IS NULL', i_customer)).toBe(1);
  });
});

describe('idempotency keys', () => {
  test('leave after their retention, and make room within the limit', async () => {
    const { i_customer, as } = await makeMember(server);
    const below = await makeMember(server, as);
    const pay = { i_customer: below.i_customer, amount: 0.01, currency: 'USD', idempotency_key: 'aged' };
    await as.call('customerDebit', pay);
    await purgeIdempotencyKeys(server.db, 24);
    expect(await count('idempotency_keys WHERE i_customer = $1', i_customer)).toBe(1);
    await runSql(
      server,
      `UPDATE idempotency_keys SET created_at = created_at - interval '25 hours' WHERE i_customer = $1`,
      i_customer,
    );
    await purgeIdempotencyKeys(server.db, 24);
    expect(await count('idempotency_keys WHERE i_customer = $1', i_customer)).toBe(0);
    const [row] = await runSql<{ own: number }>(
      server,
      `SELECT sum(own)::int AS own FROM usage_counts WHERE i_customer = $1 AND resource = 'idempotency_keys'`,
      i_customer,
    );
    expect(row?.own).toBe(0);
  });

  test('keep no long answer, and then a repeated call is refused and does nothing', async () => {
    const { name, i_customer } = await makeMember(server);
    const by = resellerOf(server, { name });
    const make = () =>
      by('POST', '/account/store', { name: 'long', css: 'x'.repeat(5_000) }, { 'idempotency-key': 'long' });
    expect((await make()).status).toBeLessThan(300);
    const again = await make();
    expect([again.status, again.text]).toEqual([
      409,
      expect.stringContaining('its answer was over 4096 bytes and was not kept'),
    ]);
    expect(await count('stores WHERE i_customer = $1', i_customer)).toBe(1);
  });
});

/** What the tables hold once they are vacuumed: the bytes of their files that are in use. */
async function bytesInUse(): Promise<number> {
  await runSql(server, 'VACUUM FULL');
  const [row] = await runSql<{ size: string }>(server, 'SELECT pg_database_size(current_database()) AS size');
  return Number(row?.size);
}

const putFlows = async (member: Member, bytes: number): Promise<void> => {
  const tenant = await logIn(server, member.name, 'correct-horse-1');
  const { id } = await tenant.ok('POST', '/flows', { name: 'replaced', actions: [] });
  for (let sent = 0; sent < bytes; sent += 60_000) {
    // What does not compress.
    const text = randomBytes(45_000).toString('base64');
    await tenant.ok('PUT', `/flows/${String(id)}`, {
      name: 'replaced',
      detail: '',
      actions: [{ type: 'talk', option: { text } }],
    });
  }
};

test('PUTs of 20 MB leave less than 2 MB', async () => {
  const member = await makeMember(server);
  await putFlows(member, 60_000);
  const before = await bytesInUse();
  await putFlows(member, Number(process.env['PUT_BYTES'] ?? 20_000_000));
  // The audit keeps a length and a digest of long fields.
  await runSql(server, `UPDATE audit_records SET changes = '{}' WHERE length(changes::text) > 2000`);
  expect((await bytesInUse()) - before).toBeLessThan(2_000_000);
}, 120_000);
