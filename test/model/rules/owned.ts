/** The rules of what customers own, over both REST faces: what is unique, who pays, how lists go on. */
import {
  type Customer,
  type Json,
  type Members,
  type Thing,
  type ThingKind,
  type World,
  text,
} from '../world';
import { type Expected, type Ground, refuse, unknown } from './law';
import { book } from './books';
import { demandRoomFor } from './limits';
import { purchase } from './money';

export const thingsOf = (world: World, owner: Customer, kind: ThingKind): Thing[] =>
  world.things.filter((thing) => thing.owner === owner && thing.kind === kind);

/** A living thing of the actor; of others it does not exist. */
export function ownThing({ world, actor }: Ground, kind: ThingKind, uuid: Json | undefined): Thing {
  const found = thingsOf(world, actor, kind).find((thing) => thing.uuid === uuid && !thing.deleted);
  return found ?? refuse(404);
}

type Wanted = Pick<Thing, 'kind' | 'owner' | 'values' | 'name_class'>;

/** Numbers, domains and hosts of stores are one on the platform, names and extensions one with the owner. */
export function demandThingFree(world: World, wanted: Wanted, itself?: Thing): void {
  const { kind, owner, values, name_class } = wanted;
  const others = world.things.filter((each) => each.kind === kind && !each.deleted && each !== itself);
  const own = others.filter((each) => each.owner === owner);
  const has = (among: readonly Thing[], member: string): boolean =>
    typeof values[member] === 'string' && among.some((each) => each.values[member] === values[member]);
  const isNamed = (among: readonly Thing[]): boolean => among.some((each) => each.name_class === name_class);
  const domain = (each: Pick<Thing, 'values'>): string => text(each.values['domain'] ?? null).toLowerCase();
  const isTaken: Partial<Record<ThingKind, () => boolean>> = {
    number: () => has(others, 'number'),
    domain: () => isNamed(others),
    'sip user': () => isNamed(own) || has(own, 'extension'),
    store: () =>
      isNamed(own) ||
      (typeof values['domain'] === 'string' && others.some((each) => domain(each) === domain(wanted))),
  };
  if (isTaken[kind]?.() === true) refuse(409);
}

/** Makes a thing of the actor, for which the caller and all above it pay. What is taken is told before what is too much, and that before what is too dear. */
export function makeThing(
  { world, actor, caller }: Ground,
  given: Pick<Thing, 'kind' | 'values' | 'name_class'>,
  show: (thing: Thing) => Members,
  /** The member in which the answer tells the new id. */
  id: 'uuid' | 'id',
): Expected {
  if (!caller) throw new Error('Nobody makes a thing from a trusted host');
  demandThingFree(world, { ...given, owner: actor });
  demandRoomFor(world, actor, given.kind);
  const moves = purchase(caller, given.kind);
  const price = -(moves[0]?.amount ?? 0n);
  const made = {
    ...given,
    owner: actor,
    uuid: unknown,
    cost: price,
    cost_currency: price === 0n ? null : caller.customer.currency,
    deleted: false,
  };
  return {
    result: show(made),
    adopt: (answer) => {
      world.things.push({
        ...made,
        uuid: text(answer[id]),
        ...(answer['token'] !== undefined && { secret: text(answer['token']) }),
      });
      // Of those who pay, the lowest: a seller may give away what costs it money.
      const paying = moves.find(({ amount }) => amount !== 0n);
      if (paying) book(world, paying.customer, 'charge', moves);
    },
  };
}

interface Listed {
  readonly uuid: string | undefined;
  readonly deleted: boolean;
}

/** Root is everybody's: of its things only those of this history are compared, and only as far as they were listed. */
function oursAmong(items: readonly Members[], expected: readonly Members[], id: string): Members[] {
  const known = new Set(expected.map((each) => each[id]));
  const ours = items.filter((each) => known.has(each[id] ?? null));
  return [...ours, ...expected.slice(ours.length)];
}

/** Of the reseller face: in the order in which they were made, after the one that is named. */
export function page<T extends Listed>(
  { world, actor, params }: Ground,
  all: readonly T[],
  show: (item: T) => Members,
): Expected {
  const { limit, after } = params;
  const place = after === undefined ? -1 : all.findIndex(({ uuid }) => uuid === after);
  if (after !== undefined && place < 0) refuse(400);
  const living = all.slice(place + 1).filter(({ deleted }) => !deleted);
  if (actor === world.root) {
    const items = living.map(show);
    const see = (answer: Members): unknown => oursAmong(answer['items'] as Members[], items, 'uuid');
    return { result: items, see };
  }
  const size = Number(limit ?? 100);
  const items = living.slice(0, size);
  const next = living.length > size ? (items.at(-1)?.uuid ?? null) : null;
  return { result: { items: items.map(show), next } };
}

/** Of the tenant face: the newest first, after the place for which the word stands. */
export function newest<T extends Listed>(
  { world, actor, params, scope }: Ground,
  all: readonly T[],
  show: (item: T) => Members,
): Expected {
  const { page_size, page_token = '' } = params;
  const kept = page_token === '' ? undefined : world.pages.get(`${scope} ${text(page_token)}`);
  if (page_token !== '' && kept === undefined) refuse(400);
  const falling = all.toReversed();
  const place = falling.findIndex(({ uuid }) => uuid === kept);
  const living = falling.slice(place + 1).filter(({ deleted }) => !deleted);
  if (actor === world.root) {
    const items = living.map(show);
    const see = (answer: Members): unknown => oursAmong(answer['result'] as Members[], items, 'id');
    return { result: items, see };
  }
  const size = Number(page_size ?? 100);
  const items = living.slice(0, size);
  const hasMore = living.length > size;
  return {
    result: { result: items.map(show), next_page_token: hasMore ? unknown : '' },
    adopt: ({ next_page_token }) => {
      if (hasMore) world.pages.set(`${scope} ${text(next_page_token)}`, items.at(-1)?.uuid ?? '');
    },
  };
}
