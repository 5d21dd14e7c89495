/** What is in the database, for tests that nothing was changed. */
import { runSql } from './family';
import type { TestServer } from './server';

/**
 * A digest of every table. That wrong passwords and looks from above are recorded is no change. Nor are the counters,
 * which are spread over their rows at random, and the partitions of months to come.
 */
export async function everything(server: TestServer): Promise<unknown> {
  const tables = await runSql<{ name: string }>(
    server,
    `SELECT table_name AS name FROM information_schema.tables
     WHERE table_schema = 'public' AND table_name <> 'login_failures' AND table_name <> 'usage_counts'
       AND table_name NOT LIKE 'audit\\_index%' AND table_name NOT LIKE 'audit\\_records\\_%' ORDER BY 1`,
  );
  const statements = tables.map(
    ({ name }) => `SELECT '${name}' AS name, md5(string_agg(t::text, '|' ORDER BY t::text)) FROM ${name} t
      WHERE coalesce(to_jsonb(t) ->> 'action', '') NOT IN ('AUTH_FAIL', 'READ')`,
  );
  // PostgreSQL may run the parts in any order.
  return runSql(server, `${statements.join(' UNION ALL ')} ORDER BY 1`);
}
