/**
 * START HERE. Runs a call of any API. Finds the method and checks the parameters. Then, in one transaction, finds the
 * actor, checks its right, checks the expensive parameters and runs the method. A thrown fault rolls back; a returned
 * fault commits. Any other error is a bug of ours: the caller gets fault 500 with the request id alone.
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

/** Shared by the whole server. `app.ts` creates it once. */
export interface Core {
  readonly config: Config;
  readonly db: Database;
  /** Caches logins, actors and trusted hosts. */
  readonly authCache: AuthCache;
  /** The queues in which callers take turns. */
  readonly turns: Turns;
  readonly log: Logger;
  readonly credentials: Credentials;
  readonly registry: Registry;
  /** Runs in the transaction of every change and writes the outbox events. */
  readonly onChange: (db: Database | Transaction, record: AuditRecord) => Promise<void>;
  /** Called for every finished call; updates the metrics. */
  readonly observe: (ended: Ended) => void;
}

/** A call as an API passes it to `dispatch`. */
export interface Request {
  readonly request_id: string;
  readonly caller: Caller;
  /** Deadline on the clock of `performance.now()`, in ms. The time of a call starts when its headers arrive. */
  readonly deadline: number;
  /** Counts bytes that an answer holds until the caller has read it. Returns fault 503 above the limit. */
  readonly hold?: Hold;
  /** Parses the body, a large one in steps. Its faults are answered and logged like all others. */
  readonly read: () => ParsedCall | Promise<ParsedCall>;
}

/** The parsed call: method, parameters, actor. */
export interface ParsedCall {
  /** The name of the method, or the method that the API found by its path. */
  readonly method: string | Registered;
  readonly members: Struct;
  /** The actor, if the API names it by other means than `i_wholesaler`. */
  readonly on_behalf?: CustomerRef | undefined;
  /** An idempotency key from a header, with the path for which it is valid. */
  readonly idempotency?: { readonly key: string; readonly address: string } | undefined;
}

export interface Ended {
  readonly method: string;
  readonly fault: number;
  readonly duration_ms: number;
}

/** The result with the declaration of its method, by which an API serializes it; or a fault. */
export type Outcome = { readonly method: Method; readonly result: unknown } | Fault;

/** The outcomes of a multicall, in the order of its calls. */
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

/** Collects the fields of the log line. */
interface Trace {
  method?: Method;
  actor?: Actor;
}

async function run(core: Core, request: Request, trace: Trace): Promise<Outcome> {
  const { caller } = request;
  // Checked before the body is parsed, because parsing takes time, too.
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

/** A call with checked parameters. */
interface Running<M extends Method> {
  readonly core: Core;
  readonly request: Request;
  /** The caller of the request, possibly authenticated again (see `withAccess`). */
  readonly caller: Caller;
  readonly trace: Trace;
  readonly method: M;
  readonly check: Check;
  readonly params: Params;
  readonly on_behalf: CustomerRef | undefined;
}

/** Throws fault 403 without the right, then fault 400 for parameters that are expensive to check. */
function admit({ caller, method, check, params }: Running<Method>, actor: Actor): void {
  authorize(caller, actor, method, params);
  check.checkExpensive(params);
}

/** Checks the right and makes the change in one transaction, so that a revocation cannot come between them. */
async function runWrite(running: Running<WriteMethod>, asked: ParsedCall) {
  const { core, request, caller, trace, method, params, on_behalf } = running;
  method.checkParams?.(params);
  const prepared = method.prepare && (await prepare(running));
  const keyedFor = keyedOf(core, caller, method, asked, params);
  const work = async (db: Transaction): Promise<unknown> => {
    const finding = resolveActor((named) => findActor(db, named), caller, on_behalf);
    // The id of the actor is known before its row was read, unless a name or a uuid refers to it.
    const isKnown = on_behalf === undefined || 'i_customer' in on_behalf;
    const keyed = keyedFor?.(isKnown ? idOf(caller, on_behalf) : (await finding).i_customer);
    const load = (actor: Id): Promise<unknown> | undefined => method.load?.(db, actor, params);
    // A login that acts for another customer loads nothing before that customer was found in its subtree.
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
 * Runs the slow work before the transaction, such as hashing. Checks the right first: refused calls cost no hash.
 * The transaction checks the right again.
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

/** Returns a function from the actor to the idempotency key of the call; undefined without a key. */
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
  // The id of the caller and not its login: a login may be renamed, deleted and reused.
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
  // Most calls need not wait. A promise for each would cost time.
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

/** The actor of a read. A caller that acts for itself was loaded by authentication, so no query is needed. */
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

/** The command line makes one call at a time, so its bytes need no limit. */
const holdsAny: Hold = () => undefined;

function bug(core: Core, request: Request, trace: Trace, error: unknown): Fault {
  core.log.error('Internal error', {
    request_id: request.request_id,
    method: trace.method?.name,
    stack: error instanceof Error ? error.stack : String(error),
  });
  return new Fault('internal', `Internal error ${request.request_id}`);
}

/** Writes one log line for each call: method, caller, actor, fault, duration. */
function report(core: Core, request: Request, trace: Trace, outcome: Outcome, duration_ms: number): void {
  // An unknown name is not repeated: metrics by it would grow without bound.
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
