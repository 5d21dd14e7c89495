/** What was measured, as tables that read the same on a terminal and in Markdown. */
import { cpus, totalmem } from 'node:os';
import type { Load } from './load';
import { type Effort, type Round, contests, wholeCalls } from './measure';
import { type Spread, spreadOf } from './statistics';

export interface Circumstances {
  readonly effort: Effort;
  readonly customers: number;
  readonly postgres_version: string;
  /** How many processes wanted a core in the minute before the start. */
  readonly load_average: number;
  readonly command: string;
}

/** The target for the share of parsing in a whole call. */
const parsing_target = 0.1;

/** The results against their targets. */
export function resultTable(rounds: readonly Round[]): string {
  const rows = [...contestRows(rounds), ...parsingRows(rounds)];
  return table(['Treeline', '', 'against', '', 'ratio (lowest to highest)', 'target', 'met'], rows);
}

function contestRows(rounds: readonly Round[]): string[][] {
  return contests.map(({ title, peer, target }, index) => {
    const pairs = rounds.flatMap((round) => round.contests[index] ?? []);
    const ratio = spreadOf(pairs.map((pair) => pair.treeline.calls_per_s / pair.peer.calls_per_s));
    return [
      title,
      rate(pairs.map((pair) => pair.treeline)),
      peer,
      rate(pairs.map((pair) => pair.peer)),
      withSpread(ratio, (value) => value.toFixed(2)),
      target === undefined ? '' : `≥ ${target}`,
      target === undefined ? '' : met(ratio.median >= target),
    ];
  });
}

function parsingRows(rounds: readonly Round[]): string[][] {
  return wholeCalls.map(({ title, call }, index) => {
    const whole_ms = rounds.map((round) => 1_000 / (round.wholeCalls[index]?.calls_per_s ?? Number.NaN));
    const share = spreadOf(rounds.map((round, place) => round.parsing_ms / (whole_ms[place] ?? Number.NaN)));
    const hasTarget = call === 'create';
    return [
      'parsing 40 members',
      milliseconds(spreadOf(rounds.map((round) => round.parsing_ms)).median),
      `the whole ${title}`,
      milliseconds(spreadOf(whole_ms).median),
      withSpread(share, (value) => value.toFixed(3)),
      hasTarget ? `< ${parsing_target}` : '',
      hasTarget ? met(share.median < parsing_target) : '',
    ];
  });
}

const busyNames = ['server', 'postgres', 'load', 'others'] as const;

/** Each measurement by itself: how much, how fast, who was busy, what was wrong. */
export function detailTable(rounds: readonly Round[]): string {
  const sides = contests.flatMap(({ title }, index) =>
    (['treeline', 'peer'] as const).map((side) => ({
      title: side === 'treeline' ? title : `${title}: peer`,
      loads: rounds.flatMap((round) => round.contests[index]?.[side] ?? []),
    })),
  );
  const whole = wholeCalls.map(({ title }, index) => ({
    title: `${title}, one connection`,
    loads: rounds.flatMap((round) => round.wholeCalls[index] ?? []),
  }));
  const rows = [...sides, ...whole].map(({ title, loads }) => detailRow(title, loads));
  return table(['', 'calls/s (lowest to highest)', 'median', '99 %', ...busyNames, 'wrong', 'stale'], rows);
}

function detailRow(title: string, loads: readonly Load[]): string[] {
  const median = (value: (load: Load) => number): number => spreadOf(loads.map(value)).median;
  const sum = (value: (load: Load) => number): string =>
    String(loads.reduce((total, load) => total + value(load), 0));
  return [
    title,
    withSpread(spreadOf(loads.map((load) => load.calls_per_s)), count),
    milliseconds(median((load) => load.median_ms)),
    milliseconds(median((load) => load.p99_ms)),
    ...busyNames.map((name) => cores(median(({ busy }) => busy[name] ?? Number.NaN))),
    sum((load) => load.wrong),
    sum((load) => load.stale),
  ];
}

/** The first answer that was not the expected one, if there was any. */
export function firstWrong(rounds: readonly Round[]): string | undefined {
  const loads = rounds.flatMap((round) => [
    ...round.contests.flatMap(({ treeline, peer }) => [treeline, peer]),
    ...round.wholeCalls,
  ]);
  return loads.find(({ wrong }) => wrong > 0)?.firstWrong;
}

/** The file of the results. */
export function document(rounds: readonly Round[], circumstances: Circumstances): string {
  const { effort, customers, postgres_version, load_average, command } = circumstances;
  const [cpu] = cpus();
  const date = new Date().toISOString().slice(0, 10);
  return `# Benchmarks

Written by \`${command}\` on ${date}; run it to have the figures of your machine. The figures by themselves do not
carry from one machine to another, the ratios do.

- Machine: ${cpus().length} cores (${cpu?.model.trim() ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GB of memory, which servers, load and PostgreSQL share; load average before the start: ${load_average.toFixed(1)}.
- Node.js ${process.versions.node}; PostgreSQL ${postgres_version}, the embedded one, \`fsync\` on, over a unix socket.
- ${count(customers)} customers below one wholesaler, who calls.
- ${effort.rounds} rounds of ${effort.seconds} s for each measurement after one that warms up; medians, with the lowest and the highest round.
- ${effort.connections} connections that are kept alive, each with one request at a time, unless it says one connection.

## Results

${resultTable(rounds)}

A ratio is that of the calls per second of Treeline and of its peer, taken right after each other in every round.

The peer is the least that a Node server on PostgreSQL can do: a bare \`node:http\` with a \`pg\` pool of the same size
(\`bench/peer.ts\`). It takes the id from the URL, runs the statement by name and joins the answer's XML. It parses no body,
asks nobody who he is, checks nothing, escapes nothing, logs nothing. Treeline does all of it: every call is authenticated
by Digest against the database, checked, authorized, counted in the metrics and logged; one that moves money is recorded in
the audit log as well.

Parsing is the time in which the bytes of a createCustomer with 40 members become values, measured in a process that does
nothing else; the whole call is one over the wire, one after another. createCustomer hashes the web password with argon2id,
which is most of it; updateCustomer with as many members and no password hashes nothing.

## In detail

${detailTable(rounds)}

- *median*, *99 %*: in how much time so many of the calls were answered, as the load saw it.
- *server*, *postgres*, *load*, *others*: processor time in cores. Node runs JavaScript on one core, so a server near 1 is
  what sets the limit; a load far below 1 does not. *others* is what the machine did besides.
- *wrong*: answers without the text that the right one holds; a fault is HTTP 200, so bodies are looked into.
- *stale*: calls made again because their nonce had expired.
`;
}

const met = (isMet: boolean): string => (isMet ? 'yes' : '**no**');
const count = (value: number): string => Math.round(value).toLocaleString('en');
const milliseconds = (value: number): string => `${value.toPrecision(3)} ms`;
const cores = (value: number): string => (Number.isNaN(value) ? '' : value.toFixed(2));
const rate = (loads: readonly Load[]): string =>
  `${count(spreadOf(loads.map((load) => load.calls_per_s)).median)}/s`;
const withSpread = ({ median, lowest, highest }: Spread, written: (value: number) => string): string =>
  `${written(median)} (${written(lowest)} to ${written(highest)})`;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(3, title.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${widths.map((width, column) => (cells[column] ?? '').padEnd(width)).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}
