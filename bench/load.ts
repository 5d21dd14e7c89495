/**
 * The load: a process that keeps a number of connections busy, each with one request at a time.
 * It speaks HTTP over bare sockets and writes its requests before the clock starts, Digest answers
 * included (which is what a client does that counts on with one nonce), because what it uses of the
 * processor the servers do not have.
 */
import { hash } from 'node:crypto';
import { type Socket, connect } from 'node:net';
import { serveTasks } from './processes';
import { type Busy, type Watched, watchProcessor } from './processor';
import { type Asked, type Series, askedOf, isRest, xmlrpcPath } from './requests';

export interface LoadTask {
  readonly series: Series;
  readonly port: number;
  readonly watched: Watched;
  /** Who calls, by Digest; absent: nobody asks. */
  readonly login?: { readonly name: string; readonly password: string };
  readonly connections: number;
  readonly seconds: number;
  /** About how many requests will be made; those beyond are written while the clock runs. */
  readonly foreseen: number;
}

export interface Load {
  readonly calls_per_s: number;
  readonly median_ms: number;
  readonly p99_ms: number;
  /** Answers without the text that was expected. */
  readonly wrong: number;
  /** The beginning of the first of them. */
  readonly firstWrong: string;
  /** How often a nonce had expired and the request was made again. */
  readonly stale: number;
  readonly busy: Busy;
}

interface Prepared {
  readonly bytes: Buffer;
  readonly asked: Asked;
}

interface Answer {
  readonly status: number;
  readonly head: string;
  readonly body: Buffer;
}

/** What all connections of a task share while the clock runs. */
interface Tally {
  over: boolean;
  readonly latencies_ms: number[];
  wrong: number;
  firstWrong: string;
  stale: number;
}

serveTasks(runTask);

async function runTask(task: LoadTask): Promise<Load> {
  const clients = await Promise.all(
    Array.from({ length: task.connections }, (_, index) => openClient(task, index)),
  );
  const tally: Tally = { over: false, latencies_ms: [], wrong: 0, firstWrong: '', stale: 0 };
  const began = performance.now();
  const busySince = watchProcessor(task.watched);
  const work = Promise.all(clients.map((client) => keepBusy(client, tally)));
  await Promise.race([work, new Promise((resolve) => setTimeout(resolve, task.seconds * 1_000))]);
  const elapsed_ms = performance.now() - began;
  const busy = busySince();
  const { latencies_ms } = tally;
  const calls = latencies_ms.length;
  // What is in flight is answered, but no longer counted.
  tally.over = true;
  await work;
  for (const client of clients) client.connection.close();
  const sorted = Float64Array.from(latencies_ms.slice(0, calls)).sort();
  return {
    calls_per_s: (calls / elapsed_ms) * 1_000,
    median_ms: sorted[Math.floor(calls / 2)] ?? 0,
    p99_ms: sorted[Math.floor(calls * 0.99)] ?? 0,
    wrong: tally.wrong,
    firstWrong: tally.firstWrong,
    stale: tally.stale,
    busy,
  };
}

async function keepBusy(client: Client, tally: Tally): Promise<void> {
  while (!tally.over) {
    const { bytes, asked } = client.next();
    const began = performance.now();
    let answer = await client.connection.ask(bytes);
    if (answer.status === 401 && answer.head.includes('stale=true')) {
      tally.stale += 1;
      answer = await client.connection.ask(client.again(asked, answer));
    }
    tally.latencies_ms.push(performance.now() - began);
    if (answer.status === 200 && answer.body.includes(asked.expected)) continue;
    tally.wrong += 1;
    tally.firstWrong ||= `${answer.head.split('\r\n', 1).join('')}: ${answer.body.toString('utf8', 0, 600)}`;
  }
}

/** A connection with the requests that are to go over it. */
interface Client {
  readonly connection: Connection;
  next(): Prepared;
  /** The same request with the nonce of this challenge. */
  again(asked: Asked, challenge: Answer): Buffer;
}

async function openClient(task: LoadTask, index: number): Promise<Client> {
  const { login, series, port } = task;
  const connection = await openConnection(port);
  const address = `127.0.0.1:${port}`;
  let sign = noSignature;
  if (login && isRest(series.call)) sign = headerSigner(login);
  else if (login) sign = digestSigner(login, await connection.ask(written(emptyPost, address, '')));

  let made = 0;
  const make = (): Prepared => {
    const asked = askedOf(series, index + made * task.connections);
    made += 1;
    return { bytes: written(asked, address, sign(asked)), asked };
  };
  let prepared = Array.from({ length: Math.ceil(task.foreseen / task.connections) }, make);
  let taken = 0;
  return {
    connection,
    next: () => prepared[taken++] ?? make(),
    again: (asked, challenge) => {
      if (login) sign = digestSigner(login, challenge);
      // The others were signed with the nonce that has expired; their numbers are not made up for.
      prepared = [];
      return written(asked, address, sign(asked));
    },
  };
}

/** What fetches a challenge. */
const emptyPost: Asked = { http_method: 'POST', path: xmlrpcPath, body: '', expected: '' };

function written({ http_method, path, body }: Asked, address: string, signature: string): Buffer {
  const content =
    http_method === 'GET' ? '' : `Content-Type: text/xml\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
  return Buffer.from(
    `${http_method} ${path} HTTP/1.1\r\nHost: ${address}\r\n${signature}${content}\r\n${body}`,
  );
}

const noSignature = (_asked: Asked): string => '';

/** The headers of the reseller API. */
const headerSigner =
  ({ name, password }: { name: string; password: string }) =>
  (_asked: Asked): string =>
    `X-Auth-Reseller: ${name}\r\nX-Auth-User: ${name}\r\nX-Auth-Password: ${password}\r\n`;

/** Digest with MD5, as most clients do it: one nonce, counted up. */
function digestSigner(
  { name, password }: { name: string; password: string },
  challenge: Answer,
): (asked: Asked) => string {
  const [, realm, nonce] = /^www-authenticate: Digest realm="([^"]*)".* nonce="([^"]*)"/im.exec(
    challenge.head,
  ) ?? [undefined, undefined, undefined];
  if (realm === undefined || nonce === undefined) throw new Error(`No challenge:\n${challenge.head}`);
  const ha1 = md5(`${name}:${realm}:${password}`);
  const ha2s = new Map<string, string>();
  const cnonce = md5(nonce).slice(0, 16);
  let count = 0;
  return ({ http_method, path }) => {
    const target = `${http_method}:${path}`;
    const ha2 = ha2s.get(target) ?? md5(target);
    ha2s.set(target, ha2);
    count += 1;
    const nc = count.toString(16).padStart(8, '0');
    const response = md5(`${ha1}:${nonce}:${nc}:${cnonce}:auth:${ha2}`);
    return (
      `Authorization: Digest username="${name}", realm="${realm}", nonce="${nonce}", uri="${path}", ` +
      `qop=auth, nc=${nc}, cnonce="${cnonce}", response="${response}"\r\n`
    );
  };
}

const md5 = (text: string): string => hash('md5', text);

interface Connection {
  ask(request: Buffer): Promise<Answer>;
  close(): void;
}

/** A connection that is kept alive; one request at a time. */
async function openConnection(port: number): Promise<Connection> {
  const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true });
  let received: Buffer = Buffer.alloc(0);
  let waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined;
  const fail = (error: Error): void => {
    waiting?.reject(error);
    waiting = undefined;
  };
  socket.on('error', fail);
  socket.on('close', () => {
    fail(new Error('The server closed a connection'));
  });
  socket.on('data', (chunk) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const answer = completeAnswer(received);
    if (!answer) return;
    received = Buffer.alloc(0);
    const { resolve } = waiting ?? {};
    waiting = undefined;
    resolve?.(answer);
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve).once('error', reject);
  });
  return {
    ask: (request) =>
      new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        socket.write(request);
      }),
    close: () => {
      socket.destroy();
    },
  };
}

/** Undefined while bytes are missing. Every answer here has a Content-Length. */
function completeAnswer(received: Buffer): Answer | undefined {
  const end = received.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const head = received.toString('latin1', 0, end);
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
  if (length === undefined) throw new Error(`An answer without its length:\n${head}`);
  const start = end + 4;
  if (received.length < start + Number(length)) return undefined;
  return { status: Number(head.slice(9, 12)), head, body: received.subarray(start) };
}
