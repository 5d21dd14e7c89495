/**
 * What the database announces with NOTIFY, heard by every server. A connection of its own listens,
 * and asks something every quarter of a second: PostgreSQL delivers what was announced before it
 * answers, so whoever was answered lately has missed nothing until then.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';

/** The one channel; a payload says what has changed. */
export const channel = 'treeline';

export interface Notifications {
  /** Whether everything is known that was announced until less than a second ago. */
  isCurrent(): boolean;
  close(): Promise<void>;
}

const heartbeat_ms = 250;
/** With the time that it takes to be told, well below a second. */
const current_ms = 750;

/** `hear` gets each payload, and undefined when anything may have been announced unheard. */
export function listenForNotifications(
  connect: () => Client,
  hear: (payload: string | undefined) => void,
): Notifications {
  const closing = new AbortController();
  const { signal } = closing;
  const pause = (): Promise<void> => sleep(heartbeat_ms, undefined, { signal, ref: false });
  let heardAll_at = -Infinity;

  const listen = async (client: Client): Promise<never> => {
    client.on('notification', ({ payload }) => {
      hear(payload);
    });
    await client.connect();
    await client.query(`LISTEN ${channel}`);
    hear(undefined);
    for (;;) {
      const asked_at = performance.now();
      await client.query('SELECT 1');
      heardAll_at = asked_at;
      await pause();
    }
  };

  const keepListening = async (): Promise<void> => {
    while (!signal.aborted) {
      const client = connect();
      client.on('error', () => {
        heardAll_at = -Infinity;
      });
      await listen(client).catch(() => undefined);
      heardAll_at = -Infinity;
      await client.end().catch(() => undefined);
      await pause().catch(() => undefined);
    }
  };

  const ended = keepListening();
  return {
    isCurrent: () => performance.now() - heardAll_at < current_ms,
    close: () => {
      closing.abort();
      return ended;
    },
  };
}
