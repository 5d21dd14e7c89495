/**
 * The hosts whose calls run in trusted mode: those of the settings, and those of the table, which
 * operators change while the server runs. The table is read again when half a second has passed, so
 * a removed host is out within a second on every node; without a database nobody of it is trusted.
 */
import { type AddressRange, asRanges } from '../config';
import { type Database, sql } from '../db/database';

const life_ms = 500;
const listStatement = sql('trusted_hosts', 'SELECT address::text FROM trusted_hosts');

export function createTrustedHosts(db: Database): () => Promise<readonly AddressRange[]> {
  let ranges: Promise<readonly AddressRange[]> | undefined;
  let read_at = 0;

  const read = async (): Promise<readonly AddressRange[]> => {
    const rows = await db.query<{ address: string }>(listStatement);
    return rows.flatMap(({ address }) => asRanges(address));
  };

  return () => {
    const now = performance.now();
    if (!ranges || now - read_at > life_ms) {
      read_at = now;
      const reading = (ranges = read());
      // What failed is not kept: the next call asks again.
      reading.catch(() => {
        if (ranges === reading) ranges = undefined;
      });
    }
    return ranges;
  };
}
