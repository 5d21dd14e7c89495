/** Faults of the core name its parameters; here they are told in the members that this API has in their place. */
import { violationFault } from '../db/violations';
import { Fault } from '../faults';

/** Runs `work`; a fault that names one of the core's parameters then names ours. */
export async function inWords<T>(
  words: Readonly<Record<string, string>>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    // What the database refuses is told at the end of the transaction, when nobody knows whose name it was.
    const error = violationFault(cause) ?? cause;
    if (!(error instanceof Fault)) throw error;
    const known = Object.entries(words).find(([word]) => new RegExp(`\\b${word}\\b`).test(error.message));
    if (!known) throw error;
    const [theirs, ours] = known;
    const message = error.message.replace(theirs, ours);
    throw new Fault(error.kind, message, error.retry_after_s, error.field === theirs ? ours : error.field);
  }
}
