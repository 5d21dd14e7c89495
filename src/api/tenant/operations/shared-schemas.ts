/** What every object of the tenant API has, who may ask for it, and how a row becomes one. */
import { assertPermission, permissions } from '../../../core/tree/permission';
import type { Call, Method, ReadMethod } from '../../../core/call/method';
import type { Operation } from '../../../core/call/operation';
import { list, nullable, optional, text, uuid } from '../../../core/schema/schema';

export const idInPath = { id: uuid('The object.') };

const timeText = (description: string) => nullable(text(64, description));
export const times = {
  tm_create: timeText('When it was made, RFC 3339.'),
  tm_update: timeText('When it was last changed; nil: not yet.'),
  tm_delete: timeText('When it was deleted; nil: not yet.'),
};

export const common = { id: uuid('Its id.'), customer_id: uuid('Whose it is.'), ...times };

type Moment = Date | string | null;

/** A row may come from the database, or as JSON from an event that waited. */
export const rfc3339 = (moment: Moment): string | null =>
  moment === null ? null : new Date(moment).toISOString();

export interface Dated {
  readonly created_at: Date | string;
  readonly updated_at: Date | string;
  readonly deleted_at: Moment;
}

export const timesOf = ({ created_at, updated_at, deleted_at }: Dated) => ({
  tm_create: rfc3339(created_at),
  tm_update: new Date(updated_at).getTime() > new Date(created_at).getTime() ? rfc3339(updated_at) : null,
  tm_delete: rfc3339(deleted_at),
});

export const nameText = (what: string) => text(255, what, { format: 'line', digits: true });
export const detailText = (what: string) => text(1024, what, { digits: true });
export const described = {
  name: optional(nameText('Its name.')),
  detail: optional(detailText('What it is for.')),
};
export const describedShown = { name: text(255, 'Its name.'), detail: text(1024, 'What it is for.') };

export const tagIds = list(uuid('A tag of the tenant.'), 'Tags.', { maxItems: 100 });

/** An operation together with the bits of which the caller must have one. */
export type Guarded = Operation & { readonly needs: number };

export const administrator: number = permissions.administrator;
export const agentBit: number = permissions.agent;
export const administratorOrManager = administrator | permissions.manager;

/**
 * Lets only those call who have one of the bits. Who acts for a customer below is an administrator, whatever is
 * asked of the tenant's own people; and what it looks at there is recorded, as what it changes is.
 */
export const requirePermission = (needs: number, operations: readonly Operation[]): readonly Guarded[] =>
  operations.map((operation) => ({ ...operation, needs, method: guard(needs, operation.method) }));

const isDelegated = ({ caller, actor }: Pick<Call, 'caller' | 'actor'>): boolean =>
  caller.kind === 'login' && caller.actor.i_customer !== actor.i_customer;

/** Nothing is answered that is not recorded. */
const recordLook = ({ audit, actor: { i_customer } }: Pick<Call, 'audit' | 'actor'>): Promise<void> =>
  audit({ action: 'READ', resource: `customers:i_customer=${i_customer}`, i_customer });

function guard(needs: number, method: Method): Method {
  const mayCall: Method['mayCall'] = (call) => {
    assertPermission(call.caller, isDelegated(call) ? administrator : needs);
  };
  if (method.access === 'write') return { ...method, mayCall };
  const run: ReadMethod['run'] = async (call, params) => {
    const [answer] = await Promise.all([method.run(call, params), isDelegated(call) && recordLook(call)]);
    return answer;
  };
  return { ...method, mayCall, run };
}
