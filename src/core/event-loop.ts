/**
 * Splits long computations into short steps, so that one large request does not delay all others.
 * At most one waiting computation continues in each turn of the event loop.
 */

/** The longest time that a computation runs before it lets other requests run, in milliseconds. */
const slice_ms = 4;

let lastTurn: Promise<void> = Promise.resolve();

/**
 * Resolves in a later turn of the event loop. Each caller gets a turn of its own: ten large
 * requests at once delay a small one by one step each turn, not by ten.
 */
export function nextTurn(): Promise<void> {
  lastTurn = lastTurn.then(
    () =>
      new Promise((resolve) => {
        setImmediate(resolve);
      }),
  );
  return lastTurn;
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
