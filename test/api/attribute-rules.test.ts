/** Rules of attributes beyond their types and ranges: docs/reference/attributes.md, rule by rule. */
import { type Algorithm, digestFields, digestHeader } from '../setup/digest-client';
import { faultOf, rawCall, xmlCall } from '../setup/raw';
import {
  type Members,
  type TestServer,
  apiPassword,
  makeMember,
  newCustomer,
  startServer,
  uniqueName,
} from '../setup/server';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

const create = async (members: Members = {}): Promise<number> => {
  const { i_customer } = await server.root.call('createCustomer', newCustomer(members));
  return Number(i_customer);
};
const update = (i_customer: number, members: Members) =>
  server.root.call('updateCustomer', { i_customer, ...members });
const info = async (i_customer: number): Promise<Members> => {
  const { customer } = await server.root.call('getCustomerInfo', { i_customer });
  return customer as Members;
};
const text = ({ faultCode, faultString }: { faultCode: number; faultString: string }): string =>
  `${faultCode} ${faultString}`;
/** The fault of an update, as `400 Parameter …`. */
const refusal = async (i_customer: number, members: Members): Promise<string> =>
  text(await server.root.fault('updateCustomer', { i_customer, ...members }));
const creationRefusal = async (members: Members): Promise<string> =>
  text(await server.root.fault('createCustomer', newCustomer(members)));

describe('name', () => {
  const forms = [
    [
      'Straße Łódź',
      ['STRASSE ŁÓDŹ', 'STRAẞE łódź', 'Stra\u017fse Łódź'.normalize('NFD'), 'Ｓｔｒａßｅ Łódź'],
    ],
    ['ﬁnance ΟΔΟΣ', ['FINANCE οδος', 'finance οδοσ', 'Finance ΟΔΟΣ']],
    ['İstanbul', ['I\u0307STANBUL', 'i\u0307stanbul']],
    ['\u212bngström', ['ångström', 'A\u030aNGSTRO\u0308M']],
  ] as const;
  test.each(forms)('%s is taken in every case and Unicode form', async (name, others) => {
    const i_customer = await create({ name, web_login: uniqueName() });
    const bystander = await create();
    for (const other of [name, ...others]) {
      const created = creationRefusal({ name: other, web_login: uniqueName() });
      expect(await created).toBe('409 A customer of this name exists already');
      expect(await refusal(bystander, { name: other })).toBe('409 A customer of this name exists already');
      const { customer } = await server.root.call('getCustomerInfo', { name: other });
      expect(customer).toMatchObject({ i_customer, name });
    }
    // Its own name it may write otherwise.
    await update(i_customer, { name: others[0] });
    expect(await info(i_customer)).toHaveProperty('name', others[0]);
  });

  test('names that differ by more than that stand side by side', async () => {
    for (const name of ['Cafe Central', 'Café Central', 'Cafe  Central', 'Cafe Central.', 'Саfe Central'])
      await create({ name, web_login: uniqueName() });
  });

  test('one that grows eighteenfold when Unicode compares it is taken all the same', async () => {
    const name = '\ufdfa'.repeat(64);
    expect(await info(await create({ name }))).toMatchObject({ name, web_login: name });
  });
});

describe('web_login', () => {
  test('is the name where nothing else is given, and stays when the name changes', async () => {
    const name = uniqueName();
    const i_customer = await create({ name });
    expect(await info(i_customer)).toMatchObject({ web_login: name });
    await update(i_customer, { name: `${name}-renamed` });
    expect(await info(i_customer)).toMatchObject({ web_login: name });
  });

  test.each(['Acme: Wholesale', 'The "Best"', "O'Neill"])(
    'must be given where the name is %s',
    async (name) => {
      expect(await creationRefusal({ name })).toMatch(/^400 Parameter web_login is required/);
      const { as: powerless } = await makeMember(server, server.root, { customers_mgmt: 0 });
      const fault = await powerless.fault('createCustomer', newCustomer({ name }));
      expect(text(fault)).toMatch(/^400 Parameter web_login is required/);
      const i_customer = await create({ name, web_login: uniqueName() });
      expect(await info(i_customer)).toMatchObject({ name });
    },
  );

  test('is taken in every case and Unicode form, whosever login it is', async () => {
    const login = `Groß-${uniqueName()}`;
    await create({ web_login: login });
    const bystander = await create();
    for (const other of [login, login.toUpperCase(), login.replace('ß', 'SS'), login.replace('G', 'Ｇ')]) {
      expect(await creationRefusal({ web_login: other })).toBe('409 This web_login is taken already');
      expect(await creationRefusal({ name: other })).toBe('409 This web_login is taken already');
      expect(await refusal(bystander, { web_login: other })).toBe('409 This web_login is taken already');
    }
    expect(await creationRefusal({ web_login: 'ROOT' })).toBe('409 This web_login is taken already');
  });
});

describe('mail', () => {
  const injections = [
    '\r\nBcc: x@evil.example',
    '\nBcc: x@evil.example',
    '\r',
    '\n',
    '\u0085',
    '\u2028x',
    '\u2029',
  ];
  test.each(['email', 'cc', 'bcc', 'mail_from'])('%s never holds a line break', async (name) => {
    const i_customer = await create();
    for (const injection of injections) {
      for (const value of [
        `a@example.com${injection}`,
        `${injection}a@example.com`,
        `A${injection} <a@example.com>`,
      ])
        expect(await refusal(i_customer, { [name]: value })).toMatch(`400 Parameter ${name} must`);
    }
    expect(await info(i_customer)).toHaveProperty(name, null);
  });

  test('email, cc and bcc are lists, mail_from is one address, each perhaps with a name', async () => {
    const list = 'Sales <sales@example.com>, "Sales, too" <b@example.com>,c@example.com'.replace(
      ', too',
      ' too',
    );
    const from = 'Żółw Support <support@example.com>';
    const i_customer = await create({ email: list, cc: list, bcc: list, mail_from: from });
    expect(await info(i_customer)).toMatchObject({ email: list, cc: list, bcc: list, mail_from: from });
    for (const value of [
      'a@example.com,',
      ',a@example.com',
      'a@example.com;b@example.com',
      'a@example.com b@example.com',
    ])
      expect(await refusal(i_customer, { email: value })).toMatch('400 Parameter email must');
    expect(await refusal(i_customer, { mail_from: 'a@example.com, b@example.com' })).toMatch(
      '400 Parameter mail_from',
    );
    expect(await refusal(i_customer, { mail_from: 'a@\u017fhop.example' })).toMatch(
      '400 Parameter mail_from',
    );
  });
});

test('an accounts_matching_rule that is a megabyte long is refused without compiling it', async () => {
  const i_customer = await create();
  const fault = await refusal(i_customer, { accounts_matching_rule: '(a'.repeat(490_000) });
  expect(fault).toBe('400 Parameter accounts_matching_rule must have at most 1024 characters');
});

test('payment_currency is any currency that is in use', async () => {
  const i_customer = await create();
  for (const payment_currency of ['USD', 'EUR', 'GBP', 'CHF', 'INR', 'BRL', 'ZAR', 'KWD', 'UAH', 'PLN'])
    await update(i_customer, { payment_currency });
});

test('a dns_alias is unique regardless of case, until it is given up', async () => {
  const i_customer = await create({ dns_alias: 'Shop.Example.com' });
  const other = await create();
  for (const dns_alias of ['Shop.Example.com', 'shop.example.com', 'SHOP.EXAMPLE.COM']) {
    expect(await creationRefusal({ dns_alias })).toBe('409 This dns_alias is taken already');
    expect(await refusal(other, { dns_alias })).toBe('409 This dns_alias is taken already');
  }
  await update(i_customer, { dns_alias: null });
  await update(other, { dns_alias: 'shop.example.COM' });
});

describe('references', () => {
  const dictionaries = {
    i_routing_group: 77,
    payment_method: 77,
    i_password_policy: 77,
    i_time_zone: 9_999,
    i_lang: 'tlh',
    i_export_type: 77,
    i_tariff: 77,
    i_commission_agent: 999_999,
  };
  test.each(Object.entries(dictionaries))('%s that does not exist is fault 401', async (name, value) => {
    expect(await creationRefusal({ [name]: value })).toBe(`401 Wrong ${name}`);
    expect(await refusal(await create(), { [name]: value })).toBe(`401 Wrong ${name}`);
  });

  test('a tariff of anybody but the owner is fault 401', async () => {
    const reseller = await makeMember(server);
    const fault = await reseller.as.fault('createCustomer', newCustomer({ i_tariff: 1 }));
    expect(text(fault)).toBe('401 Wrong i_tariff');
    const { i_customer } = await reseller.as.call('createCustomer', newCustomer({ i_tariff: null }));
    // Below the reseller it must be the reseller's, whoever asks.
    expect(await refusal(Number(i_customer), { i_tariff: 1 })).toBe('401 Wrong i_tariff');
  });

  test('a commission agent is the actor or stands below it, lives, and is somebody else', async () => {
    const reseller = await makeMember(server);
    const below = await makeMember(server, reseller.as);
    const stranger = await create();
    const withAgent = async (i_commission_agent: number): Promise<string> => {
      const params = newCustomer({ i_tariff: null, i_commission_agent });
      const answer = await reseller.as
        .call('createCustomer', params)
        .catch((fault: unknown) => fault as Members);
      return String(answer['result'] ?? answer['faultString']);
    };
    expect(await withAgent(reseller.i_customer)).toBe('OK');
    expect(await withAgent(below.i_customer)).toBe('OK');
    expect(await withAgent(stranger)).toBe('Wrong i_commission_agent');
    expect(await withAgent(1)).toBe('Wrong i_commission_agent');
    expect(await refusal(stranger, { i_commission_agent: stranger })).toBe('401 Wrong i_commission_agent');

    await update(stranger, { i_commission_agent: below.i_customer });
    await server.root.call('deleteCustomer', { i_customer: below.i_customer });
    expect(await info(stranger)).toHaveProperty('i_commission_agent', null);
    expect(await withAgent(below.i_customer)).toBe('Wrong i_commission_agent');
  });
});

describe('passwords', () => {
  test('web_password satisfies the policy that the customer has or gets in the same call', async () => {
    const weak = ['Short-1', 'Shorter-11', 'all-lower-case-1', 'ALL-UPPER-CASE-1', 'No-digit-in-here'];
    const i_customer = await create({ i_password_policy: 2, web_password: 'Long-enough-1' });
    for (const web_password of weak) {
      expect(await creationRefusal({ i_password_policy: 2, web_password })).toMatch(
        '400 Parameter web_password must',
      );
      expect(await refusal(i_customer, { web_password })).toMatch('400 Parameter web_password must');
      expect(await refusal(i_customer, { web_password, i_password_policy: 2 })).toMatch(
        '400 Parameter web_password',
      );
    }
    await update(i_customer, { web_password: 'all-lower-case-1', i_password_policy: 1 });
    await update(i_customer, { web_password: 'eight-ch', i_password_policy: null });
    const { web_login } = await info(i_customer);
    const answer = await server.root.call('authCustomer', { username: web_login, password: 'eight-ch' });
    expect(answer).toMatchObject({ result: 'OK', i_customer });
  });

  test.each(['pässword-1', 'password\t1', 'password\u007f', 'password\u{1F511}'])(
    'api_password cannot be %j, as not every client could send it',
    async (api_password) => {
      const problem = '400 Parameter api_password must be printable ASCII';
      expect(await creationRefusal({ api_password })).toBe(problem);
      expect(await refusal(await create(), { api_password })).toBe(problem);
    },
  );

  test('an API password works from when it is set until it is cleared, with every printable character', async () => {
    const password = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).join('');
    const member = await makeMember(server, server.root, { api_password: password });
    expect(await tries(member.name, password)).toEqual({ basic: 200, md5: 200, sha256: 200 });
    await update(member.i_customer, { api_password: null });
    expect(await tries(member.name, password)).toEqual({ basic: 401, md5: 401, sha256: 401 });
  });
});

/** The HTTP status of a call by each way of proving the password. */
async function tries(login: string, password: string): Promise<Record<string, number>> {
  const body = xmlCall('listCustomers', '<struct></struct>');
  const digest = async (algorithm: Algorithm): Promise<number> => {
    const challenge = (await rawCall(server.url, undefined, '')).headers.get('www-authenticate') ?? '';
    const nonce = /nonce="([^"]+)"/.exec(challenge)?.[1] ?? '';
    const header = digestHeader(digestFields({ login, password, nonce, algorithm }));
    return (await rawCall(server.url, header.replace('Authorization: ', ''), body)).status;
  };
  const basic = (await rawCall(server.url, `${login}:${password}`, body)).status;
  return { basic, md5: await digest('MD5'), sha256: await digest('SHA-256') };
}

describe('a web_login that changes', () => {
  test('needs a new api_password in the same call, and then only the new login works', async () => {
    const { i_customer, name } = await makeMember(server);
    const renamed = `${name}-renamed`;
    const fault = await refusal(i_customer, { web_login: renamed, description: 'not changed' });
    expect(fault).toMatch(/^400 Parameter api_password .*web_login/);
    expect(await info(i_customer)).toMatchObject({ web_login: name, description: null });
    expect(await tries(name, apiPassword)).toEqual({ basic: 200, md5: 200, sha256: 200 });

    await update(i_customer, { web_login: renamed, api_password: 'new-password-2' });
    expect(await tries(renamed, 'new-password-2')).toEqual({ basic: 200, md5: 200, sha256: 200 });
    expect(await tries(renamed, apiPassword)).toEqual({ basic: 401, md5: 401, sha256: 401 });
    expect(await tries(name, 'new-password-2')).toEqual({ basic: 401, md5: 401, sha256: 401 });
    // The old login is free again.
    await create({ web_login: name });
  });

  test('needs none where there is none, where it is cleared, and where the login is the same', async () => {
    const plain = await create();
    await update(plain, { web_login: uniqueName() });
    const { i_customer, name } = await makeMember(server);
    await update(i_customer, { web_login: name });
    expect(await tries(name, apiPassword)).toMatchObject({ basic: 200, md5: 200 });
    await update(i_customer, { web_login: `${name}-renamed`, api_password: null });
  });
});

describe('the parameters together', () => {
  test('updateCustomer needs at least one attribute', async () => {
    const i_customer = await create();
    const problem = '400 At least one attribute to change is required';
    expect(await refusal(i_customer, {})).toBe(problem);
    expect(await refusal(i_customer, { i_wholesaler: 1 })).toBe(problem);
    expect(text(await server.root.fault('updateCustomer', {}))).toBe('400 Parameter i_customer is required');
    expect(text(await server.root.fault('updateCustomer', { name: 'x' }))).toBe(
      '400 Parameter i_customer is required',
    );
  });

  test('an unknown parameter is refused by its name, after those that are wrong', async () => {
    const i_customer = await create();
    expect(await refusal(i_customer, { colour: 'red', city: 'Berlin' })).toBe(
      '400 Parameter colour is unknown',
    );
    expect(await creationRefusal({ colour: 'red' })).toBe('400 Parameter colour is unknown');
    expect(await refusal(i_customer, { colour: 'red', max_sessions: -1 })).toMatch(
      '400 Parameter max_sessions must',
    );
    expect(await info(i_customer)).toHaveProperty('city', null);
    // What is only answered cannot be set.
    for (const name of ['blocked', 'base_currency', 'path'])
      expect(await refusal(i_customer, { [name]: true })).toBe(`400 Parameter ${name} is unknown`);
  });

  test('with TREELINE_UNKNOWN_PARAMETERS=ignore it is dropped and logged, and counts for nothing', async () => {
    const lenient = await startServer({ TREELINE_UNKNOWN_PARAMETERS: 'ignore' });
    try {
      const params = newCustomer({ colour: 'red', blocked: true, constructor: 'x' });
      const { i_customer } = await lenient.root.call('createCustomer', params);
      const { customer } = await lenient.root.call('getCustomerInfo', { i_customer, colour: 'red' });
      expect(customer).toMatchObject({ i_customer, blocked: false });
      const fault = await lenient.root.fault('updateCustomer', { i_customer, colour: 'red' });
      expect(text(fault)).toBe('400 At least one attribute to change is required');
      expect(lenient.logged()).toMatch(/unknown parameter.*colour/i);
      const raw = await rawCall(
        lenient.url,
        'root:root-api-password',
        xmlCall(
          'listCustomers',
          '<struct><member><name>__proto__</name><value><struct/></value></member></struct>',
        ),
      );
      expect(faultOf(raw.text)).toBeUndefined();
    } finally {
      await lenient.close();
    }
  });
});
