/** Faults name the parameters of the methods; an API that calls some things otherwise tells them in its own words. */
import { violationFault } from '../../db/violations';
import { Fault } from '../../base/faults';

/** Runs `work`; a fault of it that names a parameter in `words` then names what stands there for it. */
export async function withFieldAliases<T>(
  aliases: Readonly<Record<string, string>>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // What the database refuses is told at the end of the transaction, when nobody knows whose name it was.
    const fault = error instanceof Fault ? error : violationFault(error);
    if (!fault) throw error;
    const { kind, message, about } = fault;
    const field = about.field === undefined ? {} : { field: aliases[about.field] ?? about.field };
    const ours = message.replaceAll(/\b\w+\b/g, (word) => aliases[word] ?? word);
    throw new Fault(kind, ours, { ...about, ...field });
  }
}
