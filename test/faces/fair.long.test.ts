/** What one caller may do to another, through a real server: nothing but take its turn. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from '../../src/db/database';
import { times } from '../setup/books';
import { insertCustomers } from '../setup/insert-customers';
import { until } from '../setup/processes';
import {
  RawConnection,
  basic,
  callBody,
  exchange,
  exchangeRaw,
  headerOf,
  requestBytes,
  structParam,
} from '../setup/raw-http';
import { headersOf, identityOf, resellerOf } from '../setup/reseller';
import {
  type Member,
  type Members,
  type TestServer,
  apiPassword,
  makeMember,
  rootPassword,
  startServer,
  uniqueName,
} from '../setup/server';
import { rootTenant } from '../setup/tenant';

async function onServer(
  environment: Record<string, string>,
  work: (server: TestServer) => Promise<void>,
): Promise<void> {
  const server = await startServer(environment);
  try {
    await work(server);
  } finally {
    await server.close();
  }
}

const fundsOf = ({ i_customer }: { i_customer: number }): Members => ({
  i_customer,
  amount: 1,
  currency: 'USD',
});

/** A customer with one below it, to whom it gives money. */
async function payer(server: TestServer): Promise<{ pay: () => Promise<unknown>; member: Member }> {
  const member = await makeMember(server);
  const below = await makeMember(server, member.as);
  return { member, pay: () => member.as.call('customerAddFunds', fundsOf(below)) };
}

test('two hundred payments of one caller delay a payment of another by a few turns, not by two hundred', async () => {
  // One connection for all that write.
  await onServer({ TREELINE_POOL_SIZE: '4', TREELINE_POOL_WAIT_MS: '60000' }, async (server) => {
    const [greedy, victim] = [await payer(server), await payer(server)];
    let done = 0;
    const flood = times(200, () => greedy.pay().then(() => (done += 1)));
    await until('the flood to begin', () => Promise.resolve(done > 5));
    const before = done;
    await victim.pay();
    const during = done - before;
    // Turns go on while the victim's request is on its way, so a few are served before it.
    expect(during).toBeLessThan(60);
    await Promise.all(flood);
  });
}, 60_000);

test('slow reads leave payments alone, and one that is too slow is fault 503 that names the limit', async () => {
  await onServer({ TREELINE_SLOW_READ_TIMEOUT_MS: '1000' }, async (server) => {
    const { member, pay } = await payer(server);
    const nap = sql('nap', 'SELECT pg_sleep($1)');
    const naps = times(4, () => server.db.slowReads.query(nap, [0.8]));
    const began = performance.now();
    let isOver = false;
    const audit = member.as.call('getAuditLogs').then((answer) => {
      isOver = true;
      return answer;
    });
    await pay();
    await member.as.call('getCustomerInfo', { i_customer: member.i_customer });
    // All connections for slow reads sleep, so that one waits, and nobody else does.
    if (performance.now() - began < 500) expect(isOver).toBe(false);
    await Promise.all(naps);
    expect((await audit)['records'].length).toBeGreaterThan(0);
    const failure: unknown = await server.db.slowReads.query(nap, [5]).catch((error: unknown) => error);
    expect(failure).toMatchObject({ kind: 'unavailable' });
    expect((failure as Error).message).toContain('1000 ms (TREELINE_SLOW_READ_TIMEOUT_MS)');
  });
});

test('a look-up is refused any other statement', async () => {
  await onServer({}, async (server) => {
    await expect(
      Promise.resolve().then(() => server.db.sharedReadsOnly.query(sql('other', 'SELECT 1'))),
    ).rejects.toThrow('other is no look-up');
  });
});

test('forty refused bodies full of passwords hash nothing', async () => {
  await onServer({}, async (server) => {
    const { i_customer, name } = await makeMember(server);
    await server.root.call('updateCustomer', { i_customer, customers_mgmt: 0 });
    const users = times(100, (n) => ({ name: `user${n}`, password: 'correct-horse-1', role_id: 1 }));
    const call = resellerOf(server, { name });
    const began = performance.now();
    const answers = await Promise.all(
      times(40, () =>
        call('POST', '/account/reseller', { name: uniqueName(), contact_name: 'Ann', users, addresses: [] }),
      ),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([403]));
    // To hash them would take more than 40 s of a core.
    expect(performance.now() - began).toBeLessThan(15_000);
  });
}, 30_000);

describe('a caller that is too fast is 429, with a time after which to come again', () => {
  let server: TestServer;
  let member: Member;
  let other: Member;
  beforeAll(async () => {
    server = await startServer({ TREELINE_CALL_RATE: '1', TREELINE_CALL_BURST: '4' });
    member = await makeMember(server);
    other = await makeMember(server);
  });
  afterAll(() => server.close());

  const login = (): string => basic(member.name, apiPassword);
  const lines = (headers: Record<string, string>): string[] =>
    Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const asks: Readonly<Record<string, () => Promise<{ status: number; text: string; wait?: string }>>> = {
    'XML-RPC': async () =>
      seen(await exchange(server.url, { headers: [login()], body: callBody('listTariffs') })),
    JSON: async () => seen(await exchange(server.url, { path: '/json/listTariffs', headers: [login()] })),
    reseller: async () =>
      seen(
        await exchange(server.url, {
          method: 'GET',
          path: '/account/balance',
          headers: lines(headersOf(identityOf(member))),
        }),
      ),
  };
  const seen = (answer: Awaited<ReturnType<typeof exchange>>) => ({
    status: answer.status,
    text: answer.body.toString(),
    wait: headerOf(answer, 'retry-after') ?? 'none',
  });

  test.each(Object.entries(asks))('%s', async (name, ask) => {
    for (let n = 0; n < 30; n += 1) {
      const { status, text, wait } = await ask();
      if (!text.includes('Too many calls of one customer in a second')) continue;
      expect(status).toBe(name === 'XML-RPC' ? 200 : 429);
      expect(wait).toMatch(/^[1-9]\d?$/);
      if (name === 'XML-RPC') expect(text).toContain('<int>429</int>');
      return;
    }
    throw new Error('Nothing was too fast');
  });

  test('the tenant API, in its words', async () => {
    const root = await rootTenant(server);
    for (let n = 0; n < 30; n += 1) {
      const { status, body, headers } = await root.ask('GET', '/customer');
      if (status === 200) continue;
      expect(status).toBe(429);
      expect(body).toMatchObject({ error: { status: 'RESOURCE_EXHAUSTED', reason: 'TOO_MANY_CALLS' } });
      expect(headers.get('retry-after')).toMatch(/^[1-9]\d?$/);
      return;
    }
    throw new Error('Nothing was too fast');
  });

  test('members of a multicall count singly', async () => {
    const calls = times(20, () => ({ methodName: 'listTariffs', params: [] }));
    const outcomes = (await other.as.call('system.multicall', calls)) as unknown as Members[];
    const refused = outcomes.filter((outcome) => outcome['faultCode'] === 429);
    expect(outcomes).toHaveLength(20);
    expect(refused.length).toBeGreaterThan(5);
  });
});

test('more calls of one customer than may wait are 429 at once', async () => {
  await onServer({ TREELINE_POOL_SIZE: '4', TREELINE_WAITING_PER_CALLER: '10' }, async (server) => {
    const { pay } = await payer(server);
    const outcomes = await Promise.all(
      times(100, () =>
        pay().then(
          () => 0,
          (fault: unknown) => (fault as { faultCode: number }).faultCode,
        ),
      ),
    );
    expect(new Set(outcomes)).toEqual(new Set([0, 429]));
  });
});

test('a flood of wrong passwords holds few connections', async () => {
  await onServer({}, async (server) => {
    const { name } = await makeMember(server);
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, server.db.poolState().used)), 1);
    const statuses = await Promise.all(
      times(50, async () => {
        const headers = [basic(name, 'wrong-password')];
        const bytes = requestBytes({ headers, body: callBody('listTariffs') });
        return (await exchangeRaw(server.url, bytes, { timeout_ms: 25_000 }))?.status;
      }),
    ).finally(() => {
      clearInterval(watch);
    });
    expect(new Set(statuses)).toEqual(new Set([401, 429]));
    expect(most).toBeLessThanOrEqual(4);
  });
});

describe('guessing from one address', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer({ TREELINE_FAILURES_PER_ADDRESS: '20', TRUSTED_PROXIES: '127.0.0.1' });
  });
  afterAll(() => server.close());

  const from = async (address: string, login: string, password: string): Promise<number> => {
    const headers = [basic(login, password), `X-Forwarded-For: ${address}`, 'X-Forwarded-Proto: https'];
    return (await exchange(server.url, { headers, body: callBody('listTariffs') })).status;
  };

  test('is counted over all logins and over a whole /64, and who is known there is served', async () => {
    const [known, other] = [await makeMember(server), await makeMember(server)];
    expect(await from('2001:db8::9', known.name, apiPassword)).toBe(200);
    for (let n = 0; n < 20; n += 1)
      expect(await from(`2001:db8::${n + 1}`, uniqueName('nobody'), 'wrong-password')).toBe(401);
    expect(await from('2001:db8::77', uniqueName('nobody'), 'wrong-password')).toBe(429);
    expect(await from('2001:db8::77', other.name, apiPassword)).toBe(429);
    expect(await from('2001:db8::9', known.name, apiPassword)).toBe(200);
    expect(await from('2001:db8:0:1::1', other.name, apiPassword)).toBe(200);
  });

  test('logins of the tenant API are in the same count', async () => {
    const logInFrom = async (username: string): Promise<number> => {
      const body = JSON.stringify({ username, password: 'wrong-password' });
      const headers = ['X-Forwarded-For: 192.0.2.1', 'X-Forwarded-Proto: https'];
      return (await exchange(server.url, { path: '/auth/login', headers, body })).status;
    };
    for (let n = 0; n < 10; n += 1) {
      expect(await logInFrom(uniqueName('nobody'))).toBe(401);
      expect(await from('192.0.2.1', uniqueName('nobody'), 'wrong-password')).toBe(401);
    }
    expect(await logInFrom(uniqueName('nobody'))).toBe(429);
    expect(await from('192.0.2.1', uniqueName('nobody'), 'wrong-password')).toBe(429);
  });
});

test('an address has a bounded number of connections, and a new one takes the place of the oldest idle one', async () => {
  await onServer({ TREELINE_CONNECTIONS_PER_ADDRESS: '3' }, async ({ url }) => {
    const localAddress = '127.0.9.1';
    const live = { method: 'GET', path: '/health/live' };
    const [first, second, third] = [
      await RawConnection.open(url, { localAddress }),
      await RawConnection.open(url, { localAddress }),
      await RawConnection.open(url, { localAddress }),
    ];
    await sleep(100);
    expect((await exchange(url, live, { localAddress: '127.0.9.2' })).status).toBe(200);
    expect((await exchange(url, live, { localAddress })).status).toBe(200);
    expect(await first.closes()).toBe(true);
    for (const connection of [second, third]) {
      connection.send(requestBytes(live));
      expect((await connection.next(5_000, 'GET'))?.status).toBe(200);
      connection.close();
    }
  });
});

test('one login with all connections of an address, all busy, gives one up to another login', async () => {
  await onServer({ TREELINE_CONNECTIONS_PER_ADDRESS: '20' }, async (server) => {
    const localAddress = '127.0.9.1';
    const { name } = await makeMember(server);
    const greedy = await makeMember(server);
    // The body never comes, so each of them stays busy.
    const head = requestBytes({ headers: [basic(greedy.name, apiPassword)], body: callBody('listTariffs') });
    const held: RawConnection[] = [];
    for (let n = 0; n < 20; n += 1) {
      const connection = await RawConnection.open(server.url, { localAddress });
      connection.send(head.subarray(0, head.length - 1));
      held.push(connection);
    }
    await sleep(200);
    const ask = { headers: [basic(name, apiPassword)], body: callBody('listTariffs') };
    expect((await exchange(server.url, ask, { localAddress })).status).toBe(200);
    expect(await held[19]?.closes()).toBe(true);
    held[0]?.send(head.subarray(head.length - 1));
    expect((await held[0]?.next())?.status).toBe(200);
    for (const connection of held) connection.close();
  });
});

describe('answers that nobody reads', () => {
  const environment = {
    TREELINE_BODY_LIMIT_BYTES: '65536',
    TREELINE_BYTES_PER_CALLER: '1048576',
    // Long enough for a busy machine to be asked again in time.
    TREELINE_ANSWER_TIMEOUT_MS: '8000',
  };
  const listing = requestBytes({ headers: [basic('root', rootPassword)], body: callBody('listCustomers') });
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer(environment, { measured: true });
    await insertCustomers(
      server,
      1,
      times(12_000, () => 'x'.repeat(1_000)),
    );
  }, 60_000);
  afterAll(() => server.close());

  /** A list in pieces, which is read. */
  const again = () => exchange(server.url, { headers: [basic('root', rootPassword)], body: shortList });
  const shortList = callBody('listCustomers', structParam({ limit: '<int>1500</int>' }));

  /** Asks for 14 MB and stops to read when the answer begins. Undefined where it was refused. */
  async function unread(): Promise<RawConnection | undefined> {
    const connection = await RawConnection.open(server.url);
    const began = once(connection.socket, 'data') as Promise<[Buffer]>;
    connection.send(listing);
    const [chunk] = await began;
    connection.socket.pause();
    if (chunk.toString('latin1').startsWith('HTTP/1.1 200')) return connection;
    connection.close();
    return undefined;
  }

  test('are bounded: the next request is 503 and its connection goes; closed, they are free again', async () => {
    const greedy = await until('an answer that begins', unread);
    const refused = await again();
    expect(refused.status).toBe(503);
    expect(refused.body.toString()).toContain('TREELINE_BYTES_PER_CALLER');
    expect([headerOf(refused, 'connection'), headerOf(refused, 'retry-after')]).toEqual(['close', '1']);
    greedy.close();
    await until('room again', async () => (await again()).status === 200);
  }, 60_000);

  test('end by themselves when nothing of them is read for a while', async () => {
    const greedy = await until('an answer that begins', unread);
    expect((await again()).status).toBe(503);
    await until('room again', async () => (await again()).status === 200);
    greedy.socket.resume();
    expect(await greedy.closes(20_000)).toBe(true);
  }, 60_000);
});
