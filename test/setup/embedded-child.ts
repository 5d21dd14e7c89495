/**
 * A process of its own that runs the embedded PostgreSQL, for tests that kill it: `embedded-child.ts <DATA_DIR>`.
 * It writes one line of JSON for each thing that happens, and stops when its standard input ends.
 */
import { runningEmbedded, startEmbedded } from '../../src/db/embedded/embedded';

const say = (line: Record<string, unknown>): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

async function main(data_dir: string): Promise<void> {
  const began = performance.now();
  const database = await startEmbedded({
    data_dir,
    onNotice: (notice, detail) => {
      say({ notice, detail });
    },
  });
  const took_ms = Math.round(performance.now() - began);
  say({ connection: database.connection, took_ms, found: await runningEmbedded(data_dir) });
  process.stdin.resume().once('end', () => {
    void database.stop().then(() => {
      say({ stopped: true });
    });
  });
}

main(process.argv[2] ?? '').catch((error: unknown) => {
  say({ error: String(error) });
  process.exitCode = 1;
});
