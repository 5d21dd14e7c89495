/**
 * Requests take turns in the event loop: when their headers have come in, by address and claimed login, and when
 * their bodies have, by who calls. `core/fairness/loop-shares.ts` says why.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Config } from '../../base/config';
import { noteCaller } from '../../core/fairness/event-loop';
import { tooManyCalls } from '../../core/fairness/fair-queue';
import { LoopShares } from '../../core/fairness/loop-shares';
import { loginShare, shareOf } from '../../core/fairness/turns';
import { Fault } from '../../base/faults';
import { originOf } from './address';
import { claimOf } from './auth/claim';

const tooMany = new Fault(
  'unavailable',
  'Too many requests of one login wait at one address (TREELINE_CONNECTIONS_PER_ADDRESS), please retry',
  { retry_after_s: 1 },
);

/** Makes all requests of `app` take turns. Call it before anything else listens to requests of its server. */
export function takeLoopTurns(app: FastifyInstance, config: Config): void {
  const shares = new LoopShares();
  const { server } = app;
  // Before Fastify sees them: a connection may send hundreds in one packet, and Node reads all of them at once.
  const listeners = server.listeners('request') as RequestListener[];
  server.removeAllListeners('request');
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    arrivals.set(request, performance.now());
    const share = loginShare(originOf(request, config.trusted_proxies).address, claimOf(request));
    noteCaller(share);
    const listen = (): void => {
      if (!request.socket.destroyed) for (const listener of listeners) listener(request, response);
    };
    if (!shares.enter(share, listen, config.connections_per_address)) refuse(response);
  });
  app.addHook('preHandler', (request, _reply, done) => {
    // A route that runs no call knows no caller, and is done quickly.
    if (!request.caller) done();
    else if (!shares.enter(shareOf(request.caller, undefined), done, config.waiting_per_caller))
      done(tooManyCalls('calls of one customer at once (TREELINE_WAITING_PER_CALLER)'));
  });
}

const arrivals = new WeakMap<IncomingMessage, number>();

/** When the headers of the request had come in, as `performance.now()` tells it. */
export const arrivedAt = (request: IncomingMessage): number => arrivals.get(request) ?? performance.now();

function refuse(response: ServerResponse): void {
  const body = JSON.stringify({ error: tooMany.message });
  response
    .writeHead(tooMany.http, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(body),
      'retry-after': '1',
      connection: 'close',
    })
    .end(body);
}
