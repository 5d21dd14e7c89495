/** The cluster that `ops/ha/start` made: its ports and passwords, and the scripts that kill and bring back. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface Cluster {
  readonly dir: string;
  /** Where callers call. */
  readonly url: string;
  /** The Treeline nodes themselves. */
  readonly nodes: readonly [string, string];
  readonly rootPassword: string;
  /** What a command of `treeline` needs in its environment. */
  readonly environment: Readonly<Record<string, string>>;
}

/** A line of DIR/kills; times in milliseconds since 1970. */
export interface Kill {
  readonly began_at: number;
  readonly gone_at: number;
  readonly signal: string;
  readonly what: string;
  readonly name: string;
}

const root = dirname(dirname(__dirname));

export function openCluster(dir: string): Cluster {
  const file = join(dir, 'settings');
  if (!existsSync(file)) throw new Error(`There is no cluster in ${dir}: ops/ha/start makes one`);
  const settings = new Map(
    readFileSync(file, 'utf8')
      .split('\n')
      .map((line) => [line.split('=', 1)[0] ?? '', line.slice(line.indexOf('=') + 1)] as const),
  );
  const get = (name: string): string => {
    const value = settings.get(`HA_${name}`);
    if (value === undefined) throw new Error(`${file} has no HA_${name}`);
    return value;
  };
  return {
    dir,
    url: `http://127.0.0.1:${get('HTTP')}`,
    nodes: [`http://127.0.0.1:${get('TREELINE_1')}`, `http://127.0.0.1:${get('TREELINE_2')}`],
    rootPassword: get('ROOT_PASSWORD'),
    environment: {
      DATABASE_URL: `postgresql://treeline:${get('TREELINE_PASSWORD')}@127.0.0.1:${get('PRIMARY')}/treeline`,
      SECRET_KEY: get('SECRET_KEY'),
    },
  };
}

export function killsOf({ dir }: Cluster): readonly Kill[] {
  const file = join(dir, 'kills');
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const [began = '', gone = '', signal = '', what = '', name = ''] = line.split(' ');
      return { began_at: Number(began), gone_at: Number(gone), signal, what, name };
    });
}

/** Runs a program of the project to its end; throws what it said where it failed. */
export function run(
  words: readonly [string, ...string[]],
  environment: Readonly<Record<string, string>> = {},
): Promise<string> {
  const [command, ...rest] = words;
  return new Promise((resolve, reject) => {
    const child = spawn(command, rest, { cwd: root, env: { ...process.env, ...environment } });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (said += text));
    child.once('error', reject).once('exit', (code) => {
      // Not `close`: what `start` leaves running must not hold us up.
      if (code === 0) resolve(said);
      else reject(new Error(`${words.join(' ')} ended with ${code ?? 'a signal'}: ${said}`));
    });
  });
}

/** `freeze-` and `term-` before the name say how; otherwise by SIGKILL. */
export async function kill(cluster: Cluster, victim: string): Promise<Kill> {
  const [, how, what = ''] = /^(?:(freeze|term)-)?(.*)$/.exec(victim) ?? [];
  await run(['ops/ha/kill', '--dir', cluster.dir, ...(how === undefined ? [] : [`--${how}`]), what]);
  const last = killsOf(cluster).at(-1);
  if (!last) throw new Error('ops/ha/kill wrote nothing down');
  return last;
}

export const bringBack = ({ dir }: Cluster): Promise<string> => run(['ops/ha/start', '--dir', dir]);
