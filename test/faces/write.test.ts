/**
 * What leaves: well-formed XML that Python's xmlrpc.client reads and would have written, whatever
 * stands in the database. The bytes are read by saxes, strictly, and by Python where there is one.
 */
import fc from 'fast-check';
import { Client } from 'pg';
import { insertCustomers } from '../setup/insert-customers';
import { findPython, run } from '../setup/programs';
import { basic, callBody, exchange, structParam } from '../setup/raw-http';
import { readAnswer } from '../setup/read-answer';
import {
  type Members,
  type TestServer,
  newCustomer,
  rootPassword,
  startServer,
  uniqueName,
} from '../setup/server';

let server: TestServer;
let sql: Client;
beforeAll(async () => {
  server = await startServer();
  sql = new Client(server.connection);
  await sql.connect();
});
afterAll(async () => {
  await sql.end();
  await server.close();
});

async function answerTo(method: string, members: Record<string, string> = {}): Promise<Buffer> {
  const body = callBody(method, structParam(members));
  return (await exchange(server.url, { headers: [basic('root', rootPassword)], body })).body;
}

const resultOf = (answer: Buffer): Members => {
  const read = readAnswer(answer);
  if (read.fault) throw new Error(`${read.fault.faultCode} ${read.fault.faultString}`);
  return read.result as Members;
};

async function makeCustomer(members: Members = {}): Promise<number> {
  const { i_customer } = await server.root.call('createCustomer', newCustomer(members));
  return Number(i_customer);
}

/** The customer, and the answer's text that it came in. */
async function info(i_customer: number): Promise<{ customer: Members; text: string; bytes: Buffer }> {
  const bytes = await answerTo('getCustomerInfo', { i_customer: `<int>${i_customer}</int>` });
  return { customer: resultOf(bytes)['customer'] as Members, text: bytes.toString(), bytes };
}

const valueOf = (text: string, member: string): string | undefined =>
  new RegExp(`<member><name>${member}</name>(<value>.*?</value>)</member>`, 's').exec(text)?.[1];

describe('types', () => {
  test('each goes out under the tag that it is declared with, whatever its value', async () => {
    const name = uniqueName();
    const i_customer = await makeCustomer({
      name,
      balance: 10,
      credit_limit: 0.5,
      callshop_enabled: true,
      city: '',
    });
    const { text } = await info(i_customer);
    expect(
      Object.fromEntries(
        [
          'i_customer',
          'name',
          'city',
          'balance',
          'credit_limit',
          'min_payment_amount',
          'api_access',
          'i_wholesaler',
          'callshop_enabled',
          'dncl_enabled',
          'blocked',
          'description',
          'max_sessions',
          'overcommit_limit',
          'i_lang',
        ].map((member) => [member, valueOf(text, member)]),
      ),
    ).toEqual({
      i_customer: `<value><int>${i_customer}</int></value>`,
      name: `<value><string>${name}</string></value>`,
      city: '<value><string></string></value>',
      balance: '<value><double>10.0</double></value>',
      credit_limit: '<value><double>0.5</double></value>',
      min_payment_amount: '<value><nil/></value>',
      api_access: '<value><int>0</int></value>',
      i_wholesaler: '<value><int>1</int></value>',
      callshop_enabled: '<value><boolean>1</boolean></value>',
      dncl_enabled: '<value><boolean>0</boolean></value>',
      blocked: '<value><boolean>0</boolean></value>',
      description: '<value><nil/></value>',
      max_sessions: '<value><nil/></value>',
      overcommit_limit: '<value><nil/></value>',
      i_lang: '<value><string>en</string></value>',
    });
  });

  test('an answer is UTF-8 and says so, without a byte order mark, CDATA, i4 or blanks beside a type', async () => {
    const { text } = await info(await makeCustomer());
    expect(
      text.startsWith('<?xml version="1.0" encoding="UTF-8"?>\n<methodResponse><params><param><value>'),
    ).toBe(true);
    expect(text).not.toMatch(/<value>[^<]|<value\/>|<i4>|CDATA|\ufeff/);
    const list = (await answerTo('listCustomers')).toString();
    expect(list).not.toMatch(/<value>[^<]|<value\/>|<i4>|CDATA|\ufeff/);
  });

  test.each([
    ['1e-9', '0.000000001'],
    ['5e-324', `0.${'0'.repeat(323)}5`],
    ['1.5e-7', '0.00000015'],
    ['0', '0.0'],
    ['3', '3.0'],
    ['0.1', '0.1'],
    ['33.333333333333336', '33.333333333333336'],
    ['123456789012345680000', '123456789012345680000.0'],
    ['1e21', '1000000000000000000000.0'],
    ['1.7976931348623157e308', `17976931348623157${'0'.repeat(292)}.0`],
  ])('a double of %s goes out as %s', async (stored, written) => {
    const i_customer = await makeCustomer();
    await sql.query('UPDATE customers SET overcommit_limit = $2::float8 WHERE i_customer = $1', [
      i_customer,
      stored,
    ]);
    const { text, customer } = await info(i_customer);
    expect(valueOf(text, 'overcommit_limit')).toBe(`<value><double>${written}</double></value>`);
    expect(customer['overcommit_limit']).toBe(Number(stored));
  });

  test.each([
    ['99999999999999.999999', '99999999999999.999999'],
    ['-99999999999999.999999', '-99999999999999.999999'],
    ['-0.000001', '-0.000001'],
    ['0.000000', '0.0'],
    ['100', '100.0'],
    ['0.30', '0.3'],
    ['1000000', '1000000.0'],
  ])('money of %s goes out as %s', async (stored, written) => {
    const i_customer = await makeCustomer();
    await sql.query('UPDATE customers SET balance = $2::numeric WHERE i_customer = $1', [i_customer, stored]);
    expect(valueOf((await info(i_customer)).text, 'balance')).toBe(
      `<value><double>${written}</double></value>`,
    );
    const list = await answerTo('listCustomers', {
      after: `<int>${i_customer - 1}</int>`,
      limit: '<int>1</int>',
    });
    expect(valueOf(list.toString(), 'balance')).toBe(`<value><double>${written}</double></value>`);
  });

  test('NaN and infinities, should they ever be stored, go out as nil', async () => {
    const i_customer = await makeCustomer();
    const set = `UPDATE customers SET overcommit_limit = 'NaN', max_calls_per_second = 'Infinity', credit_limit = 'NaN'`;
    await sql.query(`${set} WHERE i_customer = $1`, [i_customer]);
    expect((await info(i_customer)).customer).toMatchObject({
      overcommit_limit: null,
      max_calls_per_second: null,
      credit_limit: null,
    });
  });

  test('any double that can be stored comes back as it was, without an exponent', async () => {
    const doubles = fc.sample(fc.double({ min: 0, max: 1e300, noNaN: true }), { numRuns: 60, seed: 1 });
    const ids = await insertCustomers(server, 1, doubles.map(String));
    await sql.query(
      'UPDATE customers SET overcommit_limit = description::float8 WHERE i_customer = ANY($1)',
      [ids],
    );
    for (const [index, value] of doubles.entries()) {
      const { customer } = await info(ids[index] ?? 0);
      expect(customer['overcommit_limit']).toBe(value + 0);
    }
  });
});

describe('texts', () => {
  /** Controls that XML 1.0 has no way to carry, and the two code points that it excludes. */
  const uncarriable = /[\u0001-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;

  const texts: readonly string[] = [
    'a < b && c > d',
    '"quoted" and \'quoted\'',
    '&amp; &lt; &#65; &nbsp;',
    ']]> and <![CDATA[ and ]]]]>>',
    '<value><int>1</int></value><!-- --><?pi?>',
    ' blanks at both ends ',
    '\ttabs\tand\nline feeds\n',
    'carriage\rreturns\r\nand both\n\r',
    '\r',
    '\u007f\u0080\u0085\u009f\u00a0\u00ad',
    '\u2028\u2029\u200b\ufeff',
    'Ünïcödé, Łódź, 漢字, العربية, עברית',
    '😀 👨‍👩‍👧‍👦 𝒳 \u{10ffff}',
    'e\u0301 and \u00e9',
    '\u0001\u0002\u0008 \u000b\u000c \u000e\u001f',
    'before\u001b[31mred\u0007after',
    '\ufffe\uffff\ufffd\u{1fffe}',
    '',
    '😀'.repeat(1_024),
  ];

  test.each(texts.map((text) => [JSON.stringify(text).slice(0, 60), text]))(
    'the text %s comes back as it was, but for what XML cannot carry',
    async (_name, text) => {
      const i_customer = await makeCustomer();
      await sql.query('UPDATE customers SET description = $2 WHERE i_customer = $1', [i_customer, text]);
      const carried = text.replace(uncarriable, '\ufffd');
      expect((await info(i_customer)).customer['description']).toBe(carried);
      const list = await answerTo('listCustomers', { after: `<int>${i_customer - 1}</int>` });
      expect(resultOf(list)).toMatchObject({ customers: [{ description: carried }] });
    },
  );

  test('any text at all that PostgreSQL can hold, in a list that comes in pieces', async () => {
    const i_wholesaler = await makeCustomer();
    const character = fc.oneof(
      fc.integer({ min: 1, max: 0x2f }),
      fc.integer({ min: 0x30, max: 0xd7ff }),
      fc.integer({ min: 0xe000, max: 0x10ffff }),
    );
    const text = fc
      .array(character, { maxLength: 40 })
      .map((codes) => codes.map((code) => String.fromCodePoint(code)).join(''));
    const samples = fc.sample(text, { numRuns: 1_200, seed: 2 });
    await insertCustomers(server, i_wholesaler, samples);
    const { customers } = resultOf(
      await answerTo('listCustomers', { i_wholesaler: `<int>${i_wholesaler}</int>` }),
    );
    expect((customers as Members[]).map(({ description }) => description as string)).toEqual(
      samples.map((sample) => sample.replace(uncarriable, '\ufffd')),
    );
  });

  test('of faults are written like all others, and are never cut within a character', async () => {
    const faultOf = async (method: string, members?: Record<string, string>): Promise<string> =>
      readAnswer(await answerTo(method, members)).fault?.faultString ?? '';
    expect(await faultOf('&lt;b&gt;&amp;"\'')).toBe('There is no method <b>&"\'');
    expect(await faultOf('a]]&gt;b')).toBe('There is no method a]]>b');
    for (let length = 60; length < 66; length += 1) {
      const long = `${'x'.repeat(length)}😀😀😀`;
      expect(await faultOf(long)).toMatch(/^There is no method x+😀*\ufffd?$/u);
      expect(await faultOf('listCustomers', { [long]: '<int>1</int>' })).toMatch(
        /^Parameter x+😀*\ufffd? is unknown$/u,
      );
    }
    expect(await faultOf('listCustomers', { '&lt;i&gt;&#13;&#9;x': '<int>1</int>' })).toContain('<i>');
    expect(await faultOf('getCustomerInfo', { i_customer: '<int>&lt;&amp;]]&gt;</int>' })).toContain('<&]]>');
  });
});

describe('Python', () => {
  const reader = `
import json, sys, xmlrpc.client
(result,), _ = xmlrpc.client.loads(sys.stdin.buffer.read())
print(json.dumps([result, {name: type(value).__name__ for name, value in result['customer'].items()}]))
`;

  test('reads what saxes reads, each value as the type that it should be', async () => {
    const python = await findPython('xmlrpc.client');
    if (!python) return;
    const i_customer = await makeCustomer({ balance: 10, callshop_enabled: true, overcommit_limit: 1e-9 });
    const text = 'carriage\rreturn & ]]> \u001b 😀 \ufffe';
    await sql.query('UPDATE customers SET description = $2 WHERE i_customer = $1', [i_customer, text]);
    const { bytes, customer } = await info(i_customer);
    const { out, err } = await run([...python, '-c', reader], [], { input: bytes });
    expect(err).toBe('');
    const [result, types] = JSON.parse(out) as [{ customer: Members }, Record<string, string>];
    expect(result.customer).toEqual(customer);
    expect(result.customer['description']).toBe('carriage\rreturn & ]]> \ufffd 😀 \ufffd');
    expect(types).toMatchObject({
      i_customer: 'int',
      balance: 'float',
      overcommit_limit: 'float',
      callshop_enabled: 'bool',
      api_access: 'int',
      name: 'str',
      i_routing_group: 'NoneType',
    });
  });

  test('writes a value as Treeline does, but for line breaks, and for exponents, which Treeline never writes', async () => {
    const python = await findPython('xmlrpc.client');
    if (!python) return;
    const i_customer = await makeCustomer({ balance: 12.5, description: 'a <b> & "c"', company_name: null });
    const { text } = await info(i_customer);
    const writer = `
import sys, xmlrpc.client
(result,), _ = xmlrpc.client.loads(sys.stdin.buffer.read())
sys.stdout.write(xmlrpc.client.dumps((result,), methodresponse=True, allow_none=True))
`;
    const { out, err } = await run([...python, '-c', writer], [], { input: text });
    expect(err).toBe('');
    const without = (xml: string): string => xml.replace(/^<\?xml[^>]*>/, '').replaceAll('\n', '');
    expect(without(text)).toBe(without(out));
  });
});
