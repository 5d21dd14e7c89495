/** The methods and operations as a page to read: plain HTML without scripts, made once from the declarations. */
import type { Method } from '../../core/call/method';
import type { Operation } from '../../core/call/operation';
import { describeRight } from '../../core/tree/rights';
import { type TSchema, declared } from '../../core/schema/schema';
import { faultsOf, describeType } from '../../core/schema/describe';
import { faultKinds } from '../../base/faults';
import { type RestDocs, answered, statusesOf } from '../rest/docs';
import { style } from './style';

export function pageOf(methods: readonly Method[], faces: readonly RestDocs[]): string {
  const links = methods.map(({ name }) => linkTo(name)).join('');
  const others = faces.map(({ title }) => `the ${linkTo(title)}`).join(' and ');
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Treeline: the methods</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>${style}</style></head><body>
<h1>Treeline</h1>
<p>Every method is served over XML-RPC at <code>POST /xmlapi/xmlapi</code> and as JSON at <code>POST /json/&lt;method&gt;</code>.
Beside them there are ${others}. All of it in machine-readable form: <a href="/openapi.json">openapi.json</a>.</p>
<p>Most methods take <code>i_wholesaler</code> too: the customer that the call runs as, the caller or one below it; a trusted host must say it.</p>
<nav>${links}</nav>${methods.map(sectionOf).join('')}${faces.map(faceOf).join('')}</body></html>`;
}

function faceOf({ title, introduction, example, base, operations }: RestDocs): string {
  const nameOf = ({ verb, path }: Operation): string => `${verb} ${base}${path}`;
  const paths = [...new Set(operations.map(({ path }) => path))];
  const at = (path: string): readonly Operation[] => operations.filter((one) => one.path === path);
  const verbsOf = (path: string): string =>
    at(path)
      .map((one) => linkTo(nameOf(one), one.verb))
      .join('');
  const links = paths.map(
    (path) => `<div>${escape(base + path).replaceAll('_', '_<wbr>')} ${verbsOf(path)}</div>`,
  );
  const sections = paths.flatMap((path) => at(path).map((one) => operationOf(nameOf(one), one)));
  return `<h1 id="${idOf(title)}">The ${escape(title)}</h1><p>${prose(introduction)}</p><pre>${escape(example)}</pre>
<nav>${links.join('')}</nav>${sections.join('')}`;
}

function operationOf(name: string, operation: Operation): string {
  const { method, from, answers, idempotent } = operation;
  const required = new Set(method.params.required ?? []);
  const placeOf = (member: string): string =>
    from.path.includes(member) ? 'path' : from.query.includes(member) ? 'query' : 'body';
  const params = Object.entries(method.params.properties).flatMap(([member, schema]) =>
    rowsOf(member, schema, json, `${placeOf(member)}${required.has(member) ? ', required' : ''}`),
  );
  const answer = answered(operation).flatMap(([member, schema]) => rowsOf(member, schema, json));
  const statuses = `Errors: ${statusesOf(operation)
    .toSorted((a, b) => a - b)
    .join(', ')}.`;
  return (
    headOf(name, method, `${statuses}${idempotent ? ' Takes Idempotency-Key.' : ''}`) +
    tableOf('Parameter', params) +
    tableOf(answers === 'page' ? 'Each of the answer' : 'Answer', answer)
  );
}

function sectionOf(method: Method): string {
  const required = new Set(method.params.required ?? []);
  const params = Object.entries(method.params.properties).flatMap(([name, schema]) =>
    rowsOf(name, schema, xmlRpc, required.has(name) ? 'required' : ''),
  );
  const answer = Object.entries(declared(method.result).properties ?? { '': method.result });
  const faults = new Set(faultsOf(method).map((name) => String(faultKinds[name].number)));
  return (
    headOf(method.name, method, `Faults: ${[...faults].join(', ')}.`) +
    tableOf('Parameter', params) +
    tableOf(
      'Answer',
      answer.flatMap(([name, schema]) => rowsOf(name, schema, xmlRpc)),
    )
  );
}

function headOf(name: string, { summary, right }: Method, refusals: string): string {
  const words = describeRight(right);
  const needed = words === undefined ? '' : `Right: ${words}. `;
  return `<h2 id="${idOf(name)}">${escape(name)}</h2><p>${prose(summary)}</p>
<p class="note">${escape(needed + refusals)}</p>`;
}

const tableOf = (head: string, rows: readonly string[]): string =>
  rows.length === 0
    ? ''
    : `<table><tr><th>${head}</th><th>Type</th><th></th><th></th></tr>${rows.join('')}</table>\n`;

/** In which words a page speaks of types and values. */
interface Tongue {
  readonly type: (schema: TSchema) => string;
  readonly text: (description: string) => string;
}
const xmlRpc: Tongue = { type: describeType, text: (description) => description };
const jsonTypes: Readonly<Record<string, string>> = { int: 'integer', double: 'number', struct: 'object' };
const json: Tongue = {
  type: (schema) =>
    describeType(schema)
      .replace(/^\w+/, (word) => (declared(schema).format === 'uuid' ? 'uuid' : (jsonTypes[word] ?? word)))
      .replace(/^(uuid.*), at most 36/, '$1')
      .replace(' or nil', ' or null'),
  text: (description) => description.replaceAll(/\bnil\b/g, 'null'),
};

/** A member, and those within it: `users`, `users[].name`; a note says what is to be given. */
function rowsOf(name: string, schema: TSchema, tongue: Tongue, note?: string): string[] {
  const { items, description } = declared(schema);
  const inner = items ?? schema;
  const { properties } = declared(inner);
  const required = new Set(inner['required'] as readonly string[] | undefined);
  const within = Object.entries(properties ?? {}).flatMap(([member, one]) => {
    const innerNote = note === undefined ? undefined : required.has(member) ? 'required' : '';
    return rowsOf(`${name}${items ? '[]' : ''}.${member}`, one, tongue, innerNote);
  });
  const type = tongue.type(schema) + (items && !properties ? ` of ${tongue.type(items)}` : '');
  const cells = [escape(type), note ?? '', prose(tongue.text(description))];
  return [
    `<tr><td>${escape(name)}</td><td>${cells[0]}</td><td class="note">${cells[1]}</td><td>${cells[2]}</td></tr>`,
    ...within,
  ];
}

/** What may stand in a link. */
const idOf = (name: string): string => name.replaceAll(/[^A-Za-z0-9.]+/g, '-');
const linkTo = (name: string, text = name): string => `<a href="#${idOf(name)}">${escape(text)}</a>`;

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const prose = (text: string): string => escape(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>');
