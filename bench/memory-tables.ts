/** Memory and imports against their targets. */
import type { Imported } from './import';
import type { Memory } from './memory';
import { type Verdict, verdictTable } from './tables';

const idleTarget_mb = 120;
const growthTarget = 1.1;
const listTarget_mb = 250;
const importTarget_mb = 300;

export interface Kept {
  readonly memory: Memory;
  readonly imported: Imported;
  readonly importedWithPasswords: Imported;
}

export function memoryTable({ memory, imported, importedWithPasswords }: Kept): string {
  const { idle_mb, warm_mb, used_mb, calls, listed, fast, slow } = memory;
  const list = `listCustomers of ${listed.toLocaleString('en')}`;
  const verdicts = [
    atMost('Idle, just started', megabytes(idle_mb), idle_mb, idleTarget_mb),
    {
      cells: [
        `Idle, after ${calls.toLocaleString('en')} calls`,
        `${megabytes(used_mb)}, ${(used_mb / idle_mb).toFixed(2)} of just started; ${megabytes(warm_mb)} when warm`,
        `≤ ${growthTarget} of just started`,
      ],
      met: used_mb / idle_mb <= growthTarget,
    },
    atMost(
      `${list}, peak`,
      `${megabytes(fast.peak_mb)} in ${fast.took_s.toFixed(1)} s`,
      fast.peak_mb,
      listTarget_mb,
    ),
    atMost(
      `${list}, slow reader, peak`,
      `${megabytes(slow.peak_mb)} in ${slow.took_s.toFixed(1)} s`,
      slow.peak_mb,
      listTarget_mb,
    ),
    atMost(`Import without passwords, peak`, importText(imported), imported.peak_mb, importTarget_mb),
    atMost(
      'Import with passwords, peak',
      importText(importedWithPasswords),
      importedWithPasswords.peak_mb,
      importTarget_mb,
    ),
  ];
  return verdictTable(['Resident memory', '', 'target'], verdicts);
}

const megabytes = (value: number): string => `${Math.round(value)} MB`;

const atMost = (what: string, text: string, value_mb: number, target_mb: number): Verdict => ({
  cells: [what, text, `< ${target_mb} MB`],
  met: value_mb < target_mb,
});

const importText = ({ rows, rows_per_s, peak_mb }: Imported): string =>
  `${megabytes(peak_mb)}; ${rows.toLocaleString('en')} at ${Math.round(rows_per_s).toLocaleString('en')} a second`;
