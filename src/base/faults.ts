/**
 * Every fault that Treeline answers, once: name, number, HTTP status for the REST faces, text.
 * docs/reference/faults.md is generated from this list, and a test provokes each fault.
 * Numbers 400, 401 and 410 and the wording of the first two are those of the API family.
 *
 * Precedence when several apply: protocol, authentication, method, parameters, i_wholesaler,
 * right, target, grant and depth, reference, conflict, money.
 */
import { limitReachedText } from './limits';

export interface FaultKind {
  /** `faultCode` of the XML-RPC face. */
  readonly number: number;
  /** HTTP status of the JSON and REST faces. */
  readonly http: number;
  readonly when: string;
}

export const faultKinds = {
  not_well_formed: {
    number: -32700,
    http: 400,
    when: 'The body is not well-formed XML or JSON, or its encoding is unknown.',
  },
  not_a_call: {
    number: -32600,
    http: 400,
    when: 'The body is well formed, but it is no XML-RPC call, or it is over a limit.',
  },
  no_such_method: { number: -32601, http: 404, when: 'There is no method of this name.' },
  bad_parameter: {
    number: 400,
    http: 400,
    when: 'A parameter is missing, of the wrong type, out of range, or unknown.',
  },
  wrong_reference: {
    number: 401,
    http: 400,
    when: 'A reference to something that does not exist or is not available.',
  },
  short_of_money: { number: 402, http: 402, when: 'Not enough money, or over an overcommit limit.' },
  forbidden: {
    number: 403,
    http: 403,
    when: 'The right is missing, more is granted than held, too deep, a limit is reached, own tariff not allowed, blocked, no API access, or authCustomer failed.',
  },
  not_found: { number: 404, http: 404, when: 'No such customer, login or object within reach.' },
  conflict: {
    number: 409,
    http: 409,
    when: 'A name, login or alias is taken, or something still depends on the object.',
  },
  one_time_password: {
    number: 410,
    http: 410,
    when: 'Authenticated by a one-time password, which is used up now: a new password must be set.',
  },
  too_many_failures: { number: 429, http: 429, when: 'Too many failed logins.' },
  too_many_calls: {
    number: 429,
    http: 429,
    when: 'Too many calls of one caller, or too many unproven requests of one address; retry later.',
  },
  internal: {
    number: 500,
    http: 500,
    when: 'A bug of ours; the text holds the request id and nothing else.',
  },
  unavailable: {
    number: 503,
    http: 503,
    when: 'The database is away, or the server is too busy; safe to retry.',
  },
} as const satisfies Record<string, FaultKind>;

export type FaultName = keyof typeof faultKinds;

/** What is known of a fault beside its kind and text. */
export interface About {
  /** Seconds after which a retry makes sense; for 429 and 503. */
  readonly retry_after_s?: number;
  /** The parameter that it is about, where there is one. */
  readonly field?: string;
  /** What it is about, where programs that are told more than a number may tell it from others of its kind. */
  readonly nuance?: 'taken' | 'blocked';
}

/** The only error that reaches a caller. Thrown, it rolls the call back; returned, the call commits. */
export class Fault extends Error {
  override readonly name = 'Fault';

  constructor(
    readonly kind: FaultName,
    message: string,
    readonly about: About = {},
  ) {
    super(message);
  }

  get number(): number {
    return faultKinds[this.kind].number;
  }

  get http(): number {
    return faultKinds[this.kind].http;
  }
}

/** 400: names the parameter and the rule that it breaks. */
export const badParameter = (name: string, rule: string): Fault =>
  new Fault('bad_parameter', `Parameter ${name} ${rule}`, { field: name });

/** 401: the parameter refers to something that does not exist or is not available to this actor. */
export const wrongReference = (parameter: string): Fault =>
  new Fault('wrong_reference', `Wrong ${parameter}`, { field: parameter });

/** 404: the same text for what does not exist and for what is not the actor's. */
export const notFound = (what = 'Customer'): Fault => new Fault('not_found', `${what} not found`);

export const forbidden = (text: string): Fault => new Fault('forbidden', text);

/** 403: the customer, or one above it, is blocked. */
export const blocked = (): Fault => new Fault('forbidden', 'The customer is blocked', { nuance: 'blocked' });

/** 403: the database counts as many rows as the named limit allows; `most` is that number. */
export const limitReached = (name: string, most: number): Fault => forbidden(limitReachedText(name, most));

/** 409: somebody else has what the parameter asks for. */
export const taken = (field: string, text: string): Fault =>
  new Fault('conflict', text, { field, nuance: 'taken' });

export const conflict = (text: string): Fault => new Fault('conflict', text);
