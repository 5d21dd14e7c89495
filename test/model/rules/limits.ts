/** The rules of limits: how many things a customer may have, itself and with everybody below it. */
import { type Customer, type Members, type ThingKind, type World, chain, isWithin, text } from '../world';
import { type Ground, type Laws, below, edit, ok, refuse, within } from './law';

/** The things that are counted, and how many the server allows one customer, and one with everybody below it. */
const counted: Readonly<Partial<Record<ThingKind, readonly [resource: string, own: number, all: number]>>> = {
  number: ['numbers', 10_000, 10_000_000],
  'sip user': ['sip_users', 10_000, 10_000_000],
  domain: ['domains', 1_000, 1_000_000],
  store: ['stores', 100, 10_000],
  flow: ['flows', 1_000, 100_000],
  queue: ['queues', 1_000, 1_000_000],
  tag: ['tags', 1_000, 1_000_000],
  'access key': ['access_keys', 1_000, 1_000_000],
};

interface Limit {
  readonly kind: ThingKind;
  readonly isOwn: boolean;
  readonly most: number;
}

const limits: ReadonlyMap<string, Limit> = new Map(
  (Object.keys(counted) as ThingKind[]).flatMap((kind): [string, Limit][] => {
    const [resource, own, all] = counted[kind] ?? ['', 0, 0];
    return [
      [`${resource}_per_customer`, { kind, isOwn: true, most: own }],
      [`${resource}_per_subtree`, { kind, isOwn: false, most: all }],
    ];
  }),
);

/** What holds for a customer: the least of the server's and of those set for it and above it. */
const heldLimit = (customer: Customer, name: string, most: number): number =>
  Math.min(most, ...chain(customer).flatMap((each) => each.limits.get(name) ?? []));

const used = (world: World, customer: Customer, { kind, isOwn }: Limit): number =>
  world.things.filter(
    (thing) =>
      thing.kind === kind &&
      !thing.deleted &&
      (isOwn ? thing.owner === customer : isWithin(customer, thing.owner)),
  ).length;

/** There is room for one more, of the customer and of everybody above it but root, which has no limits. */
export function demandRoomFor(world: World, owner: Customer, kind: ThingKind): void {
  for (const [name, limit] of limits) {
    if (limit.kind !== kind || owner === world.root) continue;
    const bounded = limit.isOwn ? [owner] : chain(owner).slice(0, -1);
    const isFull = (each: Customer): boolean => used(world, each, limit) >= heldLimit(each, name, limit.most);
    if (bounded.some(isFull)) refuse(403);
  }
}

interface Given {
  readonly name: string;
  readonly maximum: number | null;
}
const given = ({ params }: Ground): readonly Given[] =>
  (params['limits'] ?? []) as unknown as readonly Given[];

export const limitLaws: Laws = {
  getCustomerLimits: {
    rule: (ground) => {
      const customer = within(ground);
      const shown = [...limits].map(([name, limit]) => ({
        name,
        maximum: heldLimit(customer, name, limit.most),
        set: customer.limits.get(name) ?? null,
        used: used(ground.world, customer, limit),
      }));
      const isCounted = ({ name }: Members): boolean => limits.has(text(name ?? null));
      const see = (answer: Members): unknown => (answer['limits'] as Members[]).filter(isCounted);
      const order = (one: Members, other: Members): number =>
        text(one['name'] ?? null) < text(other['name'] ?? null) ? -1 : 1;
      return {
        result: customer === ground.world.root ? [] : shown.sort(order),
        see: (answer) => (see(answer) as Members[]).sort(order),
      };
    },
  },
  setCustomerLimits: {
    right: ['customers_mgmt', edit],
    rule: (ground) => {
      const target = below(ground);
      for (const { name, maximum } of given(ground)) {
        const most = limits.get(name)?.most ?? 0;
        if (maximum !== null && maximum > heldLimit(target.owner ?? target, name, most)) refuse(403);
      }
      for (const { name, maximum } of given(ground)) {
        if (maximum === null) target.limits.delete(name);
        else target.limits.set(name, maximum);
      }
      return ok;
    },
  },
};
