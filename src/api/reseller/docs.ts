/** What the reseller face says of itself. */
import type { Operation } from '../../core/call/operation';
import { type Json, schemaOf } from '../docs/schema';
import type { RestDocs } from '../rest/docs';

const header = (name: string, description: string): Json => ({
  name,
  in: 'header',
  required: false,
  description,
  schema: { type: 'string' },
});

const schemeOf = (name: string, description: string): Json => ({
  type: 'apiKey',
  in: 'header',
  name,
  description,
});

const text: Json = { type: 'string' };
const statusOf = (description: string): Json => ({
  status_code: { type: 'integer', description },
  status_message: { type: 'string', description: 'The words of the status.' },
});

const failure: Json = {
  type: 'object',
  required: ['result', 'status_code', 'status_message', 'errors', 'request_id'],
  properties: {
    result: { type: 'object', description: 'Empty.' },
    ...statusOf('The HTTP status.'),
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['field', 'message'],
        properties: {
          field: { type: ['string', 'null'], description: 'The member that is wrong, where it is one.' },
          message: { type: 'string', description: 'What is wrong.' },
        },
      },
    },
    request_id: { type: 'string', description: 'By which the log and the audit records know the request.' },
  },
};

function successOf({ answers, item }: Operation): Json {
  const result = answers === 'one' ? schemaOf(item) : { type: 'array', items: schemaOf(item) };
  const next = { type: ['string', 'null'], description: 'For `after`; null: these were the last.' };
  return {
    type: 'object',
    required: ['result', 'status_code', 'status_message', ...(answers === 'page' ? ['next'] : [])],
    properties: { result, ...statusOf('200.'), ...(answers === 'page' && { next }) },
  };
}

export const resellerDocs = (operations: readonly Operation[]): RestDocs => ({
  title: 'reseller API',
  introduction:
    'X-Auth-Reseller is the name of the customer that calls, X-Auth-User its login or one of its administrators, X-Auth-Password the API password of the one or the web password of the other; over TLS or from loopback only. With X-Auth-For a call runs for a customer below, and the caller pays. Every answer is {"result", "status_code", "status_message"}.',
  example: `curl https://treeline.example/account/reseller \\
  -H 'X-Auth-Reseller: acme' -H 'X-Auth-User: acme' -H 'X-Auth-Password: …' \\
  -d '{"name": "first-customer", "contact_name": "Ann Lee"}'`,
  base: '',
  operations,
  securitySchemes: {
    reseller: schemeOf('X-Auth-Reseller', 'The name of the customer that calls.'),
    user: schemeOf('X-Auth-User', 'Its login, or one of its administrators.'),
    password: schemeOf('X-Auth-Password', 'The API password of the one, the web password of the other.'),
  },
  security: [{ reseller: [], user: [], password: [] }],
  parametersOf: ({ on_behalf, idempotent }) => [
    ...(on_behalf === 'taken'
      ? [header('X-Auth-For', 'The name of a customer below: the call runs as it, and the caller pays.')]
      : []),
    ...(idempotent
      ? [
          {
            ...header(
              'Idempotency-Key',
              'Repeated within a day, the first answer comes again; 409 where it was too long to keep.',
            ),
            schema: text,
          },
        ]
      : []),
  ],
  successOf,
  failure: ['ResellerError', failure],
});
