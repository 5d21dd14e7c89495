/** Opens what the server and the commands stand on: the database, embedded or yours, and the secret key. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import type { Logger } from 'winston';
import { type Config, ConfigError } from '../base/config';
import type { DatabaseOptions } from '../db/connections';
import { type Database, openDatabase } from '../db/database';
import { DatabaseInUse, type EmbeddedOptions, runningEmbedded, startEmbedded } from '../db/embedded/embedded';
import { migrate } from '../db/migrations';

/** A store whose schema is as it was found. */
export interface OpenStore {
  readonly db: Database;
  readonly secret_key: Buffer;
  /** Which database it is, for people. */
  readonly description: string;
  close(): Promise<void>;
}

export interface Store extends OpenStore {
  /** Names of the migrations that ran now. */
  readonly migrated: readonly string[];
}

/** A PostgreSQL that answers, and what is to be done when it is needed no more. */
interface Found {
  readonly connection: DatabaseOptions['connection'];
  stop(): Promise<void>;
}

const nothing = (): Promise<void> => Promise.resolve();

/** For the server: starts the embedded PostgreSQL unless DATABASE_URL names another, and brings the schema up to date. */
export async function openStore(config: Config, log: Logger): Promise<Store> {
  const store = await openFound(config, yours(config) ?? (await startEmbedded(embeddedOptions(config, log))));
  try {
    return { ...store, migrated: await migrate(store.db.knex) };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/**
 * For one command: the embedded PostgreSQL of a server that is running is joined, else it is started
 * and stopped again. The schema is left as it is.
 */
export async function joinStore(config: Config, log: Logger): Promise<OpenStore> {
  return openFound(config, yours(config) ?? (await joinOurs(config, log)));
}

/** Whether there is a database to open, without making one. */
export const hasDatabase = (config: Config): boolean =>
  config.database_url !== undefined || existsSync(join(config.data_dir, 'postgres', 'PG_VERSION'));

const yours = ({ database_url }: Config): Found | undefined =>
  database_url === undefined ? undefined : { connection: database_url, stop: nothing };

const embeddedOptions = ({ data_dir }: Config, log: Logger): EmbeddedOptions => ({
  data_dir,
  onNotice: (message, detail) => {
    log.warn(message, detail);
  },
});

type OurConnection = NonNullable<Awaited<ReturnType<typeof runningEmbedded>>>;

const joinWait_ms = 10_000;
const joinPoll_ms = 100;

async function joinOurs(config: Config, log: Logger): Promise<Found> {
  for (const deadline = Date.now() + joinWait_ms; ;) {
    try {
      const running = await runningEmbedded(config.data_dir);
      return (running && (await enter(running))) ?? (await startForAll(config, log));
    } catch (error) {
      // A server is just coming up, or another command is just ending.
      if (!(error instanceof DatabaseInUse) || Date.now() > deadline) throw error;
      await sleep(joinPoll_ms);
    }
  }
}

/**
 * Commands that come while another one has the database started hold this lock together. Whoever
 * started it waits until it has the lock alone, so it pulls the database from under nobody, and
 * nobody comes in any more.
 */
const presence = 7_233_652;

/** Undefined where the database is just being stopped. The connection is none of the pool, which closes those that are idle. */
async function enter(connection: OurConnection): Promise<Found | undefined> {
  const client = await connect(connection);
  const held = await client
    ?.query<{ entered: boolean }>('SELECT pg_try_advisory_lock_shared($1) AS entered', [presence])
    .catch(() => undefined);
  const stop = async (): Promise<void> => client?.end().catch(() => undefined);
  if (held?.rows[0]?.entered) return { connection, stop };
  await stop();
  return undefined;
}

const patience_ms = 1_000;

async function startForAll(config: Config, log: Logger): Promise<Found> {
  const started = await startEmbedded(embeddedOptions(config, log));
  const { connection } = started;
  const stop = async (): Promise<void> => {
    const client = await connect(connection);
    const told = setTimeout(() => {
      log.warn('Waiting for another command that works on this database');
    }, patience_ms);
    // One that does not answer any more is to be stopped all the same.
    await client?.query('SELECT pg_advisory_lock($1)', [presence]).catch(() => undefined);
    clearTimeout(told);
    await started.stop();
    await client?.end().catch(() => undefined);
  };
  return { connection, stop };
}

/** Undefined where nobody answers. */
async function connect(connection: OurConnection): Promise<Client | undefined> {
  const client = new Client({ ...connection, ssl: false, application_name: 'treeline' });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch {
    return undefined;
  }
}

const openOn = (connection: Found['connection'], config: Config): Database =>
  openDatabase({
    connection,
    pool_size: config.pool_size,
    statement_timeout_ms: config.call_timeout_ms,
    acquire_timeout_ms: config.pool_wait_ms,
    slow: { pool_size: config.slow_pool_size, statement_timeout_ms: config.slow_read_timeout_ms },
    limits: config.limits,
  });

async function openFound(config: Config, found: Found): Promise<OpenStore> {
  try {
    // After the database, which makes the folder as its own user must find it.
    const secret_key = config.secret_key ?? (await keptKey(config.data_dir));
    const db = openOn(found.connection, config);
    const close = async (): Promise<void> => {
      await db.close();
      await found.stop();
    };
    const description =
      config.database_url === undefined
        ? `embedded PostgreSQL in ${config.data_dir}`
        : 'PostgreSQL of DATABASE_URL';
    return { db, secret_key, description, close };
  } catch (error) {
    await found.stop();
    throw error;
  }
}

/** The key of an embedded database: made once, readable by nobody else. */
async function keptKey(data_dir: string): Promise<Buffer> {
  const file = join(data_dir, 'secret.key');
  try {
    // `wx` fails if it exists, so two that start at once keep one key.
    await writeFile(file, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const key = Buffer.from((await readFile(file, 'utf8')).trim(), 'base64');
  if (key.length !== 32) throw new ConfigError(`${file} does not hold 32 bytes in base64`);
  return key;
}
