/** getAuditLogs: who changed what, for everybody about the customers below. */
import { recordedValue } from '../../core/call/audit';
import { inBatches, isEmpty, mapRows } from '../../core/call/batches';
import { type Call, defineMethod } from '../../core/call/method';
import { type CursorRow, cursorColumns } from '../../core/call/cursor-pagination';
import {
  any,
  id,
  integer,
  list,
  nullable,
  ok,
  optional,
  streamed,
  struct,
  text,
  time,
} from '../../core/schema/schema';
import { rootId } from '../../core/tree/rights';
import { formatTime, parseTime } from '../../core/schema/times';
import { assertWithin } from '../../core/tree/tree';
import { type Database, sql } from '../../db/database';
import { isWithin } from '../../core/tree/visibility';

const hour_ms = 3_600_000;

interface AuditParams {
  readonly start_date?: string;
  readonly end_date?: string;
  readonly limit?: number;
  readonly offset?: number;
  readonly i_customer?: number;
}

interface Row extends CursorRow {
  readonly created_at: Date;
  readonly request_id: string;
  readonly caller: string;
  readonly i_actor: number | null;
  readonly address: string;
  readonly method: string;
  readonly action: string;
  readonly resource: string;
  readonly i_customer: number;
  readonly changes: Readonly<Record<string, readonly [unknown, unknown]>>;
  /** Whether those who did it are themselves within the actor's reach. */
  readonly inside: boolean;
}

/**
 * A page costs the same however many records others have. The index by ancestor finds the records at and below the
 * actor; root has no rows in it and reads all records by time. The page is cut from the index before any record is read.
 */
const selected = `SELECT r.created_at, r.request_id, r.caller, r.i_actor, r.address, r.method, r.action, r.resource, r.i_customer, r.changes,
     coalesce(${isWithin('a', '$1')}, true) AND coalesce(${isWithin('k', '$1')}, true) AS inside, ${cursorColumns('r', 'i_audit_record')}`;
const page = 'ORDER BY r.created_at, r.i_audit_record OFFSET $4 LIMIT $5';
const isInTime = `r.created_at >= $2 AND r.created_at < $3
     AND (r.created_at, r.i_audit_record) > ($6::timestamptz, $7::bigint)`;
const listOf = (records: string): string => `${selected} FROM (${records}) r
   LEFT JOIN customers a ON a.i_customer = r.i_actor LEFT JOIN customers k ON k.i_customer = r.i_caller
   ORDER BY r.created_at, r.i_audit_record`;
const listAllStatement = sql(
  'list_audit_records',
  listOf(`SELECT * FROM audit_records r WHERE ${isInTime} ${page}`),
);
const listBelowStatement = sql(
  'list_audit_records_below',
  listOf(`SELECT f.* FROM (
       SELECT r.created_at, r.i_audit_record FROM audit_index r WHERE r.i_ancestor = $1 AND ${isInTime} ${page}) i
     CROSS JOIN LATERAL (
       SELECT * FROM audit_records a WHERE a.created_at = i.created_at AND a.i_audit_record = i.i_audit_record OFFSET 0) f`),
);
const listOfOneStatement = sql(
  'list_audit_records_of_one',
  listOf(`SELECT r.* FROM audit_records r JOIN customers c ON c.i_customer = r.i_customer
     WHERE r.i_customer = $8 AND ${isWithin('c', '$1')} AND ${isInTime} ${page}`),
);

async function getAuditLogs(call: Call<Database>, params: AuditParams) {
  const { db, actor, now } = call;
  const given = params.start_date === undefined ? undefined : parseTime(params.start_date);
  const start = given ?? new Date(now.getTime() - hour_ms);
  const end = params.end_date === undefined ? undefined : parseTime(params.end_date);
  // Without a start: until this very moment, and a little more for the clock of the database.
  const until = end ?? new Date((given ?? now).getTime() + hour_ms);
  const { i_customer } = params;
  const isOfOne = i_customer !== undefined;
  const ofMany = actor.i_customer === rootId ? listAllStatement : listBelowStatement;
  const range = { offset: params.offset, limit: params.limit ?? 100 };
  const rows = await inBatches<Row>(call, range, ({ last, offset, size }) => {
    const cursor = [last?.cursor_time ?? '-infinity', last?.cursor_id ?? 0];
    const values = [actor.i_customer, start, until, offset, size, ...cursor];
    return isOfOne ? [listOfOneStatement, [...values, i_customer]] : [ofMany, values];
  });
  // Where there are none, it is still to be told whether there is such a customer.
  if (isEmpty(rows) && isOfOne) await assertWithin(db, actor, i_customer, 'deleted too');
  return { result: 'OK' as const, records: mapRows(rows, recordOf) };
}

/** What somebody above did to the actor's customers is told, but not who it was and from where. */
const recordOf = ({ created_at, inside, changes, ...row }: Row) => ({
  ...row,
  date: formatTime(created_at),
  caller: inside ? row.caller : null,
  i_actor: inside ? row.i_actor : null,
  address: inside ? row.address : null,
  changes: Object.entries(changes).map(([field, [before, after]]) => ({
    field,
    // Also of records that were made before long values were left out.
    old: recordedValue(before),
    new: recordedValue(after),
  })),
});

export const auditMethods = [
  defineMethod({
    name: 'getAuditLogs',
    summary: 'Answers what was changed, and which logins failed, at the actor and below it.',
    access: 'read',
    right: 'none',
    trusted: 'required',
    params: struct({
      start_date: optional(time('From here on; absent: one hour ago.')),
      end_date: optional(time('Before this; absent: one hour after start_date.')),
      limit: optional(integer('Answer at most so many; absent: 100.', { minimum: 0, maximum: 100 })),
      offset: optional(
        integer('Skip so many, at most 10,000; narrow the dates to see more.', {
          minimum: 0,
          maximum: 10_000,
        }),
      ),
      i_customer: optional(id('Only what concerns this customer.')),
    }),
    result: struct({
      result: ok,
      records: streamed(
        struct({
          date: time('When.'),
          request_id: text(64, 'The request, as in the log and in the X-Request-Id of its answer.'),
          caller: nullable(text(128, 'Who called; nil: somebody above the actor.')),
          i_actor: nullable(id('The customer that the call ran as.')),
          address: nullable(text(64, 'From where.')),
          method: text(64, 'The method.'),
          action: text(
            16,
            'A added, U changed, D deleted, READ looked at from above, FUNDS, AUTH_FAIL, AUTH_OTP, OTP_RST, RECOVER.',
          ),
          resource: text(1024, 'What, such as customers:i_customer=5.'),
          i_customer: id('The customer that it concerns.'),
          changes: list(
            struct({
              field: text(64, 'The field.'),
              old: any('What it was; over 1 KiB: its `length` in bytes and its `sha256`.'),
              new: any('What it is; of secrets only that they changed.'),
            }),
            'The changed fields.',
          ),
        }),
        'The records, the oldest first.',
      ),
    }),
    faults: ['not_found'],
    cost: 'slow',
    run: getAuditLogs,
  }),
];
