/** One database with a Treeline in front, and a wholesaler in it who owns many customers and makes the calls. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Client } from 'pg';
import { type Population, methodCall, xmlrpcPath } from './calls';
import { makeCustomers } from './customers';
import type { Ground } from './ground';
import { type Member, allRights } from './members';
import { type Server, startTreeline } from './processes';
import type { Connection } from './record';

export interface Login {
  readonly name: string;
  readonly password: string;
}

export interface Site {
  readonly name: string;
  readonly connection: Connection;
  readonly db: Client;
  /** The environment of its Treeline. */
  readonly settings: Readonly<Record<string, string>>;
  readonly treeline: Server;
  readonly root: Login;
  /** The wholesaler. */
  readonly login: Login;
  readonly i_wholesaler: number;
  readonly population: Population;
}

/** Connections of Treeline and of its peers to PostgreSQL. */
export const poolSize = 16;

export async function openSite(ground: Ground, name: string, customers: number): Promise<Site> {
  const admin = await ground.connect(ground.connection.database);
  await admin.query(`CREATE DATABASE ${name}`);
  const connection = { ...ground.connection, database: name };
  const root = { name: 'root', password: randomBytes(12).toString('hex') };
  const login = { name: 'bench', password: randomBytes(12).toString('hex') };
  const settings = settingsFor(connection, root);
  const treeline = ground.kept(await startTreeline(settings, join(ground.folder, `${name}.log`)));
  const i_wholesaler = await makeMember({ treeline, login: root }, login, {
    i_tariff: 1,
    balance: 1_000_000,
  });
  const db = await ground.connect(name);
  const population = await makeCustomers(db, i_wholesaler, customers, (made) => {
    ground.tell(`Made ${made.toLocaleString('en')} of ${customers.toLocaleString('en')} customers`);
  });
  return { name, connection, db, settings, treeline, root, login, i_wholesaler, population };
}

/** Makes a call with Basic, which loopback allows; answers the text of the answer, which must hold `expected`. */
export async function callOnce(
  { treeline, login }: Pick<Site, 'treeline' | 'login'>,
  method: string,
  members: Readonly<Record<string, Member>>,
  expected: string,
): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${treeline.port}${xmlrpcPath}`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${login.name}:${login.password}`)}` },
    body: methodCall(method, members),
  });
  const answer = await response.text();
  if (!answer.includes(expected)) throw new Error(`${method} answered ${answer.slice(0, 600)}`);
  return answer;
}

/** Makes a customer that may do everything and log in as `made`, below the caller or below `i_wholesaler`; answers its id. */
export async function makeMember(
  caller: Pick<Site, 'treeline' | 'login'>,
  made: Login,
  members: Readonly<Record<string, Member>>,
): Promise<number> {
  const passwords = { web_password: made.password, api_password: made.password };
  const given = { name: made.name, ...passwords, ...allRights, ...members };
  const answer = await callOnce(caller, 'createCustomer', given, '<name>i_customer</name>');
  return Number(/<name>i_customer<\/name><value><int>(\d+)</.exec(answer)?.[1]);
}

/** As an operator would run it: all else stands at its default, so every call leaves its line in the log. */
function settingsFor(connection: Connection, root: Login): Record<string, string> {
  const { user, database, host, port } = connection;
  return {
    DATABASE_URL: `postgresql://${user}@/${database}?host=${encodeURIComponent(host)}&port=${port}`,
    SECRET_KEY: randomBytes(32).toString('base64'),
    ROOT_API_PASSWORD: root.password,
    ROOT_WEB_PASSWORD: root.password,
    TREELINE_POOL_SIZE: String(poolSize),
  };
}
