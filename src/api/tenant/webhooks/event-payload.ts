/** What an event says: the object as the tenant API shows it, from the row that was written down with the change. */
import type { Kind } from '../../../features/resources/kinds';
import { flowKind, queueKind, tenantNumberKind } from '../../../features/resources/tenant-kinds';
import type { AgentRow } from '../../../features/users/agents';
import { agentObject } from '../operations/agents';
import { type CustomerRow, tenantObject } from '../operations/customer-row';
import { ownedObject } from '../operations/resources';

type Row = Readonly<Record<string, unknown>>;

const owned = (kind: Pick<Kind, 'readable'>) => (row: Row) =>
  ownedObject(kind, row as unknown as Parameters<typeof ownedObject>[1]);

const objects: Readonly<Record<string, (row: Row) => object>> = {
  customer: (row) => tenantObject(row as unknown as CustomerRow),
  agent: (row) => agentObject(row as unknown as AgentRow),
  number: owned(tenantNumberKind),
  flow: owned(flowKind),
  queue: owned(queueKind),
  ping: (row) => row,
};

/** `type` is such as `agent_created`. */
export function eventPayload(type: string, row: Row): object {
  const object = objects[type.split('_')[0] ?? ''];
  if (!object) throw new Error(`There are no events of type ${type}`);
  return object(row);
}
