/**
 * Methods that only an operator at the command line has: declared like those of the wire and run by
 * the same dispatch, but in no list that a face gets to see.
 */
import type { Method } from '../core/method';
import { customerOperatorMethods } from '../customers/operator';
import { platformOperatorMethods } from '../platform/operator';
import { keyOperatorMethods } from '../system/rotate-key';
import { userOperatorMethods } from '../users/operator';

export const operatorMethods: readonly Method[] = [
  ...customerOperatorMethods,
  ...userOperatorMethods,
  ...platformOperatorMethods,
  ...keyOperatorMethods,
];
