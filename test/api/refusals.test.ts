/**
 * Who may call what, on whom: a table made from the registry, so that no method comes in without
 * being asked all of it. A new method needs one line in `test/setup/rows.ts`. What is not the caller's and what
 * does not exist must not be told apart, so whole bodies are compared, byte for byte. Last, which
 * of several faults is answered.
 */
import { allMethods } from '../../src/server/app';
import { everything } from '../setup/everything';
import {
  type Answer,
  type Family,
  type Post,
  type Relative,
  type Target,
  block,
  create,
  createFault,
  isOk,
  makeFamily,
  makeRelative,
  naming,
  nobody,
  post,
  root,
  updateFault,
} from '../setup/family';
import { rows } from '../setup/rows';
import {
  type Member,
  type Members,
  type TestServer,
  apiPassword,
  makeMember,
  startServer,
  uniqueName,
} from '../setup/server';

const registered = allMethods(() => {
  throw new Error('Nothing is called here');
});
const methods = registered.filter((method) => method.trusted !== 'never');
const covered = methods.flatMap((method, index) => {
  const row = rows[method.name];
  return row ? [{ ...method, row, index }] : [];
});
const trustedHost = '127.0.0.2';

let server: TestServer;
let family: Family;
/** Has a customer below it and lost its rights; the heir, below it, has all rights of its own. */
let bare: Relative;
let heir: Relative;
let last: Relative;
/** Has no API access; and is blocked. */
let closed: Member;
let blocked: Member;
let before: unknown;

beforeAll(async () => {
  server = await startServer({ TRUSTED_HOSTS: trustedHost });
  family = await makeFamily(server);
  bare = await makeRelative(server);
  heir = await makeRelative(server, bare);
  last = await makeRelative(server, heir);
  const nothing = { accounts_mgmt: 0, customers_mgmt: 0, tariffs_mgmt: 0, vouchers_mgmt: 0, system_mgmt: 0 };
  await server.root.call('updateCustomer', { i_customer: bare.i_customer, ...nothing });
  closed = await makeMember(server, server.root, { api_access: 0 });
  blocked = await makeMember(server);
  await block(server, blocked);
  before = await everything(server);
});
afterAll(() => server.close());

const asMember = ({ name }: Member, rest: Post): Promise<Answer> =>
  post(server, { ...rest, login: [name, apiPassword] });
const trusted = (method: string, params: Members): Promise<Answer> =>
  post(server, { method, params, from: trustedHost });

const missingRight = /^The right to|^Only root/;

/** The text of the refusal; empty where the call succeeded. */
async function errorOverJson({ name }: Member, method: string, params: Members): Promise<string> {
  const answer = await fetch(`${server.url}/json/${method}`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${name}:${apiPassword}`).toString('base64')}` },
    body: JSON.stringify(params),
  });
  return ((await answer.json()) as { faultString?: string }).faultString ?? '';
}

/** All answers are this fault, in the same bytes. */
async function expectSame(fault: number, answers: Record<string, Promise<Answer>>): Promise<void> {
  const given = await Promise.all(
    Object.entries(answers).map(async ([who, answer]) => [who, await answer] as const),
  );
  expect(given.map(([who, answer]) => [who, answer.status, answer.fault])).toEqual(
    given.map(([who]) => [who, 200, fault]),
  );
  const first = given[0]?.[1].body ?? '';
  expect(Object.fromEntries(given.map(([who, { body }]) => [who, body]))).toEqual(
    Object.fromEntries(given.map(([who]) => [who, first])),
  );
}

describe('the table', () => {
  test.each(methods.map((method) => method.name))('has a row for %s', (name) => {
    if (rows[name] === undefined)
      throw new Error(`${name} is registered, but no row of test/setup/rows.ts says how to call it`);
  });

  test('has no row for what is not registered', () => {
    const names = new Set(methods.map((method) => method.name));
    expect(Object.keys(rows).filter((name) => !names.has(name))).toEqual([]);
  });
});

test.each(registered.map((method) => method.name))('%s without credentials is HTTP 401', async (method) => {
  const answer = await post(server, { method, params: rows[method]?.params(family.client) ?? {} });
  expect(answer.status).toBe(401);
  expect(answer.headers['www-authenticate']).toContain('Digest realm="Treeline"');
  expect(answer.body).not.toContain('methodResponse');
});

describe.each(covered)('$name', ({ name: method, access, right, trusted: trust, row, index }) => {
  const paramsFor = (target: Target): Members => row.params(target);

  test('with a wrong password is HTTP 401', async () => {
    // From an address of its own, because wrong passwords are counted.
    const from = `127.0.1.${index + 1}`;
    for (const login of [family.reseller.name, nobody.name, family.gone.name]) {
      const params = paramsFor(family.client);
      const answer = await post(server, { method, params, from, login: [login, 'wrong-password'] });
      expect(answer.status).toBe(401);
      expect(answer.headers['www-authenticate']).toContain('Digest');
      expect(answer.body).not.toContain('methodResponse');
    }
  });

  test('of a customer that is blocked or has no API access is refused', async () => {
    for (const member of [closed, blocked])
      expect(await asMember(member, { method, params: paramsFor(family.client) })).toMatchObject({
        status: 200,
        fault: 403,
      });
  });

  if (trust === 'required') {
    test('from a trusted host without i_wholesaler is fault 400', async () => {
      for (const i_wholesaler of [undefined, null]) {
        const params = { ...paramsFor(family.client), ...(i_wholesaler === null && { i_wholesaler }) };
        expect(await trusted(method, params)).toMatchObject({
          status: 200,
          fault: 400,
          text: 'Parameter i_wholesaler is required',
        });
      }
    });
  }

  test('from a trusted host for an unknown or deleted i_wholesaler is fault 404', async () => {
    const params = paramsFor(family.client);
    await expectSame(404, {
      unknown: trusted(method, { ...params, i_wholesaler: nobody.i_customer }),
      deleted: trusted(method, { ...params, i_wholesaler: family.gone.i_customer }),
      zero: trusted(method, { ...params, i_wholesaler: 0 }),
    });
  });

  test('from a trusted host for a blocked customer is fault 403', async () => {
    const params = { ...paramsFor(family.client), i_wholesaler: blocked.i_customer };
    expect(await trusted(method, params)).toMatchObject({ status: 200, fault: 403 });
  });

  test('from a password caller for anybody who is not it or below it is the same fault 404', async () => {
    const naming = (i_wholesaler: number | string): Promise<Answer> =>
      asMember(family.reseller, { method, params: { ...paramsFor(family.client), i_wholesaler } });
    const answers = {
      unknown: naming(nobody.i_customer),
      deleted: naming(family.gone.i_customer),
      root: naming(root.i_customer),
      parent: naming(family.wholesaler.i_customer),
      sibling: naming(family.sibling.i_customer),
      stranger: naming(String(family.stranger.i_customer)),
      zero: naming(0),
      negative: naming(-1),
      'negative as a string': naming('-1'),
    };
    await expectSame(404, answers);
    expect((await answers.unknown).text).toBe('Customer not found');
  });

  test('acting for a customer below needs the right, whatever the customer holds', async () => {
    const params = { ...paramsFor(heir), i_wholesaler: heir.i_customer };
    const xml = (await asMember(bare, { method, params })).text ?? '';
    const json = await errorOverJson(bare, method, params);
    if (access === 'read' && right === 'none') {
      for (const text of [xml, json]) expect(text).not.toMatch(missingRight);
      return;
    }
    for (const text of [xml, json]) expect(text).toMatch(missingRight);
  });

  if (right !== 'none') {
    test('without the right, or with a right that was taken away above, is fault 403', async () => {
      const without = right === 'root' ? family.reseller : bare;
      for (const [caller, target] of [
        [without, right === 'root' ? family.client : heir],
        [heir, last],
        [without, nobody],
        [heir, family.stranger],
      ] as const) {
        expect(await asMember(caller, { method, params: paramsFor(target) })).toMatchObject({
          status: 200,
          fault: 403,
        });
      }
      expect(await trusted(method, { ...paramsFor(last), i_wholesaler: heir.i_customer })).toMatchObject({
        status: 200,
        fault: 403,
      });
    });
  }

  if (row.at.length > 0 && right !== 'root') {
    test('on what is not below the caller is fault 404, as on what does not exist', async () => {
      const on = (target: Target): Promise<Answer> =>
        asMember(family.reseller, { method, params: paramsFor(target) });
      await expectSame(404, {
        unknown: on(nobody),
        ...(!row.at.includes('deleted') && { deleted: on(family.gone) }),
        root: on(root),
        parent: on(family.wholesaler),
        sibling: on(family.sibling),
        stranger: on(family.stranger),
        ...(!row.at.includes('itself') && { itself: on(family.reseller) }),
        'from below': asMember(family.client, { method, params: paramsFor(family.reseller) }),
        'on behalf': asMember(family.wholesaler, {
          method,
          params: { ...paramsFor(family.sibling), i_wholesaler: family.reseller.i_customer },
        }),
        trusted: trusted(method, {
          ...paramsFor(family.sibling),
          i_wholesaler: family.reseller.i_customer,
        }),
      });
    });
  }
});

test('getCustomerInfo by name is refused in the same bytes too', async () => {
  const named = (target: Target, member: string): Promise<Answer> =>
    asMember(family.reseller, { method: 'getCustomerInfo', params: { [member]: target.name } });
  await expectSame(404, {
    unknown: named(nobody, 'name'),
    deleted: named(family.gone, 'name'),
    root: named(root, 'name'),
    parent: named(family.wholesaler, 'name'),
    sibling: named(family.sibling, 'i_customer'),
    stranger: named(family.stranger, 'i_customer'),
    'unknown as i_customer': named(nobody, 'i_customer'),
  });
});

test('after all these refusals nothing has changed', async () => {
  expect(await everything(server)).toEqual(before);
});

test('the family is alive: what was refused above is answered to those who may', async () => {
  const answers = await Promise.all([
    asMember(family.reseller, { method: 'getCustomerInfo', params: { i_customer: family.shop.i_customer } }),
    asMember(family.reseller, { method: 'getCustomerInfo', params: { name: family.reseller.name } }),
    asMember(heir, { method: 'listCustomers' }),
    trusted('listCustomers', { i_wholesaler: closed.i_customer }),
  ]);
  expect(answers.map(isOk)).toEqual([true, true, true, true]);
});

describe('of several faults the first in this order is answered', () => {
  let family: Family;
  /** Holds no right over customers. */
  let weak: Member;
  /** May grant little, has room for one level, and tops nobody up. */
  let modest: Member;
  let child: { i_customer: number };
  beforeAll(async () => {
    family = await makeFamily(server);
    weak = await makeMember(server, server.root, { customers_mgmt: 0 });
    const little = { accounts_mgmt: 1, max_depth: 1, overcommit_protection: true };
    modest = await makeMember(server, server.root, little);
    child = await create(modest.as);
  });
  const taken = (): Members => ({ name: family.client.name, web_login: uniqueName() });

  test('an unknown method before its parameters', async () => {
    expect(await weak.as.fault('noSuchMethod', { nonsense: 1 })).toMatchObject({ faultCode: -32601 });
  });

  test('parameters, one at a time in the order of the definition, before i_wholesaler', async () => {
    const { i_customer: i_wholesaler } = family.stranger;
    const members: Members = { max_depth: -1, i_wholesaler };
    for (const [name, value] of Object.entries({
      i_tariff: null,
      name: 'x',
      web_password: 'correct-horse-1',
    })) {
      const refusal = { faultCode: 400, faultString: `Parameter ${name} is required` };
      expect(await weak.as.fault('createCustomer', members)).toEqual(refusal);
      const params = { ...members, i_wholesaler: nobody.i_customer };
      const trusted = await post(server, { method: 'createCustomer', params, from: trustedHost });
      expect(trusted).toMatchObject({ fault: 400, text: refusal.faultString });
      members[name] = value;
    }
    expect((await weak.as.fault('createCustomer', members)).faultString).toContain('Parameter max_depth');
    const without = await post(server, { method: 'createCustomer', from: trustedHost });
    expect(without.text).toBe('Parameter i_tariff is required');
  });

  test('i_wholesaler before the right', async () => {
    const params = { ...child, i_wholesaler: nobody.i_customer };
    expect(await weak.as.fault('deleteCustomer', params)).toMatchObject({ faultCode: 404 });
  });

  test('the right before the target', async () => {
    for (const target of [nobody, family.client, weak])
      expect(await updateFault(weak.as, target, { description: 'x' })).toEqual(naming('customers_mgmt'));
  });

  test('the target before the grant and the depth', async () => {
    for (const target of [nobody, family.client, modest])
      for (const members of [{ accounts_mgmt: 7 }, { max_depth: 9 }, { max_depth: null }])
        expect(await updateFault(modest.as, target, members)).toMatchObject({ faultCode: 404 });
  });

  test('the grant and the depth before a reference', async () => {
    const wrong = { i_tariff: nobody.i_customer, i_commission_agent: nobody.i_customer };
    for (const members of [{ accounts_mgmt: 2 }, { max_depth: 1 }]) {
      const [name = ''] = Object.keys(members);
      expect(await createFault(modest.as, { ...wrong, ...members })).toEqual(naming(name));
      expect(await updateFault(modest.as, child, { ...wrong, ...members })).toEqual(naming(name));
    }
  });

  test('a reference before a conflict', async () => {
    const members = { ...taken(), i_routing_group: nobody.i_customer };
    expect(await createFault(modest.as, members)).toMatchObject({ faultCode: 401 });
    expect(await updateFault(modest.as, child, members)).toMatchObject({ faultCode: 401 });
  });

  test('a conflict before money', async () => {
    expect(await createFault(modest.as, { ...taken(), balance: 1 })).toMatchObject({ faultCode: 409 });
    expect(await updateFault(modest.as, child, { ...taken(), balance: 1 })).toMatchObject({ faultCode: 409 });
    expect(await createFault(modest.as, { balance: 1 })).toMatchObject({ faultCode: 402 });
    expect(await updateFault(modest.as, child, { balance: 1 })).toMatchObject({ faultCode: 402 });
  });
});
