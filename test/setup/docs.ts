/**
 * What is written about the code by the code: the tables of the README and of docs/limits.md between their markers,
 * and the picture of the schema in `migrations/schema.txt`. `npm run docs` writes them; without `--write` it only
 * tells which are stale. `test/contract.test.ts` and `test/limits-page.test.ts` fail when they are.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { allMethods } from '../../src/server/app';
import { runCommand } from '../../src/commands/program';
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
import { renewedLimits } from './limits-page';
import { schemaDump } from './schema-dump';

const root = dirname(dirname(__dirname));
export const readmeFile = join(root, 'README.md');
export const limitsFile = join(root, 'docs', 'limits.md');
export const schemaFile = join(root, 'migrations', 'schema.txt');
export const quotasFile = join(root, 'docs', 'quotas.md');

const noCalls = (): never => {
  throw new Error('Documentation makes no calls');
};

/** Every declaration, without a server: `core` is asked for only when a call comes. */
export const methods: readonly Method[] = allMethods(noCalls);

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

const code = (text: string): string => `\`${text}\``;

/** The attributes of a customer fill a table of their own, so they stand for one word here. */
function parametersOf({ params }: Method): string {
  const required = new Set(params.required ?? []);
  const isAttribute = (name: string): boolean => Object.hasOwn(attributes, name);
  const names = Object.keys(params.properties);
  const takesAll = Object.keys(attributes).every((name) => names.includes(name));
  const own = names
    .filter((name) => !takesAll || !isAttribute(name))
    .map((name) => (required.has(name) ? code(name) : `[${code(name)}]`));
  return [...own, ...(takesAll ? ['[attributes](#attributes)'] : [])].join(', ') || 'none';
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

const methodRows = methods.map((method) => [
  code(method.name),
  rightCell(method),
  parametersOf(method),
  answerOf(method),
  numbersOf(method),
  method.summary,
]);

const settingRows = Object.values(settings).map((setting) => [
  code(setting.name),
  setting.fallback === undefined ? 'unset' : setting.fallback === '' ? 'empty' : code(setting.fallback),
  setting.meaning,
]);

const faultRows = Object.entries(faultKinds)
  .sort(([, a], [, b]) => Math.abs(a.number) - Math.abs(b.number))
  .map(([, { number, http, when }]) => [String(number), String(http), when]);

const operationRows = (operations: readonly Operation[]): string[][] =>
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
  });

/** What an absent attribute becomes where its declaration gives no one value. */
const dependentDefaults: Readonly<Record<string, string>> = {
  web_login: 'the name',
  max_depth: 'one less than its wholesaler has',
};

function defaultOf(name: string, { fallback }: Attribute): string {
  if (Object.hasOwn(requiredAttributes, name)) return 'required';
  if (fallback === undefined) return dependentDefaults[name] ?? '';
  return fallback === null ? 'nil' : code(String(fallback));
}

const attributeRows = Object.entries<Attribute>(attributes).map(([name, attribute]) => [
  code(name),
  describeType(attribute.schema),
  defaultOf(name, attribute),
  declared(attribute.schema).description,
]);

/** What `treeline --help` says, as wide as a page is. */
async function commandHelp(): Promise<string> {
  const out = new PassThrough();
  const terminal = { env: {}, stdin: new PassThrough(), stdout: out, stderr: out };
  await runCommand(['--help'], { terminal, version: '', methods: allMethods, serve: noCalls });
  return `\`\`\`text\n${String(out.read()).trim()}\n\`\`\``;
}

/** The generated parts of the README by the names of their markers. */
const generated = async (): Promise<Readonly<Record<string, string>>> => ({
  methods: table(['method', 'right', 'parameters', 'answer', 'faults', 'what it does'], methodRows),
  settings: table(['setting', 'default', 'meaning'], settingRows),
  attributes: table(['attribute', 'type', 'default', 'what it is'], attributeRows),
  faults: table(['fault', 'HTTP status of JSON', 'when'], faultRows),
  reseller: table(['path', 'right', 'members', 'errors', 'what it does'], operationRows(resellerOperations)),
  tenant: table(
    ['path', 'right', 'members', 'errors', 'what it does'],
    operationRows(tenantDocs(tenantOperations, tenantBase).operations),
  ),
  commands: await commandHelp(),
});

/** The README with its generated parts made anew; throws where a marker is missing, or one more than these is there. */
export async function renewed(readme: string): Promise<string> {
  const parts = Object.entries(await generated());
  const markers = readme.match(/^<!-- generated: \w+ -->$/gm) ?? [];
  if (markers.length !== parts.length) throw new Error(`README.md has the markers ${markers.join(' ')}`);
  return parts.reduce((text, [name, content]) => {
    const part = new RegExp(`(<!-- generated: ${name} -->\n)[^]*?(<!-- end -->)`);
    if (!part.test(text)) throw new Error(`README.md has no <!-- generated: ${name} --> … <!-- end -->`);
    return text.replace(part, (_all, begin: string, end: string) => `${begin}\n${content}\n\n${end}`);
  }, readme);
}

/** The dump of a database that was migrated just now, on a PostgreSQL that lives as long as this takes. */
async function currentSchema(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'treeline-docs-'));
  // PostgreSQL does not run as root; whoever it runs as must reach the folder.
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

/** The page of limits on what can be made, as `src/base/limits.ts` declares them. */
export function quotasPage(): string {
  const amount = (value: number): string => value.toLocaleString('en');
  const rows = Object.entries(limitedResources).map(([name, { noun, per_customer, per_subtree }]) => [
    noun,
    `${code(`${name}_per_customer`)}: ${amount(per_customer)}`,
    `${code(`${name}_per_subtree`)}: ${amount(per_subtree)}`,
  ]);
  return `# Limits on what can be made

${quotasText}

${table(['rows', 'one customer', 'a customer with everybody below it'], rows)}
`;
}

const quotasText = `Each customer below root has these limits. Beyond one, a call answers 403 with its name:
\`Limit reached: at most 5 tariffs (limit tariffs_per_customer)\`. Root has none.

- **Set them for the server** with \`TREELINE_LIMITS=tariffs_per_customer=5,flows_per_subtree=200\`; give every server of a database the same.
- **Set lower ones for a customer below** with \`setCustomerLimits\`, which needs \`customers_mgmt:edit\`. A limit holds for the customer and
  for everybody below it. Nobody can raise one above what holds for those above. \`getCustomerLimits\` returns what holds and what is used.
- **Lowering a limit** deletes nothing; it refuses new rows.
- **How exact they are.** Counters are written by triggers in the transaction of the change. Near a limit, within 1,000 of it, transactions take
  turns, so concurrent calls cannot pass it. A customer that deletes rows can make as many again at once.
- **Levels.** A tree has at most 64 levels, root included, whatever \`max_depth\` says.
- **Age.** Deleted rows leave after \`TREELINE_DELETED_RETENTION_MINUTES\`. Deleted customers stay, because the books refer to them, and have a limit.
  Audit records leave by whole months (\`TREELINE_AUDIT_RETENTION_MONTHS\`), idempotency keys after \`TREELINE_IDEMPOTENCY_RETENTION_H\`.`;

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

async function main(write: boolean): Promise<void> {
  const fresh = [
    [readmeFile, await renewed(readFileSync(readmeFile, 'utf8'))],
    [limitsFile, renewedLimits(readFileSync(limitsFile, 'utf8'))],
    [schemaFile, await currentSchema()],
    [quotasFile, quotasPage()],
  ] as const;
  const stale = fresh.filter(([file, text]) => readIfThere(file) !== text);
  for (const [file, text] of stale) {
    if (write) writeFileSync(file, text);
    console.log(write ? `Written: ${file}` : `Stale: ${file}; run npm run docs`);
  }
  if (stale.length === 0) console.log('Everything generated is fresh.');
  else if (!write) process.exitCode = 1;
}

if (require.main === module) {
  main(process.argv.includes('--write')).catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  });
}
