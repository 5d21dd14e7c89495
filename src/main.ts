/** The server as a process: reads the settings, opens the store, listens, and stops cleanly. */
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'winston';
import { createApp } from './app';
import { type Config, ConfigError, readConfig } from './config';
import { openCredentials } from './core/credentials';
import { DatabaseInUse } from './db/embedded';
import { createLog } from './log';
import { type Store, openStore } from './store';
import { type FirstPasswords, WrongSecretKey, firstStart } from './system/first-start';

const terminal = process.stdout.isTTY;

async function serve(): Promise<void> {
  const config = readConfig(process.env);
  const log = createLog(config.log_level, terminal, process.stdout);
  process.on('unhandledRejection', (reason) => {
    log.error('Unhandled rejection', { stack: reason instanceof Error ? reason.stack : String(reason) });
  });
  const store = await openStore(config, log);
  try {
    const passwords = await firstStart(store.db, config, openCredentials(store.secret_key));
    const app = await createApp({ config, db: store.db, log, secret_key: store.secret_key });
    const url = await app.listen({ host: config.host, port: config.port });
    stopOnSignal(app, store, config, log);
    welcome(url, store, passwords);
    log.info('Listening', { url, database: store.description, migrated: store.migrated.length });
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Whatever is in flight is finished first; a second signal changes nothing. */
function stopOnSignal(app: FastifyInstance, store: Store, config: Config, log: Logger): void {
  let stopping = false;
  const stop = async (signal: string): Promise<void> => {
    if (stopping) return;
    stopping = true;
    log.info('Stopping', { signal });
    // A reader that never finishes must not keep the server up for ever.
    setTimeout(() => {
      app.server.closeAllConnections();
    }, config.call_timeout_ms).unref();
    await app.close();
    await store.close();
    log.info('Stopped');
    process.exitCode = 0;
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      stop(signal).catch((error: unknown) => {
        fail(error);
      });
    });
  }
}

/** The first screen: where it listens, the passwords that nobody knows yet, and a line to paste. */
function welcome(url: string, store: Store, passwords: FirstPasswords): void {
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
  process.stdout.write(lines.join('\n'));
}

/** What the person at the terminal can mend is one sentence; only our own mistakes show a stack. */
function fail(error: unknown): void {
  const plain =
    error instanceof ConfigError ||
    error instanceof DatabaseInUse ||
    error instanceof WrongSecretKey ||
    hasCode(error);
  const text =
    error instanceof Error ? (plain ? error.message : (error.stack ?? error.message)) : String(error);
  process.stderr.write(`treeline: ${text}\n`);
  process.exitCode = 1;
}

/** Errors of the system and of PostgreSQL: port taken, file not readable, login refused. */
const hasCode = (error: unknown): boolean => error instanceof Error && 'code' in error;

serve().catch((error: unknown) => {
  fail(error);
  process.exit();
});
