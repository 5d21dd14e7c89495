/** Bounds the connections of one address. A trusted proxy speaks for many addresses, so it has no bound. */
import type { Server } from 'node:net';
import type { Logger } from 'winston';
import type { Config } from '../../config';
import { addressGroup } from '../../core/address-group';
import { isInRanges, plainAddress } from './address';

/** Closes each connection of an address beyond the bound as soon as it opens. */
export function boundConnections(server: Server, config: Config, log: Logger): void {
  const counts = new Map<string, number>();
  server.on('connection', (socket) => {
    const address = plainAddress(socket.remoteAddress ?? '');
    if (isInRanges(address, config.trusted_proxies)) return;
    const group = addressGroup(address);
    const count = (counts.get(group) ?? 0) + 1;
    if (count > config.connections_per_address) {
      socket.destroy();
      return;
    }
    if (count === config.connections_per_address)
      log.warn('An address has as many connections as it may (TREELINE_CONNECTIONS_PER_ADDRESS)', {
        address,
      });
    counts.set(group, count);
    socket.once('close', () => {
      const left = (counts.get(group) ?? 1) - 1;
      if (left > 0) counts.set(group, left);
      else counts.delete(group);
    });
  });
}
