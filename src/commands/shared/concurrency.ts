/** Many things at once where order still matters: in what they answer, and among those that meet. */

/**
 * Runs `work` on each item, at most `limit` at once, and answers the results in the order of the
 * items. Whatever ends it early, what was begun is waited for.
 */
export async function* mapInOrder<T, R>(
  items: AsyncIterable<T>,
  limit: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const running: Promise<R>[] = [];
  try {
    for await (const item of items) {
      const result = work(item);
      // It is awaited in its turn; until then its failure is nobody's.
      result.catch(() => undefined);
      running.push(result);
      const first = running.length >= limit ? running.shift() : undefined;
      if (first) yield await first;
    }
    for (let first = running.shift(); first; first = running.shift()) yield await first;
  } finally {
    await Promise.allSettled(running);
  }
}

export interface KeyedQueue {
  /** Runs `work` after everything begun before it that holds one of the keys it holds or awaits. */
  run<T>(keys: { holds: readonly string[]; awaits: readonly string[] }, work: () => Promise<T>): Promise<T>;
}

export function createKeyedQueue(): KeyedQueue {
  const last = new Map<string, Promise<unknown>>();
  return {
    run: ({ holds, awaits }, work) => {
      const before = [...holds, ...awaits].flatMap((key) => last.get(key) ?? []);
      const running = before.length > 0 ? Promise.allSettled(before).then(work) : work();
      for (const key of holds) last.set(key, running);
      const leave = (): void => {
        for (const key of holds) if (last.get(key) === running) last.delete(key);
      };
      running.then(leave, leave);
      return running;
    },
  };
}
