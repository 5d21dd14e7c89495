/** Routing groups: a dictionary that root manages. */
import { changesBetween } from '../../core/call/audit';
import type { Call } from '../../core/call/method';
import { rootId } from '../../core/tree/rights';
import { type Database, sql } from '../../db/database';
import { conflict, notFound } from '../../base/faults';

interface RoutingGroup {
  readonly i_routing_group: number;
  readonly name: string;
}

const insertStatement = sql(
  'insert_routing_group',
  'INSERT INTO routing_groups (name) VALUES ($1) RETURNING i_routing_group',
);
const lockStatement = sql(
  'lock_routing_group',
  'SELECT i_routing_group, name FROM routing_groups WHERE i_routing_group = $1 FOR UPDATE',
);
const renameStatement = sql(
  'rename_routing_group',
  'UPDATE routing_groups SET name = $2 WHERE i_routing_group = $1',
);
const inUseStatement = sql(
  'routing_group_in_use',
  'SELECT EXISTS (SELECT FROM customers WHERE i_routing_group = $1) AS used',
);
const deleteStatement = sql('delete_routing_group', 'DELETE FROM routing_groups WHERE i_routing_group = $1');
const listStatement = sql(
  'list_routing_groups',
  'SELECT i_routing_group, name FROM routing_groups ORDER BY i_routing_group',
);

const resourceOf = (i_routing_group: number): string => `routing_groups:i_routing_group=${i_routing_group}`;

export async function createRoutingGroup(call: Call, { name }: { name: string }) {
  const [row] = await call.db.query<{ i_routing_group: number }>(insertStatement, [name]);
  if (!row) throw new Error('An insert answered no row');
  const resource = resourceOf(row.i_routing_group);
  await call.audit({ action: 'A', resource, i_customer: rootId, changes: changesBetween({}, { name }) });
  return { result: 'OK' as const, i_routing_group: row.i_routing_group };
}

export async function updateRoutingGroup(call: Call, params: RoutingGroup) {
  const group = await lock(call, params.i_routing_group);
  await call.db.query(renameStatement, [group.i_routing_group, params.name]);
  const changes = changesBetween({ name: group.name }, { name: params.name });
  await call.audit({ action: 'U', resource: resourceOf(group.i_routing_group), i_customer: rootId, changes });
  return { result: 'OK' as const };
}

export async function deleteRoutingGroup(call: Call, { i_routing_group }: { i_routing_group: number }) {
  await lock(call, i_routing_group);
  const [row] = await call.db.query<{ used: boolean }>(inUseStatement, [i_routing_group]);
  if (row?.used) throw conflict('The routing group is in use');
  await call.db.query(deleteStatement, [i_routing_group]);
  await call.audit({ action: 'D', resource: resourceOf(i_routing_group), i_customer: rootId });
  return { result: 'OK' as const };
}

async function lock(call: Call, i_routing_group: number): Promise<RoutingGroup> {
  const [group] = await call.db.query<RoutingGroup>(lockStatement, [i_routing_group]);
  if (!group) throw notFound('Routing group');
  return group;
}

export async function listRoutingGroups(call: Call<Database>) {
  return { result: 'OK' as const, routing_groups: await call.db.query<RoutingGroup>(listStatement) };
}
