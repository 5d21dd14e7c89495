/**
 * A fair queue: bounded places, which waiting callers take in turn. The turn goes round over groups, and
 * within a group over its callers, so a caller with a thousand requests delays another caller by one
 * request. No caller and no group ever holds all places.
 */
import { Fault } from '../../base/faults';
import { unavailable } from '../../db/connections';
import { inLaterTurn, isContended, mayWork } from './event-loop';

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
  /** The places of a caller under contention, if fewer; a group then has twice as many. */
  readonly placesWhileContended?: number;
  readonly waitingPerGroup: number;
  readonly waitingPerCaller: number;
  /** How long one waits for a place, in milliseconds. */
  readonly wait_ms: number;
  /** What there were too many of, for the text of fault 429. */
  readonly what: string;
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

export class FairQueue {
  private readonly groups = new Map<Share['group'], GroupState>();
  /** Groups that have ready callers and a place left under their limit, in the order of their turns. */
  private readonly ready = new Set<GroupState>();
  private running = 0;
  private waiting = 0;
  private startsLater = false;

  constructor(private readonly limits: FairQueueLimits) {}

  /**
   * Takes a place: undefined when there is one now, else a promise that resolves when it is the share's
   * turn. Throws fault 429 when too many of the share wait already; rejects with fault 503 when there is no
   * place within `wait_ms` or before `deadline` (as `performance.now()` tells it).
   */
  enter(share: Share, deadline = Infinity): Promise<void> | undefined {
    const { limits } = this;
    const group = this.groupOf(share.group);
    const caller = callerOf(group, share.caller);
    const isFree =
      this.running < limits.places &&
      group.running < this.placesPerGroup() &&
      caller.running < this.placesPerCaller();
    if (isFree && mayWork()) {
      this.take(group, caller);
      return undefined;
    }
    if (isFree) this.startLater();
    if (caller.waiting.size >= limits.waitingPerCaller || group.waiting >= limits.waitingPerGroup) {
      this.forget(share, group, caller);
      throw tooManyCalls(limits.what);
    }
    return this.wait(share, group, caller, deadline);
  }

  /** Gives a place back. Exactly once for each place taken, with the same share. */
  leave(share: Share): void {
    const group = this.groupOf(share.group);
    const caller = callerOf(group, share.caller);
    this.running -= 1;
    group.running -= 1;
    caller.running -= 1;
    if (group.waiting > 0) this.place(group, caller);
    this.forget(share, group, caller);
    if (this.ready.size > 0) {
      if (mayWork()) this.startNext();
      else this.startLater();
    }
  }

  /** Starts those whose turn it is when no new connections come in, or work has waited for long enough. */
  private startLater(): void {
    if (this.startsLater) return;
    this.startsLater = true;
    inLaterTurn(() => {
      this.startsLater = false;
      this.startNext();
    });
  }

  /** Runs `work` in a place. */
  async run<T>(share: Share, deadline: number, work: () => Promise<T>): Promise<T> {
    await this.enter(share, deadline);
    try {
      return await work();
    } finally {
      this.leave(share);
    }
  }

  /** How many places are taken, and how many wait. */
  state(): { readonly running: number; readonly waiting: number } {
    return { running: this.running, waiting: this.waiting };
  }

  private placesPerCaller(): number {
    const { placesPerCaller, placesWhileContended = Infinity } = this.limits;
    return isContended() ? Math.min(placesPerCaller, placesWhileContended) : placesPerCaller;
  }

  private placesPerGroup(): number {
    const { placesPerGroup, placesWhileContended = Infinity } = this.limits;
    return isContended() ? Math.min(placesPerGroup, 2 * placesWhileContended) : placesPerGroup;
  }

  private groupOf(name: Share['group']): GroupState {
    let group = this.groups.get(name);
    if (!group)
      this.groups.set(name, (group = { running: 0, waiting: 0, callers: new Map(), ready: new Set() }));
    return group;
  }

  private take(group: GroupState, caller: CallerState): void {
    this.running += 1;
    group.running += 1;
    caller.running += 1;
  }

  /** Puts both into the order of turns, at the end, or takes them out of it. */
  private place(group: GroupState, caller: CallerState): void {
    if (caller.waiting.size > 0 && caller.running < this.placesPerCaller()) group.ready.add(caller);
    else group.ready.delete(caller);
    if (group.ready.size > 0 && group.running < this.placesPerGroup()) this.ready.add(group);
    else this.ready.delete(group);
  }

  /** Starts those whose turn it is. Afterwards all places are taken, or nobody is ready. */
  private startNext(): void {
    while (this.running < this.limits.places) {
      const [group] = this.ready;
      const [caller] = group?.ready ?? [];
      const [waiter] = caller?.waiting ?? [];
      if (!group || !caller || !waiter) return;
      this.stopWaiting(group, caller, waiter);
      this.take(group, caller);
      // To the end of both rounds.
      this.ready.delete(group);
      group.ready.delete(caller);
      this.place(group, caller);
      waiter.start();
    }
  }

  private stopWaiting(group: GroupState, caller: CallerState, waiter: Waiter): void {
    caller.waiting.delete(waiter);
    group.waiting -= 1;
    this.waiting -= 1;
  }

  private wait(share: Share, group: GroupState, caller: CallerState, deadline: number): Promise<void> {
    const { wait_ms, what } = this.limits;
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        start: () => {
          clearTimeout(timer);
          resolve();
        },
      };
      const giveUp = (): void => {
        this.stopWaiting(group, caller, waiter);
        this.place(group, caller);
        this.forget(share, group, caller);
        reject(unavailable(new Error(`No place for one of the ${what} in time`)));
      };
      const timer = setTimeout(giveUp, Math.max(0, Math.min(wait_ms, deadline - performance.now())));
      caller.waiting.add(waiter);
      group.waiting += 1;
      this.waiting += 1;
      this.place(group, caller);
    });
  }

  /** Nothing is kept of those who neither run nor wait. */
  private forget(share: Share, group: GroupState, caller: CallerState): void {
    if (caller.running === 0 && caller.waiting.size === 0) group.callers.delete(share.caller);
    if (group.running === 0 && group.waiting === 0) this.groups.delete(share.group);
  }
}

function callerOf(group: GroupState, name: Share['caller']): CallerState {
  let caller = group.callers.get(name);
  if (!caller) group.callers.set(name, (caller = { running: 0, waiting: new Set() }));
  return caller;
}
