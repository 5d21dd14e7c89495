/**
 * The hosts of the table whose calls run in trusted mode, which operators change while the server
 * runs; those of the settings are beside them. Without a database nobody of the table is trusted.
 */
import { type AddressRange, asRanges } from '../config';
import { type Database, lookup } from '../db/database';
import { type Authority, trustedHostsKey } from './authority';

const listStatement = lookup('trusted_hosts', 'SELECT address::text FROM trusted_hosts');

type Ranges = readonly AddressRange[];

/** Answers the ranges as they stand now. */
export const trustedHostsOf =
  ({ db, authority }: { readonly db: Database; readonly authority: Authority }) =>
  async (): Promise<Ranges> => {
    const remembered = authority.recall(trustedHostsKey) as Ranges | undefined;
    if (remembered) return remembered;
    const since = authority.moment();
    const rows = await db.query<{ address: string }>(listStatement);
    const ranges = rows.flatMap(({ address }) => asRanges(address));
    authority.keep(since, trustedHostsKey, ranges, {});
    return ranges;
  };
