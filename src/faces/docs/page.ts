/** The methods as a page to read: plain HTML without scripts, made once from the declarations. */
import type { Method } from '../../core/method';
import { type TSchema, declared } from '../../core/schema';
import { faultsOf, typeInWords } from '../../core/words';
import type { Operation } from '../../core/operation';
import { faultKinds } from '../../faults';
import { type RestDocs, answered, statusesOf } from '../rest/docs';

const style = `
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b2733; background: #fff }
  nav { columns: 3 14rem; margin: 1rem 0 2rem }
  nav a { display: block }
  a { color: #0a5c8a }
  h2 { margin-top: 2.5rem; border-top: 1px solid #d5dde5; padding-top: 1rem; font-family: ui-monospace, monospace }
  table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem }
  th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #e8edf2 }
  td:first-child { font-family: ui-monospace, monospace; white-space: nowrap }
  .note { color: #51606e }
  @media (prefers-color-scheme: dark) { body { background: #12181e; color: #dfe7ee } a { color: #6cb8e6 } .note { color: #93a3b2 } }`;

export function pageOf(methods: readonly Method[], faces: readonly RestDocs[]): string {
  const linkTo = (name: string): string => `<a href="#${escape(name)}">${escape(name)}</a>`;
  const links = methods.map(({ name }) => linkTo(name)).join('');
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Treeline: the methods</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>${style}</style></head><body>
<h1>Treeline</h1>
<p>Every method is served over XML-RPC at <code>POST /xmlapi/xmlapi</code> and as JSON at <code>POST /json/&lt;method&gt;</code>;
the same in machine-readable form: <a href="/openapi.json">openapi.json</a>.
Most take <code>i_wholesaler</code> too: the customer that the call runs as, the caller or one below it; a trusted host must say it.</p>
${faces.map(({ title }) => `<p>And there is the ${linkTo(title)}.</p>`).join('')}
<nav>${links}</nav>${methods.map(sectionOf).join('')}${faces.map(faceOf).join('')}</body></html>`;
}

function faceOf({ title, introduction, base, operations }: RestDocs): string {
  const nameOf = ({ verb, path }: Operation): string => `${verb} ${base}${path}`;
  const links = operations.map((one) => `<a href="#${escape(nameOf(one))}">${escape(nameOf(one))}</a>`);
  const sections = operations.map((one) => operationOf(nameOf(one), one));
  return `<h1 id="${escape(title)}">The ${escape(title)}</h1><p>${escape(introduction)}</p>
<nav>${links.join('')}</nav>${sections.join('')}`;
}

function operationOf(name: string, operation: Operation): string {
  const { method, from } = operation;
  const required = new Set(method.params.required ?? []);
  const placeOf = (member: string): string =>
    from.path.includes(member) ? 'path' : from.query.includes(member) ? 'query' : 'body';
  const rows = Object.entries(method.params.properties).map(([member, schema]) =>
    row(member, schema, `${placeOf(member)}${required.has(member) ? ', required' : ''}`),
  );
  const answer = answered(operation).map(([member, schema]) => row(member, schema, ''));
  return `<h2 id="${escape(name)}">${escape(name)}</h2><p>${escape(method.summary)}</p>
<p class="note">Right: ${escape(method.right)}. Errors: ${statusesOf(operation).join(', ')}.${operation.idempotent ? ' Takes Idempotency-Key.' : ''}</p>
${tableOf('Parameter', rows)}${tableOf(operation.answers === 'page' ? 'Each of the answer' : 'Answer', answer)}`;
}

const tableOf = (head: string, rows: readonly string[]): string =>
  rows.length === 0
    ? ''
    : `<table><tr><th>${head}</th><th>Type</th><th></th><th></th></tr>${rows.join('')}</table>`;

function sectionOf(method: Method): string {
  const params = Object.entries(method.params.properties);
  const required = new Set(method.params.required ?? []);
  const rows = params.map(([name, schema]) => row(name, schema, required.has(name) ? 'required' : ''));
  const answer = Object.entries(declared(method.result).properties ?? { '': method.result });
  return `<h2 id="${escape(method.name)}">${escape(method.name)}</h2><p>${escape(method.summary)}</p>
<p class="note">Right: ${escape(method.right)}. Faults: ${faultsOf(method)
    .map((name) => String(faultKinds[name].number))
    .join(', ')}.</p>
${rows.length > 0 ? `<table><tr><th>Parameter</th><th>Type</th><th></th><th></th></tr>${rows.join('')}</table>` : ''}
<table><tr><th>Answer</th><th>Type</th><th></th><th></th></tr>${answer.map(([name, schema]) => row(name, schema, '')).join('')}</table>`;
}

const row = (name: string, schema: TSchema, note: string): string =>
  `<tr><td>${escape(name)}</td><td>${escape(typeInWords(schema))}</td><td class="note">${note}</td><td>${escape(declared(schema).description)}</td></tr>`;

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
