/** A tree as it grows over the years: a few owners have most of the customers, and there are eight levels below root. */
import type { Client } from 'pg';
import { ordinary, settle, withoutTriggers } from './customers';

const batchSize = 50_000;

/** How the customers are spread over the levels below root. */
const shares = [0.001, 0.01, 0.05, 0.15, 0.25, 0.28, 0.18, 0.079] as const;

/** Adds about `count` customers below root, beside those that are there, and tells how far it is. */
export async function growTree(
  db: Client,
  count: number,
  onProgress: (made: number) => void,
): Promise<number> {
  const { rows } = await db.query<{ first: number }>('SELECT max(i_customer) + 1 AS first FROM customers');
  let first = rows[0]?.first ?? 0;
  const start = first;
  let parents = { first: 1, count: 1 };
  await withoutTriggers(db, async () => {
    for (const share of shares) {
      const size = Math.max(1, Math.round(count * share));
      for (let made = 0; made < size; made += batchSize) {
        const batch = Math.min(batchSize, size - made);
        await db.query(levelText, [first + made, batch, parents.first, parents.count]);
        await db.query(usersText, [first + made, batch]);
        onProgress(first + made + batch - start);
      }
      parents = { first, count: size };
      first += size;
    }
  });
  await settle(db);
  return first - start;
}

/** The fourth power of an even spread: one in six has the first thousandth of the level above as its owner. */
const levelText = `
  INSERT INTO customers (i_customer, i_wholesaler, path, name, name_key, ${ordinary.columns})
  SELECT id, p.i_customer, p.path || id, 'member-' || id, 'member-' || id, ${ordinary.values}
  FROM (SELECT $1::int + n - 1 AS id, n,
          $3::int + floor($4::int * power((hashint4(n + $1::int)::bigint + 2147483648) / 4294967296.0, 4))::int AS owner
        FROM generate_series(1, $2::int) n) made
  JOIN customers p ON p.i_customer = made.owner ORDER BY id`;

const usersText = `
  INSERT INTO users (i_customer, web_login, login_key, is_default, is_recovery)
  SELECT id, login, login, is_default, NOT is_default
  FROM generate_series($1::int, $1::int + $2::int - 1) id,
    LATERAL (VALUES ('member-' || id, true), (gen_random_uuid()::text, false)) kinds (login, is_default)`;
