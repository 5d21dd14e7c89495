/** The section "Types" of docs/reference/xmlrpc.md: what each declared type accepts and refuses. */
import {
  type XmlMembers,
  callXml,
  callXmlFault,
  callXmlOk,
  faultOf,
  memberOf,
  newCustomerXml,
  rawCall,
  rootAuth,
  xmlCall,
  xmlStruct,
} from '../setup/raw';
import { type TestServer, startServer, uniqueName } from '../setup/server';

let server: TestServer;
/** As it stands in an answer: `<int>2</int>`. */
let i_customer: string;
beforeAll(async () => {
  server = await startServer();
  i_customer = await create();
});
afterAll(() => server.close());

const create = async (members: XmlMembers = {}): Promise<string> => {
  const answer = await callXmlOk(server, 'createCustomer', newCustomerXml(uniqueName(), members));
  return memberOf(answer, 'i_customer') ?? '';
};
const info = (): Promise<string> => callXmlOk(server, 'getCustomerInfo', { i_customer });
/** What is answered for an attribute that was set so. */
const taken = async (name: string, xml: string): Promise<string | undefined> => {
  await callXmlOk(server, 'updateCustomer', { i_customer, [name]: xml });
  return memberOf(await info(), name);
};
/** Each value is fault 400 that names the attribute, and nothing changes. */
const expectRefused = async (name: string, values: readonly string[]): Promise<void> => {
  const before = await info();
  for (const xml of values) {
    const fault = await callXmlFault(server, 'updateCustomer', { i_customer, [name]: xml });
    expect([xml, fault]).toEqual([xml, expect.stringMatching(`^400 Parameter ${name} must `)]);
  }
  expect(await info()).toBe(before);
};
const text = (value: string): string => `<string>${value}</string>`;
const double = (value: string): string => `<double>${value}</double>`;

describe('an integer', () => {
  const same = ['<int>5</int>', '<i4>5</i4>', '<i8>5</i8>', '<int> +5\n</int>', '5'];
  same.push(text('5'), text('005'), text('+5'));
  test.each(same)('is read from %s', async (xml) => {
    expect(await taken('start_page', xml)).toBe('<int>5</int>');
  });

  test('is read at both ends of 32 bits', async () => {
    for (const end of ['2147483647', '-2147483648']) {
      for (const xml of [`<int>${end}</int>`, `<i8>${end}</i8>`, text(end)])
        expect(await taken('start_page', xml)).toBe(`<int>${end}</int>`);
    }
  });

  test('is not read from a double, a boolean, a text that is more than digits, or beyond 32 bits', async () => {
    await expectRefused('start_page', [
      ...[double('5'), double('5.0'), double('5e0'), '<boolean>1</boolean>', '<boolean>0</boolean>'],
      ...['5.0', '5e0', '0x5', '5 ', ' 5', '5\n', '12abc', '', ' ', '-', '٥', 'NaN', 'true', 'nil'].map(text),
      ...['12abc', '', '5.0', '1e1', '0x5'].map((value) => `<int>${value}</int>`),
      ...['2147483648', '-2147483649', '4294967301', '9223372036854775808', '9'.repeat(400)].flatMap(
        (value) => [`<int>${value}</int>`, `<i8>${value}</i8>`, text(value)],
      ),
    ]);
  });

  test('is an id also as a string, as PHP sends them', async () => {
    const digits = i_customer.replace(/\D/g, '');
    const answer = await callXmlOk(server, 'getCustomerInfo', { i_customer: text(digits) });
    expect(memberOf(answer, 'i_customer')).toBe(i_customer);
    await callXmlOk(server, 'updateCustomer', { i_customer: text(digits), i_tariff: text('1') });
  });
});

describe.each([
  ['callshop_enabled', (on: number) => `<boolean>${on}</boolean>`],
  ['api_mgmt', (on: number) => `<int>${on}</int>`],
] as const)('a flag such as %s', (name, answered) => {
  test('is read from a boolean, 0, 1, true and false', async () => {
    const written = [
      ['<boolean>1</boolean>', '<int>1</int>', '<i8>1</i8>', text('1'), text('true'), 'true'],
      ['<boolean>0</boolean>', '<int>0</int>', '<i8>0</i8>', text('0'), text('false'), 'false'],
    ] as const;
    for (const [index, xml] of written[0].entries()) {
      expect(await taken(name, xml)).toBe(answered(1));
      expect(await taken(name, written[1][index] ?? '')).toBe(answered(0));
    }
  });

  test('is read from nothing else', async () => {
    await expectRefused(name, [
      ...['<int>2</int>', '<int>-1</int>', double('1.0'), double('0.0'), '<nil/>', '<boolean>2</boolean>'],
      ...['', ' ', 'yes', 'no', 'on', 'True', 'FALSE', 't', '2', '1.0', 'null'].map(text),
    ]);
  });
});

describe('a double', () => {
  const values = [
    ['<int>5</int>', '5.0'],
    ['<i8>5</i8>', '5.0'],
    [text('5'), '5.0'],
    [text('0.25'), '0.25'],
    [double('1e-09'), '0.000000001'],
    [double('1E-09'), '0.000000001'],
    [text('1e-09'), '0.000000001'],
    [text('1.5e+3'), '1500.0'],
    [double('.5'), '0.5'],
    [double('5.'), '5.0'],
    [double(' 0.1\n'), '0.1'],
    [double('0.30000000000000004'), '0.30000000000000004'],
    [double('3.0'), '3.0'],
    [double('1e21'), '1000000000000000000000.0'],
    [double('123456789.12345678'), '123456789.12345678'],
  ] as const;
  test.each(values)('is read from %s and kept as given', async (xml, answered) => {
    expect(await taken('overcommit_limit', xml)).toBe(double(answered));
    expect(await taken('max_calls_per_second', xml)).toBe(double(answered));
  });

  test('is not read from what is no finite decimal number', async () => {
    const wrong = '1e400 NaN nan INF Infinity -Infinity 0x10 1,5 1_0 1e e5 --1 1.2.3'
      .split(' ')
      .concat('', ' ');
    const all = ['<boolean>1</boolean>', text(' 1'), ...wrong.map(double), ...wrong.map(text)];
    await expectRefused('overcommit_limit', all);
  });
});

describe('money', () => {
  const values = [
    [double('0.30000000000000004'), '0.3'],
    [double('1.1'), '1.1'],
    [double('2.675'), '2.675'],
    [double('-0.1'), '-0.1'],
    [double('1e-6'), '0.000001'],
    [double('1E2'), '100.0'],
    [double('-0.0'), '0.0'],
    [double('123456789.123456'), '123456789.123456'],
    [double('19.989999999999998'), '19.99'],
    [double('10.00000000000000001'), '10.0'],
    ['<int>7</int>', '7.0'],
    ['<i8>99999999999999</i8>', '99999999999999.0'],
    [text('7.10'), '7.1'],
    [text('-7.123456'), '-7.123456'],
    [text('7.1000000000'), '7.1'],
    [text('1e2'), '100.0'],
    [text('+5'), '5.0'],
    [text('-0'), '0.0'],
    [text('99999999999999.999999'), '99999999999999.999999'],
    [text('-99999999999999.999999'), '-99999999999999.999999'],
  ] as const;
  test.each(values)('is read from %s as %s', async (xml, answered) => {
    expect(await taken('balance', xml)).toBe(double(answered));
  });

  test('of more than six places, out of the range of numeric(20,6), or no number is fault 400', async () => {
    const beyond = '0.0000001 1.1234567 -1.1234567 1e-7 100000000000000 -1e14 1e20 1e300 1e9999'.split(' ');
    const wrong = ['1e400', 'NaN', 'INF', 'Infinity', '', ' ', 'abc', '1,50', '$5', '0x10', '1e', '1e99999'];
    await expectRefused('balance', [
      ...[...beyond, ...wrong].flatMap((value) => [double(value), text(value)]),
      ...['<boolean>1</boolean>', '<nil/>', '<struct></struct>', '<i8>100000000000000</i8>'],
      ...['99999999999999.9999991', '100000000000000.000000', '9'.repeat(400)].map(text),
    ]);
    await expectRefused('credit_limit', [double('-0.000001'), '<int>-1</int>', text('-1')]);
  });

  test.each([
    ['digits', '9'.repeat(900_000)],
    ['digits that end in a letter', `${'9'.repeat(900_000)}x`],
    ['places', `0.${'0'.repeat(900_000)}1`],
  ])('of a megabyte of %s is refused', async (_, value) => {
    // Anything but linear time would outlast the test.
    const fault = await callXmlFault(server, 'updateCustomer', { i_customer, balance: text(value) });
    expect(fault).toMatch('400 Parameter balance must ');
    expect(fault.length).toBeLessThan(200);
  });
});

describe('a string', () => {
  test('is read from a string, CDATA and an untyped value, blanks and line breaks kept', async () => {
    expect(await taken('city', text(' Łódź '))).toBe(text(' Łódź '));
    expect(await taken('city', ' Łódź\n2 ')).toBe(text(' Łódź\n2 '));
    expect(await taken('city', '<string><![CDATA[<b> & ]]></string>')).toBe(text('&lt;b&gt; &amp; '));
    expect(await taken('city', text('&#1051;&amp;'))).toBe(text('Л&amp;'));
    expect(await taken('city', text(''))).toBe(text(''));
    expect(await taken('city', '')).toBe(text(''));
  });

  test.each(['company_name', 'postal_code', 'phone', 'accounts_matching_rule', 'css'])(
    '%s is not read from a number, a boolean or a date',
    async (name) => {
      const date = '<dateTime.iso8601>20260101T00:00:00</dateTime.iso8601>';
      await expectRefused(name, [
        '<int>12345</int>',
        '<i8>5</i8>',
        double('5.5'),
        '<boolean>1</boolean>',
        date,
      ]);
    },
  );

  test('is read from a number where a name, a login or a password may be all digits', async () => {
    const digits = {
      name: '<int>31415926</int>',
      web_login: '<i8>27182818284</i8>',
      web_password: '<int>16180339</int>',
    };
    const id = await create({ ...digits, api_password: '<int>14142135</int>', api_access: '<int>1</int>' });
    const answer = await callXmlOk(server, 'getCustomerInfo', { name: digits.name });
    expect(memberOf(answer, 'i_customer')).toBe(id);
    expect(memberOf(answer, 'name')).toBe(text('31415926'));
    expect(memberOf(answer, 'web_login')).toBe(text('27182818284'));
    const login = { username: digits.web_login, password: digits.web_password };
    expect(memberOf(await callXmlOk(server, 'authCustomer', login), 'i_customer')).toBe(id);
    expect((await rawCall(server.url, '27182818284:14142135', xmlCall('listCustomers'))).status).toBe(200);
    await expectRefused('name', [double('1.0'), '<boolean>1</boolean>', '<nil/>']);
  });
});

test('an empty string is never null: for a nullable number it is fault 400', async () => {
  const numbers =
    'i_tariff i_routing_group i_password_policy i_time_zone i_export_type payment_method min_payment_amount ' +
    'max_depth i_commission_agent commission_size overcommit_limit start_page max_sessions max_calls_per_second';
  for (const name of numbers.split(' ')) await expectRefused(name, [text(''), '', '<string/>', text(' ')]);
});

test('nil is read in both spellings and stays apart from an absent member', async () => {
  for (const nil of ['<nil/>', '<nil></nil>', '<ex:nil/>']) {
    await taken('max_sessions', '<int>5</int>');
    expect(await taken('max_sessions', nil)).toBe('<nil/>');
  }
  await taken('max_sessions', '<int>5</int>');
  await taken('city', text('Berlin'));
  expect(memberOf(await info(), 'max_sessions')).toBe('<int>5</int>');
});

describe('members', () => {
  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf', 'prototype'])(
    '%s is a member like any other',
    async (name) => {
      const struct = xmlStruct(newCustomerXml(uniqueName(), { polluted: text('yes') }));
      const unknown = `400 Parameter ${name} is unknown`;
      expect(await callXmlFault(server, 'updateCustomer', { i_customer, [name]: struct })).toBe(unknown);
      expect(await callXmlFault(server, 'getCustomerInfo', { i_customer, [name]: '<nil/>' })).toBe(unknown);
      const missing = await callXmlFault(server, 'createCustomer', { [name]: struct });
      expect(missing).toBe('400 Parameter i_tariff is required');
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    },
  );

  test('may have blanks around their names', async () => {
    const members = { 'i_customer ': i_customer, '\n city\t': text('Rome') };
    await callXmlOk(server, 'updateCustomer', members);
    expect(memberOf(await info(), 'city')).toBe(text('Rome'));
  });

  test.each([
    ['nothing', ''],
    ['an empty list', '<params/>'],
    ['an empty list in two tags', '<params></params>'],
    ['an empty struct', '<params><param><value><struct/></value></param></params>'],
    [
      'an empty array, as PHP writes it',
      '<params><param><value><array><data/></array></value></param></params>',
    ],
  ])('may be none at all: %s', async (_, params) => {
    const send = async (method: string): Promise<string> => {
      const body = `<methodCall><methodName>${method}</methodName>${params}</methodCall>`;
      return (await rawCall(server.url, rootAuth, body)).text;
    };
    expect(await send('listCustomers')).toBe(await callXml(server, 'listCustomers', {}));
    expect(faultOf(await send('createCustomer'))).toEqual({
      faultCode: 400,
      faultString: 'Parameter i_tariff is required',
    });
  });

  test('stand in one struct and in nothing else', async () => {
    const struct = xmlStruct({ limit: '<int>1</int>' });
    const array = `<array><data><value>${struct}</value></data></array>`;
    const two = [
      [struct, struct],
      ['<struct/>', '<struct/>'],
      [struct, '<int>1</int>'],
    ];
    const wrong = [...two, [text('')], ['<int>1</int>'], ['<nil/>'], [array]];
    for (const params of wrong) {
      const { text: answer } = await rawCall(server.url, rootAuth, xmlCall('listCustomers', ...params));
      expect([params, faultOf(answer)?.faultCode]).toEqual([params, 400]);
    }
  });
});

test('of several wrong parameters the first in the order of the definition is named', async () => {
  const order = (
    'i_tariff name web_password web_login i_routing_group balance credit_limit accounts_mgmt customers_mgmt system_mgmt ' +
    'accounts_matching_rule company_name salutation first_name last_name mid_init street_addr state postal_code city ' +
    'country contact phone fax alt_phone alt_contact email cc bcc mail_from payment_currency payment_method ' +
    'min_payment_amount api_access api_password api_mgmt i_commission_agent commission_size tariffs_mgmt max_depth ' +
    'use_own_tariff vouchers_mgmt description i_password_policy callshop_enabled overcommit_protection overcommit_limit ' +
    'did_pool_enabled ivr_apps_enabled asr_acd_enabled debit_credit_cards_enabled conferencing_enabled ' +
    'share_payment_processors dncl_enabled i_time_zone i_lang i_export_type start_page css dns_alias max_sessions ' +
    'max_calls_per_second'
  ).split(' ');
  const wrong: Record<string, string> = Object.fromEntries(
    ['colour', ...order].reverse().map((name) => [name, '<struct/>']),
  );
  for (const name of order) {
    expect(await callXmlFault(server, 'createCustomer', wrong)).toMatch(`400 Parameter ${name} must `);
    const right = newCustomerXml(uniqueName())[name];
    if (right === undefined) Reflect.deleteProperty(wrong, name);
    else wrong[name] = right;
  }
  expect(await callXmlFault(server, 'createCustomer', wrong)).toBe('400 Parameter colour is unknown');
  const { i_tariff, name } = newCustomerXml(uniqueName());
  expect(await callXmlFault(server, 'createCustomer', {})).toBe('400 Parameter i_tariff is required');
  const two = await callXmlFault(server, 'createCustomer', { i_tariff: i_tariff ?? '' });
  expect(two).toBe('400 Parameter name is required');
  const three = await callXmlFault(server, 'createCustomer', { i_tariff: i_tariff ?? '', name: name ?? '' });
  expect(three).toBe('400 Parameter web_password is required');
});
