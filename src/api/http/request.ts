/**
 * What every face does before it looks at a call: find the caller, or answer at once, and read the
 * body, inflated within the limit that bounds it on the wire.
 */
import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Core } from '../../core/call/dispatch';
import { deadlineOf, withDeadline } from '../../core/call/deadline';
import { Fault } from '../../base/faults';
import { type Authenticate, Challenge } from './auth/authenticate';
import { arrivedAt } from './loop-turns';
import type { Caller } from '../../core/auth/caller';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who is calling; set before the body is read. */
    caller?: Caller;
  }
}

/** A hook for `onRequest`. `refuse` writes a fault (blocked, no API access, database away) as the face has it. */
export function identifyWith(
  core: Core,
  authenticate: Authenticate,
  refuse: (reply: FastifyReply, fault: Fault) => Promise<FastifyReply>,
) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    try {
      const caller = await withDeadline(deadlineOf(core), authenticate(request.raw, request.id));
      if (caller instanceof Challenge) {
        const body = { error: 'Authentication is required' };
        return await reply.code(401).header('www-authenticate', caller.lines).send(body);
      }
      request.caller = caller;
      return undefined;
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      core.log.warn('Refused', { request_id: request.id, fault: error.number, reason: error.message });
      if (error.http !== 429) return await refuse(reply, error);
      return setRetryAfter(reply.code(429), error).send({ error: error.message });
    }
  };
}

/**
 * A route's `errorHandler`: a caller who has proved who it is, and has too many calls that wait, hears that as a fault
 * of its API. Throws every other error, which the server's own handler answers.
 */
export const queueFaultsWith =
  (send: (reply: FastifyReply, fault: Fault) => Promise<FastifyReply>) =>
  (error: Error, _request: FastifyRequest, reply: FastifyReply): void => {
    if (!(error instanceof Fault) || error.kind !== 'too_many_calls') throw error;
    send(reply, error).catch(() => reply.raw.destroy());
  };

/** Says when to come again, where the fault does. */
export const setRetryAfter = (reply: FastifyReply, { about: { retry_after_s } }: Fault): FastifyReply =>
  retry_after_s === undefined ? reply : reply.header('retry-after', retry_after_s);

/** What a face knows of a call without looking at its content: its name in the log, its caller, its time. */
export function requestContext({ config }: Core, request: FastifyRequest) {
  if (!request.caller) throw new Error('A request came to its handler without a caller');
  return {
    request_id: request.id,
    caller: request.caller,
    deadline: arrivedAt(request.raw) + config.call_timeout_ms,
    hold: (bytes: number) => request.held?.more(bytes),
  };
}

/** Inflated it is over the limit: HTTP 413, as if it had come so. */
class BodyTooLarge extends Error {
  override readonly message = 'The body is too large once it is inflated';
  readonly statusCode = 413;
}

const inflaters = { gzip: promisify(gunzip), 'x-gzip': promisify(gunzip), deflate: promisify(inflate) };

/** The body; fault -32700 for an unknown or broken encoding, HTTP 413 where it is too large. */
export async function readBody(core: Core, request: FastifyRequest): Promise<Buffer | Fault> {
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding === 'identity' || encoding === '') return body;
  if (!Object.hasOwn(inflaters, encoding)) {
    const text = `The content encoding ${encoding.slice(0, 32)} is unknown; gzip and deflate are known`;
    return new Fault('not_well_formed', text);
  }
  try {
    const inflateBody = inflaters[encoding as keyof typeof inflaters];
    return await inflateBody(body, { maxOutputLength: core.config.body_limit_bytes });
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') throw new BodyTooLarge();
    return new Fault('not_well_formed', `The body is not ${encoding}`);
  }
}
