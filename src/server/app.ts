/** Wires everything: core, features, faces. It never listens, reads no environment, and can be made many times in one process. */
import { X509Certificate, createPrivateKey, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Server as TlsServer } from 'node:tls';
import fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import type { Logger } from 'winston';
import { auditMethods } from '../features/audit/methods';
import { keepAuditPartitions } from '../features/audit/partitions';
import type { Config } from '../base/config';
import { purgeEndedTokens } from '../core/auth/authenticate-token';
import { createAuthCache } from '../core/auth/auth-cache';
import { openCredentials } from '../core/auth/credentials';
import type { Core } from '../core/call/dispatch';
import { purgeIdempotencyKeys } from '../core/call/idempotency';
import { purgeFailures } from '../core/auth/lockout';
import type { Method } from '../core/call/method';
import { createRegistry } from '../core/call/registry';
import { createTurns } from '../core/fairness/turns';
import { limitMethods } from '../features/quotas/limits';
import { customerMethods } from '../features/customers/methods';
import { purgeDeletedRows } from '../features/customers/purge';
import { dictionaryMethods } from '../features/dictionaries/methods';
import type { Database } from '../db/database';
import { createAuthenticate, createIsInside } from '../api/http/auth/authenticate';
import { BrowserRefused, refuseForeignPages } from '../api/http/auth/browser';
import { boundBytes } from '../api/http/bytes';
import { boundConnections } from '../api/http/connections';
import { takeLoopTurns } from '../api/http/loop-turns';
import { docsRoutes } from '../api/docs/routes';
import { setRetryAfter } from '../api/http/request';
import { jsonFace } from '../api/json/routes';
import { resellerDocs } from '../api/reseller/docs';
import { resellerFace } from '../api/reseller/routes';
import { tenantDocs } from '../api/tenant/docs';
import { givenRequestId, tenantBase, tenantFace } from '../api/tenant/routes';
import { xmlrpcFace } from '../api/xmlrpc/routes';
import { Fault } from '../base/faults';
import { moneyMethods } from '../features/ledger/methods';
import { platformMethods } from '../features/platform/methods';
import { resellerOperations } from '../api/reseller/operations';
import { createMetrics } from './metrics';
import { systemMethods } from '../features/system/methods';
import { systemRoutes } from './health';
import { tariffMethods } from '../features/tariffs/methods';
import { tenantOperations } from '../api/tenant/operations/operations';
import { createOutbox } from '../api/tenant/webhooks/outbox';
import { queuesTable, startSender } from '../api/tenant/webhooks/sender';
import { createWebhookMetrics } from '../api/tenant/webhooks/metrics';
import { purgeWebhooks } from '../api/tenant/webhooks/queue';
import { userMethods } from '../features/users/methods';

export interface AppOptions {
  readonly config: Config;
  readonly db: Database;
  readonly log: Logger;
  readonly secret_key: Buffer;
}

const purgeEvery_ms = 60_000;

/** All methods, in the order of docs/reference/xmlrpc.md. `core` is asked for only when a call comes. */
export const allMethods = (core: () => Core): readonly Method[] => [
  ...customerMethods,
  ...limitMethods,
  ...moneyMethods,
  ...userMethods,
  ...tariffMethods,
  ...dictionaryMethods,
  ...auditMethods,
  ...platformMethods,
  ...systemMethods(core),
];

export async function createApp({ config, db, log, secret_key }: AppOptions): Promise<FastifyInstance> {
  const metrics = createMetrics(db);
  let wakeSender = (): void => undefined;
  const core: Core = {
    config,
    db,
    authCache: createAuthCache(db, (payload) => {
      if (payload === undefined || payload === queuesTable) wakeSender();
    }),
    turns: createTurns(config),
    log,
    credentials: openCredentials(secret_key, config.secret_key_previous),
    registry: createRegistry(allMethods(() => core)),
    onChange: createOutbox(config),
    observe: metrics.observe,
  };
  const app = createServer(config, log);
  const authenticate = createAuthenticate(core);
  app.decorateRequest('caller');
  takeLoopTurns(app, config);
  refuseForeignPages(app, log);
  boundConnections(app.server, config);
  boundBytes(app, config);
  xmlrpcFace(app, core, authenticate);
  jsonFace(app, core, authenticate);
  resellerFace(app, core, resellerOperations);
  tenantFace(app, core, tenantOperations);
  docsRoutes(app, core, [resellerDocs(resellerOperations), tenantDocs(tenantOperations, tenantBase)]);
  systemRoutes(app, core, metrics, createIsInside(core));

  const sender = startSender({ ...core, onAttempt: createWebhookMetrics(metrics.registry, db) });
  wakeSender = sender.wake;
  const purge = setInterval(() => {
    Promise.all([
      purgeFailures(db),
      purgeIdempotencyKeys(db, config.idempotency_retention_h),
      purgeDeletedRows(db, config.deleted_retention_minutes),
      keepAuditPartitions(db, config.audit_retention_months),
      purgeEndedTokens(db),
      purgeWebhooks(db, config),
    ]).catch((error: unknown) => {
      log.warn('What has aged out was not purged', { cause: String(error) });
    });
  }, purgeEvery_ms).unref();
  app.addHook('onClose', async () => {
    clearInterval(purge);
    await sender.close();
    await core.authCache.close();
  });
  await app.ready();
  return app;
}

const nothingHere = (_request: FastifyRequest, reply: FastifyReply): FastifyReply =>
  reply.code(404).send({ error: 'There is nothing here' });

/** With a % that starts no character standing for itself, so that the face answers, and not Fastify. */
function readableUrl(url: string): string {
  if (!url.includes('%')) return url;
  const [path = '', ...query] = url.split(/(?=\?)/);
  try {
    decodeURIComponent(path);
    return url;
  } catch {
    return path.replaceAll('%', '%25') + query.join('');
  }
}

/** Fastify with our limits and our words; the body is left to the faces as bytes. */
function createServer(config: Config, log: Logger): FastifyInstance {
  const common = {
    bodyLimit: config.body_limit_bytes,
    requestTimeout: config.call_timeout_ms,
    // What is in flight is finished; connections that only wait are closed.
    forceCloseConnections: 'idle' as const,
    genReqId: (request: IncomingMessage) => givenRequestId(request) ?? randomUUID(),
    http: wireLimits(config),
    rewriteUrl: ({ url = '' }: IncomingMessage) => readableUrl(url),
    // What of it cannot be read all the same leads nowhere; Fastify has words of its own for it.
    frameworkErrors: (_error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
      void nothingHere(request, reply.header('x-request-id', request.id));
    },
  };
  const tls = config.tls_cert !== undefined && config.tls_key !== undefined;
  const app: FastifyInstance = tls ? fastify({ ...common, https: readTls(config) }) : fastify(common);

  // No content type is checked: curl says that XML is a form.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => {
    done(null, body);
  });
  app.addHook('onRequest', (request, reply, done) => {
    // Fastify itself would answer 415 to a type that it cannot read.
    request.raw.headers['content-type'] = 'application/octet-stream';
    void reply.header('x-request-id', request.id).header('x-content-type-options', 'nosniff');
    done();
  });
  hangUpWhenClosing(app);
  app.setNotFoundHandler(nothingHere);
  app.setErrorHandler((error: FastifyError | Fault, request, reply) => {
    if (error instanceof Fault)
      return setRetryAfter(reply.code(error.http), error).send({ error: error.message });
    const status = error.statusCode ?? 500;
    if (error instanceof BrowserRefused) return reply.code(status).type('text/plain').send(error.message);
    if (status < 500) return reply.code(status).send({ error: error.message });
    log.error('Internal error', { request_id: request.id, stack: error.stack });
    return reply.code(500).send({ error: `Internal error ${request.id}` });
  });
  return app;
}

/**
 * Node closes idle connections when the server begins to close, but not those that become idle later: the last
 * call in flight, on a connection that its client keeps alive, would hold the process up until the client lets go.
 */
function hangUpWhenClosing(app: FastifyInstance): void {
  let closing = false;
  app.addHook('preClose', (done) => {
    closing = true;
    done();
  });
  app.addHook('onResponse', (request, _reply, done) => {
    if (closing) request.raw.socket.destroySoon();
    done();
  });
}

/**
 * Node takes the greater of the two time-outs for the one of the whole request, and the other, a minute unless it is
 * told, for that of its headers; and it looks for those that are late only once in half a minute.
 */
const wireLimits = (config: Config) => ({
  maxHeaderSize: config.headers_limit_bytes,
  headersTimeout: config.call_timeout_ms,
  connectionsCheckingInterval: Math.min(1_000, config.call_timeout_ms),
});

/** Gives a server that runs the certificate and key that stand in their files now; false without TLS. */
export function renewTls({ server }: FastifyInstance, config: Config): boolean {
  if (!(server instanceof TlsServer)) return false;
  server.setSecureContext(readTls(config));
  return true;
}

function readTls(config: Config) {
  const [cert, key] = [readFileSync(config.tls_cert ?? ''), readFileSync(config.tls_key ?? '')];
  // OpenSSL takes a certificate of RSA with a key of an elliptic curve, and then every greeting fails.
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) {
    throw new Error('TLS_KEY is not the key of TLS_CERT');
  }
  return { cert, key, ...wireLimits(config) };
}
