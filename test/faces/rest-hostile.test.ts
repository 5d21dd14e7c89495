/**
 * What somebody once sent to the REST faces, or may: each is answered in the face's envelope, by a refusal, and changes
 * nothing. By the thousand they come from test/fuzz; what every operation refuses is in test/api/rest-refusals.test.ts.
 */
import { everything } from '../setup/everything';
import { type Proof, type RestFaceTable, askRest, restFaces } from '../setup/rest-faces';
import { type Member, type TestServer, makeMember, startServer } from '../setup/server';

let server: TestServer;
let member: Member;
const proofs: Partial<Record<RestFaceTable['name'], Proof>> = {};
let before: unknown;
beforeAll(async () => {
  server = await startServer();
  member = await makeMember(server, server.root, { balance: 5 });
  for (const face of restFaces) proofs[face.name] = await face.proofOf(server, member);
  before = await everything(server);
});
afterAll(() => server.close());

const lists = { reseller: '/voip/number', tenant: '/v1.0/flows' } as const;

describe.each(restFaces)('the $name face', ({ name, envelope }) => {
  const list = lists[name];
  const ask = async (verb: string, path: string, query: string, body?: string) => {
    const answer = await askRest(server, { verb, path, query, body, proofs: [proofs[name] ?? {}] });
    return [answer.status, JSON.parse(answer.body.toString()) as unknown];
  };

  test.each([
    'x',
    '=1',
    'a[b]=1',
    'limit[]=1',
    'after=%00',
    'page_token=%00',
    `${'a'.repeat(5_000)}=1`,
    '%ff=%fe',
  ])('the query %#', async (query) => {
    expect(await ask('GET', list, query)).toEqual([400, envelope(400)]);
  });

  test.each(['%00', '%ff', "'", '%2e%2e', '3951EC81', '%e2%80%8b', 'x'.repeat(90)])(
    'the id %#',
    async (id) => {
      for (const verb of ['GET', 'DELETE'])
        expect(await ask(verb, `${list}/${id}`, '')).toEqual([404, envelope(404)]);
    },
  );

  test.each([
    '{"name":"\\u0000"}',
    '{"name":"\\ud800"}',
    '{"__proto__":{"name":"x"}}',
    '{"constructor":1}',
    '{"name":1e999}',
    '{"name":"a","name":"b"}',
    '{"name":"a","detail":{"x":1,"x":2}}',
    `${'['.repeat(50)}${']'.repeat(50)}`,
    `{"actions":[{"type":"x","option":${'{"a":'.repeat(40)}1${'}'.repeat(40)}}]}`,
    `{"actions":[${Array(1_001).fill('{"type":"x"}').join(',')}]}`,
    '\ufeff{}x',
  ])('the body %#', async (body) => {
    expect(await ask('POST', list, '', body)).toEqual([400, envelope(400)]);
  });
});

test('nothing was changed, and nothing of it was a bug', async () => {
  expect(await everything(server)).toEqual(before);
  expect(server.logged()).not.toContain('Internal error');
});
