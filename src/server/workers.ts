/**
 * Several processes behind one port (TREELINE_WORKERS): the first one opens the database, brings the
 * schema up to date and starts the others, which do the serving. What must hold across them (locks,
 * limits, rights, idempotency) is in the database; the figures of the metrics are added up.
 */
import cluster, { type Worker } from 'node:cluster';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'winston';
import { answerMetrics } from './shared-metrics';

/** Whether this process is one of those that serve for another. */
export const isWorker = (): boolean => cluster.isWorker;

/** A worker that has nothing more to do would stay for what the first process might yet say. */
export function leave(): void {
  cluster.worker?.disconnect();
}

export interface Workers {
  /** Where they listen. */
  readonly port: number;
  /** Hands a signal on to all of them. */
  signal(name: 'SIGHUP'): void;
  /** Lets them finish what is in flight. */
  stop(): Promise<void>;
}

const restart_ms = 1_000;

/** Starts them; resolves when all of them listen, throws when one of them ends before. */
export async function startWorkers(count: number, log: Logger): Promise<Workers> {
  let isStopping = false;
  answerMetrics();
  const begin = (): Promise<number> => listening(cluster.fork());
  // One that is lost is replaced; what it had in flight is lost with it, as with any server.
  cluster.on('exit', (worker, code, signal) => {
    if (isStopping || !hasListened.has(worker)) return;
    log.error('A worker has ended; another one takes its place', { pid: worker.process.pid, code, signal });
    setTimeout(() => {
      if (isStopping) return;
      begin().catch((error: unknown) => {
        log.error('A worker could not be replaced', { cause: String(error) });
      });
    }, restart_ms);
  });
  const all = (): Worker[] => Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
  const stop = async (): Promise<void> => {
    isStopping = true;
    await Promise.all(
      all().map((worker) => {
        const ended = new Promise((resolve) => worker.once('exit', resolve));
        worker.process.kill('SIGTERM');
        return ended;
      }),
    );
  };
  try {
    const [port = 0] = await Promise.all(Array.from({ length: count }, begin));
    return {
      port,
      signal: (name) => {
        for (const worker of all()) worker.process.kill(name);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

const hasListened = new WeakSet<Worker>();

function listening(worker: Worker): Promise<number> {
  return new Promise((resolve, reject) => {
    worker.once('listening', ({ port }: AddressInfo) => {
      hasListened.add(worker);
      resolve(port);
    });
    worker.once('exit', () => {
      reject(new Error('A worker ended before it listened; its log says why'));
    });
  });
}
