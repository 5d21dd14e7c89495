/** What a server keeps in memory: idle, after very many calls, while it answers a list of any length, and while it imports. */
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { methodCall, xmlrpcPath } from './calls';
import type { Ground } from './ground';
import { type Server, startTreeline } from './processes';
import { loadRunner } from './runners';
import type { Site } from './site';

export interface Memory {
  readonly idle_mb: number;
  /** How many calls there were, and what was kept after the first of them and after the last, idle again. */
  readonly calls: number;
  readonly warm_mb: number;
  readonly used_mb: number;
  readonly listed: number;
  /** The most while the whole list went to a fast and to a slow reader. */
  readonly fast: Listed;
  readonly slow: Listed;
  readonly wrong: string;
}

export interface Listed {
  readonly peak_mb: number;
  readonly took_s: number;
}

const settle_ms = 3_000;
const warmCalls = 20_000;
const callsAtOnce_s = 20;

export async function measureMemory(ground: Ground, site: Site, calls: number): Promise<Memory> {
  const start = async (name: string): Promise<Server> =>
    ground.kept(await startTreeline(site.settings, join(ground.folder, `${name}.log`)));

  const server = await start('idle');
  await sleep(settle_ms);
  const idle_mb = residentOf(server.pid).now_mb;
  const used = await manyCalls(ground, site, server, calls);
  await server.stop();

  ground.tell('Listing everybody');
  const lister = await start('list');
  const fast = await listAll(site, lister, 0);
  await lister.stop();
  const slowLister = await start('slow-list');
  const slow = await listAll(site, slowLister, slowPause_ms);
  await slowLister.stop();

  const listed = await ownedBy(site);
  const wrong = [used.wrong, ...[fast, slow].map((list) => wrongList(list.count, listed))].join('');
  return { idle_mb, ...used, calls, listed, fast, slow, wrong };
}

const wrongList = (count: number, expected: number): string =>
  count === expected ? '' : `A list of ${expected} had ${count} members\n`;

async function manyCalls(ground: Ground, site: Site, server: Server, calls: number) {
  const how = { form: 'xmlrpc', path: xmlrpcPath, login: site.login } as const;
  const runner = loadRunner(ground, site, server, how);
  const effort = { call: 'info', spread: site.population.count, connections: 32 } as const;
  let made = 0;
  let wrong = '';
  const run = async (seconds: number, foreseen: number): Promise<number> => {
    const load = await runner({ ...effort, seconds, foreseen });
    made += Math.round(load.calls_per_s * seconds);
    wrong ||= load.firstWrong;
    return load.calls_per_s;
  };
  let rate = await run(1, 0);
  while (made < Math.min(warmCalls, calls / 2)) rate = await run(1, Math.ceil(rate));
  await sleep(settle_ms);
  const warm_mb = residentOf(server.pid).now_mb;
  while (made < calls) {
    const seconds = Math.min(callsAtOnce_s, Math.max(0.5, (calls - made) / rate));
    rate = await run(seconds, Math.ceil(rate * seconds));
    ground.tell(`${made.toLocaleString('en')} of ${calls.toLocaleString('en')} calls`);
  }
  await sleep(settle_ms);
  return { warm_mb, used_mb: residentOf(server.pid).now_mb, wrong };
}

/** The memory of a process that is in use now, and the most that ever was; NaN where there is no /proc, or no such process. */
export function residentOf(pid: number): { readonly now_mb: number; readonly peak_mb: number } {
  let status = '';
  try {
    status = readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    // It ended, or there is no /proc.
  }
  const read = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? Number.NaN) / 1_024;
  return { now_mb: read('VmRSS'), peak_mb: read('VmHWM') };
}

/** Between two pieces of at most 64 KB, so that a reader takes some ten megabytes a second. */
const slowPause_ms = 5;

/** listCustomers without a limit, counted as it comes. */
async function listAll(site: Site, { port, pid }: Server, pause_ms: number) {
  const began = performance.now();
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    request(
      {
        port,
        host: '127.0.0.1',
        path: xmlrpcPath,
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`${site.login.name}:${site.login.password}`)}` },
      },
      resolve,
    )
      .on('error', reject)
      .end(methodCall('listCustomers', {}));
  });
  let count = 0;
  let rest = '';
  answer.setEncoding('utf8');
  for await (const piece of answer) {
    const parts = (rest + String(piece)).split('<name>web_login</name>');
    count += parts.length - 1;
    // What was searched for may have come only in part.
    rest = (parts.at(-1) ?? '').slice(-40);
    if (pause_ms > 0) await sleep(pause_ms);
  }
  if (!rest.includes('</methodResponse>')) count = -1;
  return { count, peak_mb: residentOf(pid).peak_mb, took_s: (performance.now() - began) / 1_000 };
}

async function ownedBy({ db, i_wholesaler }: Site): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM customers WHERE i_wholesaler = $1 AND deleted_at IS NULL',
    [i_wholesaler],
  );
  return rows[0]?.count ?? 0;
}
