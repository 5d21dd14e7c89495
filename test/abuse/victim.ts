/**
 * A tenant that does its business while another attacks: it reads, pays and logs in, at fixed times whatever the
 * server does. A call's time counts from when it was due, so a server that stands still is seen in every call that
 * was due meanwhile.
 */
import { digestFields, digestHeader } from '../setup/digest-client';
import { xmlCall, xmlStruct, xmlText } from '../setup/raw';
import {
  type Answer,
  type Http,
  type Sent,
  failureOf,
  faultNumber,
  loginRequest,
  openHttp,
  tenantRequest,
  xmlRequest,
} from './http';
import { type CallKind, kinds } from './measure';
import { type Stage, callAs, tokenOf } from './stage';
import { type Customer, makeCustomer, resellerRights } from './world';

export const victimAddress = '127.0.0.3';

export interface Suffered {
  readonly times_ms: Readonly<Record<CallKind, readonly number[]>>;
  readonly failed_calls: number;
  /** The first failures of each kind of call, in words. */
  readonly failures: readonly string[];
}

export interface Victim {
  readonly customer: Customer;
  readonly token: string;
  /** Makes one call of each kind, without counting, so that caches are as warm as on any day. */
  warmUp(): Promise<void>;
  /** Begins to call. `finish` stops, waits for the calls that are due, and returns what was suffered. */
  begin(): { finish(): Promise<Suffered> };
  /** What is wrong with the money of the victim. */
  verify(): Promise<readonly string[]>;
  readonly close: () => void;
}

/** One call in so many milliseconds. */
const every_ms: Readonly<Record<CallKind, number>> = { reads: 60, payments: 150, logins: 400 };
/** So many calls of a kind may wait for their answers; those that are due then begin later and count as late. */
const atOnce = 8;
const patience_ms = 30_000;
/** So long the calls that are due are still begun once the attack is over; the others count as failed. */
const afterwards_ms = 30_000;
const amount = 0.01;

interface Payment {
  readonly method: 'transferFunds' | 'customerAddFunds';
  readonly key: string;
}

export async function makeVictim(stage: Stage): Promise<Victim> {
  const customer = await makeCustomer(stage, 'victim', { ...resellerRights, balance: 1_000_000 });
  const http = openHttp(stage.url, victimAddress);
  const child = await makeCustomer(stage, 'child of victim', {}, (method, params) =>
    callAs(http, customer.api, method, params),
  );
  const token = await tokenOf(http, customer.web);
  const payments: Payment[] = [];
  let [serial, verified] = [0, 0];

  const payment = (one: Payment): Sent =>
    xmlRequest(customer.api, one.method, {
      i_customer: child.i_customer,
      amount,
      ...(one.method === 'customerAddFunds' && { currency: 'USD' }),
      idempotency_key: one.key,
    });
  const call = callsOf(http, customer, token, () => {
    const index = (serial += 1);
    const next: Payment = {
      method: index % 2 === 0 ? 'transferFunds' : 'customerAddFunds',
      key: `victim ${index}`,
    };
    payments.push(next);
    return payment(next);
  });
  return {
    customer,
    token,
    warmUp: async () => {
      for (const kind of kinds) for (let turn = 0; turn < 3; turn += 1) await call[kind](turn);
    },
    begin: () => schedule(call),
    close: http.close,
    verify: async () => {
      // A payment whose answer was lost is repeated by its key, and so happens once.
      for (; verified < payments.length; verified += 1) {
        const one = payments[verified];
        if (one) demandOk(await http.send(payment(one)));
      }
      const { balance } = await callAs(http, customer.api, 'getCustomerInfo', {
        i_customer: child.i_customer,
      });
      const expected = payments.length * amount;
      return Math.abs(Number(balance) - expected) < 0.001
        ? []
        : [
            `The victim paid ${payments.length} times ${amount} to its customer, which has ${String(balance)}`,
          ];
    },
  };
}

type Calls = Readonly<Record<CallKind, (turn: number) => Promise<void>>>;

/** The calls of each kind, in turn. Each rejects when it is not answered as it should be. */
function callsOf(http: Http, { api, web }: Customer, token: string, nextPayment: () => Sent): Calls {
  const sent = async (request: Sent): Promise<void> => {
    demandOk(await http.send({ timeout_ms: patience_ms, ...request }));
  };
  return {
    reads: (turn) =>
      sent(
        turn % 2 === 0
          ? xmlRequest(api, 'getCustomerInfo', { name: api.login })
          : tenantRequest(token, 'GET', '/customer'),
      ),
    payments: () => sent(nextPayment()),
    logins: async (turn) => {
      if (turn % 3 === 0) return sent(loginRequest(web));
      if (turn % 3 === 1)
        return sent(xmlRequest(api, 'authCustomer', { username: web.login, password: web.password }));
      return digestAfresh(http, api);
    },
  };
}

/** A challenge and its answer over a new connection, as a script that runs every minute has it. */
async function digestAfresh(http: Http, { login, password }: Customer['api']): Promise<void> {
  const body = xmlCall('getCustomerInfo', xmlStruct({ name: xmlText(login) }));
  const common = {
    verb: 'POST',
    path: '/xmlapi/xmlapi',
    body,
    timeout_ms: patience_ms,
    fresh: true,
  } as const;
  const challenge = await http.send(common);
  const nonce = /nonce="([^"]+)"/.exec([challenge.headers['www-authenticate']].flat().join())?.[1];
  if (nonce === undefined) throw new Error(`No challenge, but HTTP ${challenge.status}`);
  const authorization = digestHeader(digestFields({ login, password, nonce })).replace(
    /^Authorization: /,
    '',
  );
  demandOk(await http.send({ ...common, headers: { authorization } }));
}

function demandOk(answer: Answer): void {
  const fault = faultNumber(answer);
  if (answer.status !== 200) throw new Error(`HTTP ${answer.status}: ${answer.text.slice(0, 120)}`);
  if (fault !== undefined)
    throw new Error(`fault ${fault}: ${/faultString.*?<string>([^<]*)/s.exec(answer.text)?.[1] ?? ''}`);
}

/** Makes the calls of each kind when they are due, from now on. */
function schedule(calls: Calls): ReturnType<Victim['begin']> {
  const times_ms: Record<CallKind, number[]> = { reads: [], payments: [], logins: [] };
  const failures: string[] = [];
  const timers: NodeJS.Timeout[] = [];
  const queues: Record<CallKind, number[]> = { reads: [], payments: [], logins: [] };
  let failed_calls = 0;
  let running: Promise<void>[] = [];

  /** One queue of due times for each kind; at most `atOnce` calls of it are under way. */
  const beginKind = (kind: CallKind): void => {
    const due = queues[kind];
    let [underway, turn, next_at] = [0, 0, performance.now()];
    const one = async (due_at: number): Promise<void> => {
      turn += 1;
      try {
        await calls[kind](turn);
      } catch (error) {
        failed_calls += 1;
        if (failures.length < 5) failures.push(`${kind}: ${textOf(error)}`);
      }
      times_ms[kind].push(performance.now() - due_at);
      underway -= 1;
      start();
    };
    const start = (): void => {
      for (let due_at = due[0]; due_at !== undefined && underway < atOnce; due_at = due[0]) {
        due.shift();
        underway += 1;
        running.push(one(due_at));
      }
    };
    const tick = (): void => {
      for (; next_at <= performance.now(); next_at += every_ms[kind]) due.push(next_at);
      start();
    };
    timers.push(setInterval(tick, 20));
  };
  const giveUp = (): void => {
    for (const kind of kinds)
      for (const due_at of queues[kind].splice(0)) {
        failed_calls += 1;
        times_ms[kind].push(performance.now() - due_at);
      }
  };
  for (const kind of kinds) beginKind(kind);
  return {
    finish: async () => {
      for (const timer of timers) clearInterval(timer);
      const timer = setTimeout(giveUp, afterwards_ms);
      // Calls that end start those that were due meanwhile.
      while (running.length > 0) {
        const waiting = running;
        running = [];
        await Promise.all(waiting);
      }
      clearTimeout(timer);
      return { times_ms, failed_calls, failures };
    },
  };
}

const textOf = (error: unknown): string => {
  const code = failureOf(error);
  return error instanceof Error && error.message !== code ? `${code} ${error.message}` : code;
};
