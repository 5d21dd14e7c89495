/** Opens what the server and the commands stand on: the database, embedded or yours, and the secret key. */
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'winston';
import { type Config, ConfigError } from './config';
import { type Database, openDatabase } from './db/database';
import { startEmbedded } from './db/embedded';
import { migrate } from './db/migrations';

export interface Store {
  readonly db: Database;
  readonly secret_key: Buffer;
  /** Which database it is, for people. */
  readonly description: string;
  /** Names of the migrations that ran now. */
  readonly migrated: readonly string[];
  close(): Promise<void>;
}

/** Starts the embedded PostgreSQL unless DATABASE_URL names another, and brings the schema up to date. */
export async function openStore(config: Config, log: Logger): Promise<Store> {
  const embedded =
    config.database_url === undefined
      ? await startEmbedded({
          data_dir: config.data_dir,
          onNotice: (message, detail) => log.warn(message, detail),
        })
      : undefined;
  // After the database, which makes the folder as its own user must find it.
  const secret_key = config.secret_key ?? (await keptKey(config.data_dir));
  const connection = embedded?.connection ?? config.database_url;
  if (connection === undefined) throw new Error('There is neither an embedded database nor a DATABASE_URL');
  const db = openDatabase({
    connection,
    pool_size: config.pool_size,
    statement_timeout_ms: config.call_timeout_ms,
    acquire_timeout_ms: config.pool_wait_ms,
  });
  const close = async (): Promise<void> => {
    await db.close();
    await embedded?.stop();
  };
  try {
    const migrated = await migrate(db.knex);
    const description = embedded ? `embedded PostgreSQL in ${config.data_dir}` : 'PostgreSQL of DATABASE_URL';
    return { db, secret_key, description, migrated, close };
  } catch (error) {
    await close();
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
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  const key = Buffer.from((await readFile(file, 'utf8')).trim(), 'base64');
  if (key.length !== 32) throw new ConfigError(`${file} does not hold 32 bytes in base64`);
  return key;
}
