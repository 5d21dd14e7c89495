/** A receiver of webhooks: it keeps what comes, and answers as it is told. */
import { type IncomingHttpHeaders, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Told {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly type: string;
  readonly data: Record<string, unknown>;
}

export interface Receiver {
  readonly uri: string;
  readonly port: number;
  /** What was answered 200, in order of arrival. */
  readonly taken: Told[];
  /** Everything that came. */
  readonly all: Told[];
  /** The status that is answered from now on. */
  status: number;
  /** Answers nothing until it is false again. */
  holding: boolean;
  /** How many requests are held, now and at the most. */
  readonly held: { now: number; most: number };
  close(): Promise<void>;
}

export async function startReceiver(host = '127.0.0.1', port = 0): Promise<Receiver> {
  const [taken, all]: [Told[], Told[]] = [[], []];
  const held = { now: 0, most: 0 };
  const hold = (response: ServerResponse, answer: () => void): void => {
    held.now += 1;
    held.most = Math.max(held.most, held.now);
    const timer = setInterval(() => {
      if (receiver.holding) return;
      clearInterval(timer);
      answer();
    }, 20);
    response.once('close', () => {
      clearInterval(timer);
      held.now -= 1;
    });
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.once('end', () => {
      const body = Buffer.concat(chunks).toString();
      const { type, data } = JSON.parse(body) as Pick<Told, 'type' | 'data'>;
      const { method = '', url: path = '', headers } = request;
      const told = { method, path, headers, body, type, data };
      all.push(told);
      const answer = (): void => {
        if (receiver.status === 200) taken.push(told);
        response.writeHead(receiver.status, { location: '/elsewhere' }).end('thanks');
      };
      if (receiver.holding) hold(response, answer);
      else answer();
    });
  });
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  const bound = (server.address() as AddressInfo).port;
  const receiver: Receiver = {
    uri: `http://${host}:${bound}/hook?of=tenant`,
    port: bound,
    taken,
    all,
    status: 200,
    holding: false,
    held,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => {
          resolve();
        });
      }),
  };
  return receiver;
}
