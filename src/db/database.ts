/**
 * The way to PostgreSQL. knex keeps the pool and runs the migrations; statements are text with a
 * name, prepared once on each connection, because that is twice as fast as building them anew.
 */
import knex, { type Knex } from 'knex';
import { Client } from 'pg';
import { Fault } from '../faults';
import { type Notices, channel, createNotices } from './notices';
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

/**
 * Statements that succeed or fail together. Those that are asked at once, without waiting for one
 * another, go to the database together and run in that order: they cost one round trip.
 */
export interface Transaction extends Queryable {
  readonly inTransaction: true;
  /** Runs a statement whose rows nobody waits for; it goes together with COMMIT. */
  atCommit(statement: Statement, values?: readonly unknown[]): void;
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
  /** Hears what the database announces; what a connection of ours announces, before its COMMIT is answered. */
  listen(hear: Hearer): Notices;
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

/** Gets the payload of an announcement; undefined when anything may have been announced unheard. */
export type Hearer = (payload: string | undefined) => void;

const ignore = (): void => undefined;

const attemptsAtMost = 5;
const retryable = new Set(['40001', '40P01']);

/** Opens the pool; connects to nothing yet. */
export function openDatabase(options: DatabaseOptions): Database {
  const settings = clientSettings(options);
  const pooled = { ...settings, pipeline: true };
  const hearers = new Set<Hearer>();
  const pool = knex({
    client: 'pg',
    connection: pooled,
    pool: { min: 0, max: options.pool_size, afterCreate: hearItself(hearers) },
    acquireConnectionTimeout: options.acquire_timeout_ms,
    // What fails is thrown and told once, by whoever catches it.
    log: { warn: ignore, error: ignore, deprecate: ignore, debug: ignore },
  });

  return {
    knex: pool,
    query: (statement, values) => onConnection(pool, (client) => runStatement(client, statement, values)),
    transaction: (work) => withRetries(() => onConnection(pool, (client) => inTransaction(client, work))),
    poolState: () => {
      const tarn = (
        pool.client as { pool: Record<'numUsed' | 'numFree' | 'numPendingAcquires', () => number> }
      ).pool;
      return { used: tarn.numUsed(), idle: tarn.numFree(), waiting: tarn.numPendingAcquires() };
    },
    listen: (hear) => {
      hearers.add(hear);
      return createNotices(() => new Client({ ...settings, query_timeout: noticeTimeout_ms }), hear);
    },
    close: () => pool.destroy(),
  };
}

const clientSettings = (options: DatabaseOptions) => ({
  ...(typeof options.connection === 'string'
    ? { connectionString: options.connection }
    : { ...options.connection, ssl: false }),
  application_name: 'treeline',
  statement_timeout: options.statement_timeout_ms,
  // A little later than the server's own limit: it only matters when the server is frozen.
  query_timeout: options.statement_timeout_ms + 1_000,
  idle_in_transaction_session_timeout: options.statement_timeout_ms * 2,
});

const noticeTimeout_ms = 1_000;

/** Every connection hears what it announced itself, before it is told that its COMMIT succeeded. */
const hearItself =
  (hearers: ReadonlySet<Hearer>) =>
  (client: Client & { processID?: number }, done: (error: Error | undefined) => void): void => {
    client.on('notification', ({ processId, payload }) => {
      if (processId === client.processID) for (const hear of hearers) hear(payload);
    });
    client.query(`LISTEN ${channel}`).then(() => {
      done(undefined);
    }, done);
  };

/** Borrows a connection of the pool; one that broke is not given back for use. */
async function onConnection<T>(owner: Knex, work: (client: Client) => Promise<T>): Promise<T> {
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
): Promise<Row[]> {
  const result = await client.query({ ...statement, values: [...values] });
  return result.rows as Row[];
}

async function inTransaction<T>(client: Client, work: (tx: Transaction) => Promise<T>): Promise<T> {
  const last: (() => Promise<unknown>)[] = [];
  // Nobody waits for it: it goes together with the first statement.
  const begun = client.query('BEGIN');
  begun.catch(ignore);
  try {
    const result = await work({
      inTransaction: true,
      query: (statement, values) => runStatement(client, statement, values),
      atCommit: (statement, values) => last.push(() => runStatement(client, statement, values)),
    });
    const together = [begun, ...last.map((run) => run()), client.query('COMMIT')];
    const { command } = (await Promise.all(together)).at(-1) as { command: string };
    // PostgreSQL answers COMMIT like that, and not with an error, where a statement before had failed.
    if (command !== 'COMMIT') throw new Error(`COMMIT was answered by ${command}`);
    return result;
  } catch (error) {
    if (!isBroken(error)) await client.query('ROLLBACK');
    throw violationFault(error) ?? error;
  }
}

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
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '';
}

/** Classes 08 (connection), 53 (resources), 57 (operator intervention, time-outs), 58 (system); 25006 is a read-only server. */
function isDatabaseAway(error: unknown): boolean {
  return isBroken(error) || /^(08|53|57|58)|^25006$/.test(codeOf(error));
}

/** The connection itself is of no further use. */
function isBroken(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
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
