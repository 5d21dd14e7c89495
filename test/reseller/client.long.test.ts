/** The document that is served is enough for a client: types are generated from it, and what they promise is what comes. */
import { type GeneratedClient, generateClient } from '../setup/generated-client';
import { type TestServer, rootPassword, startServer } from '../setup/server';

let server: TestServer;
let client: GeneratedClient;
beforeAll(async () => {
  server = await startServer();
  client = await generateClient(server);
});
afterAll(async () => {
  client.remove();
  await server.close();
});

const program = `
import createClient from 'openapi-fetch';
import type { paths } from './api';

const headers = { 'X-Auth-Reseller': 'root', 'X-Auth-User': 'root', 'X-Auth-Password': process.argv[3] ?? '' };
const client = createClient<paths>({ baseUrl: process.argv[2] ?? '', headers });

async function main(): Promise<void> {
  const made = await client.POST('/account/reseller', {
    body: { name: 'generated', contact_name: 'A client', addresses: [{ street_one: 'x', city: 'y', country_code: 'GB' }] },
    params: { header: { 'Idempotency-Key': 'one' } },
  });
  if (!made.data) throw new Error(made.error.errors.map(({ message }) => message).join());
  const { uuid, addresses } = made.data.result;
  const city: string | undefined = addresses?.[0]?.city;
  const paid = await client.PUT('/account/reseller/{uuid}', { params: { path: { uuid } }, body: { balance: '10.000' } });
  const list = await client.GET('/account/reseller', { params: { query: { limit: 5 } } });
  const next: string | null | undefined = list.data?.next;
  const number = await client.POST('/voip/number', {
    body: { number: '+441483000001' },
    params: { header: { 'X-Auth-For': 'generated' } },
  });
  const wrong = await client.GET('/voip/number/{uuid}', { params: { path: { uuid } } });
  const gone = await client.DELETE('/account/reseller/{uuid}', { params: { path: { uuid }, query: { close_balance: true } } });
  process.stdout.write(JSON.stringify({
    city, next, balance: paid.data?.result.balance, names: list.data?.result.map(({ name }) => name),
    cost: number.data?.result.cost, status: wrong.error?.status_code, gone: gone.data?.status_code,
  }));
}

main().catch((error: unknown) => { process.stderr.write(String(error)); process.exitCode = 1; });
`;

/** With the members of an object that are promised to be there. */
const wrongUse = program.replace("name: 'generated', contact_name", 'name: 5, contact_name');

test('types are generated, a program that uses them compiles, a wrong one does not, and it is answered as promised', async () => {
  expect(client.check('client', program)).toEqual({ status: 0, out: '', err: '' });
  expect(client.check('wrong', wrongUse).out).toContain("Type 'number' is not assignable to type 'string'");
  expect(JSON.parse(await client.run('client', server.url, rootPassword))).toEqual({
    ...{ city: 'y', next: null, balance: 10, names: ['generated'], cost: 0, status: 404, gone: 200 },
  });
}, 120_000);
