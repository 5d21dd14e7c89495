/** Who and what an attack needs: customers made over the API, and many rows made by SQL. */
import type { Client } from 'pg';
import type { Login, Params } from './http';
import type { Stage } from './stage';

export const apiPassword = 'abuse-api-password-1';
export const webPassword = 'correct-horse-battery-1';

export interface Customer {
  readonly i_customer: number;
  readonly name: string;
  /** Login and API password. */
  readonly api: Login;
  /** Login and web password of its administrator. */
  readonly web: Login;
}

/** A customer with an API password and no right at all: the least login there is. */
export async function makeCustomer(
  stage: Stage,
  stem: string,
  members: Params = {},
  call: Stage['root'] = (method, params) => stage.root(method, params),
): Promise<Customer> {
  const name = stage.uniqueName(stem);
  const { i_customer } = await call('createCustomer', {
    name,
    web_password: webPassword,
    i_tariff: null,
    api_access: 1,
    api_password: apiPassword,
    ...members,
  });
  return {
    i_customer: Number(i_customer),
    name,
    api: { login: name, password: apiPassword },
    web: { login: name, password: webPassword },
  };
}

/** The rights of a reseller. */
export const resellerRights: Params = {
  accounts_mgmt: 7,
  customers_mgmt: 7,
  tariffs_mgmt: 7,
  api_mgmt: 1,
  use_own_tariff: 1,
  did_pool_enabled: true,
  ivr_apps_enabled: true,
  asr_acd_enabled: true,
};

/** Makes a user who may only manage the objects of the tenant. */
export async function makeManager(stage: Stage, { i_customer, name }: Customer): Promise<Login> {
  const login = { login: `manager of ${name}`, password: webPassword };
  await stage.root('createWebUser', {
    i_customer,
    web_login: login.login,
    web_password: login.password,
    i_access_level: 'BILLING',
  });
  return login;
}

/** The column names of a table, without those that the database computes. */
async function columnsOf(sql: Client, table: string): Promise<string[]> {
  const { rows } = await sql.query<{ column_name: string }>(
    `SELECT column_name FROM information_schema.columns
     WHERE table_schema = 'public' AND table_name = $1 AND is_generated = 'NEVER' ORDER BY ordinal_position`,
    [table],
  );
  return rows.map(({ column_name }) => column_name);
}

/**
 * Copies a row `count` times. `changed` gives SQL for the columns that differ; `n` counts from 1. All other columns
 * are copied, so a column that a later migration adds needs no change here.
 */
export async function copyRow(
  sql: Client,
  table: string,
  where: string,
  count: number,
  changed: Readonly<Record<string, string>>,
): Promise<void> {
  const columns = await columnsOf(sql, table);
  const values = columns.map((column) => changed[column] ?? `r.${column}`);
  await sql.query(
    `INSERT INTO ${table} (${columns.join(', ')}) OVERRIDING SYSTEM VALUE
     SELECT ${values.join(', ')} FROM (SELECT * FROM ${table} WHERE ${where} LIMIT 1) r,
       generate_series(1, ${count}) n`,
  );
}

/** SQL: the next number of an identity column. */
export const nextId = (table: string, column: string): string =>
  `nextval(pg_get_serial_sequence('${table}', '${column}'))`;

/** Customers below another, with nothing but a name; returns how many there are then. */
export async function insertChildren(sql: Client, i_wholesaler: number, count: number): Promise<void> {
  // Each name is locked until the end of its transaction, and PostgreSQL has room for thousands of locks.
  for (let made = 0; made < count; made += childrenAtOnce)
    await insertSomeChildren(sql, i_wholesaler, Math.min(childrenAtOnce, count - made));
  await sql.query('ANALYZE customers');
}

const childrenAtOnce = 2_000;

async function insertSomeChildren(sql: Client, i_wholesaler: number, count: number): Promise<void> {
  await sql.query(
    `WITH made AS (
       INSERT INTO customers (i_customer, i_wholesaler, path, base_currency, name, name_key)
       SELECT id, w.i_customer, w.path || id, w.base_currency, 'inserted ' || id, 'inserted ' || id
       FROM customers w, (SELECT ${nextId('customers', 'i_customer')}::int AS id FROM generate_series(1, $2)) ids
       WHERE w.i_customer = $1 RETURNING i_customer)
     INSERT INTO users (i_customer, web_login, login_key, is_default)
     SELECT i_customer, 'inserted ' || i_customer, 'inserted ' || i_customer, true FROM made`,
    [i_wholesaler, count],
  );
}

/** Audit records of one customer, spread over the last hours. */
export async function insertAuditRecords(sql: Client, i_customer: number, count: number): Promise<void> {
  await sql.query(
    `INSERT INTO audit_records (created_at, request_id, caller, address, method, action, resource, i_customer, changes)
     SELECT now() - n * interval '20 milliseconds', 'inserted', 'inserted', '127.0.0.1', 'updateCustomer', 'U',
       'customers:i_customer=' || $1::int, $1::int, '{"city": ["Bergen", "Oslo"]}'
     FROM generate_series(1, $2::int) n`,
    [i_customer, count],
  );
  await sql.query('ANALYZE audit_records');
}

/** Audit records of changes whose old and new value are `bytes` long each, as they were kept before there was a limit. */
export async function insertLargeAuditRecords(
  sql: Client,
  i_customer: number,
  count: number,
  bytes: number,
): Promise<void> {
  await sql.query(
    `INSERT INTO audit_records (created_at, request_id, caller, address, method, action, resource, i_customer, changes)
     SELECT now() - n * interval '1 second', 'inserted', 'inserted', '127.0.0.1', 'PUT /flows/{id}', 'U', 'flows',
       $1::int, jsonb_build_object('actions', jsonb_build_array(old.text || n, old.text || 'new'))
     FROM generate_series(1, $2::int) n,
       (SELECT string_agg(md5(m::text), '') AS text FROM generate_series(1, $3::int / 32) m) old`,
    [i_customer, count, bytes],
  );
}

/** Flows of a customer whose actions are `bytes` long each. */
export async function insertFlows(
  sql: Client,
  i_customer: number,
  count: number,
  bytes: number,
): Promise<void> {
  await sql.query(
    `INSERT INTO flows (i_customer, name, detail, actions)
     SELECT $1::int, 'large ' || n, '', jsonb_build_array(jsonb_build_object('type', 'talk', 'option',
       (SELECT string_agg(md5(n || '.' || m), '') FROM generate_series(1, $3::int / 32) m)))
     FROM generate_series(1, $2::int) n`,
    [i_customer, count, bytes],
  );
}

/** Books one payment of root's `count` times into the account of a customer. */
export async function insertPayments(stage: Stage, i_customer: number, count: number): Promise<void> {
  const { sql } = stage;
  const { i_payment } = await stage.root('customerAddFunds', { i_customer, amount: 0.01, currency: 'USD' });
  const id = Number(i_payment);
  const { rows } = await sql.query<{ first: string }>(
    `SELECT coalesce(max(i_payment), 0) + 1 AS first FROM payments`,
  );
  const first = Number(rows[0]?.first);
  await copyRow(sql, 'payments', `i_payment = ${id}`, count, { i_payment: `${first} + n - 1` });
  await sql.query('BEGIN');
  // The entries of a payment must sum to zero when the statement ends, so both sides go in by one statement.
  const columns = (await columnsOf(sql, 'entries')).filter((name) => name !== 'i_entry');
  const values = columns.map((name) => (name === 'i_payment' ? `${first} + n - 1` : `e.${name}`));
  await sql.query(
    `INSERT INTO entries (${columns.join(', ')}) SELECT ${values.join(', ')}
     FROM (SELECT * FROM entries WHERE i_payment = ${id}) e, generate_series(1, ${count}) n ORDER BY n, e.i_entry`,
  );
  await sql.query('UPDATE customers SET balance = balance + 0.01 * $2::int WHERE i_customer = $1', [
    i_customer,
    count,
  ]);
  await sql.query(`SELECT setval(pg_get_serial_sequence('payments', 'i_payment'), ${first + count})`);
  await sql.query('COMMIT');
  await sql.query('ANALYZE payments');
  await sql.query('ANALYZE entries');
}

/** What making one of a product costs on the platform. */
export async function setPrice(sql: Client, product: string, amount: number): Promise<void> {
  const hasOwner = (await columnsOf(sql, 'prices')).includes('i_customer');
  await sql.query(
    `INSERT INTO prices (product, currency, amount${hasOwner ? ', i_customer' : ''})
     VALUES ($1, 'USD', $2${hasOwner ? ', 1' : ''})`,
    [product, amount],
  );
}

/** Customers below one another, each with every right over customers; returns the deepest. */
export async function insertChain(sql: Client, i_top: number, levels: number): Promise<number> {
  let i_customer = i_top;
  for (let level = 0; level < levels; level += 1) {
    await insertChildren(sql, i_customer, 1);
    const { rows } = await sql.query<{ id: number }>(
      `UPDATE customers SET customers_mgmt = 7 WHERE i_wholesaler = $1 RETURNING i_customer AS id`,
      [i_customer],
    );
    i_customer = rows[0]?.id ?? 0;
  }
  return i_customer;
}

export async function insertTags(sql: Client, i_customer: number, count: number): Promise<void> {
  await sql.query(
    `INSERT INTO tags (i_customer, name, detail) SELECT $1::int, 'tag ' || n, '' FROM generate_series(1, $2::int) n`,
    [i_customer, count],
  );
  await sql.query('ANALYZE tags');
}
