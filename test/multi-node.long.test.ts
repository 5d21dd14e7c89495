/**
 * Two servers on one database, as behind a load balancer: what bounds guessing must hold over both of them together.
 * (Nonces: test/faces/digest.test.ts. What is revoked: test/auth-cache.long.test.ts. Workers: test/workers.long.test.ts.)
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { outcome, times } from './setup/books';
import { digestExchange, digestFields, freshNonce } from './setup/digest-client';
import { callBody } from './setup/raw-http';
import {
  type Member,
  type TestServer,
  apiPassword,
  makeMember,
  newCustomer,
  startServer,
} from './setup/server';

const secret_key = Buffer.alloc(32, 11);
let nodes: readonly [TestServer, TestServer];

beforeAll(async () => {
  const one = await startServer({ LOG_LEVEL: 'error' }, { secret_key });
  nodes = [one, await startServer({ LOG_LEVEL: 'error' }, { secret_key, connection: one.connection })];
});
afterAll(async () => {
  for (const node of nodes) await node.close();
});

const inTurn = (index: number): TestServer => nodes[index % 2 === 0 ? 0 : 1];

/** The status of a call by Digest. */
async function statusOn({ url }: TestServer, { name }: Member, password: string): Promise<number> {
  const fields = digestFields({ login: name, password, nonce: await freshNonce(url) });
  return (await digestExchange(url, fields, { body: callBody('listCustomers') })).status;
}

test('twenty guesses at both in turn lock the login on both, at once and for the right password too', async () => {
  const member = await makeMember(nodes[0]);
  // Both remember that the password was right.
  for (const node of nodes) expect(await statusOn(node, member, apiPassword)).toBe(200);
  const statuses: number[] = [];
  for (let guess = 0; guess < 21; guess += 1)
    statuses.push(await statusOn(inTurn(guess), member, `wrong-${guess}`));
  expect(statuses).toEqual([...times(20, () => 401), 429]);
  await sleep(900);
  for (const node of nodes) expect(await statusOn(node, member, apiPassword)).toBe(429);
});

test('forty guesses at once, half at each, are counted to the limit and no further', async () => {
  const member = await makeMember(nodes[0]);
  const statuses = await Promise.all(times(40, (guess) => statusOn(inTurn(guess), member, `wrong-${guess}`)));
  expect(statuses.filter((status) => status === 401)).toHaveLength(20);
  expect(statuses.filter((status) => status === 429)).toHaveLength(20);
});

test('ten failures of authCustomer at both in turn lock the login on both', async () => {
  const params = newCustomer();
  await nodes[0].root.call('createCustomer', params);
  const authOn = (node: TestServer, password: unknown): Promise<string> =>
    outcome(node.root.call('authCustomer', { username: params['name'], password }));
  for (let guess = 0; guess < 10; guess += 1)
    expect(await authOn(inTurn(guess), `wrong-${guess}`)).toMatch(/^403 /);
  for (const node of nodes) expect(await authOn(node, params['web_password'])).toMatch(/^429 /);
});
