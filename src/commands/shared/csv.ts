/**
 * CSV as spreadsheets and other programs write it: a byte-order mark, any line end, commas,
 * semicolons or tabs, quotes. Each record comes with the line on which it begins, and a quote gone
 * wrong costs one line: reading goes on with the next one. (The parsers of npm give the line on which a
 * record ends, miscount where lines end with CR LF, and lose the records after a wrong quote.)
 *
 * A spreadsheet takes a cell that begins with = + - or @ for a formula. Those that we write get an
 * apostrophe in front, which is taken off again when they are read.
 */
import { TextDecoder } from 'node:util';
import { UsageError } from './exit-codes';

export interface CsvRecord {
  /** The line on which it begins; the first is 1. */
  readonly line: number;
  readonly cells: readonly string[];
  /** Why it cannot be read. */
  readonly problem?: string;
  /** Bytes of the file up to here, roughly. */
  readonly read_bytes: number;
}

/** No record is longer, in characters; a quote that nobody closes ends here. */
const recordLimit = 1_048_576;
const delimiters = [',', ';', '\t'] as const;

/** What nil is written as, since an empty cell says nothing. */
export const nilCell = '\\N';

/** The records of a file, header included; empty lines are left out. */
export async function* readCsv(
  input: AsyncIterable<Buffer | string>,
  delimiter?: string,
): AsyncGenerator<CsvRecord> {
  let text = '';
  let line = 1;
  let separator = delimiter;
  for await (const { piece, read_bytes, last } of decoded(input)) {
    text += piece;
    separator ??= last || /[\r\n]/.test(text) ? detectDelimiter(text) : undefined;
    if (separator === undefined) continue;
    let start = 0;
    for (;;) {
      const record = parseRecord(text, start, separator, last);
      if (!record) break;
      const { cells, problem } = record;
      if (problem !== undefined || cells.some((cell) => cell !== '')) {
        yield { line, cells, read_bytes, ...(problem !== undefined && { problem }) };
      }
      start = record.end;
      line += record.lines;
    }
    text = text.slice(start);
  }
}

interface Piece {
  readonly piece: string;
  readonly read_bytes: number;
  readonly last: boolean;
}

/** UTF-8, or UTF-16 where a byte-order mark says so; the mark itself is dropped. */
async function* decoded(input: AsyncIterable<Buffer | string>): AsyncGenerator<Piece> {
  let decoder: TextDecoder | undefined;
  let read_bytes = 0;
  for await (const chunk of input) {
    const bytes = Buffer.from(chunk);
    decoder ??= new TextDecoder(encodingOf(bytes));
    read_bytes += bytes.length;
    yield { piece: decoder.decode(bytes, { stream: true }), read_bytes, last: false };
  }
  yield { piece: decoder?.decode() ?? '', read_bytes, last: true };
}

function encodingOf([first, second]: Buffer): string {
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  return first === 0xfe && second === 0xff ? 'utf-16be' : 'utf-8';
}

/** The one that the header has most of. */
function detectDelimiter(text: string): string {
  const [header = ''] = text.split(/[\r\n]/, 1);
  const count = (delimiter: string): number => header.split(delimiter).length;
  return delimiters.reduce((best, one) => (count(one) > count(best) ? one : best));
}

interface Parsed {
  readonly cells: string[];
  readonly problem?: string;
  /** Where the next record begins. */
  readonly end: number;
  /** How many lines it takes. */
  readonly lines: number;
}

/** The record at `start`; undefined when more text is needed to tell. `last`: no more will come. */
function parseRecord(text: string, start: number, delimiter: string, last: boolean): Parsed | undefined {
  if (start >= text.length) return undefined;
  const isWhole = last || text.length - start > recordLimit;
  const cells: string[] = [];
  let lines = 1;
  for (let at = start; ;) {
    const cell = text[at] === '"' ? quotedCell(text, at) : bareCell(text, at, delimiter);
    if (cell.end === undefined) {
      return isWhole ? skipLine(text, start, isWhole, 'A quote is not closed') : undefined;
    }
    // The end of the text may be the end of a cell, or of a line, or in the middle of either.
    if (!isWhole && cell.end + 1 >= text.length) return undefined;
    const next = text[cell.end];
    if (next !== undefined && next !== delimiter && next !== '\n' && next !== '\r') {
      return skipLine(text, start, isWhole, 'A quote stands in the wrong place');
    }
    cells.push(cell.value);
    lines += cell.lines;
    if (next !== delimiter) return { cells, end: endOfLine(text, cell.end) ?? text.length, lines };
    at = cell.end + 1;
  }
}

/** Gives up the line at `start`, and no more than that. */
function skipLine(text: string, start: number, isWhole: boolean, problem: string): Parsed | undefined {
  const end = endOfLine(text, start) ?? (isWhole ? text.length : undefined);
  return end === undefined ? undefined : { cells: [], problem, end, lines: 1 };
}

interface Cell {
  readonly value: string;
  /** The character after it; undefined where the text ends inside of quotes. */
  readonly end: number | undefined;
  /** Line ends inside of it. */
  readonly lines: number;
}

function bareCell(text: string, start: number, delimiter: string): Cell {
  let end = start;
  while (end < text.length && text[end] !== delimiter && text[end] !== '\n' && text[end] !== '\r') end += 1;
  return { value: text.slice(start, end), end, lines: 0 };
}

function quotedCell(text: string, start: number): Cell {
  let value = '';
  for (let from = start + 1; ;) {
    const quote = text.indexOf('"', from);
    if (quote < 0) return { value, end: undefined, lines: 0 };
    value += text.slice(from, quote);
    if (text[quote + 1] !== '"') {
      return { value, end: quote + 1, lines: (value.match(/\r\n|\n|\r/g) ?? []).length };
    }
    value += '"';
    from = quote + 2;
  }
}

/** The beginning of the next line; undefined where it is not in sight. */
function endOfLine(text: string, from: number): number | undefined {
  for (let at = from; at < text.length; at += 1) {
    if (text[at] === '\n') return at + 1;
    if (text[at] === '\r') return text[at + 1] === '\n' ? at + 2 : at + 1;
  }
  return undefined;
}

/** What a spreadsheet would take for a formula, what we would take for nil, and either of them with an apostrophe already. */
const guarded = /^'*[=+\-@\t\r\\]/;

/** A text as it is written. */
export const guard = (text: string): string => (guarded.test(text) ? `'${text}` : text);

/** A text as it was before it was written. */
export const unguard = (cell: string): string =>
  cell.startsWith("'") && guarded.test(cell.slice(1)) ? cell.slice(1) : cell;

/** One line of a file, with the line end of RFC 4180. */
export const csvLine = (cells: readonly string[]): string => `${cells.map(quoted).join(',')}\r\n`;

const quoted = (cell: string): string =>
  /[",;\t\r\n]|^\s|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;

/** A delimiter as it is given on the command line. */
export function delimiterNamed(text: string | undefined): string | undefined {
  const found = text === '\\t' || text === 'tab' ? '\t' : text;
  if (found !== undefined && (found.length !== 1 || /["\r\n]/.test(found))) {
    throw new UsageError('--delimiter takes one character, or tab');
  }
  return found;
}
