/** Whatever is sent to the tenant API, it is answered in its envelope and never as a bug of ours. */
import fc from 'fast-check';
import type { Operation } from '../../src/core/operation';
import { tenantOperations } from '../../src/tenant/operations';
import { provenBooks } from '../setup/books';
import { type TestServer, startServer } from '../setup/server';
import { type Tenant, ask, makeTenant } from '../setup/tenant';

let server: TestServer;
let tenant: Tenant;
beforeAll(async () => {
  server = await startServer();
  tenant = await makeTenant(server, { balance: 5 });
});
afterAll(() => server.close());

const writes = tenantOperations.filter(({ verb }) => verb === 'POST' || verb === 'PUT');
const names = [
  ...new Set(writes.flatMap(({ from }) => from.body)),
  ...['__proto__', 'constructor', 'customer_id', 'type', 'option', 'target', ''],
];

const odd = fc.oneof(
  fc.constantFrom<unknown>(
    ...['1', 1, -1, 0.1, 1e300, null, true, '', ' ', '\u0000', '\ud800', '🙂', '٣', 'a@b', '+441'],
    ...['random', 16, 32, 'https://example.com', '3951ec81-cca4-4c4a-8efb-4bce76e04032'],
  ),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.integer(),
  fc.double(),
);
const members = fc.dictionary(
  fc.constantFrom(...names),
  fc.oneof(
    odd,
    fc.array(fc.oneof(odd, fc.dictionary(fc.constantFrom(...names), odd)), { maxLength: 3 }),
    fc.jsonValue({ maxDepth: 3 }),
  ),
  { maxKeys: 6, noNullPrototype: true },
);
/** Mostly members that the operation has. */
const likely = ({ from }: Operation) =>
  fc
    .dictionary(fc.constantFrom(...(from.body.length > 0 ? from.body : names)), odd, {
      maxKeys: 2,
      noNullPrototype: true,
    })
    .map((value) => JSON.stringify(value));

const expected = [200, 400, 402, 403, 404, 409];

test('objects with odd members, and bytes that are no JSON, are answered with 200 or a refusal', async () => {
  const flow = await tenant.admin.ok('POST', '/flows', {});
  const number = await tenant.admin.ok('POST', '/numbers', { number: '+441483000077' });
  const own: Readonly<Record<string, string>> = {
    '/flows/{id}': String(flow['id']),
    '/numbers/{id}': String(number['id']),
    '/customers/{id}': tenant.id,
  };
  const body = fc.oneof(
    members.map((value) => JSON.stringify(value)),
    fc.string({ unit: 'binary', maxLength: 60 }),
  );
  let taken = 0;
  const asked = fc
    .constantFrom(...writes)
    .chain((operation) => fc.tuple(fc.constant(operation), fc.oneof(likely(operation), body)));
  await fc.assert(
    fc.asyncProperty(asked, async ([{ verb, path }, text]) => {
      const id = own[path] ?? '3951ec81-cca4-4c4a-8efb-4bce76e04032';
      const given = text.isWellFormed() ? text : 'x';
      const {
        status,
        body: said,
        text: answer,
      } = await tenant.admin.ask(verb, path.replace('{id}', id), given);
      expect(expected).toContain(status);
      if (status === 200) {
        taken += 1;
        return;
      }
      expect(said['error']).toMatchObject({
        status: expect.stringMatching(/^[A-Z_]+$/) as string,
        reason: expect.stringMatching(/^[A-Z_]+$/) as string,
        message: expect.stringMatching(/\S/) as string,
      });
      expect(answer).not.toMatch(/SELECT|constraint|\.ts:/);
    }),
    { numRuns: 600 },
  );
  expect(server.logged()).not.toContain('Internal error');
  await provenBooks(server);
  expect(taken).toBeGreaterThan(20);
}, 60_000);

test('odd queries, ids and headers are answered with 200 or a refusal', async () => {
  const reads = tenantOperations.filter(({ verb }) => verb === 'GET');
  const word = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 30 }),
    fc.constantFrom('1', '', '%', "'", '..'),
  );
  const query = fc.dictionary(fc.constantFrom('page_size', 'page_token', 'customer_id', 'token', 'x'), word);
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...reads), word, query, async ({ path }, id, given) => {
      const wellFormed = Object.entries(given).map(([name, value]) => [name, value.toWellFormed()] as const);
      const { status } = await ask(
        server,
        'GET',
        path.replace('{id}', encodeURIComponent(id.toWellFormed())),
        {
          query: Object.fromEntries(wellFormed),
          headers: { cookie: `token=${tenant.admin.token}` },
        },
      );
      expect(expected).toContain(status);
    }),
    { numRuns: 400 },
  );
  expect(server.logged()).not.toContain('Internal error');
}, 60_000);

test('logins of any form are refused alike', async () => {
  await fc.assert(
    fc.asyncProperty(members, fc.string({ unit: 'binary', maxLength: 60 }), async (odd, username) => {
      const body = { ...odd, username: username.toWellFormed(), password: 'wrong-password' };
      const { status } = await ask(server, 'POST', '/auth/login', { body });
      expect([400, 401, 429]).toContain(status);
    }),
    { numRuns: 100 },
  );
  expect(server.logged()).not.toContain('Internal error');
}, 60_000);

test('a body over the limit, and one that is no object, have the form of this face', async () => {
  const { status, body } = await tenant.admin.ask('POST', '/flows', `{"name":"${'x'.repeat(1_100_000)}"}`);
  expect([status, (body['error'] as { status: string }).status]).toEqual([413, 'INVALID_ARGUMENT']);
  for (const text of ['[1]', '"x"', '{"name":', '{"name":"\\u0000"}', `${'['.repeat(50)}${']'.repeat(50)}`])
    expect((await tenant.admin.ask('POST', '/flows', text)).status).toBe(400);
  const deep = `{"actions":[{"type":"x","option":${'{"a":'.repeat(40)}1${'}'.repeat(40)}}]}`;
  expect((await tenant.admin.ask('POST', '/flows', deep)).status).toBe(400);
});
