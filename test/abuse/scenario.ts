/** What an attack is, and what it is given. */
import type { Socket } from 'node:net';
import type { Answer, Sent } from './http';
import type { Stage } from './stage';
import type { Victim } from './victim';

/** How often each answer came, such as `{"HTTP 200": 12, "fault 403": 3}`. */
export type Tally = Readonly<Record<string, number>>;

/** The means of an attacker: one address, and a time after which everything stops. */
export interface Hands {
  readonly url: string;
  readonly address: string;
  /** 1, or less in the suite: how many connections and rows are worth a try. */
  readonly scale: number;
  /** Whether the time is over. */
  isOver(): boolean;
  /** `count` scaled, at least `least`. */
  scaled(count: number, least?: number): number;
  /** Sends a request and counts its outcome; undefined where the connection failed. */
  send(sent: Sent, count?: 'uncounted'): Promise<Answer | undefined>;
  /** Repeats `work` on `lanes` lanes at once until the time is over; a failure makes a lane pause. */
  flood(lanes: number, work: (lane: number) => Promise<unknown>): Promise<void>;
  /** Opens a bare connection; undefined where the server does not accept it. */
  connect(): Promise<Socket | undefined>;
  sleep(ms: number): Promise<void>;
  count(outcome: string, times?: number): void;
  /** Says what the attack achieved and must not have achieved. Each sentence counts once. */
  achieved(sentence: string): void;
}

/** `Data` is what `prepare` found out; it crosses to the process of the attacker as JSON. */
export interface Scenario<Data> {
  readonly name: string;
  /** What the attacker does, for the report. */
  readonly attack_is: string;
  /** The settings that the server needs beside its defaults. */
  readonly settings?: Readonly<Record<string, string>>;
  /** The address from which the attacker calls, where it matters. */
  readonly address?: string;
  /** The time that the scenario needs at least; others take what the command line says. */
  readonly least_s?: number;
  /** The books are not proven: `prepare` wrote rows that only look like payments. */
  readonly books?: 'skipped';
  prepare(stage: Stage, scale: number): Promise<Data>;
  /** Watches something of the victim's during the attack; `finish` returns what was wrong with it. */
  beside?(stage: Stage, victim: Victim): Promise<{ finish(): Promise<readonly string[]> }>;
  attack(hands: Hands, data: Data): Promise<void>;
  /** Looks at the database afterwards and returns what is wrong. */
  verify?(stage: Stage, data: Data, tally: Tally): Promise<readonly string[]>;
}

/** A scenario whose data only it knows. */
export type AnyScenario = Scenario<unknown>;

/** Checks the types of one scenario, and forgets them. */
export const scenario = <Data>(given: Scenario<Data>): AnyScenario => given;
