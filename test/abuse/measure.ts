/** Times of calls, and the goals that they are held against. */

export const kinds = ['reads', 'payments', 'logins'] as const;
export type CallKind = (typeof kinds)[number];

export interface Spread {
  readonly calls: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly max_ms: number;
}

export function spreadOf(times_ms: readonly number[]): Spread {
  const sorted = [...times_ms].sort((a, b) => a - b);
  const at = (share: number): number =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return { calls: sorted.length, p50_ms: at(0.5), p99_ms: at(0.99), max_ms: Math.round(sorted.at(-1) ?? 0) };
}

/** The goals of every scenario, on two cores that do nothing else. */
export const goals = {
  /** 99 of 100 calls of the victim are answered in this time, in milliseconds. */
  p99_ms: { reads: 250, payments: 250, logins: 1_500 },
  /** The largest resident set of the server process, in MB. */
  memory_mb: 400,
  /** 99 of 100 probes of GET /health/live are answered in this time, in milliseconds. */
  live_p99_ms: 100,
} as const;

/** What one scenario came to. */
export interface Result {
  readonly name: string;
  readonly attack_is: string;
  readonly seconds: number;
  readonly victim: Readonly<Record<CallKind, Spread>>;
  /** Calls of the victim that failed: how many, and the first texts. */
  readonly failed_calls: number;
  readonly failures: readonly string[];
  readonly memory_mb: number;
  readonly live: Spread;
  /** What the attacker was answered, and how often. */
  readonly tally: Readonly<Record<string, number>>;
  /** What is wrong whatever the speed of the machine: what the attacker achieved, wrong books, a dead server. */
  readonly wrong: readonly string[];
  /** Goals that were missed, as sentences; `wrong` and failed calls are not repeated here. */
  readonly missed: readonly string[];
  readonly passed: boolean;
}

/** The goals of time and memory that a result misses. */
export function missedGoals({
  victim,
  memory_mb,
  live,
}: Pick<Result, 'victim' | 'memory_mb' | 'live'>): string[] {
  const slow = kinds
    .filter((kind) => victim[kind].p99_ms >= goals.p99_ms[kind])
    .map((kind) => `${kind} p99 ${victim[kind].p99_ms} ms, goal ${goals.p99_ms[kind]} ms`);
  return [
    ...slow,
    ...(memory_mb >= goals.memory_mb ? [`memory ${memory_mb} MB, goal ${goals.memory_mb} MB`] : []),
    ...(live.p99_ms >= goals.live_p99_ms
      ? [`/health/live p99 ${live.p99_ms} ms, goal ${goals.live_p99_ms} ms`]
      : []),
  ];
}
