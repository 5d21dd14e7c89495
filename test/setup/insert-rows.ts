/** Many rows of every list of one customer by SQL, and what the lists must then answer. */
import { runSql } from './family';
import type { TestServer } from './server';

/** `$1` the customer, `$2` how many more rows to insert. Names are unique, because each holds a random uuid. */
const numbered = 'FROM generate_series(1, $2::int) g';
const inserts = {
  customers: `WITH ids AS (
      SELECT nextval(pg_get_serial_sequence('customers', 'i_customer'))::int AS id ${numbered}),
    made AS (
      INSERT INTO customers (i_customer, i_wholesaler, path, base_currency, name, name_key)
      SELECT id, w.i_customer, w.path || id, w.base_currency, 'listed ' || id, 'listed ' || id
      FROM ids, customers w WHERE w.i_customer = $1 RETURNING i_customer)
    INSERT INTO users (i_customer, web_login, login_key, is_default)
    SELECT i_customer, 'listed ' || i_customer, 'listed ' || i_customer, true FROM made`,
  tariffs: `INSERT INTO tariffs (i_customer, name, currency) SELECT $1, gen_random_uuid(), 'USD' ${numbered}`,
  users: `INSERT INTO users (i_customer, web_login, login_key, password_hash)
    SELECT $1, id, id, 'x' FROM (SELECT gen_random_uuid() AS id ${numbered}) u`,
  entries: `WITH p AS (
      INSERT INTO payments (kind, i_customer, amount, currency, request_id)
      SELECT 'add_funds', $1, 1, 'USD', 'test' ${numbered} RETURNING i_payment)
    INSERT INTO entries (i_payment, i_customer, currency, amount, balance_after)
    SELECT p.i_payment, a.i_customer, 'USD', a.amount, a.balance_after
       FROM p, (VALUES ($1::int, 1, 1), (NULL, -1, NULL)) a (i_customer, amount, balance_after)`,
  numbers: `INSERT INTO numbers (i_customer, number)
    SELECT $1, '+1' || lpad((g + (SELECT coalesce(max(i_number), 0) FROM numbers))::text, 12, '0') ${numbered}`,
  sip_users: `INSERT INTO sip_users (i_customer, name, name_key, sealed_password)
    SELECT $1, id, id, 'x' FROM (SELECT gen_random_uuid() AS id ${numbered}) u`,
  domains: `INSERT INTO domains (i_customer, name, name_key)
    SELECT $1, id, id FROM (SELECT gen_random_uuid() AS id ${numbered}) u`,
  stores: `INSERT INTO stores (i_customer, name, name_key)
    SELECT $1, id, id FROM (SELECT gen_random_uuid() AS id ${numbered}) u`,
  addresses: `INSERT INTO addresses (i_customer, street_one, city, country_code) SELECT $1, 'a', 'b', 'US' ${numbered}`,
  flows: `INSERT INTO flows (i_customer, name, detail) SELECT $1, '', '' ${numbered}`,
  queues: `INSERT INTO queues (i_customer, name, detail, routing_method, wait_timeout, service_timeout)
    SELECT $1, '', '', 'random', 0, 0 ${numbered}`,
  tags: `INSERT INTO tags (i_customer, name, detail) SELECT $1, '', '' ${numbered}`,
  access_keys: `INSERT INTO access_keys (i_customer, name, detail, token_prefix, token_hash, tm_expire)
    SELECT $1, '', '', 'x', decode(replace(gen_random_uuid()::text, '-', ''), 'hex'), now() ${numbered}`,
} as const;

export type ListedTable = keyof typeof inserts;

/** SQL: the key of every row that a list of the customer `$1` answers, as text. */
export type KeysOf = readonly [table: ListedTable, select: string];

const owned = (table: ListedTable, key: string, condition = 'deleted_at IS NULL'): KeysOf => [
  table,
  `SELECT ${key}::text AS key FROM ${table} WHERE i_customer = $1 AND ${condition} ORDER BY 1`,
];
const below = (key: string): KeysOf => [
  'customers',
  `SELECT ${key}::text AS key FROM customers WHERE i_wholesaler = $1 AND deleted_at IS NULL ORDER BY 1`,
];

export const keysOf = {
  customers: below('i_customer'),
  customerUuids: below('uuid'),
  tariffs: owned('tariffs', 'i_tariff', 'true'),
  users: owned('users', 'i_web_user'),
  resellerUsers: owned('users', 'uuid', 'deleted_at IS NULL AND NOT is_recovery'),
  agents: owned('users', 'uuid', 'deleted_at IS NULL AND NOT (is_default AND password_hash IS NULL)'),
  payments: owned('entries', 'i_payment', 'true'),
  billings: owned('entries', "'00000000-0000-8000-8000-' || lpad(to_hex(i_entry), 12, '0')", 'true'),
  numbers: owned('numbers', 'uuid'),
  sipUsers: owned('sip_users', 'uuid'),
  domains: owned('domains', 'uuid'),
  stores: owned('stores', 'uuid'),
  addresses: owned('addresses', 'uuid'),
  flows: owned('flows', 'uuid'),
  queues: owned('queues', 'uuid'),
  tags: owned('tags', 'uuid'),
  accessKeys: owned('access_keys', 'uuid'),
} as const;

/** The keys that the list must answer, in the order of their texts. */
export async function listedKeys(
  server: TestServer,
  [, select]: KeysOf,
  i_customer: number,
): Promise<string[]> {
  return (await runSql<{ key: string }>(server, select, i_customer)).map(({ key }) => key);
}

/** Inserts rows until the list has `count`. */
export async function fillTo(
  server: TestServer,
  keys: KeysOf,
  i_customer: number,
  count: number,
): Promise<void> {
  const missing = count - (await listedKeys(server, keys, i_customer)).length;
  if (missing > 0) await runSql(server, inserts[keys[0]], i_customer, missing);
}
