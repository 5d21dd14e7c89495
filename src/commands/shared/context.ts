/**
 * What a command works with: the same core as the server's, on the same database, called through
 * the same dispatch, so that rules and audit records are those of the wire. The caller is an
 * operator, who acts as root, or with `--as` as somebody else.
 */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'winston';
import { type Config, readConfig } from '../../base/config';
import { noAuthCache } from '../../core/auth/auth-cache';
import { openCredentials } from '../../core/auth/credentials';
import { type Core, type Outcome, dispatch } from '../../core/call/dispatch';
import type { Method } from '../../core/call/method';
import { type Check, compileCheck } from '../../core/schema/parameters';
import type { Registry } from '../../core/call/registry';
import { createTurns } from '../../core/fairness/turns';
import type { Struct, Value } from '../../core/schema/values';
import { schemaState, migrate } from '../../db/migrations';
import { Fault } from '../../base/faults';
import { createLog } from '../../base/log';
import { type OpenStore, hasDatabase, joinStore } from '../../server/store';
import { assertKey } from '../../features/system/first-start';
import { createOutbox } from '../../api/tenant/webhooks/outbox';
import { Refusal } from './exit-codes';
import { operatorMethods } from '../operator-methods';
import type { Row } from './output';
import type { Terminal } from './terminal';

/** What `cli.ts` hands to every command. */
export interface Shell {
  readonly terminal: Terminal;
  readonly version: string;
  /** The methods of the wire. */
  readonly methods: (core: () => Core) => readonly Method[];
  /** Runs the server until it is stopped. */
  readonly serve: () => Promise<void>;
}

/** The declaration of a method of the wire, or of one that only operators have. */
export function methodNamed(shell: Shell, name: string): Method {
  const noCore = (): never => {
    throw new Error('A declaration was asked for; nothing is called here');
  };
  const method = [...shell.methods(noCore), ...operatorMethods].find((one) => one.name === name);
  if (!method) throw new Error(`There is no method ${name}`);
  return method;
}

export interface Context {
  readonly config: Config;
  readonly core: Core;
  readonly store: OpenStore;
  /** `--as`. */
  readonly i_wholesaler: number | undefined;
  /** Names of the migrations that ran now. */
  readonly migrated: readonly string[];
}

export interface SessionOptions {
  /** `--as`: a customer by id or by name. */
  readonly as?: string | undefined;
  /** Whether the schema must be up to date already, or is brought so. */
  readonly schema?: 'demand' | 'migrate';
  /** `leave`: whether SECRET_KEY is that of the database is looked at by the command itself. */
  readonly key?: 'leave';
}

/** Long work, such as sorting the books, is not a call and has all the time it needs; nor does anybody wait for an answer. */
const statementTimeout_ms = 24 * 3_600_000;
const poolWait_ms = 600_000;
/** An import gets no faster with more, and leaves some to the servers. */
const connectionsAtMost = 8;

/** Opens the database for one command and closes it again. */
export async function inSession<T>(
  shell: Shell,
  options: SessionOptions,
  work: (context: Context) => Promise<T>,
): Promise<T> {
  const config = commandConfig(shell.terminal);
  if (options.schema !== 'migrate' && !hasDatabase(config)) {
    throw new Refusal(
      `There is no database in ${config.data_dir}: start the server once, or run treeline migrate`,
    );
  }
  const log = commandLog(shell.terminal);
  const store = await joinStore(config, log);
  try {
    const migrated = options.schema === 'migrate' ? await migrate(store.db.knex) : [];
    await assertSchema(store);
    const core = createCore(shell, config, store, log);
    if (options.key !== 'leave') await assertKey(store.db, core.credentials);
    const context: Context = { config, core, store, migrated, i_wholesaler: undefined };
    if (options.as === undefined) return await work(context);
    return await work({ ...context, i_wholesaler: await findCustomer(context, options.as) });
  } finally {
    await store.close();
  }
}

export function commandConfig({ env }: Terminal): Config {
  const config = readConfig(env);
  return {
    ...config,
    // What somebody mistyped here must not be silence, whatever old callers of the wire are granted.
    unknown_parameters: 'refuse',
    call_timeout_ms: statementTimeout_ms,
    pool_wait_ms: poolWait_ms,
    pool_size: Math.min(config.pool_size, connectionsAtMost),
  };
}

/** Commands tell what went wrong; that every call is logged matters to servers. */
export const commandLog = ({ stderr }: Terminal): Logger => createLog('warn', true, stderr);

async function assertSchema({ db }: OpenStore): Promise<void> {
  const { pending, unknown } = await schemaState(db);
  if (unknown.length > 0) {
    throw new Refusal(`The database is of a newer version than this program (${unknown.join(', ')})`);
  }
  if (pending.length > 0) {
    throw new Refusal(
      `The schema is not up to date (${pending.join(', ')}): start the server, or run treeline migrate`,
    );
  }
}

function createCore(shell: Shell, config: Config, store: OpenStore, log: Logger): Core {
  const core: Core = {
    config,
    db: store.db,
    authCache: noAuthCache,
    turns: createTurns(config),
    log,
    credentials: openCredentials(store.secret_key, config.secret_key_previous),
    registry: registryOf([...shell.methods(() => core), ...operatorMethods]),
    onChange: createOutbox(config),
    observe: () => undefined,
  };
  return core;
}

/** To compile all checks takes longer than most commands, which make a call or two: only theirs are compiled. */
function registryOf(methods: readonly Method[]): Registry {
  return new Map(methods.map((method) => [method.name, { method, check: lazyCheck(method) }]));
}

function lazyCheck({ params }: Method): Check {
  let compiled: Check | undefined;
  const check = (): Check => (compiled ??= compileCheck(params));
  return {
    read: (...given) => check().read(...given),
    checkExpensive: (given) => {
      check().checkExpensive(given);
    },
  };
}

/** Makes one call; what comes of it may be a fault. */
export function attempt(
  context: Context,
  method: string,
  members: Readonly<Record<string, Value>> | Struct,
  request_id: string = randomUUID(),
): Promise<Outcome> {
  const struct: Struct = new Map(members instanceof Map ? members : Object.entries(members));
  if (context.i_wholesaler !== undefined && !struct.has('i_wholesaler')) {
    struct.set('i_wholesaler', context.i_wholesaler);
  }
  const caller = { kind: 'operator', address: 'local' } as const;
  return dispatch(context.core, {
    request_id,
    caller,
    deadline: Infinity,
    read: () => ({ method, members: struct }),
  });
}

/** Makes one call; throws its fault. */
export async function call(
  context: Context,
  method: string,
  members: Readonly<Record<string, Value>> | Struct,
): Promise<Row> {
  const outcome = await attempt(context, method, members);
  if (outcome instanceof Fault) throw outcome;
  return outcome.result as Row;
}

/** What is written before a name that is all digits, which would else be an id. */
const namePrefix = 'name:';

/** The id of a customer that is given by id or by name. */
export async function findCustomer(context: Context, text: string): Promise<number> {
  const member = customerMember(text);
  if ('i_customer' in member) return member.i_customer;
  const { customer } = await call(context, 'getCustomerInfo', member);
  return (customer as { i_customer: number }).i_customer;
}

/** How a customer on the command line is named to a method that takes ids and names. */
export function customerMember(text: string): { i_customer: number } | { name: string } {
  if (/^\d{1,15}$/.test(text)) return { i_customer: Number(text) };
  return { name: text.startsWith(namePrefix) ? text.slice(namePrefix.length) : text };
}

/** The name of a customer as the command line takes it. */
export const customerText = (name: string): string =>
  /^\d+$/.test(name) || name.startsWith(namePrefix) ? `${namePrefix}${name}` : name;

/** Attributes that refer to a customer. */
const references = ['i_commission_agent'];

/** The members with ids where customers were given by name. */
export async function withIds(context: Context, members: Struct): Promise<Struct> {
  const found: Struct = new Map(members);
  for (const reference of references) {
    const text = members.get(reference);
    if (typeof text === 'string') found.set(reference, await findCustomer(context, text));
  }
  return found;
}
