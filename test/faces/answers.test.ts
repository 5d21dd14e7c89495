/** How answers go out: with their length, or many in one in parts; and how many requests of one login may wait to be read. */
import { insertCustomers } from '../setup/insert-customers';
import {
  basic,
  callBody,
  exchange,
  headerOf,
  requestBytes,
  structParam,
  withConnection,
} from '../setup/raw-http';
import { type TestServer, rootPassword, startServer } from '../setup/server';

const waitingAtMost = 20;
let server: TestServer;
beforeAll(async () => {
  server = await startServer({ TREELINE_CONNECTIONS_PER_ADDRESS: String(waitingAtMost) });
  await insertCustomers(
    server,
    1,
    Array.from({ length: 900 }, () => null),
  );
});
afterAll(() => server.close());

const headers = [basic('root', rootPassword)];
const limited = (limit: number): string => structParam({ limit: `<int>${limit}</int>` });

describe.each([
  ['XML-RPC', undefined, (limit: number) => ({ body: callBody('listCustomers', limited(limit)) })],
  ['JSON', undefined, (limit: number) => ({ path: '/json/listCustomers', body: JSON.stringify({ limit }) })],
  [
    'a multicall',
    'chunked',
    (limit: number) => ({
      path: '/json/system.multicall',
      body: JSON.stringify({ calls: [{ methodName: 'listCustomers', params: [{ limit }] }] }),
    }),
  ],
])('over %s', (_name, framing, partsOf) => {
  test('a short list has its length, whether in one piece or in some', async () => {
    for (const limit of [1, 16, 17]) {
      const answer = await exchange(server.url, { headers, ...partsOf(limit) });
      expect(headerOf(answer, 'content-length')).toBe(String(answer.body.length));
      expect(headerOf(answer, 'transfer-encoding')).toBeUndefined();
    }
  });

  test(`a list of one batch ${framing === undefined ? 'has its length' : 'comes in parts'}, and is whole`, async () => {
    const answer = await exchange(server.url, { headers, ...partsOf(900) });
    expect(headerOf(answer, 'transfer-encoding')).toBe(framing);
    expect(answer.body.toString().match(/inserted \d+/g)?.length).toBeGreaterThanOrEqual(900);
  });
});

test('of requests that come together, too many are refused, and the refusal names the setting', async () => {
  const one = requestBytes({ method: 'GET', path: '/nothing' }).toString('latin1');
  const statuses = await withConnection(server.url, async (connection) => {
    connection.send(one.repeat(500));
    const found: string[] = [];
    for (;;) {
      const answer = await connection.next(10_000, 'GET');
      if (!answer) return found;
      found.push(`${answer.status} ${answer.body.toString()}`);
      if (answer.status === 503) return found;
    }
  });
  expect(statuses.at(-1)).toMatch(
    /^503 .*Too many requests of one login wait at one address.*TREELINE_CONNECTIONS_PER_ADDRESS/,
  );
  // Those that came first are answered as ever.
  expect(statuses.length).toBeGreaterThan(waitingAtMost);
  expect(statuses[0]).toMatch(/^404 /);
});
