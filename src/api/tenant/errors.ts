/** Refusals as the tenant face has them: a word for the status, a word for the reason, and what is wrong in words. */
import { Fault, type FaultName } from '../../base/faults';
import { Refused } from '../rest/routes';

const statuses: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  402: 'PAYMENT_REQUIRED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  405: 'INVALID_ARGUMENT',
  409: 'FAILED_PRECONDITION',
  413: 'INVALID_ARGUMENT',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  503: 'UNAVAILABLE',
};

const reasons: Readonly<Record<FaultName, string>> = {
  not_well_formed: 'NOT_WELL_FORMED',
  not_a_call: 'NOT_WELL_FORMED',
  no_such_method: 'NOT_FOUND',
  bad_parameter: 'INVALID_PARAMETER',
  wrong_reference: 'INVALID_REFERENCE',
  short_of_money: 'INSUFFICIENT_BALANCE',
  forbidden: 'PERMISSION_DENIED',
  not_found: 'NOT_FOUND',
  conflict: 'FAILED_PRECONDITION',
  one_time_password: 'PASSWORD_EXPIRED',
  too_many_failures: 'TOO_MANY_FAILURES',
  too_many_calls: 'TOO_MANY_CALLS',
  internal: 'INTERNAL',
  unavailable: 'UNAVAILABLE',
};

interface Words {
  readonly status: string;
  readonly reason: string;
}

function wordsOf(refusal: Fault | Refused): Words {
  const status = statuses[refusal.http] ?? (refusal.http < 500 ? 'INVALID_ARGUMENT' : 'INTERNAL');
  if (refusal instanceof Refused) return { status, reason: refusal.reason ?? status };
  if (refusal.about.nuance === 'taken') return { status: 'ALREADY_EXISTS', reason: 'ALREADY_EXISTS' };
  if (refusal.about.nuance === 'blocked') return { status, reason: 'ACCOUNT_FROZEN' };
  return { status, reason: reasons[refusal.kind] };
}

export function errorOf(refusal: Fault | Refused, request_id: string): string {
  const field = refusal instanceof Fault ? refusal.about.field : undefined;
  const { message } = refusal;
  const details = field === undefined ? undefined : [{ field, message }];
  return JSON.stringify({ error: { ...wordsOf(refusal), message, request_id, details } });
}
