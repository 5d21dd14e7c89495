/**
 * Methods that only an operator at the command line has: declared like those of the wire and run by
 * the same dispatch, but in no list that a face gets to see.
 */
import type { Method } from '../core/call/method';
import { customerOperatorMethods } from '../features/customers/operator';
import { platformOperatorMethods } from '../features/platform/operator';
import { keyOperatorMethods } from '../features/system/rotate-key';
import { userOperatorMethods } from '../features/users/operator';

export const operatorMethods: readonly Method[] = [
  ...customerOperatorMethods,
  ...userOperatorMethods,
  ...platformOperatorMethods,
  ...keyOperatorMethods,
];
