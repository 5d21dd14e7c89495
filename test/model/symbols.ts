/**
 * The words of random calls. A step names what it aims at by a number, not by an id: what the number
 * means is found when the step is played, so that a history stays a history when it is made shorter.
 */
import fc from 'fast-check';
import { strangeNames } from './names';
import type { Json, ThingKind } from './world';

/** Something that becomes a value when the step is played. */
export type Symbol =
  | {
      readonly $: 'customer';
      readonly of: 'below' | 'direct' | 'any' | 'self' | 'nobody';
      readonly n: number;
    }
  | {
      readonly $:
        | 'tariff'
        | 'payment'
        | 'user'
        | 'group'
        | 'host'
        | 'name'
        | 'login'
        | 'login at'
        | 'key'
        | 'short'
        | 'agent'
        | 'entry'
        | 'number'
        | 'domain'
        | 'extension'
        | 'page';
      readonly n: number;
    }
  /** The id of something that a customer owns; mostly of the actor, or of its owner. */
  | { readonly $: 'thing' | 'things' | "owner's thing"; readonly of: ThingKind; readonly n: number }
  | { readonly $: 'password'; readonly of: 'right' | 'once' | 'wrong' }
  /** The masks and switches that the actor itself holds. */
  | { readonly $: 'all that is held' }
  | { readonly $: 'own currency' };
export type Arg = Json | Symbol | readonly Args[];
export interface Args {
  readonly [member: string]: Arg;
}

/** Who sends, over which face, and for whom; null: for itself. */
export type Who = {
  readonly n: number;
  readonly on: Extract<Symbol, { $: 'customer' }> | null;
  readonly right: boolean;
  /** The customer itself at this place of the tree, in place of somebody by chance. */
  readonly as?: number;
} & (
  | {
      readonly kind: 'password' | 'trusted';
      readonly by: 'basic' | 'digest';
      readonly face: 'xml' | 'json';
    }
  | { readonly kind: 'headers' }
  | { readonly kind: 'tenant'; readonly by: 'bearer' | 'query' | 'cookie' | 'access key' }
  | { readonly kind: 'nobody' }
);

export interface Order {
  /** The name of a method, or verb and path of an operation. */
  readonly method: string;
  readonly args: Args;
  readonly spoil: 'no' | 'unknown member' | 'missing' | 'struct';
}

/** Several orders are one multicall. */
export interface Step {
  readonly who: Who;
  readonly orders: readonly Order[];
  /** The last call with a key once more, in place of this one. */
  readonly again?: boolean;
}

export const n = fc.nat({ max: 60 });
export const customer = (...often: ('below' | 'direct' | 'any' | 'self' | 'nobody')[]) =>
  fc.record({
    $: fc.constant('customer' as const),
    of: fc.constantFrom(...often, ...often, 'any' as const, 'self' as const, 'nobody' as const),
    n,
  });
export const target = customer('below', 'below', 'direct');
/** One of those that are told apart by a number alone. */
export const thing = <K extends string>(kind: K) => fc.record({ $: fc.constant(kind), n });
/** A name; now and then one that no call takes. */
export const name = fc.oneof(
  { weight: 30, arbitrary: thing('name') },
  { weight: 1, arbitrary: fc.constantFrom(...strangeNames) },
);
/** A login; now and then one that ends with the name of a customer. */
export const login = fc.oneof({ weight: 6, arbitrary: name }, { weight: 1, arbitrary: thing('login at') });
export const password = fc.constantFrom('correct-horse-1', 'correct-horse-1', 'Correct-Horse-22', 'short');
export const amount = fc.integer({ min: 0, max: 12_000 }).map((cents) => cents / 100);
export const mask = fc.integer({ min: 0, max: 7 });
export const bit = fc.constantFrom(0, 1);
export const page = { offset: fc.nat({ max: 2 }), limit: fc.nat({ max: 4 }) };

export const key = fc.record({ $: fc.constant('key' as const), n: fc.nat({ max: 2 }) });

/** A few of its members. */
export const few = (arbitrary: fc.Arbitrary<object>, keep: number): fc.Arbitrary<object> =>
  fc.tuple(arbitrary, fc.array(fc.nat({ max: 30 }), { maxLength: keep })).map(([all, places]) => {
    const entries = Object.entries(all);
    if (entries.length === 0) return {};
    return Object.fromEntries(places.map((place) => entries[place % entries.length] ?? ['', null]));
  });

/** How often each of them comes, and what it takes. */
export type Orders = Readonly<Record<string, readonly [number, fc.Arbitrary<object>]>>;
