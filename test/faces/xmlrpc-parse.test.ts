/**
 * Bytes of an XML-RPC call to a method name and values: every type and leniency of
 * docs/reference/xmlrpc.md, every breach of the grammar with its message, encodings, limits, bodies as real
 * clients write them, and hostile input, out of which nothing but a Fault may come.
 */
import fc from 'fast-check';

import { DateTime, Double, Unreadable, type Value } from '../../src/core/schema/values';
import type { ValueLimits } from '../../src/api/http/limits';
import * as encoding from '../../src/api/xmlrpc/encoding';
import type { XmlRpcCall } from '../../src/api/xmlrpc/call-reader';
import * as parse from '../../src/api/xmlrpc/parse';
import { Fault, type FaultName } from '../../src/base/faults';

const limits: ValueLimits = { nesting: 32, members: 1000, values: 50_000 };

/** The result of work that may pause, without a pause. */
function resultOf<T>(work: Generator<undefined, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

const parseCall = (text: string, within: ValueLimits): XmlRpcCall => resultOf(parse.parseCall(text, within));
const decodeText = (bytes: Uint8Array): string => resultOf(encoding.decodeText(bytes));

/** A call whose only parameter is this `<value>`. */
const callWith = (value: string): string =>
  `<methodCall><methodName>m</methodName><params><param>${value}</param></params></methodCall>`;

const read = (text: string): XmlRpcCall => parseCall(text, limits);

/** What the inside of a `<value>` reads as. */
const valueOf = (inside: string): Value => {
  const [value] = read(callWith(`<value>${inside}</value>`)).params;
  if (value === undefined) throw new Error('no value');
  return value;
};

const struct = (members: Record<string, Value>): Value => new Map(Object.entries(members));

const faultOf = (run: () => unknown): Fault => {
  try {
    run();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error('no fault');
};

const expectFault = (run: () => unknown, kind: FaultName, message: string): void => {
  const fault = faultOf(run);
  expect({ kind: fault.kind, message: fault.message }).toStrictEqual({ kind, message });
};

/** Rows of a table of texts, each with a name in front that fits a line of the report. */
const named = <Row extends readonly [string, ...unknown[]]>(rows: readonly Row[]): [string, ...Row][] =>
  rows.map((row) => [JSON.stringify(row[0]).slice(0, 120), ...row]);

/** Ends well or with a Fault; anything else fails the test by itself. */
const settle = (run: () => unknown): void => {
  try {
    run();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
  }
};

describe('types', () => {
  test.each(['int', 'i4', 'i8', 'i1', 'i2', 'ex:int', 'ex:i4', 'ex:i8', 'ex:i1', 'ex:i2'])('%s', (tag) => {
    expect(valueOf(`<${tag}>12</${tag}>`)).toBe(12);
    expect(valueOf(`<${tag}> \r\n\t-3 </${tag}>`)).toBe(-3);
    expect(valueOf(`<${tag}>12abc</${tag}>`)).toStrictEqual(new Unreadable(tag, '12abc'));
  });

  test.each<[string, number]>([
    ['+5', 5],
    ['007', 7],
    ['-0', 0],
    ['<![CDATA[5]]>', 5],
    ['&#53;', 5],
    ['1<!-- a comment -->2', 12],
    ['5000000000', 5000000000],
    ['9007199254740991', 9007199254740991],
    ['-9007199254740991', -9007199254740991],
  ])('int %s', (text, number) => {
    expect(valueOf(`<int>${text}</int>`)).toBe(number);
  });

  test.each(['', '1.5', '1e3', '0x10', '1 2', '--1', '+', '９', '9007199254740992', '9'.repeat(30)])(
    'int %p is unreadable',
    (text) => {
      expect(valueOf(`<int>${text}</int>`)).toStrictEqual(new Unreadable('int', text));
    },
  );

  test('a no-break space is no blank', () => {
    expect(valueOf('<int>\u00a05</int>')).toStrictEqual(new Unreadable('int', '\u00a05'));
    expect(valueOf('<struct><member><name>\u00a0a</name><value/></member></struct>')).toStrictEqual(
      struct({ '\u00a0a': '' }),
    );
  });

  test('an unreadable text keeps 40 characters, and no half of a surrogate pair', () => {
    expect(valueOf(`<int>${'x'.repeat(41)}</int>`)).toStrictEqual(new Unreadable('int', 'x'.repeat(40)));
    expect(valueOf(`<int>${'x'.repeat(39)}😀</int>`)).toStrictEqual(new Unreadable('int', 'x'.repeat(39)));
    expect(valueOf(`<int>${'9'.repeat(500_000)}</int>`)).toStrictEqual(new Unreadable('int', '9'.repeat(40)));
  });

  test.each<[string, boolean]>([
    ['1', true],
    ['0', false],
    ['true', true],
    ['false', false],
    [' 1\n', true],
  ])('boolean %j', (text, flag) => {
    expect(valueOf(`<boolean>${text}</boolean>`)).toBe(flag);
  });

  test.each(['', '2', 'TRUE', 'yes', '01'])('boolean %p is unreadable', (text) => {
    expect(valueOf(`<boolean>${text}</boolean>`)).toStrictEqual(new Unreadable('boolean', text));
  });

  test.each<[string, number]>([
    ['12.5', 12.5],
    ['-12', -12],
    ['+1.', 1],
    ['.5', 0.5],
    ['1e-09', 1e-9],
    ['1E+3', 1000],
    [' 0.0\n', 0],
    ['-0.0', -0],
    ['1e-400', 0],
    ['12.500000', 12.5],
  ])('double %j', (text, number) => {
    expect(valueOf(`<double>${text}</double>`)).toStrictEqual(new Double(number));
  });

  test.each([
    '',
    '.',
    'e5',
    '1e400',
    '-1e400',
    'NaN',
    'Infinity',
    'inf',
    '1,5',
    '0x1p3',
    '1e',
    '1.5.2',
    '1_000',
  ])('double %p is unreadable', (text) => {
    expect(valueOf(`<double>${text}</double>`)).toStrictEqual(new Unreadable('double', text));
  });

  test.each(['', ' a  b ', '\n', '\t', '12', 'Zoë €😀'])('string %j is kept as it is', (text) => {
    expect(valueOf(`<string>${text}</string>`)).toBe(text);
    expect(valueOf(text)).toBe(text);
  });

  test('entities, character references, CDATA, comments and processing instructions in a text', () => {
    expect(valueOf('<string>&lt;&amp;&gt;&quot;&apos;&#65;&#x42;&#128512;</string>')).toBe('<&>"\'AB😀');
    expect(valueOf('<string><![CDATA[<b>&amp;]]]]><![CDATA[></b>]]></string>')).toBe('<b>&amp;]]></b>');
    expect(valueOf('one <!-- two -->three<?four five?> <![CDATA[ six ]]>')).toBe('one three  six ');
    expect(valueOf(' <!-- only blanks --> ')).toBe('  ');
    expect(valueOf('<![CDATA[]]>')).toBe('');
  });

  test('line ends are those of XML', () => {
    expect(valueOf('a\r\nb\rc\nd&#13;e')).toBe('a\nb\nc\nd\re');
  });

  test('self-closing tags are empty elements', () => {
    expect(valueOf('')).toBe('');
    expect(read(callWith('<value/>')).params).toStrictEqual(['']);
    expect(valueOf('<string/>')).toBe('');
    expect(valueOf('<int/>')).toStrictEqual(new Unreadable('int', ''));
    expect(valueOf('<base64/>')).toStrictEqual(new Uint8Array());
    expect(valueOf('<dateTime.iso8601/>')).toStrictEqual(new DateTime(''));
    expect(valueOf('<struct/>')).toStrictEqual(new Map());
    expect(valueOf('<array><data/></array>')).toStrictEqual([]);
  });

  test('dateTime.iso8601 is kept as written, trimmed', () => {
    expect(valueOf('<dateTime.iso8601> 20260102T03:04:05\n</dateTime.iso8601>')).toStrictEqual(
      new DateTime('20260102T03:04:05'),
    );
  });

  test.each<[string, number[]]>([
    ['', []],
    [' \n ', []],
    ['AP8Q', [0, 255, 16]],
    ['\nAP8\r\n Q\t', [0, 255, 16]],
    ['AP8Q&#10;', [0, 255, 16]],
    ['+/8=', [251, 255]],
    ['AA==', [0]],
  ])('base64 %j', (text, bytes) => {
    const value = valueOf(`<base64>${text}</base64>`);
    expect(value).toStrictEqual(new Uint8Array(bytes));
    expect(Buffer.isBuffer(value)).toBe(false);
  });

  test.each(['A', 'AP8', 'AP8Q=', 'AP=8', '====', 'A===', 'AP-_', 'AP8Q!', 'AA==AA==', 'ÄP8Q'])(
    'base64 %p is unreadable',
    (text) => {
      expect(valueOf(`<base64>${text}</base64>`)).toStrictEqual(new Unreadable('base64', text));
    },
  );

  test.each(['nil', 'ex:nil'])('%s', (tag) => {
    expect(valueOf(`<${tag}/>`)).toBeNull();
    expect(valueOf(`<${tag}></${tag}>`)).toBeNull();
    expect(valueOf(` <${tag}> \n</${tag}> `)).toBeNull();
    expect(valueOf(`<${tag} xmlns:ex="http://ws.apache.org/xmlrpc/namespaces/extensions"/>`)).toBeNull();
  });

  test('struct', () => {
    expect(
      valueOf(`<struct>
        <member><name>a</name><value><int>1</int></value></member>
        <!-- between --> <?and this?>
        <member>
          <name> b \n</name>
          <value><struct><member><name>c</name><value><nil/></value></member></struct></value>
        </member>
        <member><name><![CDATA[d]]>&#101;</name><value>text</value></member>
        <member><name/><value/></member>
      </struct>`),
    ).toStrictEqual(struct({ a: 1, b: struct({ c: null }), de: 'text', '': '' }));
  });

  test('members called __proto__ and constructor are data', () => {
    const value = valueOf(
      '<struct><member><name>__proto__</name><value><struct><member><name>i_customer</name><value><int>1</int></value></member></struct></value></member><member><name>constructor</name><value>x</value></member></struct>',
    );
    expect(value).toStrictEqual(
      new Map<string, Value>([
        ['__proto__', new Map([['i_customer', 1]])],
        ['constructor', 'x'],
      ]),
    );
    expect(Object.getPrototypeOf(value)).toBe(Map.prototype);
    expect(({} as Record<string, unknown>)['i_customer']).toBeUndefined();
  });

  test('array', () => {
    expect(
      valueOf(`<array> <!-- a --> <data>
        <value><int>1</int></value> <value>two</value><value><nil/></value>
        <value><array><data/></array></value><value/>
      </data> </array>`),
    ).toStrictEqual([1, 'two', null, [], '']);
  });

  test('blanks, line breaks and comments around a typed child', () => {
    expect(valueOf(' \r\n\t<!-- a --><int>5</int><!-- b -->\n')).toBe(5);
    expect(valueOf('<![CDATA[ ]]><int>5</int>&#32;')).toBe(5);
  });

  test('attributes and namespaces are ignored', () => {
    expect(
      read(
        `<methodCall xmlns="urn:x" xmlns:ex='urn:y' a="&lt;"><methodName b=">">m</methodName>
        <params c=""><param d=" "><value xml:space="preserve"><ex:i8 e='"'>5</ex:i8></value></param></params></methodCall>`,
      ).params,
    ).toStrictEqual([5]);
  });
});

describe('the call', () => {
  test.each(
    [
      '<methodCall><methodName>m</methodName></methodCall>',
      '<methodCall><methodName>m</methodName><params/></methodCall>',
      '<methodCall><methodName>m</methodName><params> \n </params></methodCall>',
      '<methodCall>\n<methodName> m\n</methodName>\n<params><!-- none --></params>\n</methodCall>\n',
      '<?xml version="1.0"?>\n<!-- before --><?a b?>\n<methodCall><methodName><![CDATA[m]]></methodName></methodCall>\n<!-- after --><?c?>\n\r\n',
      "<?xml version='1.0' encoding='UTF-8' standalone='yes'?><methodCall><methodName>m</methodName></methodCall>",
      '<?xml version="1.1"?><methodCall><methodName>m</methodName></methodCall>',
    ].map((text) => [JSON.stringify(text), text] as const),
  )('no parameters: %s', (_name, text) => {
    expect(read(text)).toStrictEqual({ method: 'm', params: [] });
  });

  test('several parameters, in order', () => {
    expect(
      read(
        '<methodCall><methodName>system.multicall</methodName><params><param><value>a</value></param> <param>\n<value><int>2</int></value>\n</param><param><value><nil/></value></param></params></methodCall>',
      ),
    ).toStrictEqual({ method: 'system.multicall', params: ['a', 2, null] });
  });

  test('a method name has at most 255 characters', () => {
    const named = (name: string) => `<methodCall><methodName> ${name}</methodName></methodCall>`;
    expect(read(named('m'.repeat(255))).method).toHaveLength(255);
    expectFault(
      () => read(named('m'.repeat(256))),
      'not_a_call',
      'Not an XML-RPC call: the method name is longer than 255 characters (line 1, column 282)',
    );
  });
});

describe('breaches of the grammar', () => {
  const call = (inside: string) => `<methodCall>${inside}</methodCall>`;
  const name = '<methodName>m</methodName>';

  test.each(
    named<[string, string]>([
      ['<methodResponse/>', 'found <methodResponse> in the body, expected <methodCall> (line 1, column 1)'],
      ['<MethodCall/>', 'found <MethodCall> in the body, expected <methodCall> (line 1, column 1)'],
      [call(''), 'found the end of <methodCall>, expected <methodName> (line 1, column 13)'],
      ['<methodCall/>', 'found the end of <methodCall>, expected <methodName> (line 1, column 1)'],
      [call('<params/>'), 'found <params> in <methodCall>, expected <methodName> (line 1, column 13)'],
      [call('<methodName/>'), 'the method name is empty (line 1, column 13)'],
      [call('<methodName> \n </methodName>'), 'the method name is empty (line 2, column 2)'],
      [
        call('<methodName>a<b/></methodName>'),
        'found <b> in <methodName>, expected text alone (line 1, column 26)',
      ],
      [
        call(`${name}${name}`),
        'found <methodName> in <methodCall>, expected <params> or </methodCall> (line 1, column 39)',
      ],
      [
        call(`${name}<params/><params/>`),
        'found <params> in <methodCall>, expected </methodCall> (line 1, column 48)',
      ],
      [
        call(`${name}<param/>`),
        'found <param> in <methodCall>, expected <params> or </methodCall> (line 1, column 39)',
      ],
      [call(`hello${name}`), 'found text in <methodCall>, expected elements alone (line 1, column 17)'],
      [
        call(`${name}\n\n hello \n`),
        'found text in <methodCall>, expected elements alone (line 3, column 6)',
      ],
      [
        call(`${name}<params>x</params>`),
        'found text in <params>, expected elements alone (line 1, column 47)',
      ],
      [
        call(`${name}<params><value/></params>`),
        'found <value> in <params>, expected <param> (line 1, column 47)',
      ],
      [
        call(`${name}<params><param/></params>`),
        'found the end of <param>, expected <value> (line 1, column 47)',
      ],
      [callWith('<int>5</int>'), 'found <int> in <param>, expected <value> (line 1, column 54)'],
      [callWith('5'), 'found text in <param>, expected elements alone (line 1, column 54)'],
      [callWith('<value/><value/>'), 'found <value> in <param>, expected </param> (line 1, column 62)'],
    ]),
  )('%s', (_name, text, message) => {
    expectFault(() => read(text), 'not_a_call', `Not an XML-RPC call: ${message}`);
  });

  const member = '<member><name>a</name><value/></member>';
  test.each(
    named<[string, string]>([
      [
        '<float>1</float>',
        'found <float> in <value>, expected a type such as <string> or <struct> (line 2, column 1)',
      ],
      [
        '<Int>1</Int>',
        'found <Int> in <value>, expected a type such as <string> or <struct> (line 2, column 1)',
      ],
      [
        '<value/>',
        'found <value> in <value>, expected a type such as <string> or <struct> (line 2, column 1)',
      ],
      [
        '<ex:string/>',
        'found <ex:string> in <value>, expected a type such as <string> or <struct> (line 2, column 1)',
      ],
      [
        '<int>1</int><int>2</int>',
        'found <int> in <value>, expected </value>, as a value holds one type (line 2, column 13)',
      ],
      [
        '<nil/><nil/>',
        'found <nil> in <value>, expected </value>, as a value holds one type (line 2, column 7)',
      ],
      [
        'text<int>1</int>',
        'found <int> in <value>, expected </value>, as text stands before it (line 2, column 5)',
      ],
      [
        '<int>1</int> text ',
        'found text in <value>, expected </value>, as a value holds one type (line 2, column 17)',
      ],
      [
        '<int>1</int><![CDATA[<]]>',
        'found text in <value>, expected </value>, as a value holds one type (line 2, column 13)',
      ],
      ['<int>1<i4>1</i4></int>', 'found <i4> in <int>, expected text alone (line 2, column 7)'],
      ['<string>a<b>c</b></string>', 'found <b> in <string>, expected text alone (line 2, column 10)'],
      ['<nil>0</nil>', 'found text in <nil>, expected </nil>, as it holds nothing (line 2, column 7)'],
      [
        '<ex:nil>0</ex:nil >',
        'found text in <ex:nil>, expected </ex:nil>, as it holds nothing (line 2, column 10)',
      ],
      ['<array/>', 'found the end of <array>, expected <data> (line 2, column 1)'],
      ['<array><value/></array>', 'found <value> in <array>, expected <data> (line 2, column 8)'],
      ['<array><data/><data/></array>', 'found <data> in <array>, expected </array> (line 2, column 15)'],
      [
        '<array><data><int>1</int></data></array>',
        'found <int> in <data>, expected <value> (line 2, column 14)',
      ],
      ['<array><data>1</data></array>', 'found text in <data>, expected elements alone (line 2, column 14)'],
      ['<struct>a</struct>', 'found text in <struct>, expected elements alone (line 2, column 9)'],
      ['<struct><name/></struct>', 'found <name> in <struct>, expected <member> (line 2, column 9)'],
      ['<struct><member/></struct>', 'found the end of <member>, expected <name> (line 2, column 9)'],
      [
        '<struct><member><name>a</name></member></struct>',
        'found the end of <member>, expected <value> (line 2, column 31)',
      ],
      [
        '<struct><member><value/><name>a</name></member></struct>',
        'found <value> in <member>, expected <name> (line 2, column 17)',
      ],
      [
        '<struct><member><name>a</name><name>b</name></member></struct>',
        'found <name> in <member>, expected <value> (line 2, column 31)',
      ],
      [
        '<struct><member><name>a</name><value/><value/></member></struct>',
        'found <value> in <member>, expected </member> (line 2, column 39)',
      ],
      [
        '<struct><member><name>a</name><value/><name>a</name></member></struct>',
        'found <name> in <member>, expected </member> (line 2, column 39)',
      ],
      [
        '<struct><member><name>a<b/></name></member></struct>',
        'found <b> in <name>, expected text alone (line 2, column 24)',
      ],
      [
        '<struct><member><name>a</name>b<value/></member></struct>',
        'found text in <member>, expected elements alone (line 2, column 31)',
      ],
      [`<struct>${member}${member}</struct>`, 'a struct holds the member "a" twice (line 2, column 63)'],
      [
        `<struct>${member}${member.replace('>a<', '> a\n<')}</struct>`,
        'a struct holds the member "a" twice (line 3, column 1)',
      ],
    ]),
  )('in a value: %s', (_name, inside, message) => {
    expectFault(() => valueOf(`\n${inside}`), 'not_a_call', `Not an XML-RPC call: ${message}`);
  });

  test('a fault never repeats a text, and cuts names', () => {
    expect(faultOf(() => valueOf('<int>1</int>secret')).message).not.toContain('secret');
    expect(faultOf(() => valueOf(`<${'x'.repeat(100_000)}/>`)).message).toContain(`<${'x'.repeat(64)}>`);
    expect(faultOf(() => read(`<${'x'.repeat(100_000)}>`)).message.length).toBeLessThan(300);
    expect(faultOf(() => read(callWith(`</${'x'.repeat(100_000)}>`))).message.length).toBeLessThan(300);
  });
});

describe('not well-formed', () => {
  test.each(
    named<[string, string]>([
      ['', 'The body is empty'],
      [' \r\n\t', 'The body is empty'],
      ['hello', 'Not well-formed XML: text data outside of root node (line 1, column 6)'],
      ['{"method": "m"}', 'Not well-formed XML: text data outside of root node (line 1, column 16)'],
      ['name=x&y=z', 'Not well-formed XML: text data outside of root node (line 1, column 7)'],
      ['<methodCall', 'Not well-formed XML: document must contain a root element (line 1, column 11)'],
      [
        '<methodCall><methodName>m</methodName>',
        'Not well-formed XML: unclosed tag: methodCall (line 1, column 38)',
      ],
      [
        '<methodCall>\n<methodName>m</methodname>\n</methodCall>',
        'Not well-formed XML: unexpected close tag </methodname> (line 2, column 14)',
      ],
      [
        '<methodCall></methodName></methodCall>',
        'Not well-formed XML: </methodName> closes <methodCall> (line 1, column 13)',
      ],
      [
        callWith('<value><nil>x</int></value>'),
        'Not well-formed XML: </int> closes <nil> (line 1, column 67)',
      ],
      [callWith('<value>&nbsp;</value>'), 'Not well-formed XML: undefined entity (line 1, column 61)'],
      [
        callWith('<value>&constructor;&__proto__;</value>'),
        'Not well-formed XML: undefined entity (line 1, column 61)',
      ],
      [
        callWith('<value>Smith & Co</value>'),
        'Not well-formed XML: unclosed tag: value (line 1, column 108, perhaps for an & that should be &amp; at line 1, column 67)',
      ],
      [
        callWith('<value>\n&lt; Smith & Co</value><value>&lt;</value>'),
        'Not well-formed XML: disallowed character in entity name (line 2, column 12)',
      ],
      [
        callWith('<value>a ]]> b</value>'),
        'Not well-formed XML: the string "]]>" is disallowed in char data (line 1, column 65)',
      ],
      [callWith('<value>\u0000</value>'), 'Not well-formed XML: disallowed character (line 1, column 61)'],
      [
        callWith('<value>&#0;</value>'),
        'Not well-formed XML: malformed character entity (line 1, column 61)',
      ],
      [
        callWith('<value>&#xD800;</value>'),
        'Not well-formed XML: malformed character entity (line 1, column 61)',
      ],
      [
        callWith('<value>&#99999999999999999999;</value>'),
        'Not well-formed XML: malformed character entity (line 1, column 61)',
      ],
      [callWith('<value>\uffff</value>'), 'Not well-formed XML: disallowed character (line 1, column 61)'],
      [callWith('<value>\ud800</value>'), 'The body holds half a surrogate pair'],
      [callWith('<value a=1/>'), 'Not well-formed XML: unquoted attribute value (line 1, column 63)'],
      [callWith('<value a="1" a="2"/>'), 'Not well-formed XML: duplicate attribute: a (line 1, column 73)'],
      [
        callWith('<value><!-- a -- b --></value>'),
        'Not well-formed XML: malformed comment (line 1, column 70)',
      ],
      [
        '\n<?xml version="1.0"?><methodCall/>',
        'Not well-formed XML: an XML declaration must be at the start of the document (line 2, column 6)',
      ],
      [
        `<?xml version="1.1"?>${callWith('<value>&#1;</value>')}`,
        'Not well-formed XML: malformed character entity (line 1, column 82)',
      ],
      [
        '<!DOCTYPE methodCall><methodCall/>',
        'Not well-formed XML: a document type (DOCTYPE) is not accepted (line 1, column 21)',
      ],
      [
        '<?xml version="1.0"?>\n<!DOCTYPE m SYSTEM "http://127.0.0.1/x.dtd">\n<m/>',
        'Not well-formed XML: a document type (DOCTYPE) is not accepted (line 2, column 44)',
      ],
      [
        `${callWith('<value/>')}junk`,
        'Not well-formed XML: text data outside of root node (line 1, column 96)',
      ],
      [
        `${callWith('<value/>')}<methodCall/>`,
        'Not well-formed XML: documents may contain only one root (line 1, column 103)',
      ],
      [
        `${callWith('<value/>')}&amp;`,
        'Not well-formed XML: text data outside of root node (line 1, column 92)',
      ],
      [
        `${callWith('<value/>')}<![CDATA[x]]>`,
        'Not well-formed XML: text data outside of root node (line 1, column 100)',
      ],
      [`${callWith('<value/>')}<!-- unfinished`, 'Not well-formed XML: unexpected end (line 1, column 106)'],
      [
        `junk${callWith('<value/>')}`,
        'Not well-formed XML: text data outside of root node (line 1, column 5)',
      ],
    ]),
  )('%s', (_name, text, message) => {
    expectFault(() => read(text), 'not_well_formed', message);
  });

  test('lines end with LF, CRLF and CR', () => {
    expectFault(
      () => read('<methodCall>\r\n\r\n<a/>'),
      'not_a_call',
      'Not an XML-RPC call: found <a> in <methodCall>, expected <methodName> (line 3, column 1)',
    );
    expect(faultOf(() => read('<methodCall>\r\r <a/>')).message).toContain('(line 3, column 2)');
  });
});

describe('limits', () => {
  const nested = (levels: number) => {
    const arrays = levels - 1;
    return callWith(
      `${'<value><array><data>'.repeat(arrays)}<value/>${'</data></array></value>'.repeat(arrays)}`,
    );
  };

  test('nesting counts values: a parameter is at 1', () => {
    expect(parseCall(callWith('<value/>'), { ...limits, nesting: 1 }).params).toStrictEqual(['']);
    expect(read(nested(32)).params).toHaveLength(1);
    expectFault(
      () => read(nested(33)),
      'not_a_call',
      'Not an XML-RPC call: values stand deeper in each other than the limit of 32 levels (line 1, column 694)',
    );
    const member = (value: string) =>
      `<value><struct><member><name>a</name>${value}</member></struct></value>`;
    expect(parseCall(callWith(member('<value/>')), { ...limits, nesting: 2 }).params).toHaveLength(1);
    expect(faultOf(() => parseCall(callWith(member('<value/>')), { ...limits, nesting: 1 })).kind).toBe(
      'not_a_call',
    );
  });

  test('values side by side are not deep', () => {
    const side = `<value><array><data>${'<value><struct/></value>'.repeat(1000)}</data></array></value>`;
    expect(parseCall(callWith(side), { ...limits, nesting: 2 }).params).toStrictEqual([
      Array.from({ length: 1000 }, () => new Map()),
    ]);
  });

  const repeated = (count: number, one: (index: number) => string) =>
    Array.from({ length: count }, (_, i) => one(i)).join('');
  test.each<[string, (count: number) => string, string]>([
    [
      'members in a struct',
      (count) =>
        callWith(
          `<value><struct>${repeated(count, (i) => `<member><name>${i}</name><value/></member>`)}</struct></value>`,
        ),
      'more members in a struct than the limit of 1000',
    ],
    [
      'elements in an array',
      (count) => callWith(`<value><array><data>${'<value/>'.repeat(count)}</data></array></value>`),
      'more elements in an array than the limit of 1000',
    ],
    [
      'parameters',
      (count) =>
        `<methodCall><methodName>m</methodName><params>${'<param><value/></param>'.repeat(count)}</params></methodCall>`,
      'more parameters in the call than the limit of 1000',
    ],
  ])('%s', (_what, body, message) => {
    expect(read(body(1000)).params).toBeDefined();
    expect(faultOf(() => read(body(1001))).message).toContain(
      `Not an XML-RPC call: ${message} (line 1, column `,
    );
  });
});

describe('encodings', () => {
  const body = (declaration: string, name = 'Zoë') => `${declaration}${callWith(`<value>${name}</value>`)}`;
  const nameIn = (bytes: Uint8Array): Value | undefined => read(decodeText(bytes)).params[0];
  const utf16 = (text: string, order: 'le' | 'be') => {
    const bytes = Buffer.from(text, 'utf16le');
    return order === 'le' ? bytes : bytes.swap16();
  };
  const declared = (label: string) => `<?xml version="1.0" encoding="${label}"?>`;

  test('UTF-8, with and without a BOM, declared and not', () => {
    expect(nameIn(Buffer.from(body('', 'Zoë €😀')))).toBe('Zoë €😀');
    expect(nameIn(Buffer.from(`\ufeff${body('', 'Zoë €😀')}`))).toBe('Zoë €😀');
    expect(nameIn(Buffer.from(body(declared('UTF-8'))))).toBe('Zoë');
    expect(nameIn(Buffer.from(body(declared('utf8'))))).toBe('Zoë');
    expect(nameIn(Buffer.from(body('<?xml version="1.0"?>')))).toBe('Zoë');
    expect(nameIn(Buffer.from(body('', 'plain')))).toBe('plain');
    expect(decodeText(new Uint8Array())).toBe('');
  });

  test('a view into a larger buffer', () => {
    const bytes = Buffer.from(`xxx${body('')}yyy`);
    expect(nameIn(new Uint8Array(bytes.buffer, bytes.byteOffset + 3, bytes.length - 6))).toBe('Zoë');
  });

  test.each(['le', 'be'] as const)('UTF-16 %s, with and without a BOM', (order) => {
    for (const declaration of ['', declared('UTF-16'), declared(`utf-16${order}`), declared('utf-8')]) {
      expect(nameIn(utf16(`\ufeff${body(declaration, 'Zoë €😀')}`, order))).toBe('Zoë €😀');
      expect(nameIn(utf16(body(declaration, 'Zoë €😀'), order))).toBe('Zoë €😀');
    }
  });

  test('a BOM wins over the declaration', () => {
    expect(nameIn(Buffer.from(`\ufeff${body(declared('koi8-r'))}`))).toBe('Zoë');
    expect(nameIn(utf16(`\ufeff${body(declared('no-such'))}`, 'le'))).toBe('Zoë');
  });

  test.each<[string, number[], string]>([
    ['iso-8859-1', [0x5a, 0xeb], 'Zë'],
    ['ISO-8859-1', [0x80, 0x92], '€’'],
    ['windows-1252', [0x80, 0x92, 0xff, 0x9f, 0xa0], '€’ÿŸ\u00a0'],
    ['latin1', [0xeb], 'ë'],
    ['iso-8859-15', [0xa4], '€'],
    ['iso-8859-2', [0xb1], 'ą'],
    ['windows-1251', [0xc4, 0xe0], 'Да'],
    ['koi8-r', [0xe4, 0xc1], 'Да'],
    ['ibm866', [0x84, 0xa0], 'Да'],
    ['macintosh', [0x8e], 'é'],
    ['shift_jis', [0x93, 0xfa], '日'],
    ['euc-jp', [0xc6, 0xfc], '日'],
    ['gbk', [0xc8, 0xd5], '日'],
    ['gb18030', [0x94, 0x39, 0xda, 0x33], '💩'],
    ['big5', [0xa4, 0xe9], '日'],
    ['euc-kr', [0xc0, 0xcf], '일'],
    ['windows-874', [0xa1], 'ก'],
  ])('declared %s', (label, bytes, name) => {
    const encoded = (declaration: string) => {
      const [before = '', after = ''] = body(declaration, '|').split('|');
      return Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after)]);
    };
    expect(nameIn(encoded(`<?xml version="1.0" encoding="${label}"?>`))).toBe(name);
    expect(nameIn(encoded(`<?xml version='1.0' encoding='${label}'?>`))).toBe(name);
    expect(nameIn(encoded(`<?xml\n version = "1.0"\r\n\tencoding\n=\n'${label}' standalone="no" ?>`))).toBe(
      name,
    );
  });

  test('every byte of windows-1252, as its table says', () => {
    const high = Buffer.from(Array.from({ length: 128 }, (_, i) => 128 + i));
    const text = decodeText(Buffer.concat([Buffer.from(declared('windows-1252')), high]));
    expect(text.slice(-128)).toBe(
      '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ\u00a0¡¢£¤¥¦§¨©ª«¬\u00ad®¯°±²³´µ¶·¸¹º»¼½¾¿ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ',
    );
  });

  test('us-ascii that holds UTF-8, as RPC::XML sends it', () => {
    expect(nameIn(Buffer.from(body(declared('us-ascii'))))).toBe('Zoë');
    expectFault(
      () => decodeText(Buffer.from(body(declared('us-ascii')), 'latin1')),
      'not_well_formed',
      'The body is not valid utf-8, from its byte 104 on; another encoding must be declared',
    );
  });

  test('UTF-16 declared in text that is not: UTF-8, as .NET writers send it', () => {
    expect(nameIn(Buffer.from(body(declared('utf-16'))))).toBe('Zoë');
  });

  test.each<[string, Buffer, string]>([
    ['unknown', Buffer.from(body(declared('x-klingon'))), 'The encoding "x-klingon" is unknown'],
    ['unknown to TextDecoder', Buffer.from(body(declared('UTF-7'))), 'The encoding "utf-7" is unknown'],
    ['empty', Buffer.from(body(declared(''))), 'The encoding "" is unknown'],
    ['long', Buffer.from(body(declared('x'.repeat(500)))), `The encoding "${'x'.repeat(40)}" is unknown`],
    [
      'a declaration without an end',
      Buffer.from(`<?xml version="1.0" ${' '.repeat(2000)}?>`),
      'The XML declaration does not end',
    ],
    [
      'Latin-1 without a declaration',
      Buffer.from(body(''), 'latin1'),
      'The body is not valid utf-8, from its byte 63 on; another encoding must be declared',
    ],
    [
      'a surrogate in UTF-8',
      Buffer.from([0x3c, 0xed, 0xa0, 0x80]),
      'The body is not valid utf-8, from its byte 2 on; another encoding must be declared',
    ],
    [
      'UTF-8 cut short',
      Buffer.from([0x3c, 0xef, 0xbf]),
      'The body is not valid utf-8, from its byte 3 on; another encoding must be declared',
    ],
    [
      'UTF-8 cut short after a BOM',
      Buffer.from([0xef, 0xbb, 0xbf, 0x3c, 0xc3]),
      'The body is not valid utf-8, from its byte 5 on; another encoding must be declared',
    ],
    ['UTF-16 of odd length', Buffer.from([0xff, 0xfe, 0x3c]), 'The body is not valid utf-16le'],
    [
      'half a surrogate pair in UTF-16',
      Buffer.from([0xfe, 0xff, 0xd8, 0x00, 0x00, 0x3c]),
      'The body is not valid utf-16be',
    ],
    ...(
      ['shift_jis', 'euc-jp', 'big5', 'euc-kr', 'gbk', 'windows-1253', 'windows-874', 'iso-8859-6'] as const
    ).map((label): [string, Buffer, string] => [
      `bytes that ${label} does not define`,
      Buffer.concat([
        Buffer.from(declared(label)),
        Buffer.from(
          {
            gbk: [0x81],
            'windows-1253': [0xd2],
            'windows-874': [0xdb],
            'iso-8859-6': [0xa1],
            'euc-kr': [0x81],
          }[label as string] ?? [0x80, 0x80, 0xff],
        ),
      ]),
      `The body is not valid ${label}`,
    ]),
  ])('%s', (_what, bytes, message) => {
    expectFault(() => decodeText(bytes), 'not_well_formed', message);
  });

  test('whatever the bytes and the label, only a Fault comes out', () => {
    const label = fc.constantFrom(
      'utf-8',
      'iso-8859-1',
      'koi8-r',
      'utf-16',
      'shift_jis',
      'iso-2022-jp',
      'gb18030',
      'x',
      '"',
      '866',
    );
    fc.assert(
      fc.property(label, fc.uint8Array({ maxLength: 40 }), fc.boolean(), (name, bytes, withDeclaration) => {
        const head = withDeclaration ? Buffer.from(declared(name)) : Buffer.alloc(0);
        settle(() => read(decodeText(Buffer.concat([head, bytes]))));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('bodies as clients write them', () => {
  const common = { name: 'Zoë & <Co>', api_access: true, css: '' };
  const bin = new Uint8Array([0, 255, 16]);
  const call = (bytes: Buffer) => read(decodeText(bytes));

  test.each<[string, string]>([
    [
      'Python xmlrpc.client',
      `<?xml version='1.0'?>
<methodCall>
<methodName>listCustomers</methodName>
<params>
</params>
</methodCall>
`,
    ],
    [
      'PHP xmlrpc_encode_request',
      `<?xml version="1.0" encoding="iso-8859-1"?>
<methodCall>
<methodName>listCustomers</methodName>
<params/>
</methodCall>
`,
    ],
    [
      'Perl RPC::XML',
      `<?xml version="1.0" encoding="us-ascii"?><methodCall><methodName>listCustomers</methodName><params></params></methodCall>`,
    ],
    [
      'npm xmlrpc',
      `<?xml version="1.0"?><methodCall><methodName>listCustomers</methodName><params/></methodCall>`,
    ],
  ])('no parameters: %s', (_client, body) => {
    expect(call(Buffer.from(body))).toStrictEqual({ method: 'listCustomers', params: [] });
  });

  const python = `<?xml version='1.0'?>
<methodCall>
<methodName>createCustomer</methodName>
<params>
<param>
<value><struct>
<member>
<name>name</name>
<value><string>Zoë &amp; &lt;Co&gt;</string></value>
</member>
<member>
<name>i_tariff</name>
<value><nil/></value></member>
<member>
<name>balance</name>
<value><double>12.5</double></value>
</member>
<member>
<name>overcommit_limit</name>
<value><double>1e-09</double></value>
</member>
<member>
<name>max_depth</name>
<value><int>-3</int></value>
</member>
<member>
<name>api_access</name>
<value><boolean>1</boolean></value>
</member>
<member>
<name>when</name>
<value><dateTime.iso8601>20260102T03:04:05</dateTime.iso8601></value>
</member>
<member>
<name>bin</name>
<value><base64>
AP8Q
</base64></value>
</member>
<member>
<name>list</name>
<value><array><data>
<value><int>1</int></value>
<value><string>two</string></value>
<value><array><data>
</data></array></value>
<value><struct>
</struct></value>
</data></array></value>
</member>
<member>
<name>css</name>
<value><string></string></value>
</member>
<member>
<name>description</name>
<value><string>a
b</string></value>
</member>
</struct></value>
</param>
</params>
</methodCall>
`;

  test.each(['utf8', 'latin1'] as const)('Python xmlrpc.client, %s', (encoding) => {
    const declaration =
      encoding === 'latin1' ? "<?xml version='1.0' encoding='iso-8859-1'?>" : "<?xml version='1.0'?>";
    const body = python.replace("<?xml version='1.0'?>", declaration);
    expect(call(Buffer.from(body, encoding))).toStrictEqual({
      method: 'createCustomer',
      params: [
        struct({
          ...common,
          i_tariff: null,
          balance: new Double(12.5),
          overcommit_limit: new Double(1e-9),
          max_depth: -3,
          when: new DateTime('20260102T03:04:05'),
          bin,
          list: [1, 'two', [], new Map()],
          description: 'a\nb',
        }),
      ],
    });
  });

  // PHP writes null as an empty string, and rounds doubles to six places.
  const php = `<?xml version="1.0" encoding="iso-8859-1"?>
<methodCall>
<methodName>createCustomer</methodName>
<params>
 <param>
  <value>
   <struct>
    <member>
     <name>name</name>
     <value>
      <string>Zo&#235; &#38; &#60;Co&#62;</string>
     </value>
    </member>
    <member>
     <name>i_tariff</name>
     <value>
      <string/>
     </value>
    </member>
    <member>
     <name>balance</name>
     <value>
      <double>12.500000</double>
     </value>
    </member>
    <member>
     <name>overcommit_limit</name>
     <value>
      <double>0.000000</double>
     </value>
    </member>
    <member>
     <name>max_depth</name>
     <value>
      <int>-3</int>
     </value>
    </member>
    <member>
     <name>api_access</name>
     <value>
      <boolean>1</boolean>
     </value>
    </member>
    <member>
     <name>dncl_enabled</name>
     <value>
      <boolean>0</boolean>
     </value>
    </member>
    <member>
     <name>when</name>
     <value>
      <dateTime.iso8601>20260102T03:04:05</dateTime.iso8601>
     </value>
    </member>
    <member>
     <name>bin</name>
     <value>
      <base64>AP8Q&#10;</base64>
     </value>
    </member>
    <member>
     <name>list</name>
     <value>
      <array>
       <data>
        <value>
         <int>1</int>
        </value>
        <value>
         <string>two</string>
        </value>
        <value>
         <array>
          <data/>
         </array>
        </value>
        <value>
         <struct>
          <member>
           <name>a</name>
           <value>
            <int>1</int>
           </value>
          </member>
         </struct>
        </value>
       </data>
      </array>
     </value>
    </member>
    <member>
     <name>description</name>
     <value>
      <string>a&#10;b&#34;c'</string>
     </value>
    </member>
   </struct>
  </value>
 </param>
</params>
</methodCall>
`;

  test('PHP xmlrpc_encode_request', () => {
    expect(call(Buffer.from(php)).params).toStrictEqual([
      struct({
        name: 'Zoë & <Co>',
        api_access: true,
        i_tariff: '',
        balance: new Double(12.5),
        overcommit_limit: new Double(0),
        max_depth: -3,
        dncl_enabled: false,
        when: new DateTime('20260102T03:04:05'),
        bin,
        list: [1, 'two', [], struct({ a: 1 })],
        description: 'a\nb"c\'',
      }),
    ]);
  });

  test('PHP xmlrpc_encode_request with escaping => cdata', () => {
    const body = `<?xml version="1.0" encoding="utf-8"?>
<methodCall>
<methodName><![CDATA[createCustomer]]></methodName>
<params>
<param>
<value>
<struct>
<member>
<name><![CDATA[name]]></name>
<value>
<string><![CDATA[Zoë]]></string>
</value>
</member>
<member>
<name><![CDATA[max_depth]]></name>
<value>
<int><![CDATA[5]]></int>
</value>
</member>
<member>
<name><![CDATA[css]]></name>
<value>
<string/>
</value>
</member>
</struct>
</value>
</param>
</params>
</methodCall>
`;
    expect(call(Buffer.from(body))).toStrictEqual({
      method: 'createCustomer',
      params: [struct({ name: 'Zoë', max_depth: 5, css: '' })],
    });
  });

  test('PHP xmlrpc_encode_request with encoding => utf-8, escaping => markup', () => {
    const body = `<?xml version="1.0" encoding="utf-8"?><methodCall><methodName>createCustomer</methodName><params><param><value><struct><member><name>name</name><value><string>Zoë &#38; Söhne</string></value></member></struct></value></param></params></methodCall>`;
    expect(call(Buffer.from(body)).params).toStrictEqual([struct({ name: 'Zoë & Söhne' })]);
  });

  // It declares us-ascii and sends UTF-8.
  const rpcXml = `<?xml version="1.0" encoding="us-ascii"?><methodCall><methodName>createCustomer</methodName><params><param><value><struct><member><name>when</name><value><dateTime.iso8601>20260102T03:04:05Z</dateTime.iso8601></value></member><member><name>overcommit_limit</name><value><double>0.000000001</double></value></member><member><name>list</name><value><array><data><value><int>1</int></value><value><string>two</string></value><value><i8>5000000000</i8></value><value><array><data></data></array></value><value><struct></struct></value></data></array></value></member><member><name>balance</name><value><double>12.5</double></value></member><member><name>bin</name><value><base64>AP8Q</base64></value></member><member><name>css</name><value><string></string></value></member><member><name>api_access</name><value><boolean>1</boolean></value></member><member><name>i_tariff</name><value><nil/></value></member><member><name>name</name><value><string>Zoë &amp; &lt;Co&gt;</string></value></member><member><name>max_depth</name><value><int>5</int></value></member></struct></value></param></params></methodCall>`;

  test('Perl RPC::XML', () => {
    expect(call(Buffer.from(rpcXml)).params).toStrictEqual([
      struct({
        ...common,
        i_tariff: null,
        balance: new Double(12.5),
        overcommit_limit: new Double(1e-9),
        max_depth: 5,
        when: new DateTime('20260102T03:04:05Z'),
        bin,
        list: [1, 'two', 5000000000, [], new Map()],
      }),
    ]);
  });

  const frontier = `<?xml version="1.0"?>
<methodCall>
<methodName>createCustomer</methodName>
<params>
<param><value><struct>
<member><name>bin</name><value><base64>AP8Q</base64></value>
</member>
<member><name>css</name><value><string></string></value></member>
<member><name>api_access</name><value><boolean>1</boolean></value>
</member>
<member><name>i_tariff</name><value><int>7</int></value>
</member>
<member><name>when</name><value><dateTime.iso8601>20260102T03:04:05</dateTime.iso8601></value>
</member>
<member><name>phone</name><value><string>12</string></value>
</member>
<member><name>name</name><value><string>Zo&#235; &amp; &lt;Co&gt;</string></value></member>
<member><name>max_depth</name><value><i4>5</i4></value></member>
<member><name>overcommit_limit</name><value><double>1e-09</double></value></member>
<member><name>list</name><value><array><data>
<value><i4>1</i4></value><value><string>two</string></value><value><array><data>
</data></array></value>
<value><struct>
</struct></value>
</data></array></value>
</member>
<member><name>balance</name><value><double>1.5</double></value>
</member>
</struct></value>
</param>
</params>
</methodCall>
`;

  test('Perl Frontier::RPC2', () => {
    expect(call(Buffer.from(frontier)).params).toStrictEqual([
      struct({
        ...common,
        i_tariff: 7,
        balance: new Double(1.5),
        overcommit_limit: new Double(1e-9),
        max_depth: 5,
        phone: '12',
        when: new DateTime('20260102T03:04:05'),
        bin,
        list: [1, 'two', [], new Map()],
      }),
    ]);
  });

  const npm = `<?xml version="1.0"?><methodCall><methodName>createCustomer</methodName><params><param><value><struct><member><name>name</name><value><string><![CDATA[Zoë & <Co>]]></string></value></member><member><name>i_tariff</name><value><nil/></value></member><member><name>max_depth</name><value><int>5</int></value></member><member><name>balance</name><value><double>12.5</double></value></member><member><name>overcommit_limit</name><value><double>1e-9</double></value></member><member><name>api_access</name><value><boolean>1</boolean></value></member><member><name>when</name><value><dateTime.iso8601>20260102T03:04:05</dateTime.iso8601></value></member><member><name>bin</name><value><base64>AP8Q</base64></value></member><member><name>list</name><value><array><data><value><int>1</int></value><value><string>two</string></value><value><array><data/></array></value><value><struct/></value></data></array></value></member><member><name>css</name><value><string/></value></member><member><name>fax</name><value/></member><member><name>description</name><value><string><![CDATA[<b>]]]]><![CDATA[></b>]]></string></value></member></struct></value></param></params></methodCall>`;

  test('npm xmlrpc', () => {
    expect(call(Buffer.from(npm)).params).toStrictEqual([
      struct({
        ...common,
        i_tariff: null,
        balance: new Double(12.5),
        overcommit_limit: new Double(1e-9),
        max_depth: 5,
        when: new DateTime('20260102T03:04:05'),
        bin,
        list: [1, 'two', [], new Map()],
        fax: '',
        description: '<b>]]></b>',
      }),
    ]);
  });

  // What a mutation can hit: markup, references, and pieces that are right elsewhere.
  const pieces = [
    '<!--',
    '-->',
    '<![CDATA[',
    ']]>',
    '<?',
    '?>',
    '&#',
    '&amp;',
    '&x;',
    ';',
    '<value>',
    '</value>',
    '<nil/>',
    '<',
    '</',
    '>',
    '/>',
    '"',
    '=',
    ' ',
    '\r',
    '\r\n',
    '\0',
    'é',
    '😀',
    '<!DOCTYPE a [',
    '<?xml version="1.0" encoding="utf-16"?>',
    '\ufeff',
  ].map((piece) => Buffer.from(piece));

  test('mutated, only a Fault comes out', () => {
    const bodies = [python, php, rpcXml, frontier, npm].map((body) => Buffer.from(body));
    const edit = fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      remove: fc.nat(12),
      insert: fc.oneof(fc.constantFrom(...pieces), fc.uint8Array({ maxLength: 3 })),
    });
    fc.assert(
      fc.property(
        fc.constantFrom(...bodies),
        fc.array(edit, { minLength: 1, maxLength: 4 }),
        (body, edits) => {
          let bytes: Buffer = body;
          for (const { at, remove, insert } of edits) {
            const index = Math.floor(at * bytes.length);
            bytes = Buffer.concat([bytes.subarray(0, index), insert, bytes.subarray(index + remove)]);
          }
          settle(() => call(bytes));
          // The text as it is, too: the decoder refuses much that would otherwise reach the parser.
          settle(() => read(bytes.toString('latin1')));
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe('hostile input', () => {
  /** Slow here means quadratic, not a busy machine: what is linear takes some tens of milliseconds. */
  const quick_ms = 10_000;
  const within = (run: () => void): void => {
    const start = performance.now();
    run();
    expect(performance.now() - start).toBeLessThan(quick_ms);
  };

  test('entity bombs', () => {
    const bomb = `<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">${Array.from(
      { length: 9 },
      (_, i) => `<!ENTITY lol${i + 1} "${`&lol${i || ''};`.repeat(10)}">`,
    ).join('')}]>${callWith('<value>&lol9;</value>')}`;
    expect(faultOf(() => read(bomb)).message).toContain('a document type (DOCTYPE) is not accepted');
    expect(
      faultOf(() =>
        read(`<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>${callWith('<value>&x;</value>')}`),
      ).kind,
    ).toBe('not_well_formed');
  });

  test.each<[string, string, FaultName]>([
    ['100,000 nested tags', '<a>'.repeat(100_000), 'not_a_call'],
    ['100,000 nested values', callWith('<value><array><data>'.repeat(100_000)), 'not_a_call'],
    [
      '100,000 nested structs',
      callWith('<value><struct><member><name>a</name>'.repeat(100_000)),
      'not_a_call',
    ],
    ['a document type of 1 MB', `<!DOCTYPE a [${'<!ENTITY a "b">'.repeat(70_000)}]><a/>`, 'not_well_formed'],
    ['a document type without an end', `<!DOCTYPE a [${'<'.repeat(1_000_000)}`, 'not_well_formed'],
    ['a tag without an end', `<methodCall ${'a'.repeat(1_000_000)}`, 'not_well_formed'],
    ['a comment without an end', `<!--${'- '.repeat(500_000)}`, 'not_well_formed'],
    [
      'a CDATA section without an end',
      callWith(`<value><![CDATA[${']'.repeat(1_000_000)}`),
      'not_well_formed',
    ],
    ['a reference without an end', callWith(`<value>&${'a'.repeat(1_000_000)}`), 'not_well_formed'],
    ['a processing instruction without an end', `<?a ${'?'.repeat(1_000_000)}`, 'not_well_formed'],
    ['NUL bytes', '\0'.repeat(1_000_000), 'not_well_formed'],
    ['a breach after many lines', callWith(`<value>${'\r\n'.repeat(500_000)}</value><a/>`), 'not_a_call'],
  ])('%s', (_what, text, kind) => {
    within(() => {
      expect(faultOf(() => read(text)).kind).toBe(kind);
    });
  });

  test.each<[string, string, number]>([
    ['1 MB of comments in a text', 'a<!---->'.repeat(130_000), 130_000],
    ['1 MB of CDATA sections', '<![CDATA[a]]>'.repeat(80_000), 80_000],
    ['1 MB of processing instructions', 'a<?b?>'.repeat(170_000), 170_000],
    ['1 MB of references', '&#97;'.repeat(200_000), 200_000],
    ['1 MB of CRs', '\r'.repeat(1_000_000), 1_000_000],
    ['1 MB of text', 'x'.repeat(1_000_000), 1_000_000],
    ['1 MB of two-byte text', '€'.repeat(1_000_000), 1_000_000],
  ])('%s is read in linear time', (_what, inside, length) => {
    within(() => {
      expect(valueOf(inside)).toHaveLength(length);
      expect(valueOf(`<string>${inside}</string>`)).toHaveLength(length);
    });
  });

  test('more attributes in a tag than members are allowed are refused', () => {
    const attributes = (count: number): string =>
      Array.from({ length: count }, (_, i) => ` a${i}="b"`).join('');
    expect(valueOf(`<int ${attributes(1_000)}>5</int>`)).toBe(5);
    expect(faultOf(() => valueOf(`<int ${attributes(1_001)}>5</int>`)).message).toBe(
      'Not an XML-RPC call: more attributes in a tag than the limit of 1000',
    );
  });

  test('more values than the limit are refused, wherever they stand', () => {
    const list = `<array><data>${'<value/>'.repeat(3)}</data></array>`;
    const lists = (count: number): string =>
      callWith(`<value><array><data>${`<value>${list}</value>`.repeat(count)}</data></array></value>`);
    expect(parseCall(lists(2), { ...limits, values: 9 }).params).toHaveLength(1);
    expect(faultOf(() => parseCall(lists(2), { ...limits, values: 8 })).message).toBe(
      'The body holds more values than the limit of 8',
    );
  });

  test('1 MB of blanks, comments and attributes around the elements', () => {
    const noise = ` <!-- ${'noise '.repeat(10)}-->\n<?noise?>`.repeat(10_000);
    const attributes = Array.from({ length: 1_000 }, (_, i) => ` a${i}="b"`).join('');
    within(() => {
      expect(valueOf(`${noise}<int ${attributes}>5</int>${noise}`)).toBe(5);
      expect(
        valueOf(`<struct>${noise}<member>${noise}<name>a</name>${noise}<value/></member></struct>`),
      ).toStrictEqual(struct({ a: '' }));
    });
  });

  test('any text at all, surrogates and control characters too, ends with a Fault', () => {
    const unit = fc.oneof(
      fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
      fc.constantFrom(
        '<',
        '>',
        '/',
        '!',
        '-',
        '[',
        ']',
        '?',
        '&',
        ';',
        '#',
        '"',
        '=',
        ' ',
        'a',
        '<?xml ',
        '<methodCall>',
        '\ud83d',
        '\ude00',
      ),
    );
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 30 }), (units) => {
        settle(() => read(units.join('')));
        settle(() => read(callWith(`<value>${units.join('')}</value>`)));
      }),
      { numRuns: 3000 },
    );
  });
});

describe('round trip', () => {
  /** How a writer may lay out what means the same. */
  interface Layout {
    readonly blank: string;
    readonly cdata: boolean;
    readonly comment: boolean;
    readonly untyped: boolean;
  }

  const writeText = (text: string, layout: Layout): string => {
    const escaped = (part: string): string =>
      part.replace(/[<>&\r]/g, (character) => `&#${character.charCodeAt(0)};`);
    const cdata = (part: string): string => `<![CDATA[${part.replaceAll(']]>', ']]]]><![CDATA[>')}]]>`;
    const write = layout.cdata && !text.includes('\r') ? cdata : escaped;
    const middle = text.length >> 1;
    const pair = /[\ud800-\udbff]$/.test(text.slice(0, middle));
    return layout.comment && !pair
      ? `${write(text.slice(0, middle))}<!-- x -->${write(text.slice(middle))}`
      : write(text);
  };

  const writeInside = (value: Value, layout: Layout): string => {
    if (value === null) return '<nil/>';
    if (typeof value === 'boolean') return `<boolean>${value ? '1' : '0'}</boolean>`;
    if (typeof value === 'number') return `<int>${value}</int>`;
    if (typeof value === 'string') return `<string>${writeText(value, layout)}</string>`;
    if (value instanceof Double) return `<double>${Object.is(value.value, -0) ? '-0' : value.value}</double>`;
    if (value instanceof DateTime) return `<dateTime.iso8601>${value.text}</dateTime.iso8601>`;
    if (value instanceof Unreadable) return `<${value.type}>${value.text}</${value.type}>`;
    if (value instanceof Uint8Array) return `<base64>${Buffer.from(value).toString('base64')}</base64>`;
    const { blank } = layout;
    if (Array.isArray(value)) {
      return `<array>${blank}<data>${value.map((item) => writeValue(item, layout) + blank).join('')}</data></array>`;
    }
    const members = [...value].map(
      ([name, item]) =>
        `<member>${blank}<name>${blank}${writeText(name, layout)}</name>${writeValue(item, layout)}</member>`,
    );
    return `<struct>${blank}${members.join(blank)}</struct>`;
  };

  const writeValue = (value: Value, layout: Layout): string =>
    layout.untyped && typeof value === 'string'
      ? `<value>${writeText(value, layout)}</value>`
      : `<value>${layout.blank}${writeInside(value, layout)}${layout.blank}</value>`;

  const notXml = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;
  const text = fc
    .string({
      unit: fc.oneof(
        fc.constantFrom('<', '&', ']]>', '\r', '\n', ' '),
        fc.string({ unit: 'binary', maxLength: 1 }),
      ),
    })
    .filter((t) => !notXml.test(t));
  const name = fc.oneof(
    fc.constantFrom('__proto__', 'constructor', 'toString', 'i_customer', ''),
    text.filter((t) => !/^[ \t\r\n]|[ \t\r\n]$/.test(t)),
  );
  const { value } = fc.letrec<{ value: Value }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constant(null),
      fc.boolean(),
      fc.maxSafeInteger().map((n) => n + 0),
      text,
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => new Double(n)),
      fc.date({ noInvalidDate: true }).map((date) => new DateTime(date.toISOString())),
      fc
        .constantFrom('int', 'double', 'boolean', 'base64', 'ex:i8')
        .map((type) => new Unreadable(type, 'what?')),
      fc.uint8Array().map((bytes) => new Uint8Array(bytes)),
      fc.array(tie('value'), { maxLength: 5 }),
      fc.array(fc.tuple(name, tie('value')), { maxLength: 5 }).map((members) => new Map(members)),
    ),
  }));
  const layout = fc.record<Layout>({
    blank: fc.constantFrom('', ' ', '\n', '\r\n\t', ' <!-- <x> --> '),
    cdata: fc.boolean(),
    comment: fc.boolean(),
    untyped: fc.boolean(),
  });

  test('any tree of values, in any layout, comes back as it was', () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 3 }), layout, (values, how) => {
        const params = values.map((one) => `<param>${writeValue(one, how)}</param>`).join('');
        const body = `<methodCall><methodName>m</methodName><params>${params}</params></methodCall>`;
        expect(read(decodeText(Buffer.from(body))).params).toStrictEqual(values);
      }),
      { numRuns: 1000 },
    );
  });
});
