/** Plays a history on a server and in the model at once, and says where the two part. */
import { isDeepStrictEqual } from 'node:util';
import type { TestServer } from '../setup/server';
import { type Client, type Outcome, type RestWay, type Way, httpOf } from './client';
import { learn } from './learn';
import { foretell, isOperation } from './rules';
import { atTheDoor } from './rules/doors';
import { type Expected, type ModelCall, type Sender, unknown } from './rules/law';
import { type NeedsLogin, type Prepared, prepare } from './sending';
import type { Step } from './symbols';
import {
  type Customer,
  type Json,
  type Members,
  type User,
  type World,
  defaultUser,
  newWorld,
  text,
} from './world';

export interface Ground {
  readonly client: Client;
  /** Asked only for ids that no call answers. */
  readonly db: TestServer['db'];
  readonly rootPassword: string;
  readonly rootWebPassword: string;
}

let serial = 0;

/** A world of its own on the server that others use too. */
export const freshWorld = ({ rootPassword, rootWebPassword }: Ground): World =>
  newWorld(`m${(serial += 1)} `, rootPassword, rootWebPassword);

/** What happened so far, in words, and what may be sent once more. */
interface Story {
  readonly told: string[];
  keyed: Prepared | undefined;
}

/** Plays the steps; throws with the whole history where an answer is not the one that was foretold. */
export async function play(ground: Ground, world: World, steps: readonly Step[]): Promise<void> {
  const story: Story = { told: [], keyed: undefined };
  for (const step of steps) {
    try {
      await playStep(ground, world, step, story);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`${reason}\n\nThe history until then:\n${story.told.join('\n')}`, { cause: error });
    }
  }
}

async function playStep(ground: Ground, world: World, step: Step, story: Story): Promise<void> {
  await learn(ground.db, world);
  const { keyed } = story;
  const isAgain = step.again === true && keyed !== undefined && isStillRight(keyed);
  const prepared = isAgain ? keyed : await prepareStep(ground, world, step, story.told);
  if (!prepared) return;
  const [first] = prepared.calls;
  if (first && isOperation(first.method) && 'idempotency_key' in first.params) story.keyed = prepared;
  await playPrepared(ground, world, prepared, story.told);
  await learn(ground.db, world);
}

/** Whether what a kept call shows of its caller is what it would show now: names and passwords change. */
function isStillRight({ way, calls }: Prepared): boolean {
  const sender = calls[0]?.sender;
  if (sender?.kind !== 'headers' || !isRest(way)) return false;
  const { customer, kind, password, short_name, web_login } = sender.user;
  const { headers } = way;
  return (
    headers['x-auth-reseller'] === customer.attributes['name'] &&
    [short_name, web_login].includes(headers['x-auth-user'] ?? null) &&
    headers['x-auth-password'] === (kind === 'default' ? customer.api_password : password) &&
    !sender.user.deleted
  );
}

/** Who has no token logs in first, as a call of its own; undefined: and was not let in. */
export async function prepareStep(
  ground: Ground,
  world: World,
  step: Step,
  told: string[] = [],
): Promise<Prepared | undefined> {
  const found = prepare(world, step);
  if (!('logsIn' in found)) return found;
  await playPrepared(ground, world, loginOf(found), told);
  const again = prepare(world, step);
  return 'logsIn' in again ? undefined : again;
}

function loginOf({ logsIn }: NeedsLogin): Prepared {
  const { web_login, login_class, password = '' } = logsIn;
  const call: ModelCall = {
    sender: { kind: 'nobody' },
    method: 'POST /auth/login',
    params: { username: web_login, password },
    classes: { username: login_class },
    spoiled: false,
  };
  return { way: { face: 'tenant', headers: {}, query: {}, words: 'nobody' }, calls: [call] };
}

export const isRest = (way: Way | RestWay): way is RestWay => 'query' in way;

export function sendCalls(client: Client, { way, calls }: Prepared): Promise<Outcome> {
  const [only] = calls;
  if (isRest(way)) return client.ask(way, only?.method ?? '', only?.params ?? {});
  if (calls.length === 1 && only) return client.call(way, only.method, only.params);
  const members = calls.map(({ method, params }) => ({ methodName: method, params: [params] }));
  return client.call(way, 'system.multicall', { calls: members });
}

async function playPrepared(
  { client }: Ground,
  world: World,
  prepared: Prepared,
  told: string[],
): Promise<void> {
  const [first] = prepared.calls;
  if (!first) return;
  const outcome = await sendCalls(client, prepared);
  told.push(lineOf(prepared, outcome));
  const refused = atTheDoor(world, first.sender);
  if (refused) {
    // Over XML-RPC who may not call is answered by a fault.
    const isFault = refused.status === 403 && !isRest(prepared.way);
    compare(first, isFault ? { fault: 403 } : { door: refused }, outcome);
    return;
  }
  if (prepared.calls.length === 1) {
    compare(first, foretell(world, first), outcome);
    return;
  }
  if (!('result' in outcome)) throw new Error('A multicall failed as a whole');
  const answers = outcome.result as readonly Json[];
  for (const [index, call] of prepared.calls.entries()) {
    compare(call, foretell(world, call), memberOutcome(answers[index] ?? null));
  }
}

/** A member of a multicall: an array of one, or a struct that is a fault. */
export function memberOutcome(member: Json): Outcome {
  if (Array.isArray(member)) return { result: member[0] as Json };
  const { faultCode, faultString } = member as Members;
  return { fault: Number(faultCode), text: JSON.stringify(faultString) };
}

function differ(expected: unknown, outcome: unknown): never {
  throw new Error(`Foretold: ${JSON.stringify(expected)}\nAnswered: ${JSON.stringify(outcome)}`);
}

/** A refusal as it must come over the face of the call. */
function refusalOf({ fault, reason, door }: Expected, method: string): object | undefined {
  // Only the tenant face has a word for it.
  const word = door?.reason ?? reason;
  const told = word !== undefined && / \/(v1\.0|auth)\//.test(method) && { reason: word };
  if (door) return { status: door.status, ...told };
  if (fault === undefined) return undefined;
  return isOperation(method) ? { status: httpOf(fault), ...told } : { fault };
}

export function compare({ method }: ModelCall, expected: Expected, outcome: Outcome): void {
  const refusal = refusalOf(expected, method);
  if (refusal ?? !('result' in outcome)) {
    // The text of a fault is free, and the word for a refusal where none is foretold.
    const seen = Object.entries(outcome).filter(([name]) => refusal && name in refusal);
    if (!refusal || !isDeepStrictEqual(Object.fromEntries(seen), { ...refusal }) || 'result' in outcome)
      differ(refusal ?? expected.result, outcome);
    return;
  }
  if (!('result' in outcome)) return;
  const answer = (isOperation(method) ? timeless(outcome.result) : outcome.result) as Members;
  const { [expected.adopts ?? '']: adopted, ...rest } = answer;
  if (expected.adopts !== undefined && (adopted === undefined || adopted === null)) differ(expected, outcome);
  const seen = expected.see ? expected.see(answer) : rest;
  const wanted = isOperation(method) ? timeless(expected.result ?? null) : expected.result;
  if (!matches(plain(seen), plain(wanted))) differ(wanted, seen);
  expected.adopt?.(outcome.result as Members);
}

const momentary = new Set(['created_on', 'updated_on', 'tm_create', 'tm_update', 'tm_expire']);

/** Without the times that the model does not know; of the time of deletion, whether there is one. Ranges in any order. */
function timeless(value: Json): Json {
  if (Array.isArray(value)) return (value as readonly Json[]).map(timeless);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([name]) => !momentary.has(name));
  return Object.fromEntries(
    entries.map(([name, member]): [string, Json] => {
      if (name === 'tm_delete') return [name, member !== null && member !== false];
      if (name === 'ip_addresses')
        return [name, (member as { ip_range: string }[]).map(({ ip_range }) => ip_range).sort()];
      return [name, timeless(member)];
    }),
  );
}

/** The same, but where any id will do. */
function matches(seen: unknown, expected: unknown): boolean {
  if (expected === unknown) return typeof seen === 'number' || (typeof seen === 'string' && seen !== '');
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
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null)) as unknown;

function lineOf({ way, calls }: Prepared, outcome: Outcome): string {
  const by = isRest(way)
    ? `${way.words} over ${way.face}`
    : `${way.proof ? `${way.proof.login} (${way.proof.by})` : 'trusted'} over ${way.face}`;
  const words = calls.map(({ method, params }) => `${method} ${JSON.stringify(params)}`).join(' + ');
  return `  ${by}: ${words} -> ${JSON.stringify(outcome).slice(0, 300)}`;
}

/** Reads everything that a history left and compares it with the model: nothing happened beside what was answered. */
export async function compareAll(ground: Ground, world: World): Promise<void> {
  const { client } = ground;
  const way = { face: 'xml' } as const;
  const check = async (method: string, i_customer: number): Promise<void> => {
    const params = { i_customer, i_wholesaler: 1 };
    const call: ModelCall = { sender: { kind: 'trusted' }, method, params, classes: {}, spoiled: false };
    compare(call, foretell(world, call), await client.call(way, method, params));
  };
  await learn(ground.db, world);
  const root = defaultUser(world, world.root);
  const ask = restReader(ground, world, root);
  for (const customer of world.customers.slice(1)) {
    const { id, uuid, deleted } = customer;
    await check('getStatement', id);
    if (deleted) continue;
    await check('getCustomerInfo', id);
    await check('listWebUsers', id);
    await ask('GET /account/reseller/{uuid}', { uuid });
    await ask('GET /v1.0/customers/{id}', { id: uuid });
    await ask('GET /v1.0/agents', {}, customer);
    // Who never owned anything, after all calls, owns nothing: one list of each face is looked at then.
    const isOwner = world.things.some(({ owner }) => owner === customer);
    for (const path of isOwner ? lists : lists.slice(0, 1)) await ask(`GET ${path}`, {}, customer);
  }
}

const lists = [
  ...['/v1.0/numbers', '/v1.0/flows', '/v1.0/queues', '/v1.0/tags', '/v1.0/accesskeys'],
  ...['/voip/user', '/voip/number', '/dom/domain', '/account/reseller-address'],
];

/** Asks as root over both REST faces, on behalf of whom it is about. */
function restReader(ground: Ground, world: World, root: User) {
  return async (method: string, params: Members, on?: Customer): Promise<void> => {
    const asked = { method, params, classes: {}, spoiled: false };
    if (!method.includes('/v1.0/')) {
      const headers = {
        'x-auth-reseller': 'root',
        'x-auth-user': 'root',
        'x-auth-password': ground.rootPassword,
        ...(on && { 'x-auth-for': text(on.attributes['name']) }),
      };
      const way: RestWay = { face: 'reseller', headers, query: {}, words: 'root at the end' };
      const sender: Sender = { kind: 'headers', user: root, right: true };
      const named = on && { name_class: on.name_class };
      await playPrepared(ground, world, { way, calls: [{ ...asked, sender, named }] }, []);
      return;
    }
    if (root.tokens.at(-1)?.ended !== false) await playPrepared(ground, world, loginOf({ logsIn: root }), []);
    const token = root.tokens.at(-1);
    if (!token) throw new Error('Root cannot log in');
    const headers = { authorization: `Bearer ${token.text}` };
    const query: Record<string, string> = on ? { customer_id: on.uuid } : {};
    const way: RestWay = { face: 'tenant', headers, query, words: 'root at the end' };
    const named = on && { uuid: on.uuid };
    await playPrepared(
      ground,
      world,
      { way, calls: [{ ...asked, sender: { kind: 'token', token }, named }] },
      [],
    );
  };
}
