/**
 * Shares the event loop among requests. In one turn of the loop, steps of requests start for a few milliseconds; the
 * others wait for later turns. Groups take turns, and the callers of a group take turns, so a caller with a thousand
 * requests delays another one by one step. Without this rule all requests that came in would run in one turn, and no
 * answer would go out before its end.
 *
 * Under contention no caller may fill the loop: when its steps have taken a quarter of a turn, the rest of them pause
 * for the time of a turn.
 */
import { inLaterTurn, isContended, mayWork, slice_ms } from './event-loop';
import type { Share } from './fair-queue';

type Start = () => void;

/** How long the steps of one caller may take before they pause, under contention. */
const callerSlice_ms = slice_ms / 4;

/** What a step costs afterwards, about: it asks the database, and is answered in later turns. */
const afterwards_ms = 0.25;

export class LoopShares {
  /** The steps that wait, by group and caller. The group and the caller whose turn is next come first. */
  private readonly groups = new Map<Share['group'], Map<Share['caller'], Start[]>>();
  /** How many steps of each group wait. */
  private readonly waitingIn = new Map<Share['group'], number>();
  /** How long the steps of each caller took in this turn, in milliseconds. */
  private readonly used = new Map<string, number>();
  /** When this turn of the loop began; undefined while no step came lately. */
  private began_at: number | undefined;
  /** Whether a step came in this turn. */
  private hasEntered = false;
  private isPaused = false;

  /**
   * Calls `start`: now, where this turn of the loop has time and no step waits, else in a later turn. Returns false,
   * and does not call it, where `waitingAtMost` steps of the caller wait, or four times as many of its group.
   */
  enter(share: Share, start: Start, waitingAtMost: number): boolean {
    this.hasEntered = true;
    if (this.began_at === undefined) this.beginTurn();
    const isFree =
      this.groups.size === 0 || (this.isPaused && !this.groups.get(share.group)?.has(share.caller));
    if (isFree && this.hasTime() && mayWork() && this.mayStart(share)) {
      this.run(share, start);
      return true;
    }
    const waiting = this.waitingIn.get(share.group) ?? 0;
    const callers = this.groups.get(share.group) ?? new Map<Share['caller'], Start[]>();
    const steps = callers.get(share.caller) ?? [];
    if (steps.length >= waitingAtMost || waiting >= 4 * waitingAtMost) return false;
    this.waitingIn.set(share.group, waiting + 1);
    steps.push(start);
    callers.set(share.caller, steps);
    this.groups.set(share.group, callers);
    return true;
  }

  private hasTime(): boolean {
    return this.began_at !== undefined && performance.now() < this.began_at + slice_ms;
  }

  private mayStart(share: Share): boolean {
    return !isContended() || (this.used.get(keyOf(share)) ?? 0) < callerSlice_ms;
  }

  private run(share: Share, start: Start): void {
    if (!isContended()) {
      start();
      return;
    }
    const started_at = performance.now();
    start();
    const key = keyOf(share);
    this.used.set(key, (this.used.get(key) ?? 0) + performance.now() - started_at + afterwards_ms);
  }

  /** From now on the time of the turn counts, also what others do in it, such as answering. */
  private beginTurn(): void {
    this.began_at = performance.now();
    this.hasEntered = false;
    inLaterTurn((hasWaited) => {
      // What waited for connections has its time still.
      if (hasWaited) this.began_at = performance.now();
      this.endTurn();
    });
  }

  private endTurn(): void {
    if (!this.isPaused) this.startWaiting();
    if (!this.isPaused) this.used.clear();
    if (this.hasEntered || (this.groups.size > 0 && !this.isPaused)) this.beginTurn();
    else this.began_at = undefined;
  }

  /** Starts steps while the turn has time, and one at least: else a busy loop would start none. */
  private startWaiting(): void {
    do {
      const share = this.next();
      if (!share) {
        if (this.groups.size > 0) this.pause();
        return;
      }
      const start = this.take(share);
      if (start) this.run(share, start);
    } while (this.hasTime());
  }

  private pause(): void {
    this.isPaused = true;
    setTimeout(() => {
      this.isPaused = false;
      this.used.clear();
      if (this.began_at === undefined) this.beginTurn();
    }, slice_ms);
  }

  /** Whose turn it is; undefined when all who wait have used their share. */
  private next(): Share | undefined {
    for (const [group, callers] of this.groups) {
      for (const caller of callers.keys()) if (this.mayStart({ group, caller })) return { group, caller };
    }
    return undefined;
  }

  /** Takes the first step of the caller, which goes to the end of its round, and its group likewise. */
  private take({ group, caller }: Share): Start | undefined {
    const callers = this.groups.get(group);
    const steps = callers?.get(caller);
    if (!callers || !steps) return undefined;
    const start = steps.shift();
    callers.delete(caller);
    if (steps.length > 0) callers.set(caller, steps);
    this.groups.delete(group);
    if (callers.size > 0) this.groups.set(group, callers);
    const waiting = (this.waitingIn.get(group) ?? 1) - 1;
    if (waiting > 0) this.waitingIn.set(group, waiting);
    else this.waitingIn.delete(group);
    return start;
  }
}

const keyOf = ({ group, caller }: Share): string => `${group} ${caller}`;
