/** Bounds what a call may take, wherever it hangs: whoever waits for longer hears fault 503. */
import { unavailable } from '../../db/connections';

/**
 * What `work` comes to, or fault 503 at `deadline` (as `performance.now()` tells it). The work is not ended by that: a
 * transaction ends itself at the same moment, and what only reads ends with its statement.
 */
export function withDeadline<T>(deadline: number, work: Promise<T>): Promise<T> {
  if (deadline === Infinity) return work;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => {
        reject(unavailable(new Error('The time of the call is over')));
      },
      Math.max(0, deadline - performance.now()),
    );
    const stop = (): void => {
      clearTimeout(timer);
    };
    work.then(stop, stop);
    work.then(resolve, reject);
  });
}

/** When a call that begins now must be over. */
export const deadlineOf = ({ config }: { readonly config: { readonly call_timeout_ms: number } }): number =>
  performance.now() + config.call_timeout_ms;
