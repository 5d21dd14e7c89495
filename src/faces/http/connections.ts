/**
 * Bounds the connections of one address. At the bound, a new connection takes the place of the oldest one
 * that has no request under way, so idle connections keep nobody out who shares the address. A trusted
 * proxy speaks for many addresses, so it has no bound.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import type { Config } from '../../config';
import { addressGroup } from '../../core/address-group';
import { noteConnection } from '../../core/event-loop';
import { isInRanges, plainAddress } from './address';

export function boundConnections(server: Server, config: Config): void {
  /** Open connections by address, the oldest first. */
  const open = new Map<string, Set<Socket>>();
  const busy = new Set<Socket>();

  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    busy.add(socket);
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
      const idle = firstIdle(sockets, busy);
      if (!idle) {
        socket.destroy();
        return;
      }
      sockets.delete(idle);
      idle.destroy();
    }
    sockets.add(socket);
    const ofAddress = sockets;
    socket.once('close', () => {
      ofAddress.delete(socket);
      if (ofAddress.size === 0 && open.get(group) === ofAddress) open.delete(group);
    });
  });
}

function firstIdle(sockets: ReadonlySet<Socket>, busy: ReadonlySet<Socket>): Socket | undefined {
  for (const socket of sockets) if (!busy.has(socket)) return socket;
  return undefined;
}
