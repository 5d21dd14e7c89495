/**
 * The age of audit records: a partition for each month, made three months ahead and dropped after its retention.
 * Dropping a partition costs the same however many records it has, and leaves no dead rows behind.
 */
import { type Database, sql } from '../../db/database';
import { deleteBatch, deleteInBatches } from '../../core/call/purge';

/** Rows that are just being written go on; a purge that waits longer than this comes again in a minute. */
const lockTimeoutStatement = sql('audit_lock_timeout', `SET LOCAL lock_timeout = '500ms'`);
const makeStatement = sql(
  'make_audit_partitions',
  `SELECT make_audit_partitions(date_trunc('month', now(), 'UTC') + interval '1 day' + n * interval '1 month')
   FROM generate_series(0, 3) n`,
);
const before = `date_trunc('month', now(), 'UTC') - make_interval(months => $1)`;
const dropStatement = sql('drop_audit_partitions', `SELECT drop_audit_partitions(${before})`);
const purgeStatements = ['audit_records_default', 'audit_index_default'].map((table) =>
  sql(`purge_${table}`, deleteBatch(table, `r.created_at < ${before}`, 'r.created_at')),
);

/**
 * Makes the partitions of this month and the next three, and drops those that are older than `retention_months`
 * whole months; 0 keeps all. The default partitions hold records of months without one, so they are purged by row.
 */
export async function keepAuditPartitions(db: Database, retention_months: number): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.query(lockTimeoutStatement);
    await tx.query(makeStatement);
    if (retention_months > 0) await tx.query(dropStatement, [retention_months]);
  });
  if (retention_months === 0) return;
  for (const statement of purgeStatements) await deleteInBatches(db, statement, [retention_months]);
}
