/**
 * The hosts of the table whose calls run in trusted mode, which operators change while the server
 * runs; those of the settings are beside them. Without a database nobody of the table is trusted.
 */
import { type AddressRange, asRanges } from '../../base/config';
import { type Database, sharedRead } from '../../db/database';
import { accessOfHosts } from '../tree/access';
import { type AuthCache, trustedHostsKey } from './auth-cache';
import type { Access } from './caller';

const listStatement = sharedRead(
  'trusted_hosts',
  `SELECT coalesce((SELECT json_agg(address::text) FROM trusted_hosts), '[]') AS addresses,
     coalesce((SELECT epoch FROM access_epochs WHERE subject = 0), 0)::float8 AS epoch`,
);

interface TrustedHosts {
  readonly ranges: readonly AddressRange[];
  readonly access: Access;
}

/** Returns the ranges as they stand now, and the access that they give. */
export const trustedHostsOf =
  ({ db, authCache }: { readonly db: Database; readonly authCache: AuthCache }) =>
  async (): Promise<TrustedHosts> => {
    const remembered = authCache.get(trustedHostsKey) as TrustedHosts | undefined;
    if (remembered) return remembered;
    const since = authCache.version();
    const [row] = await db.query<{ addresses: string[]; epoch: number }>(listStatement);
    if (!row) throw new Error('A row in any case was none');
    const hosts = { ranges: row.addresses.flatMap(asRanges), access: accessOfHosts(row.epoch) };
    authCache.set(since, trustedHostsKey, hosts, {});
    return hosts;
  };
