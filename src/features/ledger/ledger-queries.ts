/** Reading the books: payments one by one, and statements of a period; those of deleted customers too. */
import { inBatches, isEmpty, mapRows } from '../../core/call/batches';
import { narrowStep } from '../../core/call/bounded-rows';
import { isNegative, negate, plain } from '../../core/schema/decimal';
import type { Call } from '../../core/call/method';
import type { Money } from '../../core/schema/schema';
import { formatTime, parseTime } from '../../core/schema/times';
import { assertWithin } from '../../core/tree/tree';
import type { Database } from '../../db/database';
import { notFound } from '../../base/faults';
import {
  type ListedPayment,
  type PaymentRow,
  type StatementRow,
  awaitBooked,
  findPayment,
  listPayments,
  statementBounds,
  statementRows,
} from './repository';

export interface PaymentsParams {
  readonly i_customer: number;
  readonly offset?: number;
  readonly limit?: number;
  readonly start_date?: string;
  readonly end_date?: string;
  readonly type?: 'credit' | 'debit';
}

/** The payments of the actor or of a customer below it. */
export async function getPaymentsList(call: Call<Database>, params: PaymentsParams) {
  const { db, actor } = call;
  const filter = {
    i_customer: params.i_customer,
    from: timeOrNull(params.start_date),
    to: timeOrNull(params.end_date),
    sign: params.type === undefined ? null : params.type === 'credit' ? (1 as const) : (-1 as const),
  };
  const rows = await inBatches<ListedPayment>(call, { ...params, step: narrowStep }, (page) =>
    listPayments(actor, filter, page),
  );
  // Where there are none, it is still to be told whether there is such a customer.
  if (isEmpty(rows)) await assertWithin(db, actor, params.i_customer, 'deleted too');
  return { result: 'OK' as const, payments: mapRows(rows, paymentOf) };
}

export async function getPaymentInfo(call: Call<Database>, { i_payment }: { i_payment: number }) {
  const row = await findPayment(call.db, call.actor, i_payment);
  if (!row) throw notFound('Payment');
  return { result: 'OK' as const, payment: paymentOf(row) };
}

/** An amount is never negative here; `type` says which way it went. */
const paymentOf = (row: PaymentRow) => ({
  i_payment: row.i_payment,
  i_customer: row.i_customer,
  type: typeOf(row.amount),
  kind: row.kind,
  amount: isNegative(row.amount) ? negate(row.amount) : row.amount,
  currency: row.currency,
  payment_time: formatTime(row.payment_time),
  payment_notes: row.payment_notes,
  i_reversed: row.i_reversed,
  reversed: row.reversed,
});

const typeOf = (amount: Money): 'credit' | 'debit' => (isNegative(amount) ? 'debit' : 'credit');
const timeOrNull = (text: string | undefined): Date | null =>
  text === undefined ? null : (parseTime(text) ?? null);

/**
 * What the account stood at, what was booked, what it stands at: opening plus entries is closing. A statement whose end
 * has passed never changes again, so what may still be committed before its end is waited for.
 */
export async function getStatement(
  call: Call<Database>,
  params: { i_customer: number; start_date?: string; end_date?: string },
) {
  const { db, actor } = call;
  const { i_customer } = params;
  const period = {
    i_customer,
    from: timeOrNull(params.start_date) ?? new Date(0),
    to: timeOrNull(params.end_date),
  };
  if (mayStillChange(call, period.to)) await awaitBooked(db, actor, period);
  const bounds = await statementBounds(db, actor, period);
  if (!bounds) throw notFound();
  const rows = await inBatches<StatementRow>(call, { step: narrowStep }, (page) =>
    statementRows(actor, i_customer, bounds, page),
  );
  const entries = mapRows(rows, (row) => ({
    i_payment: row.i_payment,
    kind: row.kind,
    amount: plain(row.amount),
    prepaid: plain(row.prepaid),
    balance: plain(row.balance),
    booked_at: formatTime(row.booked_at),
    payment_notes: row.payment_notes,
    levels: row.levels,
  }));
  return { result: 'OK' as const, opening: plain(bounds.opening), entries, closing: plain(bounds.closing) };
}

/** Clocks of servers and database may be so far apart. */
const clockSkew_ms = 60_000;

/** Whether a call that is under way may have dated an entry before the end: it is younger than the longest call. */
const mayStillChange = ({ config, now }: Call<Database>, to: Date | null): boolean =>
  to !== null && now.getTime() - to.getTime() < config.call_timeout_ms + clockSkew_ms;
