/**
 * Look-ups share connections: those that come while others are under way go out with them, and
 * PostgreSQL answers one after the other. That spares both sides most of the writing, waking and
 * waiting, which for a row by its id is more than the finding.
 */
import type { Knex } from 'knex';
import type { Client } from 'pg';
import { afterFailure, acquire, release } from './connections';

/** A connection in use. */
interface Shared {
  readonly client: Promise<Client>;
  users: number;
}

/** PostgreSQL works on each with one process. */
const sharedAtMost = 2;

function leastUsed(places: readonly (Shared | undefined)[]): number {
  let least = 0;
  for (let place = 1; place < places.length; place += 1) {
    if ((places[place]?.users ?? 0) < (places[least]?.users ?? 0)) least = place;
  }
  return least;
}

export function createSharedReads(pool: Knex, pool_size: number) {
  // Under load they are never given back, so there must be one more for everything else.
  const places = new Array<Shared | undefined>(Math.max(1, Math.min(sharedAtMost, pool_size - 1)));

  const giveUp = async (place: number, shared: Shared): Promise<void> => {
    if (places[place] === shared) places[place] = undefined;
    await shared.client.then(
      (client) => release(pool, client),
      () => undefined,
    );
  };

  return async <T>(run: (client: Client) => Promise<T>): Promise<T> => {
    const place = leastUsed(places);
    const shared = (places[place] ??= { client: acquire(pool), users: 0 });
    shared.users += 1;
    try {
      const client = await shared.client;
      return await run(client).catch((error: unknown) => {
        // Whoever comes now gets another one.
        if (places[place] === shared) places[place] = undefined;
        throw afterFailure(client, error);
      });
    } finally {
      shared.users -= 1;
      if (shared.users === 0) await giveUp(place, shared);
    }
  };
}
