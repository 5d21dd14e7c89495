/** Everything that a measurement needs, started from nothing and cleared away afterwards: PostgreSQL, servers, load. */
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { type EmbeddedPostgres, startEmbedded } from '../src/db/embedded';
import { type Login, makeCustomers, makeWholesaler } from './customers';
import type { Load, LoadTask } from './load';
import type { ParsingTask } from './parsing';
import type { PeerTask } from './peer';
import { type Helper, type Program, type Server, startHelper, startTreeline } from './processes';
import type { Population } from './requests';

export interface Stage {
  readonly postgres_version: string;
  readonly population: Population;
  /** Who calls Treeline. */
  readonly login: Login;
  readonly treeline: Server;
  readonly peer: Server;
  readonly load: Helper<LoadTask, Load>;
  readonly parsing: Helper<ParsingTask, number>;
  /** A superuser's connection. */
  readonly db: Client;
}

export interface StageOptions {
  readonly customers: number;
  readonly tell: (line: string) => void;
  /** What Node runs as Treeline; absent: what was built. */
  readonly treeline?: readonly string[];
}

/** On both sides. */
export const poolSize = 16;

/** Sets the stage, lets `work` play on it, and clears it however that ends. */
export async function onStage<T>(options: StageOptions, work: (stage: Stage) => Promise<T>): Promise<T> {
  const clearing: (() => Promise<unknown>)[] = [];
  let cleared: Promise<void> | undefined;
  const clear = (): Promise<void> => (cleared ??= clearAll(clearing));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      void clear().finally(() => process.exit(1));
    });
  }
  try {
    return await work(await setStage(options, clearing));
  } finally {
    await clear();
  }
}

/** The last first, as each stands on those before it. */
async function clearAll(clearing: (() => Promise<unknown>)[]): Promise<void> {
  for (let next = clearing.pop(); next; next = clearing.pop()) await next();
}

async function setStage(options: StageOptions, clearing: (() => Promise<unknown>)[]): Promise<Stage> {
  const kept = <P extends Program>(program: P): P => {
    clearing.push(() => program.stop());
    return program;
  };
  const folder = mkdtempSync(join(tmpdir(), 'treeline-bench-'));
  // PostgreSQL does not run as root; whoever it runs as must reach the folder.
  chmodSync(folder, 0o755);
  clearing.push(() => {
    rmSync(folder, { recursive: true, force: true });
    return Promise.resolve();
  });
  options.tell('Starting PostgreSQL and the servers');
  const embedded = await startEmbedded({ data_dir: join(folder, 'data') });
  clearing.push(() => embedded.stop());

  const root = { name: 'root', password: randomBytes(12).toString('hex') };
  const login = { name: 'bench', password: randomBytes(12).toString('hex') };
  const log = join(folder, 'treeline.log');
  const treeline = kept(await startTreeline(settingsFor(embedded, root), log, options.treeline));
  const i_wholesaler = await makeWholesaler(treeline.port, root, login);

  const db = new Client({ ...embedded.connection, ssl: false });
  await db.connect();
  clearing.push(() => db.end());
  const population = await makeCustomers(db, i_wholesaler, options.customers, (made) => {
    options.tell(`Made ${made.toLocaleString('en')} of ${options.customers.toLocaleString('en')} customers`);
  });

  const peer = kept(startHelper<number>('peer.ts'));
  const { connection } = embedded;
  const task: PeerTask = { connection, pool_size: poolSize, i_wholesaler };
  const port = await peer.ask(task);
  const { rows } = await db.query<{ server_version: string }>('SHOW server_version');
  return {
    postgres_version: rows[0]?.server_version ?? '',
    population,
    login,
    treeline,
    peer: { pid: peer.pid, stop: () => peer.stop(), port },
    load: kept(startHelper<Load>('load.ts')),
    parsing: kept(startHelper<number>('parsing.ts')),
    db,
  };
}

/** As an operator would run it: all else stands at its default, so every call leaves its line in the log. */
function settingsFor({ connection }: EmbeddedPostgres, root: Login): Record<string, string> {
  const { user, database, host, port } = connection;
  return {
    DATABASE_URL: `postgresql://${user}@/${database}?host=${encodeURIComponent(host)}&port=${port}`,
    SECRET_KEY: randomBytes(32).toString('base64'),
    ROOT_API_PASSWORD: root.password,
    ROOT_WEB_PASSWORD: root.password,
    TREELINE_POOL_SIZE: String(poolSize),
  };
}
