/** Sends inputs to a server that is a process of its own, and watches it: answers, time, log, memory. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { declared } from '../../src/core/schema/schema';
import { openDatabase } from '../../src/db/database';
import { brokenBooks } from '../setup/books';
import { freshNonce } from '../setup/digest-client';
import { methods } from '../setup/docs';
import { connectionString, projectRoot, start, until } from '../setup/processes';
import { type RawAnswer, RawConnection, headersOf } from '../setup/raw-http';
import { readAnswer } from '../setup/read-answer';
import { type Members, makeDatabase } from '../setup/server';
import type { Input, Known, Subject } from './bytes';
import { type Faces, inputOf } from './inputs';
import { makeSubject } from './subject';

export interface Fuzz {
  readonly count: number;
  readonly seed: number;
  /** The number of the first input, to send one again. */
  readonly first?: number;
  readonly onProgress?: (done: number) => void;
  /** Which faces they are for; absent: all. */
  readonly faces?: Faces;
}

export interface Report {
  /** How many inputs of each kind came to what. */
  readonly answers: ReadonlyMap<string, number>;
  readonly slowest_ms: number;
  readonly early_mb: number;
  readonly late_mb: number;
  readonly findings: readonly string[];
}

const soon_ms = 1_000;
/** Generous, for a machine that has other things to do; what is over `soon_ms` is tried again alone. */
const patience_ms = 20_000;
const lanes = 12;
const findingsAtMost = 10;
/** Beyond what a heap wavers by between two collections. */
const growthAtMost_mb = 96;

export async function fuzz({ count, seed, first = 0, onProgress, faces }: Fuzz): Promise<Report> {
  const server = await startFuzzed();
  const known = await whatIsKnown(server);
  const answers = new Map<string, number>();
  const findings: string[] = [];
  let [next, done, slowest_ms, early_mb] = [first, 0, 0, 0];
  const last = first + count;
  const warm = first + Math.min(Math.floor(count / 4), 50_000);
  const lane = async (): Promise<void> => {
    const line = new Line(server.url);
    while (next < last && findings.length < findingsAtMost) {
      const number = next++;
      if (number === warm) early_mb = memoryOf(server.pid);
      if (number % 20_000 === 0) known.nonce = await freshNonce(server.url);
      // What others delete, block or change of it would be in the way of what comes after.
      if (number % 1_000 === 999) known.subject = await makeSubject(server.url, server.password);
      const input = inputOf(seed, number, known, faces);
      const { what, took_ms } = await line.send(input);
      const key = `${input.kind}: ${what}`;
      answers.set(key, (answers.get(key) ?? 0) + 1);
      slowest_ms = Math.max(slowest_ms, took_ms);
      const wrong = what.startsWith('wrong')
        ? what
        : took_ms > soon_ms
          ? await slowAlone(server.url, input)
          : undefined;
      if (wrong !== undefined)
        findings.push(
          `input ${number} of seed ${seed} (${input.kind}): ${wrong}\n${input.bytes.toString('base64').slice(0, 4_000)}`,
        );
      onProgress?.((done += 1));
    }
    line.close();
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  const late_mb = server.hasEnded() ? 0 : memoryOf(server.pid);
  const own = server.complaints();
  const broken = await server.brokenBooks();
  if (Object.keys(broken).length > 0) own.push(`the books: ${JSON.stringify(broken)}`);
  if (early_mb > 0 && late_mb - early_mb > growthAtMost_mb)
    own.push(`memory grew from ${early_mb} to ${late_mb} MB`);
  await server.stop();
  return { answers, slowest_ms: Math.round(slowest_ms), early_mb, late_mb, findings: [...findings, ...own] };
}

/** Sends a slow input again, alone, and says how long it took at best. Other inputs or programs may have slowed it down. */
async function slowAlone(url: string, input: Input): Promise<string | undefined> {
  let best_ms = Infinity;
  for (let tries = 0; tries < 5 && best_ms > soon_ms; tries += 1) {
    const line = new Line(url);
    const { took_ms } = await line.send(input);
    line.close();
    best_ms = Math.min(best_ms, took_ms);
  }
  return best_ms > soon_ms ? `took ${Math.round(best_ms)} ms` : undefined;
}

// ------------------------------------------------------------------ server

async function startFuzzed() {
  const password = randomBytes(12).toString('hex');
  const connection = await makeDatabase();
  const program = start(process.execPath, ['--import', 'tsx', join(projectRoot, 'src', 'main.ts')], {
    env: {
      PORT: '0',
      DATABASE_URL: connectionString(connection),
      SECRET_KEY: randomBytes(32).toString('base64'),
      ROOT_API_PASSWORD: password,
      LOG_LEVEL: 'error',
      TREELINE_API_PHP: 'on',
    },
  });
  const [, url = ''] = await until('the first screen', () =>
    /^Treeline listens on (\S+)\/xmlapi\/xmlapi/m.exec(program.out()),
  );
  let ended = false;
  void program.ended.then(() => (ended = true));
  return {
    url,
    password,
    pid: program.pid,
    hasEnded: () => ended,
    complaints: () => [
      ...(ended ? ['the server ended'] : []),
      ...program
        .out()
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .slice(0, 5),
      ...program
        .err()
        .split('\n')
        .filter((line) => line !== '')
        .slice(0, 5),
    ],
    brokenBooks: async () => {
      const limits = { pool_size: 2, statement_timeout_ms: 30_000, acquire_timeout_ms: 5_000 };
      const db = openDatabase({ connection, ...limits });
      return brokenBooks({ db }).finally(() => db.close());
    },
    stop: async () => {
      if (!ended) process.kill(program.pid, 'SIGTERM');
      await program.ended;
    },
  };
}

async function whatIsKnown({
  url,
  password,
}: {
  url: string;
  password: string;
}): Promise<Known & { nonce: string; subject: Subject }> {
  const names = methods.filter(({ name }) => name !== 'addTrustedHost').map(({ name }) => name);
  const members = methods.flatMap(({ params }) => Object.keys(params.properties));
  const takes = new Map(
    methods.map(({ name, params }) => [
      name,
      Object.entries(params.properties).map(([member, schema]) => [member, declared(schema).wire] as const),
    ]),
  );
  const subject = await makeSubject(url, password);
  const nonce = await freshNonce(url);
  return { password, nonce, methods: names, members: [...new Set(members)], takes, subject };
}

/** Resident memory, in MB. */
const memoryOf = (pid: number): number =>
  Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1_024);

// ----------------------------------------------------------------- sending

interface Sent {
  /** What came, in a word or two; begins with `wrong` where it must not be so. */
  readonly what: string;
  readonly took_ms: number;
}

/** How long a server may think before it is told that nothing more will come; an answer may come before. */
const think_ms = 25;

class Line {
  private kept: RawConnection | undefined;

  constructor(private readonly url: string) {}

  close(): void {
    this.kept?.close();
  }

  async send(input: Input): Promise<Sent> {
    const began = performance.now();
    try {
      const isAlone = input.maybeUnfinished || input.from !== undefined;
      const what = isAlone ? await this.alone(input) : await this.onKept(input);
      return { what, took_ms: performance.now() - began };
    } catch (error) {
      this.kept?.close();
      this.kept = undefined;
      const reason = error instanceof Error ? error.message : String(error);
      return { what: `wrong: ${reason.slice(0, 300)}`, took_ms: performance.now() - began };
    }
  }

  /** A whole request on a connection that others used before: it must be answered. */
  private async onKept(input: Input): Promise<string> {
    for (let attempt = 0; ; attempt += 1) {
      const fresh = this.kept === undefined;
      const connection = (this.kept ??= await RawConnection.open(this.url));
      connection.send(input.bytes);
      const answer = await finalAnswer(connection);
      if (answer && headersOf(answer, 'connection').includes('close')) this.drop();
      if (answer) return judge(answer, input);
      this.drop();
      // The server may have closed it while it was idle; on a new one it has no excuse.
      if (fresh || attempt > 0) return 'wrong: closed without an answer';
    }
  }

  private drop(): void {
    this.kept?.close();
    this.kept = undefined;
  }

  /** Perhaps less, or more, than a request: every answer must be sound, and the end must come. */
  private async alone(input: Input): Promise<string> {
    const connection = await RawConnection.open(
      this.url,
      input.from === undefined ? {} : { localAddress: input.from },
    );
    try {
      connection.send(input.bytes);
      if (!input.maybeUnfinished) {
        const answer = await finalAnswer(connection);
        return answer ? judge(answer, input) : 'wrong: closed without an answer';
      }
      const first = await Promise.race([
        finalAnswer(connection).catch((error: unknown) => error as Error),
        sleep(think_ms),
      ]);
      if (first instanceof Error) throw first;
      if (first) return judge(first, input);
      connection.end();
      const answer = await finalAnswer(connection);
      return answer ? judge(answer, input) : 'closed';
    } finally {
      connection.close();
    }
  }
}

async function finalAnswer(connection: RawConnection): Promise<RawAnswer | undefined> {
  for (;;) {
    const answer = await connection.next(patience_ms);
    if (!answer || answer.status >= 200) return answer;
  }
}

/** Words of stacks, of SQL and of those who speak them. */
const inside =
  /\bat \S+ \(|\.[jt]s:\d|node_modules|node:internal|\/src\/|SELECT |INSERT |UPDATE \w+ SET|relation "|syntax error at|constraint "|FST_ERR|knex/;

const accessChanged = 'The access of the caller was changed during the call, please retry';

/** Checks that an answer is well formed, and a result, a fault or a 4xx. */
function judge({ status, body, headers }: RawAnswer, { json, envelope }: Input): string {
  const text = body.toString();
  const type = headers.find(([name]) => name === 'content-type')?.[1] ?? '';
  const isPage = type.startsWith('text/html') || type.startsWith('text/plain');
  if (!isPage && !text.startsWith('{"openapi"') && inside.test(text))
    return `wrong: it tells of the inside: ${text.slice(0, 300)}`;
  // One input logs out the token of another, which runs at the same time.
  if (text.includes(accessChanged)) return 'access changed';
  if (status >= 500) return `wrong: HTTP ${status} ${text.slice(0, 300)}`;
  // What is no HTTP is answered before there is a face.
  const isRequest = headers.some(([name]) => name === 'x-request-id');
  if (envelope !== undefined && isRequest && !isEnveloped[envelope](status, JSON.parse(text) as Members))
    return `wrong: not in the envelope: ${status} ${text.slice(0, 300)}`;
  if (status !== 200) return `HTTP ${status}`;
  if (type.startsWith('text/xml')) {
    const { fault } = readAnswer(body);
    return fault ? faultIn(fault.faultCode, fault.faultString) : 'result';
  }
  if (type.startsWith('application/json')) JSON.parse(text || 'null');
  return json ? 'result' : 'HTTP 200';
}

const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';

/** Whether an answer looks as every answer of its face. */
const isEnveloped = {
  reseller: (status: number, body: Members): boolean =>
    body['status_code'] === status &&
    isText(body['status_message']) &&
    (status === 200 ? 'result' in body : isText(body['errors']?.[0]?.message) && isText(body['request_id'])),
  tenant: (status: number, body: Members): boolean =>
    status === 200
      ? !('error' in body)
      : ['status', 'reason', 'message', 'request_id'].every((name) => isText(body['error']?.[name])),
};

const faultIn = (code: number, text: string): string =>
  [500, 503].includes(code) ? `wrong: fault ${code} ${text}` : `fault ${code}`;
