/** The paths of customers: one's own, and those below it in the tree. */
import { randomBytes } from 'node:crypto';
import type { Config } from '../../../base/config';
import type { Call, Id } from '../../../core/call/method';
import { cursorQuery } from '../../../core/call/cursor-pagination';
import { defineOperation, definePage } from '../../../core/call/operation';
import { assertRightOver } from '../../../core/tree/authorize';
import { editBelow } from '../../../core/tree/rights';
import { locked, optional } from '../../../core/schema/schema';
import { badParameter, forbidden } from '../../../base/faults';
import { closeBalance } from '../../../features/customers/methods';
import { type Profile, changeProfile } from '../../../features/customers/profile';
import {
  loadForCreation,
  blockCustomer,
  createCustomer,
  deleteCustomer,
  unblockCustomer,
} from '../../../features/customers/service';
import type { Transaction } from '../../../db/database';
import {
  type CustomerRow,
  type ProfileGiven,
  displayName,
  findTenant,
  lockOwnTenant,
  lockTenant,
  newestTenants,
  one,
  ownTenant,
  profileBody,
  tenantObject,
  tenantResult,
} from './customer-row';
import {
  type Guarded,
  administrator,
  administratorOrManager,
  idInPath,
  requirePermission,
} from './shared-schemas';
import { assertPublic } from '../webhooks/webhook-client';

const base = { right: 'none', result: tenantResult } as const;
const lockedFields = {
  status: optional(locked('Changed by freeze and recover.')),
  billing_account_id: optional(locked('Fixed.')),
  webhook_key: optional(locked('Made by the server.')),
  tm_create: optional(locked('Fixed.')),
  tm_update: optional(locked('Fixed.')),
  tm_delete: optional(locked('Fixed.')),
};
const changeBody = { name: optional(displayName), ...profileBody, ...lockedFields };

/** Letters and digits of the display name, and something that makes it unique. */
function uniqueName(display: string): string {
  const stem = display
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 40);
  return `${stem.replaceAll(/^-+|-+$/g, '') || 'tenant'}-${randomBytes(6).toString('hex')}`;
}

const kept = (value: string | undefined): string | null | undefined => (value === '' ? null : value);

/** The members that are given, as columns; a new place for events makes a new key. */
function profileOf(call: Call, row: CustomerRow, given: ProfileGiven, key: string): Profile {
  const webhook_uri = kept(given.webhook_uri);
  const columns = {
    company_name: kept(given.name),
    description: kept(given.detail),
    email: kept(given.email),
    phone: kept(given.phone_number),
    street_addr: kept(given.address),
    permission_ids: given.permission_ids && [...new Set(given.permission_ids)],
    webhook_method: given.webhook_method,
    webhook_uri,
    sealed_webhook_key: needsKey(row, webhook_uri)
      ? call.credentials.sealSecret(key, `webhook ${row.uuid}`)
      : undefined,
  };
  return Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== undefined));
}

const needsKey = (row: CustomerRow, webhook_uri: string | null | undefined): boolean =>
  typeof webhook_uri === 'string' && row.webhook_uri === null;

/** What is wrong with the parameters alone comes before rights and targets. */
const assertPermissions = ({ permission_ids }: Pick<ProfileGiven, 'permission_ids'>): void => {
  if (permission_ids?.some((bit) => ![16, 32, 64].includes(bit)))
    throw badParameter('permission_ids', 'must hold 16, 32 or 64');
};

/** Asks DNS, so it runs before the transaction. Throws fault 400 for an address that is not public. */
async function assertPublicWebhook(
  { webhook_uri }: Pick<ProfileGiven, 'webhook_uri'>,
  _hash: unknown,
  { webhook_ranges }: Config,
): Promise<undefined> {
  if (webhook_uri !== undefined && webhook_uri !== '') await assertPublic(webhook_uri, webhook_ranges);
  return undefined;
}

/** Changes oneself, or, with the right to edit, a customer below. */
async function changeTenant(call: Call, row: CustomerRow, given: ProfileGiven) {
  assertRightOver(call, row.i_customer);
  return writeTenant(call, row, given);
}

type NewTenant = ProfileGiven & { readonly name: string };

/** What the core's customer has of it. Its name there is made for each try. */
const coreOf = ({ name, detail, email, phone_number, address }: NewTenant) => ({
  i_tariff: null,
  company_name: kept(name) ?? null,
  description: kept(detail) ?? null,
  email: kept(email) ?? null,
  phone: kept(phone_number) ?? null,
  street_addr: kept(address) ?? null,
});

const loadForTenantCreation = (db: Transaction, actor: Id, given: NewTenant) =>
  loadForCreation(db, actor, { ...coreOf(given), name: given.name });

async function makeTenant(
  call: Call,
  given: NewTenant,
  _prepared: undefined,
  found: Awaited<ReturnType<typeof loadForTenantCreation>>,
) {
  const [, , i_customer] = found;
  const { permission_ids, webhook_method, webhook_uri } = given;
  // They go to the database together, in this order.
  const [, made] = await Promise.all([
    createCustomer(call, { ...coreOf(given), name: uniqueName(given.name) }, undefined, found),
    ownTenant(call, i_customer),
  ]);
  const rest = {
    ...(permission_ids && { permission_ids }),
    ...(webhook_method && { webhook_method }),
    ...(webhook_uri !== undefined && { webhook_uri }),
  };
  // What was just made is given the rest without another right.
  return writeTenant(call, made, rest);
}

async function writeTenant(call: Call, row: CustomerRow, given: ProfileGiven) {
  const key = randomBytes(32).toString('base64url');
  const profile = profileOf(call, row, given, key);
  if (Object.keys(profile).length === 0) return tenantObject(row);
  const [, written] = await Promise.all([
    changeProfile(call, row.i_customer, { ...row }, profile),
    ownTenant(call, row.i_customer),
  ]);
  return profile.sealed_webhook_key ? { ...tenantObject(written), webhook_key: key } : tenantObject(written);
}

/** A customer below the actor; only who stands above a tenant decides whether it is served. */
async function assertOwner(call: Call, id: string): Promise<CustomerRow> {
  const row = await findTenant(call, id);
  if (row.i_customer === call.actor.i_customer)
    throw forbidden('Only the owner, a customer above, may do this');
  return row;
}

const reading = requirePermission(administratorOrManager, [
  defineOperation({
    ...base,
    verb: 'GET',
    access: 'read',
    path: '/customers/{id}',
    summary: 'Answers the own customer or one below it.',
    params: idInPath,
    faults: ['not_found'],
    run: async (call, { id }) => tenantObject(await findTenant(call, id)),
  }),
  defineOperation({
    ...base,
    verb: 'GET',
    access: 'read',
    path: '/customer',
    summary: 'Answers the own customer.',
    faults: [],
    run: async (call) => tenantObject(await ownTenant(call, call.actor.i_customer)),
  }),
]);

const changing = requirePermission(administrator, [
  definePage({
    ...base,
    verb: 'GET',
    access: 'read',
    path: '/customers',
    summary: 'Lists the customers below the own one, at any depth, the newest first.',
    query: cursorQuery,
    faults: [],
    run: async (call, given) => {
      const { items, next } = await newestTenants(call, given);
      return { items: items.map(tenantObject), next };
    },
  }),
  defineOperation({
    ...base,
    verb: 'POST',
    access: 'write',
    path: '/customers',
    summary: 'Makes a customer directly below the own one, with its guest agent; billed by the own tariff.',
    right: 'customers_mgmt:add',
    body: { name: displayName, ...profileBody },
    faults: ['conflict'],
    checkParams: assertPermissions,
    prepare: assertPublicWebhook,
    load: loadForTenantCreation,
    run: makeTenant,
  }),
  defineOperation({
    ...base,
    verb: 'PUT',
    access: 'write',
    right: editBelow,
    path: '/customers/{id}',
    summary: 'Changes the own customer or one below it: what is left out stays.',
    params: { id: idInPath.id },
    body: changeBody,
    faults: ['not_found'],
    checkParams: assertPermissions,
    prepare: assertPublicWebhook,
    load: (db, actor, { id }) => lockTenant(db, actor, id),
    run: (call, { id: _id, ...given }, _prepared, found) => changeTenant(call, one(found), given),
  }),
  defineOperation({
    ...base,
    verb: 'PUT',
    access: 'write',
    right: editBelow,
    path: '/customer',
    summary: 'Changes the own customer: what is left out stays.',
    body: { id: optional(locked('Fixed.')), ...changeBody },
    faults: [],
    checkParams: assertPermissions,
    prepare: assertPublicWebhook,
    load: lockOwnTenant,
    run: (call, { id: _id, ...given }, _prepared, found) => changeTenant(call, one(found), given),
  }),
  defineOperation({
    ...base,
    verb: 'DELETE',
    access: 'write',
    path: '/customers/{id}',
    summary:
      'Deletes a customer below the own one that has none below it, and answers it. One that holds money is 409.',
    right: 'customers_mgmt:delete',
    params: idInPath,
    query: closeBalance,
    faults: ['not_found', 'conflict'],
    run: async (call, { id, close_balance = false }) => {
      const row = await assertOwner(call, id);
      const { i_customer } = row;
      await deleteCustomer(call, { i_customer }, undefined, undefined, !close_balance);
      return tenantObject({ ...row, updated_at: call.now, deleted_at: call.now });
    },
  }),
  defineOperation({
    ...base,
    verb: 'POST',
    access: 'write',
    path: '/customers/{id}/freeze',
    summary: 'Suspends a customer below the own one, and all below it; twice is as once.',
    right: 'customers_mgmt:edit',
    params: idInPath,
    faults: ['not_found'],
    run: async (call, { id }) => {
      const { i_customer } = await assertOwner(call, id);
      await blockCustomer(call, { i_customer });
      return tenantObject(await ownTenant(call, i_customer));
    },
  }),
  defineOperation({
    ...base,
    verb: 'POST',
    access: 'write',
    path: '/customers/{id}/recover',
    summary: 'Ends the suspension of a customer below the own one; twice is as once.',
    right: 'customers_mgmt:edit',
    params: idInPath,
    faults: ['not_found'],
    run: async (call, { id }) => {
      const { i_customer } = await assertOwner(call, id);
      await unblockCustomer(call, { i_customer });
      return tenantObject(await ownTenant(call, i_customer));
    },
  }),
]);

export const customerOperations: readonly Guarded[] = [...reading, ...changing];
