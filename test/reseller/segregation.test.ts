/**
 * Every operation of the reseller API with every name that is not the caller's to use: a neighbour's, an
 * ancestor's, one that is deleted, one that never was. All of them are answered alike, byte for byte.
 */
import { resellerOperations } from '../../src/reseller/operations';
import { runSql } from '../setup/family';
import { type Reseller, bytesOf, newNumber, resellerOf, resultOf } from '../setup/reseller';
import {
  type Member,
  type Members,
  type TestServer,
  makeMember,
  startServer,
  uniqueName,
} from '../setup/server';

let server: TestServer;
let grandparent: Member;
let parent: Member;
let caller: Member;
let neighbour: Member;
let gone: Member;
let child: Member;

const unknown = '3951ec81-cca4-4c4a-8efb-4bce76e04032';

/** What POST takes for each path; `/account/reseller` apart, as it makes customers. */
const bodies: Readonly<Record<string, () => Members>> = {
  '/account/store': () => ({ name: uniqueName('store') }),
  '/account/reseller-user': () => ({ name: uniqueName('user'), password: 'correct-horse-1', role_id: 1 }),
  '/account/reseller-address': () => ({ street_one: '1 High Street', city: 'Guildford', country_code: 'GB' }),
  '/voip/user': () => ({ name: uniqueName('sip'), password: 'correct-horse-1' }),
  '/voip/number': () => ({ number: newNumber() }),
  '/dom/domain': () => ({ name: `${uniqueName('d')}.example` }),
  '/voip/domain': () => ({ name: `${uniqueName('d')}.example` }),
  '/account/reseller': () => ({ name: uniqueName('customer'), contact_name: 'Somebody' }),
};

/** The uuids of things of each path that are not the caller's, by what they are. */
const foreign: Record<string, Record<string, string>> = {};

beforeAll(async () => {
  server = await startServer();
  grandparent = await makeMember(server);
  parent = await makeMember(server, grandparent.as);
  caller = await makeMember(server, parent.as, { balance: 100 });
  neighbour = await makeMember(server, parent.as);
  gone = await makeMember(server, caller.as);
  child = await makeMember(server, caller.as);
  for (const [path, body] of Object.entries(bodies)) {
    const makeBy = async (call: Reseller): Promise<string> =>
      String((await resultOf(call('POST', path, body()))).uuid);
    const mine = resellerOf(server, caller);
    const deleted = await makeBy(mine);
    await resultOf(mine('DELETE', `${path}/${deleted}`));
    foreign[path] = {
      neighbour: await makeBy(resellerOf(server, neighbour)),
      ancestor: await makeBy(resellerOf(server, grandparent)),
      deleted,
      unknown,
      'no uuid': '17',
    };
    if (path === '/account/reseller') {
      const uuidOf = async ({ i_customer }: Member): Promise<string> =>
        (
          await runSql<{ uuid: string }>(
            server,
            'SELECT uuid FROM customers WHERE i_customer = $1',
            i_customer,
          )
        )[0]?.uuid ?? '';
      Object.assign(foreign[path], {
        neighbour: await uuidOf(neighbour),
        ancestor: await uuidOf(parent),
        itself: await uuidOf(caller),
      });
    } else {
      // Those of its own customers are not its own either: for them there is X-Auth-For.
      foreign[path]['customer of its own'] = await makeBy(resellerOf(server, child));
    }
  }
  await caller.as.call('deleteCustomer', { i_customer: gone.i_customer });
}, 60_000);
afterAll(() => server.close());

/** A body that is right, so that nothing but the name is wrong. */
function bodyFor(verb: string, path: string): Members | undefined {
  if (verb === 'POST') return bodies[path]?.();
  return verb === 'PUT' ? bodies[path.replace('/{uuid}', '')]?.() : undefined;
}

const everything = async (): Promise<unknown> => {
  const tables = ['customers', 'users', 'numbers', 'sip_users', 'domains', 'stores', 'addresses', 'entries'];
  const counts = tables.map(
    (table) => `(SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM ${table} t) AS ${table}`,
  );
  return runSql(server, `SELECT ${counts.join(', ')}`);
};

test('every path of the page is there, with every verb', () => {
  const served = resellerOperations.map(({ verb, path }) => `${verb} ${path}`).sort();
  const wanted = Object.keys(bodies).flatMap((path) => [
    ...['GET', 'POST'].map((verb) => `${verb} ${path}`),
    ...['GET', 'PUT', 'DELETE'].map((verb) => `${verb} ${path}/{uuid}`),
  ]);
  expect(served).toEqual([...wanted, 'GET /authenticated', 'GET /account/balance'].sort());
});

const named = resellerOperations.filter(({ path }) => path.includes('{uuid}'));
test.each(named.map(({ verb, path }) => [verb, path] as const))(
  '%s %s does not know what is not the caller’s',
  async (verb, path) => {
    const before = await everything();
    const body = bodyFor(verb, path);
    const bodiesTried =
      path.startsWith('/account/reseller/') && verb === 'PUT' ? [body, { balance: 1 }] : [body];
    const uuids = Object.entries(foreign[path.replace('/{uuid}', '')] ?? {});
    expect(uuids.length).toBeGreaterThanOrEqual(6);
    for (const tried of bodiesTried) {
      const answers = new Set<string>();
      for (const [, uuid] of uuids) {
        answers.add(bytesOf(await resellerOf(server, caller)(verb, path.replace('{uuid}', uuid), tried)));
      }
      expect([...answers]).toEqual([expect.stringMatching(/^404 \{"result":\{\},"status_code":404/)]);
    }
    expect(await everything()).toEqual(before);
  },
);

test.each(resellerOperations.map(({ verb, path, on_behalf }) => [verb, path, on_behalf] as const))(
  '%s %s runs for nobody who is not below the caller',
  async (verb, path, on_behalf) => {
    const before = await everything();
    const names = [
      neighbour.name,
      parent.name,
      grandparent.name,
      'root',
      gone.name,
      'nobody',
      caller.name,
      '',
    ];
    const answers = new Set<string>();
    const body = bodyFor(verb, path);
    for (const name of names) {
      const call = resellerOf(server, caller, name);
      answers.add(bytesOf(await call(verb, path.replace('{uuid}', unknown), body)));
    }
    const expected =
      on_behalf === 'refused' ? /^400 .*X-Auth-For must not be sent with/ : /^404 .*Customer not found/;
    expect([...answers]).toEqual([expect.stringMatching(expected)]);
    expect(await everything()).toEqual(before);
  },
);

test('names of others are no places in lists', async () => {
  for (const [path, uuids] of Object.entries(foreign)) {
    const answers = new Set<string>();
    for (const [whose, uuid] of Object.entries(uuids)) {
      // The caller's own, deleted, is a place where its list may go on.
      if (whose === 'deleted') continue;
      answers.add(bytesOf(await resellerOf(server, caller)('GET', `${path}?after=${uuid}`)));
    }
    expect([...answers]).toEqual([expect.stringMatching(/^400 .*"field":"after"/)]);
  }
});

test('a store of somebody else is none', async () => {
  const { neighbour: other = '', ancestor = '', deleted = '' } = foreign['/account/store'] ?? {};
  const people = {
    users: [{ name: 'admin', password: 'correct-horse-1', role_id: 3 }],
    addresses: [{ street_one: '1 High Street', city: 'Guildford', country_code: 'GB' }],
  };
  const answers = new Set<string>();
  for (const store_front of [other, ancestor, deleted, unknown]) {
    const body = { name: uniqueName('shopper'), contact_name: 'Somebody', ...people, store_front };
    answers.add(bytesOf(await resellerOf(server, caller)('POST', '/account/reseller', body)));
  }
  expect([...answers]).toEqual([expect.stringMatching(/^400 .*Wrong store_front/)]);
});

test('every customer may have its 1001; a number or a domain has one owner at a time', async () => {
  const number = newNumber();
  const domain = { name: `${uniqueName('d')}.example` };
  const sipUser = { name: 'reception', password: 'correct-horse-1', extension: 1001 };
  for (const name of [undefined, child.name]) {
    const call = resellerOf(server, caller, name);
    expect(await resultOf(call('POST', '/voip/user', sipUser))).toMatchObject({ extension: '1001' });
    expect((await call('POST', '/voip/user', { ...sipUser, name: 'other' })).status).toBe(409);
    expect((await call('POST', '/voip/user', { ...sipUser, extension: '1002' })).status).toBe(409);
  }
  await resultOf(resellerOf(server, caller)('POST', '/voip/number', { number }));
  await resultOf(resellerOf(server, caller)('POST', '/voip/domain', domain));
  const other = resellerOf(server, neighbour);
  expect((await other('POST', '/voip/number', { number })).status).toBe(409);
  expect((await other('POST', '/dom/domain', { name: domain.name.toUpperCase() })).status).toBe(409);
});

test('deleting a customer frees what it had', async () => {
  const doomed = await makeMember(server, caller.as);
  const number = newNumber();
  const name = `${uniqueName('d')}.example`;
  const call = resellerOf(server, doomed);
  await resultOf(call('POST', '/voip/number', { number }));
  await resultOf(call('POST', '/voip/domain', { name }));
  const [row] = await runSql<{ uuid: string }>(
    server,
    'SELECT uuid FROM customers WHERE i_customer = $1',
    doomed.i_customer,
  );
  await resultOf(resellerOf(server, caller)('DELETE', `/account/reseller/${String(row?.uuid)}`));
  expect((await call('GET', '/authenticated')).status).toBe(401);
  const other = resellerOf(server, neighbour);
  expect(await resultOf(other('POST', '/voip/number', { number }))).toMatchObject({ number });
  expect(await resultOf(other('POST', '/dom/domain', { name }))).toMatchObject({ name });
});
