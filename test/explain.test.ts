/** Every hot statement finds its rows by an index, and `docs/explain.md` shows how. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { explainFile, sectionOf } from './setup/explain';
import { type Plan, hotPlans, scannedTables } from './setup/plans';
import { type TestServer, startServer } from './setup/server';

let server: TestServer;
let plans: Plan[];

beforeAll(async () => {
  server = await startServer();
  plans = await hotPlans(server);
}, 60_000);
afterAll(() => server.close());

test('no hot statement reads a table from end to end that grows', () => {
  const scanning = plans
    .filter((plan) => scannedTables(plan).length > 0)
    .map((plan) => `${plan.method}: ${plan.name}: ${plan.lines.join('\n')}`);
  expect(scanning).toEqual([]);
});

test('pages of the newest are read in the order of an index, and sorted nowhere', () => {
  const pages = plans.filter(({ name }) => name.startsWith('newest_'));
  expect(pages.map(({ name }) => name).toSorted()).toEqual([
    'newest_agents',
    'newest_billings',
    'newest_of_all_tenants',
    'newest_tenants',
  ]);
  for (const { name, lines } of pages)
    expect([name, lines.filter((line) => /-> +Sort|^Sort/.test(line))]).toEqual([name, []]);
});

test('a server takes the index of a small table, too', async () => {
  const explain = "EXPLAIN (COSTS OFF) SELECT FROM languages WHERE i_lang = 'en'";
  const lines = await server.db.query<{ 'QUERY PLAN': string }>({ text: explain });
  expect(lines.map((line) => line['QUERY PLAN']).join('\n')).toMatch(/^Index/);
});

test('a scan of a table is found where there is one', () => {
  const lines = ['Limit', '  ->  Seq Scan on customers c', '        Filter: (balance > 0)'];
  expect(scannedTables({ method: '', name: '', text: '', lines })).toEqual(['customers']);
});

test('statements of every kind were heard', () => {
  const kinds = plans.map(({ text }) => /\b(INSERT INTO|UPDATE|DELETE|SELECT)\b/.exec(text)?.[1]);
  expect(new Set(kinds)).toEqual(new Set(['INSERT INTO', 'UPDATE', 'DELETE', 'SELECT']));
});

test('docs/explain.md has every hot statement as it is; npm run explain writes it', () => {
  const document = readFileSync(join(__dirname, '..', explainFile), 'utf8');
  const missing = plans.filter((plan) => !document.includes(sectionOf(plan).statement));
  expect(missing.map(({ method, name }) => `${method}: ${name}`)).toEqual([]);
});
