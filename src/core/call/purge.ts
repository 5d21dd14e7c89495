/**
 * Deletes old rows in batches, so that no purge holds many locks, outlasts the time of a statement, or makes writers
 * wait. Servers that purge at once skip the rows of one another.
 */
import type { Queryable, Statement } from '../../db/database';

const batchRows = 5_000;
/** The next run goes on where this one stopped. */
const batchesAtMost = 100;

/** The SQL of one batch: rows `r` of the table under the condition, in the order of an index. */
export const deleteBatch = (table: string, condition: string, order: string): string =>
  `WITH gone AS (
     DELETE FROM ${table} WHERE ctid = ANY(ARRAY(
       SELECT r.ctid FROM ${table} r WHERE ${condition} ORDER BY ${order} LIMIT ${batchRows} FOR UPDATE OF r SKIP LOCKED))
     RETURNING 1)
   SELECT count(*)::int AS rows FROM gone`;

/** Runs a statement of `deleteBatch` until it finds no more rows. */
export async function deleteInBatches(
  db: Queryable,
  statement: Statement,
  values: readonly unknown[],
): Promise<void> {
  for (let batch = 0; batch < batchesAtMost; batch += 1) {
    const [row] = await db.query<{ rows: number }>(statement, values);
    if ((row?.rows ?? 0) < batchRows) return;
  }
}
