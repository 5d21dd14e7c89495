/**
 * Removes what was deleted a while ago, so that a loop of creating and deleting does not fill the disk. Deleted
 * customers stay, because the books refer to them; they have a limit of their own, and lose their style sheet.
 */
import { deleteBatch, deleteInBatches } from '../../core/call/purge';
import { type Queryable, sql } from '../../db/database';
import { ownedTables } from './repository';

const isOld = 'r.deleted_at < now() - make_interval(mins => $1)';

/** A deleted row stays as long as another row refers to it. */
const unreferenced: Readonly<Record<string, string>> = {
  flows: `AND NOT EXISTS (SELECT FROM numbers n WHERE n.call_flow_id = r.uuid)
    AND NOT EXISTS (SELECT FROM numbers n WHERE n.message_flow_id = r.uuid)
    AND NOT EXISTS (SELECT FROM queues q WHERE q.wait_flow_id = r.uuid)`,
  stores: 'AND NOT EXISTS (SELECT FROM customers c WHERE c.i_store = r.i_store)',
  // The login of a deleted customer itself stays with its row.
  users: 'AND NOT r.is_default AND NOT r.is_recovery',
};

const purgeStatements = [...ownedTables, 'users'].map((table) =>
  sql(
    `purge_${table}`,
    deleteBatch(table, `r.deleted_at IS NOT NULL AND ${isOld} ${unreferenced[table] ?? ''}`, 'r.deleted_at'),
  ),
);
const clearStyleStatement = sql(
  'clear_deleted_css',
  `UPDATE customers r SET css = NULL WHERE r.deleted_at IS NOT NULL AND r.css IS NOT NULL AND ${isOld}`,
);

/** Deletes rows whose deletion is older than `retention_minutes`. */
export async function purgeDeletedRows(db: Queryable, retention_minutes: number): Promise<void> {
  for (const statement of purgeStatements) await deleteInBatches(db, statement, [retention_minutes]);
  await db.query(clearStyleStatement, [retention_minutes]);
}
