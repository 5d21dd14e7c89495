/** The rules and statements of tariffs: they belong to one customer, and their currency never changes. */
import { changesBetween } from '../../core/call/audit';
import { inBatches } from '../../core/call/batches';
import { narrowStep } from '../../core/call/bounded-rows';
import type { Call } from '../../core/call/method';
import { type Database, sql } from '../../db/database';
import { badParameter, conflict, notFound } from '../../base/faults';

interface Tariff {
  readonly i_tariff: number;
  readonly name: string;
  readonly currency: string;
}

const insertStatement = sql(
  'insert_tariff',
  'INSERT INTO tariffs (i_customer, name, currency) VALUES ($1, $2, $3) RETURNING i_tariff',
);
const findStatement = sql(
  'find_tariff',
  'SELECT i_tariff, name, currency FROM tariffs WHERE i_tariff = $1 AND i_customer = $2',
);
const lockStatement = sql('lock_tariff', `${findStatement.text} FOR UPDATE`);
const renameStatement = sql('rename_tariff', 'UPDATE tariffs SET name = $2 WHERE i_tariff = $1');
const inUseStatement = sql(
  'tariff_in_use',
  'SELECT EXISTS (SELECT FROM customers WHERE i_tariff = $1) AS used',
);
const deleteStatement = sql('delete_tariff', 'DELETE FROM tariffs WHERE i_tariff = $1');
const listStatement = sql(
  'list_tariffs',
  `SELECT i_tariff, name, currency FROM tariffs
   WHERE i_customer = $1 AND ($2::text IS NULL OR name ILIKE $2) AND i_tariff > $3
   ORDER BY i_tariff OFFSET $4 LIMIT $5`,
);

const resourceOf = (i_tariff: number): string => `tariffs:i_tariff=${i_tariff}`;

export async function createTariff(call: Call, params: { name: string; currency: string }) {
  const i_customer = call.actor.i_customer;
  const [row] = await call.db.query<{ i_tariff: number }>(insertStatement, [
    i_customer,
    params.name,
    params.currency,
  ]);
  if (!row) throw new Error('An insert answered no row');
  await call.audit({
    action: 'A',
    resource: resourceOf(row.i_tariff),
    i_customer,
    changes: changesBetween({}, params),
  });
  return { result: 'OK' as const, i_tariff: row.i_tariff };
}

export async function updateTariff(
  call: Call,
  params: { i_tariff: number; name?: string; currency?: string },
) {
  const tariff = await lockOwn(call, params.i_tariff);
  if (params.currency !== undefined && params.currency !== tariff.currency) {
    throw badParameter('currency', `cannot be changed, it is ${tariff.currency}`);
  }
  if (params.name !== undefined) await call.db.query(renameStatement, [tariff.i_tariff, params.name]);
  const changes = changesBetween({ ...tariff }, { name: params.name ?? tariff.name });
  await call.audit({
    action: 'U',
    resource: resourceOf(tariff.i_tariff),
    i_customer: call.actor.i_customer,
    changes,
  });
  return { result: 'OK' as const };
}

export async function deleteTariff(call: Call, { i_tariff }: { i_tariff: number }) {
  // The lock keeps everybody from being given the tariff meanwhile.
  const [, [row]] = await Promise.all([
    lockOwn(call, i_tariff),
    call.db.query<{ used: boolean }>(inUseStatement, [i_tariff]),
  ]);
  if (row?.used) throw conflict('The tariff is in use');
  await call.db.query(deleteStatement, [i_tariff]);
  await call.audit({ action: 'D', resource: resourceOf(i_tariff), i_customer: call.actor.i_customer });
  return { result: 'OK' as const };
}

async function lockOwn(call: Call, i_tariff: number): Promise<Tariff> {
  const [tariff] = await call.db.query<Tariff>(lockStatement, [i_tariff, call.actor.i_customer]);
  if (!tariff) throw notFound('Tariff');
  return tariff;
}

export async function getTariffInfo(call: Call<Database>, { i_tariff }: { i_tariff: number }) {
  const [tariff] = await call.db.query<Tariff>(findStatement, [i_tariff, call.actor.i_customer]);
  if (!tariff) throw notFound('Tariff');
  return { result: 'OK' as const, tariff };
}

export async function listTariffs(
  call: Call<Database>,
  params: { offset?: number; limit?: number; name_pattern?: string },
) {
  const tariffs = await inBatches<Tariff>(call, { ...params, step: narrowStep }, ({ last, offset, size }) => [
    listStatement,
    [call.actor.i_customer, params.name_pattern ?? null, last?.i_tariff ?? 0, offset, size],
  ]);
  return { result: 'OK' as const, tariffs };
}
