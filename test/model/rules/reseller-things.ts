/** The rules of what a customer owns, as the reseller face makes, shows and replaces it. */
import { type Json, type Members, type Thing, text, wire } from '../world';
import { type Expected, type Ground, type Laws, refuse } from './law';
import { demandThingFree, makeThing, ownThing, page, thingsOf } from './owned';

export const nothing: Expected = { result: {} };

export const demandPasswordText = (password: Json | undefined): void => {
  if (typeof password === 'string' && password.length < 8) refuse(400);
};

export const addressValues = (given: Members): Members => ({
  street_one: given['street_one'] ?? null,
  street_two: given['street_two'] ?? null,
  street_three: given['street_three'] ?? null,
  city: given['city'] ?? null,
  state: given['state'] ?? null,
  zip: given['zip'] ?? null,
  country_code: given['country_code'] ?? null,
});

interface Sort {
  readonly kind: Thing['kind'];
  /** The members as they are kept; of one that is replaced those stay that this face does not know. */
  readonly values: (params: Members, before?: Members) => Members;
  readonly shown: readonly string[];
  readonly check?: (params: Members) => void;
  readonly ownList?: true;
  /** What may be paid for tells what it cost. */
  readonly priced?: true;
}

function classOf({ kind }: Sort, { params, classes }: Ground): string {
  return kind === 'domain' ? text(params['name']).toLowerCase() : (classes['name'] ?? '');
}

function thingLaws(path: string, sort: Sort): Laws {
  const { kind, values, shown, check, ownList, priced } = sort;
  const showThing = (thing: Thing): Members => ({
    uuid: thing.uuid,
    ...Object.fromEntries(shown.map((name) => [name, thing.values[name] ?? null])),
    ...(priced && { cost: wire(thing.cost), cost_currency: thing.cost_currency }),
  });
  const checked = check ? { check } : {};
  const one = (ground: Ground): Thing => ownThing(ground, kind, ground.params['uuid']);
  return {
    [`GET ${path}`]: {
      ...(ownList && { ownOnly: true }),
      rule: (ground) => page(ground, thingsOf(ground.world, ground.actor, kind), showThing),
    },
    [`POST ${path}`]: {
      ...checked,
      rule: (ground) => {
        const made = { kind, values: values(ground.params), name_class: classOf(sort, ground) };
        return makeThing(ground, made, showThing, 'uuid');
      },
    },
    [`GET ${path}/{uuid}`]: { rule: (ground) => ({ result: showThing(one(ground)) }) },
    [`PUT ${path}/{uuid}`]: {
      ...checked,
      rule: (ground) => {
        const thing = one(ground);
        const now = { values: values(ground.params, thing.values), name_class: classOf(sort, ground) };
        demandThingFree(ground.world, { ...thing, ...now }, thing);
        Object.assign(thing, now);
        return { result: showThing(thing) };
      },
    },
    [`DELETE ${path}/{uuid}`]: {
      rule: (ground) => {
        const thing = one(ground);
        if (ground.world.customers.some(({ store, deleted }) => store === thing && !deleted)) refuse(409);
        thing.deleted = true;
        return nothing;
      },
    },
  };
}

const only =
  (...names: readonly string[]) =>
  (params: Members): Members =>
    Object.fromEntries(names.map((name) => [name, params[name] ?? null]));

export const describedNumber = { name: '', detail: '', call_flow_id: null, message_flow_id: null };
export const checkNumber = ({ number }: Members): void => {
  if (typeof number === 'string' && !/^\+[1-9][0-9]{1,14}$/.test(number)) refuse(400);
};

const domain: Sort = { kind: 'domain', values: only('name'), shown: ['name'], priced: true };

export const resellerThingLaws: Laws = {
  ...thingLaws('/account/store', {
    kind: 'store',
    values: only('name', 'domain', 'css'),
    shown: ['name', 'domain', 'css'],
    ownList: true,
  }),
  ...thingLaws('/account/reseller-address', {
    kind: 'address',
    values: addressValues,
    shown: Object.keys(addressValues({})),
  }),
  ...thingLaws('/voip/user', {
    kind: 'sip user',
    // Digits may come as a number.
    values: (params) => ({
      ...only('name', 'display_name', 'caller_id')(params),
      extension:
        typeof params['extension'] === 'number' ? String(params['extension']) : (params['extension'] ?? null),
    }),
    shown: ['name', 'extension', 'display_name', 'caller_id'],
    check: ({ password }) => {
      demandPasswordText(password);
    },
    priced: true,
  }),
  ...thingLaws('/voip/number', {
    kind: 'number',
    values: ({ number }, before) => ({ ...describedNumber, ...before, number: number ?? null }),
    shown: ['number'],
    check: checkNumber,
    priced: true,
  }),
  ...thingLaws('/dom/domain', domain),
  ...thingLaws('/voip/domain', domain),
};
