/**
 * What the peers repeat: the statements of a customerAddFunds and the rows of a createCustomer and an updateCustomer,
 * taken from a Treeline that runs in this process for a moment, on the database of the measurements.
 */
import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { recorded } from '../test/setup/recording';
import { type Caller, startServer } from '../test/setup/server';
import { newMembers } from './calls';
import { type Replay, replayOf } from './replay';
import { type Statement, changesOf, insertsOf, rowsOf, templatesOf } from './rows';

export interface Connection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

export interface PlainTask {
  readonly connection: Connection;
  readonly pool_size: number;
  /** As many connections as an import takes at most. */
  readonly import_pool_size: number;
  readonly i_wholesaler: number;
  readonly i_tariff: number;
  /** Two of its customers, about whom Treeline is listened to. */
  readonly samples: readonly [number, number];
  readonly login: { readonly name: string; readonly password: string };
  readonly secret_key: string;
}

export interface Recordings {
  /** The statements that credit a customer. */
  readonly funds: Replay;
  /** The rows of a customer with a password, and of one without. */
  readonly created: readonly Statement[];
  readonly imported: readonly Statement[];
  /** The rows of a customer with another company name. */
  readonly updated: readonly Statement[];
}

export async function recordTreeline(task: PlainTask): Promise<Recordings> {
  const server = await startServer(
    { LOG_LEVEL: 'error' },
    { connection: task.connection, secret_key: Buffer.from(task.secret_key, 'base64') },
  );
  const db = new Client({ ...task.connection, ssl: false });
  await db.connect();
  try {
    const caller = server.as(task.login.name, task.login.password);
    const created = await createdRows(db, caller, task);
    return {
      funds: await fundsReplay(caller, task.samples),
      created,
      imported: created.filter(({ name }) => name !== 'insert_api_credentials').map(withoutPassword),
      updated: await updatedRows(db, caller, task.samples[0]),
    };
  } finally {
    await db.end();
    await server.close();
  }
}

/** Without those that prove the login: the peers ask nobody who he is. */
async function fundsReplay(caller: Caller, samples: readonly [number, number]): Promise<Replay> {
  const call = (i_customer: number): Promise<unknown> =>
    caller.call('customerAddFunds', { i_customer, amount: 0.01, currency: 'USD' });
  // Connections and statements are made at the first call.
  for (const i_customer of samples) await call(i_customer);
  const proving = await recorded(() => caller.call('system.listMethods'));
  const texts = new Set(proving.map(({ text }) => text));
  const record = async (i_customer: number) => {
    const heard = await recorded(() => call(i_customer));
    // Calls name their statements; a connection without any only listens for announcements.
    const calling = new Set(
      heard.flatMap(({ name, connection }) => (name === undefined ? [] : [connection])),
    );
    const statements = heard.filter(({ text, connection }) => calling.has(connection) && !texts.has(text));
    return { i_customer, statements };
  };
  return replayOf(await record(samples[0]), await record(samples[1]));
}

async function createdRows(db: Client, caller: Caller, task: PlainTask): Promise<Statement[]> {
  const name = `template-${randomBytes(4).toString('hex')}`;
  const population = { first_i_customer: task.samples[0], count: 1, i_tariff: task.i_tariff };
  const { i_customer } = await caller.call('createCustomer', newMembers(name, population));
  const rows = await rowsOf(db, Number(i_customer));
  return templatesOf(insertsOf(rows), Number(i_customer), name);
}

/** The hash is the only text of its kind among the values. */
const withoutPassword = (statement: Statement): Statement => ({
  ...statement,
  values: statement.values.map((value) => (value?.startsWith('$argon2') ? null : value)),
});

async function updatedRows(db: Client, caller: Caller, i_customer: number): Promise<Statement[]> {
  const update = async (company_name: string) => {
    await caller.call('updateCustomer', { i_customer, company_name });
    return rowsOf(db, i_customer);
  };
  const [before] = await update('Before');
  const company_name = `Template ${randomBytes(4).toString('hex')}`;
  const statements = changesOf(before?.rows[0] ?? {}, await update(company_name));
  return templatesOf(statements, i_customer, company_name);
}
