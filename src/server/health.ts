/** The paths for operators: is it alive, is it ready, how does it do. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Core } from '../core/call/dispatch';
import { sql } from '../db/database';
import type { Metrics } from './metrics';

/** A standby answers, but nobody can write to it. */
const ping = sql('ping', `SELECT current_setting('transaction_read_only') = 'on' AS read_only`);

/** `isInside`: whether a request comes from loopback or from a trusted host. */
export function systemRoutes(
  app: FastifyInstance,
  core: Core,
  metrics: Metrics,
  isInside: (request: IncomingMessage) => Promise<boolean>,
): void {
  const isPublic = { config: { isPublic: true } } as const;
  app.get('/health/live', isPublic, () => ({ status: 'live' }));

  app.get('/health/ready', isPublic, async (_request, reply) => {
    try {
      const [row] = await core.db.query<{ read_only: boolean }>(ping);
      if (row?.read_only) return await reply.code(503).send({ status: 'the database is read-only' });
      return { status: 'ready' };
    } catch {
      return reply.code(503).send({ status: 'the database does not answer' });
    }
  });

  app.get('/metrics', async (request, reply) => {
    const allowed =
      showsToken(request.headers.authorization, core.config.metrics_token) || (await isInside(request.raw));
    if (!allowed)
      return reply.code(403).send({
        error: 'Only loopback and trusted hosts, without a browser, or METRICS_TOKEN as bearer token',
      });
    return reply.type(metrics.content_type).send(await metrics.text());
  });
}

function showsToken(header: string | undefined, token_hash: Buffer | undefined): boolean {
  const shown = /^bearer\s+(.+)$/i.exec(header ?? '')?.[1];
  if (shown === undefined || token_hash === undefined) return false;
  return timingSafeEqual(createHash('sha256').update(shown).digest(), token_hash);
}
