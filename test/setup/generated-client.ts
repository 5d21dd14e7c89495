/** Types that are generated from the served OpenAPI document, and programs that are compiled with them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot, start } from './processes';
import type { TestServer } from './server';

interface Checked {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

export interface GeneratedClient {
  /** Writes a program of this name and compiles it, strictly. */
  check(name: string, program: string): Checked;
  /** Runs a program that was checked; answers what it prints. */
  run(name: string, ...words: readonly string[]): Promise<string>;
  remove(): void;
}

const options = '--noEmit --strict --skipLibCheck --target es2022 --module nodenext --types node'.split(' ');
const bin = (name: string): string => join(projectRoot, 'node_modules', name);

function run(words: readonly string[]): Checked {
  const { status, stdout, stderr } = spawnSync(process.execPath, words, {
    cwd: projectRoot,
    encoding: 'utf8',
  });
  return { status, out: stdout, err: stderr };
}

export async function generateClient(server: TestServer): Promise<GeneratedClient> {
  // Within the project, so that its packages are found.
  const folder = mkdtempSync(join(projectRoot, 'test', 'setup', 'client-'));
  const document = join(folder, 'openapi.json');
  writeFileSync(document, await (await fetch(`${server.url}/openapi.json`)).text());
  const types = run([bin('openapi-typescript/bin/cli.js'), document, '-o', join(folder, 'api.d.ts')]);
  if (types.status !== 0) throw new Error(`No types were generated: ${types.err}`);
  const file = (name: string): string => join(folder, `${name}.ts`);
  return {
    check: (name, program) => {
      writeFileSync(file(name), program);
      return run([bin('typescript/bin/tsc'), '--ignoreConfig', ...options, file(name)]);
    },
    run: async (name, ...words) => {
      // Not spawnSync: the server that answers lives in this process.
      const child = start(process.execPath, ['--import', 'tsx', file(name), ...words]);
      const { code } = await child.ended;
      if (code !== 0) throw new Error(`The program failed: ${child.err()}`);
      return child.out();
    },
    remove: () => {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
