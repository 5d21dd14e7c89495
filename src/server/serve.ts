/** The server as a process: reads the settings, opens the store, listens, and stops cleanly. `main.ts` and `treeline serve` run it. */
import type { Logger } from 'winston';
import { createApp, renewTls } from './app';
import { type Config, readConfig } from '../base/config';
import { openCredentials } from '../core/auth/credentials';
import { createLog } from '../base/log';
import { type OpenStore, joinStore, openStore } from './store';
import { type FirstPasswords, firstStart } from '../features/system/first-start';
import { isWorker, leave, startWorkers } from './workers';

/** The part of Node's `process` that a server needs. */
export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean };
  on(event: 'unhandledRejection', listener: (reason: unknown) => void): unknown;
  on(event: 'SIGTERM' | 'SIGINT' | 'SIGHUP', listener: (signal: string) => void): unknown;
}

/** What serves: this process itself, or its workers. */
interface Running {
  readonly url: string;
  /** Reads the TLS files again. */
  renew(): void;
  /** Finishes what is in flight. */
  stop(): Promise<void>;
}

/** Serves until a signal has stopped it; throws when it cannot start, or cannot stop cleanly. */
export async function serve(host: Host): Promise<void> {
  const config = withoutPasswords(readConfig(host.env));
  const log = createLog(config.log_level, host.stdout.isTTY === true, host.stdout);
  host.on('unhandledRejection', (reason) => {
    log.error('Unhandled rejection', { stack: reason instanceof Error ? reason.stack : String(reason) });
  });
  // Whoever reads our output may go away; the server stays.
  host.stdout.on('error', () => undefined);
  // Workers find the database as the process that started them has opened it.
  const store = isWorker() ? await joinStore(config, log) : await openStore(config, log);
  let stopped: Promise<void>;
  try {
    const credentials = openCredentials(store.secret_key, config.secret_key_previous);
    const passwords = isWorker() ? undefined : await firstStart(store.db, readConfig(host.env), credentials);
    const running =
      config.workers > 1 && !isWorker() ? await runWorkers(config, log) : await runApp(config, store, log);
    stopped = obeySignals(host, running, store, log);
    if (passwords) host.stdout.write(welcome(running.url, store, passwords));
    log.info('Listening', { url: running.url, database: store.description });
  } catch (error) {
    await store.close();
    throw error;
  }
  await stopped;
  leave();
}

/** Root's passwords are needed once; in an object that lives as long as the server they could be found in its memory. */
const withoutPasswords = (config: Config): Config =>
  Object.freeze({ ...config, root_api_password: undefined, root_web_password: undefined });

/**
 * How many connections may wait to be accepted. Node's own 511 overflow in a burst of a thousand, and a client whose
 * first packet is dropped comes again only after a second.
 */
const backlog = 4_096;

async function runApp(config: Config, { db, secret_key }: OpenStore, log: Logger): Promise<Running> {
  const app = await createApp({ config, db, log, secret_key });
  const url = await app.listen({ host: config.host, port: config.port, backlog });
  return {
    url,
    renew: () => {
      try {
        const isTls = renewTls(app, config);
        log.info(isTls ? 'The TLS files were read again' : 'There are no TLS files to read again');
      } catch (error) {
        const text = 'The TLS files could not be read again; the ones before stay in force';
        log.error(text, { cause: String(error) });
      }
    },
    stop: async () => {
      // A reader that never finishes must not keep the server up for ever.
      setTimeout(() => {
        app.server.closeAllConnections();
      }, config.call_timeout_ms).unref();
      await app.close();
    },
  };
}

async function runWorkers(config: Config, log: Logger): Promise<Running> {
  const workers = await startWorkers(config.workers, log);
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  const scheme = config.tls_cert === undefined ? 'http' : 'https';
  return {
    url: `${scheme}://${host}:${workers.port}`,
    renew: () => {
      workers.signal('SIGHUP');
    },
    stop: () => workers.stop(),
  };
}

/**
 * SIGTERM and SIGINT: whatever is in flight is finished first, a second signal changes nothing. SIGHUP: new TLS files
 * are taken without a restart, unless it says that the terminal is gone. Resolves when everything has stopped.
 */
function obeySignals(host: Host, running: Running, store: OpenStore, log: Logger): Promise<void> {
  const stop = async (signal: string): Promise<void> => {
    log.info('Stopping', { signal });
    await running.stop();
    await store.close();
    log.info('Stopped');
  };
  return new Promise((resolve, reject) => {
    let stopping = false;
    const begin = (signal: string): void => {
      if (stopping) return;
      stopping = true;
      stop(signal).then(resolve, reject);
    };
    host.on('SIGTERM', begin);
    host.on('SIGINT', begin);
    host.on('SIGHUP', (signal) => {
      if (host.stdout.isTTY) begin(signal);
      else running.renew();
    });
  });
}

/** The first screen: where it listens, the passwords that nobody knows yet, and a line to paste. */
function welcome(url: string, store: OpenStore, passwords: FirstPasswords): string {
  const { api_password, web_password } = passwords;
  const user = api_password === undefined ? 'root' : `root:${api_password}`;
  const insecure = url.startsWith('https:') ? ' --insecure' : '';
  const body = '<methodCall><methodName>listCustomers</methodName></methodCall>';
  const lines = [
    '',
    `Treeline listens on ${url}/xmlapi/xmlapi (${store.description})`,
    ...(api_password === undefined ? [] : ['', `  API password of root: ${api_password}`]),
    ...(web_password === undefined ? [] : [`  Web password of root: ${web_password}`]),
    ...((api_password ?? web_password) ? ['  They are shown this once; keep them.'] : []),
    '',
    'Try it:',
    `  curl --digest -u '${user}'${insecure} -d '${body}' ${url}/xmlapi/xmlapi`,
    '',
    '',
  ];
  return lines.join('\n');
}
