/** Events on their way to a tenant's receiver: signed, in order, until they are taken, and to no machine of our own network. */
import { createHmac, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { join } from 'node:path';
import { asRanges } from '../../src/base/config';
import { deliver } from '../../src/api/tenant/webhooks/webhook-client';
import { runSql } from '../setup/family';
import { connectionString, killPrograms, start, until } from '../setup/processes';
import { type Receiver, startReceiver } from '../setup/receiver';
import { type TestServer, makeDatabase, startServer, uniqueName } from '../setup/server';
import { type TenantCaller, logIn, makeTenant, rootTenant } from '../setup/tenant';

const allowed = { TREELINE_WEBHOOK_RANGES: '127.0.0.1' };

let server: TestServer;
beforeAll(async () => {
  server = await startServer(allowed);
});
const receivers: Receiver[] = [];
afterAll(async () => {
  killPrograms();
  await server.close();
  for (const receiver of receivers) await receiver.close();
});

const receive = async (): Promise<Receiver> => {
  const receiver = await startReceiver();
  receivers.push(receiver);
  return receiver;
};

/** A tenant that is told of its events, and the key that signs them. */
async function listening(on: TestServer, receiver: Receiver, method = 'POST') {
  const tenant = await makeTenant(on);
  const { webhook_key } = await tenant.admin.ok('PUT', '/customer', {
    webhook_uri: receiver.uri,
    webhook_method: method,
  });
  return { ...tenant, key: String(webhook_key) };
}

const types = ({ taken }: Receiver): string[] => taken.map(({ type }) => type);
const waiting = async (on: TestServer): Promise<number> =>
  Number((await runSql<{ n: string }>(on, 'SELECT count(*) AS n FROM webhook_events'))[0]?.n);
const allTold = (on: TestServer) => until('all events to be told', async () => (await waiting(on)) === 0);

test('every change of customers, agents, numbers, flows and queues is told as the API shows it, signed', async () => {
  const receiver = await receive();
  const { admin, key, id } = await listening(server, receiver, 'PUT');
  expect(key).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(await admin.ok('GET', '/customer')).not.toHaveProperty('webhook_key');
  const made: Record<string, unknown>[] = [];
  const things: [string, object, object][] = [
    ['/agents', { username: uniqueName(), status: 'away' }, { name: 'Jane' }],
    ['/flows', { name: 'f', actions: [{ type: 'answer' }] }, { detail: 'd' }],
    ['/numbers', { number: '+12025550111' }, { name: 'n' }],
    ['/queues', { name: 'q' }, { wait_timeout: 5 }],
  ];
  for (const [path, body, change] of things) {
    const one = await admin.ok('POST', path, body);
    made.push(one, await admin.ok('PUT', `${path}/${one['id']}`, change));
    // What changes nothing is no event.
    await admin.ok('PUT', `${path}/${one['id']}`, change);
    made.push(await admin.ok('DELETE', `${path}/${one['id']}`));
  }
  await admin.ok('POST', '/tags', { name: 'of tags nobody is told' });
  await allTold(server);
  const word = ['created', 'updated', 'deleted'];
  expect(types(receiver)).toEqual([
    'customer_updated',
    ...['agent', 'flow', 'number', 'queue'].flatMap((name) => word.map((happened) => `${name}_${happened}`)),
  ]);
  const [first, ...others] = receiver.taken;
  expect(first?.data).toEqual(await admin.ok('GET', '/customer'));
  const timeless = ({ tm_update: _update, tm_delete: _delete, ...rest }: Record<string, unknown>) => rest;
  expect(others.map(({ data }) => timeless(data))).toEqual(made.map(timeless));
  expect(
    others.filter(({ type }) => type.endsWith('deleted')).map(({ data }) => typeof data['tm_delete']),
  ).toEqual(Array.from({ length: 4 }, () => 'string'));
  for (const { method, path, headers, body } of receiver.taken) {
    expect([method, path]).toEqual(['PUT', '/hook?of=tenant']);
    expect(headers['content-type']).toBe('application/json; charset=utf-8');
    const timestamp = String(headers['x-treeline-timestamp']);
    expect(Math.abs(Number(timestamp) - Date.now() / 1_000)).toBeLessThan(30);
    const signature = createHmac('sha256', key).update(`${timestamp}.${body}`).digest('hex');
    expect(headers['x-treeline-signature']).toBe(`sha256=${signature}`);
  }
  const rows = await runSql(
    server,
    'SELECT row_to_json(c)::text AS text FROM customers c WHERE uuid = $1',
    id,
  );
  expect(JSON.stringify(rows)).not.toContain(key);
  expect(server.logged()).not.toContain(key);
});

test('changes over other faces are told too; what is refused, is not', async () => {
  const receiver = await receive();
  const { admin, i_customer } = await listening(server, receiver);
  await server.root.call('updateCustomer', { i_customer, description: 'from above' });
  const { i_web_user } = await server.root.call('createWebUser', {
    i_customer,
    web_login: uniqueName(),
    web_password: 'correct-horse-1',
  });
  await server.root.call('blockCustomer', { i_customer });
  await server.root.call('unblockCustomer', { i_customer });
  expect(await admin.refusal('POST', '/agents', { username: 'root' })).toMatchObject({ http: 409 });
  const flow = await admin.ok('POST', '/flows', {});
  await admin.ok('POST', '/numbers', { number: '+12025550122', call_flow_id: flow['id'] });
  expect(await admin.refusal('POST', '/numbers', { number: '+12025550122' })).toMatchObject({ http: 409 });
  expect(await admin.refusal('DELETE', `/flows/${flow['id']}`)).toMatchObject({ http: 409 });
  await server.root.call('deleteWebUser', { i_web_user });
  await allTold(server);
  expect(types(receiver).slice(1)).toEqual([
    'customer_updated',
    'agent_created',
    'customer_updated',
    'customer_updated',
    'flow_created',
    'number_created',
    'agent_deleted',
  ]);
  const [, , , frozen, recovered] = receiver.taken;
  expect([frozen?.data['status'], recovered?.data['status']]).toEqual(['suspended', 'active']);
});

test('many changes at once are told in the order in which they were made', async () => {
  const receiver = await receive();
  const { admin } = await listening(server, receiver);
  const lives = Array.from({ length: 12 }, async (_, n) => {
    const { id } = await admin.ok('POST', '/flows', { name: `flow ${n}` });
    for (let m = 0; m < 3; m += 1) await admin.ok('PUT', `/flows/${id}`, { name: `flow ${n}.${m}` });
    await admin.ok('DELETE', `/flows/${id}`);
    return String(id);
  });
  const ids = await Promise.all(lives);
  await allTold(server);
  expect(receiver.taken).toHaveLength(1 + 12 * 5);
  for (const [n, id] of ids.entries()) {
    const told = receiver.taken.filter(({ data }) => data['id'] === id);
    expect(told.map(({ type, data }) => [type.split('_')[1], data['name']])).toEqual([
      ['created', `flow ${n}`],
      ...[0, 1, 2].map((m) => ['updated', `flow ${n}.${m}`]),
      ['deleted', `flow ${n}.2`],
    ]);
  }
});

test('what a receiver does not take is tried again after growing pauses, and others do not wait for it', async () => {
  const [broken, sound] = [await receive(), await receive()];
  broken.status = 503;
  const slow = await listening(server, broken);
  const fast = await listening(server, sound);
  for (const name of ['a', 'b', 'c']) await slow.admin.ok('POST', '/flows', { name });
  await fast.admin.ok('POST', '/flows', { name: 'not held up' });
  await until('the sound one', () => sound.taken.length === 2);
  await until('a second try', () => broken.all.length >= 2);
  // One at a time: until the first is taken, no other comes.
  expect(new Set(broken.all.map(({ type }) => type))).toEqual(new Set(['customer_updated']));
  await until('a pause after it', async () => {
    const [row] = await runSql<{ attempts: number; pause_s: number }>(
      server,
      `SELECT e.attempts, extract(epoch FROM q.ready_at - now())::float8 AS pause_s
       FROM webhook_queues q JOIN webhook_events e ON e.i_customer = q.i_customer
       WHERE q.i_customer = $1 AND q.state = 'paused' ORDER BY e.i_event LIMIT 1`,
      slow.i_customer,
    );
    return row !== undefined && row.attempts >= 2 && row.pause_s > 0;
  });
  // A redirection is no yes.
  broken.status = 302;
  await until('another try', () => broken.all.length >= 3);
  expect(broken.taken).toHaveLength(0);
  broken.status = 200;
  await allTold(server);
  expect(broken.taken.map(({ data }) => data['name']).slice(1)).toEqual(['a', 'b', 'c']);
});

test('a new place gets a new key, an empty one ends it, and no place with a password is taken', async () => {
  const receiver = await receive();
  const { admin, key } = await listening(server, receiver);
  expect(await admin.ok('PUT', '/customer', { webhook_uri: `${receiver.uri}&b=1` })).not.toHaveProperty(
    'webhook_key',
  );
  expect(await admin.ok('PUT', '/customer', { webhook_uri: '' })).toMatchObject({ webhook_uri: '' });
  const again = await admin.ok('PUT', '/customer', { webhook_uri: receiver.uri });
  expect(again['webhook_key']).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(again['webhook_key']).not.toBe(key);
  for (const webhook_uri of [
    'ftp://example.com',
    'http://a:b@example.com/',
    'example.com',
    'http://',
    'javascript:1',
  ])
    expect((await admin.ask('PUT', '/customer', { webhook_uri })).status).toBe(400);
  expect((await admin.ask('PUT', '/customer', { webhook_method: 'TRACE' })).status).toBe(400);
});

describe('private addresses', () => {
  test('are refused when they are set, and again at each delivery', async () => {
    const strict = await startServer();
    const receiver = await receive();
    const { admin, i_customer } = await makeTenant(strict);
    const refused = async (webhook_uri: string): Promise<void> => {
      const { status, body } = await admin.ask('PUT', '/customer', { webhook_uri });
      expect([webhook_uri, status, body['error']]).toMatchObject([
        webhook_uri,
        400,
        { details: [{ field: 'webhook_uri' }] },
      ]);
    };
    const hosts = [
      '127.1',
      '2130706433',
      '0x7f.1',
      '[::1]',
      '[::a00:1]',
      '[64:ff9b::a00:1]',
      '169.254.169.254',
    ];
    for (const host of [...hosts, 'localhost']) await refused(`http://${host}/hook`);
    await refused(receiver.uri);
    expect((await admin.ask('POST', '/customers', { name: 'x', webhook_uri: receiver.uri })).status).toBe(
      400,
    );
    // What was set under another setting, or by a name that has moved since.
    await admin.ok('PUT', '/customer', { webhook_uri: 'https://8.8.8.8:1/' });
    await runSql(
      strict,
      'UPDATE customers SET webhook_uri = $2 WHERE i_customer = $1',
      i_customer,
      receiver.uri,
    );
    await until('a refusal', () => /address is private/.test(strict.logged()));
    expect(receiver.all).toEqual([]);
    await strict.close();
  });

  /** A DNS server of one name, which answers these addresses in turn. */
  async function startDns(answers: readonly (readonly string[])[]) {
    const socket = createSocket('udp4');
    let asked = 0;
    socket.on('message', (query, from) => {
      const addresses = answers[Math.min(asked, answers.length - 1)] ?? [];
      asked += 1;
      const header = Buffer.from(query.subarray(0, 12));
      header.writeUInt16BE(0x8180, 2);
      header.writeUInt16BE(addresses.length, 6);
      header.writeUInt32BE(0, 8);
      const question = query.subarray(12, query.indexOf(0, 12) + 5);
      const records = addresses.map((address) =>
        Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split('.').map(Number)]),
      );
      socket.send(Buffer.concat([header, question, ...records]), from.port, from.address);
    });
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    const resolver = new Resolver();
    resolver.setServers([`127.0.0.1:${socket.address().port}`]);
    return {
      resolve: (host: string) => resolver.resolve4(host),
      asked: () => asked,
      close: () => {
        resolver.cancel();
        socket.close();
      },
    };
  }

  test('are refused also where the name changes its address after it was looked at', async () => {
    const dns = await startDns([['127.0.0.2'], ['127.0.0.1'], ['127.0.0.2', '127.0.0.1']]);
    const open = await startReceiver('127.0.0.2');
    const hidden = await startReceiver('127.0.0.1', open.port);
    receivers.push(open, hidden);
    const rules = { allowed: asRanges('127.0.0.2'), resolve: dns.resolve, timeout_ms: 5_000 };
    const delivery = {
      uri: `http://hook.example:${open.port}/x`,
      method: 'POST',
      headers: {},
      body: '{"type":"t","data":{}}',
    };
    expect(await deliver(delivery, rules)).toBe(200);
    expect([dns.asked(), open.all.length, open.all[0]?.headers.host]).toEqual([
      1,
      1,
      `hook.example:${open.port}`,
    ]);
    await expect(deliver(delivery, rules)).rejects.toThrow('private');
    await expect(deliver(delivery, rules)).rejects.toThrow('private');
    for (const uri of [
      'http://127.1/',
      'http://2130706433/',
      'http://0x7f.1/',
      'http://[::ffff:7f00:1]/',
      'http://[::1]/',
    ])
      await expect(deliver({ ...delivery, uri }, rules)).rejects.toThrow('private');
    expect(hidden.all).toEqual([]);
    dns.close();
  });
});

test('none is lost when the server is killed, and another tells it', async () => {
  const connection = await makeDatabase();
  const secret_key = randomBytes(32);
  const receiver = await receive();
  receiver.status = 500;
  const env = {
    ...allowed,
    PORT: '0',
    DATABASE_URL: connectionString(connection),
    SECRET_KEY: secret_key.toString('base64'),
    ROOT_WEB_PASSWORD: 'known-web-password',
    ROOT_API_PASSWORD: 'known-api-password',
  };
  const begin = async () => {
    const program = start(process.execPath, ['--import', 'tsx', join('src', 'main.ts')], { env });
    const url = await until('the server', () => /listens on (http:\/\/[^/]+)/.exec(program.out())?.[1]);
    return { program, on: { url } as TestServer };
  };
  const first = await begin();
  const root = await logIn(first.on, 'root', 'known-web-password');
  const { id } = await root.ok('POST', '/customers', { name: 'Told', webhook_uri: receiver.uri });
  const of = { customer_id: String(id) };
  const made: string[] = [];
  const makeUntilKilled = async (by: TenantCaller, n: number): Promise<void> => {
    try {
      for (let m = 0; ; m += 1)
        made.push(String((await by.ok('POST', '/flows', { name: `${n}.${m}` }, of))['id']));
    } catch {
      // The server is gone.
    }
  };
  const makers = [0, 1, 2, 3].map((n) => makeUntilKilled(root, n));
  await until('flows', () => made.length > 20 && receiver.all.length > 0);
  first.program.child.kill('SIGKILL');
  await Promise.all([first.program.ended, ...makers]);
  receiver.status = 200;

  const second = await startServer(allowed, { connection, secret_key });
  await until('all to be told', async () => (await waiting(second)) === 0);
  const told = receiver.taken.map(({ data }) => String(data['id']));
  const flows = await runSql<{ uuid: string }>(second, 'SELECT uuid FROM flows ORDER BY i_flow');
  expect([...new Set(told)].sort()).toEqual([String(id), ...flows.map(({ uuid }) => uuid)].sort());
  expect(made.filter((one) => !told.includes(one))).toEqual([]);
  await second.close();
}, 60_000);

test('several servers tell each event once', async () => {
  const connection = await makeDatabase();
  const secret_key = randomBytes(32);
  const both = await Promise.all([1, 2].map(() => startServer(allowed, { connection, secret_key })));
  const receiver = await receive();
  const [one, other] = both as [TestServer, TestServer];
  const { id } = await (
    await rootTenant(one)
  ).ok('POST', '/customers', { name: 'x', webhook_uri: receiver.uri });
  const of = { customer_id: String(id) };
  const roots = [await rootTenant(one), await rootTenant(other)];
  await Promise.all(
    roots.flatMap((root, n) =>
      Array.from({ length: 10 }, (_, m) => root.ok('POST', '/flows', { name: `${n}.${m}` }, of)),
    ),
  );
  await allTold(one);
  const events = receiver.taken.map(({ headers }) => Number(headers['x-treeline-event']));
  expect(events).toHaveLength(21);
  expect(events).toEqual([...new Set(events)].sort((a, b) => a - b));
  for (const each of both) await each.close();
});
