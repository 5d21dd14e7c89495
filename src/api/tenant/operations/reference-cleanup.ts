/** What becomes of links when that to which they lead is deleted: a flow in use stays, a tag is taken off everywhere. */
import type { Call } from '../../../core/call/method';
import { sql } from '../../../db/database';
import { conflict } from '../../../base/faults';
import type { Kind } from '../../../features/resources/kinds';
import { type OwnedRow, deleteOwned } from '../../../features/resources/service';

const inUseStatement = sql(
  'flow_in_use',
  `SELECT EXISTS (SELECT FROM numbers n WHERE $1::uuid IN (n.call_flow_id, n.message_flow_id) AND n.deleted_at IS NULL)
     OR EXISTS (SELECT FROM queues q WHERE q.wait_flow_id = $1::uuid AND q.deleted_at IS NULL) AS found`,
);

export async function deleteFlow(call: Call, kind: Kind<never>, uuid: string): Promise<OwnedRow> {
  // Deleted first, which holds its row: nobody links to it from here on.
  const deleted = await deleteOwned(call, kind, uuid);
  const [row] = await call.db.query<{ found: boolean }>(inUseStatement, [uuid]);
  if (row?.found) throw conflict('A number or a queue still leads to this flow');
  return deleted;
}

const untagStatement = sql(
  'take_tag_off',
  `WITH agents AS (
     UPDATE users SET tag_ids = array_remove(tag_ids, $2::uuid) WHERE i_customer = $1 AND $2::uuid = ANY(tag_ids))
   UPDATE queues SET tag_ids = array_remove(tag_ids, $2::uuid) WHERE i_customer = $1 AND $2::uuid = ANY(tag_ids)`,
);

export async function deleteTag(call: Call, kind: Kind<never>, uuid: string): Promise<OwnedRow> {
  const deleted = await deleteOwned(call, kind, uuid);
  await call.db.query(untagStatement, [call.actor.i_customer, uuid]);
  return deleted;
}
