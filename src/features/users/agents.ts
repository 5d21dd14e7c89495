/**
 * Users as agents: the same people, by their uuids, with what an agent has beside a user. The default user of a
 * customer is one of them only where somebody can log in as it.
 */
import { changesBetween } from '../../core/call/audit';
import type { Call } from '../../core/call/method';
import {
  type CursorParams,
  type CursorRow,
  readCursorPage,
  beforeCursor,
  cursorColumns,
} from '../../core/call/cursor-pagination';
import type { Page } from '../../core/call/operation';
import { type Database, type Queryable, type Transaction, sharedRead, sql } from '../../db/database';
import { forbidden, notFound } from '../../base/faults';
import type { AccessLevel } from './repository';

export interface AgentAddress {
  readonly type: string;
  readonly target: string;
  readonly target_name?: string;
  readonly name?: string;
  readonly detail?: string;
}

export interface AgentRow {
  readonly i_web_user: number;
  readonly i_customer: number;
  readonly uuid: string;
  readonly customer_id: string;
  readonly web_login: string;
  readonly name: string | null;
  readonly description: string | null;
  readonly i_access_level: AccessLevel;
  readonly is_recovery: boolean;
  readonly status: string;
  readonly ring_method: string;
  readonly tag_ids: readonly string[];
  readonly addresses: readonly AgentAddress[];
  readonly created_at: Date | string;
  readonly updated_at: Date | string;
  readonly deleted_at: Date | string | null;
}

/** SQL: an agent, over the user `u`. */
export const agentColumns = `u.i_web_user, u.i_customer, u.uuid,
  (SELECT c.uuid FROM customers c WHERE c.i_customer = u.i_customer) AS customer_id,
  u.web_login, u.name, u.description, u.i_access_level, u.is_recovery, u.status, u.ring_method, u.tag_ids, u.addresses,
  u.created_at, u.updated_at, u.deleted_at`;

const isAgent =
  'u.i_customer = $1 AND u.deleted_at IS NULL AND NOT (u.is_default AND u.password_hash IS NULL)';

const newestStatement = sql(
  'newest_agents',
  `SELECT ${agentColumns}, ${cursorColumns('u', 'i_web_user')} FROM users u
   WHERE ${isAgent} AND ${beforeCursor('u', 'i_web_user', 2)}`,
);
const findStatement = sharedRead(
  'find_agent',
  `SELECT ${agentColumns} FROM users u WHERE ${isAgent} AND u.uuid = $2`,
);
const lockStatement = sql(
  'lock_agent',
  `SELECT ${agentColumns} FROM users u WHERE ${isAgent} AND u.uuid = $2 FOR NO KEY UPDATE OF u`,
);

type Reader = Pick<Call<Queryable>, 'db' | 'actor'>;

export const newestAgents = (call: Call<Database>, params: CursorParams): Promise<Page<AgentRow>> =>
  readCursorPage<AgentRow & CursorRow>(call, params, (...cursor) => [
    newestStatement,
    [call.actor.i_customer, ...cursor],
  ]);

/** An agent of the actor; throws fault 404. */
export const findAgent = (call: Reader, uuid: string): Promise<AgentRow> =>
  agentWith(findStatement, call, uuid);
/** The same, held against every other change. */
export const lockAgent = (call: Call, uuid: string): Promise<AgentRow> =>
  agentWith(lockStatement, call, uuid);

async function agentWith(
  statement: typeof findStatement,
  { db, actor }: Reader,
  uuid: string,
): Promise<AgentRow> {
  const [row] = await db.query<AgentRow>(statement, [actor.i_customer, uuid]);
  if (!row) throw notFound('Agent');
  return row;
}

export interface AgentChange {
  readonly name?: string;
  readonly description?: string;
  readonly ring_method?: string;
  readonly status?: string;
  readonly tag_ids?: readonly string[];
  readonly addresses?: readonly AgentAddress[];
}

const changeStatement = sql(
  'change_agent',
  `UPDATE users SET updated_at = now(), name = coalesce($2, name), description = coalesce($3, description),
     ring_method = coalesce($4, ring_method), status = coalesce($5, status), tag_ids = coalesce($6, tag_ids),
     addresses = coalesce($7, addresses)
   WHERE i_web_user = $1`,
);

/** Of one that was just made: what it has as an agent. */
export const writeAgent = (db: Transaction, i_web_user: number, change: AgentChange): Promise<unknown> =>
  db.query(changeStatement, [
    i_web_user,
    change.name ?? null,
    change.description ?? null,
    change.ring_method ?? null,
    change.status ?? null,
    change.tag_ids ?? null,
    change.addresses === undefined ? null : JSON.stringify(change.addresses),
  ]);

const uuidStatement = sql('uuid_of_user', 'SELECT uuid FROM users WHERE i_web_user = $1');

export async function uuidOfUser(db: Queryable, i_web_user: number): Promise<string> {
  const [row] = await db.query<{ uuid: string }>(uuidStatement, [i_web_user]);
  if (!row) throw new Error('A user that was just made is not there');
  return row.uuid;
}

/** Changes what says nothing of who may do what; the guest agent is changed by nobody. */
export async function changeAgent(call: Call, agent: AgentRow, change: AgentChange): Promise<void> {
  if (agent.is_recovery) throw forbidden('The guest agent cannot be changed');
  const { i_web_user, i_customer } = agent;
  await writeAgent(call.db, i_web_user, change);
  const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
  const changes = changesBetween({ ...agent }, given);
  await call.audit({ action: 'U', resource: `web_users:i_web_user=${i_web_user}`, i_customer, changes });
}
