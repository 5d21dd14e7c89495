/**
 * Guessing at every door, on two nodes of one database. However the guesses are spread over nodes and connections, no
 * more of them are judged than the door allows; the rest is refused at once, also with the right password, and a
 * login that nobody has is refused as one that exists.
 */
import { request } from 'node:http';
import { times } from '../setup/books';
import { digestExchange, digestFields, freshNonce } from '../setup/digest-client';
import { basic, callBody, exchange } from '../setup/raw-http';
import { headersOf, resellerOf, resultOf } from '../setup/reseller';
import {
  type FaultAnswer,
  type TestServer,
  apiPassword,
  makeDatabase,
  makeMember,
  startServer,
  uniqueName,
} from '../setup/server';
import { randomBytes } from 'node:crypto';

const webPassword = 'correct-horse-1';
let nodes: readonly [TestServer, TestServer];
beforeAll(async () => {
  const [connection, secret_key] = [await makeDatabase(), randomBytes(32)];
  const start = () => startServer({}, { connection, secret_key });
  nodes = [await start(), await start()];
});
afterAll(() => Promise.all(nodes.map((node) => node.close())));

interface Try {
  readonly node: TestServer;
  readonly login: string;
  readonly password: string;
  /** An address of loopback. */
  readonly from: string;
}

/** Answers the status of a request over HTTP. */
const send = (
  { node, from }: Try,
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<number> =>
  new Promise((resolve, reject) => {
    const { body, ...rest } = options;
    request(node.url + path, { localAddress: from, agent: false, ...rest }, (response) => {
      response.resume().once('end', () => {
        resolve(response.statusCode ?? 0);
      });
    })
      .once('error', reject)
      .end(body);
  });

interface Door {
  readonly limit: number;
  readonly password: string;
  readonly knock: (given: Try) => Promise<number>;
  /** The status of a wrong password. */
  readonly wrong: number;
  /** Whether another address is another count. */
  readonly perAddress: boolean;
}

const listing = callBody('listCustomers');
const doors: Readonly<Record<string, Door>> = {
  'Basic over XML-RPC': {
    limit: 20,
    password: apiPassword,
    wrong: 401,
    perAddress: true,
    knock: async ({ node, login, password, from: localAddress }) =>
      (await exchange(node.url, { headers: [basic(login, password)], body: listing }, { localAddress }))
        .status,
  },
  'Digest, by a nonce of the other node': {
    limit: 20,
    password: apiPassword,
    wrong: 401,
    perAddress: true,
    knock: async ({ node, login, password, from: localAddress }) => {
      const nonce = await freshNonce(nodes[node === nodes[0] ? 1 : 0].url);
      const fields = digestFields({ login, password, nonce, algorithm: 'SHA-256' });
      return (await digestExchange(node.url, fields, { body: listing, localAddress })).status;
    },
  },
  'Basic over JSON': {
    limit: 20,
    password: apiPassword,
    wrong: 401,
    perAddress: true,
    knock: (given) => {
      const authorization = `Basic ${Buffer.from(`${given.login}:${given.password}`).toString('base64')}`;
      return send(given, '/json/listCustomers', { method: 'POST', headers: { authorization }, body: '{}' });
    },
  },
  'the headers of the reseller API': {
    limit: 20,
    password: apiPassword,
    wrong: 401,
    perAddress: true,
    knock: (given) => {
      const { login, password } = given;
      return send(given, '/authenticated', {
        headers: headersOf({ reseller: login, user: login, password }),
      });
    },
  },
  'a login of the tenant API': {
    limit: 10,
    password: webPassword,
    wrong: 401,
    perAddress: true,
    knock: (given) => {
      const body = JSON.stringify({ username: given.login, password: given.password });
      return send(given, '/auth/login', { method: 'POST', body });
    },
  },
  authCustomer: {
    limit: 10,
    password: webPassword,
    wrong: 403,
    perAddress: false,
    knock: ({ node, login: username, password }) =>
      node.root.call('authCustomer', { username, password }).then(
        () => 200,
        (fault: unknown) => (fault as FaultAnswer).faultCode,
      ),
  },
};

const guess = (): string => `wrong-${randomBytes(6).toString('hex')}`;
const count = (statuses: readonly number[], status: number): number =>
  statuses.filter((each) => each === status).length;

/** So many guesses at once, over both nodes in turn. */
const burst = ({ knock }: Door, login: string, from: string, size: number): Promise<number[]> =>
  Promise.all(
    times(size, (place) => knock({ node: nodes[place % 2 === 0 ? 0 : 1], login, password: guess(), from })),
  );

describe.each(Object.entries(doors))('%s', (_name, door) => {
  const { limit, knock, wrong, password, perAddress } = door;

  test('one after the other, on either node: as many as are allowed, of a login that exists or not', async () => {
    const { name } = await makeMember(nodes[0]);
    for (const login of [name, uniqueName('nobody')]) {
      const statuses: number[] = [];
      for (let place = 0; place < limit + 4; place += 1) {
        const node = nodes[place % 2 === 0 ? 0 : 1];
        statuses.push(await knock({ node, login, password: guess(), from: '127.0.2.1' }));
      }
      expect(statuses).toEqual([...times(limit, () => wrong), ...times(4, () => 429)]);
    }
  });

  test('a burst over both: no more are judged than are allowed, and then nobody comes in from there', async () => {
    const { name: login } = await makeMember(nodes[0]);
    const from = '127.0.3.1';
    // Before, so that there is something that is remembered.
    for (const node of nodes) expect(await knock({ node, login, password, from })).toBe(200);
    const statuses = [
      ...(await burst(door, login, from, limit * 2)),
      ...(await burst(door, login, from, limit)),
    ];
    expect(new Set(statuses)).toEqual(new Set([wrong, 429]));
    expect(count(statuses, wrong)).toBeLessThanOrEqual(limit);
    for (const node of nodes) expect(await knock({ node, login, password, from })).toBe(429);
    const elsewhere = await knock({ node: nodes[1], login, password, from: '127.0.3.2' });
    expect(elsewhere).toBe(perAddress ? 200 : 429);
  });
});

describe('wrong API passwords of one login from one address are one count', () => {
  const door = (name: string): Door => {
    const found = doors[name];
    if (!found) throw new Error(`There is no door ${name}`);
    return found;
  };
  const names = ['Basic over XML-RPC', 'the headers of the reseller API', 'Basic over JSON'];

  test.each([
    ['exists', true],
    ['exists nowhere', false],
  ])('whatever face they come over, of a login that %s', async (_what, exists) => {
    for (const [first, second] of [names, names.toReversed()] as [string, string][]) {
      const login = exists ? (await makeMember(nodes[0])).name : uniqueName('nobody');
      const from = '127.0.4.1';
      for (const name of [first, second]) {
        const statuses = await burst(door(name), login, from, 10);
        expect(statuses).toEqual(times(10, () => 401));
      }
      for (const name of names) {
        const given = { node: nodes[1], login, password: apiPassword, from };
        expect([name, await door(name).knock(given)]).toEqual([name, 429]);
      }
    }
  });

  test('and nobody locks one of the same name at another customer', async () => {
    const [mine, theirs] = [await makeMember(nodes[0]), await makeMember(nodes[0])];
    const from = '127.0.6.1';
    const knock = (reseller: string, password: string): Promise<number> => {
      const headers = headersOf({ reseller, user: 'admin', password });
      return send({ node: nodes[0], login: '', password: '', from }, '/authenticated', { headers });
    };
    const user = { name: 'admin', password: webPassword, role_id: 1 };
    await resultOf(resellerOf(nodes[0], theirs)('POST', '/account/reseller-user', user));
    for (let place = 0; place < 20; place += 1) expect(await knock(mine.name, guess())).toBe(401);
    expect([await knock(mine.name, guess()), await knock(theirs.name, webPassword)]).toEqual([429, 200]);
  });

  test('and a user of a customer has one, by the name within it and by the login', async () => {
    const { name } = await makeMember(nodes[0]);
    const knock = (user: string, place: number): Promise<number> =>
      send(
        { node: nodes[place % 2 === 0 ? 0 : 1], login: '', password: '', from: '127.0.5.1' },
        '/authenticated',
        {
          headers: headersOf({ reseller: name, user, password: guess() }),
        },
      );
    const statuses: number[] = [];
    for (let place = 0; place < 22; place += 1)
      statuses.push(await knock(place % 3 ? 'jo' : `jo@${name}`, place));
    expect(statuses).toEqual([...times(20, () => 401), 429, 429]);
  });
});
