/** What the long runs share (`npm run model`, `fuzz`, `crash`): a PostgreSQL of their own, options, and a line that tells how far it is. */
import { InvalidArgumentError } from 'commander';
import globalSetup from './global-setup';
import globalTeardown from './global-teardown';

/** An option that must be a whole number from `least` on. */
export const wholeFrom =
  (least: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least) {
      throw new InvalidArgumentError(`It must be a whole number, at least ${least}.`);
    }
    return value;
  };

export const randomSeed = (): number => Date.now() % 0x7fffffff;

/** A line a second at most: on a terminal over itself, elsewhere each on its own. */
export function progress(total: number, unit: string): (done: number, more?: string) => void {
  const began = Date.now();
  let told = 0;
  return (done, more = '') => {
    const now = Date.now();
    const terminal = process.stderr.isTTY;
    if (done < total && now - told < (terminal ? 1_000 : 15_000)) return;
    told = now;
    const passed_s = (now - began) / 1_000;
    const left_s = done === 0 ? 0 : (passed_s / done) * (total - done);
    const text = `${done} of ${total} ${unit}, ${Math.round(passed_s)} s, about ${Math.round(left_s)} s left${more}`;
    process.stderr.write(terminal && done < total ? `\r${text}   ` : `${terminal ? '\r' : ''}${text}\n`);
  };
}

/** Does the work on a PostgreSQL that lives as long as it; a failure ends the process with 1 and its text. */
export async function onPostgres(work: () => Promise<void>): Promise<void> {
  await globalSetup();
  try {
    await work();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  } finally {
    await globalTeardown();
  }
}
