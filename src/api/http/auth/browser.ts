/**
 * What browsers may send. A browser adds a remembered Basic login or a cookie to requests that pages
 * of others make it send, and its network address may be trusted. So a page of another server is
 * refused before any credentials are looked at, and no browser is a trusted host.
 */
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'winston';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route takes no credentials and runs no call, so pages of others may link to it. */
    readonly isPublic?: true;
  }
}

/** HTTP 403 for a request that a browser made. */
export class BrowserRefused extends Error {
  readonly statusCode = 403;
  readonly reason = 'FOREIGN_ORIGIN';
}

/** Refuses requests of foreign pages on every route that is not public, also of APIs to come. */
export function refuseForeignPages(app: FastifyInstance, log: Logger): void {
  app.addHook('onRequest', (request, _reply, done) => {
    if (request.routeOptions.config.isPublic === true || !isFromForeignPage(request.raw)) {
      done();
      return;
    }
    const refusal = new BrowserRefused('Pages of other servers may not call this server');
    log.warn('Refused', { request_id: request.id, status: refusal.statusCode, reason: refusal.message });
    done(refusal);
  });
}

/** Browsers set these headers themselves; no page can leave them out or change them. */
function isFromForeignPage({ headers }: IncomingMessage): boolean {
  const { origin, host, 'sec-fetch-site': site } = headers;
  if (origin !== undefined && !isAllowedOrigin(origin, host)) return true;
  // `same-site` is another host or port of the same domain, such as another program on this machine.
  return site === 'cross-site' || site === 'same-site';
}

/** The origins whose pages may call: this server's own. "null", which sandboxed pages send, is foreign. */
function isAllowedOrigin(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host?.toLowerCase();
}

/** Whether a browser made the request, as far as it says so. */
export const isFromBrowser = ({ headers }: IncomingMessage): boolean =>
  headers.origin !== undefined ||
  headers.referer !== undefined ||
  Object.keys(headers).some((name) => name.startsWith('sec-fetch-'));

/** Throws for a browser in trusted mode: any page that it shows could send the request. */
export function assertNoBrowser(request: IncomingMessage): void {
  if (isFromBrowser(request))
    throw new BrowserRefused(
      'A browser is no trusted host: Origin, Referer and Sec-Fetch headers are refused',
    );
}
