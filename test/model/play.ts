/** Plays a history on a server and in the model at once, and says where the two part. */
import { isDeepStrictEqual } from 'node:util';
import type { Client, Outcome, Way } from './client';
import { type Expected, type ModelCall, type Sender, atTheDoor, foretell, unknown } from './rules';
import { type Step, type Who, loginOf, pickCustomer, resolve } from './steps';
import { type Json, type Members, type World, newWorld, subCustomers } from './world';

export interface Ground {
  readonly client: Client;
  readonly rootPassword: string;
  readonly rootWebPassword: string;
}

let serial = 0;

/** A world of its own on the server that others use too. */
export const freshWorld = ({ rootPassword, rootWebPassword }: Ground): World =>
  newWorld(`m${(serial += 1)} `, rootPassword, rootWebPassword);

/** Plays the steps; throws with the whole history where an answer is not the one that was foretold. */
export async function play(ground: Ground, world: World, steps: readonly Step[]): Promise<void> {
  const told: string[] = [];
  for (const step of steps) {
    try {
      await playStep(ground, world, step, told);
      await learn(ground, world);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`${reason}\n\nThe history until then:\n${told.join('\n')}`, { cause: error });
    }
  }
}

/** Who sends a step, and for whom. */
function sending(world: World, who: Who) {
  const able = world.customers.filter(({ api_password, deleted }) => api_password !== null && !deleted);
  // Mostly somebody who has somebody below.
  const owners = able.filter((each) => subCustomers(world, each).length > 0);
  const callers = who.n % 3 === 0 ? able : owners;
  const caller = callers[who.n % callers.length] ?? world.root;
  const top = who.kind === 'trusted' ? world.root : caller;
  const named =
    who.on === null ? undefined : pickCustomer(world, top, who.on, who.n % 3 === 0 ? 'any' : 'owners');
  // Root is everybody's: its login must not be locked by the histories together.
  const right = who.right || caller === world.root;
  const sender: Sender =
    who.kind === 'trusted' ? { kind: 'trusted' } : { kind: 'password', customer: caller, right };
  const password = right ? (caller.api_password ?? '') : 'not-the-password';
  const way: Way = {
    face: who.face,
    ...(who.kind === 'password' && { proof: { by: who.by, login: loginOf(world, caller), password } }),
  };
  const i_wholesaler = who.on === null ? undefined : (named?.id ?? 2_000_000_000);
  return { sender, way, actor: named ?? top, ...(i_wholesaler !== undefined && { i_wholesaler }) };
}

interface Prepared {
  readonly way: Way;
  readonly calls: readonly ModelCall[];
}

/** The calls of a step as they are sent. */
export function prepare(world: World, { who, orders }: Step): Prepared {
  const { sender, way, actor, i_wholesaler } = sending(world, who);
  const calls = orders.map((order) => {
    const { params, classes } = resolve(world, actor, order);
    const named = i_wholesaler === undefined ? params : { ...params, i_wholesaler };
    return { sender, method: order.method, params: named, classes, spoiled: order.spoil !== 'no' };
  });
  return { way, calls };
}

export function sendCalls(client: Client, { way, calls }: Prepared): Promise<Outcome> {
  const [only] = calls;
  if (calls.length === 1 && only) return client.call(way, only.method, only.params);
  const members = calls.map(({ method, params }) => ({ methodName: method, params: [params] }));
  return client.call(way, 'system.multicall', { calls: members });
}

async function playStep({ client }: Ground, world: World, step: Step, told: string[]): Promise<void> {
  const prepared = prepare(world, step);
  const [first] = prepared.calls;
  if (!first) return;
  const outcome = await sendCalls(client, prepared);
  told.push(lineOf(prepared, outcome));

  const refusal = atTheDoor(world, first.sender);
  if (refusal !== undefined) {
    demand(refusal === 403 ? { fault: 403 } : { status: refusal }, outcome);
    return;
  }
  if (prepared.calls.length === 1) {
    compare(foretell(world, first), outcome);
    return;
  }
  if (!('result' in outcome)) throw new Error('A multicall failed as a whole');
  const answers = outcome.result as readonly Json[];
  for (const [index, call] of prepared.calls.entries()) {
    compare(foretell(world, call), memberOutcome(answers[index] ?? null));
  }
}

/** A member of a multicall: an array of one, or a struct that is a fault. */
function memberOutcome(member: Json): Outcome {
  if (Array.isArray(member)) return { result: member[0] as Json };
  const { faultCode, faultString } = member as Members;
  return { fault: Number(faultCode), text: JSON.stringify(faultString) };
}

const demand = (expected: object, outcome: Outcome): void => {
  const seen = 'fault' in outcome ? { fault: outcome.fault } : outcome;
  if (!isDeepStrictEqual(seen, expected)) differ(expected, outcome);
};

function differ(expected: unknown, outcome: unknown): never {
  throw new Error(`Foretold: ${JSON.stringify(expected)}\nAnswered: ${JSON.stringify(outcome)}`);
}

function compare(expected: Expected, outcome: Outcome): void {
  if (expected.fault !== undefined || !('result' in outcome)) {
    demand(expected.fault === undefined ? (expected.result ?? {}) : { fault: expected.fault }, outcome);
    return;
  }
  const answer = outcome.result as Members;
  const { [expected.adopts ?? '']: adopted, ...rest } = answer;
  if (expected.adopts !== undefined && (adopted === undefined || adopted === null)) differ(expected, outcome);
  const seen = expected.see ? expected.see(answer) : rest;
  if (!matches(plain(seen), plain(expected.result))) differ(expected.result, seen);
  expected.adopt?.(answer);
}

/** The same, but where any id will do. */
function matches(seen: unknown, expected: unknown): boolean {
  if (expected === unknown) return typeof seen === 'number';
  if (typeof seen !== 'object' || typeof expected !== 'object' || seen === null || expected === null) {
    return seen === expected;
  }
  const [left, right] = [Object.entries(seen), expected as Record<string, unknown>];
  return (
    Array.isArray(seen) === Array.isArray(expected) &&
    left.length === Object.keys(right).length &&
    left.every(([name, value]) => name in right && matches(value, right[name]))
  );
}

/** Without prototypes and what is undefined. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value)) as unknown;

const lineOf = ({ way, calls }: Prepared, outcome: Outcome): string => {
  const by = way.proof ? `${way.proof.login} (${way.proof.by})` : 'trusted';
  const words = calls.map(({ method, params }) => `${method} ${JSON.stringify(params)}`).join(' + ');
  return `  ${by} over ${way.face}: ${words} -> ${JSON.stringify(outcome).slice(0, 200)}`;
};

/** Finds out the ids that no call answers: payments that balances were opened, changed and closed by, and default users. */
async function learn({ client }: Ground, world: World): Promise<void> {
  for (const user of world.users.filter(({ id, deleted }) => id === undefined && !deleted)) {
    const users = await asRoot(client, 'listWebUsers', { i_customer: user.customer.id }, 'web_users');
    const found = users.find((each) => each['web_login'] === user.web_login);
    if (found === undefined) throw new Error(`The user ${user.web_login} is in no list`);
    user.id = Number(found['i_web_user']);
  }
  for (const payment of world.payments.filter(({ id }) => id === undefined)) {
    const { customer } = payment;
    const payments = await asRoot(client, 'getPaymentsList', { i_customer: customer.id }, 'payments');
    const place = customer.entries.findIndex((entry) => entry.payment === payment);
    payment.id = Number(payments[place]?.['i_payment']);
  }
}

async function asRoot(client: Client, method: string, params: Members, member: string): Promise<Members[]> {
  const outcome = await client.call({ face: 'json' }, method, { ...params, i_wholesaler: 1 });
  if (!('result' in outcome)) throw new Error(`${method} of the test itself: ${JSON.stringify(outcome)}`);
  return (outcome.result as Members)[member] as unknown as Members[];
}

/** Reads everything that a history left and compares it with the model: nothing happened beside what was answered. */
export async function compareAll({ client }: Ground, world: World): Promise<void> {
  const way = { face: 'xml' } as const;
  const sender = { kind: 'trusted' } as const;
  const check = async (method: string, i_customer: number): Promise<void> => {
    const params = { i_customer, i_wholesaler: 1 };
    const call = { sender, method, params, classes: {}, spoiled: false };
    compare(foretell(world, call), await client.call(way, method, params));
  };
  for (const { id, deleted } of world.customers.slice(1)) {
    await check('getStatement', id);
    if (deleted) continue;
    await check('getCustomerInfo', id);
    await check('listWebUsers', id);
  }
}
