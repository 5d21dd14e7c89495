/** Store fronts and who buys there. */
import type { Call } from '../../core/call/method';
import { type Transaction, sql } from '../../db/database';
import { conflict, wrongReference } from '../../base/faults';
import type { Kind } from '../../features/resources/kinds';
import { type OwnedRow, deleteOwned } from '../../features/resources/service';

const buyersStatement = sql(
  'store_has_buyers',
  'SELECT EXISTS (SELECT FROM customers c WHERE c.i_store = $1 AND c.deleted_at IS NULL) AS found',
);

/** A store at which a customer buys stays. */
export async function deleteStore(call: Call, kind: Kind<never>, uuid: string): Promise<OwnedRow> {
  // Deleted first, which holds its row: nobody is given the store from here on.
  const deleted = await deleteOwned(call, kind, uuid);
  const [row] = await call.db.query<{ found: boolean }>(buyersStatement, [deleted.id]);
  if (row?.found) throw conflict('Customers still buy at this store');
  return deleted;
}

const holdStatement = sql(
  'hold_store',
  'SELECT i_store FROM stores WHERE uuid = $1 AND i_customer = $2 AND deleted_at IS NULL FOR SHARE',
);

/** The id of a living store of this customer, held against deletion. */
export async function findStore(db: Transaction, i_owner: number, uuid: string): Promise<number | undefined> {
  const [row] = await db.query<{ i_store: number }>(holdStatement, [uuid, i_owner]);
  return row?.i_store;
}

/** The same; throws fault 401 of the core, HTTP 400. */
export async function assertStore(db: Transaction, i_owner: number, uuid: string): Promise<number> {
  const i_store = await findStore(db, i_owner, uuid);
  if (i_store === undefined) throw wrongReference('store_front');
  return i_store;
}
