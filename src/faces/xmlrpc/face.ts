/**
 * The XML-RPC face: POST /xmlapi/xmlapi and /RPC2. It knows bytes, envelopes and credentials; it
 * knows no rule. The challenge goes out before the body is looked at, because curl and PHP post an
 * empty body first to fetch it. Every fault goes out with HTTP 200; other codes only where no
 * XML-RPC answer is owed.
 */
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Core, type Outcome, dispatch } from '../../core/dispatch';
import { membersOf } from '../../core/members';
import type { Caller } from '../../core/method';
import { Fault } from '../../faults';
import { type Authenticate, Challenge } from '../http/authenticate';
import { decodeText } from './encoding';
import { parseCall } from './parse';
import { writeOutcome } from './write';

const paths = ['/xmlapi/xmlapi', '/RPC2'];

declare module 'fastify' {
  interface FastifyRequest {
    /** Who is calling; set before the body is read. */
    caller?: Caller;
  }
}

export function xmlrpcFace(app: FastifyInstance, core: Core, authenticate: Authenticate): void {
  app.decorateRequest('caller');
  for (const url of paths) {
    app.route({
      method: 'POST',
      url,
      onRequest: (request, reply) => identify(authenticate, request, reply),
      handler: async (request, reply) => send(reply, await answer(core, request)),
    });
    app.route({
      method: ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
      url,
      handler: (_request, reply) =>
        reply.code(405).header('allow', 'POST').send({ error: 'Only POST is served here' }),
    });
  }
}

/** Finds the caller; answers at once where there is none. */
async function identify(
  authenticate: Authenticate,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  try {
    const caller = await authenticate(request.raw, request.id);
    if (caller instanceof Challenge) {
      return await reply
        .code(401)
        .header('www-authenticate', caller.lines)
        .send({ error: 'Authentication is required' });
    }
    request.caller = caller;
    return undefined;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    if (error.kind !== 'too_many_failures') return send(reply, error);
    return reply.code(429).header('retry-after', error.retry_after_s).send({ error: error.message });
  }
}

async function answer(core: Core, request: FastifyRequest): Promise<Outcome> {
  const { caller } = request;
  if (!caller) throw new Error('A request came to its handler without a caller');
  try {
    const body = await inflated(core, request);
    const limits = { nesting: core.config.nesting_limit, members: core.config.members_limit };
    const { method, params } = parseCall(decodeText(body), limits);
    const members = membersOf(core.registry, method, params);
    return await dispatch(core, { request_id: request.id, method, members, caller });
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
}

const inflaters = { gzip: promisify(gunzip), 'x-gzip': promisify(gunzip), deflate: promisify(inflate) };

/** The body, inflated within the same limit that bounds it on the wire. */
async function inflated(core: Core, request: FastifyRequest): Promise<Buffer> {
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding === 'identity' || encoding === '') return body;
  if (!Object.hasOwn(inflaters, encoding)) {
    throw new Fault(
      'not_well_formed',
      `The content encoding ${encoding.slice(0, 32)} is unknown; gzip and deflate are known`,
    );
  }
  try {
    const inflate = inflaters[encoding as keyof typeof inflaters];
    return await inflate(body, { maxOutputLength: core.config.body_limit_bytes });
  } catch (error) {
    if (error instanceof RangeError) throw new BodyTooLarge();
    throw new Fault('not_well_formed', `The body is not ${encoding}`);
  }
}

/** Inflated it is over the limit: HTTP 413, as if it had come so. */
class BodyTooLarge extends Error {
  readonly statusCode = 413;
}

function send(reply: FastifyReply, outcome: Outcome): FastifyReply {
  const written = writeOutcome(outcome);
  return reply
    .code(200)
    .type('text/xml; charset=utf-8')
    .send(
      typeof written === 'string'
        ? written
        : Readable.from(written, { objectMode: false, highWaterMark: 65_536 }),
    );
}
