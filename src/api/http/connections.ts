/**
 * Bounds the connections of one address. At the bound, a new connection takes the place of the oldest idle one. Where
 * none is idle, it takes the place of the newest one of the login that holds most of them, if that login holds a good
 * part of all. So one login keeps nobody out who shares its address. A trusted proxy speaks for many addresses, so it
 * has no bound.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import type { Config } from '../../base/config';
import { addressGroup } from '../../core/fairness/address-group';
import { noteConnection } from '../../core/fairness/event-loop';
import { isInRanges, plainAddress } from './address';
import { claimOf } from './auth/claim';

/** A login that holds this part of an address's connections, all busy, gives one up to a new connection. */
const greedyPart = 1 / 16;

export function boundConnections(server: Server, config: Config): void {
  /** Open connections by address, the oldest first. */
  const open = new Map<string, Set<Socket>>();
  /** The login that the latest request of each busy connection claims. */
  const busy = new Map<Socket, number>();

  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    busy.set(socket, claimOf(request));
    response.once('close', () => busy.delete(socket));
  });

  server.on('connection', noteConnection);
  server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', (socket: Socket) => {
    const address = plainAddress(socket.remoteAddress ?? '');
    if (isInRanges(address, config.trusted_proxies)) return;
    const group = addressGroup(address);
    let sockets = open.get(group);
    if (!sockets) open.set(group, (sockets = new Set()));
    if (sockets.size >= config.connections_per_address) {
      const least = firstIdle(sockets, busy) ?? greediest(sockets, busy, config.connections_per_address);
      if (!least) {
        socket.destroy();
        return;
      }
      sockets.delete(least);
      least.destroy();
    }
    sockets.add(socket);
    const ofAddress = sockets;
    socket.once('close', () => {
      ofAddress.delete(socket);
      if (ofAddress.size === 0 && open.get(group) === ofAddress) open.delete(group);
    });
  });
}

type Busy = ReadonlyMap<Socket, number>;

function firstIdle(sockets: ReadonlySet<Socket>, busy: Busy): Socket | undefined {
  for (const socket of sockets) if (!busy.has(socket)) return socket;
  return undefined;
}

/** The newest connection of the login with most connections; undefined where no login holds a good part of them. */
function greediest(sockets: ReadonlySet<Socket>, busy: Busy, limit: number): Socket | undefined {
  const held = new Map<number, { count: number; newest: Socket }>();
  for (const socket of sockets) {
    const claim = busy.get(socket) ?? 0;
    held.set(claim, { count: (held.get(claim)?.count ?? 0) + 1, newest: socket });
  }
  let most = { count: Math.max(1, limit * greedyPart), newest: undefined as Socket | undefined };
  for (const each of held.values()) if (each.count > most.count) most = each;
  return most.newest;
}
