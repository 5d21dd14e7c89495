/** HTTP over a bare socket: every byte of a request can be bent, every byte of the answer is seen. */
import { type Socket, connect } from 'node:net';
import { connect as connectTls } from 'node:tls';

export interface RawAnswer {
  readonly version: string;
  readonly status: number;
  /** Name, in lower case, and value of each header line, in order of arrival. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
}

/** The values of all header lines of this name. */
export const headersOf = (answer: RawAnswer, name: string): string[] =>
  answer.headers.filter(([each]) => each === name).map(([, value]) => value);

export const headerOf = (answer: RawAnswer, name: string): string | undefined => headersOf(answer, name)[0];

export interface RequestParts {
  readonly method?: string;
  readonly path?: string;
  readonly version?: string;
  /** Header lines; Host and Content-Length are added where they are not given. */
  readonly headers?: readonly string[];
  readonly body?: string | Buffer;
}

/** The bytes of a request. */
export function requestBytes(parts: RequestParts = {}): Buffer {
  const { method = 'POST', path = '/xmlapi/xmlapi', version = '1.1', headers = [] } = parts;
  const body = Buffer.from(parts.body ?? '');
  const given = (name: RegExp): boolean => headers.some((line) => name.test(line));
  const added = [
    ...(given(/^host:/i) ? [] : ['Host: treeline.test']),
    ...(given(/^(content-length|transfer-encoding):/i) ? [] : [`Content-Length: ${body.length}`]),
  ];
  const head = [`${method} ${path} HTTP/${version}`, ...added, ...headers, '', ''].join('\r\n');
  return Buffer.concat([Buffer.from(head, 'latin1'), body]);
}

export const basic = (login: string, password: string): string =>
  `Authorization: Basic ${Buffer.from(`${login}:${password}`).toString('base64')}`;

/** The body of a call; `params` is XML, such as `<param><value><int>1</int></value></param>`. */
export const callBody = (method: string, params = ''): string =>
  `<?xml version="1.0"?><methodCall><methodName>${method}</methodName><params>${params}</params></methodCall>`;

/** One param: a struct whose values are XML, such as `<int>1</int>`. */
export const structParam = (members: Readonly<Record<string, string>>): string => {
  const written = Object.entries(members).map(
    ([name, value]) => `<member><name>${name}</name><value>${value}</value></member>`,
  );
  return `<param><value><struct>${written.join('')}</struct></value></param>`;
};

/** A connection that stays open until either side closes it. */
export class RawConnection {
  private received: Buffer = Buffer.alloc(0);
  private ended = false;
  private wake = (): void => undefined;

  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
      this.wake();
    });
    socket.on('close', () => {
      this.ended = true;
      this.wake();
    });
    // What a test wants to know is what was answered before.
    socket.on('error', () => undefined);
  }

  /** Better through `withConnection`, which closes it. */
  static async open(url: string, options: { localAddress?: string } = {}): Promise<RawConnection> {
    const { protocol, hostname, port } = new URL(url);
    const target = { host: hostname, port: Number(port), ...options };
    const secure = protocol === 'https:';
    const socket = secure ? connectTls({ ...target, rejectUnauthorized: false }) : connect(target);
    await new Promise<void>((resolve, reject) => {
      socket.once(secure ? 'secureConnect' : 'connect', resolve).once('error', reject);
    });
    return new RawConnection(socket);
  }

  send(bytes: string | Buffer): void {
    this.socket.write(bytes);
  }

  /** Says that nothing more will be sent. */
  end(): void {
    this.socket.end();
  }

  close(): void {
    this.socket.destroy();
  }

  /** The next whole answer, interim ones (1xx) too. Undefined: the server closed without one. */
  async next(timeout_ms = 5_000, to = 'POST'): Promise<RawAnswer | undefined> {
    const until = Date.now() + timeout_ms;
    for (;;) {
      const found = takeAnswer(this.received, this.ended, to);
      if (found) {
        this.received = found.rest;
        return found.answer;
      }
      if (this.ended) return undefined;
      if (!(await this.somethingNew(until))) {
        throw new Error(`No whole answer within ${timeout_ms} ms, only ${this.received.toString('latin1')}`);
      }
    }
  }

  /** Resolves to true when the server closes the connection in time. */
  async closes(timeout_ms = 5_000): Promise<boolean> {
    const until = Date.now() + timeout_ms;
    while (!this.ended) if (!(await this.somethingNew(until))) return false;
    return true;
  }

  private somethingNew(until: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        resolve(false);
      }, until - Date.now());
      this.wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }
}

/** Does something with a connection, and closes it whatever comes of it: an open one would hold the server up. */
export async function withConnection<Result>(
  url: string,
  work: (connection: RawConnection) => Promise<Result>,
  options: { localAddress?: string } = {},
): Promise<Result> {
  const connection = await RawConnection.open(url, options);
  try {
    return await work(connection);
  } finally {
    connection.close();
  }
}

/**
 * Sends bytes and answers what comes back first. Undefined: the server closed without an answer.
 * `end`: says after a while that nothing more will come.
 */
export async function exchangeRaw(
  url: string,
  bytes: string | Buffer,
  options: { timeout_ms?: number; end?: boolean; method?: string; localAddress?: string } = {},
): Promise<RawAnswer | undefined> {
  const { localAddress } = options;
  const work = (connection: RawConnection): Promise<RawAnswer | undefined> => {
    connection.send(bytes);
    // Not at once: Node gives up a call whose caller says that it is gone.
    const timer = options.end
      ? setTimeout(() => {
          connection.end();
        }, 100)
      : undefined;
    return connection.next(options.timeout_ms, options.method).finally(() => {
      clearTimeout(timer);
    });
  };
  return withConnection(url, work, localAddress === undefined ? {} : { localAddress });
}

/** One request on a connection of its own, and its answer. */
export async function exchange(
  url: string,
  parts: RequestParts = {},
  options: { localAddress?: string } = {},
): Promise<RawAnswer> {
  const answer = await exchangeRaw(url, requestBytes(parts), { ...options, method: parts.method ?? 'POST' });
  if (!answer) throw new Error('The server closed the connection without an answer');
  return answer;
}

interface Taken {
  readonly answer: RawAnswer;
  readonly rest: Buffer;
}

/** The first whole answer in the bytes; undefined while it is not whole. */
function takeAnswer(bytes: Buffer, ended: boolean, method: string): Taken | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const [statusLine = '', ...lines] = bytes.toString('latin1', 0, headEnd).split('\r\n');
  const [, version, status] = /^HTTP\/(\d\.\d) (\d{3}) ?/.exec(statusLine) ?? [];
  if (version === undefined) throw new Error(`Not a status line: ${statusLine}`);
  const headers = lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
  });
  const start = headEnd + 4;
  const head = { version, status: Number(status), headers };
  const done = (body: Buffer, end: number): Taken => ({
    answer: { ...head, body },
    rest: bytes.subarray(end),
  });

  if (method === 'HEAD' || head.status < 200 || head.status === 204) return done(Buffer.alloc(0), start);
  const value = (name: string): string | undefined => headers.find(([each]) => each === name)?.[1];
  if (value('transfer-encoding') === 'chunked') {
    const body = takeChunks(bytes, start);
    return body && done(body.chunks, body.end);
  }
  const length = value('content-length');
  if (length === undefined) return ended ? done(bytes.subarray(start), bytes.length) : undefined;
  const end = start + Number(length);
  return bytes.length < end ? undefined : done(bytes.subarray(start, end), end);
}

function takeChunks(bytes: Buffer, start: number): { chunks: Buffer; end: number } | undefined {
  const chunks: Buffer[] = [];
  let at = start;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const data = lineEnd + 2;
    if (bytes.length < data + size + 2) return undefined;
    at = data + size + 2;
    if (size === 0) return { chunks: Buffer.concat(chunks), end: at };
    chunks.push(bytes.subarray(data, data + size));
  }
}
