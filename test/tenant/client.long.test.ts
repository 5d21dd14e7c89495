/** The document that is served is enough for a client of the tenant API: types are generated from it, and keep what they promise. */
import { type GeneratedClient, generateClient } from '../setup/generated-client';
import { type TestServer, startServer } from '../setup/server';
import { rootTenant } from '../setup/tenant';

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

const headers = { authorization: 'Bearer ' + process.argv[3] };
const client = createClient<paths>({ baseUrl: process.argv[2] ?? '', headers });

async function main(): Promise<void> {
  const made = await client.POST('/v1.0/customers', { body: { name: 'Generated', permission_ids: [64] } });
  if (!made.data) throw new Error(made.error.error.message);
  const customer_id = made.data.id;
  const of = { query: { customer_id } };
  const flow = await client.POST('/v1.0/flows', { params: of, body: { name: 'f', actions: [{ type: 'answer' }] } });
  const call_flow_id = flow.data?.id ?? null;
  const number = await client.POST('/v1.0/numbers', { params: of, body: { number: '+441483000002', call_flow_id } });
  const agents = await client.GET('/v1.0/agents', { params: { query: { customer_id, page_size: 5 } } });
  const wrong = await client.GET('/v1.0/flows/{id}', { params: { path: { id: customer_id } } });
  const token: string | undefined = agents.data?.next_page_token;
  process.stdout.write(JSON.stringify({
    name: made.data.name, linked: number.data?.call_flow_id === call_flow_id, token,
    agents: agents.data?.result.map(({ name }) => name), status: wrong.error?.error.status,
  }));
}

main().catch((error: unknown) => { process.stderr.write(String(error)); process.exitCode = 1; });
`;

test('a program that uses the types compiles, a wrong one does not, and it is answered as promised', async () => {
  expect(client.check('client', program)).toEqual({ status: 0, out: '', err: '' });
  const wrong = program.replace("name: 'Generated'", 'name: 5');
  expect(client.check('wrong', wrong).out).toContain("Type 'number' is not assignable to type 'string'");
  const { token } = await rootTenant(server);
  expect(JSON.parse(await client.run('client', server.url, token))).toEqual({
    name: 'Generated',
    linked: true,
    token: '',
    agents: ['guest agent'],
    status: 'NOT_FOUND',
  });
}, 120_000);
