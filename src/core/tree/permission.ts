/**
 * What a person may do, as bits: the access level of a user seen by the tenant API. Who may do more
 * may also give what those may who may do less; nobody gives what he does not hold.
 */
import { forbidden } from '../../base/faults';
import type { Caller } from '../auth/caller';
import { rootId } from './rights';

export const permissions = {
  /** An administrator of root's: everywhere. */
  platform: 1,
  agent: 16,
  administrator: 32,
  manager: 64,
} as const;

export function permissionOf(i_access_level: string, i_customer: number): number {
  if (i_access_level === 'ADMINISTRATOR')
    return permissions.administrator + (i_customer === rootId ? permissions.platform : 0);
  return i_access_level === 'CALL_SHOP_OPERATOR' ? permissions.agent : permissions.manager;
}

/** All bits that are in what may be given by who has these. */
export function holdable(permission: number): number {
  const { platform, agent, administrator, manager } = permissions;
  if ((permission & platform) !== 0) return platform | administrator | manager | agent;
  if ((permission & administrator) !== 0) return administrator | manager | agent;
  return (permission & manager) !== 0 ? manager | agent : permission;
}

/** What the caller holds; nothing where it is no person. */
export const permissionOfCaller = (caller: Caller): number =>
  caller.kind === 'login' ? (caller.person?.permission ?? 0) : 0;

/** Throws fault 403 unless the caller has one of the bits; 1 passes everywhere. */
export function assertPermission(caller: Caller, bits: number): void {
  if ((permissionOfCaller(caller) & (bits | permissions.platform)) === 0)
    throw forbidden('The permission for this is missing');
}
