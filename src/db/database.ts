/**
 * The way to PostgreSQL. knex keeps the pool and runs the migrations; statements are text with a
 * name, prepared once on each connection, because that is twice as fast as building them anew.
 */
import { types } from 'node:util';
import knex, { type Knex } from 'knex';
import type { Client } from 'pg';
import { Fault } from '../faults';
import { violationFault } from './violations';

/** A statement; with a name, each connection prepares it once. */
export interface Statement {
  readonly name?: string;
  readonly text: string;
}

export const sql = (name: string, text: string): Statement => ({ name, text });

/** Anything that statements can be run on. */
export interface Queryable {
  query<Row>(statement: Statement, values?: readonly unknown[]): Promise<Row[]>;
}

/** Statements that succeed or fail together. */
export interface Transaction extends Queryable {
  readonly inTransaction: true;
}

export interface Database extends Queryable {
  /** The pool's owner, for the migrations. */
  readonly knex: Knex;
  /**
   * Runs `work` in a transaction: what it throws rolls back, what it returns commits. A deadlock
   * or a serialization failure runs it again, so it must do nothing that cannot be repeated.
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** How many connections are in use and idle, and how many calls wait for one. */
  poolState(): Readonly<Record<'used' | 'idle' | 'waiting', number>>;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** A connection string, or where the embedded database listens. */
  readonly connection: string | { host: string; port: number; user: string; database: string };
  readonly pool_size: number;
  /** One statement may take as long as one call. */
  readonly statement_timeout_ms: number;
  /** How long a call waits for a free connection before it answers 503. */
  readonly acquire_timeout_ms: number;
}

const ignore = (): void => undefined;

const attemptsAtMost = 5;
const retryable = new Set(['40001', '40P01']);

/** Opens the pool; connects to nothing yet. */
export function openDatabase(options: DatabaseOptions): Database {
  const pool = knex({
    client: 'pg',
    connection: {
      ...(typeof options.connection === 'string'
        ? { connectionString: options.connection }
        : { ...options.connection, ssl: false }),
      application_name: 'treeline',
      statement_timeout: options.statement_timeout_ms,
      // A little later than the server's own limit: it only matters when the server is frozen.
      query_timeout: options.statement_timeout_ms + 1_000,
      idle_in_transaction_session_timeout: options.statement_timeout_ms * 2,
    },
    pool: { min: 0, max: options.pool_size },
    acquireConnectionTimeout: options.acquire_timeout_ms,
    // What fails is thrown and told once, by whoever catches it.
    log: { warn: ignore, error: ignore, deprecate: ignore, debug: ignore },
  });

  return {
    knex: pool,
    query: (statement, values) => onConnection(pool, (client) => runStatement(client, statement, values)),
    transaction: (work) => {
      // A slow server may keep each statement's limit and pass the call's; so what is left is counted down.
      const until = performance.now() + options.statement_timeout_ms;
      return withRetries(() => onConnection(pool, (client) => inTransaction(client, work, until)));
    },
    poolState: () => poolState(pool),
    close: () => pool.destroy(),
  };
}

function poolState(owner: Knex): Record<'used' | 'idle' | 'waiting', number> {
  const tarn = (owner.client as { pool: Record<'numUsed' | 'numFree' | 'numPendingAcquires', () => number> })
    .pool;
  return { used: tarn.numUsed(), idle: tarn.numFree(), waiting: tarn.numPendingAcquires() };
}

/** Whoever would wait behind so many is told at once to come again: a queue that only time bounds fills memory. */
const waitingAtMost = 1_000;

/** Borrows a connection of the pool; one that broke is not given back for use. */
async function onConnection<T>(owner: Knex, work: (client: Client) => Promise<T>): Promise<T> {
  if (poolState(owner).waiting >= waitingAtMost)
    throw unavailable(new Error('Too many wait for a connection'));
  const pool = owner.client as {
    acquireConnection(): Promise<Client>;
    releaseConnection(client: Client): Promise<void>;
  };
  let client: Client;
  try {
    client = await pool.acquireConnection();
  } catch (error) {
    throw unavailable(error);
  }
  try {
    return await work(client);
  } catch (error) {
    if (isBroken(error)) discard(client, error);
    throw isDatabaseAway(error) ? unavailable(error) : error;
  } finally {
    await pool.releaseConnection(client);
  }
}

async function runStatement<Row>(
  client: Client,
  statement: Statement,
  values: readonly unknown[] = [],
  limit: { readonly query_timeout?: number } = {},
): Promise<Row[]> {
  const result = await client.query({ ...statement, ...limit, values: [...values] });
  return result.rows as Row[];
}

async function inTransaction<T>(
  client: Client,
  work: (tx: Transaction) => Promise<T>,
  until: number,
): Promise<T> {
  await client.query('BEGIN');
  try {
    const result = await work({
      inTransaction: true,
      query: (statement, values) => runStatement(client, statement, values, leftUntil(until)),
    });
    await client.query('COMMIT');
    return result;
  } catch (error) {
    if (!isBroken(error)) await client.query('ROLLBACK');
    throw violationFault(error) ?? error;
  }
}

/** What is left of a call's time, with a little more than nothing for a statement that comes at its end. */
const leftUntil = (until: number) => ({
  query_timeout: Math.max(1, Math.ceil(until - performance.now())) + 1_000,
});

async function withRetries<T>(run: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await run();
    } catch (error) {
      if (attempt >= attemptsAtMost || !retryable.has(codeOf(error))) throw error;
      // Those who met once should not meet again in step.
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 20 * attempt));
    }
  }
}

/** The five characters of PostgreSQL, or Node's word for a failed connection; '' for other errors. */
function codeOf(error: unknown): string {
  const code = types.isNativeError(error) && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '';
}

/** Classes 08 (connection), 53 (resources), 57 (operator intervention, time-outs), 58 (system); 25006 is a read-only server. */
function isDatabaseAway(error: unknown): boolean {
  return isBroken(error) || /^(08|53|57|58)|^25006$/.test(codeOf(error));
}

/** The connection itself is of no further use. */
function isBroken(error: unknown): boolean {
  if (!types.isNativeError(error)) return false;
  return (
    /^(ECONN|EPIPE|ENOENT|ENOTFOUND|EHOSTUNREACH|ETIMEDOUT|08|57P)/.test(codeOf(error)) ||
    /^(Connection terminated|Query read timeout|Client has encountered a connection error)/.test(
      error.message,
    )
  );
}

/** Tells knex's pool not to lend the connection again, and frees the socket even of a frozen server. */
function discard(client: Client, reason: unknown): void {
  const raw = client as unknown as {
    __knex__disposed?: unknown;
    connection?: { stream?: { destroy(): void } };
  };
  raw.__knex__disposed = reason;
  raw.connection?.stream?.destroy();
}

const unavailable = (cause: unknown): Fault => {
  const fault = new Fault('unavailable', 'The database is not available, please retry', 1);
  fault.cause = cause;
  return fault;
};
