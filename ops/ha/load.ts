/** `ops/ha/load`: writes through HAProxy, lets parts of the cluster be killed, and proves that nothing was lost. */
import { randomInt } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import { progress, wholeFrom } from '../../test/setup/long-run';
import { type Cluster, type Kill, bringBack, kill, killsOf, openCluster, run } from './cluster';
import { lockByGuesses, proveLocked, proveNonces } from './doors';
import { type Ledger, type Writer, makeWriter, write, wrongOf } from './writers';

interface Options {
  readonly dir: string;
  readonly kills: number;
  readonly what: readonly string[];
  readonly writers: number;
  readonly pause: number;
  readonly seconds: number;
}

const victims = [
  ...['primary', 'postgres', 'standby', 'treeline-1', 'treeline-2', 'etcd'],
  ...['freeze-primary', 'term-treeline-1', 'term-treeline-2'],
];

function asVictims(text: string): readonly string[] {
  const list = text.split(',');
  if (list.every((each) => victims.includes(each))) return list;
  throw new InvalidArgumentError(`A list of ${victims.join(', ')}.`);
}

new Command('ops/ha/load')
  .description(
    'Writers with Digest make customers and payments through HAProxy and keep a ledger of what was acknowledged. With --kills, parts of the cluster are killed by SIGKILL meanwhile and brought back; without, kill them yourself with ops/ha/kill. At the end every acknowledged write must be there once, the balances exact, the books right.',
  )
  .option(
    '--dir <folder>',
    'where the cluster is kept',
    join(process.env['TMPDIR'] ?? tmpdir(), 'treeline-ha'),
  )
  .option('--kills <number>', 'how often to kill', wholeFrom(0), 0)
  .option('--what <list>', `what to kill in turn: ${victims.join(', ')}`, asVictims, ['primary', 'postgres'])
  .option('--writers <number>', 'how many write', wholeFrom(1), 8)
  .option('--pause <milliseconds>', 'between two writes of a writer', wholeFrom(0), 100)
  .option('--seconds <number>', 'how long to write when nothing is killed here', wholeFrom(1), 30)
  .addHelpText(
    'after',
    '\nExit codes: 0 nothing was lost, 1 something was or did not go on, 2 not given as it must be.',
  )
  .exitOverride((error) => {
    process.exit(error.exitCode === 0 ? 0 : 2);
  })
  .action(async (options: Options) => {
    try {
      await load(options);
    } catch (error) {
      console.error(error instanceof Error ? error.message : error);
      process.exitCode = 1;
    }
  })
  .parse();

async function load(options: Options): Promise<void> {
  const cluster = openCluster(options.dir);
  const name = `load-${Date.now().toString(36)}`;
  await proveNonces(cluster);
  console.log('A nonce of either node is taken by the other.');
  const locked = await lockByGuesses(cluster, `${name}-guessed`);
  console.log('20 wrong guesses over both nodes in turn lock the login on both, from that address only.');

  const writers = await Promise.all(
    Array.from({ length: options.writers }, (_, index) => makeWriter(cluster, `${name}-${index}`)),
  );
  const ledger: Ledger = { tries: [], acknowledged: 0 };
  const began_at = Date.now();
  let isOver = false;
  const working = Promise.all(writers.map((writer) => write(writer, ledger, options.pause, () => isOver)));
  // A writer that is refused ends the run at once.
  const broken = working.then(() => new Promise<never>(() => undefined));
  try {
    await Promise.race([broken, options.kills > 0 ? killAll(cluster, ledger, options) : waitFor(options)]);
  } finally {
    isOver = true;
    await working;
  }
  if (options.kills === 0)
    tellKills(
      killsOf(cluster).filter((each) => each.began_at > began_at),
      ledger,
    );
  // A lock ages out after 15 minutes.
  if (Date.now() - began_at < 840_000) {
    await proveLocked(cluster, locked);
    console.log('The login is locked on both nodes still.');
  }
  await prove(cluster, writers, ledger, Date.now() - began_at);
}

async function waitFor({ seconds }: Options): Promise<void> {
  const tell = progress(seconds, 'seconds');
  for (let second = 1; second <= seconds; second += 1) {
    await sleep(1_000);
    tell(second);
  }
}

// ------------------------------------------------------------------ killing

const seconds = (time_ms: number): string => (time_ms / 1_000).toFixed(1);

async function killAll(cluster: Cluster, ledger: Ledger, { kills, what }: Options): Promise<void> {
  const resumed: { what: string; time_ms: number }[] = [];
  for (let done = 1; done <= kills; done += 1) {
    await sleep(randomInt(2_000, 5_000));
    const victim = what[(done - 1) % what.length] ?? 'primary';
    const each = await kill(cluster, victim);
    const time_ms = await untilResumed(each, ledger);
    resumed.push({ what: victim, time_ms });
    // What is slow to notice shows itself while the load goes on.
    await sleep(3_000);
    console.log(`${done} of ${kills}: ${tellKill(each, ledger, time_ms, Date.now())}`);
    const began = Date.now();
    await bringBack(cluster);
    console.log(
      `  all nodes run again and a standby is in step, ${seconds(Date.now() - began)} s after it was brought back`,
    );
  }
  for (const victim of new Set(resumed.map((each) => each.what))) {
    const times = resumed.filter((each) => each.what === victim).map((each) => each.time_ms);
    const sorted = times.toSorted((a, b) => a - b);
    const middle = ((sorted.at((sorted.length - 1) / 2) ?? 0) + (sorted.at(sorted.length / 2) ?? 0)) / 2;
    console.log(
      `${victim}, ${times.length} times: writes resumed after ${seconds(middle)} s at the median, ${seconds(sorted[0] ?? 0)} to ${seconds(sorted.at(-1) ?? 0)} s`,
    );
  }
}

/** From the kill to the first acknowledgement of a write that was sent after it. */
function resumedAfter({ began_at, gone_at }: Kill, { tries }: Ledger): number | undefined {
  const first = tries
    .filter((each) => each.failed === undefined && each.began_at > gone_at)
    .map((each) => each.ended_at);
  return first.length === 0 ? undefined : Math.min(...first) - began_at;
}

const resumeWithin_ms = 120_000;

async function untilResumed(each: Kill, ledger: Ledger): Promise<number> {
  for (const deadline = Date.now() + resumeWithin_ms; Date.now() < deadline;) {
    const time_ms = resumedAfter(each, ledger);
    if (time_ms !== undefined) return time_ms;
    await sleep(50);
  }
  throw new Error(
    `No write was acknowledged within ${resumeWithin_ms / 1_000} s after ${each.what} was killed`,
  );
}

/** What happened to calls around a kill, and whether those that a dead Treeline node lost were all in flight on it. */
function tellKill(each: Kill, { tries }: Ledger, time_ms: number, until: number): string {
  const failed = tries.filter(
    ({ failed, ended_at }) => failed !== undefined && ended_at >= each.began_at && ended_at < until,
  );
  const counts = new Map<string, number>();
  for (const { failed: why = '' } of failed) counts.set(why, (counts.get(why) ?? 0) + 1);
  const told = [...counts].map(([why, count]) => `${count} × ${why}`).join(', ') || 'none';
  const isTreeline = each.what.startsWith('treeline') && each.signal !== 'STOP';
  const last = Math.max(...failed.map(({ began_at }) => began_at));
  if (isTreeline && last > each.gone_at)
    throw new Error(`A call failed that began after ${each.name} was gone: ${told}`);
  const told_last =
    isTreeline && failed.length > 0
      ? `, the last begun ${last - each.began_at} ms after the signal; it was gone after ${each.gone_at - each.began_at} ms`
      : '';
  return `${each.signal} of ${each.what} (${each.name}): writes resumed after ${seconds(time_ms)} s; failed tries: ${told}${told_last}`;
}

/** Of kills by another hand it is not known when they were over, so the longest silence is told too. */
function tellKills(kills: readonly Kill[], ledger: Ledger): void {
  for (const [index, each] of kills.entries()) {
    const until = kills[index + 1]?.began_at ?? Date.now();
    const time_ms = resumedAfter(each, ledger);
    if (time_ms === undefined) throw new Error(`No write was acknowledged after ${each.what} was killed`);
    const heard = ledger.tries
      .filter(({ failed, ended_at }) => failed === undefined && ended_at >= each.began_at && ended_at < until)
      .map(({ ended_at }) => ended_at)
      .toSorted((one, other) => one - other);
    const silences = heard.map((at, place) => at - (heard[place - 1] ?? each.began_at));
    console.log(
      `${tellKill(each, ledger, time_ms, until)}; longest time without an acknowledgement ${seconds(Math.max(...silences))} s`,
    );
  }
}

// ------------------------------------------------------------------ proving

async function prove(
  cluster: Cluster,
  writers: readonly Writer[],
  { acknowledged, tries }: Ledger,
  time_ms: number,
): Promise<void> {
  const wrong: string[] = [];
  for (const writer of writers) wrong.push(...(await wrongOf(writer)));
  for (const { caller } of writers) caller.close();
  if (wrong.length > 0) throw new Error(`${wrong.length} wrong:\n${wrong.slice(0, 20).join('\n')}`);
  const failed = tries.filter((each) => each.failed !== undefined).length;
  console.log(
    `Nothing lost of ${acknowledged} acknowledged writes in ${seconds(time_ms)} s; ${failed} tries failed and were repeated; each write is there once.`,
  );
  const said = await run([process.execPath, 'bin/treeline.mjs', 'verify-books'], cluster.environment);
  console.log(said.trim().split('\n').at(-1));
}
