/**
 * What a customer may do. A right holds only where the customer and everybody above it have it, so
 * the masks here are already those of the whole chain, computed by the database in one statement.
 */
import { type Fault, forbidden } from '../../base/faults';

/** The masks of a customer, each with the bits add, edit and delete. */
export const maskNames = ['accounts_mgmt', 'customers_mgmt', 'tariffs_mgmt', 'vouchers_mgmt'] as const;
export type MaskName = (typeof maskNames)[number];

/** The switches that nobody can turn on below himself without having them. */
export const switchNames = [
  'system_mgmt',
  'api_mgmt',
  'use_own_tariff',
  'did_pool_enabled',
  'ivr_apps_enabled',
  'asr_acd_enabled',
  'debit_credit_cards_enabled',
] as const;
export type SwitchName = (typeof switchNames)[number];

const bits = { add: 1, edit: 2, delete: 4 } as const;

/** A right as a method declares it, such as `customers_mgmt:add`. */
export type Right = `${MaskName}:${keyof typeof bits}` | 'root';

/** Free for oneself. Acting for a customer below, or on one, needs the right. */
export interface RightBelow {
  readonly self: 'none';
  readonly below: Right;
}

/** What a method that changes something may declare: 'none' would let those without rights change whom they act for. */
export type WriteRight = Right | RightBelow;
export type ReadRight = Right | 'none';

export const editBelow = { self: 'none', below: 'customers_mgmt:edit' } as const satisfies RightBelow;

/** A declared right for help and documents; undefined where there is none. */
export function describeRight(right: WriteRight | ReadRight): string | undefined {
  if (right === 'none') return undefined;
  return typeof right === 'string' ? right : `${right.below} (for customers below)`;
}

/** Rights as they hold through the whole chain above a customer. */
export interface EffectiveRights
  extends Readonly<Record<MaskName, number>>, Readonly<Record<SwitchName, boolean>> {
  readonly api_access: boolean;
  /** True where the customer or anybody above it is blocked. */
  readonly blocked: boolean;
  /** How often they were changed, summed over the path: `core/tree/access.ts` compares it at COMMIT. */
  readonly epoch: number;
}

/** A customer as somebody who acts. */
export interface Actor {
  readonly i_customer: number;
  /** Ids from root down to the customer itself. */
  readonly path: readonly number[];
  readonly rights: EffectiveRights;
}

export const rootId = 1;

/** Root holds every right and is never blocked; it is also who acts for a trusted host that names nobody. */
export const rootActor: Actor = {
  i_customer: rootId,
  path: [rootId],
  rights: {
    accounts_mgmt: 7,
    customers_mgmt: 7,
    tariffs_mgmt: 7,
    vouchers_mgmt: 7,
    system_mgmt: true,
    api_mgmt: true,
    use_own_tariff: true,
    did_pool_enabled: true,
    ivr_apps_enabled: true,
    asr_acd_enabled: true,
    debit_credit_cards_enabled: true,
    api_access: true,
    blocked: false,
    epoch: 0,
  },
};

/** Whether the actor effectively holds the right. */
export function holds(actor: Actor, right: Right): boolean {
  if (right === 'root') return actor.i_customer === rootId;
  const [mask, bit] = right.split(':') as [MaskName, keyof typeof bits];
  return (actor.rights[mask] & bits[bit]) !== 0;
}

/** Throws fault 403 unless the actor holds the right. */
export function assertRight(actor: Actor, right: Right): void {
  if (!holds(actor, right)) throw lacks(right);
}

function lacks(right: Right): Fault {
  if (right === 'root') return forbidden('Only root may do this');
  const [mask, bit] = right.split(':');
  return forbidden(`The right to ${bit ?? ''} (${mask ?? ''}) is missing`);
}

/**
 * What is granted to a customer must be held by the one directly above it, effectively: that is
 * below the actor or the actor itself, so nothing beyond the actor's own can be in it.
 */
export function assertGrantable(granter: EffectiveRights, granted: Readonly<Record<string, unknown>>): void {
  for (const name of maskNames) {
    const mask = granted[name];
    if (typeof mask === 'number' && (mask & ~granter[name]) !== 0) {
      throw forbidden(`Parameter ${name} grants more than its wholesaler holds`);
    }
  }
  for (const name of switchNames) {
    const value = granted[name];
    if ((value === 1 || value === true) && !granter[name]) {
      throw forbidden(`Parameter ${name} cannot be granted by those who do not have it`);
    }
  }
}
