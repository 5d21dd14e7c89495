/**
 * Programs of other languages, where they are installed. A test that needs one that is missing says
 * so and passes: callers of other languages are tested where there are some.
 */
import { spawn } from 'node:child_process';
import { dirname } from 'node:path';

/** A command and its first words, such as `['python3']`. */
export type Command = readonly [string, ...string[]];

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

const projectRoot = dirname(dirname(__dirname));

/** Runs a program to its end, with nothing of our environment but PATH, HOME and what is given. */
export function run(
  [command, ...first]: Command,
  words: readonly string[] = [],
  options: { environment?: Record<string, string>; input?: string | Uint8Array } = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const { PATH = '', HOME = '' } = process.env;
    const child = spawn(command, [...first, ...words], {
      cwd: projectRoot,
      env: { PATH, HOME, ...options.environment },
      timeout: 15_000,
    });
    let [out, err] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    child.once('error', reject);
    child.once('close', (code) => {
      resolve({ code, out, err });
    });
    // A program that ends without reading its input is no failure of ours.
    child.stdin.on('error', () => undefined).end(options.input ?? '');
  });
}

/** The first of these that can do what the probe asks; otherwise undefined, and the log says so. */
export async function find(name: string, probe: readonly string[], ...commands: Command[]) {
  for (const command of commands) {
    const ran = await run(command, probe).catch(() => undefined);
    if (ran?.code === 0) return command;
  }
  console.log(`${name}: skipped, not installed`);
  return undefined;
}

/** A Python 3 that has these modules; the system's own where the first one in PATH lacks them. */
export const findPython = (...modules: string[]): Promise<Command | undefined> =>
  find(
    `Python with ${modules.join(' and ')}`,
    ['-c', `import ${modules.join(', ')}`],
    ['python3'],
    ['/usr/bin/python3'],
  );

/** A PHP with these extensions. */
export const findPhp = (...extensions: string[]): Promise<Command | undefined> => {
  const loaded = extensions.map((name) => `extension_loaded('${name}')`).join(' && ');
  return find(`PHP with ${extensions.join(' and ')}`, ['-r', `exit(${loaded} ? 0 : 1);`], ['php']);
};

/** A Perl with these modules. */
export const findPerl = (...modules: string[]): Promise<Command | undefined> =>
  find(`Perl with ${modules.join(' and ')}`, [...modules.map((name) => `-M${name}`), '-e', '1'], ['perl']);

export const findCurl = (): Promise<Command | undefined> => find('curl', ['--version'], ['curl']);
