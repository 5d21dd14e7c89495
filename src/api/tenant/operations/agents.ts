/** The paths of the people of a tenant. Who they are and what they may do are the users of the other APIs. */
import { withFieldAliases } from '../../../core/schema/field-aliases';
import type { Call } from '../../../core/call/method';
import { cursorQuery } from '../../../core/call/cursor-pagination';
import { defineOperation, definePage, wideList } from '../../../core/call/operation';
import { holdable, permissionOf, permissionOfCaller } from '../../../core/tree/permission';
import { editBelow, rootId } from '../../../core/tree/rights';
import { type Static, integer, list, oneOf, optional, struct, text } from '../../../core/schema/schema';
import { badParameter, forbidden } from '../../../base/faults';
import { tagKind } from '../../../features/resources/tenant-kinds';
import { assertOwned } from '../../../features/resources/service';
import {
  type AgentChange,
  type AgentRow,
  changeAgent,
  findAgent,
  lockAgent,
  newestAgents,
  uuidOfUser,
  writeAgent,
} from '../../../features/users/agents';
import type { AccessLevel } from '../../../features/users/repository';
import { createWebUser, deleteWebUser, updateWebUser } from '../../../features/users/service';
import { defaultPermission } from './customer-row';
import {
  type Guarded,
  administrator,
  administratorOrManager,
  agentBit,
  common,
  detailText,
  idInPath,
  requirePermission,
  tagIds,
  timesOf,
} from './shared-schemas';

const statuses = ['available', 'away', 'busy', 'offline', 'ringing'] as const;
const ringMethods = ['ringall', 'linear'] as const;
const short = (what: string) => text(255, what, { format: 'line', digits: true });

const address = struct({
  type: text(32, 'What kind of address it is, such as tel, sip or email.', { format: 'line' }),
  target: short('The address.'),
  target_name: optional(short('How the address is called.')),
  name: optional(short('A name.')),
  detail: optional(detailText('A detail.')),
});
const addressList = list(address, 'Where the agent is reached, in order.', { maxItems: 100 });
const name = text(64, 'The name of the person.', { format: 'line', digits: true });
const detail = detailText('A description.');
const password = text(128, 'The password.', { minLength: 8, secret: true, digits: true });
const permission = integer('What the agent may do: 16 agent, 64 manager, 32 administrator.', { minimum: 0 });
const status = oneOf(statuses, 'Whether the agent can be reached.');
const ringMethod = oneOf(ringMethods, 'Whether all addresses ring at once, or one after the other.');

const result = struct({
  ...common,
  username: text(129, 'The login; unique on the platform.'),
  name: text(64, 'The name of the person.'),
  detail: text(1024, 'A description.'),
  ring_method: text(16, 'How the addresses ring.'),
  status: text(16, 'Whether the agent can be reached.'),
  permission,
  tag_ids: tagIds,
  addresses: addressList,
});

export const agentObject = (row: AgentRow): Static<typeof result> => ({
  id: row.uuid,
  customer_id: row.customer_id,
  username: row.web_login,
  name: row.name ?? '',
  detail: row.description ?? '',
  ring_method: row.ring_method,
  status: row.status,
  permission: permissionOf(row.i_access_level, row.i_customer),
  tag_ids: [...row.tag_ids],
  addresses: [...row.addresses],
  ...timesOf(row),
});

const fieldAliases = { web_login: 'username', web_password: 'password', i_access_level: 'permission' };

/** Nobody anywhere has another one; whose they are decides which of them. */
function assertKnown(wanted: number | undefined): void {
  if (wanted !== undefined && ![1, 16, 32, 33, 64].includes(wanted))
    throw badParameter('permission', 'must be 16, 64 or 32');
}

/** The level that has just this permission; one that has it already stays. */
function levelOf(wanted: number, i_customer: number, now?: AccessLevel): AccessLevel {
  if (now !== undefined && permissionOf(now, i_customer) === wanted) return now;
  const levels = (['ADMINISTRATOR', 'BILLING', 'CALL_SHOP_OPERATOR'] as const).filter(
    (level) => permissionOf(level, i_customer) === wanted,
  );
  const isRoot = i_customer === rootId;
  // An administrator of root's has the bit of the platform, named or not.
  const [level] = isRoot && [1, administrator].includes(wanted) ? (['ADMINISTRATOR'] as const) : levels;
  if (!level) throw badParameter('permission', `must be 16, 64 or ${isRoot ? '33' : '32'}`);
  return level;
}

/** Nobody gives what he does not hold, nor decides about those who hold more. */
function assertHeld(call: Call, i_access_level: AccessLevel): void {
  const wanted = permissionOf(i_access_level, call.actor.i_customer);
  if ((wanted & ~holdable(permissionOfCaller(call.caller))) !== 0)
    throw forbidden('This permission can be given and taken only by those who hold it');
}

const isOneself = ({ caller, actor }: Pick<Call, 'caller' | 'actor'>, id: string): boolean =>
  caller.kind === 'login' && caller.actor.i_customer === actor.i_customer && caller.person?.uuid === id;

/** To oneself everybody may look and do the little things; to others only who decides about them. */
function assertSelfOrHigher(call: Pick<Call, 'caller' | 'actor'>, id: string): void {
  if (isOneself(call, id)) return;
  if ((permissionOfCaller(call.caller) & (administratorOrManager | 1)) === 0)
    throw forbidden('The permission for this is missing');
}

async function assertAgent(call: Call, id: string): Promise<AgentRow> {
  assertSelfOrHigher(call, id);
  const found = await lockAgent(call, id);
  if (!isOneself(call, id)) assertHeld(call, found.i_access_level);
  return found;
}

async function change(call: Call, id: string, given: AgentChange) {
  const found = await assertAgent(call, id);
  await changeAgent(call, found, given);
  return agentObject(await findAgent(call, id));
}

const base = { right: 'none', result } as const;
const changing = { ...base, verb: 'PUT', params: idInPath } as const;

const ofAll = requirePermission(administratorOrManager, [
  definePage({
    ...base,
    verb: 'GET',
    access: 'read',
    path: '/agents',
    summary: 'Lists the agents of the tenant, the newest first.',
    ...wideList,
    query: cursorQuery,
    faults: [],
    run: async (call, given) => {
      const { items, next } = await newestAgents(call, given);
      return { items: items.map(agentObject), next };
    },
  }),
  defineOperation({
    ...base,
    verb: 'POST',
    access: 'write',
    right: editBelow,
    path: '/agents',
    summary: 'Makes an agent of the tenant.',
    body: {
      username: text(64, 'The login; unique on the platform.', { format: 'login', digits: true }),
      password: optional(password),
      name: optional(name),
      detail: optional(detail),
      ring_method: optional(ringMethod),
      permission: optional(permission),
      status: optional(status),
      tag_ids: optional(tagIds),
      addresses: optional(addressList),
    },
    faults: ['not_found', 'conflict'],
    checkParams: ({ permission: wanted }) => {
      assertKnown(wanted);
    },
    prepare: async ({ password }, hash) => (password === undefined ? undefined : hash(password)),
    run: (call, given, hash) => withFieldAliases(fieldAliases, () => makeAgent(call, given, hash)),
  }),
  defineOperation({
    ...base,
    verb: 'DELETE',
    access: 'write',
    right: editBelow,
    path: '/agents/{id}',
    summary: 'Deletes an agent, and answers it; not the guest agent, nor the only other administrator.',
    params: idInPath,
    faults: ['not_found', 'conflict'],
    run: async (call, { id }) => {
      const found = await assertAgent(call, id);
      await deleteWebUser(call, { i_web_user: found.i_web_user });
      return agentObject({ ...found, updated_at: call.now, deleted_at: call.now });
    },
  }),
  defineOperation({
    ...changing,
    access: 'write',
    right: editBelow,
    path: '/agents/{id}/permission',
    summary: 'Says what an agent may do; nobody gives what he does not hold.',
    body: { permission },
    faults: ['not_found', 'conflict'],
    checkParams: ({ permission: wanted }) => {
      assertKnown(wanted);
    },
    run: async (call, given) => {
      const found = await lockAgent(call, given.id);
      assertHeld(call, found.i_access_level);
      const i_access_level = levelOf(given.permission, found.i_customer, found.i_access_level);
      assertHeld(call, i_access_level);
      await withFieldAliases(fieldAliases, () =>
        updateWebUser(call, { i_web_user: found.i_web_user, i_access_level }, undefined),
      );
      return agentObject(await findAgent(call, given.id));
    },
  }),
  defineOperation({
    ...changing,
    access: 'write',
    right: editBelow,
    path: '/agents/{id}/password',
    summary: 'Gives an agent another password; its tokens end at once.',
    body: { password },
    faults: ['not_found'],
    prepare: ({ password }, hash) => hash(password),
    run: (call, given, hash) =>
      withFieldAliases(fieldAliases, async () => {
        const { i_web_user } = await assertAgent(call, given.id);
        await updateWebUser(call, { i_web_user, web_password: given.password }, hash);
        return agentObject(await findAgent(call, given.id));
      }),
  }),
  defineOperation({
    ...changing,
    access: 'write',
    right: editBelow,
    path: '/agents/{id}/addresses',
    summary: 'Says where an agent is reached.',
    body: { addresses: addressList },
    faults: ['not_found'],
    run: (call, { id, addresses }) => change(call, id, { addresses }),
  }),
  defineOperation({
    ...changing,
    access: 'write',
    right: editBelow,
    path: '/agents/{id}/tag_ids',
    summary: 'Gives an agent tags of the tenant.',
    body: { tag_ids: tagIds },
    faults: ['not_found'],
    run: async (call, { id, tag_ids }) => {
      await assertOwned(call, tagKind, tag_ids);
      return change(call, id, { tag_ids: [...new Set(tag_ids)] });
    },
  }),
]);

async function makeAgent(
  call: Call,
  given: {
    username: string;
    password?: string;
    permission?: number;
    name?: string;
    detail?: string;
    ring_method?: string;
    status?: string;
    tag_ids?: string[];
    addresses?: Static<typeof addressList>;
  },
  hash: string | undefined,
) {
  const { actor } = call;
  const wanted = given.permission ?? (await defaultPermission(call.db, actor.i_customer));
  const i_access_level = levelOf(wanted, actor.i_customer);
  assertHeld(call, i_access_level);
  await assertOwned(call, tagKind, given.tag_ids ?? []);
  const { username, password: web_password, name: person, detail: description } = given;
  const { i_web_user } = await createWebUser(
    call,
    {
      web_login: username,
      i_access_level,
      ...(web_password !== undefined && { web_password }),
      ...(person !== undefined && { name: person }),
      ...(description !== undefined && { description }),
    },
    hash,
  );
  const { ring_method, status: at_first, tag_ids, addresses } = given;
  const more: AgentChange = {
    ...(ring_method !== undefined && { ring_method }),
    ...(at_first !== undefined && { status: at_first }),
    ...(tag_ids !== undefined && { tag_ids: [...new Set(tag_ids)] }),
    ...(addresses !== undefined && { addresses }),
  };
  if (Object.keys(more).length > 0) await writeAgent(call.db, i_web_user, more);
  return agentObject(await findAgent(call, await uuidOfUser(call.db, i_web_user)));
}

const ofOneself = requirePermission(agentBit | administratorOrManager, [
  defineOperation({
    ...base,
    verb: 'GET',
    access: 'read',
    path: '/agents/{id}',
    summary: 'Answers an agent: everybody may look at himself, administrators and managers at all.',
    params: idInPath,
    faults: ['not_found'],
    run: async (call, { id }) => {
      assertSelfOrHigher(call, id);
      return agentObject(await findAgent(call, id));
    },
  }),
  defineOperation({
    ...changing,
    access: 'write',
    right: editBelow,
    path: '/agents/{id}',
    summary: 'Changes name, detail and ring method of an agent, or of oneself; what is left out stays.',
    body: { name: optional(name), detail: optional(detail), ring_method: optional(ringMethod) },
    faults: ['not_found'],
    run: (call, { id, detail: description, ...given }) =>
      change(call, id, { ...given, ...(description !== undefined && { description }) }),
  }),
  defineOperation({
    ...changing,
    access: 'write',
    right: editBelow,
    path: '/agents/{id}/status',
    summary: 'Says whether an agent, or oneself, can be reached.',
    body: { status },
    faults: ['not_found'],
    run: (call, given) => change(call, given.id, { status: given.status }),
  }),
]);

export const agentOperations: readonly Guarded[] = [...ofAll, ...ofOneself];
