/** A wire between a server and PostgreSQL that counts how often a connection waits for an answer. */
import { mkdtempSync, rmSync } from 'node:fs';
import { type Server, type Socket, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeDatabase } from './server';

type Connection = Awaited<ReturnType<typeof makeDatabase>>;

export interface Turns {
  /** Where the server is to look for its database. */
  readonly connection: Connection;
  /** How many round trips were made while `work` ran. */
  during(work: () => Promise<unknown>): Promise<number>;
  close(): Promise<void>;
}

/** What the connection that listens to announcements asks all the time; it belongs to no call. */
const heartbeat = Buffer.from('SELECT 1\0');

export async function countTurns(): Promise<Turns> {
  const real = await makeDatabase();
  const folder = mkdtempSync(join(tmpdir(), 'turns-'));
  const file = (host: string): string => join(host, `.s.PGSQL.${real.port}`);
  const sockets = new Set<Socket>();
  let turns = 0;

  const server: Server = createServer((client) => {
    const database = real.host.startsWith('/') ? connect(file(real.host)) : connect(real.port, real.host);
    let isAsking = false;
    client.on('data', (chunk) => {
      if (!isAsking && !chunk.includes(heartbeat)) turns += 1;
      isAsking = true;
      database.write(chunk);
    });
    database.on('data', (chunk) => {
      isAsking = false;
      client.write(chunk);
    });
    for (const [one, other] of [
      [client, database],
      [database, client],
    ] as const) {
      sockets.add(one);
      one.on('close', () => other.destroy());
      one.on('error', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(file(folder), resolve));
  return {
    connection: { ...real, host: folder },
    during: async (work) => {
      const before = turns;
      await work();
      return turns - before;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
