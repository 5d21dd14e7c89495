/**
 * Doors that somebody leans on: clocks that would tell a login, connections by the thousand, callers
 * who do not read, expressions that would never end. (Proofs, replays, spoofed addresses: digest.test.ts and
 * on-behalf.test.ts. Smuggling, bombs, slow senders: hostile.test.ts. Formulas: csv.test.ts. Log lines: logs.test.ts.)
 */
import { type Socket, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { times } from '../setup/books';
import { post, rootLogin } from '../setup/family';
import { insertCustomers } from '../setup/insert-customers';
import { until } from '../setup/processes';
import { basic, callBody, requestBytes } from '../setup/raw-http';
import { resellerAs } from '../setup/reseller';
import { ask } from '../setup/tenant';
import { type TestServer, newCustomer, rootPassword, startServer, uniqueName } from '../setup/server';

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ LOG_LEVEL: 'error' }, { measured: true });
});
afterAll(() => server.close());

const took = async (work: () => Promise<unknown>): Promise<number> => {
  const began = performance.now();
  await work();
  return performance.now() - began;
};

/** How often one of the first is greater than one of the second: a half where nothing tells them apart. */
function chanceOfGreater(first: readonly number[], second: readonly number[]): number {
  const wins = first.flatMap((one) => second.map((other) => (one > other ? 1 : one === other ? 0.5 : 0)));
  return wins.reduce((sum: number, win) => sum + win, 0) / wins.length;
}

describe('the time of a refusal tells nobody whether a login exists', () => {
  const samples = 60;
  const known = times(8, () => uniqueName('known'));

  beforeAll(async () => {
    let first: number | undefined;
    for (const name of known) {
      const customer = newCustomer({ name, api_access: 1, api_password: 'api-password-1' });
      const { i_customer } = await server.root.call('createCustomer', customer);
      first ??= Number(i_customer);
      const web_login = `${name}@${known[0] ?? ''}`;
      await server.root.call('createWebUser', {
        i_customer: first,
        web_login,
        web_password: 'correct-horse-1',
      });
    }
  });

  /** In turn, so that whatever else the machine does falls on both alike. */
  async function distributions(refuse: (login: string, round: number) => Promise<unknown>) {
    const [ofKnown, ofUnknown]: number[][] = [[], []];
    await refuse(uniqueName('warm'), 0);
    for (let round = 0; round < samples; round += 1) {
      ofKnown?.push(await took(() => refuse(known[round % known.length] ?? '', round)));
      ofUnknown?.push(await took(() => refuse(uniqueName('nobody'), round)));
    }
    return { ofKnown: ofKnown ?? [], ofUnknown: ofUnknown ?? [] };
  }

  // With 60 of each, chance alone strays from a half by more than a quarter once in a million.
  const tellsNothing = ({ ofKnown, ofUnknown }: { ofKnown: number[]; ofUnknown: number[] }): void => {
    expect(Math.abs(chanceOfGreater(ofKnown, ofUnknown) - 0.5)).toBeLessThan(0.25);
  };

  test('of authCustomer', async () => {
    tellsNothing(
      await distributions((username) =>
        server.root.fault('authCustomer', { username, password: 'wrong-password' }),
      ),
    );
  });

  test('at the door', async () => {
    tellsNothing(
      await distributions(async (login, round) => {
        const from = `127.1.${Math.floor(round / 10)}.1`;
        const answer = await post(server, {
          method: 'listCustomers',
          login: [login, 'wrong-password'],
          from,
        });
        expect(answer.status).toBe(401);
      }),
    );
  });

  const overReseller = async (reseller: string, user: string): Promise<void> => {
    const { status, text } = await resellerAs(server, { reseller, user, password: 'wrong-password' })(
      'GET',
      '/authenticated',
    );
    expect([status, text]).toEqual([401, expect.stringContaining('X-Auth-Password is wrong')]);
  };

  test('of the reseller API: customers', async () => {
    tellsNothing(await distributions((login) => overReseller(login, login)));
  });

  test('of the reseller API: users of a customer that exists', async () => {
    const customer = known[0] ?? '';
    tellsNothing(await distributions((login) => overReseller(customer, `${login}@${customer}`)));
  });

  test('of a login for a token', async () => {
    tellsNothing(
      await distributions(async (username) => {
        const body = { username, password: 'wrong-password' };
        expect((await ask(server, 'POST', '/auth/login', { body })).status).toBe(401);
      }),
    );
  });

  test('and the measure sees a difference where there is one', () => {
    const [slow, fast] = [
      times(samples, (index) => 10 + (index % 7)),
      times(samples, (index) => 8 + (index % 5)),
    ];
    expect(Math.abs(chanceOfGreater(slow, fast) - 0.5)).toBeGreaterThan(0.25);
  });
});

test('5,000 idle connections keep nobody out, and are closed when their time is over', async () => {
  const patient = await startServer({
    LOG_LEVEL: 'error',
    TREELINE_CALL_TIMEOUT_MS: '10000',
    TREELINE_CONNECTIONS_PER_ADDRESS: '10000',
  });
  const port = Number(new URL(patient.url).port);
  let open = 0;
  const sockets: Socket[] = [];
  try {
    for (let batch = 0; batch < 10; batch += 1) {
      const opened = times(500, () => {
        const socket = connect(port, '127.0.0.1');
        sockets.push(socket);
        socket
          .resume()
          .on('close', () => (open -= 1))
          .on('error', () => undefined);
        return new Promise<void>((resolve, reject) => {
          socket
            .once('connect', () => {
              open += 1;
              resolve();
            })
            .once('error', reject);
        });
      });
      await Promise.all(opened);
    }
    // On a slow machine the first are closed before the last are there.
    expect(sockets).toHaveLength(5_000);
    expect(open).toBeGreaterThan(4_000);
    expect(await took(() => patient.root.call('listCustomers'))).toBeLessThan(10_000);
    await until('the end of those that say nothing', () => open === 0);
  } finally {
    for (const socket of sockets) socket.destroy();
    await patient.close();
  }
}, 60_000);

test('callers who do not read their answers hold neither a connection of the database nor other callers up', async () => {
  await insertCustomers(
    server,
    1,
    times(20_000, () => 'x'.repeat(200)),
  );
  const request = requestBytes({ headers: [basic('root', rootPassword)], body: callBody('listCustomers') });
  const port = Number(new URL(server.url).port);
  // Those that clients of ours keep alive.
  const kept = await openConnections();
  const before = process.memoryUsage().rss;
  const sockets = times(20, () => {
    const socket = connect(port, '127.0.0.1').pause();
    socket.on('error', () => undefined);
    socket.write(request);
    return socket;
  });
  await sleep(1_000);
  await until('connections that are given back', () => server.db.poolState().used === 0);
  expect(await took(() => server.root.call('getCustomerInfo', { i_customer: 1 }))).toBeLessThan(10_000);
  const risen = process.memoryUsage().rss - before;
  for (const socket of sockets) socket.destroy();
  // Whole, each answer has some 10 MB as bytes, and more as rows and text: twenty of them would be 400 MB and more.
  expect(risen).toBeLessThan(300_000_000);
  await until('the end of their calls', async () => (await openConnections()) <= Math.max(kept, 1));
}, 60_000);

const openConnections = (): Promise<number> =>
  new Promise((resolve, reject) => {
    server.app.server.getConnections((error, count) => {
      if (error) reject(error);
      else resolve(count);
    });
  });

test.each([
  ['that backtracks', '(a+)+$'],
  ['that has two ways', '(a|a)*b'],
  ['that has many ways', '(x+x+)+y'],
  ['of a million copies', '((a{1,100}){1,100}){1,100}'],
  ['of copies of copies', 'a{1000}{1000}'],
  ['that is deep', `${'('.repeat(400)}a${')*'.repeat(400)}`],
  ['of nothing but flags', '(?i)'.repeat(256)],
  ['of everything', '[ -\u{10ffff}]{1000}'],
  ['of all letters', '\\p{L}{1000}'],
])('an expression %s is stored or refused at once', async (_what, accounts_matching_rule) => {
  const call = {
    method: 'createCustomer',
    login: rootLogin,
    params: newCustomer({ accounts_matching_rule }),
  };
  const ms = await took(async () => {
    const { status, fault } = await post(server, call);
    expect([status, fault ?? 0]).toEqual([200, fault === undefined ? 0 : 400]);
  });
  expect(ms).toBeLessThan(10_000);
});
