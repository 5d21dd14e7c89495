/** Whoever is told 429 or 503 is told when to come again, in the header that HTTP has for it, on every face. */
import { createApp } from '../../src/server/app';
import { openDatabase } from '../../src/db/database';
import { createLog } from '../../src/base/log';
import { type RequestParts, basic, callBody, exchange, headerOf } from '../setup/raw-http';
import { headersOf } from '../setup/reseller';
import { type TestServer, rootPassword, startServer } from '../setup/server';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

const lines = (headers: Record<string, string>): string[] =>
  Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
const xAuth = (password: string): string[] => lines(headersOf({ reseller: 'root', user: 'root', password }));
const guess = '{"username":"root","password":"wrong-password"}';

/** A request with a wrong password, sent often enough for the lock. */
const guesses: Readonly<Record<string, RequestParts>> = {
  'XML-RPC': { headers: [basic('root', 'wrong')], body: callBody('listCustomers') },
  JSON: { path: '/json/listCustomers', headers: [basic('root', 'wrong')] },
  'authCustomer over JSON': {
    path: '/json/authCustomer',
    headers: [basic('root', rootPassword)],
    body: guess,
  },
  reseller: { method: 'GET', path: '/authenticated', headers: xAuth('wrong') },
  tenant: { path: '/auth/login', body: guess },
};

test.each(Object.keys(guesses))('%s: HTTP 429 says when', async (face) => {
  const localAddress = `127.0.7.${Object.keys(guesses).indexOf(face) + 1}`;
  const again = () => exchange(server.url, guesses[face], { localAddress });
  for (let times = 0; times < 20; times += 1) expect([200, 401, 403, 429]).toContain((await again()).status);
  const locked = await again();
  expect(locked.status).toBe(429);
  expect(headerOf(locked, 'retry-after')).toMatch(/^[1-9]\d{0,2}$/);
});

/** A request that needs the database to know who is there. XML-RPC answers faults with HTTP 200, which has no such header. */
const askers: Readonly<Record<string, RequestParts>> = {
  JSON: { path: '/json/listCustomers', headers: [basic('root', rootPassword)] },
  reseller: { method: 'GET', path: '/authenticated', headers: xAuth(rootPassword) },
  tenant: { method: 'GET', path: '/v1.0/customer?accesskey=tl_x' },
  'tenant login': { path: '/auth/login', body: guess },
};

test('HTTP 503 says when', async () => {
  const limits = { pool_size: 2, statement_timeout_ms: 1_000, acquire_timeout_ms: 1_000 };
  const db = openDatabase({ connection: { ...server.connection, host: '/nowhere' }, ...limits });
  const log = createLog('error', false, process.stderr);
  const app = await createApp({ config: server.config, db, log, secret_key: Buffer.alloc(32) });
  try {
    const url = await app.listen({ host: '127.0.0.1', port: 0 });
    for (const [face, parts] of Object.entries(askers)) {
      const answer = await exchange(url, parts);
      expect([face, answer.status, headerOf(answer, 'retry-after')]).toEqual([face, 503, '1']);
    }
  } finally {
    await app.close();
    await db.close();
  }
});
