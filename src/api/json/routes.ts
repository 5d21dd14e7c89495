/**
 * The JSON face: the same registry over POST /json/<method>, one object in, one object out; faults
 * with the HTTP status of their kind. And, where TREELINE_API_PHP asks for it, the old form
 * GET /api.php?username=&apipassword=&action=&JSONString=, whose query never reaches a log. It needs
 * a password from trusted hosts, too: any web page can make a browser send a GET.
 */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { type Core, type Outcome, dispatch } from '../../core/call/dispatch';
import type { Struct } from '../../core/schema/values';
import { Fault, badParameter } from '../../base/faults';
import { bodyOf } from '../http/answer';
import type { Authenticate } from '../http/auth/authenticate';
import { markRepeatable } from '../http/bytes';
import { requestContext, identifyWith, queueFaultsWith, readBody, setRetryAfter } from '../http/request';
import { limitsOf } from '../http/limits';
import { isBounded } from '../http/pieces';
import { readMembers } from './values';
import { writeJson } from './write';

interface PhpQuery {
  readonly username?: string;
  readonly apipassword?: string;
  readonly action?: string;
  readonly JSONString?: string;
}

export function jsonFace(app: FastifyInstance, core: Core, authenticate: Authenticate): void {
  const onRequest = identifyWith(core, authenticate, send);
  app.route<{ Params: { method: string } }>({
    method: 'POST',
    url: '/json/:method',
    onRequest,
    errorHandler: queueFaultsWith(send),
    handler: async (request, reply) => {
      const body = await readBody(core, request);
      const read = async () => {
        if (body instanceof Fault) throw body;
        return { method: request.params.method, members: await readMembers(body, limitsOf(core)) };
      };
      return send(reply, await dispatch(core, { ...requestContext(core, request), read }));
    },
  });
  if (core.config.api_php === 'on') phpForm(app, core, authenticate);
}

function phpForm(app: FastifyInstance, core: Core, authenticate: Authenticate): void {
  app.route<{ Querystring: PhpQuery }>({
    method: 'GET',
    url: '/api.php',
    onRequest: identifyWith(
      core,
      (raw, request_id) => authenticate(raw, request_id, { given: passwordOf(raw.url), trusted: 'never' }),
      send,
    ),
    errorHandler: queueFaultsWith(send),
    handler: async (request, reply) => {
      const read = () => readPhp(core, request.query);
      return send(reply, await dispatch(core, { ...requestContext(core, request), read }));
    },
  });
}

/** Login and password of the query, as Basic would carry them. */
function passwordOf(url: string | undefined): { login: string; password: string } | undefined {
  const query = new URLSearchParams((url ?? '').replace(/^[^?]*/, ''));
  const [login, password] = [query.get('username'), query.get('apipassword')];
  return login !== null && password !== null ? { login, password } : undefined;
}

async function readPhp(
  core: Core,
  { action, JSONString }: PhpQuery,
): Promise<{ method: string; members: Struct }> {
  if (typeof action !== 'string' || action === '') throw badParameter('action', 'is required');
  const json = typeof JSONString === 'string' ? JSONString : '';
  return { method: action, members: await readMembers(Buffer.from(json), limitsOf(core)) };
}

async function send(reply: FastifyReply, outcome: Outcome): Promise<FastifyReply> {
  markRepeatable(reply, outcome);
  const body = await bodyOf(writeJson(outcome, reply.request.id), isBounded(outcome));
  return (outcome instanceof Fault ? setRetryAfter(reply.code(outcome.http), outcome) : reply.code(200))
    .type('application/json; charset=utf-8')
    .send(body);
}
