/** Who keeps the processor busy while the clock runs: the better part of what a figure means. */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** Processor time in cores, all threads of a process together; undefined where it cannot be known. */
export interface Busy {
  readonly server: number | undefined;
  readonly postgres: number | undefined;
  readonly load: number | undefined;
  /** What is no part of the measurement. */
  readonly others: number | undefined;
}

export interface Watched {
  readonly server: number;
  readonly postgres: readonly number[];
}

/** Starts to watch the processes of these numbers; the returned function tells what there was since. */
export function watchProcessor({ server, postgres }: Watched): () => Busy {
  const read = () => ({
    machine: machineTime_s(),
    server: cpuTimes_s([server]),
    postgres: cpuTimes_s(postgres),
    load: cpuTimes_s([process.pid]),
  });
  const began = performance.now();
  const before = read();
  return () => {
    const after = read();
    const elapsed_s = (performance.now() - began) / 1_000;
    const cores = (name: 'server' | 'postgres' | 'load'): number =>
      usedBy(before[name], after[name]) / elapsed_s;
    const machine = (after.machine - before.machine) / elapsed_s;
    const others = machine - cores('server') - cores('postgres') - cores('load');
    return {
      server: known(cores('server')),
      postgres: known(cores('postgres')),
      load: known(cores('load')),
      others: known(Math.max(0, others)),
    };
  };
}

const known = (value: number): number | undefined => (Number.isNaN(value) ? undefined : value);

const ticks_per_s = 100;

/** None where there is no /proc. A process that has ended is left out. */
function cpuTimes_s(pids: readonly number[]): ReadonlyMap<number, number> {
  const times = new Map<number, number>();
  for (const pid of pids) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // The name, in parentheses, may hold anything; of the fields after it these are the 12th and 13th.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      times.set(pid, (Number(fields[11]) + Number(fields[12])) / ticks_per_s);
    } catch {
      // It ended.
    }
  }
  return times;
}

/** What those that were there all the time used. */
function usedBy(before: ReadonlyMap<number, number>, after: ReadonlyMap<number, number>): number {
  const used = [...after].map(([pid, time_s]) => time_s - (before.get(pid) ?? time_s));
  return used.length > 0 ? used.reduce((sum, one) => sum + one, 0) : Number.NaN;
}

/** All cores together. */
function machineTime_s(): number {
  const busy_ms = cpus().map(({ times }) => times.user + times.nice + times.sys + times.irq);
  return busy_ms.reduce((sum, one) => sum + one, 0) / 1_000;
}
