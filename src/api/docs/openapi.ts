/** OpenAPI 3.1 of every HTTP face, from the declarations of the methods. */
import type { Method } from '../../core/call/method';
import { faultsOf } from '../../core/schema/describe';
import { type FaultName, faultKinds } from '../../base/faults';
import { type RestDocs, restPathsOf } from '../rest/docs';
import { type Json, schemaOf } from './schema';

/** The document. `faces`: those with operations of their own; `version` is the package's; `phpForm`: whether the old form in a query is served. */
export function openApiOf(
  methods: readonly Method[],
  faces: readonly RestDocs[],
  version: string,
  phpForm: boolean,
): Json {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Treeline',
      version,
      description:
        'A tree of customers. The same methods are served over XML-RPC at POST /xmlapi/xmlapi and /RPC2, and as JSON below.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    security: [{ digest: [] }, { basic: [] }],
    components: {
      securitySchemes: {
        digest: {
          type: 'http',
          scheme: 'digest',
          description: 'Web login and API password; MD5 or SHA-256.',
        },
        basic: {
          type: 'http',
          scheme: 'basic',
          description: 'Web login and API password; only over TLS or from loopback.',
        },
        ...merged(faces.map(({ securitySchemes }) => securitySchemes)),
      },
      schemas: { Fault: faultSchema, ...Object.fromEntries(faces.map(({ failure }) => failure)) },
    },
    paths: {
      ...Object.fromEntries(methods.map((method) => [`/json/${method.name}`, { post: operationOf(method) }])),
      ...merged(faces.map(restPathsOf)),
      ...otherPaths,
      ...(phpForm && { '/api.php': phpPath }),
    },
  };
}

const merged = (parts: readonly Json[]): Json => Object.assign({}, ...parts) as Json;

const faultSchema: Json = {
  type: 'object',
  required: ['faultCode', 'faultString', 'request_id'],
  properties: {
    faultCode: { type: 'integer', description: 'The number of the fault, as over XML-RPC.' },
    faultString: { type: 'string', description: 'What is wrong, in words that name the parameter.' },
    request_id: { type: 'string', description: 'By which the log and the audit records know the request.' },
  },
};

const json = (schema: Json): Json => ({ 'application/json': { schema } });

function operationOf(method: Method): Json {
  return {
    operationId: method.name,
    summary: method.summary,
    tags: [method.name.startsWith('system.') ? 'system' : 'customers'],
    requestBody: { required: method.params.required !== undefined, content: json(bodyOf(method)) },
    responses: {
      200: { description: 'Done.', content: json(schemaOf(method.result)) },
      401: { description: 'Authentication is required.' },
      ...faultResponses(method),
    },
  };
}

/** `i_wholesaler` is a parameter of every call that runs for somebody. */
function bodyOf(method: Method): Json {
  const body = schemaOf(method.params);
  if (method.trusted === 'never') return body;
  const i_wholesaler = {
    type: 'integer',
    description: 'The customer that the call runs as; required in trusted mode.',
  };
  return { ...body, properties: { ...(body['properties'] as Json), i_wholesaler } };
}

/** Several faults may share a status. */
function faultResponses(method: Method): Json {
  const names: FaultName[] = ['not_well_formed', ...faultsOf(method)];
  const statuses = [...new Set(names.map((name) => faultKinds[name].http))];
  return Object.fromEntries(statuses.map((status) => [status, faultResponse(names, status)]));
}

function faultResponse(names: readonly FaultName[], status: number): Json {
  const kinds = names.map((name) => faultKinds[name]).filter(({ http }) => http === status);
  return {
    description: kinds.map(({ number, when }) => `${number}: ${when}`).join(' '),
    content: json({ $ref: '#/components/schemas/Fault' }),
  };
}

const plainAnswer = (description: string): Json => ({ responses: { 200: { description } }, security: [] });

const xml: Json = { 'text/xml': { schema: { type: 'string' } } };
const xmlRpcPath = (operationId: string): Json => ({
  post: {
    operationId,
    summary: 'XML-RPC: the same methods, one struct in, one struct out; faults have HTTP status 200.',
    requestBody: { required: true, content: xml },
    responses: {
      200: { description: 'A result or a fault.', content: xml },
      401: { description: 'Authentication is required.' },
    },
  },
});

const queryParameter = (name: string, required: boolean, description: string): Json => ({
  name,
  in: 'query',
  required,
  description,
  schema: { type: 'string' },
});

const phpPath: Json = {
  get: {
    operationId: 'apiPhp',
    summary: 'The old form: the same methods, answers and faults as under /json, all in the query.',
    parameters: [
      queryParameter('username', true, 'Web login.'),
      queryParameter('apipassword', true, 'API password.'),
      queryParameter('action', true, 'The method.'),
      queryParameter('JSONString', false, 'Its parameters, one object.'),
    ],
    security: [],
    responses: {
      200: { description: 'Done.', content: json({}) },
      401: { description: 'Authentication is required.' },
      default: { description: 'A fault.', content: json({ $ref: '#/components/schemas/Fault' }) },
    },
  },
};

const otherPaths: Json = {
  '/xmlapi/xmlapi': xmlRpcPath('xmlrpc'),
  '/RPC2': xmlRpcPath('xmlrpcAtRpc2'),
  '/health/live': {
    get: { operationId: 'live', summary: 'Whether the process runs.', ...plainAnswer('It does.') },
  },
  '/health/ready': {
    get: { operationId: 'ready', summary: 'Whether the database answers.', ...plainAnswer('It does.') },
  },
  '/metrics': {
    get: { operationId: 'metrics', summary: 'Figures for Prometheus.', ...plainAnswer('The figures.') },
  },
};
