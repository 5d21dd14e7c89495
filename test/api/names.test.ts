/**
 * What people recognise one another by: no name holds characters that nobody sees, none looks like root's, and a login
 * that ends with a customer's name belongs to that customer.
 */
import { looksLikeRoot } from '../../src/core/schema/look-alikes';
import { create, createFault, runSql, update, updateFault } from '../setup/family';
import { identityOf, messageOf, resellerAs, resellerOf, resultOf } from '../setup/reseller';
import { type Member, type TestServer, makeMember, startServer, uniqueName } from '../setup/server';
import { logIn } from '../setup/tenant';

let server: TestServer;
let member: Member;
beforeAll(async () => {
  server = await startServer();
  member = await makeMember(server, server.root, { balance: 5 });
});
afterAll(() => server.close());

const web_password = 'correct-horse-1';
const newUser = (web_login: string, more: object = {}) => ({ web_login, web_password, ...more });

describe('characters that nobody sees', () => {
  const invisible = {
    'zero width space': '\u200b',
    'zero width joiner': '\u200d',
    'right-to-left override': '\u202e',
    'left-to-right isolate': '\u2066',
    'Arabic letter mark': '\u061c',
    'soft hyphen': '\u00ad',
    'byte order mark': '\ufeff',
    'word joiner': '\u2060',
    'Hangul filler': '\u3164',
    'variation selector': '\ufe0f',
    tag: '\u{e0061}',
    'blank of Braille': '\u2800',
  };

  test.each(Object.entries(invisible))(
    '%s is refused in the name and the login of a customer',
    async (_, character) => {
      const name = `${uniqueName()}${character}`;
      const fault = { faultCode: 400, faultString: 'Parameter name must not contain invisible characters' };
      expect(await createFault(member.as, { name, web_login: uniqueName() })).toEqual(fault);
      const { faultString } = await createFault(member.as, { web_login: name });
      expect(faultString).toBe('Parameter web_login must not contain invisible characters');
    },
  );

  test('they are refused in every other name over every API', async () => {
    const spoofed = 'Bank\u202eknaB';
    const problem = 'must not contain invisible characters';
    const user = await member.as.fault('createWebUser', newUser(spoofed));
    expect(user.faultString).toBe(`Parameter web_login ${problem}`);
    const person = await member.as.fault('createWebUser', newUser(uniqueName(), { name: spoofed }));
    expect(person.faultString).toBe(`Parameter name ${problem}`);
    for (const field of ['company_name', 'first_name', 'last_name', 'contact']) {
      const fault = await createFault(member.as, { [field]: spoofed });
      expect(fault.faultString).toBe(`Parameter ${field} ${problem}`);
    }
    const reseller = resellerOf(server, member);
    const password = web_password;
    expect(messageOf(await reseller('POST', '/account/store', { name: spoofed }))).toMatch(
      `400 Parameter name ${problem}`,
    );
    for (const [path, body] of [
      ['/account/reseller', { name: spoofed, contact_name: 'x' }],
      ['/account/reseller', { name: uniqueName(), contact_name: spoofed }],
      ['/account/reseller-user', { name: spoofed, password, role_id: 1 }],
      ['/voip/user', { name: spoofed, password }],
      ['/voip/user', { name: uniqueName(), password, display_name: spoofed }],
    ] as const)
      expect(messageOf(await reseller('POST', path, body))).toMatch(new RegExp(`^400 .*${problem}`));
    const tenant = await logIn(server, member.name, web_password);
    for (const [path, body] of [
      ['/customers', { name: spoofed }],
      ['/agents', { username: spoofed }],
      ['/agents', { username: uniqueName(), name: spoofed }],
      ['/flows', { name: spoofed }],
    ] as const)
      expect(await tenant.refusal('POST', path, body)).toMatchObject({
        http: 400,
        message: expect.stringContaining(problem) as string,
      });
  });

  test('letters of every script, accents and spaces stay allowed', async () => {
    for (const name of ['Zoë', 'Żółw', 'Товары', '株式会社', 'محل', 'हिन्दी', 'a b'])
      await create(member.as, { name: `${name} ${uniqueName()}` });
  });
});

describe('names that look like root', () => {
  test.each([
    'r00t',
    'ro ot',
    ' root',
    'root.',
    'R\u00f6\u00f6t',
    'r\u03bf\u03bft',
    '\u0433\u043e\u043e\u0442',
    '\u0280\u1d0f\u1d0f\u1d1b',
    'ro\u0323ot',
    '\u13a1OO\u13a2',
  ])('%j is refused as a name and as a login', async (name) => {
    expect(looksLikeRoot(name)).toBe(true);
    expect(await createFault(member.as, { name, web_login: uniqueName() })).toEqual({
      faultCode: 400,
      faultString: 'Parameter name must not look like root',
    });
    expect((await createFault(member.as, { web_login: name })).faultString).toBe(
      'Parameter web_login must not look like root',
    );
    expect((await member.as.fault('createWebUser', newUser(name))).faultString).toBe(
      'Parameter web_login must not look like root',
    );
  });

  test('root itself, in any case or width, is taken', async () => {
    for (const name of ['root', 'ROOT', '\uff52\uff4f\uff4f\uff54'])
      expect(await createFault(member.as, { name, web_login: uniqueName() })).toMatchObject({
        faultCode: 409,
      });
  });

  test('names that only begin or end so are allowed, and a user of a customer may be called root', async () => {
    for (const name of ['roots', 'rooted', 'beetroot', 'root & branch', 'route']) {
      expect(looksLikeRoot(name)).toBe(false);
      await create(member.as, { name: `${name} ${uniqueName()}` });
    }
    const user = { name: 'r00t', password: web_password, role_id: 1 };
    await resultOf(resellerOf(server, member)('POST', '/account/reseller-user', user));
  });
});

describe('a login that ends with the name of a customer', () => {
  const taken = { faultCode: 409, faultString: 'This web_login is taken already' };
  let victim: Member;
  let attacker: Member;
  beforeEach(async () => {
    victim = await makeMember(server);
    attacker = await makeMember(server);
  });

  test('is refused to everybody else, however it is spelled', async () => {
    for (const name of [victim.name, victim.name.toUpperCase()]) {
      expect(await attacker.as.fault('createWebUser', newUser(`admin@${name}`))).toEqual(taken);
      expect(await attacker.as.fault('createWebUser', newUser(`a@b@${name}`))).toEqual(taken);
      expect(await attacker.as.fault('createWebUser', newUser(`admin\uff20${name}`))).toEqual(taken);
      expect(await createFault(attacker.as, { web_login: `admin@${name}` })).toEqual(taken);
      expect(await createFault(attacker.as, { name: `admin@${name}` })).toEqual(taken);
      expect(await server.root.fault('createWebUser', newUser(`admin@${name}`))).toEqual(taken);
    }
  });

  test('is refused to others by a change of login and over the REST APIs', async () => {
    const login = `admin@${victim.name}`;
    const { i_web_user } = await attacker.as.call('createWebUser', newUser(uniqueName()));
    expect(await attacker.as.fault('updateWebUser', { i_web_user, web_login: login })).toEqual(taken);
    const below = await create(attacker.as);
    expect(await updateFault(attacker.as, below, { web_login: login })).toEqual(taken);
    const tenant = await logIn(server, attacker.name, web_password);
    expect(await tenant.refusal('POST', '/agents', { username: login })).toMatchObject({ http: 409 });
    // The attacker's own name decides over REST, so a customer of such a name cannot give its users logins of others.
    const spoof = await makeMember(server, attacker.as, {
      name: `x@${victim.name}`,
      web_login: uniqueName(),
    });
    const reseller = resellerAs(server, { ...identityOf(spoof), user: await loginOf(spoof) });
    const user = { name: 'admin', password: web_password, role_id: 1 };
    expect((await reseller('POST', '/account/reseller-user', user)).status).toBe(409);
  });

  const loginOf = async ({ i_customer }: Member): Promise<string> => {
    const text = 'SELECT web_login FROM users WHERE i_customer = $1 AND is_default';
    const [row] = await runSql<{ web_login: string }>(server, text, i_customer);
    return row?.web_login ?? '';
  };

  test('is free to the customer itself, and to those who give it users', async () => {
    await victim.as.call('createWebUser', newUser(`admin@${victim.name}`));
    const user = { name: 'sales', password: web_password, role_id: 1 };
    await resultOf(resellerOf(server, victim)('POST', '/account/reseller-user', user));
    const { i_customer } = victim;
    await server.root.call('createWebUser', newUser(`given@${victim.name}`, { i_customer }));
    await attacker.as.call('createWebUser', newUser(`somebody@${uniqueName('nobody')}.example`));
  });

  test('a name is refused to a new customer while logins of others end with it, and is free after them', async () => {
    const name = uniqueName('early');
    const { i_web_user } = await attacker.as.call('createWebUser', newUser(`admin@${name}`));
    const refused = { faultCode: 409, faultString: 'Logins of other customers end with @ and this name' };
    expect(await createFault(server.root, { name })).toEqual(refused);
    expect(await updateFault(server.root, victim, { name: name.toUpperCase() })).toEqual(refused);
    await update(server.root, victim, { description: 'another change' });
    // A name of which only a part stands there is another name.
    await create(server.root, { name: name.slice(1) });
    await attacker.as.call('deleteWebUser', { i_web_user });
    await create(server.root, { name });
  });

  test('a customer that is renamed keeps its users, and the old name is free only without logins that end with it', async () => {
    const { name: old } = victim;
    const user = { name: 'sales', password: web_password, role_id: 1 };
    await resultOf(resellerOf(server, victim)('POST', '/account/reseller-user', user));
    await update(server.root, victim, { name: uniqueName('renamed') });
    await create(server.root, { name: old, web_login: uniqueName() });

    const { name } = attacker;
    await attacker.as.call('createWebUser', newUser(`kept@${name}`));
    await update(server.root, attacker, { name: uniqueName('renamed') });
    expect(await createFault(server.root, { name, web_login: uniqueName() })).toMatchObject({
      faultCode: 409,
    });
  });

  test('of a login and a customer made at once, one is refused', async () => {
    for (let round = 0; round < 10; round += 1) {
      const name = uniqueName('race');
      const outcomes = await Promise.allSettled([
        attacker.as.call('createWebUser', newUser(`admin@${name}`)),
        create(server.root, { name }),
      ]);
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    }
  });
});
