/** The paths for operators: is it alive, is it ready, how does it do. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Core } from '../core/dispatch';
import { sql } from '../db/database';
import type { Metrics } from './metrics';

const ping = sql('ping', 'SELECT 1');

/** `isInside`: whether a request comes from loopback or from a trusted host. */
export function systemRoutes(
  app: FastifyInstance,
  core: Core,
  metrics: Metrics,
  isInside: (request: IncomingMessage) => Promise<boolean>,
): void {
  app.get('/health/live', () => ({ status: 'live' }));

  app.get('/health/ready', async (_request, reply) => {
    try {
      await core.db.query(ping);
      return { status: 'ready' };
    } catch {
      return reply.code(503).send({ status: 'the database does not answer' });
    }
  });

  app.get('/metrics', async (request, reply) => {
    const allowed =
      showsToken(request.headers.authorization, core.config.metrics_token) || (await isInside(request.raw));
    if (!allowed)
      return reply
        .code(403)
        .send({ error: 'Only loopback, trusted hosts, or with METRICS_TOKEN as bearer token' });
    return reply.type(metrics.content_type).send(await metrics.text());
  });
}

function showsToken(header: string | undefined, token: string | undefined): boolean {
  const shown = /^bearer\s+(.+)$/i.exec(header ?? '')?.[1];
  if (shown === undefined || token === undefined) return false;
  // Hashed, because only texts of one length can be compared in constant time.
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(shown), digest(token));
}
