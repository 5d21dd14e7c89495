/** The customers that are asked for, made by SQL, because there are many. All of them have the same web password. */
import type { Client } from 'pg';
import { hashPassword } from '../src/core/auth/credentials';
import { type Population, customerName } from './calls';
import { webPassword } from './members';

const batchSize = 20_000;

/** Fills the level of a wholesaler that stands directly below root, and tells how far it is. */
export async function makeCustomers(
  db: Client,
  i_wholesaler: number,
  count: number,
  onProgress: (made: number) => void,
): Promise<Population> {
  const { rows } = await db.query<{ i_tariff: number }>(
    `INSERT INTO tariffs (i_customer, name, currency) VALUES ($1, 'Benchmark', 'USD') RETURNING i_tariff`,
    [i_wholesaler],
  );
  const population = { first_i_customer: i_wholesaler + 1, count, i_tariff: rows[0]?.i_tariff ?? 0 };
  const password_hash = await hashPassword(webPassword);
  await withoutTriggers(db, async () => {
    for (let made = 0; made < count; made += batchSize) {
      const names = Array.from({ length: Math.min(batchSize, count - made) }, (_, index) =>
        customerName(made + index),
      );
      const first = population.first_i_customer + made;
      await db.query(customersText, [names, first, i_wholesaler, population.i_tariff]);
      await db.query(usersText, [names, first, password_hash]);
      onProgress(made + names.length);
    }
  });
  await settle(db);
  return population;
}

/** What is written here refers to what is there; asking for every row takes longer than to write it. */
export async function withoutTriggers(db: Client, work: () => Promise<unknown>): Promise<void> {
  await db.query('SET session_replication_role = replica');
  await work();
  await db.query('SET session_replication_role = origin');
}

/** The next id is a free one, who stands below whom is known, and the planner knows what is there. */
export async function settle(db: Client): Promise<void> {
  // What triggers would have written.
  await db.query(
    `INSERT INTO descendants (i_ancestor, i_customer)
     SELECT unnest(path[2:cardinality(path) - 2]), i_customer FROM customers ON CONFLICT DO NOTHING`,
  );
  await db.query('SELECT recount_usage()');
  await db.query(
    `SELECT setval(pg_get_serial_sequence('customers', 'i_customer'), (SELECT max(i_customer) FROM customers))`,
  );
  await db.query('VACUUM ANALYZE');
}

/** The columns of an ordinary customer beside its place and its name; `n` is its number. */
export const ordinary = {
  columns: `base_currency, i_routing_group, payment_method, credit_limit, company_name, salutation, first_name,
    last_name, mid_init, street_addr, state, postal_code, city, country, contact, phone, fax, email, cc, description,
    max_sessions, max_calls_per_second`,
  values: `'USD', 1, 1, 250.5, 'Northern Voice & Data Ltd.', 'Ms.', 'Margarethe',
    'Lindqvist', 'A.', n || ' Harbour Street', 'British Columbia', 'V6B 1A1', 'Vancouver', 'Canada',
    'Margarethe Lindqvist', '+1 604 555 0142', '+1 604 555 0143', 'office-' || n || '@northern-voice.example',
    'accounts@northern-voice.example', 'Made by the benchmark', 120, 12.5`,
};

const customersText = `
  INSERT INTO customers (uuid, i_customer, i_wholesaler, path, name, name_key, i_tariff, ${ordinary.columns})
  SELECT ('00000000-0000-4000-8000-' || lpad(to_hex($2::int + n - 1), 12, '0'))::uuid, $2 + n - 1, $3, ARRAY[1, $3, $2 + n - 1]::int[], name, name, $4, ${ordinary.values}
  FROM unnest($1::text[]) WITH ORDINALITY AS made (name, n)`;

/** A default user and a recovery user each. */
const usersText = `
  INSERT INTO users (i_customer, web_login, login_key, password_hash, is_default, is_recovery)
  SELECT $2 + n - 1, name, name, $3, true, false
  FROM unnest($1::text[]) WITH ORDINALITY AS made (name, n)
  UNION ALL
  SELECT $2 + n - 1, login, login, NULL, false, true
  FROM (SELECT gen_random_uuid()::text AS login, n FROM unnest($1::text[]) WITH ORDINALITY AS made (name, n)) AS recovery`;
