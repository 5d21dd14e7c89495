/** Every operation of the reseller API: the table of contents of this folder. */
import type { Operation } from '../../core/call/operation';
import { accountOperations } from './account';
import { resourceOperations } from './resources';
import { userOperations } from './users';

export const resellerOperations: readonly Operation[] = [
  ...accountOperations,
  ...userOperations,
  ...resourceOperations,
];
