/**
 * `treeline customers import`: a file of customers, row by row through the same call as on the
 * wire, each in a transaction of its own, several at once. The good rows stay; each refused one is
 * named with its line and the reason. Nothing but the rows on their way stands in memory.
 */
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { nameKey } from '../../core/schema/normalize-name';
import { type TSchema, declared } from '../../core/schema/schema';
import type { Struct } from '../../core/schema/values';
import { importParams } from '../../features/customers/fields';
import { Fault } from '../../base/faults';
import { type Context, attempt, customerMember, findCustomer } from '../shared/context';
import { type CsvRecord, nilCell, readCsv, unguard } from '../shared/csv';
import { Refusal } from '../shared/exit-codes';
import { createKeyedQueue, mapInOrder } from '../shared/concurrency';
import { jsonArray, visible } from '../shared/output';
import { type Progress, grouped, startProgress } from '../shared/progress';
import { type Terminal, writeLine } from '../shared/terminal';

export interface ImportOptions {
  /** A path, or `-` for stdin. */
  readonly file: string;
  readonly delimiter: string | undefined;
  readonly json: boolean;
  /** Members that a row has unless it says otherwise. */
  readonly defaults: Struct;
}

/** Columns of an export that tell what came to be and cannot be given. */
const answeredColumns = ['i_customer', 'base_currency', 'blocked', 'prepaid'];
const wholesalerColumn = 'i_wholesaler';

/** What a row came to. */
interface Imported {
  readonly line: number;
  readonly read_bytes: number;
  readonly name: string;
  readonly fault?: Fault;
}

export async function importCustomers(
  context: Context,
  terminal: Terminal,
  options: ImportOptions,
): Promise<void> {
  const size_bytes = options.file === '-' ? undefined : (await stat(options.file)).size;
  const input = options.file === '-' ? terminal.stdin : createReadStream(options.file);
  const records = readCsv(input as AsyncIterable<Buffer>, options.delimiter);
  const columns = await readHeader(records, options, terminal);

  const began = performance.now();
  const progress = startProgress(terminal.stderr, 'customers');
  const importRow = rowImporter(context, columns, options.defaults);
  // Twice as many as connections: while some wait for the database, others are being checked.
  const outcomes = mapInOrder(records, context.config.pool_size * 2, importRow);
  const report = refusedReport(terminal, options.json, progress);
  let rows = 0;
  for await (const { read_bytes, ...imported } of outcomes) {
    rows += 1;
    progress.update(rows, size_bytes === undefined ? undefined : read_bytes / size_bytes);
    if (imported.fault) await report.add(imported, imported.fault);
  }
  progress.clear();
  const refused = await report.end();
  const took_s = Math.max((performance.now() - began) / 1_000, 0.001);
  await writeLine(
    terminal.stderr,
    `${grouped(rows - refused)} of ${grouped(rows)} customers imported in ${took_s.toFixed(1)} s, ${grouped(rows / took_s)} rows a second`,
  );
  if (refused > 0) throw new Refusal(`${grouped(refused)} of ${grouped(rows)} rows were refused`);
}

/** A column of the file, and what its cells are. */
interface Column {
  readonly name: string;
  readonly schema: TSchema | undefined;
}

/** The columns, if all of them are known; else nothing is written at all. */
async function readHeader(
  records: AsyncGenerator<CsvRecord>,
  options: ImportOptions,
  terminal: Terminal,
): Promise<readonly Column[]> {
  const first = await records.next();
  if (first.done) throw new Refusal('The file is empty: its first line must name the columns');
  const { line, cells, problem } = first.value;
  if (problem !== undefined) throw new Refusal(`line ${line}: ${problem}`);
  const names = cells.map((cell) => cell.trim());
  for (const [index, name] of names.entries()) {
    const isKnown =
      Object.hasOwn(importParams.properties, name) || [...answeredColumns, wholesalerColumn].includes(name);
    if (!isKnown)
      throw new Refusal(
        `line ${line}: unknown column "${visible(name)}"; columns are attributes of customers`,
      );
    if (names.indexOf(name) < index) throw new Refusal(`line ${line}: column ${name} stands there twice`);
  }
  const missing = (importParams.required as readonly string[]).find(
    (name) => !names.includes(name) && !options.defaults.has(name),
  );
  if (missing !== undefined) throw new Refusal(`line ${line}: there is no column ${missing}`);
  const unused = names.filter((name) => answeredColumns.includes(name));
  if (unused.length > 0) await writeLine(terminal.stderr, `Not taken over: ${unused.join(', ')}`);
  const schemas: Readonly<Record<string, TSchema>> = importParams.properties;
  return names.map((name) => ({ name, schema: schemas[name] }));
}

/** The cells of a row as members. An empty cell says nothing. */
function membersOf(columns: readonly Column[], cells: readonly string[], defaults: Struct): Struct {
  const members: Struct = new Map(defaults);
  for (const [index, { name, schema }] of columns.entries()) {
    const cell = cells[index] ?? '';
    if (cell === '' || answeredColumns.includes(name)) continue;
    members.set(name, cell === nilCell ? null : read(cell, schema));
  }
  return members;
}

/** A password is taken as it stands: none was ever written by us. */
function read(cell: string, schema: TSchema | undefined): string {
  const isText =
    schema === undefined || (declared(schema).wire === 'text' && declared(schema).secret !== true);
  return isText ? unguard(cell) : cell;
}

function rowImporter(
  context: Context,
  columns: readonly Column[],
  defaults: Struct,
): (record: CsvRecord) => Promise<Imported> {
  const request_id = randomUUID();
  const find = customerFinder(context);
  const lanes = createKeyedQueue();
  return ({ line, cells, problem, read_bytes }) => {
    const members = membersOf(columns, cells, defaults);
    const name = textOf(members, 'name') ?? '';
    const wrong = problem ?? cellsProblem(columns, cells);
    if (wrong !== undefined) {
      return Promise.resolve({ line, read_bytes, name, fault: new Fault('bad_parameter', wrong) });
    }
    return lanes.run(keysOf(members), async () => {
      const fault = await importOne(context, members, find, `${request_id}.${line}`);
      return { line, read_bytes, name, ...(fault && { fault }) };
    });
  };
}

const textOf = (members: Struct, name: string): string | undefined => {
  const value = members.get(name);
  return typeof value === 'string' ? value : undefined;
};

/** Columns that refer to a customer, by id or by name. */
const referringColumns = [wholesalerColumn, 'i_commission_agent'];

/** Of two rows that want one name the first gets it, and who refers to a customer of the file comes after it. */
function keysOf(members: Struct) {
  const keys = (kind: string, text: string | undefined): string[] =>
    text === undefined ? [] : [`${kind} ${nameKey(text)}`];
  const name = textOf(members, 'name');
  const referred = referringColumns.flatMap((column) => textOf(members, column) ?? []).map(customerMember);
  return {
    holds: [
      ...keys('name', name),
      ...keys('login', textOf(members, 'web_login') ?? name),
      ...keys('alias', textOf(members, 'dns_alias')),
    ],
    awaits: referred.flatMap((member) => ('name' in member ? keys('name', member.name) : [])),
  };
}

function cellsProblem(columns: readonly Column[], cells: readonly string[]): string | undefined {
  if (cells.length !== columns.length)
    return `There are ${cells.length} cells, and ${columns.length} columns`;
  return cells.some((cell) => cell.includes('\ufffd')) ? 'It is not UTF-8' : undefined;
}

async function importOne(
  context: Context,
  members: Struct,
  find: (text: string) => Promise<number>,
  request_id: string,
): Promise<Fault | undefined> {
  for (const column of referringColumns) {
    const text = textOf(members, column);
    try {
      if (text !== undefined) members.set(column, await find(text));
    } catch (error) {
      if (!(error instanceof Fault) || isHopeless(error)) throw error;
      return new Fault(error.kind, `${column}: ${error.message}`);
    }
  }
  const outcome = await attempt(context, 'importCustomer', members, request_id);
  if (!(outcome instanceof Fault)) return undefined;
  if (isHopeless(outcome)) throw outcome;
  return outcome;
}

/** Without a database, or with a bug of ours, the rows that follow would fare no better. */
const isHopeless = ({ kind }: Fault): boolean => kind === 'unavailable' || kind === 'internal';

const rememberedAtMost = 10_000;

/** Finds customers by name or id, and remembers those found. */
function customerFinder(context: Context): (text: string) => Promise<number> {
  const found = new Map<string, number>();
  return async (text) => {
    const known = found.get(text);
    if (known !== undefined) return known;
    const i_customer = await findCustomer(context, text);
    if (found.size >= rememberedAtMost) found.clear();
    found.set(text, i_customer);
    return i_customer;
  };
}

/** Tells of refused rows as they come: a line each, or one array of all. */
function refusedReport({ stdout }: Terminal, json: boolean, progress: Progress) {
  const array = jsonArray(stdout);
  let refused = 0;
  return {
    add: async ({ line, name }: Omit<Imported, 'read_bytes'>, fault: Fault): Promise<void> => {
      refused += 1;
      progress.clear();
      if (json) return array.add([{ line, name, fault: fault.number, reason: fault.message }]);
      return writeLine(stdout, `line ${line}: ${visible(fault.message)}${name ? ` (${visible(name)})` : ''}`);
    },
    end: async (): Promise<number> => {
      if (json) await array.end();
      return refused;
    },
  };
}
