/**
 * The XML-RPC face: POST /xmlapi/xmlapi and /RPC2. It knows bytes, envelopes and credentials; it
 * knows no rule. The challenge goes out before the body is looked at, because curl and PHP post an
 * empty body first to fetch it. Every fault goes out with HTTP 200; other codes only where no
 * XML-RPC answer is owed.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type ParsedCall, type Core, type Outcome, dispatch } from '../../core/call/dispatch';
import { runInSteps } from '../../core/fairness/event-loop';
import { paramsStruct } from '../../core/call/xmlrpc-params';
import { Fault } from '../../base/faults';
import { bodyOf } from '../http/answer';
import type { Authenticate } from '../http/auth/authenticate';
import { markRepeatable } from '../http/bytes';
import { requestContext, identifyWith, queueFaultsWith, readBody, setRetryAfter } from '../http/request';
import { limitsOf } from '../http/limits';
import { isBounded } from '../http/pieces';
import { decodeText } from './encoding';
import { parseCall } from './parse';
import { writeOutcome } from './write';

const paths = ['/xmlapi/xmlapi', '/RPC2'];

export function xmlrpcFace(app: FastifyInstance, core: Core, authenticate: Authenticate): void {
  for (const url of paths) {
    app.route({
      method: 'POST',
      url,
      onRequest: identifyWith(core, authenticate, send),
      errorHandler: queueFaultsWith(send),
      handler: async (request, reply) => send(reply, await answer(core, request)),
    });
    app.route({
      method: app.supportedMethods.filter((method) => method !== 'POST'),
      url,
      // Before the body is looked at: Fastify has rules of its own for the bodies of some methods.
      onRequest: refuseMethod,
      handler: refuseMethod,
    });
  }
}

const refuseMethod = async (_request: FastifyRequest, reply: FastifyReply): Promise<unknown> =>
  reply.code(405).header('allow', 'POST').send({ error: 'Only POST is served here' });

async function answer(core: Core, request: FastifyRequest): Promise<Outcome> {
  const body = await readBody(core, request);
  const read = () => {
    if (body instanceof Fault) throw body;
    return runInSteps(readCall(core, body));
  };
  return dispatch(core, { ...requestContext(core, request), read });
}

function* readCall(core: Core, body: Buffer): Generator<undefined, ParsedCall> {
  const { method, params } = yield* parseCall(yield* decodeText(body), limitsOf(core));
  return { method, members: paramsStruct(core.registry, method, params) };
}

async function send(reply: FastifyReply, outcome: Outcome): Promise<FastifyReply> {
  markRepeatable(reply, outcome);
  const body = await bodyOf(writeOutcome(outcome), isBounded(outcome));
  // HTTP 200 has no such header of its own, but a caller may look for it.
  const answer = outcome instanceof Fault ? setRetryAfter(reply, outcome) : reply;
  return answer.code(200).type('text/xml; charset=utf-8').send(body);
}
