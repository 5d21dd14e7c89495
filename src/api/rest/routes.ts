/**
 * Routes from operations, for every REST face: bytes and addresses become a request for the same
 * dispatch that serves the other faces. A face adds what is its own: who calls, for whom, and how
 * an answer looks.
 */
import { STATUS_CODES } from 'node:http';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type ParsedCall, type Core, type Outcome, dispatch } from '../../core/call/dispatch';
import type { CustomerRef } from '../../core/tree/actors';
import { isUuid } from '../../core/schema/formats';
import { deadlineOf, withDeadline } from '../../core/call/deadline';
import type { Operation } from '../../core/call/operation';
import { type Check, compileCheck } from '../../core/schema/parameters';
import { declared } from '../../core/schema/schema';
import type { Struct, Value } from '../../core/schema/values';
import { Fault, badParameter } from '../../base/faults';
import { BrowserRefused } from '../http/auth/browser';
import { markRepeatable } from '../http/bytes';
import { requestContext, readBody, setRetryAfter } from '../http/request';
import { limitsOf } from '../http/limits';
import { readMembers } from '../json/values';
import type { Caller } from '../../core/auth/caller';

/** What a face refuses by itself, before there is a call: no credentials, the wrong verb. */
export class Refused extends Error {
  constructor(
    readonly http: number,
    message: string,
    /** A word for programs, where the face has such. */
    readonly reason?: string,
  ) {
    super(message);
  }
}

/** One of the REST faces. */
export interface RestFace {
  readonly operations: readonly Operation[];
  /** What stands before every path. */
  readonly base: string;
  /** Throws a fault or `Refused`. */
  readonly identify: (request: FastifyRequest) => Promise<Caller>;
  /** The actor that a header or the query names; throws a fault. */
  readonly onBehalf: (request: FastifyRequest, operation: Operation) => CustomerRef | undefined;
  /** Parameters of the query that are the face's own. */
  readonly ownQuery: readonly string[];
  /** The body of an answer; `result` as the operation answers it. */
  readonly write: (operation: Operation, result: unknown) => string;
  readonly refuse: (refusal: Fault | Refused, request_id: string) => string;
}

/** How refusals are answered, also those before there is a call. */
export interface Answering {
  readonly json: (reply: FastifyReply) => FastifyReply;
  readonly send: (reply: FastifyReply, refusal: Fault | Refused) => FastifyReply;
  readonly errorHandler: (error: FastifyError | Fault, request: FastifyRequest, reply: FastifyReply) => void;
}

export function answeringOf(core: Core, refuse: RestFace['refuse']): Answering {
  const send: Answering['send'] = (reply, refusal) => {
    if (refusal instanceof Fault) setRetryAfter(reply, refusal);
    return json(reply.code(refusal.http)).send(refuse(refusal, reply.request.id));
  };
  // What fails before there is a call, such as a body over the limit, has the form of the face too.
  const errorHandler: Answering['errorHandler'] = (error, _request, reply) => {
    if (error instanceof Fault) {
      void send(reply, error);
      return;
    }
    const status = error.statusCode ?? 500;
    if (status < 500) {
      const reason = error instanceof BrowserRefused ? error.reason : undefined;
      void send(reply, new Refused(status, error.message, reason));
      return;
    }
    core.log.error('Internal error', { request_id: reply.request.id, stack: error.stack });
    void send(reply, new Fault('internal', `Internal error ${reply.request.id}`));
  };
  return { json, send, errorHandler };
}

const verbs = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH'] as const;

export function restRoutes(app: FastifyInstance, core: Core, face: RestFace): void {
  const { send, errorHandler } = answeringOf(core, face.refuse);
  const onRequest = async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    try {
      request.caller = await withDeadline(deadlineOf(core), face.identify(request));
      return undefined;
    } catch (error) {
      if (!(error instanceof Fault || error instanceof Refused)) throw error;
      core.log.warn('Refused', { request_id: request.id, status: error.http, reason: error.message });
      return send(reply, error);
    }
  };
  for (const operation of face.operations) {
    const check = compileCheck(operation.method.params);
    for (const url of urlsOf(face, operation)) {
      app.route({
        method: operation.verb,
        url,
        onRequest,
        errorHandler,
        handler: async (request, reply) => {
          const outcome = await answer(core, face, operation, check, request);
          if (outcome instanceof Fault) return send(reply, outcome);
          markRepeatable(reply, outcome);
          return json(reply.code(200)).send(face.write(operation, outcome.result));
        },
      });
    }
  }
  refuseOtherVerbs(app, face, send);
  const nowhere = async (_request: FastifyRequest, reply: FastifyReply): Promise<unknown> =>
    send(reply, new Refused(404, 'There is nothing here', 'NOT_FOUND'));
  for (const root of rootsOf(face))
    app.route({ method: [...verbs], url: `${root}/*`, onRequest: nowhere, handler: nowhere });
}

const json = (reply: FastifyReply): FastifyReply => reply.type('application/json; charset=utf-8');

/** A slash at the end makes no difference. */
function urlsOf({ base }: RestFace, { path }: Operation): readonly string[] {
  const url = base + path.replaceAll(/\{(\w+)\}/g, ':$1');
  return [url, `${url}/`];
}

/** Below these the face answers, also where there is nothing. */
const rootsOf = ({ base, operations }: RestFace): ReadonlySet<string> =>
  new Set(operations.map(({ path }) => base || `/${path.split('/')[1] ?? ''}`));

function refuseOtherVerbs(
  app: FastifyInstance,
  face: RestFace,
  send: (reply: FastifyReply, refusal: Refused) => FastifyReply,
): void {
  for (const url of new Set(face.operations.flatMap((operation) => urlsOf(face, operation)))) {
    const served = face.operations.filter((operation) => urlsOf(face, operation).includes(url));
    const allowed = served.map(({ verb }) => verb);
    const refuse = async (_request: FastifyRequest, reply: FastifyReply): Promise<unknown> =>
      send(reply.header('allow', allowed.join(', ')), new Refused(405, STATUS_CODES[405] ?? ''));
    const others = verbs.filter((verb) => !allowed.some((allowedVerb) => allowedVerb === verb));
    if (others.length > 0) app.route({ method: others, url, onRequest: refuse, handler: refuse });
  }
}

async function answer(
  core: Core,
  face: RestFace,
  operation: Operation,
  check: Check,
  request: FastifyRequest,
): Promise<Outcome> {
  const body = await readBody(core, request);
  const read = async (): Promise<ParsedCall> => {
    if (body instanceof Fault) throw body;
    const members = await membersOf(core, face, operation, request, body);
    return {
      method: { method: operation.method, check },
      members,
      on_behalf: face.onBehalf(request, operation),
      idempotency: operation.idempotent ? keyOf(request, operation, members) : undefined,
    };
  };
  return dispatch(core, { ...requestContext(core, request), read });
}

/** The members of path, query and body; each must stand where it is declared. */
async function membersOf(
  core: Core,
  face: RestFace,
  { from, method, verb }: Operation,
  request: FastifyRequest,
  body: Buffer,
): Promise<Struct> {
  const members: Struct = new Map();
  for (const [name, text] of Object.entries(request.params as Record<string, string>)) {
    const field = method.params.properties[name];
    members.set(name, field && declared(field).format === 'uuid' ? uuidOf(text) : text);
  }
  for (const [name, value] of Object.entries(request.query as Record<string, string | string[]>)) {
    if (face.ownQuery.includes(name)) continue;
    if (!from.query.includes(name)) throw badParameter(name.slice(0, 64), 'is unknown in the query');
    if (typeof value !== 'string') throw badParameter(name, 'is given more than once');
    members.set(name, value);
  }
  if (verb === 'GET' || verb === 'DELETE') {
    if (body.length > 0 || isBodyAnnounced(request)) throw new Fault('not_a_call', `${verb} takes no body`);
    return members;
  }
  for (const [name, value] of await readMembers(body, limitsOf(core), 'refuse')) {
    if (from.path.includes(name) || from.query.includes(name))
      throw badParameter(name, 'is unknown in the body');
    members.set(name, value satisfies Value);
  }
  return members;
}

/** Of a GET or a HEAD, Fastify looks at no body. */
const isBodyAnnounced = ({ method, headers }: FastifyRequest): boolean =>
  (method === 'GET' || method === 'HEAD') &&
  (Number(headers['content-length'] ?? 0) > 0 || headers['transfer-encoding'] !== undefined);

const nobodys = '00000000-0000-0000-0000-000000000000';

/** What is no uuid is answered like one that does not exist. */
const uuidOf = (text: string): string => (isUuid(text) ? text.toLowerCase() : nobodys);

function keyOf(
  request: FastifyRequest,
  { verb, path }: Operation,
  members: Struct,
): { key: string; address: string } | undefined {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key !== 'string' || !/^[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?$/.test(key))
    throw badParameter('Idempotency-Key', 'must be 1 to 255 printable ASCII characters');
  const address = path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => {
    const value = members.get(name);
    return typeof value === 'string' ? value : '';
  });
  return { key, address: `${verb} ${address}` };
}
