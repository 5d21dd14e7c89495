/**
 * How PostgreSQL finds the rows of every hot statement. The calls run on a real server with a database that is
 * filled enough for the planner to prefer indexes; the statements are heard on their way, none is written here.
 * `npm run explain` keeps the plans in `docs/explain.md`; `test/explain.long.test.ts` looks for scans of whole tables.
 */
import { Client } from 'pg';
import { type Recorded, recorded } from './recording';
import { type Said, resellerOf } from './reseller';
import {
  type Member,
  type Members,
  type TestServer,
  apiPassword,
  makeMember,
  newCustomer,
  uniqueName,
} from './server';
import { logIn, rootTenant } from './tenant';

/** Tables that grow with the number of customers, or with what they do. */
export const growingTables = [
  'customers',
  'users',
  'entries',
  'payments',
  'audit_records',
  'audit_index',
  'usage_counts',
  'api_credentials',
  'login_failures',
  'idempotency_keys',
  'tariffs',
  'descendants',
] as const;

export interface Plan {
  readonly method: string;
  readonly name: string;
  readonly text: string;
  /** EXPLAIN without costs, as it is for any values. */
  readonly lines: readonly string[];
}

const customers = 30_000;

/** A wholesaler with very many customers, many others with a few, and something in every table that grows. */
async function seed(server: TestServer, i_wholesaler: number): Promise<void> {
  const db = new Client(server.connection);
  await db.connect();
  await db.query('SET session_replication_role = replica');
  for (const statement of seeds(i_wholesaler)) await db.query(statement);
  await db.query(
    `SELECT setval(pg_get_serial_sequence('customers', 'i_customer'), max(i_customer)) FROM customers`,
  );
  await db.query('VACUUM ANALYZE');
  await db.end();
}

const seeds = (i_wholesaler: number): string[] => [
  `INSERT INTO customers (i_customer, i_wholesaler, path, base_currency, name, name_key, i_tariff)
   SELECT i, ${i_wholesaler}, ARRAY[1, ${i_wholesaler}, i], 'USD', 'seed-' || i, 'seed-' || i, 1
   FROM generate_series(1001, ${customers / 2 + 1000}) i
   UNION ALL
   SELECT i, owner, ARRAY[1, ${i_wholesaler}, owner, i], 'USD', 'seed-' || i, 'seed-' || i, NULL
   FROM (SELECT i, 5001 + i % 5000 AS owner FROM generate_series(${customers / 2 + 1001}, ${customers + 1000}) i) below`,
  // What triggers would have written.
  `INSERT INTO descendants (i_ancestor, i_customer)
   SELECT unnest(path[2:cardinality(path) - 2]), i_customer FROM customers WHERE i_customer > 1000`,
  `INSERT INTO users (i_customer, web_login, login_key, is_default, is_recovery)
   SELECT i, login, login, is_default, NOT is_default FROM generate_series(1001, ${customers} + 1000) i,
     LATERAL (VALUES ('seed-' || i, true), (gen_random_uuid()::text, false)) kinds (login, is_default)`,
  `INSERT INTO api_credentials (i_customer, sealed_ha1)
   SELECT i, decode(repeat('00', 76), 'hex') FROM generate_series(1001, ${customers} + 1000) i`,
  `INSERT INTO payments (i_payment, kind, i_customer, amount, currency, request_id)
   SELECT i, 'add_funds', i, 1, 'USD', 'seed' FROM generate_series(1001, ${customers} + 1000) i`,
  `SELECT setval(pg_get_serial_sequence('payments', 'i_payment'), ${customers} + 1000)`,
  `INSERT INTO entries (i_payment, i_customer, currency, amount, balance_after)
   SELECT i, CASE sign WHEN 1 THEN i END, 'USD', sign, CASE sign WHEN 1 THEN 1 END
   FROM generate_series(1001, ${customers} + 1000) i, (VALUES (1), (-1)) sides (sign)`,
  `INSERT INTO audit_records (created_at, request_id, caller, address, method, action, resource, i_customer, changes)
   SELECT now() - make_interval(hours => i % 5000), 'seed', 'seed', '::1', 'seed', 'U', 'seed', i, '{}'
   FROM generate_series(1001, ${customers} + 1000) i`,
  `INSERT INTO audit_index (i_ancestor, created_at, i_audit_record)
   SELECT unnest(c.path[2:]), r.created_at, r.i_audit_record FROM audit_records r JOIN customers c USING (i_customer)
   ON CONFLICT DO NOTHING`,
  'SELECT recount_usage()',
  `INSERT INTO login_failures (scope, login_key, failed_at)
   SELECT 'web ' || i % 100, 'seed-' || i, now() - make_interval(secs => i) FROM generate_series(1, ${customers}) i`,
  `INSERT INTO tariffs (i_customer, name, currency) SELECT i, 'Seed', 'USD' FROM generate_series(5001, 10000) i`,
  `INSERT INTO idempotency_keys (scope, idempotency_key, content_hash)
   SELECT 'seed', i::text, '' FROM generate_series(1, ${customers}) i`,
];

const seeded = 1_500;

/** The calls that are made all day, with what they are given. */
const hotCalls = (serial: number): readonly (readonly [method: string, members: Members])[] => {
  const money = { i_customer: seeded, amount: 1, currency: 'USD' };
  const password = 'correct-horse-1';
  return [
    ['getCustomerInfo', { i_customer: seeded }],
    ['getCustomerInfo', { name: `seed-${seeded}` }],
    ['listCustomers', { limit: 50, after: seeded }],
    ['listCustomers', { limit: 50, offset: 10_000 }],
    ['listCustomers', { limit: 50, name_pattern: 'seed-25%', with_total: 1 }],
    ['createCustomer', newCustomer({ i_tariff: null, balance: 1, api_password: apiPassword })],
    ['updateCustomer', { i_customer: seeded, company_name: `Hot ${serial}` }],
    [
      'updateCustomer',
      {
        i_customer: seeded,
        web_login: `hot-${serial}`,
        web_password: password,
        api_password: apiPassword,
        balance: serial,
      },
    ],
    ['authCustomer', { username: `hot-${serial}`, password }],
    ['customerAddFunds', { ...money, idempotency_key: `hot-${serial}` }],
    ['customerDebit', money],
    ['transferFunds', { i_customer: seeded, amount: 0.01 }],
    ['getPaymentsList', { i_customer: seeded }],
    ['getAuditLogs', { i_customer: seeded }],
    ['getAuditLogs', {}],
    ['blockCustomer', { i_customer: seeded + 1 }],
    ['unblockCustomer', { i_customer: seeded + 1 }],
    ['deleteCustomer', { i_customer: seeded + 10 + serial }],
  ];
};

const answered = async (said: Promise<Said>): Promise<void> => {
  const { status, text } = await said;
  if (status !== 200) throw new Error(text);
};

/** The REST calls that are made all day, by the wholesaler; `uuid` is of one of its customers. */
async function restCalls(
  server: TestServer,
  { name }: Member,
  uuid: string,
): Promise<readonly (readonly [title: string, call: () => Promise<unknown>])[]> {
  const reseller = resellerOf(server, { name });
  const tenant = await logIn(server, name, 'correct-horse-1');
  const root = await rootTenant(server);
  const path = `/account/reseller/${uuid}`;
  const made = { name: uniqueName(), contact_name: 'Somebody' };
  return [
    ['GET one customer', () => answered(reseller('GET', path))],
    ['GET customers', () => answered(reseller('GET', '/account/reseller?limit=50'))],
    ['POST customer', () => answered(reseller('POST', '/account/reseller', made))],
    ['PUT balance', () => answered(reseller('PUT', path, { balance: 0.01 }))],
    ['GET one customer as a tenant', () => tenant.ok('GET', `/customers/${uuid}`)],
    ['GET customers as a tenant', () => tenant.ok('GET', '/customers?page_size=50')],
    ['GET customers as root', () => root.ok('GET', '/customers?page_size=50')],
    ['PUT customer as a tenant', () => tenant.ok('PUT', `/customers/${uuid}`, { detail: 'hot' })],
    ['GET agents', () => tenant.ok('GET', '/agents?page_size=50')],
    ['GET billings', () => tenant.ok('GET', '/billings?page_size=50')],
  ];
}

/** It reads or writes a table that grows. */
const isPlanned = ({ text }: Recorded): boolean =>
  /^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b/i.test(text) &&
  growingTables.some((table) => new RegExp(`\\b${table}\\b`).test(text));

/** The plans of all statements of the hot calls, each under the call that ran it first. */
export async function hotPlans(server: TestServer): Promise<Plan[]> {
  const member = await makeMember(server);
  await server.root.call('customerAddFunds', { i_customer: member.i_customer, amount: 100, currency: 'USD' });
  await seed(server, member.i_customer);
  // Connections are set up at the first calls.
  await member.as.call('getCustomerInfo', { i_customer: seeded });
  const found = new Map<string, { method: string; statement: Recorded }>();
  const keep = (method: string, statements: readonly Recorded[]): void => {
    for (const statement of statements) {
      if (isPlanned(statement) && !found.has(statement.text))
        found.set(statement.text, { method, statement });
    }
  };
  const wrongPassword = server.as(member.name, 'wrong-password');
  keep(
    'authentication',
    await recorded(() => wrongPassword.fault('system.listMethods').catch(() => undefined)),
  );
  for (const [method, members] of hotCalls(1)) {
    keep(method, await recorded(() => member.as.call(method, members)));
  }
  const uuids = await server.db.query<{ uuid: string }>(
    { text: 'SELECT uuid FROM customers WHERE i_customer = $1' },
    [seeded],
  );
  for (const [title, call] of await restCalls(server, member, uuids[0]?.uuid ?? ''))
    keep(title, await recorded(call));
  const wrong = { username: `seed-${seeded + 2}`, password: 'wrong-password' };
  keep('authCustomer, wrong', await recorded(() => member.as.fault('authCustomer', wrong)));
  const db = new Client(server.connection);
  await db.connect();
  const plans: Plan[] = [];
  for (const { method, statement } of found.values()) plans.push(await planOf(db, method, statement));
  await db.end();
  return plans;
}

/** As a server plans it after some calls: once for all values. */
async function planOf(db: Client, method: string, { name = '', text }: Recorded): Promise<Plan> {
  await db.query('SET plan_cache_mode = force_generic_plan');
  await db.query(`PREPARE explained AS ${text}`);
  const { rows: types } = await db.query<{ count: number }>(
    `SELECT cardinality(parameter_types) AS count FROM pg_prepared_statements WHERE name = 'explained'`,
  );
  const given = Array.from({ length: types[0]?.count ?? 0 }, () => 'NULL').join(', ');
  const { rows } = await db.query<{ 'QUERY PLAN': string }>(
    `EXPLAIN (COSTS OFF) EXECUTE explained${given ? `(${given})` : ''}`,
  );
  await db.query('DEALLOCATE explained');
  return { method, name, text, lines: rows.map((row) => row['QUERY PLAN']) };
}

/** Growing tables that the plan reads from end to end. */
export const scannedTables = ({ lines }: Plan): string[] =>
  lines.flatMap((line) => {
    const table = /Seq Scan on (\w+)/.exec(line)?.[1] ?? '';
    return (growingTables as readonly string[]).includes(table) ? [table] : [];
  });
