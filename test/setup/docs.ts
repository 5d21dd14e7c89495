/**
 * Generates the tables of docs/reference, the list of rules in docs/tests.md, and the text of the schema in
 * `migrations/schema.txt`. `npm run docs` writes them. Without `--write` this program only reports stale files.
 * `test/contract.test.ts` fails when a page is stale. A new page is a new entry in `pages`.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { allMethods } from '../../src/server/app';
import { settings } from '../../src/base/config';
import type { Method } from '../../src/core/call/method';
import type { Operation } from '../../src/core/call/operation';
import { describeRight } from '../../src/core/tree/rights';
import { declared } from '../../src/core/schema/schema';
import { type Attribute, attributes, requiredAttributes } from '../../src/features/customers/fields';
import { openDatabase } from '../../src/db/database';
import { startEmbedded } from '../../src/db/embedded/embedded';
import { migrate } from '../../src/db/migrations';
import { statusesOf } from '../../src/api/rest/docs';
import { tenantDocs } from '../../src/api/tenant/docs';
import { tenantBase } from '../../src/api/tenant/routes';
import { faultKinds } from '../../src/base/faults';
import { limitedResources } from '../../src/base/limits';
import { resellerOperations } from '../../src/api/reseller/operations';
import { tenantOperations } from '../../src/api/tenant/operations/operations';
import { faultsOf, describeType, wireType } from '../../src/core/schema/describe';
import { commandHelps, mainHelp } from './command-help';
import { limitParts } from './limits-page';
import { code, fillParts, table } from './markdown';
import { rulesList } from './rules-page';
import { schemaDump } from './schema-dump';

const root = dirname(dirname(__dirname));

const noCalls = (): never => {
  throw new Error('Documentation makes no calls');
};

/** Every declaration, without a server. */
export const methods: readonly Method[] = allMethods(noCalls);

/** Parameters in order; optional ones in brackets. The attributes of a customer have a page of their own. */
function parametersOf({ params }: Method): string {
  const required = new Set(params.required ?? []);
  const isAttribute = (name: string): boolean => Object.hasOwn(attributes, name);
  const names = Object.keys(params.properties);
  const takesAll = Object.keys(attributes).every((name) => names.includes(name));
  const own = names
    .filter((name) => !takesAll || !isAttribute(name))
    .map((name) => (required.has(name) ? code(name) : `[${code(name)}]`));
  return [...own, ...(takesAll ? ['[attributes](attributes.md)'] : [])].join(', ') || 'none';
}

function answerOf({ result }: Method): string {
  const { properties } = declared(result);
  if (!properties) return wireType(result);
  return Object.entries(properties)
    .filter(([name]) => name !== 'result')
    .map(([name, member]) => `${code(name)} (${wireType(member)})`)
    .join(', ');
}

const numbersOf = (method: Method): string =>
  [...new Set(faultsOf(method).map((name) => faultKinds[name].number))].join(', ');

const rightCell = ({ right }: Method): string => {
  const words = describeRight(right);
  return words === undefined ? '' : words.replace(/^\S+/, code);
};

const methodsTable = (): string =>
  table(
    ['method', 'right', 'parameters', 'answer', 'faults', 'what it does'],
    methods.map((method) => [
      code(method.name),
      rightCell(method),
      parametersOf(method),
      answerOf(method),
      numbersOf(method),
      method.summary,
    ]),
  );

const settingsTable = (): string =>
  table(
    ['setting', 'default', 'meaning'],
    Object.values(settings).map((setting) => [
      code(setting.name),
      setting.fallback === undefined ? 'unset' : setting.fallback === '' ? 'empty' : code(setting.fallback),
      setting.meaning,
    ]),
  );

const faultsTable = (): string =>
  table(
    ['fault', 'HTTP status', 'when'],
    Object.values(faultKinds)
      .toSorted((a, b) => Math.abs(a.number) - Math.abs(b.number))
      .map(({ number, http, when }) => [String(number), String(http), when]),
  );

const operationsTable = (operations: readonly Operation[]): string =>
  table(
    ['path', 'right', 'members', 'errors', 'what it does'],
    operations.map((operation) => {
      const { verb, path, method, from } = operation;
      const required = new Set(method.params.required ?? []);
      const isLocked = (name: string): boolean => method.params.properties[name]?.['format'] === 'locked';
      const members = [...from.query, ...from.body]
        .filter((name) => !isLocked(name))
        .map((name) => (required.has(name) ? code(name) : `[${code(name)}]`));
      return [
        code(`${verb} ${path}`),
        rightCell(method),
        members.join(', '),
        statusesOf(operation).join(', '),
        method.summary,
      ];
    }),
  );

/** The default of an absent attribute whose declaration has no single value. */
const dependentDefaults: Readonly<Record<string, string>> = {
  web_login: 'the name',
  max_depth: 'one less than its wholesaler has',
};

function defaultOf(name: string, { fallback }: Attribute): string {
  if (Object.hasOwn(requiredAttributes, name)) return 'required';
  if (fallback === undefined) return dependentDefaults[name] ?? '';
  return fallback === null ? 'nil' : code(String(fallback));
}

const attributesTable = (): string =>
  table(
    ['attribute', 'type', 'default', 'what it is'],
    Object.entries<Attribute>(attributes).map(([name, attribute]) => [
      code(name),
      describeType(attribute.schema),
      defaultOf(name, attribute),
      declared(attribute.schema).description,
    ]),
  );

const quotasTable = (): string => {
  const amount = (value: number): string => value.toLocaleString('en');
  return table(
    ['rows', 'one customer', 'a customer with its whole subtree'],
    Object.entries(limitedResources).map(([name, { noun, per_customer, per_subtree }]) => [
      noun,
      `${code(`${name}_per_customer`)}: ${amount(per_customer)}`,
      `${code(`${name}_per_subtree`)}: ${amount(per_subtree)}`,
    ]),
  );
};

type Part = () => string | Promise<string>;

/** A page with generated parts, each between `<!-- generated: name -->` and `<!-- end -->`. */
export interface DocPage {
  readonly file: string;
  readonly parts: Readonly<Record<string, Part>>;
}

export const pages: readonly DocPage[] = [
  { file: 'docs/reference/xmlrpc.md', parts: { methods: methodsTable } },
  {
    file: 'docs/reference/reseller-rest.md',
    parts: { operations: () => operationsTable(resellerOperations) },
  },
  {
    file: 'docs/reference/tenant-rest.md',
    parts: { operations: () => operationsTable(tenantDocs(tenantOperations, tenantBase).operations) },
  },
  { file: 'docs/reference/attributes.md', parts: { attributes: attributesTable } },
  { file: 'docs/reference/faults.md', parts: { faults: faultsTable } },
  { file: 'docs/reference/settings.md', parts: { settings: settingsTable } },
  { file: 'docs/reference/cli.md', parts: { overview: mainHelp, commands: commandHelps } },
  { file: 'docs/reference/limits.md', parts: limitParts },
  { file: 'docs/reference/quotas.md', parts: { quotas: quotasTable } },
  { file: 'docs/tests.md', parts: { rules: rulesList } },
];

export const readPage = ({ file }: DocPage): string => readFileSync(join(root, file), 'utf8');

/** Returns the page as it must be. Throws if its markers do not match its parts. */
export async function renewed(page: DocPage): Promise<string> {
  const entries = Object.entries(page.parts).map(async ([name, part]) => [name, await part()] as const);
  return fillParts(page.file, readPage(page), Object.fromEntries(await Promise.all(entries)));
}

/** Returns the dump of an empty, migrated database, on a temporary PostgreSQL. */
async function currentSchema(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'treeline-docs-'));
  // PostgreSQL does not run as root. The user that it runs as must be able to enter the folder.
  chmodSync(folder, 0o755);
  const embedded = await startEmbedded({ data_dir: folder, settings: { fsync: 'off' } });
  const db = openDatabase({
    connection: embedded.connection,
    pool_size: 2,
    statement_timeout_ms: 30_000,
    acquire_timeout_ms: 10_000,
  });
  try {
    await migrate(db.knex);
    return await schemaDump(db);
  } finally {
    await db.close();
    await embedded.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function main(write: boolean): Promise<void> {
  const fresh = [
    ...pages.map((page) => ({ file: page.file, text: () => renewed(page) })),
    { file: 'migrations/schema.txt', text: currentSchema },
  ];
  let stale = 0;
  for (const { file, text } of fresh) {
    const wanted = await text();
    if (readFileSync(join(root, file), 'utf8') === wanted) continue;
    stale += 1;
    if (write) writeFileSync(join(root, file), wanted);
    console.log(write ? `Written: ${file}` : `Stale: ${file}; run npm run docs`);
  }
  if (stale === 0) console.log('Everything generated is fresh.');
  else if (!write) process.exitCode = 1;
}

if (require.main === module) {
  main(process.argv.includes('--write')).catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  });
}
