/**
 * Where a connection comes from, in all the forms that it may have: over IPv4 and IPv6 on one socket, as IPv4 within
 * IPv6, over a unix socket, by a proxy. (Forwarded addresses, believed and not: test/api/on-behalf.test.ts.)
 */
import { createServer, request } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestServer, rootPassword, startServer } from '../setup/server';

const folder = mkdtempSync(join(tmpdir(), 'treeline-addresses-'));
const open: TestServer[] = [];
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await Promise.all(open.map((server) => server.close()));
});

const openServer = async (environment: Record<string, string>): Promise<TestServer> => {
  const server = await startServer(environment);
  open.push(server);
  return server;
};

const authorization = `Basic ${Buffer.from(`root:${rootPassword}`).toString('base64')}`;

type Way = { readonly host: string; readonly port: number } | { readonly socketPath: string };

/** The status of a call, and whether Basic is offered. */
const call = (way: Way, headers: Record<string, string> = {}): Promise<{ status: number; basic: boolean }> =>
  new Promise((resolve, reject) => {
    const options = { ...way, method: 'POST', path: '/json/listCustomers', headers, agent: false } as const;
    request(options, (response) => {
      const basic = String(response.headers['www-authenticate']).includes('Basic');
      response.resume().once('end', () => {
        resolve({ status: response.statusCode ?? 0, basic });
      });
    })
      .once('error', reject)
      .end('{"i_wholesaler":1}');
  });

const portOf = (server: TestServer): number => Number(new URL(server.url).port);
const refused = { status: 401, basic: true };

describe('a server that listens on both IPv4 and IPv6', () => {
  test.each([
    ['127.0.0.1', '127.0.0.1', '::1'],
    ['::ffff:127.0.0.1', '127.0.0.1', '::1'],
    ['::ffff:127.0.0.0/104', '127.0.0.1', '::1'],
    ['127.0.0.0/8', '127.0.0.1', '::1'],
    ['::1', '::1', '127.0.0.1'],
    ['::/64', '::1', '127.0.0.1'],
  ])('and trusts %s trusts who comes from %s, and not from %s', async (TRUSTED_HOSTS, trusted, other) => {
    const server = await openServer({ HOST: '::', TRUSTED_HOSTS });
    const port = portOf(server);
    expect((await call({ host: trusted, port })).status).toBe(200);
    expect(await call({ host: other, port })).toEqual(refused);
    // What is claimed makes nobody of who is somebody, and nobody somebody.
    for (const host of [trusted, other])
      for (const name of ['x-forwarded-for', 'forwarded']) {
        const claim =
          name === 'forwarded' ? `for="${trusted.includes(':') ? `[${trusted}]` : trusted}"` : trusted;
        expect(await call({ host, port }, { [name]: claim })).toEqual({ status: 401, basic: false });
      }
  });

  test('with a proxy on IPv6 believes what that one forwards, and no other', async () => {
    const server = await openServer({
      HOST: '::',
      TRUSTED_PROXIES: '::1',
      TRUSTED_HOSTS: '10.1.0.0/16, fd00::/32',
    });
    const port = portOf(server);
    for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '::ffff:a01:203', 'fd00::1']) {
      expect((await call({ host: '::1', port }, { 'x-forwarded-for': address })).status).toBe(200);
      expect((await call({ host: '127.0.0.1', port }, { 'x-forwarded-for': address })).status).toBe(401);
    }
    for (const address of [
      '10.2.0.1',
      '::ffff:10.2.0.1',
      '::10.1.2.3',
      '64:ff9b::10.1.2.3',
      'fe80::1%eth0',
      '10.1.2.3, 10.2.0.1',
    ])
      expect((await call({ host: '::1', port }, { 'x-forwarded-for': address })).status).toBe(401);
  });
});

test('who comes over a unix socket has no address: it is not trusted, nor loopback, whatever it claims', async () => {
  const server = await openServer({ TRUSTED_HOSTS: '127.0.0.0/8, ::/32', TRUSTED_PROXIES: '127.0.0.1, ::1' });
  const socketPath = join(folder, 'socket');
  const local = createServer((asked, answer) => {
    server.app.routing(asked, answer);
  });
  await new Promise<void>((resolve) => local.listen(socketPath, resolve));
  try {
    for (const claim of [
      {},
      { 'x-forwarded-for': '127.0.0.1' },
      { forwarded: 'for="[::1]";proto=https' },
      { authorization },
    ])
      expect(await call({ socketPath }, claim)).toEqual({ status: 401, basic: false });
  } finally {
    local.close();
  }
});
