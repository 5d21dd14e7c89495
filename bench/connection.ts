/** HTTP over a bare socket: one request at a time, written as bytes; the answer is looked into no further than its end. */
import { type Socket, connect } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly head: string;
  /** With the lengths of its chunks, where it came in chunks. */
  readonly body: Buffer;
}

export interface Connection {
  ask(request: Buffer): Promise<Answer>;
  close(): void;
}

/** A connection that is kept alive; one request at a time. */
export async function openConnection(port: number): Promise<Connection> {
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

const lastChunk = Buffer.from('\r\n0\r\n\r\n');

/** Undefined while bytes are missing. */
function completeAnswer(received: Buffer): Answer | undefined {
  const end = received.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const head = received.toString('latin1', 0, end);
  const start = end + 4;
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length === undefined && !/\r\ntransfer-encoding: *chunked/i.test(head)) {
    throw new Error(`An answer without its length:\n${head}`);
  }
  const isWhole =
    length === undefined
      ? received.subarray(-lastChunk.length).equals(lastChunk)
      : received.length >= start + Number(length);
  if (!isWhole) return undefined;
  return { status: Number(head.slice(9, 12)), head, body: received.subarray(start) };
}
