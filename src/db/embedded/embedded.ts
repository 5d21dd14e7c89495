/**
 * Starts, watches and stops a PostgreSQL of our own, for those who have set no DATABASE_URL.
 *
 * The cluster lives in DATA_DIR/postgres and is reached by nothing but a private unix socket: there is no port
 * to clash and no password to keep. Most of what follows is about processes that die at the wrong moment:
 *
 * - Node is killed: a small shell, the watchdog, holds a pipe from Node. When the pipe ends it stops PostgreSQL
 *   at once, and the next start recovers what was acknowledged from the write-ahead log.
 * - PostgreSQL is killed: it is started again, after pauses that grow.
 * - A Treeline comes while the PostgreSQL of a dead one is still dying: it waits. Where the other one is alive
 *   it is refused.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { pid as ownPid } from 'node:process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, DatabaseError } from 'pg';
import { makeFolder, prepareFiles, serverEnvironment, serverPort, type ServerFiles } from './binaries';

export interface EmbeddedPostgres {
  /** Where node-postgres connects: host is the folder of the unix socket. */
  readonly connection: Connection;
  /** Fast shutdown; resolves when the postmaster is gone. Safe to call twice. */
  stop(): Promise<void>;
}

interface Connection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

export interface EmbeddedOptions {
  /** DATA_DIR: may be relative, need not exist. */
  readonly data_dir: string;
  /** Settings of PostgreSQL beside ours, such as `{ fsync: 'off' }` for tests. */
  readonly settings?: Readonly<Record<string, string>>;
  /** One line for the operator. */
  readonly onNotice?: (message: string, detail?: Record<string, unknown>) => void;
}

export class DatabaseInUse extends Error {
  override readonly name = 'DatabaseInUse';
  constructor(data_dir: string, pid: string) {
    super(
      `Another Treeline is running on ${data_dir} (process ${pid}): stop it, or choose another DATA_DIR.`,
    );
  }
}

/** One life of PostgreSQL. */
interface Server {
  readonly watchdog: ChildProcess;
  /** The last lines it wrote to its log. */
  readonly lines: readonly string[];
  readonly ended: () => boolean;
  readonly gone: Promise<void>;
}

const LINES_KEPT = 100;
const POLL_MIN_ms = 10;
const POLL_MAX_ms = 500;
const LOCK_POLL_ms = 50;
const CLOSE_WAIT_ms = 1_000;
const PROBE_TIMEOUT_ms = 5_000;
const LOCK_WAIT_ms = 10_000;
const START_TIMEOUT_ms = 60_000;
const RECOVERY_TIMEOUT_ms = 600_000;
const STOP_TIMEOUT_ms = 30_000;
const STOP_REPEAT_ms = 500;
const PAUSE_MIN_ms = 100;
const PAUSE_MAX_ms = 5_000;
const STEADY_ms = 60_000;

const DEFAULT_SETTINGS = {
  max_connections: '100',
  shared_buffers: '128MB',
  // Looks every 15 seconds, not every minute, for tables with many dead rows: they are vacuumed before they grow.
  autovacuum_naptime: '15s',
  timezone: 'UTC',
  log_timezone: 'UTC',
  lc_messages: 'C',
};

/**
 * Standard input is the pipe from Node, moved to 3 because a background job gets /dev/null instead. Background
 * jobs also begin deaf to INT and QUIT, until PostgreSQL has its own handlers: hence signals are repeated. The
 * watchdog ignores what a terminal or a service manager sends to everybody: it ends when PostgreSQL has.
 */
const WATCHDOG = `
trap '' HUP INT TERM
exec 3<&0 </dev/null
temporary_folder=$1; shift
"$@" 3<&- &
postgres=$!
{
  while read -r word; do kill -INT $postgres; done
  [ -z "$temporary_folder" ] || rm -rf -- "$temporary_folder"
  while kill -QUIT $postgres; do sleep 1; done
} <&3 3<&- 2>/dev/null &
reader=$!
exec 3<&-
wait $postgres; status=$?
{ kill -KILL $reader; wait $reader; } 2>/dev/null
exit $status`;

export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  makeFolder(options.data_dir);
  const data_dir = fs.realpathSync(options.data_dir);
  const tell = options.onNotice ?? (() => undefined);
  const settings = { ...DEFAULT_SETTINGS, ...options.settings };
  const release = claim(data_dir);
  let files: ServerFiles | undefined;
  const cleanUp = (): void => {
    if (files?.socketIsTemporary) fs.rmSync(files.socketFolder, { recursive: true, force: true });
    release();
  };
  try {
    files = await prepareFiles(data_dir, settings, tell);
    const command = serverCommand(files, settings);
    const connection = connectionTo(files.socketFolder, serverPort);
    const launch = launcher(files, command);
    const server = await startFirst(data_dir, files.cluster, connection, launch);
    const stop = keepRunning(server, connection, launch, tell);
    let stopped: Promise<void> | undefined;
    return { connection, stop: () => (stopped ??= stop().finally(cleanUp)) };
  } catch (error) {
    cleanUp();
    throw error;
  }
}

/** The connection of a server that already runs on this folder, for the command line. */
export async function runningEmbedded(data_dir: string): Promise<Connection | undefined> {
  const { port, socketFolder } = readLock(join(data_dir, 'postgres'));
  const connection = connectionTo(socketFolder, Number(port));
  return socketFolder !== '' && (await probe(connection)) === 'ready' ? connection : undefined;
}

function connectionTo(host: string, port: number): Connection {
  return { host, port, user: 'treeline', database: 'treeline' };
}

/**
 * Writes our process into DATA_DIR/treeline.pid, or refuses. PostgreSQL's own lock protects the data; this file
 * only tells a Treeline that is alive from a dead one whose PostgreSQL is about to follow. A number may have
 * been given to another process since, so it counts together with the time at which the process started.
 */
function claim(data_dir: string): () => void {
  const path = join(data_dir, 'treeline.pid');
  const ours = `${ownPid} ${startTime(ownPid)}`;
  for (;;) {
    try {
      fs.writeFileSync(path, ours, { flag: 'wx' });
      break;
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
    }
    const [pid = '', started = ''] = readIfThere(path).split(' ');
    if (started !== '' && startTime(Number(pid)) === started) throw new DatabaseInUse(data_dir, pid);
    fs.rmSync(path, { force: true });
  }
  return () => {
    if (readIfThere(path) === ours) fs.rmSync(path, { force: true });
  };
}

/** In ticks since the system started; empty for no process, and where there is no /proc. */
function startTime(pid: number): string {
  const stat = readProcess(pid, 'stat');
  // The second field is the name, in parentheses and of any content; this one is the 22nd.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

/** PostgreSQL's own lock on its cluster; all fields are empty where there is none. */
function readLock(cluster: string): { pid: string; port: string; socketFolder: string } {
  const [pid = '', , , port = '', socketFolder = ''] = readIfThere(join(cluster, 'postmaster.pid')).split(
    '\n',
  );
  return { pid, port, socketFolder };
}

function readIfThere(path: string): string {
  try {
    return fs.readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return '';
    throw error;
  }
}

/** A file about a process, empty where the system keeps none or hides it. */
function readProcess(pid: number, file: 'stat' | 'comm'): string {
  try {
    return fs.readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

function errorCode(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

function serverCommand(files: ServerFiles, settings: Readonly<Record<string, string>>): string[] {
  const fixed = {
    listen_addresses: '',
    port: `${serverPort}`,
    unix_socket_directories: `"${files.socketFolder.replaceAll('"', '""')}"`,
    logging_collector: 'off',
    log_destination: 'stderr',
    // %e is the SQLSTATE, by which isLocked() knows one failure from the others.
    log_line_prefix: '%m [%p] %e ',
  };
  const flags = Object.entries({ ...settings, ...fixed }).map(([name, value]) => `--${name}=${value}`);
  return [join(files.binaries, 'bin', 'postgres'), '-D', files.cluster, ...flags];
}

/** The returned function starts PostgreSQL under the watchdog, as often as need be. */
function launcher(files: ServerFiles, command: readonly string[]): () => Server {
  const temporaryFolder = files.socketIsTemporary ? files.socketFolder : '';
  const words = ['-c', WATCHDOG, 'treeline-watchdog', temporaryFolder, ...command];
  return () => {
    const env = { ...serverEnvironment, ...excuseStranger(files.cluster) };
    const watchdog = spawn('/bin/sh', words, {
      ...files.user,
      cwd: '/',
      env,
      detached: true,
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    // A PostgreSQL that runs must not keep Node from ending: it then ends as well.
    for (const handle of [watchdog, watchdog.stdin, watchdog.stderr] as Unreferable[]) handle.unref();
    const lines: string[] = [];
    watchdog.on('error', ({ message }) => lines.push(message));
    watchdog.stdin.on('error', () => undefined);
    createInterface({ input: watchdog.stderr }).on('line', (line) => {
      // Not what it answers to our own probes.
      if (!line.includes('] 57P03 ') && lines.push(line) > LINES_KEPT) lines.shift();
    });
    return { watchdog, lines, ...observeEnd(watchdog) };
  };
}

/** What ChildProcess and its pipes have in common, though the types of Node do not say so of the pipes. */
interface Unreferable {
  unref(): void;
}

function observeEnd(watchdog: ChildProcess): Pick<Server, 'ended' | 'gone'> {
  let ended = false;
  const gone = new Promise<void>((done) => {
    const end = (): void => {
      ended = true;
      // Should the watchdog alone have been killed, this makes its reader stop PostgreSQL.
      watchdog.stdin?.destroy();
      // The last lines are still on their way, but a backend that outlives its postmaster must not hold us up.
      const limit = setTimeout(done, CLOSE_WAIT_ms);
      watchdog.once('close', () => {
        clearTimeout(limit);
        done();
      });
    };
    watchdog.once('exit', end).once('error', end);
  });
  return { ended: () => ended, gone };
}

/**
 * After a crash the number in PostgreSQL's lock may belong to another program, in a container even to Node, and
 * PostgreSQL would take it for a rival. It excuses the process it is told to be its grandparent.
 */
function excuseStranger(cluster: string): { PG_GRANDPARENT_PID?: string } {
  const { pid } = readLock(cluster);
  const program = readProcess(Number(pid), 'comm').trim();
  return program === '' || program === 'postgres' ? {} : { PG_GRANDPARENT_PID: pid };
}

/** Waits while the PostgreSQL of a dead Treeline is dying; any other failure is told at once. */
async function startFirst(
  data_dir: string,
  cluster: string,
  connection: Connection,
  launch: () => Server,
): Promise<Server> {
  const deadline = Date.now() + LOCK_WAIT_ms;
  for (;;) {
    // A server of another container answers on the socket, though PostgreSQL's lock does not see its process.
    if ((await probe(connection)) === 'absent') {
      const server = launch();
      const failure = await whyNotReady(server, connection);
      if (failure === undefined) return server;
      if (!isLocked(server)) throw failure;
    }
    if (Date.now() > deadline) throw new DatabaseInUse(data_dir, readLock(cluster).pid);
    await sleep(LOCK_POLL_ms);
  }
}

/** The SQLSTATE lock_file_exists: a postmaster, or a backend that outlived one, still works on the cluster. */
function isLocked(server: Server): boolean {
  return server.lines.some((line) => line.includes('] F0001 '));
}

async function whyNotReady(server: Server, connection: Connection): Promise<Error | undefined> {
  const began = Date.now();
  for (let poll_ms = POLL_MIN_ms; ; poll_ms = Math.min(poll_ms * 1.2, POLL_MAX_ms)) {
    const state = await probe(connection);
    if (server.ended()) break;
    if (state === 'ready') return undefined;
    if (Date.now() - began > (state === 'starting' ? RECOVERY_TIMEOUT_ms : START_TIMEOUT_ms)) break;
    await sleep(poll_ms);
  }
  await shutDown(server);
  return new Error(`PostgreSQL did not start. Its last lines:\n${server.lines.join('\n')}`);
}

/** A server that is starting, recovering or stopping says so; any other answer comes from one that is up. */
async function probe(connection: Connection): Promise<'absent' | 'starting' | 'ready'> {
  const client = new Client({ ...connection, ssl: false, connectionTimeoutMillis: PROBE_TIMEOUT_ms });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return 'ready';
  } catch (error) {
    if (error instanceof DatabaseError && error.code !== '57P03') return 'ready';
    return ['ENOENT', 'ECONNREFUSED'].includes(errorCode(error) ?? '') ? 'absent' : 'starting';
  } finally {
    client.end().catch(() => undefined);
  }
}

/** Starts PostgreSQL again whenever it ends, until the returned function is called. */
function keepRunning(
  first: Server,
  connection: Connection,
  launch: () => Server,
  tell: NonNullable<EmbeddedOptions['onNotice']>,
): () => Promise<void> {
  const stopping = new AbortController();
  const isStopping = (): boolean => stopping.signal.aborted;
  let server = first;
  const restart = async (): Promise<void> => {
    for (let pause_ms = PAUSE_MIN_ms; ; pause_ms = Math.min(pause_ms * 2, PAUSE_MAX_ms)) {
      const began = Date.now();
      await server.gone;
      if (isStopping()) return;
      if (Date.now() - began > STEADY_ms) pause_ms = PAUSE_MIN_ms;
      tell('PostgreSQL ended by itself and is started again.', { pause_ms, log: server.lines.slice(-5) });
      await sleep(pause_ms, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined);
      if (isStopping()) return;
      try {
        server = launch();
        if ((await whyNotReady(server, connection)) === undefined) tell('PostgreSQL runs again.');
      } catch (error) {
        // The system is out of processes or files: the next round tries again.
        tell('PostgreSQL could not be started.', { error });
      }
    }
  };
  const ended = restart();
  return async () => {
    stopping.abort();
    await shutDown(server);
    await ended;
  };
}

/** Asks again and again, as the first words may come before PostgreSQL listens; in the end it insists. */
async function shutDown({ watchdog, gone }: Server): Promise<void> {
  const deadline = Date.now() + STOP_TIMEOUT_ms;
  const ask = (): void => {
    if (Date.now() > deadline) watchdog.stdin?.destroy();
    else watchdog.stdin?.write('fast\n');
  };
  const timer = setInterval(ask, STOP_REPEAT_ms);
  ask();
  await gone;
  clearInterval(timer);
}
