/** Faults of the core name its parameters; here they are told in the members that this API has in their place. */
import { Fault } from '../faults';

/** Runs `work`; a fault about one of the core's parameters then names ours. */
export async function inWords<T>(
  words: Readonly<Record<string, string>>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const field = error instanceof Fault && error.field !== undefined ? words[error.field] : undefined;
    if (!(error instanceof Fault) || field === undefined) throw error;
    const message = error.message.replace(String(error.field), field);
    throw new Fault(error.kind, message, error.retry_after_s, field);
  }
}
