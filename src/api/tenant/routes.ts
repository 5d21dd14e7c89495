/**
 * The tenant REST face: the paths below /v1.0, for people with tokens and programs with access keys. Its lists and
 * refusals have envelopes of their own, everything else is the bare object.
 */
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { CustomerRef } from '../../core/tree/actors';
import type { Core } from '../../core/call/dispatch';
import { isUuid } from '../../core/schema/formats';
import type { Operation, Page } from '../../core/call/operation';
import { badParameter, notFound } from '../../base/faults';
import { textOf } from '../json/write';
import { answeringOf, restRoutes } from '../rest/routes';
import { identify } from './credentials';
import { errorOf } from './errors';
import { sessionRoutes } from './sessions';

export const tenantBase = '/v1.0';

export function tenantFace(app: FastifyInstance, core: Core, operations: readonly Operation[]): void {
  restRoutes(app, core, {
    operations,
    base: tenantBase,
    identify: (request) => identify(core, request),
    onBehalf,
    ownQuery: ['token', 'accesskey', 'customer_id'],
    write: tenantAnswer,
    refuse: errorOf,
  });
  sessionRoutes(app, core, answeringOf(core, errorOf));
}

/** The customer below the caller that the query names; whoever is not below does not exist. */
function onBehalf(request: FastifyRequest): CustomerRef | undefined {
  const { customer_id } = request.query as Record<string, unknown>;
  if (customer_id === undefined || customer_id === '') return undefined;
  if (typeof customer_id !== 'string') throw badParameter('customer_id', 'is given more than once');
  if (!isUuid(customer_id)) throw notFound();
  return { uuid: customer_id.toLowerCase() };
}

/** The body of an answer in the envelope of this API. Never throws. */
export function tenantAnswer({ answers, item }: Operation, result: unknown): string {
  if (answers === 'one') return textOf(item, result);
  const { items, next } = result as Page<unknown>;
  const texts = items.map((one) => textOf(item, one));
  return `{"result":[${texts.join(',')}],"next_page_token":${JSON.stringify(next ?? '')}}`;
}

/** The id that a caller of this face gave its request. */
export function givenRequestId({ url = '', headers }: IncomingMessage): string | undefined {
  const given = headers['x-request-id'];
  if (typeof given !== 'string' || !/^\/(v1\.0|auth)\//.test(url)) return undefined;
  return /^[A-Za-z0-9_-]{1,64}$/.test(given) ? given : undefined;
}
