/**
 * The load: a process that keeps a number of connections busy, each with one request at a time.
 * It speaks HTTP over bare sockets and writes its requests before the clock starts, Digest answers
 * included (which is what a client does that counts on with one nonce), because what it uses of the
 * processor the servers do not have. autocannon and wrk cannot: Digest is another header in each
 * request. That it counts as they do is looked at in every full run, see `crossCheck`.
 */
import { type Asked, type Series, askedOf, xmlrpcPath } from './calls';
import { type Answer, type Connection, openConnection } from './connection';
import { digestSigner, noSignature } from './digest';
import { serveTasks } from './processes';
import { type Busy, type Watched, watchProcessor } from './processor';

export interface LoadTask {
  readonly series: Series;
  readonly port: number;
  /** Absent: how busy the processes are is not asked. */
  readonly watched?: Watched;
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
  readonly busy?: Busy;
}

interface Prepared {
  readonly bytes: Buffer;
  readonly asked: Asked;
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
  const busySince = task.watched && watchProcessor(task.watched);
  const work = Promise.all(clients.map((client) => keepBusy(client, tally)));
  await Promise.race([work, new Promise((resolve) => setTimeout(resolve, task.seconds * 1_000))]);
  const elapsed_ms = performance.now() - began;
  const busy = busySince?.();
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
    ...(busy && { busy }),
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
    if (isRight(answer, asked)) continue;
    tally.wrong += 1;
    tally.firstWrong ||= `${answer.head.split('\r\n', 1).join('')}: ${answer.body.toString('utf8', 0, 600)}`;
  }
}

/** In a multicall each member may be a fault of its own. */
const isRight = ({ status, body }: Answer, { expected }: Asked): boolean =>
  status === 200 && body.includes(expected) && !body.includes('faultCode');

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
  if (login && series.form === 'rest') sign = headerSigner(login);
  else if (login && series.form === 'tenant')
    sign = bearerSigner(await connection.ask(logIn(login, address)));
  else if (login) sign = digestSigner(login, (await connection.ask(written(emptyPost, address, ''))).head);

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
      if (login) sign = digestSigner(login, challenge.head);
      // The others were signed with the nonce that has expired; their numbers are not made up for.
      prepared = [];
      return written(asked, address, sign(asked));
    },
  };
}

/** The headers of the reseller API. */
const headerSigner =
  ({ name, password }: { name: string; password: string }) =>
  (): string =>
    `X-Auth-Reseller: ${name}\r\nX-Auth-User: ${name}\r\nX-Auth-Password: ${password}\r\n`;

/** What answers a token. */
function logIn({ name, password }: { name: string; password: string }, address: string): Buffer {
  const body = JSON.stringify({ username: name, password });
  return written({ http_method: 'POST', path: '/auth/login', body, expected: '' }, address, '');
}

const bearerSigner = ({ body }: Answer): (() => string) => {
  const { token } = JSON.parse(body.toString()) as { token: string };
  return () => `Authorization: Bearer ${token}\r\n`;
};

/** What fetches a challenge. */
const emptyPost: Asked = { http_method: 'POST', path: xmlrpcPath, body: '', expected: '' };

function written({ http_method, path, body }: Asked, address: string, signature: string): Buffer {
  const content =
    http_method === 'GET' ? '' : `Content-Type: text/xml\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
  return Buffer.from(
    `${http_method} ${path} HTTP/1.1\r\nHost: ${address}\r\n${signature}${content}\r\n${body}`,
  );
}
