/**
 * What a request of the tenant face shows to say who calls: a cookie, a token or an access key. A cookie is sent by
 * browsers whoever asks them to, so with one alone nothing is changed by forms or pages of others.
 */
import { parse } from 'cookie';
import type { FastifyRequest } from 'fastify';
import { callerOfAccessKey, callerOfToken } from '../../core/auth/authenticate-token';
import type { Core } from '../../core/call/dispatch';
import { isLoopback, originOf } from '../http/address';
import { Refused } from '../rest/routes';
import type { Caller } from '../../core/auth/caller';

export interface Shown {
  readonly kind: 'cookie' | 'token' | 'access key';
  readonly secret: string;
}

const filled = (text: unknown): string | undefined =>
  typeof text === 'string' && text !== '' ? text : undefined;

/** In this order; the first that is there decides. */
export function shownBy(request: FastifyRequest): Shown | undefined {
  const query = request.query as Record<string, unknown>;
  const cookie = filled(parse(request.raw.headers.cookie ?? '')['token']);
  if (cookie !== undefined) return { kind: 'cookie', secret: cookie };
  const token =
    filled(query['token']) ?? filled(/^bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1]);
  if (token !== undefined) return { kind: 'token', secret: token };
  const key = filled(query['accesskey']);
  return key === undefined ? undefined : { kind: 'access key', secret: key };
}

export async function identify(core: Core, request: FastifyRequest): Promise<Caller> {
  const visit = visitOf(core, request);
  const shown = shownBy(request);
  if (!shown) throw new Refused(401, 'A token or an access key is required', 'AUTHENTICATION_REQUIRED');
  if (shown.kind === 'cookie') assertJson(request);
  const find = shown.kind === 'access key' ? callerOfAccessKey : callerOfToken;
  const caller = await find(core, visit, shown.secret);
  if (!caller)
    throw new Refused(401, 'The token or the access key is not valid (any more)', 'INVALID_CREDENTIALS');
  return caller;
}

/** Where the request comes from; credentials are taken only where nobody can listen in. */
export function visitOf(core: Core, request: FastifyRequest) {
  const origin = originOf(request.raw, core.config.trusted_proxies);
  if (!origin.encrypted && !isLoopback(origin))
    throw new Refused(401, 'Credentials are taken only over TLS or from loopback', 'TLS_REQUIRED');
  return { address: origin.address, request_id: request.id, encrypted: origin.encrypted };
}

/** Forms of other pages, which some browsers send without an origin, cannot have this type. */
function assertJson(request: FastifyRequest): void {
  if (request.method === 'GET') return;
  // The type is gone from `headers`, where Fastify would judge it.
  const [type = ''] = request.raw.headersDistinct['content-type'] ?? [];
  if (request.method !== 'DELETE' && !/^application\/json\s*(;|$)/i.test(type))
    throw new Refused(400, 'With a cookie, what changes something must be application/json', 'JSON_REQUIRED');
}
