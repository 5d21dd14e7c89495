/**
 * One look-up for many who ask the same at once. Whoever asks while a look-up is under way does not
 * share that one, which may have begun before something changed, but the next: it begins after
 * everybody whom it answers has asked, so nobody is told anything older than their question.
 */
interface Lane<T> {
  /** Waited for by those who came while another look-up was under way. */
  next: Promise<T> | undefined;
  readonly current: Promise<T>;
}

export function coalesced<T>(): (key: string, look: () => Promise<T>) => Promise<T> {
  const lanes = new Map<string, Lane<T>>();

  const begin = (key: string, look: () => Promise<T>): Promise<T> => {
    const current = look();
    const lane: Lane<T> = { current, next: undefined };
    lanes.set(key, lane);
    const end = (): void => {
      if (lane.next === undefined) lanes.delete(key);
    };
    current.then(end, end);
    return current;
  };

  return (key, look) => {
    const lane = lanes.get(key);
    if (!lane) return begin(key, look);
    const start = (): Promise<T> => begin(key, look);
    lane.next ??= lane.current.then(start, start);
    return lane.next;
  };
}
