/**
 * START HERE. The path of a call from its name and parameters to its result or fault, the same for
 * every face: find the method, check the parameters, then, in one transaction, find the actor,
 * check its right, check the parameters that cost much to check, run. A thrown fault rolls back, a
 * returned fault commits, anything else that escapes is a bug of ours and answers nothing but the
 * request id.
 */
import type { Logger } from 'winston';
import type { Config } from '../../base/config';
import type { Database, Transaction } from '../../db/database';
import { Fault } from '../../base/faults';
import { assertAccessAtCommit, withAccess } from '../tree/access';
import { type CustomerRef, findActor, findCachedActor } from '../tree/actors';
import { type AuditRecord, callerName, isChange, writeAudit } from './audit';
import { authorize, readWholesaler, resolveActor } from '../tree/authorize';
import type { AuthCache } from '../auth/auth-cache';
import { batchesInTurns } from './batches';
import type { Credentials } from '../auth/credentials';
import { tooManyCalls } from '../fairness/fair-queue';
import { hashingFor } from '../auth/hashing';
import { deadlineOf, withDeadline } from './deadline';
import { type IdempotencyKey, runOnce, claimKey } from './idempotency';
import type { Call, Hold, Id, Method, ReadCost, ReadMethod, WriteMethod } from './method';
import type { Check, Params } from '../schema/parameters';
import type { Registered, Registry } from './registry';
import { type Actor, rootActor, rootId } from '../tree/rights';
import { type Turns, shareOf } from '../fairness/turns';
import type { Struct } from '../schema/values';
import type { Caller } from '../auth/caller';

/** What the whole server shares; made once by `app.ts`. */
export interface Core {
  readonly config: Config;
  readonly db: Database;
  /** What is remembered of those who call. */
  readonly authCache: AuthCache;
  /** The queues in which callers take turns. */
  readonly turns: Turns;
  readonly log: Logger;
  readonly credentials: Credentials;
  readonly registry: Registry;
  /** Told of every change in its own transaction: what is to be known elsewhere is written down there. */
  readonly onChange: (db: Database | Transaction, record: AuditRecord) => Promise<void>;
  /** Told of every call that ended, for the metrics. */
  readonly observe: (ended: Ended) => void;
}

/** A call as a face hands it over. */
export interface Request {
  readonly request_id: string;
  readonly caller: Caller;
  /** When it must be over, as `performance.now()` tells it: the time of a call begins when it comes in. */
  readonly deadline: number;
  /** Counts bytes that an answer holds until it was read; returns the fault where the caller holds too many. */
  readonly hold?: Hold;
  /** Reads the body, a large one in steps; what it throws is answered and logged like any other fault. */
  readonly read: () => ParsedCall | Promise<ParsedCall>;
}

/** What is called, with what, for whom. */
export interface ParsedCall {
  /** By its name, or as the face has found it by other means. */
  readonly method: string | Registered;
  readonly members: Struct;
  /** The actor, where the face says it otherwise than by `i_wholesaler`. */
  readonly on_behalf?: CustomerRef | undefined;
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
    outcome = await withDeadline(request.deadline, run(core, request, trace));
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
  const { caller } = request;
  // Before the body is parsed, which costs time, too.
  const retry_after_s =
    caller.kind === 'operator' ? undefined : core.turns.rate.take(shareOf(caller, undefined));
  if (retry_after_s !== undefined)
    throw tooManyCalls('calls of one customer in a second (TREELINE_CALL_RATE)', retry_after_s);
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

  const outcome = await withAccess(core.authCache, request.caller, (proven) => {
    const running = { core, request, caller: proven, trace, check, params, on_behalf };
    return method.access === 'write'
      ? runWrite({ ...running, method }, asked)
      : runRead({ ...running, method });
  });
  return outcome instanceof Fault ? outcome : { method, result: outcome };
}

function registeredAs(core: Core, name: string): Registered {
  const registered = core.registry.get(name);
  if (!registered) throw new Fault('no_such_method', `There is no method ${name.slice(0, 64)}`);
  return registered;
}

/** A call whose parameters were read. */
interface Running<M extends Method> {
  readonly core: Core;
  readonly request: Request;
  /** The caller of the request, or the same one proved anew. */
  readonly caller: Caller;
  readonly trace: Trace;
  readonly method: M;
  readonly check: Check;
  readonly params: Params;
  readonly on_behalf: CustomerRef | undefined;
}

/** Throws fault 403 without the right; only then come the checks that are expensive. */
function admit({ caller, method, check, params }: Running<Method>, actor: Actor): void {
  authorize(caller, actor, method, params);
  check.checkExpensive(params);
}

/** One transaction around the right and the change, so that what was checked is what is changed. */
async function runWrite(running: Running<WriteMethod>, asked: ParsedCall) {
  const { core, request, caller, trace, method, params, on_behalf } = running;
  method.checkParams?.(params);
  const prepared = method.prepare && (await prepare(running));
  const keyedFor = keyedOf(core, caller, method, asked, params);
  const work = async (db: Transaction): Promise<unknown> => {
    const finding = resolveActor((named) => findActor(db, named), caller, on_behalf);
    // Who is named by an id is known before it is found.
    const isKnown = on_behalf === undefined || 'i_customer' in on_behalf;
    const keyed = keyedFor?.(isKnown ? idOf(caller, on_behalf) : (await finding).i_customer);
    const load = (actor: Id): Promise<unknown> | undefined => method.load?.(db, actor, params);
    // For a login that names another, nothing is looked at before that one is known to be within reach.
    const isItself = on_behalf === undefined || (caller.kind !== 'login' && 'i_customer' in on_behalf);
    const [actor, isNew, preloaded] = await Promise.all([
      finding,
      keyed && claimKey(db, keyed),
      isItself ? load({ i_customer: idOf(caller, on_behalf) }) : undefined,
    ]);
    trace.actor = actor;
    admit(running, actor);
    const call = callOf(running, actor, db);
    const go = async () => method.run(call, params, prepared, isItself ? preloaded : await load(actor));
    const result = await (keyed ? runOnce(db, keyed, isNew === true, go) : go());
    assertAccessAtCommit(db, caller, actor);
    return result;
  };
  const run = (): Promise<unknown> => core.db.transaction(work, request.deadline);
  if (caller.kind === 'operator') return run();
  return core.turns.connections.run(shareOf(caller, idNamed(on_behalf)), request.deadline, run);
}

/**
 * The slow work before the transaction, for an actor that may make the call: nobody is made to hash for a
 * call that will be refused. The transaction looks at the right again.
 */
async function prepare(running: Running<WriteMethod>): Promise<unknown> {
  const { core, request, caller, trace, method, params, on_behalf } = running;
  const actor = (trace.actor = await knownActor(running));
  admit(running, actor);
  const share = shareOf(caller, idNamed(on_behalf));
  return method.prepare?.(params, hashingFor(core.turns, share, request.deadline).hash, core.config);
}

const idNamed = (named: CustomerRef | undefined): number | undefined =>
  named && 'i_customer' in named ? named.i_customer : undefined;

const idOf = (caller: Caller, named: { readonly i_customer: number } | undefined): number =>
  named?.i_customer ?? (caller.kind === 'login' ? caller.actor.i_customer : rootId);

/** Whose idempotency key it is, if there is one, by the actor. */
function keyedOf(
  core: Core,
  caller: Caller,
  method: Method,
  { idempotency }: ParsedCall,
  params: Params,
): ((i_actor: number) => IdempotencyKey) | undefined {
  const key = idempotency?.key ?? params['idempotency_key'];
  if (typeof key !== 'string') return undefined;
  const content = Object.fromEntries(Object.entries(params).filter(([name]) => name !== 'idempotency_key'));
  const content_hashes = core.credentials.hashesOfContent(content);
  const address = idempotency?.address ?? method.name;
  // By the id of the caller: a login may be renamed, deleted and taken by somebody else.
  const who = caller.kind === 'login' ? caller.id : caller.kind;
  const scopeOf = (i_actor: number): string => `${who} ${i_actor} ${address}`;
  const i_customer = caller.kind === 'login' ? caller.actor.i_customer : null;
  const answer_bytes = core.config.idempotency_answer_bytes;
  return (i_actor) => ({ scope: scopeOf(i_actor), key, content_hashes, i_customer, answer_bytes });
}

async function runRead(running: Running<ReadMethod>): Promise<unknown> {
  const { core, request, caller, method, params, on_behalf } = running;
  if (caller.kind === 'operator') return readAs(running, core.db);
  const cost = typeof method.cost === 'function' ? method.cost(params) : (method.cost ?? 'connection');
  if (cost === 'members') return readAs(running, core.db);
  const share = shareOf(caller, idNamed(on_behalf));
  const queue = core.turns[queueOf[cost]];
  const turn = queue.enter(share, request.deadline);
  // Most calls need not wait, and a promise for each would cost them time.
  if (turn) await turn;
  try {
    const db = cost === 'lookup' ? core.db.sharedReadsOnly : cost === 'slow' ? core.db.slowReads : core.db;
    const result = await readAs(running, db);
    return batchesInTurns(result, (work) => queue.run(share, deadlineOf(core), work));
  } finally {
    queue.leave(share);
  }
}

const queueOf = {
  lookup: 'lookups',
  hash: 'lookups',
  connection: 'connections',
  slow: 'slow',
} as const satisfies Record<Exclude<ReadCost, 'members'>, keyof Turns>;

async function readAs(running: Running<ReadMethod>, db: Database): Promise<unknown> {
  const { trace, method, params } = running;
  const actor = (trace.actor = await knownActor(running));
  admit(running, actor);
  return method.run(callOf(running, actor, db), params);
}

/** A caller that acts for itself was found a moment ago, when it proved its password: reading need not ask again. */
async function knownActor({ core, caller, method, on_behalf: named }: Running<Method>): Promise<Actor> {
  const isItself =
    named === undefined ||
    (caller.kind === 'login' && 'i_customer' in named && named.i_customer === caller.actor.i_customer);
  if (caller.kind === 'login' && isItself) return caller.actor;
  if (method.trusted === 'never' && named === undefined) return rootActor;
  return resolveActor((someone) => findCachedActor(core, someone), caller, named);
}

function callOf<Db extends Database | Transaction>(
  { core, request, caller, method }: Running<Method>,
  actor: Actor,
  db: Db,
): Call<Db> {
  const { request_id, deadline, hold = holdsAny } = request;
  const context = { request_id, caller, i_actor: actor.i_customer, method: method.name };
  return {
    request_id,
    caller,
    actor,
    right: method.right,
    db,
    log: core.log,
    config: core.config,
    credentials: core.credentials,
    turns: core.turns,
    hashing: hashingFor(core.turns, shareOf(caller, undefined), deadline),
    now: new Date(),
    deadline,
    hold,
    transaction: (work) =>
      core.db.transaction(async (tx) => {
        const result = await work(tx);
        assertAccessAtCommit(tx, caller, actor);
        return result;
      }, deadline),
    audit: async (record, tx) => {
      await writeAudit(tx ?? db, context, record);
      if (isChange(record)) await core.onChange(tx ?? db, record);
    },
  };
}

/** The command line makes one call at a time, so its bytes need no bound. */
const holdsAny: Hold = () => undefined;

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
