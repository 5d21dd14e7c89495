/** What a customer says of itself: names and addresses, which decide nothing, and where its events go. */
import { changesBetween, secretChange } from '../../core/call/audit';
import type { Call } from '../../core/call/method';
import { updateCustomerColumns } from './repository';

export interface Profile {
  readonly company_name?: string | null;
  readonly description?: string | null;
  readonly email?: string | null;
  readonly phone?: string | null;
  readonly street_addr?: string | null;
  readonly permission_ids?: readonly number[];
  readonly webhook_method?: string;
  readonly webhook_uri?: string | null;
  readonly sealed_webhook_key?: Buffer | null;
}

/** Writes what is given; the row of the customer is held by whoever calls. */
export async function changeProfile(
  call: Call,
  i_customer: number,
  before: Readonly<Record<string, unknown>>,
  given: Profile,
): Promise<void> {
  const { sealed_webhook_key: key, ...open } = given;
  const changes = {
    ...changesBetween(before, open),
    ...(key !== undefined && { webhook_key: secretChange }),
  };
  if (Object.keys(changes).length === 0) return;
  updateCustomerColumns(call.db, i_customer, { ...given });
  await call.audit({ action: 'U', resource: `customers:i_customer=${i_customer}`, i_customer, changes });
}
