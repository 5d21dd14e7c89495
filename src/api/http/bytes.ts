/**
 * Bytes that callers make the process hold: bodies that come in, and answers until they are read. They are
 * bounded per caller and in all. A caller over its own bound hears 503 and its connection closes. When all
 * callers together are over the bound, whoever holds most gives way: its connection with the oldest
 * unread answer or unfinished body is closed, so that one caller cannot keep others out.
 */
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Config } from '../../base/config';
import { Outcomes, type Outcome } from '../../core/call/dispatch';
import type { Share } from '../../core/fairness/fair-queue';
import { loginShare, shareOf } from '../../core/fairness/turns';
import { Fault } from '../../base/faults';
import { originOf } from './address';

declare module 'fastify' {
  interface FastifyRequest {
    /** What the request makes the process hold. */
    held?: HeldBytes | undefined;
    /** Whether its answer may be refused without harm: nothing was changed. */
    isRepeatable?: boolean;
  }
}

/** What one request makes the process hold. */
export interface HeldBytes {
  /** Holds more bytes until the answer was read, or returns the fault that says why not. */
  readonly more: (bytes: number) => Fault | undefined;
  readonly share: Share;
  readonly request: FastifyRequest;
  bytes: number;
  isAnswering: boolean;
}

interface CallerBytes {
  bytes: number;
  readonly requests: Set<HeldBytes>;
}

interface GroupBytes {
  bytes: number;
  readonly callers: Map<Share['caller'], CallerBytes>;
}

/** Of an answer in pieces at most so much is held: what streams buffer, and a batch of rows as text. */
const streamBytes = 524_288;
/** A smaller answer goes out in one piece, so nobody needs to watch whether it is read. */
const watchedFrom_bytes = 16_384;

/** Bytes in use; for metrics and tests. */
export interface ByteBudget {
  state(): { readonly bytes: number; readonly callers: number };
}

/** Bounds what requests of `app` hold. Its hooks run after those that say who calls. */
export function boundBytes(app: FastifyInstance, config: Config): ByteBudget {
  const budget = createBudget(config);
  app.decorateRequest('held');
  app.decorateRequest('isRepeatable', false);
  app.addHook('preParsing', (request, reply, payload, done) => {
    const held: HeldBytes = {
      more: (bytes) => budget.admit(held, bytes),
      share: holderOf(request, config),
      request,
      bytes: 0,
      isAnswering: false,
    };
    // Whose unread answers leave no room for another one is refused before anything is done for it.
    const refusal =
      budget.refusal(held.share, config.page_limit_bytes) ?? held.more(bodyBytes(request, config));
    if (refusal) {
      // The rest of the body is not read.
      void reply.header('connection', 'close');
      done(refusal);
      return;
    }
    request.held = held;
    reply.raw.once('close', () => {
      budget.release(held);
      if (held.isAnswering) request.raw.socket.setTimeout(0);
    });
    done(null, payload);
  });
  app.addHook('onSend', (request, reply, payload, done) => {
    const { held } = request;
    if (!held) {
      done(null, payload);
      return;
    }
    const bytes = sizeOf(payload);
    const refusal = request.isRepeatable ? held.more(bytes) : undefined;
    if (refusal) {
      if (payload instanceof Readable) payload.destroy();
      done(null, refuse(reply, refusal));
      return;
    }
    if (!request.isRepeatable) budget.hold(held, bytes);
    watch(held, request.raw.socket, bytes, config.answer_timeout_ms);
    done(null, payload);
  });
  return budget;
}

/** Says that the answer may be refused: the call changed nothing. Of many calls in one, nobody knows. */
export function markRepeatable(reply: FastifyReply, outcome: Outcome): void {
  reply.request.isRepeatable =
    !(outcome instanceof Fault) && outcome.method.access === 'read' && !(outcome.result instanceof Outcomes);
}

/** Closes the connection when the caller takes nothing of the answer for so long. */
function watch(held: HeldBytes, socket: Socket, bytes: number, timeout_ms: number): void {
  held.isAnswering = bytes >= watchedFrom_bytes || socket.writableLength > 0;
  if (held.isAnswering) socket.setTimeout(timeout_ms);
}

function refuse(reply: FastifyReply, refusal: Fault): string {
  void reply.code(refusal.http).header('connection', 'close').header('retry-after', 1);
  void reply.type('application/json; charset=utf-8');
  return JSON.stringify({ error: refusal.message });
}

/** Whose bytes they are: those of the caller, or of the address where nobody has proved anything. */
function holderOf(request: FastifyRequest, config: Config): Share {
  const { caller } = request;
  if (caller) return shareOf(caller, undefined);
  return loginShare(originOf(request.raw, config.trusted_proxies).address, 'unknown');
}

/** How much a body takes: what is announced, or the most that it may be; and once more where it is inflated. */
function bodyBytes({ raw: { headers } }: FastifyRequest, { body_limit_bytes }: Config): number {
  const announced = headers['content-length'];
  const isChunked = headers['transfer-encoding'] !== undefined;
  const wire = isChunked ? body_limit_bytes : Math.min(Number(announced ?? 0) || 0, body_limit_bytes);
  return wire > 0 && headers['content-encoding'] !== undefined ? wire + body_limit_bytes : wire;
}

function sizeOf(payload: unknown): number {
  // About; to count the bytes of a text takes as long as to write it.
  if (typeof payload === 'string') return payload.length;
  if (Buffer.isBuffer(payload)) return payload.length;
  return payload instanceof Readable ? streamBytes : 0;
}

interface Budget extends ByteBudget {
  /** The fault where the caller holds too much to hold so many bytes more. */
  refusal(share: Share, bytes: number): Fault | undefined;
  /** Holds the bytes, or returns the fault that says why not. */
  admit(held: HeldBytes, bytes: number): Fault | undefined;
  /** Holds the bytes whatever the bounds: what was done must be answered. */
  hold(held: HeldBytes, bytes: number): void;
  release(held: HeldBytes): void;
}

function createBudget(config: Config): Budget {
  // A body, the same inflated, and a page must have room, whatever the settings.
  const atLeast = 2 * config.body_limit_bytes + config.page_limit_bytes;
  const ofCaller = Math.max(config.bytes_per_caller, atLeast);
  const inAll = Math.max(config.bytes_in_all, atLeast);
  const groups = new Map<Share['group'], GroupBytes>();
  let total = 0;

  const find = ({ group: name, caller: callerName }: Share): readonly [GroupBytes, CallerBytes] => {
    let group = groups.get(name);
    if (!group) groups.set(name, (group = { bytes: 0, callers: new Map() }));
    let caller = group.callers.get(callerName);
    if (!caller) group.callers.set(callerName, (caller = { bytes: 0, requests: new Set() }));
    return [group, caller];
  };

  const add = (held: HeldBytes, bytes: number): void => {
    const [group, caller] = find(held.share);
    caller.requests.add(held);
    held.bytes += bytes;
    caller.bytes += bytes;
    group.bytes += bytes;
    total += bytes;
  };

  const release = (held: HeldBytes): void => {
    const [group, caller] = find(held.share);
    caller.requests.delete(held);
    caller.bytes -= held.bytes;
    group.bytes -= held.bytes;
    total -= held.bytes;
    held.bytes = 0;
    if (caller.requests.size === 0) group.callers.delete(held.share.caller);
    if (group.callers.size === 0) groups.delete(held.share.group);
  };

  /** Closes connections of those who hold more than this share would, until there is room. */
  const makeRoom = (share: Share, bytes: number): boolean => {
    while (total + bytes > inAll) {
      const own = groups.get(share.group)?.bytes ?? 0;
      const victim = waitingOf(mostOf(groups.values()), own + bytes);
      if (!victim) return false;
      release(victim);
      victim.request.raw.socket.destroy();
    }
    return true;
  };

  const refusal = (share: Share, bytes: number): Fault | undefined => {
    const own = groups.get(share.group)?.callers.get(share.caller)?.bytes ?? 0;
    return own + bytes > ofCaller ? tooMuch('one caller', 'TREELINE_BYTES_PER_CALLER') : undefined;
  };

  return {
    refusal,
    admit: (held, bytes) => {
      const refused = refusal(held.share, bytes);
      if (refused) return refused;
      if (total + bytes > inAll && !makeRoom(held.share, bytes))
        return tooMuch('all callers', 'TREELINE_BYTES_IN_ALL');
      add(held, bytes);
      return undefined;
    },
    hold: add,
    release,
    state: () => ({ bytes: total, callers: groups.size }),
  };
}

const tooMuch = (whose: string, setting: string): Fault =>
  new Fault('unavailable', `Too many bytes of ${whose} are unread (${setting}), please retry`, {
    retry_after_s: 1,
  });

function mostOf<T extends { readonly bytes: number }>(list: Iterable<T>): T | undefined {
  let most: T | undefined;
  for (const each of list) if (!most || each.bytes > most.bytes) most = each;
  return most;
}

/** The oldest request of the group's greatest caller that only waits for its caller; none of a group that holds no more. */
function waitingOf(group: GroupBytes | undefined, ownBytes: number): HeldBytes | undefined {
  if (!group || group.bytes <= ownBytes) return undefined;
  for (const held of mostOf(group.callers.values())?.requests ?? []) {
    // One that runs is left alone: its caller would not know what came of it.
    if (held.isAnswering || !held.request.raw.complete) return held;
  }
  return undefined;
}
