/**
 * START HERE. The path of a call from its name and parameters to its result or fault, the same for
 * every face: find the method, check the parameters, then, in one transaction, find the actor,
 * check its right, check the parameters that cost much to check, run. A thrown fault rolls back, a
 * returned fault commits, anything else that escapes is a bug of ours and answers nothing but the
 * request id.
 */
import type { Logger } from 'winston';
import type { Config } from '../config';
import type { Database, Transaction } from '../db/database';
import { Fault } from '../faults';
import { type Named, findActor, recallActor } from './actors';
import { type AuditRecord, callerName, isChange, writeAudit } from './audit';
import { authorize, readWholesaler, resolveActor } from './authorize';
import type { Authority } from './authority';
import type { Credentials } from './credentials';
import { inTime } from './in-time';
import { type Keyed, once, takeKey } from './idempotency';
import type { Call, Caller, Id, Method, ReadMethod, WriteMethod } from './method';
import type { Check, Params } from './parameters';
import type { Registered, Registry } from './registry';
import { type Actor, rootActor, rootId } from './rights';
import type { Struct } from './values';

/** What the whole server shares; made once by `app.ts`. */
export interface Core {
  readonly config: Config;
  readonly db: Database;
  /** What is remembered of those who call. */
  readonly authority: Authority;
  readonly log: Logger;
  readonly credentials: Credentials;
  readonly registry: Registry;
  /** Told of every change in its own transaction: what is to be known elsewhere is written down there. */
  readonly changed: (db: Database | Transaction, record: AuditRecord) => Promise<void>;
  /** Told of every call that ended, for the metrics. */
  readonly observe: (ended: Ended) => void;
}

/** A call as a face hands it over. */
export interface Request {
  readonly request_id: string;
  readonly caller: Caller;
  /** When it must be over, as `performance.now()` tells it: the time of a call begins when it comes in. */
  readonly ends_at: number;
  /** Reads the body, a large one in steps; what it throws is answered and logged like any other fault. */
  readonly read: () => Asked | Promise<Asked>;
}

/** What is called, with what, for whom. */
export interface Asked {
  /** By its name, or as the face has found it by other means. */
  readonly method: string | Registered;
  readonly members: Struct;
  /** The actor, where the face says it otherwise than by `i_wholesaler`. */
  readonly on_behalf?: Named | undefined;
  /** A key that came otherwise than as `idempotency_key`, and the address for which it holds. */
  readonly idempotency?: { readonly key: string; readonly address: string } | undefined;
}

export interface Ended {
  readonly method: string;
  readonly fault: number;
  readonly duration_ms: number;
}

/** What a call came to, with its declaration, from which a face knows how to write the result. */
export type Outcome = { readonly method: Method; readonly result: unknown } | Fault;

/** The outcomes of many calls in one, in order; a face writes each as its protocol has it. */
export class Outcomes {
  constructor(readonly list: readonly Outcome[]) {}
}

export async function dispatch(core: Core, request: Request): Promise<Outcome> {
  const started = clock_ms();
  const trace: Trace = {};
  let outcome: Outcome;
  try {
    outcome = await inTime(request.ends_at, run(core, request, trace));
  } catch (error) {
    outcome = error instanceof Fault ? error : bug(core, request, trace, error);
  }
  report(core, request, trace, outcome, clock_ms() - started);
  return outcome;
}

/** What becomes known on the way, for the log line. */
interface Trace {
  method?: Method;
  actor?: Actor;
}

async function run(core: Core, request: Request, trace: Trace): Promise<Outcome> {
  const reading = request.read();
  const asked = reading instanceof Promise ? await reading : reading;
  const { method: name, members: given } = asked;
  const { method, check } = typeof name === 'string' ? registeredAs(core, name) : name;
  trace.method = method;

  const members = new Map(given);
  const wholesalerValue = members.get('i_wholesaler');
  if (method.trusted !== 'never') members.delete('i_wholesaler');
  const params = check.read(members, core.config.unknown_parameters, (name) => {
    core.log.warn('An unknown parameter was ignored', { request_id: request.request_id, parameter: name });
  });
  const wholesaler =
    method.trusted === 'never' ? undefined : readWholesaler(request.caller, method, wholesalerValue);
  if (wholesaler && 'remark' in wholesaler) {
    core.log.info('An i_wholesaler that is no number was dropped', { request_id: request.request_id });
  }
  const on_behalf = wholesaler && 'i_customer' in wholesaler ? wholesaler : asked.on_behalf;

  const outcome =
    method.access === 'write'
      ? await runWrite(core, request, trace, method, check, params, { ...asked, on_behalf })
      : await runRead(core, request, trace, method, check, params, on_behalf);
  return outcome instanceof Fault ? outcome : { method, result: outcome };
}

function registeredAs(core: Core, name: string): Registered {
  const registered = core.registry.get(name);
  if (!registered) throw new Fault('no_such_method', `There is no method ${name.slice(0, 64)}`);
  return registered;
}

/** One transaction around the right and the change, so that what was checked is what is changed. */
async function runWrite(
  core: Core,
  request: Request,
  trace: Trace,
  method: WriteMethod,
  check: Check,
  params: Params,
  asked: Asked,
) {
  const prepared = await method.prepare?.(params);
  const { on_behalf } = asked;
  const keyedFor = keyedOf(core, request.caller, method, asked, params);
  return core.db.transaction(async (db) => {
    const finding = resolveActor((named) => findActor(db, named), request.caller, on_behalf);
    // Who is named by an id is known before it is found.
    const isKnown = on_behalf === undefined || 'i_customer' in on_behalf;
    const keyed = keyedFor?.(isKnown ? idOf(request.caller, on_behalf) : (await finding).i_customer);
    const ahead = (actor: Id): Promise<unknown> | undefined => method.ahead?.(db, actor, params);
    // For a login that names another, nothing is looked at before that one is known to be within reach.
    const isItself =
      on_behalf === undefined || (request.caller.kind !== 'login' && 'i_customer' in on_behalf);
    const [actor, isNew, early] = await Promise.all([
      finding,
      keyed && takeKey(db, keyed),
      isItself ? ahead({ i_customer: idOf(request.caller, on_behalf) }) : undefined,
    ]);
    trace.actor = actor;
    authorize(actor, method);
    check.checkExpensive(params);
    const call = callOf(core, request, method, actor, db);
    const work = async () => method.run(call, params, prepared, isItself ? early : await ahead(actor));
    return keyed ? once(db, keyed, isNew === true, work) : work();
  }, request.ends_at);
}

const idOf = (caller: Caller, named: { readonly i_customer: number } | undefined): number =>
  named?.i_customer ?? (caller.kind === 'login' ? caller.actor.i_customer : rootId);

/** Whose idempotency key it is, if there is one, by the actor. */
function keyedOf(
  core: Core,
  caller: Caller,
  method: Method,
  { idempotency }: Asked,
  params: Params,
): ((i_actor: number) => Keyed) | undefined {
  const key = idempotency?.key ?? params['idempotency_key'];
  if (typeof key !== 'string') return undefined;
  const content = Object.fromEntries(Object.entries(params).filter(([name]) => name !== 'idempotency_key'));
  const content_hashes = core.credentials.hashesOfContent(content);
  const address = idempotency?.address ?? method.name;
  // With the kind: a login may be called `trusted`, too.
  const scopeOf = (i_actor: number): string => `${caller.kind} ${callerName(caller)} ${i_actor} ${address}`;
  return (i_actor) => ({ scope: scopeOf(i_actor), key, content_hashes });
}

async function runRead(
  core: Core,
  request: Request,
  trace: Trace,
  method: ReadMethod,
  check: Check,
  params: Params,
  named: Named | undefined,
) {
  const actor = (trace.actor = await readingActor(core, request, method, named));
  authorize(actor, method);
  check.checkExpensive(params);
  return method.run(callOf(core, request, method, actor, core.db), params);
}

/** A caller that acts for itself was found a moment ago, when it proved its password: reading need not ask again. */
async function readingActor(
  core: Core,
  { caller }: Request,
  method: ReadMethod,
  named: Named | undefined,
): Promise<Actor> {
  const isItself =
    named === undefined ||
    (caller.kind === 'login' && 'i_customer' in named && named.i_customer === caller.actor.i_customer);
  if (caller.kind === 'login' && isItself) return caller.actor;
  if (method.trusted === 'never' && named === undefined) return rootActor;
  return resolveActor((someone) => recallActor(core, someone), caller, named);
}

function callOf<Db extends Database | Transaction>(
  core: Core,
  request: Request,
  method: Method,
  actor: Actor,
  db: Db,
): Call<Db> {
  const { request_id, caller, ends_at } = request;
  const context = { request_id, caller, i_actor: actor.i_customer, method: method.name };
  return {
    request_id,
    caller,
    actor,
    db,
    log: core.log,
    config: core.config,
    credentials: core.credentials,
    now: new Date(),
    ends_at,
    audit: async (record, tx) => {
      await writeAudit(tx ?? db, context, record);
      if (isChange(record)) await core.changed(tx ?? db, record);
    },
  };
}

function bug(core: Core, request: Request, trace: Trace, error: unknown): Fault {
  core.log.error('Internal error', {
    request_id: request.request_id,
    method: trace.method?.name,
    stack: error instanceof Error ? error.stack : String(error),
  });
  return new Fault('internal', `Internal error ${request.request_id}`);
}

/** One line a call: who called what, for whom, how it ended, how long it took. */
function report(core: Core, request: Request, trace: Trace, outcome: Outcome, duration_ms: number): void {
  // A name that no method has is not repeated: metrics by it would grow without bound.
  const method = trace.method?.name ?? 'unknown';
  const fault = outcome instanceof Fault ? outcome.number : 0;
  core.observe({ method, fault, duration_ms });
  if (outcome instanceof Fault && outcome.kind === 'unavailable') {
    core.log.warn('Database unavailable', { request_id: request.request_id, cause: causeOf(outcome) });
  }
  if (!core.log.isInfoEnabled()) return;
  const { caller } = request;
  core.log.info('call', {
    request_id: request.request_id,
    method,
    caller: callerName(caller),
    address: caller.address,
    actor: trace.actor?.i_customer,
    fault,
    ms: Math.round(duration_ms * 10) / 10,
  });
}

const causeOf = (fault: Fault): string => (fault.cause instanceof Error ? fault.cause.message : 'unknown');

const clock_ms = (): number => performance.now();
