import { rmSync } from 'node:fs';

export default async function globalTeardown(): Promise<void> {
  await globalThis.testPostgres?.embedded.stop();
  if (globalThis.testPostgres) rmSync(globalThis.testPostgres.folder, { recursive: true, force: true });
}
