/** The server as a process: reads the settings, opens the store, listens, and stops cleanly. `main.ts` and `treeline serve` run it. */
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'winston';
import { createApp, renewTls } from './app';
import { type Config, readConfig } from './config';
import { openCredentials } from './core/credentials';
import { createLog } from './log';
import { type Store, openStore } from './store';
import { type FirstPasswords, firstStart } from './system/first-start';

/** The part of Node's `process` that a server needs. */
export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean };
  on(event: 'unhandledRejection', listener: (reason: unknown) => void): unknown;
  on(event: 'SIGTERM' | 'SIGINT' | 'SIGHUP', listener: (signal: string) => void): unknown;
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
  const store = await openStore(config, log);
  let app: FastifyInstance;
  let stopped: Promise<void>;
  try {
    const { db, secret_key } = store;
    const passwords = await firstStart(
      db,
      readConfig(host.env),
      openCredentials(secret_key, config.secret_key_previous),
    );
    app = await createApp({ config, db, log, secret_key });
    renewOnSignal(host, app, config, log);
    const url = await app.listen({ host: config.host, port: config.port });
    stopped = stopOnSignal(host, app, store, config, log);
    host.stdout.write(welcome(url, store, passwords));
    log.info('Listening', { url, database: store.description, migrated: store.migrated.length });
  } catch (error) {
    await store.close();
    throw error;
  }
  await stopped;
}

/** Root's passwords are needed once; in an object that lives as long as the server they could be found in its memory. */
const withoutPasswords = (config: Config): Config =>
  Object.freeze({ ...config, root_api_password: undefined, root_web_password: undefined });

/** A new certificate is taken without a restart, unless SIGHUP says that the terminal is gone; one that cannot be read leaves the old one in force. */
function renewOnSignal(host: Host, app: FastifyInstance, config: Config, log: Logger): void {
  if (host.stdout.isTTY) return;
  host.on('SIGHUP', () => {
    try {
      log.info(
        renewTls(app, config) ? 'The TLS files were read again' : 'There are no TLS files to read again',
      );
    } catch (error) {
      log.error('The TLS files could not be read again; the ones before stay in force', {
        cause: String(error),
      });
    }
  });
}

/** Whatever is in flight is finished first; a second signal changes nothing. Resolves when everything has stopped. */
function stopOnSignal(
  host: Host,
  app: FastifyInstance,
  store: Store,
  config: Config,
  log: Logger,
): Promise<void> {
  const stop = async (signal: string): Promise<void> => {
    log.info('Stopping', { signal });
    // A reader that never finishes must not keep the server up for ever.
    setTimeout(() => {
      app.server.closeAllConnections();
    }, config.call_timeout_ms).unref();
    await app.close();
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
    if (host.stdout.isTTY) host.on('SIGHUP', begin);
  });
}

/** The first screen: where it listens, the passwords that nobody knows yet, and a line to paste. */
function welcome(url: string, store: Store, passwords: FirstPasswords): string {
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
