/**
 * The connections: knex keeps the pool, broken ones are not lent again, and what fails because the
 * database is away is the fault that says so.
 */
import { types } from 'node:util';
import knex, { type Knex } from 'knex';
import type { Client } from 'pg';
import { Fault } from '../base/faults';
import { channel } from './notifications';

export interface DatabaseOptions {
  /** A connection string, or where the embedded database listens. */
  readonly connection: string | { host: string; port: number; user: string; database: string };
  readonly pool_size: number;
  /** How long one statement may take: as long as one call. 0: as long as it needs. */
  readonly statement_timeout_ms: number;
  /** How long a call waits for a free connection before it answers 503. */
  readonly acquire_timeout_ms: number;
  /** The pool for slow reads; absent: 4 connections, 5 s. */
  readonly slow?: { readonly pool_size: number; readonly statement_timeout_ms: number };
  /** What the triggers that count rows refuse beyond, by the names of `limits.ts`; absent: they only count. */
  readonly limits?: Readonly<Record<string, number>>;
}

/** Gets the payload of an announcement; undefined when anything may have been announced unheard. */
export type NotificationListener = (payload: string | undefined) => void;

const ignore = (): void => undefined;

/** Where connections are swallowed, one that was begun would be waited for long after the way is free again. */
const connectTimeout_ms = 5_000;
/** A statement that is too slow is ended by the server a little before its call is over, so that the connection stays whole. */
const ofTheCall = 0.95;

export const clientSettings = (options: DatabaseOptions) => ({
  ...(typeof options.connection === 'string'
    ? { connectionString: options.connection }
    : { ...options.connection, ssl: false }),
  application_name: 'treeline',
  connectionTimeoutMillis: connectTimeout_ms,
  statement_timeout: Math.ceil(options.statement_timeout_ms * ofTheCall),
  // Later than the server's own limit: it only matters when the server is frozen.
  query_timeout: options.statement_timeout_ms,
  idle_in_transaction_session_timeout: options.statement_timeout_ms * 2,
});

/** Opens the pool; connects to nothing yet. */
export function openPool(options: DatabaseOptions, hearers: ReadonlySet<NotificationListener>): Knex {
  const connection = { ...clientSettings(options), pipeline: true };
  return knex({
    client: 'pg',
    connection,
    pool: { min: 0, max: options.pool_size, afterCreate: hearItself(hearers, sessionOf(options)) },
    acquireConnectionTimeout: options.acquire_timeout_ms,
    // What fails is thrown and told once, by whoever catches it.
    log: { warn: ignore, error: ignore, deprecate: ignore, debug: ignore },
  });
}

/** Every connection hears what it announced itself, before it is told that its COMMIT succeeded. */
const hearItself =
  (hearers: ReadonlySet<NotificationListener>, session: string) =>
  (client: Client & { processID?: number }, done: (error: Error | undefined) => void): void => {
    client.on('notification', ({ processId, payload }) => {
      if (processId === client.processID) for (const hear of hearers) hear(payload);
    });
    client.query(`${session}; LISTEN ${channel}`).then(() => {
      done(undefined);
    }, done);
  };

/**
 * Every statement is written so that one plan is good for all values; to plan each anew costs more than most of them.
 * It is often made while a table is small, where reading all of it looks cheaper than an index, and then stays while the
 * table grows; so indexes are taken even there. What has none is read all the same, and not compiled for its seeming cost.
 * A server that waits for a lock looks whether anybody still waits for it, so that what was given up is not done
 * later; not every operating system can tell it.
 */
const sessionSettings = `SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off;
  DO $$ BEGIN SET client_connection_check_interval = 250; EXCEPTION WHEN OTHERS THEN NULL; END $$`;

/** The limits are names and whole numbers of ours, so their JSON needs no escaping. */
const sessionOf = ({ limits }: DatabaseOptions): string =>
  limits ? `${sessionSettings}; SET treeline.limits = '${JSON.stringify(limits)}'` : sessionSettings;

interface Pool {
  acquireConnection(): Promise<Client>;
  releaseConnection(client: Client): Promise<void>;
  readonly pool: Record<'numUsed' | 'numFree' | 'numPendingAcquires', () => number>;
}

const poolOf = (owner: Knex): Pool => owner.client as Pool;

/** How many connections are in use and idle, and how many calls wait for one. */
export function poolState(owner: Knex) {
  const { pool } = poolOf(owner);
  return { used: pool.numUsed(), idle: pool.numFree(), waiting: pool.numPendingAcquires() };
}

/** Whoever would wait behind so many is told at once to come again: a queue that only time bounds fills memory. */
const waitingAtMost = 1_000;

/** Borrows a connection of the pool. Throws fault 503 when there is none in time. */
export async function acquire(owner: Knex): Promise<Client> {
  try {
    if (poolState(owner).waiting >= waitingAtMost) throw new Error('Too many wait for a connection');
    return await poolOf(owner).acquireConnection();
  } catch (error) {
    throw unavailable(error);
  }
}

export const release = (owner: Knex, client: Client): Promise<void> =>
  poolOf(owner).releaseConnection(client);

/**
 * Runs `work` on a connection of its own. At `deadline` (as `performance.now()` tells it) the connection is cut,
 * whatever is under way: what had no answer until then is answered by fault 503.
 */
export async function onConnection<T>(
  owner: Knex,
  work: (client: Client) => Promise<T>,
  deadline = Infinity,
): Promise<T> {
  const client = await acquire(owner);
  const left_ms = deadline - performance.now();
  const cut = (): void => {
    discard(client, isOver());
  };
  const timer = left_ms > 0 && left_ms < Infinity ? setTimeout(cut, left_ms) : undefined;
  try {
    if (left_ms <= 0) throw unavailable(isOver());
    return await work(client);
  } catch (error) {
    throw afterFailure(client, error);
  } finally {
    clearTimeout(timer);
    await release(owner, client);
  }
}

const isOver = (): Error => new Error('Connection terminated: the time of the call is over');

/** What to throw after a statement failed; a connection that broke is not lent again. */
export function afterFailure(client: Client, error: unknown): unknown {
  if (isBroken(error)) discard(client, error);
  return isDatabaseAway(error) ? unavailable(error) : error;
}

/** The five characters of PostgreSQL, or Node's word for a failed connection; '' for other errors. */
export function codeOf(error: unknown): string {
  const code = types.isNativeError(error) && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '';
}

/** Classes 08 (connection), 53 (resources), 57 (operator intervention, time-outs), 58 (system); 25006 is a read-only server. */
function isDatabaseAway(error: unknown): boolean {
  return isBroken(error) || /^(08|53|57|58)|^25006$/.test(codeOf(error));
}

/** The connection itself is of no further use. */
export function isBroken(error: unknown): boolean {
  if (!types.isNativeError(error)) return false;
  return (
    /^(ECONN|EPIPE|ENOENT|ENOTFOUND|EHOSTUNREACH|ETIMEDOUT|08|57P)/.test(codeOf(error)) ||
    /^(Connection terminated|Query read timeout|Client has encountered a connection error)/.test(
      error.message,
    )
  );
}

/** A statement was ended because it took too long, by the server (57014) or, where that is frozen, by us. */
export const isTimeOut = (error: unknown): boolean =>
  codeOf(error) === '57014' || (types.isNativeError(error) && error.message === 'Query read timeout');

/** Tells knex's pool not to lend the connection again, and frees the socket even of a frozen server. */
function discard(client: Client, reason: unknown): void {
  const raw = client as unknown as {
    __knex__disposed?: unknown;
    connection?: { stream?: { destroy(reason?: Error): void } };
  };
  raw.__knex__disposed = reason;
  // Whoever waits for an answer hears the reason.
  raw.connection?.stream?.destroy(types.isNativeError(reason) ? reason : undefined);
}

export const unavailable = (cause: unknown): Fault => {
  const fault = new Fault('unavailable', 'The database is not available, please retry', { retry_after_s: 1 });
  fault.cause = cause;
  return fault;
};
