/** No tenant delays the webhooks of another: slots, turns, claims of several servers, and what one event costs. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Client } from 'pg';
import { runSql } from '../setup/family';
import { connectionString, killPrograms, start, until } from '../setup/processes';
import { type Receiver, startReceiver } from '../setup/receiver';
import { type Recorded, recorded } from '../setup/recording';
import { type TestServer, makeDatabase, startServer } from '../setup/server';
import { type Tenant, logIn, makeTenant, rootTenant } from '../setup/tenant';
import { allowLoopback, makeHooked, wrongCounters } from '../setup/webhooks';

const receivers: Receiver[] = [];
afterAll(async () => {
  killPrograms();
  for (const receiver of receivers) await receiver.close();
});
const receive = async (holding = false): Promise<Receiver> => {
  const receiver = await startReceiver();
  receiver.holding = holding;
  receivers.push(receiver);
  return receiver;
};

/** Tenants below a wholesaler; the receiver hears of each that it was made. */
async function makeTenantsBelow({ admin }: Tenant, count: number, { uri }: Receiver): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n += 1)
    ids.push(String((await admin.ok('POST', '/customers', { name: `t${n}`, webhook_uri: uri }))['id']));
  return ids;
}

test('slow receivers of forty tenants of one family hold their own slots, and delay nobody else', async () => {
  const server = await startServer({
    ...allowLoopback,
    TREELINE_WEBHOOK_SLOTS: '3',
    TREELINE_WEBHOOK_FAMILY_SLOTS: '2',
    TREELINE_WEBHOOK_TIMEOUT_MS: '60000',
  });
  const [slow, sound] = [await receive(true), await receive()];
  const wholesaler = await makeTenant(server);
  await makeTenantsBelow(wholesaler, 40, slow);
  await until('the slow ones', () => slow.held.now === 2);
  // Nothing of the family has ended, and all others are served.
  const other = await makeHooked(server, sound);
  for (const name of ['a', 'b', 'c']) await other.admin.ok('POST', '/flows', { name });
  await until('the events of the other family', () => sound.taken.length === 4);
  expect(slow.held).toEqual({ now: 2, most: 2 });
  expect(slow.all).toHaveLength(2);
  // Within the family each tenant has its turn: nobody is heard twice before all were heard once.
  slow.holding = false;
  await until('all of the family', () => slow.taken.length === 40);
  expect(new Set(slow.taken.map(({ data }) => data['id'])).size).toBe(40);
  expect(slow.held.most).toBe(2);
  expect(await wrongCounters(server)).toEqual([]);
  await server.close();
}, 120_000);

test('a slot is given back after each event: a tenant with many does not keep it', async () => {
  const server = await startServer({ ...allowLoopback, TREELINE_WEBHOOK_SLOTS: '1' });
  const receiver = await receive(true);
  const [busy, other] = [await makeHooked(server, receiver), await makeHooked(server, receiver)];
  for (const name of ['1', '2', '3', '4']) await busy.admin.ok('POST', '/flows', { name });
  await other.admin.ok('POST', '/flows', { name: 'other' });
  receiver.holding = false;
  await until('all', () => receiver.taken.length === 7);
  const order = receiver.taken.map(({ data }) => String(data['customer_id'] ?? data['id']));
  // Seven events of two tenants: they take turns as long as both have one.
  expect(order.slice(0, 4).filter((id) => id === other.id)).toHaveLength(2);
  await server.close();
}, 120_000);

/** Rows that the plan touches, all its steps together, the filtered ones as well. */
async function rowsTouched(db: Client, { name, text, values }: Recorded): Promise<number> {
  await db.query(`PREPARE explained AS ${text}`);
  const given = values.map((value) => (Array.isArray(value) ? `'{${value.join()}}'` : `'${String(value)}'`));
  await db.query('BEGIN');
  if (name === 'log_webhook_delivery') await db.query('DELETE FROM webhook_deliveries');
  if (name === 'webhook_event_delivered')
    await db.query(
      `UPDATE webhook_queues SET state = 'claimed', claim = $2, waiting = 1, waiting_bytes = 100000 WHERE i_customer = $1`,
      [values[0], values[1]],
    );
  const { rows } = await db.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
    `EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) EXECUTE explained${given.length > 0 ? `(${given.join()})` : ''}`,
  );
  await db.query('ROLLBACK');
  await db.query('DEALLOCATE explained');
  const plan = rows[0]?.['QUERY PLAN'][0].Plan;
  return plan ? touched(plan) : 0;
}
interface PlanNode {
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly PlanNode[];
}
const touched = (node: PlanNode): number =>
  (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'] +
  (node.Plans ?? []).reduce((sum, below) => sum + touched(below), 0);

test('one event costs the same beside ten thousand idle tenants and the backlog of another family', async () => {
  const server = await startServer(allowLoopback);
  const receiver = await receive();
  const { admin, i_customer } = await makeHooked(server, receiver);
  await until('the first', () => receiver.taken.length === 1);
  const statements = (
    await recorded(async () => {
      await admin.ok('POST', '/flows', { name: 'one' });
      await until('the second', () => receiver.taken.length === 2);
      await until('its record', async () => {
        const log = await admin.ok('GET', '/webhook_deliveries');
        return (log['result'] as unknown[]).length === 2;
      });
    })
  ).filter(({ name = '' }) =>
    /promote_webhook|claim_webhook|queue_heads|event_delivered|enqueue_event|log_webhook|queues_due/.test(
      name,
    ),
  );
  expect(new Set(statements.map(({ name }) => name)).size).toBe(7);
  // From here on nobody claims what is inserted.
  await server.close();
  const db = new Client(server.connection);
  await db.connect();
  await db.query('SET enable_seqscan = off; SET jit = off; SET plan_cache_mode = force_generic_plan');
  // Families before and behind the tenant's; the one before has all the slots that it may have.
  const cost = async (): Promise<number[]> => {
    const costs: number[] = [];
    for (const statement of statements) {
      const isClaim = statement.name === 'claim_webhook_queues';
      const values = isClaim ? [0, [2], 16, 15] : statement.values;
      costs.push(await rowsTouched(db, { ...statement, values }));
    }
    return costs;
  };
  await db.query('SET session_replication_role = replica');
  const insert = (state: string, family: string, from: number, to: number): Promise<unknown> =>
    db.query(
      `INSERT INTO webhook_queues (i_customer, i_family, state, ready_at, waiting, waiting_bytes)
       SELECT i, ${family}, '${state}', now() + interval '${state === 'paused' ? 1 : 0} hours', 1, 2
       FROM generate_series(${from}, ${to}) i`,
    );
  await insert('ready', '2', 1_000_001, 1_000_002);
  await db.query(`UPDATE webhook_queues SET state = 'ready' WHERE i_customer = ${i_customer}`);
  await db.query('VACUUM ANALYZE webhook_queues');
  const alone = await cost();
  await insert('ready', '2', 1_000_003, 1_010_000);
  await insert('idle', 'i', 2_000_001, 2_010_000);
  await insert('paused', 'i', 3_000_001, 3_010_000);
  await db.query('VACUUM ANALYZE webhook_queues');
  const amongMany = await cost();
  await db.end();
  // A plan may take another way through ten rows, but never through ten thousand.
  for (const [index, rows] of amongMany.entries())
    expect([statements[index]?.name, Math.abs(rows - (alone[index] ?? 0)) <= 5]).toEqual([
      statements[index]?.name,
      true,
    ]);
  expect(amongMany.reduce((sum, rows) => sum + rows)).toBeLessThan(200);
}, 120_000);

test('counters stay exact while two servers deliver what many callers write', async () => {
  const connection = await makeDatabase();
  const secret_key = randomBytes(32);
  const settings = { ...allowLoopback, TREELINE_WEBHOOK_EVENTS: '20', TREELINE_WEBHOOK_RETRY_S: '1' };
  const servers = await Promise.all([1, 2].map(() => startServer(settings, { connection, secret_key })));
  const [one, other] = servers as [TestServer, TestServer];
  const receiver = await receive();
  const { id, i_customer } = await makeHooked(one, receiver);
  const of = { customer_id: id };
  const roots = [await rootTenant(one), await rootTenant(other)];
  receiver.status = 500;
  const write = (): Promise<unknown> =>
    Promise.all(
      roots.flatMap((root) =>
        Array.from({ length: 20 }, () =>
          root
            .ok('POST', '/tags', { name: 't' }, of)
            .then(() => root.ok('POST', '/flows', { name: 'f' }, of)),
        ),
      ),
    );
  await write();
  expect(await wrongCounters(one)).toEqual([]);
  const letters = await until('dead letters', async () => {
    const page = await roots[0]?.ok('GET', '/webhook_events', undefined, of);
    const found = (page?.['result'] ?? []) as { id: string }[];
    return found.length >= 20 && found;
  });
  receiver.status = 200;
  const resent = letters
    .slice(0, 5)
    .map((letter) => roots[1]?.ask('POST', `/webhook_events/${letter.id}/resend`, undefined, of));
  await Promise.all([write(), ...resent]);
  await until('an empty queue', async () => {
    const rows = await runSql(
      one,
      `SELECT FROM webhook_queues WHERE i_customer = $1 AND state = 'idle'`,
      i_customer,
    );
    return rows.length === 1;
  });
  expect(await wrongCounters(one)).toEqual([]);
  // Each number went to the receiver, in order, once; what waited long went again.
  const numbers = receiver.taken.map(({ headers }) => Number(headers['x-treeline-event']));
  expect(new Set(numbers).size).toBe(numbers.length);
  for (const server of servers) await server.close();
}, 120_000);

test('what a server was sending when it was killed is sent by another', async () => {
  const connection = await makeDatabase();
  const secret_key = randomBytes(32);
  const receiver = await receive(true);
  const env = { ...allowLoopback, TREELINE_WEBHOOK_TIMEOUT_MS: '1000' };
  const program = start(process.execPath, ['--import', 'tsx', join('src', 'main.ts')], {
    env: {
      ...env,
      TREELINE_WEBHOOK_TIMEOUT_MS: '3000',
      PORT: '0',
      DATABASE_URL: connectionString(connection),
      SECRET_KEY: secret_key.toString('base64'),
      ROOT_WEB_PASSWORD: 'known-web-password',
      ROOT_API_PASSWORD: 'known-api-password',
    },
  });
  const url = await until('the server', () => /listens on (http:\/\/[^/]+)/.exec(program.out())?.[1], 60_000);
  const root = await logIn({ url } as TestServer, 'root', 'known-web-password');
  await root.ok('POST', '/customers', { name: 'Told', webhook_uri: receiver.uri });
  await until('the attempt', () => receiver.held.now === 1);
  program.child.kill('SIGKILL');
  await program.ended;
  receiver.holding = false;
  const second = await startServer(env, { connection, secret_key });
  await until('the event', () => receiver.all.length === 2);
  expect(new Set(receiver.all.map(({ headers }) => headers['x-treeline-event-id'])).size).toBe(1);
  await second.close();
}, 180_000);
