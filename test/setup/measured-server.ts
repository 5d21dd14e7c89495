/**
 * A server in a process of its own that tells how long it held its event loop: the longest time of the processor that
 * its main thread used between two turns of the loop. Time of the processor, so that a busy machine changes little.
 * `{ began: true }` starts a measurement; `{ ended: true }` is answered by `{ longest_ms }`.
 */
import { readFileSync } from 'node:fs';
import { makeMember, startServer } from './server';

const schedstat = `/proc/self/task/${process.pid}/schedstat`;

/** What the main thread used so far; elsewhere than on Linux, the whole process. */
function used_ms(): number {
  try {
    return Number(readFileSync(schedstat, 'latin1').split(' ')[0]) / 1e6;
  } catch {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000;
  }
}

let measuring = false;
let last_ms = 0;
let longest_ms = 0;

function watch(): void {
  const now_ms = used_ms();
  longest_ms = Math.max(longest_ms, now_ms - last_ms);
  last_ms = now_ms;
  if (measuring) setImmediate(watch);
}

const tell = (message: object): void => void process.send?.(message);

async function main(): Promise<void> {
  const server = await startServer({ LOG_LEVEL: 'warn' }, { measured: true });
  const { name } = await makeMember(server, server.root, { balance: 5 });
  process.on('message', ({ began }: { began?: true }) => {
    measuring = began === true;
    if (measuring) {
      last_ms = used_ms();
      longest_ms = 0;
      watch();
    } else {
      watch();
      tell({ longest_ms });
    }
  });
  process.once('disconnect', () => process.exit());
  tell({ url: server.url, name });
}

main().catch((error: unknown) => {
  tell({ error: String(error) });
  process.exitCode = 1;
});
