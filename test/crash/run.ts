/**
 * Eight clients write, and in the midst of it the server, its database or both are killed by SIGKILL.
 * Afterwards every acknowledged write must be there, every other one whole or absent, the books exact.
 */
import { randomInt } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDatabase } from '../../src/db/database';
import { runningEmbedded } from '../../src/db/embedded/embedded';
import { type Client, type Outcome, openClient } from '../model/client';
import { type Members, text } from '../model/world';
import { brokenBooks } from '../setup/books';
import { type Program, projectRoot, start, until } from '../setup/processes';

export interface Round {
  readonly killed: 'server' | 'database' | 'both';
  readonly acknowledged: number;
  readonly unknown: number;
  /** From the kill to the first answer of health/ready. */
  readonly back_ms: number;
}

const clients = 8;
const password = 'crash-api-password';
const login = { by: 'basic', login: 'root', password } as const;

interface Running {
  readonly url: string;
  readonly program: Program;
}

export async function crash(rounds: number, onRound: (round: Round, done: number) => void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'treeline-crash-'));
  // PostgreSQL does not run as root; whoever it runs as must reach the folder.
  chmodSync(folder, 0o755);
  const data_dir = join(folder, 'data');
  let running: Running | undefined;
  try {
    running = await startOn(data_dir);
    const writers = await Promise.all(
      Array.from({ length: clients }, (_, index) => newWriter(running as Running, index)),
    );
    for (let done = 1; done <= rounds; done += 1) {
      const killed = (['server', 'database', 'both'] as const)[(done - 1) % 3] ?? 'both';
      const round = await oneRound(running, writers, data_dir, killed);
      running = round.running;
      onRound(round, done);
    }
  } finally {
    if (running) await stop(running.program, 'SIGTERM');
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function oneRound(
  running: Running,
  writers: readonly Writer[],
  data_dir: string,
  killed: Round['killed'],
) {
  let over = false;
  const client = openClient(running.url);
  const working = writers.map((writer) => write(client, writer, () => over));
  await sleep(randomInt(200, 1_200));
  const began = performance.now();
  if (killed !== 'server') killDatabase(data_dir);
  if (killed !== 'database') await stop(running.program, 'SIGKILL');
  // Some go on calling while nobody answers.
  await sleep(randomInt(0, 100));
  over = true;
  await Promise.all(working);
  client.close();

  const next = killed === 'database' ? running : await startOn(data_dir);
  await until('a server that is ready', () => isReady(next.url));
  const back_ms = Math.round(performance.now() - began);
  const [acknowledged, unknown] = [count(writers, 'acknowledged'), count(writers, 'unknown')];
  const after = openClient(next.url);
  for (const writer of writers) await verify(after, writer);
  after.close();
  await proveBooks(data_dir);
  return { running: next, killed, acknowledged, unknown, back_ms };
}

const isReady = (url: string): Promise<boolean> =>
  fetch(`${url}/health/ready`).then(
    ({ ok }) => ok,
    () => false,
  );

// ---------------------------------------------------------------- processes

async function startOn(data_dir: string): Promise<Running> {
  const program = start(process.execPath, ['--import', 'tsx', join(projectRoot, 'src', 'main.ts')], {
    env: { PORT: '0', DATA_DIR: data_dir, ROOT_API_PASSWORD: password, LOG_LEVEL: 'error' },
  });
  const [, url = ''] = await until('the first screen', () => {
    if (program.child.exitCode !== null) throw new Error(`The server did not start: ${program.err()}`);
    return /^Treeline listens on (\S+)\/xmlapi\/xmlapi/m.exec(program.out());
  });
  return { url, program };
}

async function stop({ child, pid, ended }: Program, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) process.kill(pid, signal);
  await ended;
}

/** The postmaster and every process that it started. */
function killDatabase(data_dir: string): void {
  const [postmaster = ''] = readFileSync(join(data_dir, 'postgres', 'postmaster.pid'), 'utf8').split('\n');
  const pids = readFileSync(`/proc/${postmaster}/task/${postmaster}/children`, 'utf8').trim().split(' ');
  for (const pid of [postmaster, ...pids].map(Number).filter((each) => each > 1)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself meanwhile.
    }
  }
}

async function proveBooks(data_dir: string): Promise<void> {
  const connection = await runningEmbedded(data_dir);
  if (!connection) throw new Error('The database does not run');
  const db = openDatabase({
    connection,
    pool_size: 1,
    statement_timeout_ms: 30_000,
    acquire_timeout_ms: 10_000,
  });
  const broken = await brokenBooks({ db });
  await db.close();
  if (Object.keys(broken).length > 0) throw new Error(`The books are wrong: ${JSON.stringify(broken)}`);
}

// ------------------------------------------------------------------ writing

/** One write of a round, and what its client heard of it. */
interface Write {
  readonly method: string;
  readonly params: Members;
  heard: 'unknown' | 'acknowledged';
  i_payment?: number;
}

interface Writer {
  readonly name: string;
  readonly i_customer: number;
  /** What the balance must be, in cents. */
  balance: number;
  /** The greatest number whose update was acknowledged. */
  updated: number;
  serial: number;
  writes: Write[];
}

const count = (writers: readonly Writer[], heard: Write['heard']): number =>
  writers.flatMap(({ writes }) => writes).filter((each) => each.heard === heard).length;

async function newWriter({ url }: Running, index: number): Promise<Writer> {
  const client = openClient(url);
  const name = `writer ${index}`;
  const made = resultOf(
    await call(client, 'createCustomer', { name, web_password: 'correct-horse-1', i_tariff: 1 }),
  );
  client.close();
  return { name, i_customer: Number(made['i_customer']), balance: 0, updated: 0, serial: 0, writes: [] };
}

const call = (client: Client, method: string, params: Members): Promise<Outcome> =>
  client.call({ face: 'xml', proof: login }, method, params);

function resultOf(outcome: Outcome): Members {
  if (!('result' in outcome)) throw new Error(`Answered ${JSON.stringify(outcome)}`);
  return outcome.result as Members;
}

/** Writes one after the other until told to stop; nothing that is heard after an answer is missed. */
async function write(client: Client, writer: Writer, isOver: () => boolean): Promise<void> {
  writer.writes = [];
  while (!isOver()) {
    const next: Write = { ...nextWrite(writer), heard: 'unknown' };
    writer.writes.push(next);
    const outcome = await call(client, next.method, next.params).catch(() => undefined);
    if (outcome === undefined || ('fault' in outcome && outcome.fault === 503)) {
      await sleep(20);
      continue;
    }
    next.heard = 'acknowledged';
    next.i_payment = Number(resultOf(outcome)['i_payment']);
  }
}

function nextWrite(writer: Writer): Pick<Write, 'method' | 'params'> {
  const { i_customer, name } = writer;
  const serial = (writer.serial += 1);
  const roll = serial % 4;
  if (roll === 0)
    return { method: 'updateCustomer', params: { i_customer, description: `${serial}`, city: `${serial}` } };
  if (roll === 1) {
    return {
      method: 'createCustomer',
      params: { name: `${name}.${serial}`, web_password: 'correct-horse-1', i_tariff: 1, balance: 7.5 },
    };
  }
  const method = roll === 2 ? 'customerAddFunds' : 'customerDebit';
  const amount = roll === 2 ? 3.25 : 1.5;
  return { method, params: { i_customer, amount, currency: 'USD', idempotency_key: `${name}.${serial}` } };
}

// ---------------------------------------------------------------- verifying

async function verify(client: Client, writer: Writer): Promise<void> {
  let lastUpdate = writer.updated;
  const possible = new Set([writer.updated]);
  for (const each of writer.writes) {
    if (each.method === 'updateCustomer') {
      const number = Number(each.params['city']);
      if (each.heard === 'acknowledged') {
        lastUpdate = number;
        possible.clear();
      }
      possible.add(number);
    } else if (each.method === 'createCustomer') {
      await verifyCreation(client, each);
    } else {
      await verifyFunds(client, writer, each);
    }
  }
  const { customer } = resultOf(await call(client, 'getCustomerInfo', { i_customer: writer.i_customer }));
  const { balance, city, description } = customer as Members;
  const number = Number(city ?? 0);
  demand(
    city === description,
    `${writer.name}: an update is there in part: ${text(city)}, ${text(description)}`,
  );
  demand(
    number >= lastUpdate && possible.has(number),
    `${writer.name}: update ${number} is there, and ${lastUpdate} was acknowledged`,
  );
  demand(
    Math.round(Number(balance) * 100) === writer.balance,
    `${writer.name}: the balance is ${text(balance)}, not ${writer.balance / 100}`,
  );
  writer.updated = number;
}

/** Sent again with its key it must be the payment that was acknowledged; unheard of, it happens now at the latest. */
async function verifyFunds(
  client: Client,
  writer: Writer,
  { method, params, heard, i_payment }: Write,
): Promise<void> {
  const answer = resultOf(await call(client, method, params));
  const same = heard === 'unknown' || answer['i_payment'] === i_payment;
  demand(
    same,
    `${method} ${JSON.stringify(params)} was payment ${i_payment ?? ''} and is ${text(answer['i_payment'])}`,
  );
  writer.balance += Math.round(Number(params['amount']) * 100) * (method === 'customerDebit' ? -1 : 1);
}

async function verifyCreation(client: Client, { params, heard }: Write): Promise<void> {
  const { name = null } = params;
  const outcome = await call(client, 'getCustomerInfo', { name });
  const absent = 'fault' in outcome && outcome.fault === 404;
  demand(!(absent && heard === 'acknowledged'), `${text(name)} was acknowledged and is not there`);
  if (absent) return;
  const { customer } = resultOf(outcome);
  const { i_customer = null, balance } = customer as Members;
  const { closing } = resultOf(await call(client, 'getStatement', { i_customer }));
  const users = resultOf(await call(client, 'listWebUsers', { i_customer }))[
    'web_users'
  ] as readonly unknown[];
  demand(balance === 7.5 && closing === 7.5 && users.length === 2, `${text(name)} is there in part`);
}

function demand(isSo: boolean, otherwise: string): void {
  if (!isSo) throw new Error(otherwise);
}
