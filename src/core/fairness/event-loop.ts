/**
 * Keeps the turns of the event loop short, so that one large request does not delay all others. Long computations run
 * in steps, at most one of which continues in each turn. While new connections come in, work waits a moment: Node
 * accepts one connection in a turn, so in a burst of hundreds a new client would wait for seconds.
 */

/** The longest time that a computation runs before it lets other requests run, in milliseconds. */
export const slice_ms = 4;

/** How long work waits for connections at a time. */
const connectSlice_ms = 3 * slice_ms;

/** How many connections were accepted in this turn of the loop and the one before. */
let accepted = 0;
/** When work no longer waits for connections; undefined while it does not wait. */
let waits_until: number | undefined;

/** Notes that a connection was accepted. Node does not say whether more are waiting, so work waits for some turns. */
export function noteConnection(): void {
  waits_until ??= performance.now() + connectSlice_ms;
  accepted += 1;
  // The count holds for the next turn too: in this one, `mayWork` may be asked after the first callback.
  setImmediate(() => {
    setImmediate(() => {
      accepted -= 1;
    });
  });
}

/** Whether work may run in this turn: no connection came in, or work has waited for long enough. */
export function mayWork(): boolean {
  if (accepted > 0 && waits_until !== undefined && performance.now() < waits_until) return false;
  waits_until = undefined;
  return true;
}

/** Calls `work` in the next turn of the loop in which work may run, and says whether it waited for connections. */
export function inLaterTurn(work: (hasWaited: boolean) => void, hasWaited = false): void {
  setImmediate(() => {
    if (mayWork()) work(hasWaited);
    else inLaterTurn(work, true);
  });
}

/** Callers count as active at once when they come within this time. */
const contention_ms = 500;

/** Where requests come from, and the login that they claim. */
interface Sender {
  readonly group: string | number;
  readonly caller: string | number;
}

let last: Sender | undefined;
let alternated_at = -Infinity;

/** Notes who sends a request. The caller is 0 where none is named: Digest clients begin so, from the same address. */
export function noteCaller(sender: Sender): void {
  const isSame =
    last?.group === sender.group &&
    (last.caller === sender.caller || last.caller === 0 || sender.caller === 0);
  if (last && !isSame) alternated_at = performance.now();
  if (!isSame || sender.caller !== 0) last = sender;
}

/** Whether more than one caller sent requests lately, and the loop was busy for more than half of the time. */
export const isContended = (): boolean => performance.now() - alternated_at < contention_ms && isBusy();

const busyFrom = 0.5;
const busyWindow_ms = 100;
let measured = performance.eventLoopUtilization();
let measured_at = performance.now();
let wasBusy = false;

function isBusy(): boolean {
  const now = performance.now();
  if (now - measured_at >= busyWindow_ms) {
    wasBusy = performance.eventLoopUtilization(measured).utilization >= busyFrom;
    measured = performance.eventLoopUtilization();
    measured_at = now;
  }
  return wasBusy;
}

let lastTurn: Promise<void> = Promise.resolve();

/**
 * Resolves in a later turn of the event loop. Each caller gets a turn of its own: ten large
 * requests at once delay a small one by one step each turn, not by ten. Under contention, long computations take at
 * most half of the time.
 */
export function nextTurn(): Promise<void> {
  lastTurn = lastTurn.then(
    () =>
      new Promise<void>((resolve) => {
        const go = (): void => {
          inLaterTurn(() => {
            resolve();
          });
        };
        if (isContended()) setTimeout(go, slice_ms);
        else go();
      }),
  );
  return lastTurn;
}

/** Returns a function for long computations to call often: it waits for a later turn after each slice of time. */
export function pauseInSlices(): () => Promise<void> {
  let deadline = performance.now() + slice_ms;
  return async () => {
    if (performance.now() < deadline) return;
    await nextTurn();
    deadline = performance.now() + slice_ms;
  };
}

/**
 * Runs a generator to its end. Every `yield` is a place where it may pause; between two of them it must
 * run for a few milliseconds at most. Returns the result itself where the time of one step sufficed, so
 * that small requests pay nothing; else a promise. Throws, or rejects with, what the generator throws.
 */
export function runInSteps<T>(work: Generator<undefined, T>): T | Promise<T> {
  const deadline = performance.now() + slice_ms;
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    if (performance.now() >= deadline) return finishLater(work);
  }
}

async function finishLater<T>(work: Generator<undefined, T>): Promise<T> {
  for (;;) {
    await nextTurn();
    const deadline = performance.now() + slice_ms;
    do {
      const step = work.next();
      if (step.done === true) return step.value;
    } while (performance.now() < deadline);
  }
}
