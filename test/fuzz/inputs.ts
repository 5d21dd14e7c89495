/**
 * Inputs that no friendly caller sends: recorded calls with bytes bent, calls built by the grammar and
 * against it, odd headers, framings, encodings, compressions and proofs. Number and seed give the input.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { deflateSync, gzipSync } from 'node:zlib';
import { digestFields, digestHeader } from '../setup/digest-client';
import { basic } from '../setup/raw-http';
import { type Input, type Kind, type Known, bend, jsonValue, texts } from './bytes';
import { type Random, randomOf } from './random';
import { restKinds } from './rest-inputs';

interface Recorded {
  readonly head: readonly string[];
  readonly body: Buffer;
}

const folder = join(__dirname, '../../fixtures/calls');
const recorded: readonly Recorded[] = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name) => {
    const { head, body, body_base64 } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as {
      head: string[];
      body?: string[];
      body_base64?: string;
    };
    return {
      head: head.filter((line) => !/^(content-length|authorization):/i.test(line)),
      body:
        body_base64 === undefined ? Buffer.from((body ?? []).join('')) : Buffer.from(body_base64, 'base64'),
    };
  });

export function inputOf(seed: number, number: number, known: Known, faces: Faces = 'all'): Input {
  const random = randomOf(seed, number);
  return random.pick(faces === 'rest' ? restKinds : kinds)(random, known);
}
export type Faces = 'all' | 'rest';

/** A request whose head is sound and whose length is right: it must be answered. */
function sound(
  kind: string,
  known: Known,
  lines: readonly string[],
  body: Buffer,
  more: Partial<Input> = {},
): Input {
  const head = [...lines, basic('root', known.password), `Content-Length: ${body.length}`, '', ''].join(
    '\r\n',
  );
  return {
    kind,
    bytes: Buffer.concat([Buffer.from(head, 'latin1'), body]),
    maybeUnfinished: false,
    json: false,
    ...more,
  };
}

const bodyBent: Kind = (random, known) => {
  const { head, body } = random.pick(recorded);
  return sound('recorded call, body bent', known, head, bend(random, body, 1 + random.below(4)));
};

const headBent: Kind = (random, known) => {
  const { head, body } = random.pick(recorded);
  const bent = bend(random, Buffer.from(head.join('\r\n')), 1 + random.below(3));
  const rest = Buffer.from(`\r\n${basic('root', known.password)}\r\nContent-Length: ${body.length}\r\n\r\n`);
  return {
    kind: 'recorded call, head bent',
    bytes: Buffer.concat([bent, rest, body]),
    maybeUnfinished: true,
    json: false,
  };
};

const anyBytes: Kind = (random) => {
  const bytes = Buffer.from(Array.from({ length: random.below(300) }, () => random.below(256)));
  return { kind: 'any bytes', bytes, maybeUnfinished: true, json: false };
};

// ------------------------------------------------------------------ grammar

const scalars = [
  'int',
  'i4',
  'i8',
  'boolean',
  'double',
  'string',
  'dateTime.iso8601',
  'base64',
  'nil',
  'ex:nil',
  'float',
  '',
];
function xmlValue(random: Random, known: Known, depth: number): string {
  const roll = random.below(depth > 6 ? 6 : 10);
  if (roll < 6) {
    const tag = random.pick(scalars);
    const text = random.pick(texts);
    if (tag === '') return `<value>${text}</value>`;
    const close = random.oneIn(40) ? random.pick(scalars) : tag;
    return random.oneIn(30) ? `<value><${tag}/></value>` : `<value><${tag}>${text}</${close}></value>`;
  }
  const items = Array.from({ length: random.below(4) }, () => xmlValue(random, known, depth + 1));
  if (roll === 6) return `<value><array><data>${items.join('')}</data></array></value>`;
  return xmlStruct(random, known, items);
}

function xmlStruct(random: Random, known: Known, values: readonly string[]): string {
  const members = values.map((value) => {
    const name = random.oneIn(12) ? random.pick(texts) : random.pick(known.members);
    return random.oneIn(40) ? `<member>${value}</member>` : `<member><name>${name}</name>${value}</member>`;
  });
  return `<value><struct>${members.join('')}</struct></value>`;
}

function xmlCall(random: Random, known: Known): string {
  const method = random.oneIn(20) ? random.pick(texts) : random.pick(known.methods);
  const values = Array.from({ length: 1 + random.below(8) }, () => xmlValue(random, known, 0));
  const params = Array.from(
    { length: random.pick([0, 1, 1, 1, 1, 1, 2]) },
    () =>
      `<param>${random.oneIn(10) ? xmlValue(random, known, 0) : xmlStruct(random, known, values)}</param>`,
  );
  const call = `<methodCall><methodName>${method}</methodName><params>${params.join('')}</params></methodCall>`;
  return random.oneIn(3) ? `<?xml version="1.0"?>${call}` : call;
}

/** Values that are right for their type, so that a call gets as far as the rules and the database. */
const rightValues: Readonly<Record<string, readonly string[]>> = {
  integer: [
    '<int>1</int>',
    '<int>2</int>',
    '<int>0</int>',
    '<int>370</int>',
    '<nil/>',
    '<int>-2147483648</int>',
    '7',
  ],
  bit: ['<int>1</int>', '<boolean>0</boolean>'],
  flag: ['<boolean>1</boolean>', '<int>0</int>'],
  double: ['<double>0.5</double>', '<int>12</int>', '<nil/>', '1e-300'],
  money: [
    '<double>12.34</double>',
    '<int>0</int>',
    '<int>-5</int>',
    '<string>99999999999999.999999</string>',
    '<string>1e13</string>',
  ],
  text: [
    'USD',
    '<string>correct-horse-1</string>',
    '<string>Łódź %_</string>',
    '<string>root</string>',
    'en',
    'a@example.com',
    '<nil/>',
    'languages',
    '<string>credit</string>',
  ],
};

/** A call that a method may understand: what it takes, mostly with values that fit. */
function likelyCall(random: Random, known: Known): string {
  const method = random.pick(known.methods);
  const members = (known.takes.get(method) ?? []).filter((_member, place) => place < 4 || random.oneIn(6));
  const written = members.map(([name, type]) => {
    const value = random.oneIn(15)
      ? xmlValue(random, known, 3)
      : `<value>${random.pick(rightValues[type] ?? ['<nil/>'])}</value>`;
    return `<member><name>${name}</name>${value}</member>`;
  });
  return `<methodCall><methodName>${method}</methodName><params><param><value><struct>${written.join('')}</struct></value></param></params></methodCall>`;
}

const likely: Kind = (random, known) =>
  sound('XML-RPC that may be understood', known, xmlHead, Buffer.from(likelyCall(random, known)));

const xmlHead = ['POST /xmlapi/xmlapi HTTP/1.1', 'Host: treeline.test', 'Content-Type: text/xml'];

const grammar: Kind = (random, known) =>
  sound('XML-RPC by the grammar', known, xmlHead, Buffer.from(xmlCall(random, known)));

const deep: Kind = (random, known) => {
  const levels = random.pick([10, 31, 33, 100, 5_000]);
  const [open, close] = random.pick([
    ['<value><array><data>', '</data></array></value>'],
    ['<value><struct><member><name>a</name>', '</member></struct></value>'],
    ['<a>', '</a>'],
  ] as const);
  const inner = `${open.repeat(levels)}<value/>${random.oneIn(4) ? '' : close.repeat(levels)}`;
  const body = `<methodCall><methodName>listCustomers</methodName><params><param>${inner}</param></params></methodCall>`;
  return sound('deep XML', known, xmlHead, Buffer.from(body));
};

const json: Kind = (random, known) => {
  const method = random.oneIn(20) ? encodeURIComponent(random.pick(texts)) : random.pick(known.methods);
  const members = Array.from(
    { length: random.below(6) },
    () => `${JSON.stringify(random.pick(known.members))}:${jsonValue(random, known, 0)}`,
  );
  const body = Buffer.from(`{${members.join(',')}}`);
  const lines = [`POST /json/${method} HTTP/1.1`, 'Host: treeline.test', 'Content-Type: application/json'];
  return sound(
    'JSON by the grammar',
    known,
    lines,
    random.oneIn(3) ? bend(random, body, 1 + random.below(3)) : body,
    { json: true },
  );
};

// ---------------------------------------------------- encodings and framing

const encodings = [
  'utf-8',
  'UTF-16',
  'utf-16le',
  'iso-8859-1',
  'windows-1252',
  'shift_jis',
  'gb18030',
  'us-ascii',
  'utf-7',
  'ebcdic',
  '',
  'x'.repeat(200),
];

const encoded: Kind = (random, known) => {
  const call = `<?xml version="1.0" encoding="${random.pick(encodings)}"?>${xmlCall(random, known)}`;
  const form = random.pick(['utf8', 'utf16le', 'latin1'] as const);
  const mark = random.pick([
    Buffer.alloc(0),
    Buffer.from([0xff, 0xfe]),
    Buffer.from([0xfe, 0xff]),
    Buffer.from([0xef, 0xbb, 0xbf]),
  ]);
  const bytes = Buffer.concat([mark, Buffer.from(call, form)]);
  const body = random.oneIn(3) ? bend(random, bytes, 1) : bytes;
  const type = `Content-Type: text/xml; charset=${random.pick(encodings)}`;
  return sound('encodings', known, [...xmlHead.slice(0, 2), type], body);
};

const compressed: Kind = (random, known) => {
  const plain = random.oneIn(20) ? Buffer.alloc(4_000_000, '<') : Buffer.from(xmlCall(random, known));
  const packed = random.pick([gzipSync, deflateSync])(plain);
  const twice = random.oneIn(8) ? gzipSync(packed) : packed;
  const body = random.oneIn(2) ? bend(random, twice, 1) : twice;
  const name = random.pick([
    'gzip',
    'gzip',
    'x-gzip',
    'deflate',
    'br',
    'identity',
    'gzip, gzip',
    '',
    '__proto__',
  ]);
  return sound('compression', known, [...xmlHead, `Content-Encoding: ${name}`], body);
};

const chunked: Kind = (random, known) => {
  const body = Buffer.from(xmlCall(random, known));
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length;) {
    const size = Math.min(1 + random.below(80), body.length - at);
    const told = random.oneIn(20)
      ? random.pick(['-1', 'g', '', '0', 'ffffffffffffffff', '00000000000000001', ' 5', '5;a=b', '+5', '0x5'])
      : size.toString(16);
    const end = random.oneIn(25) ? random.pick(['\n', '', '\r', '\r\r\n']) : '\r\n';
    parts.push(Buffer.from(`${told}${end}`), body.subarray(at, at + size), Buffer.from('\r\n'));
    at += size;
  }
  const trailer = random.oneIn(10) ? 'X-Trailer: y\r\nContent-Length: 5\r\n' : '';
  const lines = [
    ...xmlHead,
    basic('root', known.password),
    random.pick([
      'Transfer-Encoding: chunked',
      'Transfer-Encoding:  Chunked',
      'Transfer-Encoding: chunked, chunked',
      'Transfer-Encoding: xchunked',
    ]),
    '',
    '',
  ];
  const bytes = Buffer.concat([
    Buffer.from(lines.join('\r\n')),
    ...parts,
    Buffer.from(`0\r\n${trailer}\r\n`),
  ]);
  return { kind: 'chunks', bytes, maybeUnfinished: true, json: false };
};

const oddHeaders = [
  'Content-Length: 5',
  'Content-Length: -1',
  'Content-Length: 1, 1',
  'Content-Length: 0x10',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: identity',
  'Expect: 100-continue',
  'Expect: something',
  'Connection: close',
  'Connection: upgrade',
  'Upgrade: websocket',
  'Host: a',
  'Host:',
  'X-Forwarded-For: 127.0.0.1, ,,::1',
  'Forwarded: for="[::1]:80";by=',
  'Forwarded: =;,for',
  'Content-Type: ;;;',
  'Cookie: a',
  ' folded: yes',
  'Bad Header: x',
  'X:',
  ': nothing',
  'X-\u0001: y',
  `X-Long: ${'y'.repeat(9_000)}`,
  'Range: bytes=0-1',
  'If-None-Match: *',
  'Authorization: Basic',
  'Authorization: Digest',
  'Content-Encoding: gzip',
  'Accept-Encoding: gzip;q=x',
  'Trailer: x',
  'TE: trailers',
  'Date: never',
];
const targets = [
  '/xmlapi/xmlapi',
  '/RPC2',
  '/',
  '*',
  '/json/listCustomers',
  '/json/',
  '/json/%00',
  '/json/%',
  '/json/..%2f',
  '//',
  '/health/ready',
  '/metrics',
  '/docs',
  '/openapi.json',
  '/api.php?action=x&JSONString={',
  'http://elsewhere/xmlapi/xmlapi',
  '/xmlapi/xmlapi?a=%',
  '/\u00e4',
  `/${'a'.repeat(3_000)}`,
];

const headers: Kind = (random, known) => {
  const verb = random.pick([
    'POST',
    'POST',
    'GET',
    'PUT',
    'HEAD',
    'OPTIONS',
    'TRACE',
    'CONNECT',
    'post',
    'A B',
    'PRI',
  ]);
  const version = random.pick(['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/0.9', 'HTTP/1.1 ', '']);
  const odd = Array.from({ length: 1 + random.below(4) }, () => random.pick(oddHeaders));
  const body = xmlCall(random, known);
  const length = random.oneIn(3) ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
  const lines = [
    `${verb} ${random.pick(targets)} ${version}`,
    'Host: treeline.test',
    ...odd,
    basic('root', known.password),
    ...length,
    '',
    '',
  ];
  const bytes = Buffer.concat([Buffer.from(lines.join('\r\n'), 'latin1'), Buffer.from(body)]);
  return { kind: 'headers', bytes, maybeUnfinished: true, json: false };
};

const digest: Kind = (random, known) => {
  const login = random.pick(['root', 'nobody', '', 'ro"ot', 'ä', 'x'.repeat(500), `n${random.below(1_000)}`]);
  const fields: Record<string, string> = {
    ...digestFields({ login, password: known.password, nonce: known.nonce, nc: 1 + random.below(1_000_000) }),
  };
  for (let time = random.below(3); time > 0; time -= 1) {
    const name = random.pick(Object.keys(fields));
    const change = random.below(3);
    if (change === 0) Reflect.deleteProperty(fields, name);
    else
      fields[name] =
        change === 1
          ? random.pick(texts)
          : bend(random, Buffer.from(fields[name] ?? ''), 1)
              .toString('latin1')
              .replaceAll(/[\r\n\0]/g, '?');
    if (Object.keys(fields).length === 0) break;
  }
  const header = bend(random, Buffer.from(digestHeader(fields), 'latin1'), random.oneIn(3) ? 1 : 0).toString(
    'latin1',
  );
  const body = '<methodCall><methodName>system.listMethods</methodName></methodCall>';
  const lines = [...xmlHead, header, `Content-Length: ${body.length}`, '', ''];
  const bytes = Buffer.from(lines.join('\r\n') + body, 'latin1');
  const from = `127.${1 + random.below(250)}.${random.below(250)}.${1 + random.below(250)}`;
  return { kind: 'Digest fields', bytes, maybeUnfinished: true, json: false, from };
};

/** Those that are read furthest come most often. */
const kinds: readonly Kind[] = [
  bodyBent,
  bodyBent,
  bodyBent,
  grammar,
  grammar,
  likely,
  likely,
  json,
  json,
  encoded,
  compressed,
  chunked,
  headers,
  digest,
  headBent,
  deep,
  anyBytes,
  ...restKinds,
];
