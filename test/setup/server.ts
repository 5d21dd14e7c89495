/** A real server on a database of its own, and clients that speak to it over a real socket. */
import { randomBytes } from 'node:crypto';
import { PassThrough } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { Client } from 'pg';
import xmlrpc from 'xmlrpc';
import { createApp } from '../../src/server/app';
import { type Config, readConfig } from '../../src/base/config';
import { openCredentials } from '../../src/core/auth/credentials';
import { type Database, openDatabase } from '../../src/db/database';
import { createLog } from '../../src/base/log';
import { firstStart } from '../../src/features/system/first-start';
import { addSecret, watchForLeaks } from './leaks';

type Connection = { host: string; port: number; user: string; database: string };

export const rootPassword = 'root-api-password';
export const rootWebPassword = 'root-web-password';

/** The PostgreSQL of the run, as `global-setup.ts` started it. */
export const testPostgres = (): Connection =>
  JSON.parse(process.env['TEST_POSTGRES'] ?? 'null') as Connection;

/** Makes a database, empty or as a copy of the migrated template; answers where it is. */
export async function makeDatabase(from: 'template' | 'empty' = 'template'): Promise<Connection> {
  const database = `t_${randomBytes(6).toString('hex')}`;
  const admin = new Client(testPostgres());
  await admin.connect();
  const { rows } = await admin.query<{ version: number }>(
    "SELECT current_setting('server_version_num')::int AS version",
  );
  // Copying files is the fastest way; before 15 it was the only one, and had no name.
  const strategy = (rows[0]?.version ?? 0) >= 150_000 ? 'STRATEGY file_copy' : '';
  const source = from === 'template' ? `TEMPLATE treeline_template ${strategy}` : 'TEMPLATE template0';
  await admin.query(`CREATE DATABASE ${database} ${source}`);
  await admin.end();
  return { ...testPostgres(), database };
}

export interface TestServer {
  readonly url: string;
  readonly connection: Connection;
  readonly db: Database;
  readonly app: FastifyInstance;
  readonly config: Config;
  /** Everything that was logged so far. */
  readonly logged: () => string;
  /** A caller with a password. */
  readonly as: (login: string, password: string) => Caller;
  readonly root: Caller;
  /** Secrets that were sent or given out, and where they stand although they must not. */
  readonly leaks: () => Promise<string[]>;
  /** Throws where a secret has leaked. */
  readonly close: () => Promise<void>;
}

/** What an XML-RPC answer came to. */
export type Members = Record<string, any>;
export interface FaultAnswer {
  readonly faultCode: number;
  readonly faultString: string;
}

/** Calls methods by name: the result, or a rejection with the fault. */
export interface Caller {
  call(method: string, ...params: unknown[]): Promise<Members>;
  /** The fault that the call must answer. */
  fault(method: string, ...params: unknown[]): Promise<FaultAnswer>;
}

/** Starts a server. `environment` holds settings as they would stand in the environment. */
export async function startServer(
  environment: Record<string, string> = {},
  options: {
    connection?: Connection;
    secret_key?: Buffer;
    /** Nobody listens at its sockets for secrets: its time and its memory are measured. */
    measured?: true;
  } = {},
): Promise<TestServer> {
  const connection = options.connection ?? (await makeDatabase());
  const secret_key = options.secret_key ?? randomBytes(32);
  const config = readConfig({
    PORT: '0',
    ROOT_API_PASSWORD: rootPassword,
    ROOT_WEB_PASSWORD: rootWebPassword,
    LOG_LEVEL: 'debug',
    // The suite guesses wrong from one loopback address far more often than people do.
    TREELINE_FAILURES_PER_ADDRESS: '1000000',
    // On a busy machine a call may wait for long, and is still to succeed.
    TREELINE_POOL_WAIT_MS: '20000',
    ...environment,
  });
  const sink = new PassThrough();
  const lines: string[] = [];
  sink.on('data', (chunk: Buffer) => lines.push(chunk.toString()));
  const log = createLog(config.log_level, false, sink);
  const db = openDatabase({
    connection,
    pool_size: config.pool_size,
    statement_timeout_ms: config.call_timeout_ms,
    acquire_timeout_ms: config.pool_wait_ms,
    slow: { pool_size: config.slow_pool_size, statement_timeout_ms: config.slow_read_timeout_ms },
    limits: config.limits,
  });
  await firstStart(db, config, openCredentials(secret_key, config.secret_key_previous));
  const app = await createApp({ config, db, log, secret_key });
  addSecret(secret_key.toString('base64'), 'SECRET_KEY');
  addSecret(config.root_api_password ?? '', 'ROOT_API_PASSWORD');
  addSecret(config.root_web_password ?? '', 'ROOT_WEB_PASSWORD');
  const logged = (): string => lines.join('');
  const leaks = watchForLeaks(options.measured ? undefined : app.server, logged, connection);
  const url = await app.listen({ host: config.host, port: config.port });
  const as = (login: string, password: string): Caller => basicCaller(url, login, password);
  return {
    url,
    connection,
    db,
    app,
    config,
    logged,
    as,
    root: as('root', rootPassword),
    leaks,
    close: async () => {
      await app.close();
      await db.close();
      const found = await leaks();
      if (found.length > 0) throw new Error(`Secrets got out: ${found.join('; ')}`);
    },
  };
}

/** The npm client `xmlrpc` with Basic, which loopback allows; without a login: for trusted mode. */
export function basicCaller(url: string, login?: string, password?: string): Caller {
  const { hostname, port } = new URL(url);
  const client = xmlrpc.createClient({
    host: hostname,
    port: Number(port),
    path: '/xmlapi/xmlapi',
    ...(login !== undefined && { basic_auth: { user: login, pass: password ?? '' } }),
  });
  const call = (method: string, ...params: unknown[]): Promise<Members> =>
    new Promise((resolve, reject) => {
      client.methodCall(method, params, (error: unknown, value: unknown) => {
        // Errors of Node's own are no instances of the Error that a test sees.
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
        if (error) reject(error);
        else resolve(value as Members);
      });
    });
  return {
    call,
    fault: async (method, ...params) => {
      const answer: unknown = await call(method, ...params).catch((error: unknown) => error);
      if (!isFault(answer)) throw new Error(`${method} answered no fault: ${JSON.stringify(answer)}`);
      return { faultCode: answer.faultCode, faultString: answer.faultString };
    },
  };
}

const isFault = (value: unknown): value is FaultAnswer =>
  typeof value === 'object' && value !== null && 'faultCode' in value && 'faultString' in value;

let serial = 0;
/** A name that no other customer of the run has. */
export const uniqueName = (stem = 'customer'): string => `${stem}-${process.pid}-${(serial += 1)}`;

/** The least that createCustomer takes; `i_tariff` 1 is root's. */
export const newCustomer = (members: Members = {}): Members => ({
  name: uniqueName(),
  web_password: 'correct-horse-1',
  i_tariff: 1,
  ...members,
});

/** A customer that may call: its id, its login and a caller that is it. */
export interface Member {
  readonly i_customer: number;
  readonly name: string;
  readonly as: Caller;
}

export const apiPassword = 'api-password-1';

/** Makes a customer with API access and every right below `parent` (root at first); it is billed by its owner's tariff. */
export async function makeMember(
  server: TestServer,
  parent: Caller = server.root,
  members: Members = {},
): Promise<Member> {
  const params = newCustomer({
    i_tariff: null,
    accounts_mgmt: 7,
    customers_mgmt: 7,
    tariffs_mgmt: 7,
    vouchers_mgmt: 7,
    system_mgmt: 1,
    api_access: 1,
    api_mgmt: 1,
    use_own_tariff: 1,
    did_pool_enabled: true,
    ivr_apps_enabled: true,
    asr_acd_enabled: true,
    debit_credit_cards_enabled: true,
    api_password: apiPassword,
    ...members,
  });
  const { i_customer } = await parent.call('createCustomer', params);
  const name = String(params['name']);
  return {
    i_customer: Number(i_customer),
    name,
    as: server.as(String(params['web_login'] ?? name), apiPassword),
  };
}
