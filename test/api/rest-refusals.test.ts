/**
 * Who may call which operation of the REST faces, on what: a table made from the operations, so that none comes in
 * without being asked all of it. A new operation needs one line in `test/setup/rest-rows.ts`. What is not the caller's
 * and what does not exist must not be told apart, so whole bodies are compared, byte for byte.
 */
import { permissions } from '../../src/core/tree/permission';
import { type Declared, declared } from '../../src/core/schema/schema';
import { everything } from '../setup/everything';
import { type Family, type Relative, block, makeFamily, makeRelative, root, update } from '../setup/family';
import { type RawAnswer, headerOf } from '../setup/raw-http';
import { resellerAs, resultOf, rootIdentity } from '../setup/reseller';
import {
  type Asking,
  type Proof,
  type RestFaceTable,
  askRest,
  bytesOfAnswer,
  restFaces,
} from '../setup/rest-faces';
import {
  type Kind,
  type RestRow,
  type Things,
  allThings,
  deletedThings,
  furnish,
  isOwned,
  makeOne,
  uuidOf,
} from '../setup/rest-rows';
import {
  type Members,
  type TestServer,
  apiPassword,
  makeMember,
  startServer,
  uniqueName,
} from '../setup/server';
import { type TenantCaller, agentPassword, logIn } from '../setup/tenant';

type FaceName = RestFaceTable['name'];
interface Case {
  readonly face: RestFaceTable;
  readonly operation: RestFaceTable['operations'][number];
  readonly row: RestRow;
  readonly title: string;
}

const cases: readonly Case[] = restFaces.flatMap((face) =>
  face.operations.flatMap((operation) => {
    const name = `${operation.verb} ${operation.path}`;
    const row = face.rows[name];
    return row ? [{ face, operation, row, title: `${face.name} ${name}` }] : [];
  }),
);

const unknown = '3951ec81-cca4-4c4a-8efb-4bce76e04032';
const lockedAt = '127.0.9.9';

let server: TestServer;
let family: Family;
/** Owned by the caller; its customer is one below it. */
let mine: Things;
/** What is not the caller's, by whose it is. */
let foreign: Readonly<Record<string, Things>>;
/** Lost its rights; the heir, below it, has all rights of its own, and somebody below. */
let bare: Relative;
let heir: Relative;
let targets: ReadonlyMap<Relative, Things>;
let uuids: {
  readonly [who in 'caller' | 'client' | 'sibling' | 'wholesaler' | 'gone' | 'blocked' | 'heir']: string;
};
let blockedBelow: Relative;
/** Proofs by face, then by who it is. */
const proofs: Record<FaceName, Record<string, Proof>> = { reseller: {}, tenant: {} };
let people: Readonly<Record<'agent' | 'manager', Proof>>;
/** Proofs that are right in form and prove nothing. */
let wrong: Record<FaceName, readonly Proof[]>;
let before: unknown;

const prove = async (who: string, member: { readonly name: string }): Promise<void> => {
  for (const face of restFaces) proofs[face.name][who] = await face.proofOf(server, member);
};
const proofFor = ({ face }: Case, who: string): Proof => {
  const proof = proofs[face.name][who];
  if (!proof) throw new Error(`${who} was not proved`);
  return proof;
};

beforeAll(async () => {
  server = await startServer();
  family = await makeFamily(server);
  const { reseller, client, sibling, wholesaler, stranger } = family;
  await prove('caller', reseller);
  const gone = await makeRelative(server, reseller);
  await prove('gone', gone);
  const goneThings = await furnish(server, gone);
  await makeForbidden();
  const target = await makeRelative(server, reseller);
  const things = {
    neighbour: await furnish(server, sibling),
    ancestor: await furnish(server, wholesaler),
    stranger: await furnish(server, stranger),
    gone: goneThings,
    deleted: { ...goneThings, ...(await deletedThings(server, reseller)) },
    'customer of its own': await furnish(server, client),
    unknown: allThings(unknown),
    'no uuid': allThings('17'),
  };
  foreign = things;
  mine = { ...(await furnish(server, reseller)), customer: await uuidOf(server, target) };
  uuids = {
    caller: await uuidOf(server, reseller),
    client: things['customer of its own'].customer,
    sibling: things.neighbour.customer,
    wholesaler: things.ancestor.customer,
    gone: goneThings.customer,
    blocked: await uuidOf(server, blockedBelow),
    heir: await uuidOf(server, heir),
  };
  await makePeople();
  await reseller.as.call('deleteCustomer', { i_customer: gone.i_customer });
  wrong = {
    reseller: wrongHeaders(gone),
    tenant: wrongTokens(String(proofs.tenant['gone']?.headers?.['authorization'])),
  };
  before = await everything(server);
}, 60_000);
afterAll(() => server.close());

/** Those who may not call at all, and those who have no rights. */
async function makeForbidden(): Promise<void> {
  const { reseller } = family;
  bare = await makeRelative(server);
  heir = await makeRelative(server, bare);
  const last = await makeRelative(server, heir);
  targets = new Map([
    [bare, allThings(await uuidOf(server, heir))],
    [heir, allThings(await uuidOf(server, last))],
  ]);
  await prove('bare', bare);
  await prove('heir', heir);
  await update(server.root, bare, { customers_mgmt: 0 });
  const blocked = await makeRelative(server);
  const below = await makeRelative(server, blocked);
  blockedBelow = await makeRelative(server, reseller);
  const closed = await makeMember(server);
  const fenced = await makeMember(server);
  const locked = await makeMember(server);
  for (const [who, member] of Object.entries({ blocked, below, closed, fenced, locked }))
    await prove(who, member);
  await block(server, blocked);
  await block(server, blockedBelow);
  await update(server.root, closed, { api_access: 0 });
  const api = resellerAs(server, rootIdentity);
  const body = { name: fenced.name, contact_name: 'x', ip_addresses: [{ ip_range: '10.0.0.0/8' }] };
  await resultOf(api('PUT', `/account/reseller/${await uuidOf(server, fenced)}`, body));
  const guess: Asking = {
    verb: 'GET',
    path: '/authenticated',
    proofs: [proofs.reseller['locked'] ?? {}, { headers: { 'x-auth-password': 'wrong-password' } }],
    from: lockedAt,
  };
  for (let times = 0; times < 20; times += 1) await askRest(server, guess);
}

async function makePeople(): Promise<void> {
  const admin: TenantCaller = await logIn(server, family.reseller.name, 'correct-horse-1');
  const make = async (permission: number): Promise<Proof> => {
    const username = uniqueName('person');
    await admin.ok('POST', '/agents', { username, password: agentPassword, permission });
    const { token } = await logIn(server, username, agentPassword);
    return { headers: { authorization: `Bearer ${token}` } };
  };
  people = { agent: await make(permissions.agent), manager: await make(permissions.manager) };
}

const wrongHeaders = (gone: Relative): Proof[] => {
  const { name } = family.reseller;
  const right = { 'x-auth-reseller': name, 'x-auth-user': name, 'x-auth-password': apiPassword };
  return [
    { ...right, 'x-auth-password': 'wrong-password' },
    { ...right, 'x-auth-user': 'nobody' },
    { ...right, 'x-auth-reseller': 'nobody' },
    { ...right, 'x-auth-reseller': gone.name, 'x-auth-user': gone.name },
    { ...right, 'x-auth-reseller': family.sibling.name },
  ].map((headers) => ({ headers }));
};

const wrongTokens = (ofGone: string): Proof[] => {
  const right = String(proofs.tenant['caller']?.headers?.['authorization']).slice('Bearer '.length);
  const [head = '', claims = '', signature = ''] = right.split('.');
  const bent = `${head}.${claims}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
  const unsigned = `${Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')}.${claims}.`;
  return [
    { headers: { authorization: ofGone } },
    { headers: { authorization: `Bearer ${bent}` } },
    { headers: { authorization: `Bearer ${unsigned}` } },
    { headers: { cookie: `token=${bent}` } },
    { query: { token: 'nonsense' } },
    { query: { accesskey: right } },
  ];
};

interface Given extends Partial<Asking> {
  readonly at?: Things;
}

/** Asks as somebody, aimed at the caller's own if nothing else is said, with the least valid body. */
function ask({ face, operation, row }: Case, given: Given = {}): Promise<RawAnswer> {
  const { verb, path } = operation;
  const { at = mine, body = row.body?.(), ...more } = given;
  const id = row.names === undefined ? '' : at[row.names];
  return askRest(server, {
    verb,
    path: face.base + path.replace(/\{\w+\}/, id),
    proofs: [proofs[face.name]['caller'] ?? {}],
    body,
    ...more,
  });
}

/** The answer has the status and the envelope of its face; answers what was refused. */
function refusalOf({ face }: Case, answer: RawAnswer, status: number) {
  const body: unknown = JSON.parse(answer.body.toString());
  expect([answer.status, body]).toEqual([status, face.envelope(status)]);
  return face.refusalIn(body);
}

/** All answers are this refusal, in the same bytes. */
async function expectSame(one: Case, status: number, answers: Record<string, Promise<RawAnswer>>) {
  const given: [string, RawAnswer][] = [];
  for (const [who, answer] of Object.entries(answers)) given.push([who, await answer]);
  for (const [, answer] of given) refusalOf(one, answer, status);
  const [first] = given;
  expect(given.map(([who, answer]) => [who, bytesOfAnswer(answer)])).toEqual(
    given.map(([who]) => [who, first && bytesOfAnswer(first[1])]),
  );
  return refusalOf(one, first?.[1] as RawAnswer, status);
}

describe.each(restFaces)('the table of the $name face', ({ operations, rows }) => {
  const names = operations.map(({ verb, path }) => `${verb} ${path}`);

  test.each(names)('has a row for %s', (name) => {
    if (rows[name] === undefined)
      throw new Error(`${name} is served, but no row of test/setup/rest-rows.ts says how to call it`);
    expect(rows[name].names !== undefined).toBe(/\{\w+\}/.test(name));
  });

  test('has no row for what is not served', () => {
    expect(Object.keys(rows).filter((name) => !names.includes(name))).toEqual([]);
  });
});

describe.each(cases.map((one) => [one.title, one] as const))('%s', (_title, one) => {
  const { face, operation, row } = one;
  const { method } = operation;

  test('without credentials, with wrong ones, and in clear, is HTTP 401', async () => {
    const none = await expectSame(one, 401, { none: ask(one, { proofs: [] }) });
    const answers = wrong[face.name].map(
      (proof, n) => [String(n), ask(one, { proofs: [proof], from: guesser() })] as const,
    );
    const words = await expectSame(one, 401, Object.fromEntries(answers));
    expect(words.message).not.toBe(none.message);
    const forwarded = { 'x-forwarded-for': '203.0.113.7' };
    expect(refusalOf(one, await ask(one, { headers: forwarded }), 401).message).toContain('TLS');
  });

  test('of somebody who may not call is HTTP 403', async () => {
    const as = (who: string) => ask(one, { proofs: [proofFor(one, who)] });
    const { message } = await expectSame(one, 403, { blocked: as('blocked'), below: as('below') });
    expect(message).toContain('blocked');
    expect(refusalOf(one, await as('fenced'), 403).message).toContain('address');
    if (face.name === 'reseller') refusalOf(one, await as('closed'), 403);
  });

  // A token stays good while its login is locked: the lock is at /auth/login, and test/tenant/sessions.test.ts asks there.
  if (face.name === 'reseller') {
    test('of a login that is locked is HTTP 429, with a time after which to come again', async () => {
      const answer = await ask(one, { proofs: [proofFor(one, 'locked')], from: lockedAt });
      refusalOf(one, answer, 429);
      expect(headerOf(answer, 'retry-after')).toMatch(/^[1-9]\d*$/);
    });
  }

  test('on behalf of anybody who is not below the caller is the same HTTP 404', async () => {
    const behalf = (name: string, uuid: string, at = mine) =>
      ask(one, { proofs: [proofFor(one, 'caller'), face.onBehalf({ name, uuid })], at });
    const { wholesaler, sibling, gone, client } = family;
    const answers = {
      unknown: behalf('nobody', unknown),
      neighbour: behalf(sibling.name, uuids.sibling),
      ancestor: behalf(wholesaler.name, uuids.wholesaler),
      deleted: behalf(gone.name, uuids.gone),
      'with its own': behalf(sibling.name, uuids.sibling, foreign['neighbour']),
      root: behalf('root', await uuidOf(server, root)),
      nonsense: behalf('', 'nonsense'),
      // By its name only one below the caller can be meant.
      ...(face.name === 'reseller' && { itself: behalf(family.reseller.name, uuids.caller) }),
    };
    const refused = operation.on_behalf === 'refused';
    const { message } = await expectSame(one, refused ? 400 : 404, answers);
    if (refused) {
      expect(message).toContain('must not be sent with');
      refusalOf(one, await behalf(client.name, uuids.client), 400);
      return;
    }
    expect(message).toBe('Customer not found');
    const { message: words } = refusalOf(one, await behalf(blockedBelow.name, uuids.blocked), 403);
    expect(words).toContain('blocked');
  });

  if (operation.on_behalf === 'taken') {
    test('acting for a customer below needs the right, whatever the customer holds', async () => {
      const proof = [proofFor(one, 'bare'), face.onBehalf({ name: heir.name, uuid: uuids.heir })];
      const answer = await ask(one, { proofs: proof, at: allThings(unknown) });
      if (method.access === 'read' && method.right === 'none') expect([200, 404]).toContain(answer.status);
      else expect(refusalOf(one, answer, 403).message).toMatch(/^The right to/);
    });
  }

  // Free for oneself, but not on a customer below that the path names.
  const ofOthers = typeof method.right === 'object' && row.names === 'customer';
  if (ofOthers || (method.right !== 'none' && typeof method.right === 'string')) {
    test('without the right, or with a right that was taken away above, is HTTP 403', async () => {
      for (const [caller, at] of targets) {
        const as = (at: Things) =>
          ask(one, { proofs: [proofFor(one, caller === bare ? 'bare' : 'heir')], at });
        const { message } = refusalOf(one, await as(at), 403);
        expect(message).toContain('customers_mgmt');
        if (!ofOthers) expect(bytesOfAnswer(await as(allThings(unknown)))).toBe(bytesOfAnswer(await as(at)));
      }
    });
  }

  const { needs } = operation;
  if (needs !== undefined) {
    test('of people who lack the permission is HTTP 403', async () => {
      const as = (proof: Proof, at?: Things) => ask(one, { proofs: [proof], ...(at && { at }) });
      const { agent, manager } = people;
      // What an agent may do, it may do to itself.
      const ofAgent = { own: as(agent), unknown: as(agent, allThings(unknown)) };
      expect((await expectSame(one, 403, ofAgent)).message).toContain('permission');
      if ((needs & permissions.manager) === 0)
        await expectSame(one, 403, { own: as(manager), unknown: as(manager, allThings(unknown)) });
      const delegated = face.onBehalf({ name: family.client.name, uuid: uuids.client });
      refusalOf(one, await ask(one, { proofs: [manager, delegated] }), 403);
    });
  }

  const named = row.names;
  if (named !== undefined) {
    test('on what is not the caller’s is HTTP 404, as on what does not exist', async () => {
      for (const body of [row.body?.(), ...(row.others ?? [])]) {
        const on = ([who, at]: readonly [string, Things]) => [who, ask(one, { at, body })] as const;
        const answers = Object.fromEntries(strangersTo(one, named).map(on));
        expect(Object.keys(answers).length).toBeGreaterThanOrEqual(6);
        const { message } = await expectSame(one, 404, answers);
        expect(message).toMatch(/ not found$/);
      }
    });
  }

  if (row.refers) {
    test('with a reference to what is not the caller’s is refused as if it did not exist', async () => {
      const places = row.refers?.(mine).length ?? 0;
      for (let place = 0; place < places; place += 1) {
        const to = Object.entries(foreign).filter(([whose]) => whose !== 'no uuid');
        const answers = to.map(
          ([whose, them]) => [whose, ask(one, { body: row.refers?.(them)[place] })] as const,
        );
        await expectSame(one, face.wrong_reference, Object.fromEntries(answers));
      }
    });
  }

  test('with a parameter that is missing, of a wrong type, too large or unknown, is HTTP 400 and names it', async () => {
    const body = row.body?.() ?? {};
    for (const [name, wrongBody] of wrongBodies(one, body)) {
      const { field, message } = refusalOf(one, await ask(one, { body: wrongBody }), 400);
      expect([field?.split(/[[.]/)[0], message]).toEqual([name, expect.stringContaining(name)]);
    }
    for (const [name, query] of wrongQueries(one)) {
      const { field, message } = refusalOf(one, await ask(one, { query }), 400);
      expect([field, message]).toEqual([name, expect.stringContaining(name)]);
    }
    for (const text of takesBody(operation) ? ['{', '[1]', '"x"', '{"a":1e}', '\u00ff'] : ['{}', '[]', 'x'])
      refusalOf(one, await ask(one, { body: text }), 400);
    if (operation.idempotent) {
      for (const key of ['', 'ä', 'x'.repeat(256)]) {
        const { field } = refusalOf(one, await ask(one, { headers: { 'idempotency-key': key } }), 400);
        expect(field).toBe('Idempotency-Key');
      }
    }
  });

  test('with a body over the limit is HTTP 413, or 400 where none is looked at', async () => {
    const body = `{"name":"${'x'.repeat(server.config.body_limit_bytes)}"}`;
    refusalOf(one, await ask(one, { body }), operation.verb === 'GET' ? 400 : 413);
  });
});

let guesses = 0;
/** An address of its own for every guess, because wrong passwords are counted. */
const guesser = (): string => `127.1.${Math.floor((guesses += 1) / 250)}.${(guesses % 250) + 1}`;

/** Those of whose things of this kind the caller knows nothing. */
function strangersTo({ face }: Case, named: Kind): (readonly [string, Things])[] {
  // What belongs to a customer below is reached on its behalf only; the customer itself is not hidden.
  const hidden = Object.entries(foreign).filter(
    ([whose]) => named !== 'customer' || whose !== 'customer of its own',
  );
  // Over the reseller face a customer is below the caller, or none.
  const isNone = face.name === 'reseller' && named === 'customer';
  return isNone ? [...hidden, ['itself', allThings(uuids.caller)]] : hidden;
}

const wrongValues: Readonly<Record<Declared['wire'], unknown>> = {
  integer: 'x',
  bit: 'x',
  flag: 'x',
  double: 'x',
  money: 'x',
  text: true,
  list: 5,
  struct: 5,
  any: undefined,
};

/** Values that the declaration of a member does not let in. */
function valuesAgainst(field: Declared): unknown[] {
  const { wire, maxLength, minimum, maximum, enum: known } = field;
  return [
    wrongValues[wire],
    ...(maxLength === undefined ? [] : ['x'.repeat(maxLength + 1)]),
    ...(minimum === undefined ? [] : [minimum - 1]),
    ...(maximum === undefined ? [] : [maximum + 1]),
    ...(known === undefined ? [] : ['none of these']),
    ...(wire === 'list' ? [[true]] : []),
    ...(field.nullable === true ? [] : [null]),
    ...(wire === 'integer' || wire === 'money' ? [1.5e300, 'NaN', ' 1'] : []),
  ].filter((value) => value !== undefined);
}

/** Bodies with one mistake, each with the name that must be told. */
function wrongBodies({ operation }: Case, body: Members): [string, Members][] {
  const { method, from } = operation;
  const fieldOf = (name: string): Declared => declared(method.params.properties[name] ?? method.params);
  const without = (name: string): Members =>
    Object.fromEntries(Object.entries(body).filter(([each]) => each !== name));
  const required = (method.params.required ?? []).filter((name) => from.body.includes(name));
  return [
    ...required.map((name): [string, Members] => [name, without(name)]),
    ...from.body.flatMap((name) =>
      valuesAgainst(fieldOf(name)).map((value): [string, Members] => [name, { ...body, [name]: value }]),
    ),
    ...(takesBody(operation)
      ? unknownNames.map((name): [string, Members] => [name, withMember(body, name)])
      : []),
  ];
}

const takesBody = ({ verb }: Case['operation']): boolean => verb === 'POST' || verb === 'PUT';
const unknownNames = ['no_such_member', '__proto__', 'constructor', 'i_wholesaler', 'idempotency_key'];
const withMember = (body: Members, name: string): Members =>
  JSON.parse(JSON.stringify({ ...body, '@': 1 }).replace('"@"', JSON.stringify(name))) as Members;

/** Queries with one mistake, each with the name that must be told. */
function wrongQueries({ operation, row }: Case): [string, string][] {
  const { method, from } = operation;
  const ofQuery = from.query.flatMap((name): [string, string][] => {
    const { wire, maximum = 0, maxLength = 0 } = declared(method.params.properties[name] ?? method.params);
    const values =
      wire === 'integer'
        ? ['x', '', '0', '1.5', '1e1', String(maximum + 1)]
        : ['%00', 'x'.repeat(maxLength + 1)];
    return [
      ...values.map((value): [string, string] => [name, `${name}=${value}`]),
      [name, `${name}=1&${name}=1`],
    ];
  });
  const { lists } = row;
  // The caller's own, deleted or not, is a place where its list may go on.
  const own = ['deleted', 'gone', ...(lists === 'customer' ? ['customer of its own'] : [])];
  const places = Object.entries(foreign).filter(([whose]) => !own.includes(whose));
  return [
    ...ofQuery,
    ...(lists ? places.map(([, them]): [string, string] => ['after', `after=${them[lists]}`]) : []),
    ['no_such_parameter', 'no_such_parameter=1'],
    ['__proto__', '__proto__=1'],
  ];
}

test('after all these refusals nothing has changed', async () => {
  expect(await everything(server)).toEqual(before);
});

/** Deleting comes last, and what others need, after them. */
const turn = ({ operation: { verb } }: Case): number => ['GET', 'POST', 'PUT', 'DELETE'].indexOf(verb);

test.each(cases.toSorted((a, b) => turn(a) - turn(b)).map((one) => [one.title, one] as const))(
  '%s is answered to those who may',
  async (_title, one) => {
    const { names } = one.row;
    const isDelete = one.operation.verb === 'DELETE' && names !== undefined;
    const id = isDelete ? await freshOne(names) : undefined;
    const answer = await ask(one, id === undefined ? {} : { at: allThings(id) });
    expect([answer.status, answer.body.toString()]).toEqual([200, expect.any(String)]);
  },
);

const freshOne = async (kind: Kind): Promise<string> =>
  isOwned(kind)
    ? makeOne(server, family.reseller, kind)
    : // One that holds money would be refused.
      uuidOf(server, await makeRelative(server, family.reseller, { balance: -1 }));
