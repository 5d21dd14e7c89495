/** Every hot statement finds its rows by an index, and `docs/explain.md` shows how. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { explainFile, sectionOf } from './setup/explain';
import { type Plan, hotPlans, scannedTables } from './setup/plans';
import { type TestServer, makeMember, startServer } from './setup/server';

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

/** Blocks that PostgreSQL reads for a statement, as EXPLAIN counts them. */
async function blocksRead(text: string, values: readonly unknown[]): Promise<number> {
  type Node = { 'Shared Hit Blocks': number; 'Shared Read Blocks': number };
  const [row] = await server.db.query<{ 'QUERY PLAN': [{ Plan: Node }] }>(
    { text: `EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) ${text}` },
    values,
  );
  const plan = row?.['QUERY PLAN'][0].Plan;
  return Number(plan?.['Shared Hit Blocks']) + Number(plan?.['Shared Read Blocks']);
}

test('a page of audit records costs the same however many records others have', async () => {
  const reader = await makeMember(server);
  const others = await makeMember(server);
  const fill = (i_customer: number, count: number) =>
    server.db.query(
      {
        text: `INSERT INTO audit_records (created_at, request_id, caller, address, method, action, resource, i_customer, changes)
          SELECT now() - n * interval '10 milliseconds', 'seed', 'seed', '::1', 'seed', 'U', 'seed', $1, '{}'
          FROM generate_series(1, $2::int) n`,
      },
      [i_customer, count],
    );
  await fill(reader.i_customer, 300);
  const [statement] = plans.filter(({ name }) => name === 'list_audit_records_below');
  const page = [
    reader.i_customer,
    new Date(Date.now() - 3_600_000),
    new Date(Date.now() + 3_600_000),
    0,
    100,
    '-infinity',
    0,
  ];
  const before = await blocksRead(statement?.text ?? '', page);
  await fill(others.i_customer, 100_000);
  await server.db.query({ text: 'ANALYZE audit_records, audit_index' });
  const after = await blocksRead(statement?.text ?? '', page);
  // Each record of the page is found by an index and joined to two customers.
  expect(before).toBeLessThan(2_000);
  expect(after).toBeLessThan(before * 1.5);
}, 60_000);

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
