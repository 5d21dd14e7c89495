/** What a run came to, for a terminal and for docs/reliability.md. */
import Table from 'cli-table3';
import { type Result, goals, kinds } from './measure';

/** The outcomes that came most often, in one line. */
export function tallyOf({ tally }: Result): string {
  const sorted = Object.entries(tally).sort(([, a], [, b]) => b - a);
  const shown = sorted.slice(0, 4).map(([outcome, times]) => `${outcome} × ${times}`);
  return [...shown, ...(sorted.length > 4 ? [`${sorted.length - 4} more`] : [])].join(', ');
}

/** p99 and, in brackets, the longest, in milliseconds. */
const timesOf = ({ p99_ms, max_ms }: Result['live']): string => `${p99_ms} (${max_ms})`;

const failedOf = ({ failed_calls, victim }: Result): string =>
  failed_calls === 0 ? '0' : `${failed_calls} of ${kinds.reduce((sum, kind) => sum + victim[kind].calls, 0)}`;

const cellsOf = (result: Result): string[] => [
  result.name,
  ...kinds.map((kind) => timesOf(result.victim[kind])),
  failedOf(result),
  String(result.memory_mb),
  timesOf(result.live),
];

export function terminalTable(results: readonly Result[]): string {
  const table = new Table({
    head: ['attack', ...kinds, 'failed calls', 'memory', 'live', 'result'],
    style: { head: [], border: [] },
  });
  for (const result of results) table.push([...cellsOf(result), result.passed ? 'passed' : 'FAILED']);
  const legend = `Times of the victim and of /health/live: p99 (longest) in ms. Memory in MB. Goals: reads and payments ${goals.p99_ms.reads} ms, logins ${goals.p99_ms.logins} ms, no failed call, memory ${goals.memory_mb} MB, live ${goals.live_p99_ms} ms.`;
  return `${table.toString()}\n${legend}`;
}

/** A few lines about one scenario. */
export function wordsOf(result: Result): string {
  const { failures, wrong, missed } = result;
  return [
    `  the attacker got: ${tallyOf(result) || 'nothing'}`,
    ...wrong.map((sentence) => `  WRONG: ${sentence}`),
    ...missed.map((sentence) => `  missed: ${sentence}`),
    ...failures.map((sentence) => `  failed call: ${sentence}`),
  ].join('\n');
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

/** What one run showed of an attack, in one cell. */
export function cellOf(result: Result): string {
  const { victim, memory_mb, live, wrong, passed } = result;
  const figures = [
    `p99 ${kinds.map((kind) => victim[kind].p99_ms).join(' / ')} ms`,
    `${failedOf(result)} failed`,
    `${memory_mb} MB`,
    `live ${live.p99_ms} ms`,
  ].join('; ');
  const achieved = wrong.length === 0 ? '' : `<br>${wrong.map((sentence) => `${sentence}.`).join(' ')}`;
  return cell(`${passed ? '' : '**missed**: '}${figures}${achieved}`);
}

const begin = '<!-- abuse -->';
const end = '<!-- abuse end -->';

/**
 * Puts the figures of a run into a document: a row for each attack, and the columns before and after. The column
 * that this run does not measure keeps what stands there.
 */
export function writeFigures(
  document: string,
  column: 'before' | 'after',
  results: readonly Result[],
): string {
  const part = new RegExp(`${begin}\n([^]*?)${end}`);
  const found = part.exec(document)?.[1];
  if (found === undefined) throw new Error(`The document has no ${begin} … ${end}`);
  const rows = new Map(
    found.split('\n').flatMap((line) => {
      const [, name = '', attack = '', before = '', after = ''] = line
        .split(/(?<!\\)\|/)
        .map((text) => text.trim());
      return name.startsWith('`') ? [[name.replaceAll('`', ''), { attack, before, after }] as const] : [];
    }),
  );
  for (const result of results) {
    const known = rows.get(result.name) ?? { before: '', after: '' };
    rows.set(result.name, { ...known, attack: cell(result.attack_is), [column]: cellOf(result) });
  }
  const lines = [...rows].map(
    ([name, { attack, before, after }]) => `| \`${name}\` | ${attack} | ${before} | ${after} |`,
  );
  const table = ['| attack | what it does | before | after |', '| --- | --- | --- | --- |', ...lines].join(
    '\n',
  );
  return document.replace(part, () => `${begin}\n\n${table}\n\n${end}`);
}
