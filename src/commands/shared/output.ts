/**
 * How answers are shown: as a table on a terminal, as lines with tabs where there is none, as JSON
 * with `--json`. Amounts of money stay the decimals that they are. Which columns there are is told
 * by the declaration of the method, so no command has a list of its own.
 */
import Table from 'cli-table3';
import { plain } from '../../core/schema/decimal';
import type { Method } from '../../core/call/method';
import { type Batches, type TSchema, declared } from '../../core/schema/schema';
import { type Output, write, writeLine } from './terminal';

export type Row = Readonly<Record<string, unknown>>;

// A line break must not look like a row of its own, and a text of somebody else's must not steer the terminal.
const controls = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** A value as one cell. */
export function visible(value: unknown): string {
  if (value === null || value === undefined) return '';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.replace(controls, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The database says 5.000000 where people say 5. */
function shownAs(schema: TSchema | undefined, value: unknown): unknown {
  return schema && declared(schema).wire === 'money' && typeof value === 'string' ? plain(value) : value;
}

const noBorders = Object.fromEntries(
  [
    ...['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right'],
    ...['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid'],
  ].map((part) => [part, '']),
);

/** Lines up columns, whatever the script; no more than a few thousand rows at once. */
export function table(head: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const lines = new Table({
    head: [...head],
    chars: { ...noBorders, middle: '  ' },
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 0 },
  });
  lines.push(...rows.map((row) => row.map(visible)));
  return lines.toString().replace(/ +$/gm, '');
}

export interface Shape {
  readonly json: boolean | undefined;
  readonly output: Output;
}

/** One array of JSON, a line an element, as they come. */
export function jsonArray(output: Output) {
  let count = 0;
  return {
    add: async (elements: readonly unknown[]): Promise<void> => {
      if (elements.length === 0) return;
      const lines = elements.map((element) => JSON.stringify(element)).join(',\n');
      await write(output, `${count === 0 ? '[' : ','}\n${lines}`);
      count += elements.length;
    },
    end: (): Promise<void> => write(output, count === 0 ? '[]\n' : '\n]\n'),
  };
}

/** Rows as they come, in bounded memory. */
export async function showRows(
  { json, output }: Shape,
  columns: readonly string[],
  rows: AsyncIterable<readonly Row[]>,
): Promise<void> {
  const array = jsonArray(output);
  let isFirst = true;
  for await (const batch of rows) {
    if (json) await array.add(batch);
    else await write(output, tableOf(output, columns, batch, isFirst));
    isFirst = false;
  }
  if (json) await array.end();
}

/** Of a list in many batches, each has its header on a terminal; for programs there is one. */
function tableOf(output: Output, columns: readonly string[], rows: readonly Row[], isFirst: boolean): string {
  const cells = rows.map((row) => columns.map((column) => row[column]));
  if (output.isTTY) return `${table(columns, cells)}\n`;
  const lines = cells.map((row) => row.map(visible).join('\t'));
  return [...(isFirst ? [columns.join('\t')] : []), ...lines].map((line) => `${line}\n`).join('');
}

/** One thing with all that it has, a line for each. */
export async function showOne({ json, output }: Shape, row: Row): Promise<void> {
  if (json) return writeLine(output, JSON.stringify(row, undefined, 2));
  const cells = Object.entries(row);
  const text = output.isTTY
    ? table(['', ''], cells).split('\n').slice(1).join('\n')
    : cells.map((pair) => pair.map(visible).join('\t')).join('\n');
  return writeLine(output, text);
}

/** What a method answered: its list, its one struct, or the ids that it made, in the words of `done`. */
export async function showResult(
  shape: Shape,
  method: Method,
  result: Row,
  done: string | undefined,
): Promise<void> {
  const members = Object.entries(declared(method.result).properties ?? {});
  for (const [name, schema] of members) {
    const { wire, items, properties } = declared(schema);
    if (wire === 'list' && items) {
      const shown = declared(items).properties ?? {};
      const rows = result[name] as readonly Row[] | Batches<Row>;
      return showRows(shape, Object.keys(shown), shownRows(rows, shown));
    }
    if (wire === 'struct' && properties) return showOne(shape, shownRow(result[name] as Row, properties));
  }
  const made = Object.entries(result).filter(([name]) => name !== 'result');
  if (shape.json) return writeLine(shape.output, JSON.stringify(Object.fromEntries(made)));
  const ids = made.map(([name, value]) => `${name} ${visible(value)}`);
  return writeLine(shape.output, [done ?? 'Done', ...ids].join(': '));
}

function shownRow(row: Row, schemas: Readonly<Record<string, TSchema>>): Row {
  // In the order of the declaration, which the database need not keep.
  return Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => [name, shownAs(schema, row[name])]),
  );
}

async function* shownRows(
  rows: readonly Row[] | Batches<Row>,
  schemas: Readonly<Record<string, TSchema>>,
): AsyncGenerator<readonly Row[]> {
  for await (const batch of batchesOf(rows)) yield batch.map((row) => shownRow(row, schemas));
}

/** A list that stands whole is one batch. */
export async function* batchesOf(rows: readonly Row[] | Batches<Row>): AsyncGenerator<readonly Row[]> {
  if (Array.isArray(rows)) yield rows as readonly Row[];
  else yield* rows as Batches<Row>;
}
