/**
 * Long answers that do not reach their end. A reader that goes away ends the reading of the list; one that reads
 * slowly holds no connection to PostgreSQL; an error in the middle ends the connection, so no short list looks whole.
 */
import { type Socket, connect } from 'node:net';
import { Readable } from 'node:stream';
import Fastify from 'fastify';
import { allMethods } from '../../src/server/app';
import { writeJson } from '../../src/api/json/write';
import { runSql } from '../setup/family';
import { insertCustomers } from '../setup/insert-customers';
import { basic } from '../setup/raw-http';
import { type Member, type TestServer, apiPassword, makeMember, startServer } from '../setup/server';

let server: TestServer;
let member: Member;
beforeAll(async () => {
  server = await startServer();
  member = await makeMember(server);
  // 18 MB: more than the buffers of both sockets hold.
  await insertCustomers(
    server,
    member.i_customer,
    Array.from({ length: 4_500 }, () => '€'.repeat(1_000)),
  );
});
afterAll(() => server.close());

const until = async (isSo: () => Promise<boolean> | boolean): Promise<void> => {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20));
};

const requests: Readonly<Record<string, readonly [path: string, body: string, end: string]>> = {
  'XML-RPC': [
    '/xmlapi/xmlapi',
    '<?xml version="1.0"?><methodCall><methodName>listCustomers</methodName><params/></methodCall>',
    '</methodResponse>',
  ],
  JSON: ['/json/listCustomers', '{}', ']}'],
};

/** Sends the request and stops reading after the first bytes. */
async function startReading(name: string): Promise<{ socket: Socket; received: () => string }> {
  const [path = '', body = ''] = requests[name] ?? [];
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  let text = '';
  const first = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (!socket.isPaused() && text.length > 0 && text.length <= chunk.length) socket.pause();
      resolve();
    });
  });
  const [header, value] = [basic(member.name, apiPassword)].flatMap((line) => line.split(/:\s*/));
  socket.write(
    `POST ${path} HTTP/1.1\r\nhost: x\r\n${header}: ${value}\r\ncontent-type: text/xml\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  await first;
  return { socket, received: () => text };
}

describe.each(Object.keys(requests))('over %s', (name) => {
  test('a slow reader holds no connection to PostgreSQL', async () => {
    const { socket } = await startReading(name);
    await until(() => server.db.poolState().used === 0);
    socket.destroy();
  });

  test('an error in the middle ends the connection before the end of the list', async () => {
    const { socket, received } = await startReading(name);
    await until(() => server.db.poolState().used === 0);
    await runSql(server, 'ALTER TABLE customers RENAME TO customers_elsewhere');
    const closed = new Promise((resolve) => socket.on('close', resolve));
    socket.resume();
    await closed;
    await runSql(server, 'ALTER TABLE customers_elsewhere RENAME TO customers');
    const [, , end = ''] = requests[name] ?? [];
    expect(received().startsWith('HTTP/1.1 200')).toBe(true);
    expect(received()).not.toContain('\r\n0\r\n\r\n');
    expect(received().includes(end)).toBe(false);
  });
});

test('a reader that goes away ends the reading of the list', async () => {
  let isEnded = false;
  let batches = 0;
  async function* rows(): AsyncGenerator<readonly unknown[], void> {
    try {
      for (;;) {
        batches += 1;
        yield await Promise.resolve(Array.from({ length: 1_000 }, () => ({ name: 'x'.repeat(1_000) })));
      }
    } finally {
      isEnded = true;
    }
  }
  const [method] = allMethods(() => {
    throw new Error('Nothing is called here');
  }).filter((one) => one.name === 'listTariffs');
  if (!method) throw new Error('There is no such method');
  const app = Fastify();
  app.get('/', (_request, reply) => {
    const written = writeJson({ method, result: { result: 'OK', tariffs: rows() } }, 'request');
    return reply.send(typeof written === 'string' ? written : Readable.from(written, { objectMode: false }));
  });
  const url = new URL(await app.listen({ port: 0, host: '127.0.0.1' }));
  const socket = connect(Number(url.port), url.hostname);
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  await new Promise((resolve) => socket.once('data', resolve));
  socket.destroy();
  await until(() => isEnded);
  // Unread, no more is made than the buffers hold.
  expect(batches).toBeLessThan(30);
  await app.close();
});
