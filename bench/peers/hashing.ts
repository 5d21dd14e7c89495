/** How many passwords a second this machine verifies, in a process that does nothing else: the limit of authCustomer. */
import { hashPassword, verifyPassword } from '../../src/core/auth/credentials';
import type { Load } from '../load';
import { webPassword } from '../members';
import { serveTasks } from '../processes';

export interface HashingTask {
  /** How many are wanted at once. */
  readonly connections: number;
  readonly seconds: number;
}

serveTasks(measure);

async function measure({ connections, seconds }: HashingTask): Promise<Load> {
  const stored = await hashPassword(webPassword);
  const latencies_ms: number[] = [];
  let wrong = 0;
  const began = performance.now();
  const until = began + seconds * 1_000;
  const keepBusy = async (): Promise<void> => {
    while (performance.now() < until) {
      const since = performance.now();
      if (!(await verifyPassword(stored, webPassword))) wrong += 1;
      latencies_ms.push(performance.now() - since);
    }
  };
  await Promise.all(Array.from({ length: connections }, keepBusy));
  const sorted = latencies_ms.sort((a, b) => a - b);
  return {
    calls_per_s: (sorted.length / (performance.now() - began)) * 1_000,
    median_ms: sorted[Math.floor(sorted.length / 2)] ?? 0,
    p99_ms: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
    wrong,
    firstWrong: wrong > 0 ? 'A password was not verified' : '',
    stale: 0,
  };
}
