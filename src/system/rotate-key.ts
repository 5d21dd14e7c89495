/**
 * A new SECRET_KEY for a database that is in use. Servers run with both keys (SECRET_KEY is the new
 * one, SECRET_KEY_PREVIOUS the old one) and read what either sealed; this seals everything with the
 * new one, in one transaction with the check value, so that the old one can be taken away.
 */
import { secretChange } from '../core/audit';
import { type Call, defineMethod } from '../core/method';
import { integer, ok, struct } from '../core/schema';
import { sql } from '../db/database';
import { conflict } from '../faults';
import { rootId } from '../core/rights';
import { keptCheck } from './first-start';

const batchSize = 1_000;

/** Nobody may be given a password meanwhile that a server seals with the old key. */
const lockStatement = sql('lock_api_credentials', 'LOCK TABLE api_credentials IN SHARE ROW EXCLUSIVE MODE');
const readStatement = sql(
  'read_sealed',
  'SELECT i_api_credential, i_customer, sealed_ha1 FROM api_credentials WHERE i_api_credential > $1 ORDER BY i_api_credential LIMIT $2',
);
const writeStatement = sql(
  'write_sealed',
  `UPDATE api_credentials k SET sealed_ha1 = n.sealed_ha1
   FROM unnest($1::int[], $2::bytea[]) AS n (i_api_credential, sealed_ha1) WHERE k.i_api_credential = n.i_api_credential`,
);
const checkStatement = sql(
  'set_secret_check',
  `UPDATE server_settings SET value = $1 WHERE name = 'secret_check'`,
);

interface Sealed {
  readonly i_api_credential: number;
  readonly i_customer: number;
  readonly sealed_ha1: Buffer;
}

async function rotateKey({ db, credentials, audit }: Call) {
  if (credentials.check_values.length < 2) {
    throw conflict('SECRET_KEY_PREVIOUS must be the key until now, and SECRET_KEY the new one');
  }
  await db.query(lockStatement);
  let resealed = 0;
  for (let after = 0; ;) {
    const rows = await db.query<Sealed>(readStatement, [after, batchSize]);
    const changed = rows.flatMap(({ i_api_credential, i_customer, sealed_ha1 }) => {
      const sealed = credentials.resealHa1(sealed_ha1, i_customer);
      return sealed ? [{ i_api_credential, sealed }] : [];
    });
    await db.query(writeStatement, [
      changed.map(({ i_api_credential }) => i_api_credential),
      changed.map(({ sealed }) => sealed),
    ]);
    resealed += changed.length;
    const last = rows.at(-1);
    if (!last || rows.length < batchSize) break;
    after = last.i_api_credential;
  }
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
