/** Everybody who takes part, each as one function that is told what to do for how long and answers how it went. */
import { randomBytes } from 'node:crypto';
import { settings as allSettings } from '../src/base/config';
import { type CallName, type Series, xmlrpcPath } from './calls';
import type { Ground } from './ground';
import type { Load } from './load';
import { type Absent, openAbyss, openPgbench, openPython } from './outside';
import type { HashingTask } from './peers/hashing';
import type { NaiveTask } from './peers/naive';
import type { OperatorTask } from './peers/operator';
import type { ParsingTask } from './peers/parsing';
import { type Helper, type Server, startHelper, startTreeline } from './processes';
import type { PlainTask } from './record';
import { type Login, type Site, poolSize } from './site';
import { join } from 'node:path';

export const runnerNames = [
  'treeline',
  'reseller',
  'tenant',
  'operator',
  'plain',
  'naive',
  'python',
  'abyss',
  'pgbench',
  'argon2',
  'parsing',
  'workers',
] as const;
export type RunnerName = (typeof runnerNames)[number];

export interface Sample {
  readonly call: CallName;
  readonly spread: number;
  readonly seconds: number;
  readonly connections: number;
  /** About how many calls there will be. */
  readonly foreseen: number;
}

export type Runner = (sample: Sample) => Promise<Load>;
export type Runners = Readonly<Record<RunnerName, Runner | Absent>>;

export interface Everybody {
  readonly runners: Runners;
  /** For another load than ours. */
  readonly plain: Server;
}

/** As many as the command line takes at most. */
const importPoolSize = 8;

/** Starts whoever can take part. */
export async function openRunners(ground: Ground, site: Site): Promise<Everybody> {
  ground.tell('Starting the peers');
  const { connection, population, login, i_wholesaler } = site;
  const { first_i_customer, i_tariff } = population;
  const plainTask: PlainTask = {
    connection,
    pool_size: poolSize,
    import_pool_size: importPoolSize,
    i_wholesaler,
    i_tariff,
    samples: [first_i_customer, first_i_customer + 1],
    login,
    secret_key: site.settings['SECRET_KEY'] ?? '',
  };
  const operatorTask = { settings: site.settings, i_wholesaler, population };
  const hashing = ground.kept(startHelper<HashingTask, Load>('peers/hashing.ts'));
  const parsing = ground.kept(startHelper<ParsingTask, Load>('peers/parsing.ts'));
  const run = (server: Server, how: Pick<Series, 'form' | 'path'> & { login?: Login; expected?: string }) =>
    loadRunner(ground, site, server, how);
  const asked = { form: 'get', path: '/' } as const;
  const called = { form: 'xmlrpc', path: '/RPC2' } as const;
  const plain = await serverOf(ground, startHelper<PlainTask, number>('peers/plain.ts'), plainTask);
  const python = await openPython(ground, site);
  const abyss = await openAbyss(ground);
  const pgbench = await openPgbench(ground, site);
  const runners: Runners = {
    treeline: run(site.treeline, { form: 'xmlrpc', path: xmlrpcPath, login }),
    reseller: run(site.treeline, { form: 'rest', path: '', login }),
    tenant: run(site.treeline, { form: 'tenant', path: '', login }),
    operator: run(
      await serverOf(ground, startHelper<OperatorTask, number>('peers/operator.ts'), operatorTask),
      asked,
    ),
    plain: run(plain, asked),
    naive: run(
      await serverOf(ground, startHelper<NaiveTask, number>('peers/naive.ts'), {
        connection,
        pool_size: poolSize,
      }),
      called,
    ),
    python: 'absent' in python ? python : run(python, called),
    abyss: 'absent' in abyss ? abyss : run(abyss, { ...called, expected: 'Harbour Street' }),
    pgbench: 'absent' in pgbench ? pgbench : ({ seconds, connections }) => pgbench(seconds, connections),
    argon2: ({ seconds, connections }) => hashing.ask({ seconds, connections }),
    parsing: ({ seconds }) => parsing.ask({ seconds, population }),
    workers: await openWorkers(ground, site),
  };
  return { runners, plain };
}

async function serverOf<Task extends object>(
  ground: Ground,
  helper: Helper<Task, number>,
  task: Task,
): Promise<Server> {
  ground.kept(helper);
  return { pid: helper.pid, stop: () => helper.stop(), port: await helper.ask(task) };
}

/** Two processes that share the port, where there is such a setting. */
async function openWorkers(ground: Ground, site: Site): Promise<Runner | Absent> {
  const name = 'TREELINE_WORKERS';
  const isThere = Object.values(allSettings).some((setting) => setting.name === name);
  if (!isThere) return { absent: `${name} is not there` };
  const server = await startTreeline({ ...site.settings, [name]: '2' }, join(ground.folder, 'workers.log'));
  return loadRunner(ground, site, ground.kept(server), {
    form: 'xmlrpc',
    path: xmlrpcPath,
    login: site.login,
  });
}

/** Drives a server with the load; the population and the caller are those of the site. */
export function loadRunner(
  { load }: Ground,
  { db, population }: Site,
  server: Server,
  { login, ...how }: Pick<Series, 'form' | 'path'> & { login?: Login; expected?: string },
): Runner {
  return async ({ call, spread, ...effort }) => {
    // What the measurement before has left to be written is not this one's affair.
    await db.query('CHECKPOINT');
    const { rows } = await db.query<{ pid: number }>('SELECT pid FROM pg_stat_activity');
    const tag = `new-${randomBytes(4).toString('hex')}`;
    return load.ask({
      series: { ...how, call, population, spread, tag },
      port: server.port,
      watched: { server: server.pid, postgres: rows.map(({ pid }) => pid) },
      ...(login && { login }),
      ...effort,
    });
  };
}
