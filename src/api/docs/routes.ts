/** Documentation of the API, served by the API itself: /openapi.json and /docs. Open to everybody; it says nothing of anybody. */
import type { FastifyInstance } from 'fastify';
import packageJson from '../../../package.json';
import type { Core } from '../../core/call/dispatch';
import type { RestDocs } from '../rest/docs';
import { openApiOf } from './openapi';
import { pageOf } from './page';

export function docsRoutes(app: FastifyInstance, core: Core, faces: readonly RestDocs[]): void {
  const methods = [...core.registry.values()].map(({ method }) => method);
  const phpForm = core.config.api_php === 'on';
  const document = JSON.stringify(openApiOf(methods, faces, packageJson.version, phpForm));
  const page = pageOf(methods, faces);
  const isPublic = { config: { isPublic: true } } as const;
  app.get('/openapi.json', isPublic, (_request, reply) =>
    reply.type('application/json; charset=utf-8').send(document),
  );
  app.get('/docs', isPublic, (_request, reply) =>
    reply
      .type('text/html; charset=utf-8')
      .header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
      .send(page),
  );
}
