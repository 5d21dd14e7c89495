/** The rules of the tenant face but for its people: customers, billing, keys, numbers, flows, queues, tags. */
import {
  type Customer,
  type Json,
  type Members,
  type Micro,
  type Thing,
  type World,
  defaults,
  heldSwitch,
  isBlocked,
  isWithin,
  micro,
  newCustomer,
  text,
  wire,
} from '../world';
import { book, demandCommitmentOf, moveOf } from './books';
import { grantedDepth, removeCarefully, settle } from './customers';
import { administrator, manager } from './doors';
import {
  type Expected,
  type Ground,
  type Law,
  type Laws,
  type Rule,
  add,
  demandRight,
  demandRoomBelow,
  edit,
  refuse,
  remove,
  unknown,
  without,
} from './law';
import { makeThing, newest, ownThing, thingsOf } from './owned';
import { checkNumber, describedNumber } from './reseller-things';

const needing = (needs: number, laws: Laws): Laws =>
  Object.fromEntries(Object.entries(laws).map(([name, law]): [string, Law] => [name, { ...law, needs }]));

// --------------------------------------------------------------- customers

const filled = (value: Json | undefined): string => (typeof value === 'string' ? value : '');
const displayOf = ({ attributes }: Customer): string =>
  filled(attributes['company_name']) === '' ? filled(attributes['name']) : filled(attributes['company_name']);

const showCustomer = (customer: Customer): Members => ({
  id: customer.uuid,
  name: displayOf(customer),
  detail: filled(customer.attributes['description']),
  status: isBlocked(customer) ? 'suspended' : 'active',
  permission_ids: customer.permission_ids,
  email: filled(customer.attributes['email']),
  phone_number: filled(customer.attributes['phone']),
  address: filled(customer.attributes['street_addr']),
  webhook_method: customer.webhook_method,
  webhook_uri: customer.webhook_uri ?? '',
  billing_account_id: customer.uuid,
  tm_delete: customer.deleted,
});

const lockedMembers = ['status', 'billing_account_id', 'webhook_key', 'tm_create', 'tm_update', 'tm_delete'];
function checkProfile(params: Members): void {
  const bits = params['permission_ids'];
  if (Array.isArray(bits) && bits.some((bit) => ![16, 32, 64].includes(Number(bit)))) refuse(400);
  if (lockedMembers.some((name) => name in params)) refuse(400);
}

function withinById({ world, actor, params }: Ground): Customer {
  const found = world.customers.find(({ uuid, deleted }) => uuid === params['id'] && !deleted);
  return found && isWithin(actor, found) ? found : refuse(404);
}

/** Only who stands above decides whether a customer is served. */
function belowById(ground: Ground): Customer {
  const found = withinById(ground);
  return found === ground.actor ? refuse(403) : found;
}

const kept: Readonly<Record<string, string>> = {
  name: 'company_name',
  detail: 'description',
  email: 'email',
  phone_number: 'phone',
  address: 'street_addr',
};

/** Writes what is given, where empty is nothing; the key that signs events is told when there first is a place for them. */
function writeProfile(customer: Customer, params: Members): Members {
  for (const [member, attribute] of Object.entries(kept)) {
    if (params[member] !== undefined)
      customer.attributes[attribute] = params[member] === '' ? null : params[member];
  }
  const bits = params['permission_ids'] as readonly number[] | undefined;
  if (bits) customer.permission_ids = [...new Set(bits)];
  if (params['webhook_method'] !== undefined) customer.webhook_method = filled(params['webhook_method']);
  const uri = params['webhook_uri'];
  const isFirst = filled(uri) !== '' && customer.webhook_uri === null;
  if (uri !== undefined) customer.webhook_uri = uri === '' ? null : filled(uri);
  return { ...showCustomer(customer), ...(isFirst && { webhook_key: unknown }) };
}

const changeCustomer =
  (find: (ground: Ground) => Customer): Rule =>
  (ground) => {
    const target = find(ground);
    if (target !== ground.actor) demandRight(ground.actor, 'customers_mgmt', edit);
    return { result: writeProfile(target, ground.params) };
  };

const createCustomer: Rule = ({ world, actor, params }) => {
  if (!heldSwitch(actor, 'use_own_tariff')) refuse(403);
  demandRoomBelow(actor);
  const attributes: Members = {
    ...defaults,
    i_tariff: null,
    name: '',
    max_depth: grantedDepth(actor, undefined),
  };
  const made = newCustomer(actor, '', attributes, actor.currency);
  const shown = writeProfile(made, params);
  return {
    result: {
      ...shown,
      id: unknown,
      billing_account_id: unknown,
      // Without a name to show, the unique one that the server made is shown.
      ...(shown['name'] === '' && { name: unknown }),
    },
    adopt: ({ id }) => {
      made.uuid = text(id);
      settle(world, made, { web_login: '', login_class: '', password: undefined });
    },
  };
};

const deleteCustomer: Rule = (ground) => {
  const target = belowById(ground);
  const shown = showCustomer(target);
  removeCarefully(ground, target);
  return { result: { ...shown, tm_delete: true } };
};

const setFrozen =
  (frozen: boolean): Rule =>
  (ground) => {
    const target = belowById(ground);
    target.blocked = frozen;
    return { result: showCustomer(target) };
  };

const right = (bit: number) => ({ right: ['customers_mgmt', bit] }) as const;

const customerLaws: Laws = {
  ...needing(administrator | manager, {
    'GET /v1.0/customers/{id}': { rule: (ground) => ({ result: showCustomer(withinById(ground)) }) },
    'GET /v1.0/customer': { rule: ({ actor }) => ({ result: showCustomer(actor) }) },
  }),
  ...needing(administrator, {
    'GET /v1.0/customers': {
      rule: (ground) => {
        const { world, actor } = ground;
        const all = world.customers.filter((each) => each !== actor && isWithin(actor, each));
        return newest(ground, all, showCustomer);
      },
    },
    'POST /v1.0/customers': { ...right(add), check: checkProfile, rule: createCustomer },
    'PUT /v1.0/customers/{id}': { check: checkProfile, rule: changeCustomer(withinById) },
    'PUT /v1.0/customer': { check: checkProfile, rule: changeCustomer(({ actor }) => actor) },
    'DELETE /v1.0/customers/{id}': { ...right(remove), rule: deleteCustomer },
    'POST /v1.0/customers/{id}/freeze': { ...right(edit), rule: setFrozen(true) },
    'POST /v1.0/customers/{id}/recover': { ...right(edit), rule: setFrozen(false) },
  }),
};

// ----------------------------------------------------------------- billing

const showAccount = (customer: Customer): Members => ({
  id: customer.uuid,
  customer_id: customer.uuid,
  name: displayOf(customer),
  balance: wire(customer.balance),
  credit_limit: customer.attributes['credit_limit'] ?? 0,
  currency: customer.currency,
  tm_delete: false,
});

const force =
  (kind: string, sign: 1n | -1n): Rule =>
  (ground) => {
    const target = belowById(ground);
    const amount: Micro = sign * micro(Number(ground.params['balance']));
    const moves = [moveOf(target, amount)];
    demandCommitmentOf(ground.world, moves);
    if (amount !== 0n) book(ground.world, target, kind, moves);
    return { result: showAccount(target) };
  };

/** A movement is called by the number of its entry. */
const billingId = (id: number | undefined): string =>
  `00000000-0000-8000-8000-${(id ?? 0).toString(16).padStart(12, '0')}`;

interface Billing {
  readonly uuid: string;
  readonly deleted: false;
  readonly shown: Members;
}
const billingsOf = (customer: Customer): Billing[] =>
  customer.entries.map(({ id, amount, payment }) => ({
    uuid: billingId(id),
    deleted: false,
    shown: {
      id: billingId(id),
      customer_id: customer.uuid,
      account_id: customer.uuid,
      reference_type: payment.kind,
      amount: wire(amount),
      currency: customer.currency,
      detail: payment.notes ?? '',
      tm_delete: false,
    },
  }));

const checkForce = ({ balance }: Members): void => {
  if (typeof balance === 'number' && balance < 0) refuse(400);
};

const billingLaws = needing(administrator, {
  'GET /v1.0/billing_accounts': {
    rule: ({ actor }) => ({ result: { result: [showAccount(actor)], next_page_token: '' } }),
  },
  'GET /v1.0/billing_account': { rule: ({ actor }) => ({ result: showAccount(actor) }) },
  'GET /v1.0/billing_accounts/{id}': { rule: (ground) => ({ result: showAccount(withinById(ground)) }) },
  'POST /v1.0/billing_accounts/{id}/balance_add_force': {
    ...right(edit),
    check: checkForce,
    rule: force('add_funds', 1n),
  },
  'POST /v1.0/billing_accounts/{id}/balance_subtract_force': {
    ...right(edit),
    check: checkForce,
    rule: force('debit', -1n),
  },
  'GET /v1.0/billings': {
    rule: (ground) => newest(ground, billingsOf(ground.actor), ({ shown }) => shown),
  },
  'GET /v1.0/billings/{id}': {
    rule: ({ actor, params }) => {
      const found = billingsOf(actor).find(({ uuid }) => uuid === params['id']);
      return { result: (found ?? refuse(404)).shown };
    },
  },
});

// ------------------------------------------------------------------ things

const showThing = ({ uuid, owner, values, deleted }: Thing): Members => ({
  id: uuid,
  customer_id: owner.uuid,
  ...values,
  tm_delete: deleted,
});

const isUsed = (world: World, flow: Thing): boolean =>
  world.things.some(
    ({ values, deleted }) =>
      !deleted &&
      [values['call_flow_id'], values['message_flow_id'], values['wait_flow_id']].includes(flow.uuid),
  );

/** Every linked id must be the tenant's own. */
function demandLinks(ground: Ground): void {
  const { params } = ground;
  for (const flow of [params['call_flow_id'], params['message_flow_id'], params['wait_flow_id']]) {
    if (typeof flow === 'string') ownThing(ground, 'flow', flow);
  }
  demandTags(ground);
}

export function demandTags(ground: Ground): readonly string[] {
  const tags = [...new Set((ground.params['tag_ids'] ?? []) as readonly string[])];
  for (const tag of tags) ownThing(ground, 'tag', tag);
  return tags;
}

/** A tag that is gone is taken off; a flow to which something leads stays. */
function letGo({ world, actor }: Ground, thing: Thing): void {
  if (thing.kind === 'flow' && isUsed(world, thing)) refuse(409);
  if (thing.kind !== 'tag') return;
  const without = (tags: readonly string[]): string[] => tags.filter((tag) => tag !== thing.uuid);
  for (const queue of thingsOf(world, actor, 'queue')) {
    queue.values['tag_ids'] = without(queue.values['tag_ids'] as string[]);
  }
  for (const user of world.users) if (user.customer === actor) user.tag_ids = without(user.tag_ids);
}

const valuesOf = (params: Members, before: Members): Members => {
  const given = without(params, 'id', 'expire');
  const tags = given['tag_ids'] as readonly string[] | undefined;
  return { ...before, ...given, ...(tags && { tag_ids: [...new Set(tags)] }) };
};

function thingLaws(path: string, kind: Thing['kind'], fallbacks: Members, check?: Law['check']): Laws {
  const one = (ground: Ground): Thing => ownThing(ground, kind, ground.params['id']);
  return {
    [`GET ${path}`]: {
      rule: (ground) => newest(ground, thingsOf(ground.world, ground.actor, kind), showThing),
    },
    [`POST ${path}`]: {
      ...(check && { check }),
      rule: (ground): Expected => {
        demandLinks(ground);
        const made = { kind, values: valuesOf(ground.params, fallbacks), name_class: '' };
        return makeThing(ground, made, showThing, 'id');
      },
    },
    [`GET ${path}/{id}`]: { rule: (ground) => ({ result: showThing(one(ground)) }) },
    [`PUT ${path}/{id}`]: {
      rule: (ground) => {
        demandLinks(ground);
        const thing = one(ground);
        thing.values = valuesOf(ground.params, thing.values);
        return { result: showThing(thing) };
      },
    },
    [`DELETE ${path}/{id}`]: {
      rule: (ground) => {
        const thing = one(ground);
        letGo(ground, thing);
        thing.deleted = true;
        return { result: showThing(thing) };
      },
    },
  };
}

/** The key itself is told once, and how it begins ever after. */
function keyLaws(): Laws {
  const laws = thingLaws('/v1.0/accesskeys', 'access key', { name: '', detail: '', token_prefix: '' });
  const make = laws['POST /v1.0/accesskeys'];
  if (!make) throw new Error('Access keys are made like everything else');
  const rule: Rule = (ground) => {
    const { result, adopt } = make.rule(ground);
    return {
      result: { ...(result as Members), token_prefix: unknown, token: unknown },
      adopt: (answer) => {
        adopt?.(answer);
        const made = ground.world.things.at(-1);
        if (made) made.values['token_prefix'] = text(answer['token']).slice(0, 11);
      },
    };
  };
  return { ...laws, 'POST /v1.0/accesskeys': { ...make, rule } };
}

/** When events are delivered is not foretold, so most answers are only looked at for being one. */
const anyAnswer = { result: {}, see: () => ({}) };
const hasWebhook = ({ actor }: Ground): boolean => actor.webhook_uri !== null;
const webhookLaws: Laws = needing(administrator, {
  'GET /v1.0/webhook': { rule: () => anyAnswer },
  'POST /v1.0/webhook/ping': { rule: (ground) => (hasWebhook(ground) ? anyAnswer : refuse(409)) },
  'GET /v1.0/webhook_events': { rule: () => anyAnswer },
  'GET /v1.0/webhook_events/{id}': { rule: () => refuse(404) },
  'POST /v1.0/webhook_events/{id}/resend': { rule: () => refuse(404) },
  'GET /v1.0/webhook_deliveries': { rule: () => anyAnswer },
});

export const tenantLaws: Laws = {
  ...customerLaws,
  ...billingLaws,
  ...webhookLaws,
  ...needing(administrator, keyLaws()),
  ...needing(administrator | manager, {
    ...thingLaws('/v1.0/numbers', 'number', describedNumber, checkNumber),
    ...thingLaws('/v1.0/flows', 'flow', { name: '', detail: '', actions: [] }),
    ...thingLaws('/v1.0/queues', 'queue', {
      name: '',
      detail: '',
      routing_method: 'random',
      tag_ids: [],
      wait_flow_id: null,
      wait_timeout: 0,
      service_timeout: 0,
    }),
    ...thingLaws('/v1.0/tags', 'tag', { name: '', detail: '' }),
  }),
};
