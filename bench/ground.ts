/** What all measurements stand on, started from nothing and cleared away afterwards: a folder, PostgreSQL, the load. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { startEmbedded } from '../src/db/embedded/embedded';
import type { Load, LoadTask } from './load';
import { type Helper, type Program, startHelper } from './processes';
import type { Connection } from './record';

export interface Ground {
  /** For logs and the like; gone in the end. */
  readonly folder: string;
  readonly connection: Connection;
  readonly postgres_version: string;
  readonly load: Helper<LoadTask, Load>;
  readonly tell: (line: string) => void;
  /** Stops it in the end. */
  kept<P extends Program>(program: P): P;
  /** A superuser's connection to one of the databases, closed in the end. */
  connect(database: string): Promise<Client>;
}

type Clearing = (() => Promise<unknown>)[];

/** Prepares the ground, lets `work` stand on it, and clears it however that ends. */
export async function onGround<T>(
  tell: (line: string) => void,
  work: (ground: Ground) => Promise<T>,
): Promise<T> {
  const clearing: Clearing = [];
  let cleared: Promise<void> | undefined;
  const clear = (): Promise<void> => (cleared ??= clearAll(clearing));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      void clear().finally(() => process.exit(1));
    });
  }
  try {
    return await work(await prepare(tell, clearing));
  } finally {
    await clear();
  }
}

/** The last first, as each stands on those before it. */
async function clearAll(clearing: Clearing): Promise<void> {
  for (let next = clearing.pop(); next; next = clearing.pop()) await next();
}

async function prepare(tell: (line: string) => void, clearing: Clearing): Promise<Ground> {
  const folder = mkdtempSync(join(tmpdir(), 'treeline-bench-'));
  // PostgreSQL does not run as root; whoever it runs as must reach the folder.
  chmodSync(folder, 0o755);
  clearing.push(() => {
    rmSync(folder, { recursive: true, force: true });
    return Promise.resolve();
  });
  tell('Starting PostgreSQL');
  // As an operator has it, but for the connections that all the peers together want.
  const embedded = await startEmbedded({
    data_dir: join(folder, 'data'),
    settings: { max_connections: '300' },
  });
  clearing.push(() => embedded.stop());
  const kept = <P extends Program>(program: P): P => {
    clearing.push(() => program.stop());
    return program;
  };
  const connect = async (database: string): Promise<Client> => {
    const client = new Client({ ...embedded.connection, database, ssl: false });
    await client.connect();
    clearing.push(() => client.end());
    return client;
  };
  const load = kept(startHelper<LoadTask, Load>('load.ts'));
  const { connection } = embedded;
  const { rows } = await (
    await connect(connection.database)
  ).query<{ server_version: string }>('SHOW server_version');
  return { folder, connection, postgres_version: rows[0]?.server_version ?? '', load, tell, kept, connect };
}
