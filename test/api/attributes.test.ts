/**
 * Every attribute of a customer as docs/reference/attributes.md describes it. The list of attributes comes
 * from the code, what each must do from the table of samples here: an attribute without a sample
 * fails. Answers are read as bytes, because a client would hide which tag a value came in.
 */
import { attributes } from '../../src/features/customers/fields';
import { type XmlMembers, callXmlFault, callXmlOk, memberOf, newCustomerXml, xmlText } from '../setup/raw';
import { type TestServer, newCustomer, startServer, uniqueName } from '../setup/server';

type Tag = 'int' | 'boolean' | 'double' | 'string';
interface Sample {
  /** In which the value is answered. */
  readonly tag: Tag;
  /** What is answered where createCustomer was given nothing; null: nil; undefined: it depends. */
  readonly absent?: string | null;
  readonly nullable: boolean;
  /** Two values, as they stand in the tag. */
  readonly values: readonly [string, string];
  /** The furthest values that are taken, and values of the right type that are not: fault 400, or 401 for a reference. */
  readonly takes?: readonly string[];
  readonly refuses?: readonly string[];
  /** An int that is taken from a boolean too; a string that is taken from an int too. */
  readonly alsoFrom?: 'boolean' | 'int';
}

const emoji = '\u{1F4DE}';
const text = (max: number): Sample => ({
  tag: 'string',
  absent: null,
  nullable: true,
  values: [' Łódź & <söhne> "\'\t% ', 'second'],
  takes: ['', 'x'.repeat(max), emoji.repeat(max)],
  refuses: ['x'.repeat(max + 1), emoji.repeat(max + 1), 'a\u007fb'],
});
const mask: Sample = {
  tag: 'int',
  absent: '0',
  nullable: false,
  values: ['5', '2'],
  takes: ['0', '7'],
  refuses: ['-1', '8'],
};
const bit: Sample = {
  ...{ tag: 'int', absent: '0', nullable: false, values: ['1', '0'], refuses: ['-1', '2'] },
  alsoFrom: 'boolean',
};
const flag: Sample = { tag: 'boolean', absent: '0', nullable: false, values: ['1', '0'], refuses: ['2'] };
/** Of a dictionary: what does not stand in it is fault 401. */
const reference = (absent: string | null, values: readonly [string, string], unknown: string[]): Sample => ({
  ...{ tag: 'int', absent, nullable: true, values },
  refuses: [...unknown, '0', '-1', '2147483647', '2147483648'],
});
const money = { tag: 'double', values: ['12.5', '0.000001'] } as const;
const mostMoney = '99999999999999.9';
const addresses = (...more: string[]): Sample => ({
  ...{ tag: 'string', absent: null, nullable: true },
  values: ['someone@example.com', more[0] ?? 'x@y.example'],
  takes: ['a+b.c_d@sub.example.co.uk', `${'a'.repeat(64)}@${`${'b'.repeat(62)}.`.repeat(3)}c`, ...more],
  refuses: ['', 'someone', '@example.com', 'a@b@example.com', 'a@-b.com', 'a@b..com', 'a b@example.com'],
});
const password = { tag: 'string', nullable: false, values: ['', ''] } as const;

const samples: Readonly<Record<string, Sample>> = {
  i_tariff: { ...reference(null, ['2', '1'], ['3']) },
  name: {
    ...{ tag: 'string', nullable: false, values: ['Łódź & Söhne', 'Another name'], alsoFrom: 'int' },
    takes: [emoji.repeat(64), '0'],
    refuses: ['', ' ', '\t\n', '\u00a0\u3000', 'n'.repeat(65), emoji.repeat(65), 'a\nb', 'a\tb', 'a\u2028b'],
  },
  web_login: {
    ...{ tag: 'string', nullable: false, values: ['login@Łódź', 'another login'], alsoFrom: 'int' },
    takes: [`l${emoji.repeat(63)}`, '12'],
    refuses: ['', ' ', 'a:b', 'a"b', "a'b", 'a\nb', 'a\tb', 'a\u0085b', 'l'.repeat(65)],
  },
  web_password: password,
  api_password: { ...password, nullable: true },
  i_routing_group: reference(null, ['1', '2'], ['3']),
  balance: {
    ...{ ...money, absent: '0.0', nullable: false },
    takes: [`-${mostMoney}`, mostMoney, '-0.000001', '0.0'],
    refuses: ['100000000000000.0', '-100000000000000.0', '0.0000001', '1.1234567'],
  },
  credit_limit: {
    ...{ ...money, absent: '0.0', nullable: false },
    takes: ['0.0', mostMoney],
    refuses: ['-0.000001', '100000000000000.0', '0.0000001'],
  },
  min_payment_amount: {
    ...{ ...money, absent: null, nullable: true },
    takes: ['0.0', mostMoney],
    refuses: ['-0.000001', '100000000000000.0', '0.0000001'],
  },
  ...{ accounts_mgmt: mask, customers_mgmt: mask, tariffs_mgmt: mask, vouchers_mgmt: mask },
  ...{ system_mgmt: bit, api_access: bit, api_mgmt: bit, use_own_tariff: bit },
  accounts_matching_rule: {
    ...text(1024),
    values: ['^(a+)+$', '\\bsip:[0-9]{3,}@(?i:example)'],
    refuses: ['(?=a)', '(?!a)', '(?<=a)b', '(?<!a)b', '(a)\\1', '(?>a)', '(', '[', '*', 'x'.repeat(1025)],
  },
  ...{ company_name: text(128), salutation: text(128), first_name: text(128), last_name: text(128) },
  ...{ mid_init: text(128), street_addr: text(128), state: text(128), postal_code: text(128) },
  ...{ city: text(128), country: text(128), contact: text(128), phone: text(128), fax: text(128) },
  ...{ alt_phone: text(128), alt_contact: text(128), description: text(1024), css: text(65_536) },
  email: addresses('a@example.com, b@example.com'),
  cc: addresses('a@example.com,b@example.com'),
  bcc: addresses('a@example.com,b@example.com'),
  mail_from: addresses(),
  payment_currency: {
    ...{ tag: 'string', absent: null, nullable: true, values: ['EUR', 'JPY'] },
    refuses: ['', 'EU', 'eur', 'EURO', 'ABC', 'ЕUR'],
  },
  payment_method: reference(null, ['1', '7'], ['8']),
  i_commission_agent: reference(null, ['1', '2'], ['999999']),
  commission_size: {
    ...{ tag: 'double', absent: null, nullable: true, values: ['12.5', '0.333333333333333'] },
    takes: ['0.0', '100.0'],
    refuses: ['-0.1', '100.1'],
  },
  max_depth: {
    ...{ tag: 'int', absent: null, nullable: true, values: ['3', '1'] },
    takes: ['0', '2147483647'],
    refuses: ['-1', '2147483648'],
  },
  i_password_policy: reference('1', ['2', '1'], ['3']),
  ...{ callshop_enabled: flag, overcommit_protection: flag, did_pool_enabled: flag, ivr_apps_enabled: flag },
  ...{ asr_acd_enabled: flag, debit_credit_cards_enabled: flag, conferencing_enabled: flag },
  ...{ share_payment_processors: flag, dncl_enabled: flag },
  overcommit_limit: {
    ...{ tag: 'double', absent: null, nullable: true, values: ['0.000000001', '250.0'] },
    takes: ['0.0', '100000000000000000000000.0'],
    refuses: ['-0.000000001'],
  },
  i_time_zone: reference('370', ['1', '435'], ['436', '11']),
  i_lang: {
    ...{ tag: 'string', absent: 'en', nullable: true, values: ['ru', 'ar'] },
    refuses: ['', 'EN', 'xx', 'en '],
  },
  i_export_type: reference('1', ['2', '1'], ['3']),
  start_page: {
    ...{ tag: 'int', absent: '1', nullable: true, values: ['3', '4'] },
    takes: ['1', '2147483647'],
    refuses: ['2147483648', '-2147483649'],
  },
  dns_alias: {
    ...{ tag: 'string', absent: null, nullable: true, values: ['Shop.Example.com', 'localhost'] },
    takes: [
      'a.b',
      `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`,
      'xn--d1acufc.xn--p1ai',
    ],
    refuses: [
      '',
      'a b',
      '-a.com',
      'a-.com',
      'a..com',
      '.com',
      'a_b.com',
      'ä.com',
      `${'a'.repeat(64)}.com`,
      'a/b',
    ],
  },
  max_sessions: {
    ...{ tag: 'int', absent: null, nullable: true, values: ['10', '1'] },
    takes: ['0', '2147483647'],
    refuses: ['-1', '2147483648'],
  },
  max_calls_per_second: {
    ...{ tag: 'double', absent: null, nullable: true, values: ['0.5', '20.0'] },
    takes: ['0.0', '0.000000001'],
    refuses: ['-0.5'],
  },
};

/** What no attribute of the type is read from. */
const nonsense = ['<array><data></data></array>', '<struct></struct>', '<base64>MQ==</base64>'];
const time = '<dateTime.iso8601>20260101T00:00:00</dateTime.iso8601>';
const wrong: Readonly<Record<Tag, readonly string[]>> = {
  int: [
    '<double>1.0</double>',
    '<boolean>1</boolean>',
    '<string>x</string>',
    '<string></string>',
    '<int>1x</int>',
  ],
  boolean: [
    '<double>1.0</double>',
    '<string>yes</string>',
    '<string></string>',
    '<int>-1</int>',
    '<string>TRUE</string>',
  ],
  double: [
    '<boolean>1</boolean>',
    '<string>x</string>',
    '<string></string>',
    '<string>NaN</string>',
    '<double>INF</double>',
  ],
  string: ['<int>1</int>', '<boolean>1</boolean>', '<double>1.5</double>', time],
};

const names = Object.keys(attributes);
const readable = names.filter((name) => name !== 'web_password' && name !== 'api_password');

let server: TestServer;
/** On whom refusals are tried. */
let subject: string;
beforeAll(async () => {
  server = await startServer();
  await server.db.query({
    text: `INSERT INTO tariffs (i_customer, name, currency) VALUES (1, 'Second', 'USD')`,
  });
  await server.db.query({ text: `INSERT INTO routing_groups (name) VALUES ('Second')` });
  // The agent, customer 2 of the samples.
  expect(await server.root.call('createCustomer', newCustomer())).toMatchObject({ i_customer: 2 });
  subject = await create();
});
afterAll(() => server.close());

function sampleOf(name: string): Sample {
  const sample = samples[name];
  if (!sample)
    throw new Error(`The attribute ${name} has no sample in test/api/attributes.test.ts; write one`);
  return sample;
}
const xmlOf = (tag: Tag, value: string | null): string => {
  if (value === null) return '<nil/>';
  return tag === 'string' ? xmlText(value) : `<${tag}>${value}</${tag}>`;
};
const idOf = (answer: string): string => memberOf(answer, 'i_customer') ?? '';
const create = async (members: XmlMembers = {}): Promise<string> =>
  idOf(await callXmlOk(server, 'createCustomer', newCustomerXml(uniqueName(), members)));
const info = (i_customer: string): Promise<string> => callXmlOk(server, 'getCustomerInfo', { i_customer });
const refusal = (i_customer: string, members: XmlMembers): Promise<string> =>
  callXmlFault(server, 'updateCustomer', { i_customer, ...members });

test('every attribute has a sample, and every sample an attribute', () => {
  names.forEach(sampleOf);
  expect(Object.keys(samples).sort()).toEqual([...names].sort());
});

test('a customer of which only the mandatory attributes were given has the documented defaults', async () => {
  const name = uniqueName();
  const answer = await info(idOf(await callXmlOk(server, 'createCustomer', newCustomerXml(name))));
  const customer = { i_tariff: '<int>1</int>', name: xmlText(name), web_login: xmlText(name) };
  for (const attribute of readable) {
    const { tag, absent } = sampleOf(attribute);
    const expected = attribute in customer ? customer[attribute as 'name'] : xmlOf(tag, absent ?? null);
    expect([attribute, memberOf(answer, attribute)]).toEqual([attribute, expected]);
  }
  expect(memberOf(answer, 'i_wholesaler')).toBe('<int>1</int>');
  expect(memberOf(answer, 'base_currency')).toBe('<string>USD</string>');
  expect(memberOf(answer, 'blocked')).toBe('<boolean>0</boolean>');
  expect(answer).not.toMatch(/password<|ha1/);
});

test('a customer of which everything nullable was given as nil has no defaults there', async () => {
  const nullable = names.filter((name) => sampleOf(name).nullable);
  const answer = await info(await create(Object.fromEntries(nullable.map((name) => [name, '<nil/>']))));
  for (const name of nullable.filter((attribute) => attribute !== 'api_password'))
    expect([name, memberOf(answer, name)]).toEqual([name, '<nil/>']);
});

describe.each(readable)('%s', (name) => {
  const expectValue = async (i_customer: string, value: string | null): Promise<void> => {
    expect(memberOf(await info(i_customer), name)).toBe(xmlOf(sampleOf(name).tag, value));
  };

  test('is stored, given back in its type, changed, and cleared with nil where it may be', async () => {
    const { tag, values, nullable } = sampleOf(name);
    const i_customer = await create({ [name]: xmlOf(tag, values[0]) });
    await expectValue(i_customer, values[0]);
    await callXmlOk(server, 'updateCustomer', { i_customer, [name]: xmlOf(tag, values[1]) });
    await expectValue(i_customer, values[1]);
    if (nullable) {
      await callXmlOk(server, 'updateCustomer', { i_customer, [name]: '<nil/>' });
      await expectValue(i_customer, null);
    } else {
      const created = newCustomerXml(uniqueName(), { [name]: '<nil/>' });
      const refused = `400 Parameter ${name} must not be nil`;
      expect(await callXmlFault(server, 'createCustomer', created)).toBe(refused);
      expect(await refusal(i_customer, { [name]: '<nil/>' })).toBe(refused);
      await expectValue(i_customer, values[1]);
    }
  });

  test('takes the furthest values and refuses those beyond and those of another type', async () => {
    const { tag, takes = [], refuses = [], alsoFrom } = sampleOf(name);
    const i_customer = subject;
    const members = [
      ...refuses.map((value) => xmlOf(tag, value)),
      ...[...wrong[tag], ...nonsense].filter(
        (xml) => xml !== `<${alsoFrom ?? 'nothing'}>1</${alsoFrom ?? ''}>`,
      ),
    ];
    const before = await info(i_customer);
    const faults = await Promise.all(members.map((xml) => refusal(i_customer, { [name]: xml })));
    const allowed = new RegExp(`^(400 Parameter ${name} must |401 Wrong ${name}$)`);
    expect(members.filter((_, index) => !allowed.test(faults[index] ?? ''))).toEqual([]);
    expect(await info(i_customer)).toBe(before);
    for (const value of takes) {
      await callXmlOk(server, 'updateCustomer', { i_customer, [name]: xmlOf(tag, value) });
      await expectValue(i_customer, value);
    }
  });
});

describe.each(['web_password', 'api_password'])('%s', (name) => {
  test('takes 8 to 128 characters, is never answered, and is refused when it is too short or too long', async () => {
    const i_customer = await create({ api_access: '<int>1</int>' });
    for (const length of [8, 128]) {
      const value = 'p'.repeat(length - 1) + '7';
      await callXmlOk(server, 'updateCustomer', { i_customer, [name]: xmlText(value) });
      expect(await info(i_customer)).not.toContain(value);
    }
    await callXmlOk(server, 'updateCustomer', { i_customer, [name]: '<int>123456789</int>' });
    for (const value of ['', 'p'.repeat(7), 'p'.repeat(129)])
      expect(await refusal(i_customer, { [name]: xmlText(value) })).toMatch(
        `400 Parameter ${name} must have`,
      );
    for (const xml of ['<boolean>1</boolean>', '<double>123456789.5</double>', ...nonsense])
      expect(await refusal(i_customer, { [name]: xml })).toBe(`400 Parameter ${name} must be a string`);
    expect(server.logged()).not.toContain('ppppppp7');
  });
});
