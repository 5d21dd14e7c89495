/**
 * A new SECRET_KEY for a database that is in use. Servers run with both keys (SECRET_KEY is the new
 * one, SECRET_KEY_PREVIOUS the old one) and read what either sealed; this seals everything with the
 * new one, in one transaction with the check value, so that the old one can be taken away.
 */
import { secretChange } from '../../core/call/audit';
import { type Call, defineMethod } from '../../core/call/method';
import { integer, ok, struct } from '../../core/schema/schema';
import { sql } from '../../db/database';
import { conflict } from '../../base/faults';
import { rootId } from '../../core/tree/rights';
import { keptCheck } from './first-start';

const batchSize = 1_000;

/** A table with something sealed in it. */
interface Vault {
  readonly table: string;
  readonly id: string;
  readonly column: string;
  /** The row that what is sealed is bound to, as SQL. */
  readonly row: string;
  readonly kind: 'ha1' | 'secret';
}

export const vaults: readonly Vault[] = [
  { table: 'api_credentials', id: 'i_api_credential', column: 'sealed_ha1', row: 'i_customer', kind: 'ha1' },
  {
    table: 'sip_users',
    id: 'i_sip_user',
    column: 'sealed_password',
    row: `'sip_users ' || uuid`,
    kind: 'secret',
  },
  {
    table: 'customers',
    id: 'i_customer',
    column: 'sealed_webhook_key',
    row: `'webhook ' || uuid`,
    kind: 'secret',
  },
];

const readStatement = ({ table, id, column, row }: Vault) =>
  sql(
    `read_sealed_${table}`,
    `SELECT ${id} AS id, (${row})::text AS "row", ${column} AS sealed FROM ${table} WHERE ${id} > $1 AND ${column} IS NOT NULL ORDER BY ${id} LIMIT $2`,
  );
const writeStatement = ({ table, id, column }: Vault) =>
  sql(
    `write_sealed_${table}`,
    `UPDATE ${table} t SET ${column} = n.sealed FROM unnest($1::int[], $2::bytea[]) AS n (id, sealed) WHERE t.${id} = n.id`,
  );
const checkStatement = sql(
  'set_secret_check',
  `UPDATE server_settings SET value = $1 WHERE name = 'secret_check'`,
);

interface Sealed {
  readonly id: number;
  readonly row: string;
  readonly sealed: Buffer;
}

/** Answers how many were sealed with the key before. */
async function resealAll({ db, credentials }: Call, vault: Vault): Promise<number> {
  // Nobody may be given a password meanwhile that a server seals with the old key.
  await db.query({ text: `LOCK TABLE ${vault.table} IN SHARE ROW EXCLUSIVE MODE` });
  const reseal = ({ row, sealed }: Sealed): Buffer | undefined =>
    vault.kind === 'ha1' ? credentials.resealHa1(sealed, Number(row)) : credentials.resealSecret(sealed, row);
  let resealed = 0;
  for (let after = 0; ;) {
    const rows = await db.query<Sealed>(readStatement(vault), [after, batchSize]);
    const changed = rows.flatMap((each) => {
      const sealed = reseal(each);
      return sealed ? [{ id: each.id, sealed }] : [];
    });
    await db.query(writeStatement(vault), [changed.map(({ id }) => id), changed.map(({ sealed }) => sealed)]);
    resealed += changed.length;
    const last = rows.at(-1);
    if (!last || rows.length < batchSize) return resealed;
    after = last.id;
  }
}

async function rotateKey(call: Call) {
  const { db, credentials, audit } = call;
  if (credentials.check_values.length < 2) {
    throw conflict('SECRET_KEY_PREVIOUS must be the key until now, and SECRET_KEY the new one');
  }
  let resealed = 0;
  for (const vault of vaults) resealed += await resealAll(call, vault);
  if ((await keptCheck(db)) !== credentials.check_value) {
    await db.query(checkStatement, [credentials.check_value]);
    const changes = { secret_key: secretChange };
    await audit({ action: 'U', resource: 'server_settings:secret_key', i_customer: rootId, changes });
  }
  return { result: 'OK' as const, resealed };
}

export const keyOperatorMethods = [
  defineMethod({
    name: 'rotateKey',
    summary: 'Seals every stored credential with the new SECRET_KEY.',
    access: 'write',
    right: 'root',
    trusted: 'optional',
    params: struct({}),
    result: struct({ result: ok, resealed: integer('How many credentials were sealed anew.') }),
    faults: ['conflict'],
    run: rotateKey,
  }),
];
