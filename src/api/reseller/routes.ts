/**
 * The reseller REST face: the paths below /account, /voip and /dom. Its credentials are three
 * headers, and a fourth names the customer for whom a call runs; every answer stands in one envelope.
 */
import { STATUS_CODES } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { authenticateUser } from '../../core/auth/authenticate-user';
import type { CustomerRef } from '../../core/tree/actors';
import type { Core } from '../../core/call/dispatch';
import type { Operation, Page } from '../../core/call/operation';
import { Fault, badParameter } from '../../base/faults';
import { isLoopback, originOf } from '../http/address';
import { textOf } from '../json/write';
import { Refused, restRoutes } from '../rest/routes';
import type { Caller } from '../../core/auth/caller';

export function resellerFace(app: FastifyInstance, core: Core, operations: readonly Operation[]): void {
  restRoutes(app, core, {
    operations,
    base: '',
    identify: (request) => identify(core, request),
    onBehalf,
    ownQuery: [],
    write: resellerAnswer,
    refuse,
  });
}

async function identify(core: Core, request: FastifyRequest): Promise<Caller> {
  const origin = originOf(request.raw, core.config.trusted_proxies);
  if (!origin.encrypted && !isLoopback(origin))
    throw new Refused(401, 'The X-Auth headers are taken only over TLS or from loopback');
  const customer = headerOf(request, 'x-auth-reseller');
  const user = headerOf(request, 'x-auth-user');
  const password = headerOf(request, 'x-auth-password');
  if (customer === undefined || user === undefined || password === undefined)
    throw new Refused(401, 'X-Auth-Reseller, X-Auth-User and X-Auth-Password are required');
  const visit = { address: origin.address, request_id: request.id };
  const caller = await authenticateUser(core, visit, { customer, user, password });
  if (caller === 'wrong') throw new Refused(401, 'X-Auth-Reseller, X-Auth-User or X-Auth-Password is wrong');
  return caller;
}

/** Headers are bytes; ours are UTF-8. One that comes twice is none. */
function headerOf(request: FastifyRequest, name: string): string | undefined {
  const values = request.raw.headersDistinct[name];
  if (values?.length !== 1) return undefined;
  return Buffer.from(values[0] ?? '', 'latin1').toString('utf8');
}

function onBehalf(request: FastifyRequest, { on_behalf, verb, path }: Operation): CustomerRef | undefined {
  const given = request.raw.headersDistinct['x-auth-for'];
  if (given === undefined) return undefined;
  if (on_behalf === 'refused') throw badParameter('X-Auth-For', `must not be sent with ${verb} ${path}`);
  const name = headerOf(request, 'x-auth-for');
  if (name === undefined) throw badParameter('X-Auth-For', 'must be given once');
  return { name };
}

/** The body of an answer in the envelope of this API. Never throws. */
export function resellerAnswer({ answers, item }: Operation, result: unknown): string {
  if (answers === 'one') return `{"result":${textOf(item, result)},"status_code":200,"status_message":"OK"}`;
  const { items, next } = result as Page<unknown>;
  const texts = items.map((one) => textOf(item, one));
  return `{"result":[${texts.join(',')}],"status_code":200,"status_message":"OK","next":${JSON.stringify(next)}}`;
}

const refuse = (refusal: Fault | Refused, request_id: string): string =>
  JSON.stringify({
    result: {},
    status_code: refusal.http,
    status_message: STATUS_CODES[refusal.http] ?? '',
    errors: [
      { field: refusal instanceof Fault ? (refusal.about.field ?? null) : null, message: refusal.message },
    ],
    request_id,
  });
