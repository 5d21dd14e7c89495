/** Every operation of the tenant API: the table of contents of this folder. */
import { accessKeyOperations } from './accesskeys';
import { agentOperations } from './agents';
import { billingOperations } from './billing';
import { customerOperations } from './customers';
import type { Guarded } from './shared-schemas';
import { resourceOperations } from './resources';
import { webhookOperations } from '../webhooks/operations';

export const tenantOperations: readonly Guarded[] = [
  ...customerOperations,
  ...agentOperations,
  ...accessKeyOperations,
  ...resourceOperations,
  ...billingOperations,
  ...webhookOperations,
];
