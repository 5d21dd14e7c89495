/** Command lines run in this process, on a database of the run: what they print, and what they end with. */
import { randomBytes } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { Client } from 'pg';
import { allMethods } from '../../src/server/app';
import { runCommand } from '../../src/commands/program';
import { connectionString } from '../setup/processes';
import { makeDatabase } from '../setup/server';

type Connection = Awaited<ReturnType<typeof makeDatabase>>;

export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface CommandOptions {
  readonly stdin?: string | Buffer;
  /** Whether somebody sits at a terminal, for all three streams. */
  readonly terminal?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs `treeline <words>` on the settings of `env`. */
export async function runWords(words: readonly string[], options: CommandOptions = {}): Promise<Said> {
  const isTTY = options.terminal === true;
  const stream = () => Object.assign(new PassThrough(), { isTTY, columns: 100 });
  const [stdin, stdout, stderr] = [stream(), stream(), stream()];
  const said = { out: '', err: '' };
  stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text));
  stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text));
  if (options.stdin !== undefined) stdin.write(options.stdin);
  // A terminal does not end when a line was typed.
  if (!isTTY) stdin.end();
  const code = await runCommand(words, {
    terminal: { env: options.env ?? {}, stdin, stdout, stderr },
    version: '1.2.3',
    methods: allMethods,
    serve: () => Promise.resolve(),
  });
  await new Promise((resolve) => setImmediate(resolve));
  return { code, ...said };
}

/** A database of its own, and the command line on it. */
export interface Place {
  readonly env: Readonly<Record<string, string>>;
  readonly connection: Connection;
  run(words: readonly string[], options?: CommandOptions): Promise<Said>;
  /** What a command that must succeed prints with --json. */
  json(...words: string[]): Promise<any>;
  query(text: string, values?: unknown[]): Promise<Record<string, any>[]>;
  close(): Promise<void>;
}

export async function makePlace(
  from: 'template' | 'empty' = 'template',
  secret_key: Buffer = randomBytes(32),
): Promise<Place> {
  const connection = await makeDatabase(from);
  return placeOn(connection, secret_key);
}

export async function placeOn(connection: Connection, secret_key: Buffer): Promise<Place> {
  const env = { DATABASE_URL: connectionString(connection), SECRET_KEY: secret_key.toString('base64') };
  const client = new Client(connection);
  client.on('error', () => undefined);
  await client.connect();
  const run: Place['run'] = (words, options = {}) =>
    runWords(words, { ...options, env: { ...env, ...options.env } });
  return {
    env,
    connection,
    run,
    json: async (...words) => {
      const said = await run([...words, '--json']);
      if (said.code !== 0)
        throw new Error(`treeline ${words.join(' ')} ended with ${said.code}: ${said.err}`);
      return JSON.parse(said.out) as unknown;
    },
    query: async (text, values) => (await client.query<Record<string, unknown>>(text, values)).rows,
    close: () => client.end(),
  };
}
