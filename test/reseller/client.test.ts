/** The document that is served is enough for a client: types are generated from it, and what they promise is what comes. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot, start } from '../setup/processes';
import { type TestServer, rootPassword, startServer } from '../setup/server';

let server: TestServer;
let folder: string;
beforeAll(async () => {
  server = await startServer();
  // Within the project, so that its packages are found.
  folder = mkdtempSync(join(projectRoot, 'test', 'setup', 'client-'));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
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
  const gone = await client.DELETE('/account/reseller/{uuid}', { params: { path: { uuid } } });
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
  const document = join(folder, 'openapi.json');
  writeFileSync(document, await (await fetch(`${server.url}/openapi.json`)).text());
  writeFileSync(join(folder, 'client.ts'), program);
  writeFileSync(join(folder, 'wrong.ts'), wrongUse);
  const run = (words: readonly string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, words, {
      cwd: projectRoot,
      encoding: 'utf8',
    });
    return { status, out: stdout, err: stderr };
  };
  const bin = (name: string): string => join(projectRoot, 'node_modules', name);
  const generated = run([bin('openapi-typescript/bin/cli.js'), document, '-o', join(folder, 'api.d.ts')]);
  expect(generated).toMatchObject({ status: 0 });
  const options = [
    '--noEmit',
    '--strict',
    '--skipLibCheck',
    '--target',
    'es2022',
    '--module',
    'nodenext',
    '--types',
    'node',
  ];
  const check = (file: string) =>
    run([bin('typescript/bin/tsc'), '--ignoreConfig', ...options, join(folder, file)]);
  expect(check('client.ts')).toEqual({ status: 0, out: '', err: '' });
  expect(check('wrong.ts').out).toContain("Type 'number' is not assignable to type 'string'");

  // Not spawnSync: the server that answers lives in this process.
  const child = start(process.execPath, [
    '--import',
    'tsx',
    join(folder, 'client.ts'),
    server.url,
    rootPassword,
  ]);
  expect([await child.ended, child.err()]).toEqual([{ code: 0, signal: null }, '']);
  expect(JSON.parse(child.out())).toEqual({
    ...{ city: 'y', next: null, balance: 10, names: ['generated'], cost: 0, status: 404, gone: 200 },
  });
}, 120_000);
