/**
 * `treeline doctor`: looks at everything that a server stands on, changes nothing, and says of each
 * whether it is well (✓), worth a look (!) or wrong (✗). A check that fails lets the others go on.
 */
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { type AddressRange, type Config, asRanges } from '../base/config';
import { openCredentials } from '../core/auth/credentials';
import { type Queryable, sql } from '../db/database';
import { schemaState } from '../db/migrations';
import { quickVerifyBooks } from '../features/ledger/verify';
import { hasDatabase, joinStore, type OpenStore } from '../server/store';
import { keptCheck } from '../features/system/first-start';
import { type Shell, commandConfig, commandLog } from './shared/context';
import { Refusal, sentenceOf } from './shared/exit-codes';
import type { Options } from './shared/options';
import { withExamples, withJson } from './shared/method-command';
import { visible } from './shared/output';
import { type Terminal, writeLine } from './shared/terminal';

type State = 'ok' | 'warning' | 'error';

interface Finding {
  readonly check: string;
  readonly state: State;
  readonly text: string;
}

const signs: Readonly<Record<State, string>> = { ok: '✓', warning: '!', error: '✗' };
type Answer = readonly [State, string];

/** Looks at one thing; what it throws is what is wrong. */
async function look(check: string, find: () => Answer | Promise<Answer>): Promise<Finding> {
  try {
    const [state, text] = await find();
    return { check, state, text };
  } catch (error) {
    return { check, state: 'error', text: sentenceOf(error) };
  }
}

async function* examine(terminal: Terminal): AsyncGenerator<Finding> {
  let config: Config;
  try {
    config = commandConfig(terminal);
  } catch (error) {
    yield { check: 'settings', state: 'error', text: sentenceOf(error) };
    return;
  }
  yield { check: 'settings', state: 'ok', text: 'they can all be read' };
  yield await look('disk', () => checkDisk(config));
  yield await look('certificate', () => checkCertificate(config, new Date()));
  if (!hasDatabase(config)) {
    yield {
      check: 'database',
      state: 'warning',
      text: `there is none yet in ${config.data_dir}; the first start makes it`,
    };
    yield checkTrusted('trusted hosts', config.trusted_hosts);
    return;
  }
  yield* examineDatabase(config, terminal);
}

async function* examineDatabase(config: Config, terminal: Terminal): AsyncGenerator<Finding> {
  let store: OpenStore;
  try {
    store = await joinStore(config, commandLog(terminal));
  } catch (error) {
    yield { check: 'database', state: 'error', text: sentenceOf(error) };
    return;
  }
  try {
    const { db } = store;
    const database = await look('database', () => checkVersion(db, store.description));
    yield database;
    if (database.state === 'error') return;
    yield await look('clocks', () => checkClock(db));
    const schema = await look('schema', () => checkSchema(db));
    yield schema;
    yield await look('secret key', () => checkKey(store, config, schema.state === 'ok'));
    const added = schema.state === 'ok' ? await trustedHostsOfTable(db) : [];
    yield checkTrusted('trusted hosts', [...config.trusted_hosts, ...added]);
    if (schema.state === 'ok') yield await look('books', () => checkBooks(db));
  } finally {
    await store.close();
  }
}

const gibibyte = 2 ** 30;

async function checkDisk({ data_dir }: Config): Promise<Answer> {
  const folder = await nearestFolder(data_dir);
  const { bavail, blocks, bsize } = await statfs(folder);
  const free = bavail * bsize;
  const share = blocks > 0 ? bavail / blocks : 0;
  const text = `${(free / gibibyte).toFixed(1)} GiB free where ${data_dir} is, ${Math.floor(share * 100)} %`;
  if (free < gibibyte / 10) return ['error', text];
  return [free < gibibyte || share < 0.05 ? 'warning' : 'ok', text];
}

/** The folder itself need not be there yet. */
async function nearestFolder(path: string): Promise<string> {
  try {
    await stat(path);
    return path;
  } catch (error) {
    const parent = join(path, '..');
    if (parent === path || /^(\.\.\/)*\.\.$/.test(path)) throw error;
    return nearestFolder(parent);
  }
}

const day_ms = 24 * 3_600_000;
const warnBefore_days = 30;

export function checkCertificate({ tls_cert, tls_key, host }: Config, now: Date): Answer {
  if (tls_cert === undefined || tls_key === undefined) {
    const isLocal = /^(127\.|::1$|localhost$)/.test(host);
    return [isLocal ? 'ok' : 'warning', 'none is set: plain HTTP, so TLS must end at a proxy'];
  }
  const certificate = new X509Certificate(readFileSync(tls_cert));
  if (!certificate.checkPrivateKey(createPrivateKey(readFileSync(tls_key)))) {
    return ['error', `${tls_key} is not the key of ${tls_cert}`];
  }
  if (new Date(certificate.validFrom) > now)
    return ['error', `it is not valid before ${certificate.validFrom}`];
  const left_days = Math.floor((new Date(certificate.validTo).getTime() - now.getTime()) / day_ms);
  if (left_days < 0) return ['error', `it expired on ${certificate.validTo}`];
  return [left_days < warnBefore_days ? 'warning' : 'ok', `it is valid for ${left_days} more days`];
}

const versionStatement = sql(
  'doctor_version',
  `SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS version`,
);
const oldestVersion = 14;

async function checkVersion(db: Queryable, description: string): Promise<Answer> {
  const [row] = await db.query<{ number: number; version: string }>(versionStatement);
  const isOld = (row?.number ?? 0) < oldestVersion * 10_000;
  const text = `${description} answers, version ${row?.version ?? 'unknown'}`;
  return isOld ? ['error', `${text}: ${oldestVersion} is the oldest that is supported`] : ['ok', text];
}

const clockStatement = sql(
  'doctor_clock',
  'SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS now_ms',
);

/** Expiries are told by the database, times of calls by the server. */
async function checkClock(db: Queryable): Promise<Answer> {
  const before_ms = Date.now();
  const [row] = await db.query<{ now_ms: number }>(clockStatement);
  const here_ms = (before_ms + Date.now()) / 2;
  const apart_s = Math.abs((row?.now_ms ?? 0) - here_ms) / 1_000;
  const state = apart_s > 30 ? 'error' : apart_s > 2 ? 'warning' : 'ok';
  return [state, `this machine and the database are ${apart_s.toFixed(1)} s apart`];
}

async function checkSchema(db: Queryable): Promise<Answer> {
  const { applied, pending, unknown } = await schemaState(db);
  if (unknown.length > 0)
    return ['error', `it is of a newer version than this program (${unknown.join(', ')})`];
  if (applied.length === 0) return ['warning', 'there is none yet; the first start makes it'];
  if (pending.length === 0) return ['ok', `it is up to date (${applied.at(-1) ?? ''})`];
  return [
    'warning',
    `it is not up to date (${pending.join(', ')}): the next start mends it, or treeline migrate`,
  ];
}

async function checkKey(store: OpenStore, config: Config, hasSchema: boolean): Promise<Answer> {
  const kept = hasSchema ? await keptCheck(store.db) : undefined;
  if (kept === undefined)
    return [
      'warning',
      'the database does not belong to any yet; the first start makes it belong to this one',
    ];
  const { check_value, check_values } = openCredentials(store.secret_key, config.secret_key_previous);
  if (!check_values.includes(kept)) return ['error', 'it is not the one of this database'];
  if (kept !== check_value)
    return ['warning', 'the database is still at the one before: run treeline rotate-key'];
  if (
    config.secret_key === undefined &&
    ((await stat(join(config.data_dir, 'secret.key'))).mode & 0o077) !== 0
  ) {
    return ['warning', 'it fits, but others than its owner can read the file secret.key'];
  }
  return ['ok', 'it is the one of this database'];
}

const trustedStatement = sql(
  'doctor_trusted',
  'SELECT address::text FROM trusted_hosts ORDER BY i_trusted_host',
);

const trustedHostsOfTable = async (db: Queryable): Promise<readonly AddressRange[]> =>
  (await db.query<{ address: string }>(trustedStatement)).flatMap(({ address }) => asRanges(address));

/** A whole company fits into these; what is wider is hardly meant. */
const widest = { ipv4: 8, ipv6: 32 } as const;

function checkTrusted(check: string, ranges: readonly AddressRange[]): Finding {
  const shown = (found: readonly AddressRange[]): string =>
    found.map(([network, bits]) => `${network.toString()}/${bits}`).join(', ');
  const all = ranges.filter(([, bits]) => bits === 0);
  if (all.length > 0) {
    return { check, state: 'error', text: `everybody is trusted and needs no password: ${shown(all)}` };
  }
  const wide = ranges.filter(([network, bits]) => bits < widest[network.kind()]);
  if (wide.length > 0) return { check, state: 'warning', text: `very wide: ${shown(wide)}` };
  return { check, state: 'ok', text: ranges.length > 0 ? shown(ranges) : 'none' };
}

async function checkBooks(db: Queryable): Promise<Answer> {
  const wrong = await quickVerifyBooks(db);
  if (wrong.length === 0) return ['ok', 'their sums are right; verify-books looks at every account'];
  return ['error', `their sums are wrong in ${wrong.join(', ')}: treeline verify-books names the accounts`];
}

async function examineAll(terminal: Terminal, json: boolean): Promise<void> {
  const findings: Finding[] = [];
  for await (const finding of examine(terminal)) {
    findings.push(finding);
    const { check, state, text } = finding;
    if (!json) await writeLine(terminal.stdout, `${signs[state]} ${check}: ${visible(text)}`);
  }
  if (json) await writeLine(terminal.stdout, JSON.stringify(findings, undefined, 2));
  const wrong = findings.filter(({ state }) => state === 'error').map(({ check }) => check);
  if (wrong.length > 0) throw new Refusal(`Not in order: ${wrong.join(', ')}`);
}

export function addDoctor(program: Command, shell: Shell): void {
  const command = withJson(program.command('doctor')).description(
    'Looks at settings, database, clocks, disk, certificate, trusted hosts and books; exit code 1 if anything is wrong.',
  );
  withExamples(command, ['treeline doctor', 'treeline doctor --json']).action((options: Options) =>
    examineAll(shell.terminal, options['json'] === true),
  );
}
