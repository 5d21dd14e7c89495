/**
 * Brings a database to the schema of this version. Any number of servers may start at once: an
 * advisory lock lets one migrate while the others wait, and everything is one transaction, so a
 * server that is killed meanwhile leaves nothing behind, not even knex's own lock.
 */
import type { Knex } from 'knex';
import { type Queryable, sql } from './database';
import * as customers from '../../migrations/001_customers';
import * as authCache from '../../migrations/002_authority';
import * as resources from '../../migrations/003_resources';
import * as tenants from '../../migrations/004_tenants';
import * as lists from '../../migrations/005_lists';
import * as descendants from '../../migrations/006_descendants';
import * as levels from '../../migrations/007_levels';
import * as webhooks from '../../migrations/008_webhooks';
import * as limits from '../../migrations/009_limits';
import * as accessEpochs from '../../migrations/010_access_epochs';
import * as loginOwners from '../../migrations/012_login_owners';

interface Migration {
  up(knex: Knex): Promise<void>;
  down(knex: Knex): Promise<void>;
}

/** In order. Names carry no extension, so that .ts in development and .js in production are the same. */
const migrations: Readonly<Record<string, Migration>> = {
  '001_customers': customers,
  '002_authority': authCache,
  '003_resources': resources,
  '004_tenants': tenants,
  '005_lists': lists,
  '006_descendants': descendants,
  '007_levels': levels,
  '008_webhooks': webhooks,
  '009_limits': limits,
  '010_access_epochs': accessEpochs,
  '012_login_owners': loginOwners,
};

export const migrationSource: Knex.MigrationSource<string> = {
  getMigrations: () => Promise.resolve(Object.keys(migrations)),
  getMigrationName: (name) => name,
  getMigration: (name) => Promise.resolve(migrations[name] as Migration),
};

/** An arbitrary number, the same for every server of every version. */
const advisoryLock = 7_233_651;

/** Migrates to the newest schema; answers the names of the migrations that ran. */
export async function migrate(knex: Knex): Promise<readonly string[]> {
  return knex.transaction(async (holder) => {
    await holder.raw('SET LOCAL statement_timeout = 0');
    await holder.raw('SET LOCAL idle_in_transaction_session_timeout = 0');
    await holder.raw('SELECT pg_advisory_xact_lock(?)', [advisoryLock]);
    const [, ran] = (await holder.migrate.latest({ migrationSource })) as [number, string[]];
    return ran;
  });
}

/** How far a database is, by the names of migrations. */
export interface SchemaState {
  readonly applied: readonly string[];
  /** Those of this version that it lacks. */
  readonly pending: readonly string[];
  /** Those that this version does not know: a newer one was here. */
  readonly unknown: readonly string[];
}

const isMigratedStatement = sql(
  'is_migrated',
  `SELECT to_regclass('knex_migrations') IS NOT NULL AS migrated`,
);
const appliedStatement = sql('applied_migrations', 'SELECT name FROM knex_migrations ORDER BY id');

/** Looks how far a database is, and changes nothing: knex would make its tables on the way. */
export async function schemaState(db: Queryable): Promise<SchemaState> {
  const known = Object.keys(migrations);
  const [row] = await db.query<{ migrated: boolean }>(isMigratedStatement);
  const rows = row?.migrated ? await db.query<{ name: string }>(appliedStatement) : [];
  const applied = rows.map(({ name }) => name);
  return {
    applied,
    pending: known.filter((name) => !applied.includes(name)),
    unknown: applied.filter((name) => !known.includes(name)),
  };
}
