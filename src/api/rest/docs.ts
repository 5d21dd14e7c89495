/** What a REST face says of itself: OpenAPI paths and sections of the page, from the declarations of its operations. */
import type { Operation } from '../../core/call/operation';
import { type TObject, declared } from '../../core/schema/schema';
import { faultsOf } from '../../core/schema/describe';
import { type FaultName, faultKinds } from '../../base/faults';
import { type Json, schemaOf } from '../docs/schema';

/** What of a face the declarations do not tell. */
export interface RestDocs {
  /** How the face is called, as a tag and on the page. */
  readonly title: string;
  /** Who calls and how answers look, in a sentence or two. */
  readonly introduction: string;
  /** A first call, for curl. */
  readonly example: string;
  readonly base: string;
  readonly operations: readonly Operation[];
  readonly securitySchemes: Json;
  /** One of these sets of schemes. */
  readonly security: readonly Json[];
  /** Headers and parameters that the face takes beside those of the operation. */
  readonly parametersOf: (operation: Operation) => readonly Json[];
  /** The schema of an answer in the envelope of the face. */
  readonly successOf: (operation: Operation) => Json;
  /** Paths of the face that are no operations. */
  readonly morePaths?: Json;
  /** The name of the schema of an error, and the schema. */
  readonly failure: readonly [name: string, schema: Json];
}

export const restPathsOf = (docs: RestDocs): Json => {
  const paths = [...new Set(docs.operations.map(({ path }) => path))];
  const operationsAt = (path: string) => docs.operations.filter((operation) => operation.path === path);
  const operations = Object.fromEntries(
    paths.map((path) => [
      docs.base + path,
      Object.fromEntries(
        operationsAt(path).map((operation) => [operation.verb.toLowerCase(), operationOf(docs, operation)]),
      ),
    ]),
  );
  return { ...operations, ...docs.morePaths };
};

const json = (schema: Json): Json => ({ 'application/json': { schema } });

function operationOf(docs: RestDocs, operation: Operation): Json {
  const { method, from, verb, path } = operation;
  const body = partOf(method.params, from.body);
  return {
    operationId: `${verb.toLowerCase()}${docs.base}${path}`
      .replaceAll(/[^A-Za-z0-9]+/g, '_')
      .replace(/_$/, ''),
    summary: method.summary,
    tags: [docs.title],
    security: docs.security,
    parameters: [...parametersOf(operation), ...docs.parametersOf(operation)],
    ...(from.body.length > 0 && { requestBody: { required: true, content: json(schemaOf(body)) } }),
    responses: {
      200: { description: 'Done.', content: json(docs.successOf(operation)) },
      401: failureOf(docs, 'The credentials are missing or wrong.'),
      ...Object.fromEntries(failuresOf(operation).map(([status, text]) => [status, failureOf(docs, text)])),
    },
  };
}

/** A struct of the named members of another. */
function partOf(whole: TObject, names: readonly string[]): TObject {
  const properties = Object.fromEntries(
    Object.entries(whole.properties).filter(([name]) => names.includes(name)),
  );
  return { ...whole, properties, required: (whole.required ?? []).filter((name) => names.includes(name)) };
}

function parametersOf({ method, from }: Operation): readonly Json[] {
  const required = new Set(method.params.required ?? []);
  const parameter = (name: string, place: 'path' | 'query'): Json => {
    const { description, ...schema } = schemaOf(method.params.properties[name] ?? method.params);
    return { name, in: place, required: required.has(name), description, schema };
  };
  return [
    ...from.path.map((name) => parameter(name, 'path')),
    ...from.query.map((name) => parameter(name, 'query')),
  ];
}

const failureOf = ({ failure: [name] }: RestDocs, description: string): Json => ({
  description,
  content: json({ $ref: `#/components/schemas/${name}` }),
});

/** By status, in words; several faults may share one. */
function failuresOf({ method, from }: Operation): [number, string][] {
  const names: FaultName[] = [...faultsOf(method), ...(from.body.length > 0 ? bodyFaults : [])];
  const statuses = [...new Set(names.map((name) => faultKinds[name].http))].sort((a, b) => a - b);
  return statuses.map((status) => [
    status,
    names.flatMap((name) => (faultKinds[name].http === status ? [faultKinds[name].when] : [])).join(' '),
  ]);
}
const bodyFaults: readonly FaultName[] = ['not_well_formed'];

/** The statuses other than 200, for the page. */
export const statusesOf = (operation: Operation): readonly number[] => [
  ...new Set([401, ...failuresOf(operation).map(([status]) => status)]),
];

/** The members of an answer. */
export const answered = ({ item }: Operation) => Object.entries(declared(item).properties ?? {});
