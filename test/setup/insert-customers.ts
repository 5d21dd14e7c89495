/** Customers by SQL: many at once, and with what no call would accept. */
import { Client } from 'pg';
import type { TestServer } from './server';

const statement = `
  WITH ids AS (
    SELECT nextval(pg_get_serial_sequence('customers', 'i_customer'))::int AS id, value
    FROM unnest($2::text[]) WITH ORDINALITY AS given (value, place) ORDER BY place),
  made AS (
    INSERT INTO customers (i_customer, i_wholesaler, path, base_currency, name, name_key, description)
    SELECT id, w.i_customer, w.path || id, w.base_currency, 'inserted ' || id, 'inserted ' || id, value
    FROM ids, customers w WHERE w.i_customer = $1
    RETURNING i_customer)
  INSERT INTO users (i_customer, web_login, login_key, is_default)
  SELECT i_customer, 'inserted ' || i_customer, 'inserted ' || i_customer, true FROM made
  RETURNING i_customer`;

/** One customer below another for each description; answers their ids, in order. */
export async function insertCustomers(
  { connection }: TestServer,
  i_wholesaler: number,
  descriptions: readonly (string | null)[],
): Promise<number[]> {
  const client = new Client(connection);
  await client.connect();
  const { rows } = await client.query<{ i_customer: number }>(statement, [i_wholesaler, descriptions]);
  await client.end();
  return rows.map(({ i_customer }) => i_customer).sort((a, b) => a - b);
}
