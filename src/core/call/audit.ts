/**
 * Who changed what. Services say what they did in the words of the switch (`A`, `U`, `D`, `FUNDS`, …
 * and a resource such as `customers:i_customer=5`); the record is written in the transaction of the
 * change, so there is neither a change without a record nor a record without a change.
 */
import { createHash } from 'node:crypto';
import { type Database, type Transaction, sql } from '../../db/database';
import type { Caller } from '../auth/caller';

/** A add, U update, D delete, RECOVER a way back in, READ a look from above; the others are those of the switch. */
export type AuditAction =
  'A' | 'U' | 'D' | 'FUNDS' | 'AUTH_FAIL' | 'AUTH_OTP' | 'OTP_RST' | 'RECOVER' | 'READ';

export interface AuditRecord {
  readonly action: AuditAction;
  readonly resource: string;
  /** Whose affair it is; everybody above sees it. Null: nobody's, and nothing is written. */
  readonly i_customer: number | null;
  /** `[old, new]` for each field; of a secret only `['changed', 'changed']`. */
  readonly changes?: Readonly<Record<string, readonly [unknown, unknown]>>;
}

/** Somebody who failed to prove who it is. */
interface Stranger {
  readonly kind: 'unknown';
  readonly address: string;
}

/** What a record takes from the call. */
export interface AuditContext {
  readonly request_id: string;
  readonly caller: Caller | Stranger;
  readonly i_actor: number | null;
  readonly method: string;
}

const insert = `INSERT INTO audit_records
     (request_id, caller, address, i_actor, method, action, resource, i_customer, changes, i_caller)
   SELECT $1, $2, $3, $4, $5, $6, $7, $8::integer, $9, $10 WHERE $8::integer IS NOT NULL`;
const insertStatement = sql('insert_audit_record', insert);
/** Whoever looks again within the hour, from the same address, leaves no other record. */
const lookStatement = sql(
  'insert_audit_record_of_look',
  `${insert} AND NOT EXISTS (
     SELECT FROM audit_records r WHERE r.i_customer = $8 AND r.created_at > now() - interval '1 hour'
       AND r.action = $6 AND r.method = $5 AND r.caller = $2 AND r.i_caller = $10 AND r.address = $3)`,
);

/** In a transaction the record goes together with COMMIT. */
export async function writeAudit(
  db: Database | Transaction,
  context: AuditContext,
  record: AuditRecord,
): Promise<void> {
  const { caller } = context;
  if (!isChange(record)) return;
  const values = [
    context.request_id,
    callerName(caller),
    caller.address,
    context.i_actor,
    context.method,
    record.action,
    record.resource,
    record.i_customer,
    JSON.stringify(recordedChanges(record.changes ?? {})),
    caller.kind === 'login' ? caller.actor.i_customer : null,
  ];
  if ('inTransaction' in db) db.execBeforeCommit(insertStatement, values);
  else await db.query(record.action === 'READ' ? lookStatement : insertStatement, values);
}

type Change = readonly [unknown, unknown];

/** Long values are not copied into records: a record would grow with every change of a style sheet. */
const recordedValueAtMost_bytes = 1_024;

/** What stands in a record for a longer value. */
interface Digest {
  /** In bytes: of a text its UTF-8, of any other value its JSON. */
  readonly length: number;
  /** The SHA-256 of these bytes, in hexadecimal. */
  readonly sha256: string;
}

/** The value as a record keeps and shows it: itself up to 1 KiB, else its length and SHA-256. */
export function recordedValue(value: unknown): unknown {
  if (value === null || (typeof value !== 'string' && typeof value !== 'object')) return value;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const length = Buffer.byteLength(text);
  if (length <= recordedValueAtMost_bytes) return value;
  return { length, sha256: createHash('sha256').update(text).digest('hex') } satisfies Digest;
}

const recordedChanges = (changes: Readonly<Record<string, Change>>): Readonly<Record<string, Change>> =>
  Object.fromEntries(
    Object.entries(changes).map(([name, [before, after]]) => [
      name,
      [recordedValue(before), recordedValue(after)] as const,
    ]),
  );

/** An update that changed nothing is no change. */
export const isChange = ({ action, changes = {} }: AuditRecord): boolean =>
  action !== 'U' || Object.keys(changes).length > 0;

/** How a caller is called in logs and records. */
export const callerName = (caller: Caller | Stranger): string =>
  caller.kind === 'login' ? caller.login : caller.kind;

/** What a secret leaves in a record. */
export const secretChange = ['changed', 'changed'] as const;

export const isSame = (one: unknown, other: unknown): boolean =>
  one === other ||
  (typeof one === 'object' && typeof other === 'object' && JSON.stringify(one) === JSON.stringify(other));

/** The fields of which the new value differs from the old one. */
export function changesBetween(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): Record<string, readonly [unknown, unknown]> {
  const changed = Object.keys(after).filter((name) => !isSame(before[name], after[name]));
  return Object.fromEntries(
    changed.map((name) => [name, [before[name] ?? null, after[name] ?? null] as const]),
  );
}
