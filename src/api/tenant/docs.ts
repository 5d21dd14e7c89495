/** What the tenant face says of itself. */
import { permissions } from '../../core/tree/permission';
import type { Operation } from '../../core/call/operation';
import { type Json, schemaOf } from '../docs/schema';
import type { RestDocs } from '../rest/docs';
import { loginBody } from './sessions';

const scheme = (place: 'cookie' | 'query', name: string, description: string): Json => ({
  type: 'apiKey',
  in: place,
  name,
  description,
});

const text = (description: string): Json => ({ type: 'string', description });

const failure: Json = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['status', 'reason', 'message', 'request_id'],
      properties: {
        status: text('What kind of refusal it is, such as NOT_FOUND.'),
        reason: text('Why, in a word for programs, such as ACCOUNT_FROZEN.'),
        message: text('Why, in words for people.'),
        request_id: text('By which the log and the audit records know the request.'),
        details: {
          type: 'array',
          description: 'The members that are wrong.',
          items: {
            type: 'object',
            required: ['field', 'message'],
            properties: { field: text('The member.'), message: text('What is wrong.') },
          },
        },
      },
    },
  },
};

function successOf({ answers, item }: Operation): Json {
  if (answers === 'one') return schemaOf(item);
  return {
    type: 'object',
    required: ['result', 'next_page_token'],
    properties: {
      result: { type: 'array', items: schemaOf(item) },
      next_page_token: text('For `page_token`; empty: these were the last.'),
    },
  };
}

/** Who may call, in words. */
export function holdersOf(needs: number): string {
  const holders = [
    ...((needs & permissions.administrator) === 0 ? [] : ['administrators']),
    ...((needs & permissions.manager) === 0 ? [] : ['managers']),
    ...((needs & permissions.agent) === 0 ? [] : ['agents']),
  ];
  return `For ${holders.join(', ')}.`;
}

const content = (schema: Json): Json => ({ 'application/json': { schema } });
const refused = (description: string): Json => ({
  description,
  content: content({ $ref: '#/components/schemas/TenantError' }),
});

const sessionPaths: Json = {
  '/auth/login': {
    post: {
      operationId: 'post_auth_login',
      summary: 'A token for a login and its password, for 7 days; it comes as a cookie, too.',
      tags: ['tenant API'],
      security: [],
      requestBody: { required: true, content: content(schemaOf(loginBody)) },
      responses: {
        200: {
          description: 'Done.',
          content: content({
            type: 'object',
            required: ['username', 'token'],
            properties: { username: text('The login.'), token: text('The token.') },
          }),
        },
        400: refused('A member is missing or wrong.'),
        401: refused('The login or the password is wrong.'),
        403: refused('The account is frozen, or may not call from this address.'),
        429: refused('Too many failed logins.'),
      },
    },
  },
  '/auth/logout': {
    post: {
      operationId: 'post_auth_logout',
      summary: 'Ends the token for good.',
      tags: ['tenant API'],
      security: [{ cookie: [] }, { token: [] }, { bearer: [] }],
      responses: {
        200: { description: 'Done.', content: content({ type: 'object', description: 'Empty.' }) },
        401: refused('The token is missing or not valid.'),
      },
    },
  },
};

type Guarded = Operation & { readonly needs: number };

const withHolders = (operation: Guarded): Operation => {
  const summary = `${operation.method.summary} ${holdersOf(operation.needs)}`;
  return { ...operation, method: { ...operation.method, summary } };
};

export const tenantDocs = (operations: readonly Guarded[], base: string): RestDocs => ({
  title: 'tenant API',
  introduction:
    'POST /auth/login with {"username", "password"} answers {"username", "token"}; the token lives for 7 days and comes as the cookie `token`, as ?token= or as a bearer. POST /auth/logout ends it. A program calls with an access key, ?accesskey=. Over TLS or from loopback only. With ?customer_id= an administrator calls for a customer below the own one. Lists are {"result", "next_page_token"}, refusals {"error"}.',
  example: `curl https://treeline.example/auth/login -d '{"username": "ann", "password": "…"}'
curl https://treeline.example${base}/customer -H 'Authorization: Bearer …'`,
  base,
  operations: operations.map(withHolders),
  securitySchemes: {
    cookie: scheme('cookie', 'token', 'The token, as a browser keeps it.'),
    token: scheme('query', 'token', 'The token.'),
    bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'The token.' },
    accesskey: scheme('query', 'accesskey', 'An access key.'),
  },
  security: [{ cookie: [] }, { token: [] }, { bearer: [] }, { accesskey: [] }],
  parametersOf: () => [
    {
      name: 'customer_id',
      in: 'query',
      required: false,
      description: 'A customer below the own one, for which the call runs.',
      schema: { type: 'string' },
    },
  ],
  successOf,
  morePaths: sessionPaths,
  failure: ['TenantError', failure],
});
