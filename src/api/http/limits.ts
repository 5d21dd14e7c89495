/** The limits of the values in one body, the same for XML and JSON. */
import type { Core } from '../../core/call/dispatch';
import { Fault } from '../../base/faults';

export interface ValueLimits {
  /** How deep values may stand in each other. */
  readonly nesting: number;
  /** How many members a struct, and elements an array, may have. */
  readonly members: number;
  /** How many values the body may hold, at every depth together. */
  readonly values: number;
}

export const limitsOf = ({ config }: Pick<Core, 'config'>): ValueLimits => ({
  nesting: config.nesting_limit,
  members: config.members_limit,
  values: config.values_limit,
});

/** Fault -32600. */
export const tooManyValues = ({ values }: ValueLimits): Fault =>
  new Fault('not_a_call', `The body holds more values than the limit of ${values}`);
