/** What was measured, as tables that read the same on a terminal and in Markdown. */
import { type Contest, contests, entries, entryIds } from './contests';
import { type Round, ratioOf } from './measure';
import type { Absent } from './outside';
import type { RunnerName, Runners } from './runners';
import { type Spread, spreadOf } from './statistics';

/** A line of a table of targets; `met` is undefined where there is none. */
export interface Verdict {
  readonly cells: readonly string[];
  readonly met: boolean | undefined;
}

/** The results against their targets. */
export function contestTable(rounds: readonly Round[]): string {
  const head = ['Treeline', 'calls/s', 'against', 'calls/s', 'ratio (lowest to highest)', 'target'];
  return verdictTable(
    head,
    contests.map((contest) => contestVerdict(contest, rounds)),
  );
}

/** Why targets were missed, as far as it is known. */
export const reasons = (rounds: readonly Round[]): string[] =>
  contests.flatMap((contest) => {
    const { reason } = contest;
    return reason === undefined || contestVerdict(contest, rounds).met !== false
      ? []
      : [`${contest.title} : ${entries[contest.peer].title}: ${reason}`];
  });

function contestVerdict(contest: Contest, rounds: readonly Round[]): Verdict {
  const { title, own, peer, target, below } = contest;
  const ratio = ratioOf(contest, rounds);
  const digits = below === undefined ? 2 : 3;
  const bound = target === undefined ? (below === undefined ? '' : `< ${below}`) : `≥ ${target}`;
  const holds = ratio && (below === undefined ? ratio.median >= (target ?? 0) : ratio.median < below);
  return {
    cells: [
      title,
      rateOf(own, rounds),
      entries[peer].title,
      rateOf(peer, rounds),
      ratio ? withSpread(ratio, (value) => value.toFixed(digits)) : 'not measured',
      bound,
    ],
    met: bound === '' ? undefined : holds,
  };
}

function rateOf(id: Contest['own'], rounds: readonly Round[]): string {
  const rates = rounds.flatMap((round) => round[id]?.calls_per_s ?? []);
  return rates.length > 0 ? count(spreadOf(rates).median) : '';
}

const busyNames = ['server', 'postgres', 'load', 'others'] as const;

/** Each measurement by itself: how much, how fast, who was busy, what was wrong. */
export function detailTable(rounds: readonly Round[]): string {
  const rows = entryIds.flatMap((id) => {
    const loads = rounds.flatMap((round) => round[id] ?? []);
    if (loads.length === 0) return [];
    const median = (values: readonly number[]): number => spreadOf(values).median;
    return [
      [
        entries[id].title,
        withSpread(spreadOf(loads.map((load) => load.calls_per_s)), count),
        milliseconds(median(loads.map((load) => load.median_ms))),
        milliseconds(median(loads.map((load) => load.p99_ms))),
        ...busyNames.map((name) => cores(median(loads.map((load) => load.busy?.[name] ?? Number.NaN)))),
        String(loads.reduce((sum, load) => sum + load.wrong, 0)),
        String(loads.reduce((sum, load) => sum + load.stale, 0)),
      ],
    ];
  });
  return table(['', 'calls/s (lowest to highest)', 'median', '99 %', ...busyNames, 'wrong', 'stale'], rows);
}

/** Who could not take part, and why. */
export function absences(runners: Runners): string[] {
  const all = Object.entries(runners) as [RunnerName, Runners[RunnerName]][];
  return all.flatMap(([name, runner]) => (isAbsent(runner) ? [`${name}: ${runner.absent}.`] : []));
}

const isAbsent = (runner: Runners[RunnerName]): runner is Absent => typeof runner !== 'function';

export const count = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
export const milliseconds = (value: number): string =>
  Number.isNaN(value) ? '' : `${value >= 100 ? Math.round(value) : value.toPrecision(3)} ms`;
const cores = (value: number): string => (Number.isNaN(value) ? '' : value.toFixed(2));
export const withSpread = ({ median, lowest, highest }: Spread, written: (value: number) => string): string =>
  `${written(median)} (${written(lowest)} to ${written(highest)})`;

const met = (value: boolean | undefined): string => (value === undefined ? '' : value ? 'yes' : '**no**');

export const verdictTable = (head: readonly string[], verdicts: readonly Verdict[]): string =>
  table(
    [...head, 'met'],
    verdicts.map((verdict) => [...verdict.cells, met(verdict.met)]),
  );

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(3, title.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${widths.map((width, column) => (cells[column] ?? '').padEnd(width)).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}
