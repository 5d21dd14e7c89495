/**
 * A fair queue: bounded places, which waiting callers take in turn. The turn goes round over groups, and
 * within a group over its callers, so a caller with a thousand requests delays another caller by one
 * request. No caller and no group ever holds all places.
 */
import { Fault } from '../faults';
import { unavailable } from '../db/connections';

/** Who takes a place. */
export interface Share {
  /** What is served in turn first: a top-level customer, or an address. */
  readonly group: string | number;
  /** What is served in turn within the group. */
  readonly caller: string | number;
}

export interface FairQueueLimits {
  /** Places in all. */
  readonly places: number;
  readonly placesPerGroup: number;
  readonly placesPerCaller: number;
  readonly waitingPerGroup: number;
  readonly waitingPerCaller: number;
  /** How long one waits for a place, in milliseconds. */
  readonly wait_ms: number;
  /** What there were too many of, for the text of fault 429. */
  readonly what: string;
}

export interface FairQueue {
  /**
   * Takes a place: undefined when there is one now, else a promise that resolves when it is the share's
   * turn. Throws fault 429 when too many of the share wait already; rejects with fault 503 when there is no
   * place within `wait_ms` or before `deadline` (as `performance.now()` tells it).
   */
  enter(share: Share, deadline?: number): Promise<void> | undefined;
  /** Gives a place back. Exactly once for each place taken, with the same share. */
  leave(share: Share): void;
  /** Runs `work` in a place. */
  run<T>(share: Share, deadline: number, work: () => Promise<T>): Promise<T>;
  /** How many places are taken, and how many wait. */
  state(): { readonly running: number; readonly waiting: number };
}

interface Waiter {
  readonly start: () => void;
}

interface CallerState {
  running: number;
  readonly waiting: Set<Waiter>;
}

interface GroupState {
  running: number;
  waiting: number;
  readonly callers: Map<Share['caller'], CallerState>;
  /** Callers with somebody waiting and a place left under their limit, in the order of their turns. */
  readonly ready: Set<CallerState>;
}

/** The text of the fault names what is bounded, so that its reader finds the setting. */
export const tooManyCalls = (what: string, retry_after_s = 1): Fault =>
  new Fault('too_many_calls', `Too many ${what}, retry in ${retry_after_s} seconds`, { retry_after_s });

export function createFairQueue(limits: FairQueueLimits): FairQueue {
  const groups = new Map<Share['group'], GroupState>();
  /** Groups that have ready callers and a place left under their limit, in the order of their turns. */
  const ready = new Set<GroupState>();
  let running = 0;
  let waiting = 0;

  const groupOf = (name: Share['group']): GroupState => {
    let group = groups.get(name);
    if (!group) groups.set(name, (group = { running: 0, waiting: 0, callers: new Map(), ready: new Set() }));
    return group;
  };

  const callerOf = (group: GroupState, name: Share['caller']): CallerState => {
    let caller = group.callers.get(name);
    if (!caller) group.callers.set(name, (caller = { running: 0, waiting: new Set() }));
    return caller;
  };

  /** Puts both into the order of turns, at the end, or takes them out of it. */
  const place = (group: GroupState, caller: CallerState): void => {
    if (caller.waiting.size > 0 && caller.running < limits.placesPerCaller) group.ready.add(caller);
    else group.ready.delete(caller);
    if (group.ready.size > 0 && group.running < limits.placesPerGroup) ready.add(group);
    else ready.delete(group);
  };

  const take = (group: GroupState, caller: CallerState): void => {
    running += 1;
    group.running += 1;
    caller.running += 1;
  };

  /** Starts those whose turn it is. Afterwards all places are taken, or nobody is ready. */
  const startNext = (): void => {
    while (running < limits.places) {
      const [group] = ready;
      const [caller] = group?.ready ?? [];
      const [waiter] = caller?.waiting ?? [];
      if (!group || !caller || !waiter) return;
      caller.waiting.delete(waiter);
      group.waiting -= 1;
      waiting -= 1;
      take(group, caller);
      // To the end of both rounds.
      ready.delete(group);
      group.ready.delete(caller);
      place(group, caller);
      waiter.start();
    }
  };

  const forget = (
    { group: name, caller: callerName }: Share,
    group: GroupState,
    caller: CallerState,
  ): void => {
    if (caller.running === 0 && caller.waiting.size === 0) group.callers.delete(callerName);
    if (group.running === 0 && group.waiting === 0) groups.delete(name);
  };

  const wait = (share: Share, group: GroupState, caller: CallerState, deadline: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const wait_ms = Math.min(limits.wait_ms, deadline - performance.now());
      const waiter: Waiter = {
        start: () => {
          clearTimeout(timer);
          resolve();
        },
      };
      const timer = setTimeout(
        () => {
          caller.waiting.delete(waiter);
          group.waiting -= 1;
          waiting -= 1;
          place(group, caller);
          forget(share, group, caller);
          reject(unavailable(new Error(`No place for one of the ${limits.what} in time`)));
        },
        Math.max(0, wait_ms),
      );
      caller.waiting.add(waiter);
      group.waiting += 1;
      waiting += 1;
      place(group, caller);
    });

  const enter = (share: Share, deadline = Infinity): Promise<void> | undefined => {
    const group = groupOf(share.group);
    const caller = callerOf(group, share.caller);
    const isFree =
      running < limits.places &&
      group.running < limits.placesPerGroup &&
      caller.running < limits.placesPerCaller;
    if (isFree) {
      take(group, caller);
      return undefined;
    }
    if (caller.waiting.size >= limits.waitingPerCaller || group.waiting >= limits.waitingPerGroup) {
      forget(share, group, caller);
      throw tooManyCalls(limits.what);
    }
    return wait(share, group, caller, deadline);
  };

  const leave = (share: Share): void => {
    const group = groupOf(share.group);
    const caller = callerOf(group, share.caller);
    running -= 1;
    group.running -= 1;
    caller.running -= 1;
    if (group.waiting > 0) place(group, caller);
    forget(share, group, caller);
    if (ready.size > 0) startNext();
  };

  return {
    enter,
    leave,
    run: async (share, deadline, work) => {
      await enter(share, deadline);
      try {
        return await work();
      } finally {
        leave(share);
      }
    },
    state: () => ({ running, waiting }),
  };
}
