/** Peers that are not written in Node, where the machine has what they need; else the reason why they are absent. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { customerColumns } from '../src/features/customers/fields';
import type { Ground } from './ground';
import type { Load } from './load';
import { freePort, projectRoot, startServer, type Server } from './processes';
import type { Connection } from './record';
import type { Site } from './site';

const run = promisify(execFile);

export interface Absent {
  readonly absent: string;
}

export const rowColumns = ['i_customer', 'i_wholesaler', 'base_currency', 'blocked', ...customerColumns];

/** Python's xmlrpc.server with threads, and psycopg2. */
export async function openPython(ground: Ground, { connection }: Site): Promise<Server | Absent> {
  for (const python of ['python3', '/usr/bin/python3']) {
    const works = await run(python, ['-c', 'import psycopg2']).catch(() => undefined);
    if (!works) continue;
    const task = JSON.stringify({ ...connection, columns: rowColumns });
    const file = join(projectRoot, 'bench', 'peers', 'threading_server.py');
    return ground.kept(await startServer(python, [file, task], join(ground.folder, 'python.log')));
  }
  return { absent: 'Python with psycopg2 (Debian: python3-psycopg2) is not installed' };
}

/** xmlrpc-c's Abyss server, compiled here. */
export async function openAbyss(ground: Ground): Promise<Server | Absent> {
  const binary = join(ground.folder, 'abyss');
  const source = join(projectRoot, 'bench', 'peers', 'abyss.c');
  try {
    const { stdout } = await run('xmlrpc-c-config', ['abyss-server', '--libs']);
    await run('gcc', ['-O2', '-o', binary, source, ...stdout.split(/\s+/).filter((word) => word !== '')]);
  } catch {
    return { absent: 'gcc or xmlrpc-c (Debian: libxmlrpc-core-c3-dev) is not installed' };
  }
  const port = String(await freePort());
  const options = { input: rowColumns.join('\n') };
  return ground.kept(await startServer(binary, [port], join(ground.folder, 'abyss.log'), options));
}

/** Where Debian keeps it when it is not in the path. */
function pgbenchFile(): string {
  const folder = '/usr/lib/postgresql';
  const versions = existsSync(folder) ? readdirSync(folder).sort() : [];
  const files = versions.map((version) => join(folder, version, 'bin', 'pgbench'));
  return files.findLast((file) => existsSync(file)) ?? 'pgbench';
}

export type Pgbench = (seconds: number, clients: number) => Promise<Load>;

/** pgbench with the prepared SELECT of the whole row. */
export async function openPgbench(ground: Ground, site: Site): Promise<Pgbench | Absent> {
  const program = pgbenchFile();
  const works = await run(program, ['--version']).catch(() => undefined);
  if (!works) return { absent: 'pgbench (Debian: postgresql-contrib) is not installed' };
  const { first_i_customer, count } = site.population;
  const script = join(ground.folder, 'info.sql');
  writeFileSync(
    script,
    `\\set id random(${first_i_customer}, ${first_i_customer + count - 1})\n` +
      `SELECT ${rowColumns.join(', ')} FROM customers WHERE i_customer = :id;\n`,
  );
  return async (seconds, clients) => {
    const effort = [
      '-n',
      '-M',
      'prepared',
      '-c',
      String(clients),
      '-T',
      String(Math.max(1, Math.round(seconds))),
    ];
    const words = [...effort, '-f', script, ...where(site.connection)];
    const { stdout } = await run(program, words);
    const calls_per_s = Number(/^tps = ([\d.]+)/m.exec(stdout)?.[1]);
    const median_ms = Number(/^latency average = ([\d.]+)/m.exec(stdout)?.[1]);
    const failed = Number(/^number of failed transactions: (\d+)/m.exec(stdout)?.[1] ?? 0);
    return { calls_per_s, median_ms, p99_ms: Number.NaN, wrong: failed, firstWrong: stdout, stale: 0 };
  };
}

const where = ({ host, port, user, database }: Connection): string[] => [
  ...['-h', host, '-p', String(port), '-U', user],
  database,
];

/** A peer under wrk or else autocannon, for so many whole seconds: whether our own load counts as they do. */
export async function crossCheck(url: string, connections: number, seconds: number) {
  const wrk = await run('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, url]).catch(() => undefined);
  const rate = /Requests\/sec: *([\d.]+)/.exec(wrk?.stdout ?? '')?.[1];
  if (rate !== undefined) return { tool: 'wrk', calls_per_s: Number(rate) };
  const words = ['--no-install', 'autocannon', '-j', '-c', String(connections), '-d', String(seconds), url];
  const { stdout } = await run('npx', words, { cwd: projectRoot, maxBuffer: 2 ** 24 });
  const { requests } = JSON.parse(stdout) as { requests: { average: number } };
  return { tool: 'autocannon', calls_per_s: requests.average };
}
