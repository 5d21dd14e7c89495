/** What a tenant sees of its webhook: dead letters, which it sends again, the log of deliveries, pings; and the limits. */
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Socket, createServer } from 'node:net';
import { join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { asRanges } from '../../src/base/config';
import { deliver } from '../../src/api/tenant/webhooks/webhook-client';
import { deliveriesKept, purgeWebhooks } from '../../src/api/tenant/webhooks/queue';
import { runSql } from '../setup/family';
import { projectRoot, until } from '../setup/processes';
import { exchange } from '../setup/raw-http';
import { type Receiver, startReceiver } from '../setup/receiver';
import { type Members, type TestServer, startServer } from '../setup/server';
import { type TenantCaller, makeTenant } from '../setup/tenant';
import { allowLoopback, makeHooked, wrongCounters } from '../setup/webhooks';

const limits = {
  TREELINE_WEBHOOK_EVENTS: '3',
  TREELINE_WEBHOOK_BYTES: '100000',
  TREELINE_WEBHOOK_RETRY_S: '1',
};

jest.setTimeout(120_000);

let server: TestServer;
/** Holds events for a day, and few of them. */
let patient: TestServer;
const receivers: Receiver[] = [];
beforeAll(async () => {
  server = await startServer({ ...allowLoopback, TREELINE_WEBHOOK_RETRY_S: '1' });
  patient = await startServer({ ...allowLoopback, ...limits, TREELINE_WEBHOOK_RETRY_S: '86400' });
});
afterAll(async () => {
  for (const each of [server, patient]) {
    expect(await wrongCounters(each)).toEqual([]);
    await each.close();
  }
  for (const receiver of receivers) await receiver.close();
});

const receive = async (status = 200): Promise<Receiver> => {
  const receiver = await startReceiver();
  receiver.status = status;
  receivers.push(receiver);
  return receiver;
};

const listOf = async (by: TenantCaller, path: string, query?: Record<string, string>): Promise<Members[]> =>
  (await by.ok('GET', path, undefined, query))['result'] as Members[];
const lettersOf = (by: TenantCaller, count: number): Promise<Members[]> =>
  until(`${count} dead letters`, async () => {
    const found = await listOf(by, '/webhook_events');
    return found.length >= count && found;
  });

test('what is not taken in time becomes a dead letter, and is sent again under its number', async () => {
  const receiver = await receive(500);
  const { admin, id } = await makeHooked(server, receiver);
  const flow = await admin.ok('POST', '/flows', { name: 'kept', actions: [{ type: 'answer' }] });
  const [second, first] = (await lettersOf(admin, 2)) as [Members, Members];
  expect([first['type'], second['type']]).toEqual(['customer_updated', 'flow_created']);
  expect(first).toMatchObject({ customer_id: id, state: 'dead', reason: 'HTTP status 500' });
  expect(first['attempts']).toBeGreaterThanOrEqual(2);
  expect(await admin.ok('GET', '/webhook')).toMatchObject({
    state: 'idle',
    waiting: 0,
    dead_letters: 2,
    lost: 0,
  });
  expect(await admin.ok('GET', `/webhook_events/${second['id']}`)).toEqual({ ...second, data: flow });
  receiver.status = 200;
  await admin.ok('POST', '/flows', { name: 'new' });
  await until('the new one', () => receiver.taken.length === 1);
  // Of two at once, one sends it again.
  const path = `/webhook_events/${second['id']}/resend`;
  const answers = await Promise.all([admin.ask('POST', path), admin.ask('POST', path)]);
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 404]);
  expect(answers.find(({ status }) => status === 200)?.body).toMatchObject({
    id: second['id'],
    state: 'waiting',
  });
  const again = await until('it', () => receiver.taken[1]);
  expect(again).toMatchObject({ type: 'flow_created', data: flow });
  expect(again.headers['x-treeline-event']).toBe(second['number']);
  expect(again.headers['x-treeline-event-id']).toBe(second['id']);
  expect((await listOf(admin, '/webhook_events')).map((letter) => String(letter['id']))).toEqual([
    first['id'],
  ]);
});

test('events of others do not exist: neither to read nor to send again', async () => {
  const receiver = await receive(500);
  const { admin } = await makeHooked(server, receiver);
  const stranger = await makeTenant(server);
  const [letter] = (await lettersOf(admin, 1)) as [Members];
  for (const [verb, path] of [
    ['GET', `/webhook_events/${letter['id']}`],
    ['POST', `/webhook_events/${letter['id']}/resend`],
  ] as const)
    expect(await stranger.admin.refusal(verb, path)).toMatchObject({ http: 404 });
  for (const path of ['/webhook_events', '/webhook_deliveries'])
    expect(await listOf(stranger.admin, path)).toEqual([]);
  expect(await stranger.admin.ok('GET', '/webhook')).toMatchObject({ state: 'none', waiting: 0 });
  expect(await stranger.admin.refusal('POST', '/webhook/ping')).toMatchObject({ http: 409 });
});

test('a full queue makes dead letters, then counts what is lost; no change fails of it, and room is shown', async () => {
  const receiver = await receive(500);
  const { admin } = await makeHooked(patient, receiver);
  for (let n = 1; n < 8; n += 1) await admin.ok('POST', '/flows', { name: `f${n}` });
  expect(await admin.ok('GET', '/webhook')).toMatchObject({ waiting: 3, dead_letters: 3, lost: 2 });
  const letters = await listOf(admin, '/webhook_events');
  expect(letters.map(({ reason }) => String(reason))).toEqual(
    Array.from({ length: 3 }, () => 'The queue was full'),
  );
  const waiting = await listOf(admin, '/webhook_events', { state: 'waiting', page_size: '2' });
  expect(waiting.map(({ type }) => String(type))).toEqual(['flow_created', 'flow_created']);
  const refused = await admin.refusal('POST', `/webhook_events/${letters[0]?.['id']}/resend`);
  expect(refused).toMatchObject({ http: 403, message: expect.stringContaining('TREELINE_WEBHOOK_EVENTS') });
  // Bytes are bounded as well, and one event is.
  const { admin: other } = await makeHooked(patient, receiver);
  const actions = [{ type: 'talk', option: { text: 'x'.repeat(45_000) } }];
  for (let n = 0; n < 5; n += 1) await other.ok('POST', '/flows', { name: `${n}`, actions });
  expect(await other.ok('GET', '/webhook')).toMatchObject({ waiting: 3, dead_letters: 2, lost: 1 });
  const huge = await makeHooked(patient, await receive());
  const { id } = await huge.admin.ok('POST', '/flows', { name: 'huge' });
  await until('an empty queue', async () => (await huge.admin.ok('GET', '/webhook'))['waiting'] === 0);
  const text = `UPDATE flows SET actions = jsonb_build_array(repeat('x', 300000)) WHERE uuid = $1`;
  await runSql(patient, text, id);
  await huge.admin.ask('PUT', `/flows/${id}`, { name: 'still huge' });
  expect(await huge.admin.ok('GET', '/webhook')).toMatchObject({ waiting: 0, dead_letters: 0, lost: 1 });
  expect(await wrongCounters(patient)).toEqual([]);
});

test('dead letters are bounded: the oldest go, and are counted; all of them go with age', async () => {
  const small = await startServer({ ...allowLoopback, ...limits });
  const receiver = await receive(500);
  const { admin, i_customer } = await makeHooked(small, receiver);
  const numbers: string[] = [];
  for (let round = 0; round < 2; round += 1) {
    for (const name of ['a', 'b', 'c']) await admin.ok('POST', '/flows', { name });
    await until('an empty queue', async () => (await admin.ok('GET', '/webhook'))['waiting'] === 0);
  }
  const letters = await listOf(admin, '/webhook_events');
  numbers.push(...letters.map(({ number }) => String(number)));
  expect(numbers).toHaveLength(3);
  const { lost } = await admin.ok('GET', '/webhook');
  expect(lost).toBe(7 - 3);
  await runSql(
    small,
    `UPDATE webhook_events SET state_at = now() - interval '31 days' WHERE i_customer = $1`,
    i_customer,
  );
  expect(await purgeWebhooks(small.db, small.config)).toBe(3);
  expect(await admin.ok('GET', '/webhook')).toMatchObject({ dead_letters: 0, dead_letter_bytes: 0, lost });
  expect(await wrongCounters(small)).toEqual([]);
  await small.close();
});

test('a ping goes before all that wait, ends the pause where it is taken, and is one at a time', async () => {
  const receiver = await receive(500);
  const { admin, id } = await makeHooked(patient, receiver);
  await until('two failures', async () => Number((await admin.ok('GET', '/webhook'))['failures']) >= 2);
  await runSql(
    patient,
    `UPDATE webhook_queues SET ready_at = now() + interval '1 hour' WHERE state = 'paused'`,
  );
  receiver.holding = true;
  const [ping, same] = await Promise.all([
    admin.ok('POST', '/webhook/ping'),
    admin.ok('POST', '/webhook/ping'),
  ]);
  expect(same['id']).toBe(ping['id']);
  await until('the ping', () => receiver.all.at(-1)?.type === 'ping');
  expect(receiver.all.at(-1)).toMatchObject({ data: { customer_id: id } });
  // Refused: the pause goes on.
  receiver.holding = false;
  const [delivery] = await until('its outcome', async () => {
    const found = (await listOf(admin, '/webhook_deliveries')).filter(({ type }) => type === 'ping');
    return found.length > 0 && found;
  });
  expect(delivery).toMatchObject({ event_id: ping['id'], status: 'failed', http_status: 500, attempt: 1 });
  expect(await admin.refusal('GET', `/webhook_events/${ping['id']}`)).toMatchObject({ http: 404 });
  expect(await admin.ok('GET', '/webhook')).toMatchObject({ state: 'paused', waiting: 1 });
  receiver.status = 200;
  await admin.ok('POST', '/webhook/ping');
  await until('what waited', () => receiver.taken.length === 2);
  expect(receiver.taken.map(({ type }) => type)).toEqual(['ping', 'customer_updated']);
});

test('the log of deliveries says what came of each attempt, is bounded, and no log holds the path', async () => {
  const receiver = await receive(503);
  const { admin, i_customer } = await makeHooked(server, receiver);
  await until('a failure', async () => (await listOf(admin, '/webhook_deliveries')).length > 0);
  receiver.status = 200;
  await until(
    'a success',
    async () => (await listOf(admin, '/webhook_deliveries'))[0]?.['status'] === 'delivered',
  );
  const [last, before] = await listOf(admin, '/webhook_deliveries', { page_size: '2' });
  expect(last).toMatchObject({ type: 'customer_updated', http_status: 200, reason: null });
  expect(before).toMatchObject({ event_id: last?.['event_id'], http_status: 503, reason: 'HTTP status 503' });
  expect(last?.['attempt']).toBe(Number(before?.['attempt']) + 1);
  await runSql(
    server,
    `WITH more AS (
       INSERT INTO webhook_deliveries (i_customer, number, event_uuid, type, attempt, duration_ms)
       SELECT $1::int, n, gen_random_uuid(), 'flow_created', 1, 1 FROM generate_series(1001, 1000 + ${deliveriesKept}) n)
     UPDATE webhook_queues SET deliveries = 1000 + ${deliveriesKept} WHERE i_customer = $1`,
    i_customer,
  );
  await admin.ok('POST', '/flows', { name: 'one more' });
  const count = async (): Promise<number> =>
    Number(
      (
        await runSql<{ n: string }>(
          server,
          'SELECT count(*) AS n FROM webhook_deliveries WHERE i_customer = $1',
          i_customer,
        )
      )[0]?.n,
    );
  await until('the bound', async () => (await count()) === deliveriesKept);
  await runSql(
    server,
    `UPDATE webhook_deliveries SET created_at = now() - interval '31 days' WHERE i_customer = $1`,
    i_customer,
  );
  await purgeWebhooks(server.db, server.config);
  expect(await count()).toBe(0);
  expect(server.logged()).toMatch(/"host":"127\.0\.0\.1:\d+"/);
  expect(server.logged()).not.toContain('of=tenant');
});

test('without webhook_uri nothing of it is kept', async () => {
  const receiver = await receive(500);
  const { admin, i_customer } = await makeHooked(server, receiver);
  await lettersOf(admin, 1);
  await admin.ok('PUT', '/customer', { webhook_uri: '' });
  for (const table of ['webhook_queues', 'webhook_events', 'webhook_deliveries'])
    expect(await runSql(server, `SELECT FROM ${table} WHERE i_customer = $1`, i_customer)).toEqual([]);
});

test('a receiver that sends its answer drop by drop is left at the deadline', async () => {
  const sockets = new Set<Socket>();
  const dripping = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.write('HTTP/1.1 200 OK\r\n');
    const timer = setInterval(() => socket.write('x-drop: 1\r\n'), 50);
    socket.once('close', () => {
      clearInterval(timer);
    });
  });
  await new Promise<void>((resolve) => dripping.listen(0, '127.0.0.1', resolve));
  const { port } = dripping.address() as { port: number };
  const rules = { allowed: asRanges('127.0.0.1'), resolve: () => Promise.resolve([]), timeout_ms: 500 };
  const delivery = { uri: `http://127.0.0.1:${port}/`, method: 'POST', headers: {}, body: '{}' };
  const began = performance.now();
  await expect(deliver(delivery, rules)).rejects.toThrow();
  expect(performance.now() - began).toBeLessThan(5_000);
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => dripping.close(resolve));
});

test('metrics tell how many events wait, how long, and what came of attempts', async () => {
  const receiver = await receive(500);
  const { admin } = await makeHooked(patient, receiver);
  await until('a failure', async () => (await admin.ok('GET', '/webhook'))['failures'] !== 0);
  // Not by fetch(), which sends Sec-Fetch-Mode as a browser does.
  const { body } = await exchange(patient.url, { method: 'GET', path: '/metrics' });
  const text = body.toString();
  expect(text).toMatch(/^treeline_webhook_events\{state="waiting"\} [1-9]/m);
  expect(text).toMatch(/^treeline_webhook_events\{state="dead"\} \d/m);
  expect(text).toMatch(/^treeline_webhook_oldest_event_seconds [\d.e-]+$/m);
  expect(text).toMatch(/^treeline_webhook_attempts_total\{outcome="refused"\} [1-9]/m);
});

test('the check of the signature in docs/webhooks.md takes what is genuine, and nothing else', () => {
  const document = readFileSync(join(projectRoot, 'docs', 'webhooks.md'), 'utf8');
  const [, code = ''] = /```js\n(.*?)```/s.exec(document) ?? [];
  const context = createContext({ require, Buffer, Date, Number, Math });
  const isGenuine = runInContext(`${code}\nisGenuine`, context) as (
    headers: Record<string, string>,
    body: string,
    key: string,
  ) => boolean;
  const headersAt = (time_s: number, body: string, key: string): Record<string, string> => ({
    'x-treeline-timestamp': String(time_s),
    'x-treeline-signature': `sha256=${createHmac('sha256', key).update(`${time_s}.${body}`).digest('hex')}`,
  });
  const now_s = Math.floor(Date.now() / 1_000);
  const body = '{"type":"ping","data":{"name":"Łódź"}}';
  const genuine = headersAt(now_s, body, 'key');
  expect(isGenuine(genuine, body, 'key')).toBe(true);
  expect(isGenuine(genuine, `${body} `, 'key')).toBe(false);
  expect(isGenuine(genuine, body, 'other')).toBe(false);
  expect(isGenuine(headersAt(now_s - 3_600, body, 'key'), body, 'key')).toBe(false);
  expect(isGenuine({ ...genuine, 'x-treeline-timestamp': String(now_s + 1) }, body, 'key')).toBe(false);
  expect(isGenuine({ ...genuine, 'x-treeline-signature': 'sha256=0' }, body, 'key')).toBe(false);
  expect(isGenuine({}, body, 'key')).toBe(false);
});
