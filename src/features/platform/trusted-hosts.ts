/** The table of hosts whose calls need no password; `core/auth/trusted-hosts.ts` reads it for every server. */
import { asRanges, isTooWideToTrust } from '../../base/config';
import type { Call } from '../../core/call/method';
import { rootId } from '../../core/tree/rights';
import { type Database, sql } from '../../db/database';
import { badParameter, notFound } from '../../base/faults';

interface TrustedHost {
  readonly i_trusted_host: number;
  readonly address: string;
  readonly description: string | null;
}

const insertStatement = sql(
  'insert_trusted_host',
  'INSERT INTO trusted_hosts (address, description) VALUES (network($1::inet), $2) RETURNING i_trusted_host, address::text',
);
const deleteStatement = sql(
  'delete_trusted_host',
  'DELETE FROM trusted_hosts WHERE i_trusted_host = $1 RETURNING address::text',
);
const listStatement = sql(
  'list_trusted_hosts',
  'SELECT i_trusted_host, address::text, description FROM trusted_hosts ORDER BY i_trusted_host',
);

interface NewHost {
  readonly address: string;
  readonly description?: string | null;
}

/** Trusts an address or a range. Throws fault 400 for a range that only the command line may trust. */
export async function addTrustedHost(call: Call, params: NewHost) {
  if (asRanges(params.address).some(isTooWideToTrust)) {
    throw badParameter(
      'address',
      'must be at most a /8 (IPv4) or a /32 (IPv6); only `treeline trusted-hosts add <range> --yes-everybody` trusts a wider one',
    );
  }
  return addAnyTrustedHost(call, params);
}

/** The same for a range of any size; no API has it. */
export async function addAnyTrustedHost(call: Call, params: NewHost) {
  const [range] = asRanges(params.address);
  const values = [range?.join('/'), params.description ?? null];
  const [row] = await call.db.query<TrustedHost>(insertStatement, values);
  if (!row) throw new Error('An insert answered no row');
  const resource = `trusted_hosts:address=${row.address}`;
  await call.audit({ action: 'A', resource, i_customer: rootId });
  return { result: 'OK' as const, i_trusted_host: row.i_trusted_host };
}

export async function removeTrustedHost(call: Call, { i_trusted_host }: { i_trusted_host: number }) {
  const [row] = await call.db.query<TrustedHost>(deleteStatement, [i_trusted_host]);
  if (!row) throw notFound('Trusted host');
  await call.audit({ action: 'D', resource: `trusted_hosts:address=${row.address}`, i_customer: rootId });
  return { result: 'OK' as const };
}

export async function listTrustedHosts(call: Call<Database>) {
  return { result: 'OK' as const, trusted_hosts: await call.db.query<TrustedHost>(listStatement) };
}
