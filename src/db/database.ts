/**
 * Access to PostgreSQL. knex holds the pool and runs the migrations. Statements are named texts that each connection
 * prepares once, which is twice as fast as building them for each call.
 */
import type { Writable } from 'node:stream';
import { types } from 'node:util';
import type { Knex } from 'knex';
import { Client, Query } from 'pg';
import {
  type DatabaseOptions,
  type NotificationListener,
  clientSettings,
  codeOf,
  isBroken,
  isTimeOut,
  onConnection,
  openPool,
  poolState,
  unavailable,
} from './connections';
import { type BoundedRows, type ByteBound, byteBound } from './byte-bound';
import { createSharedReads } from './shared-reads';
import { type Notifications, listenForNotifications } from './notifications';
import { Fault } from '../base/faults';
import { violationFault } from './violations';

/** A statement; with a name, each connection prepares it once. */
export interface Statement {
  readonly name?: string;
  readonly text: string;
  /** Finds a few rows by an index and waits for no lock: it may share a connection with others. */
  readonly isSharedRead?: true;
}

export const sql = (name: string, text: string): Statement => ({ name, text });

/** A statement that finds a few rows by an index and waits for no lock. */
export const sharedRead = (name: string, text: string): Statement => ({ name, text, isSharedRead: true });

/** Anything that statements can be run on. */
export interface Queryable {
  query<Row>(statement: Statement, values?: readonly unknown[]): Promise<Row[]>;
}

/**
 * Statements that commit or roll back together. Statements that are issued without awaiting each other are pipelined:
 * they run in the order of issue and cost one round trip.
 */
export interface Transaction extends Queryable {
  readonly inTransaction: true;
  /** Queues a statement without awaiting it. A failure surfaces at COMMIT. */
  exec(statement: Statement, values?: readonly unknown[]): void;
  /** Awaits all queued statements. Throws the first failure. */
  flush(): Promise<unknown>;
  /** Queues a statement that runs after all others, directly before COMMIT. */
  execBeforeCommit(statement: Statement, values?: readonly unknown[]): void;
}

export interface Database extends Queryable {
  /** Runs a statement and keeps its rows until their bytes reach `max_bytes`. Every list is read so. */
  queryWithin<Row>(
    max_bytes: number,
    statement: Statement,
    values?: readonly unknown[],
  ): Promise<BoundedRows<Row>>;
  /** For the migrations: its statements may take as long as they need. */
  readonly knex: Knex;
  /**
   * Runs `work` in a transaction: what it throws rolls back, what it returns commits. A deadlock
   * or a serialization failure runs it again, so it must do nothing that cannot be repeated. At
   * `deadline`, as `performance.now()` tells it, it is over: fault 503. A COMMIT that had no answer
   * until then may have succeeded; it is neither acknowledged nor repeated.
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>, deadline?: number): Promise<T>;
  /** The same database, for calls that take no connection of their own: it throws on any other statement. */
  readonly sharedReadsOnly: Database;
  /**
   * The same database, but its statements run on the pool for slow reads, with its short time limit. Too
   * slow, they throw fault 503 that names the limit.
   */
  readonly slowReads: Database;
  /** How many connections are in use and idle, and how many calls wait for one. */
  poolState(): Readonly<Record<'used' | 'idle' | 'waiting', number>>;
  /** Hears what the database announces; what a connection of ours announces, before its COMMIT is answered. */
  listen(hear: NotificationListener): Notifications;
  close(): Promise<void>;
}

const ignore = (): void => undefined;

const noticeTimeout_ms = 1_000;
const attemptsAtMost = 5;
const retryable = new Set(['40001', '40P01']);

/** Opens the pool; connects to nothing yet. */
export function openDatabase(options: DatabaseOptions): Database {
  const hearers = new Set<NotificationListener>();
  const pool = openPool(options, hearers);
  const lookups = createSharedReads(pool, options.pool_size);
  const slowPool = openPool(slowOptions(options), hearers);
  let patient: Knex | undefined;

  const runOnPool: Run = <Row>(
    statement: Statement,
    values?: readonly unknown[],
    bound?: ByteBound,
  ): Promise<Row[]> => {
    const run = (client: Client): Promise<Row[]> => runStatement<Row>(client, statement, values, bound);
    return statement.isSharedRead ? lookups(run) : onConnection(pool, run);
  };

  const database: Database = {
    ...queriesWith(runOnPool),
    get knex() {
      return (patient ??= openPool({ ...options, pool_size: 2, statement_timeout_ms: 0 }, new Set()));
    },
    transaction: (work, deadline) =>
      withRetries(() => onConnection(pool, (client) => inTransaction(client, work), deadline), deadline),
    get sharedReadsOnly() {
      return sharedReadsOnly;
    },
    get slowReads() {
      return slowReads;
    },
    poolState: () => poolState(pool),
    listen: (hear) => {
      hearers.add(hear);
      return listenForNotifications(
        () => new Client({ ...clientSettings(options), query_timeout: noticeTimeout_ms }),
        hear,
      );
    },
    close: async () => {
      await patient?.destroy();
      await Promise.all([pool.destroy(), slowPool.destroy()]);
    },
  };
  const sharedReadsOnly = withQueries(database, (statement, values, bound) => {
    if (!statement.isSharedRead) throw new Error(`${statement.name} is no look-up`);
    return runOnPool(statement, values, bound);
  });
  const slowReads = withQueries(database, <Row>(...[statement, values, bound]: Parameters<Run>) =>
    onConnection(slowPool, (client) => runStatement<Row>(client, statement, values, bound)).catch(
      (error: unknown): never => {
        throw tooSlow(error, slowOptions(options).statement_timeout_ms);
      },
    ),
  );
  return database;
}

/** Runs a statement on some connection. */
type Run = <Row>(statement: Statement, values?: readonly unknown[], bound?: ByteBound) => Promise<Row[]>;

const queriesWith = (run: Run): Pick<Database, 'query' | 'queryWithin'> => ({
  query: (statement, values) => run(statement, values),
  queryWithin: async (max_bytes, statement, values) => {
    const bound = byteBound(max_bytes);
    return { rows: await run(statement, values, bound), ...bound.state() };
  },
});

/** The same database, whose statements run otherwise. */
const withQueries = (database: Database, run: Run): Database =>
  Object.assign(Object.create(database) as Database, queriesWith(run));

const slowDefaults = { pool_size: 4, statement_timeout_ms: 5_000 };

const slowOptions = (options: DatabaseOptions): DatabaseOptions => ({
  ...options,
  ...(options.slow ?? slowDefaults),
});

/** Fault 503 that names the limit, where the time limit of slow reads ended the statement. */
function tooSlow(error: unknown, limit_ms: number): unknown {
  const isOverTime = error instanceof Fault && isTimeOut(error.cause);
  if (!isOverTime) return error;
  const text = `This read took longer than ${limit_ms} ms (TREELINE_SLOW_READ_TIMEOUT_MS): ask for a smaller part`;
  return new Fault('unavailable', text, { retry_after_s: 1 });
}

async function runStatement<Row>(
  client: Client,
  statement: Statement,
  values: readonly unknown[] = [],
  bound?: ByteBound,
): Promise<Row[]> {
  inOneWrite(client);
  try {
    return await new Promise<Row[]>((resolve, reject) => {
      const answered = (error: Error | undefined, result: { rows: unknown[] }): void => {
        if (error) reject(error);
        else resolve(result.rows as Row[]);
      };
      // Made here, because pg copies what it is otherwise given by its property descriptors.
      const query = Object.assign(new Query(statement.text, values as unknown[], answered), {
        name: statement.name,
      });
      bound?.apply(query);
      client.query(query);
    });
  } catch (error) {
    // So that it leads to whoever asked, and not to the socket.
    if (types.isNativeError(error)) Error.captureStackTrace(error);
    throw error;
  }
}

/** What is asked in one turn of the event loop goes to the database in one write. */
function inOneWrite(client: Client): void {
  const { stream } = (client as Client & { connection: { stream: Writable } }).connection;
  if (stream.writableCorked > 0) return;
  stream.cork();
  setImmediate(() => {
    stream.uncork();
  });
}

async function inTransaction<T>(client: Client, work: (tx: Transaction) => Promise<T>): Promise<T> {
  const sent: Promise<unknown>[] = [];
  const last: (() => Promise<unknown>)[] = [];
  let failure: unknown;
  let isOver = false;
  const run = async <Row>(statement: Statement, values?: readonly unknown[]): Promise<Row[]> => {
    // Of those that were asked at once, one may go on while another has ended it all.
    if (isOver) throw new Error('A statement came after the end of its transaction');
    try {
      return await runStatement<Row>(client, statement, values);
    } catch (error) {
      // Those that went with the one that failed fail too, but only that one tells why.
      throw (failure ??= error);
    }
  };
  // Nobody waits for it: it goes together with the first statement.
  inOneWrite(client);
  const begun = client.query('BEGIN');
  begun.catch(ignore);
  try {
    const result = await work({
      inTransaction: true,
      query: run,
      exec: (statement, values) => {
        const answered = run(statement, values);
        // COMMIT asks for it, where it comes to that.
        answered.catch(ignore);
        sent.push(answered);
      },
      flush: () => Promise.all(sent),
      execBeforeCommit: (statement, values) => last.push(() => run(statement, values)),
    });
    const together = [begun, ...sent, ...last.map((go) => go()), client.query('COMMIT')];
    isOver = true;
    const { command } = (await Promise.all(together)).at(-1) as { command: string };
    // PostgreSQL answers COMMIT like that, and not with an error, where a statement before had failed.
    if (command !== 'COMMIT') throw new Error(`COMMIT was answered by ${command}`);
    return result;
  } catch (error) {
    isOver = true;
    if (!isBroken(error)) await client.query('ROLLBACK');
    throw violationFault(error) ?? error;
  }
}

async function withRetries<T>(run: () => Promise<T>, deadline = Infinity): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await run();
    } catch (error) {
      if (!retryable.has(codeOf(error))) throw error;
      if (attempt >= attemptsAtMost || performance.now() > deadline) throw unavailable(error);
      // Jitter, so that deadlocked transactions do not collide again.
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 20 * attempt));
    }
  }
}
