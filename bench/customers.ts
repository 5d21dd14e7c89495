/** The customers that are asked for: a wholesaler made over the API, and those below it by SQL, because there are many. */
import type { Client } from 'pg';
import { type Population, createWholesalerBody, customerName, xmlrpcPath } from './requests';

export interface Login {
  readonly name: string;
  readonly password: string;
}

const batchSize = 5_000;

/** Makes the wholesaler, that can log in as `login`; answers its id. */
export async function makeWholesaler(port: number, root: Login, login: Login): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}${xmlrpcPath}`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${root.name}:${root.password}`)}` },
    body: createWholesalerBody(login.name, login.password),
  });
  const answer = await response.text();
  const i_customer = /<name>i_customer<\/name><value><int>(\d+)</.exec(answer)?.[1];
  if (i_customer === undefined) throw new Error(`The wholesaler was not made: ${answer}`);
  return Number(i_customer);
}

/** Fills the wholesaler's level, and tells how far it is. */
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
  for (let made = 0; made < count; made += batchSize) {
    const names = Array.from({ length: Math.min(batchSize, count - made) }, (_, index) =>
      customerName(made + index),
    );
    const first = population.first_i_customer + made;
    await db.query(customersText, [names, first, i_wholesaler, population.i_tariff]);
    await db.query(usersText, [names, first]);
    onProgress(made + names.length);
  }
  await db.query(`SELECT setval(pg_get_serial_sequence('customers', 'i_customer'), $1)`, [
    i_wholesaler + count,
  ]);
  await db.query('VACUUM ANALYZE');
  return population;
}

/** The uuids are those of `uuidOf`. */
const customersText = `
  INSERT INTO customers (uuid, i_customer, i_wholesaler, path, base_currency, name, name_key, i_tariff, i_routing_group,
    payment_method, credit_limit, company_name, salutation, first_name, last_name, mid_init, street_addr, state,
    postal_code, city, country, contact, phone, fax, email, cc, description, max_sessions, max_calls_per_second)
  SELECT ('00000000-0000-4000-8000-' || lpad(to_hex($2::int + n - 1), 12, '0'))::uuid, $2 + n - 1, $3, ARRAY[1, $3, $2 + n - 1]::int[], 'USD', name, name, $4, 1,
    1, 250.5, 'Northern Voice & Data Ltd.', 'Ms.', 'Margarethe', 'Lindqvist', 'A.', n || ' Harbour Street', 'British Columbia',
    'V6B 1A1', 'Vancouver', 'Canada', 'Margarethe Lindqvist', '+1 604 555 0142', '+1 604 555 0143',
    name || '@northern-voice.example', 'accounts@northern-voice.example', 'Made by the benchmark', 120, 12.5
  FROM unnest($1::text[]) WITH ORDINALITY AS made (name, n)`;

/** A default user and a recovery user each; their hashes fit no password. */
const usersText = `
  INSERT INTO users (i_customer, web_login, login_key, password_hash, is_default, is_recovery)
  SELECT $2 + n - 1, name, name, '$argon2id$v=19$m=19456,t=2,p=1$' || repeat('A', 66), true, false
  FROM unnest($1::text[]) WITH ORDINALITY AS made (name, n)
  UNION ALL
  SELECT $2 + n - 1, login, login, NULL, false, true
  FROM (SELECT gen_random_uuid()::text AS login, n FROM unnest($1::text[]) WITH ORDINALITY AS made (name, n)) AS recovery`;
