/** A line on a terminal that tells how far long work is; elsewhere nothing. It stands on stderr, beside the answer. */
import type { Output } from './terminal';

export interface Progress {
  /** `share`: how much is done, from 0 to 1; undefined where nobody knows. */
  update(count: number, share?: number): void;
  /** Takes the line away, so that something else can be written. */
  clear(): void;
}

const refresh_ms = 100;
const width = 24;

/** `what` is what is counted, such as `customers`. */
export function startProgress(stream: Output, what: string): Progress {
  if (!stream.isTTY) return { update: () => undefined, clear: () => undefined };
  const began = performance.now();
  let drawn_at = -Infinity;
  let visible = false;
  return {
    update: (count, share) => {
      const now = performance.now();
      if (now - drawn_at < refresh_ms) return;
      drawn_at = now;
      visible = true;
      const line = lineOf(what, count, share, (now - began) / 1_000);
      stream.write(`\r\x1b[K${line.slice(0, (stream.columns ?? 80) - 1)}`);
    },
    clear: () => {
      if (visible) stream.write('\r\x1b[K');
      visible = false;
    },
  };
}

function lineOf(what: string, count: number, share: number | undefined, elapsed_s: number): string {
  const counted = `${grouped(count)} ${what}, ${grouped(count / Math.max(elapsed_s, 0.001))} a second`;
  if (share === undefined) return counted;
  const bounded = Math.min(Math.max(share, 0), 1);
  const full = Math.round(bounded * width);
  const left = bounded > 0.01 ? `, ${clock((elapsed_s * (1 - bounded)) / bounded)} left` : '';
  const percent = `${Math.floor(bounded * 100)}`.padStart(3);
  return `${'█'.repeat(full)}${'░'.repeat(width - full)} ${percent} % ${counted}${left}`;
}

/** 12345.6 as 12,346, whatever the locale. */
export const grouped = (count: number): string => Math.round(count).toLocaleString('en-US');

const clock = (seconds: number): string =>
  `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;
