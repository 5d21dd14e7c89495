/** Whatever is sent to the reseller API, it is answered in its envelope and never as a bug of ours. */
import fc from 'fast-check';
import { resellerOperations } from '../../src/reseller/operations';
import { kept } from '../setup/books';
import { resellerOf } from '../setup/reseller';
import { type Member, type TestServer, makeMember, startServer } from '../setup/server';

let server: TestServer;
let member: Member;
beforeAll(async () => {
  server = await startServer();
  member = await makeMember(server, server.root, { balance: 5 });
});
afterAll(() => server.close());

const writes = resellerOperations.filter(({ verb }) => verb === 'POST' || verb === 'PUT');
const names = [
  ...new Set(writes.flatMap(({ from }) => from.body)),
  '__proto__',
  'constructor',
  'i_wholesaler',
  '',
];

const odd = fc.oneof(
  fc.constantFrom<unknown>(
    '1',
    1,
    -1,
    0.1,
    1e300,
    null,
    true,
    '',
    ' ',
    '\u0000',
    '\ud800',
    '🙂',
    '٣',
    'a@b',
    '+441',
    'GB',
    '10.0.0.0/8',
  ),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.integer(),
  fc.double(),
);
const members = fc.dictionary(
  fc.constantFrom(...names),
  fc.oneof(
    odd,
    fc.array(fc.dictionary(fc.constantFrom(...names), odd), { maxLength: 3 }),
    fc.jsonValue({ maxDepth: 3 }),
  ),
  { maxKeys: 6, noNullPrototype: true },
);

test('objects with odd members, and bytes that are no JSON, are answered with 200 or a fault of the caller’s', async () => {
  const call = resellerOf(server, member);
  const body = fc.oneof(
    members.map((value) => JSON.stringify(value)),
    fc.string({ unit: 'binary', maxLength: 60 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...writes), body, async ({ verb, path }, text) => {
      const uuid = '3951ec81-cca4-4c4a-8efb-4bce76e04032';
      const { status, body: said } = await call(
        verb,
        path.replace('{uuid}', uuid),
        text.isWellFormed() ? text : 'x',
      );
      expect([200, 400, 402, 404, 409]).toContain(status);
      expect(said['status_code']).toBe(status);
    }),
    { numRuns: 600 },
  );
  expect(server.logged()).not.toContain('Internal error');
}, 60_000);

test('headers, paths and queries of any kind are refused without a trace', async () => {
  const call = resellerOf(server, member);
  const before = await kept(server);
  const queries = [
    'after=%00',
    'after=%ff',
    'limit=1e1',
    'limit=-1',
    '__proto__=1',
    'a'.repeat(5_000),
    'limit[]=1',
    'x',
  ];
  for (const query of queries) {
    const { status } = await call('GET', `/voip/number?${query}`);
    expect([query, status]).toEqual([query, 400]);
  }
  for (const uuid of ['%00', '%ff', '..', "'", '3951EC81', 'x'.repeat(90)]) {
    const answer = await fetch(`${server.url}/voip/number/${uuid}`, { headers: { 'x-auth-reseller': 'x' } });
    expect([401, 404]).toContain(answer.status);
  }
  const large = await call('POST', '/account/store', { name: 'x', css: 'x'.repeat(3_000_000) });
  expect([large.status, large.body['status_code']]).toEqual([413, 413]);
  expect(await kept(server)).toEqual(before);
});
