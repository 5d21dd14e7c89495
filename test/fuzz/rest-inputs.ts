/**
 * Inputs to the REST faces: operations called by their declarations and against them, and the same with paths,
 * queries, proofs, keys and bytes bent.
 */
import { permissions } from '../../src/core/tree/permission';
import type { Operation } from '../../src/core/call/operation';
import { type Declared, type TProperties, declared } from '../../src/core/schema/schema';
import { resellerOperations } from '../../src/api/reseller/operations';
import { tenantOperations } from '../../src/api/tenant/operations/operations';
import { type Input, type Kind, type Known, bend, jsonValue, texts } from './bytes';
import type { Random } from './random';

type Face = 'reseller' | 'tenant';
const faces = {
  reseller: { base: '', operations: resellerOperations },
  tenant: { base: '/v1.0', operations: tenantOperations as readonly Operation[] },
} as const;

// ------------------------------------------------------------------ values

const digitsOf = (random: Random, count: number): string =>
  Array.from({ length: count }, () => random.below(10)).join('');

const amounts = [
  '0.01',
  '"0.01"',
  '"10.000"',
  '0',
  '-1',
  '0.009',
  '1e2',
  '"1e2"',
  '1e-3',
  '99999999999999',
  '"٣"',
  '1.2345',
];

/** Texts that are right by their format, as far as anything is. */
function textFor(random: Random, { format, maxLength = 64, enum: known }: Declared, known_: Known): string {
  if (known) return random.pick(known);
  switch (format) {
    case 'uuid':
      return anyUuid(random, known_);
    case 'phone-number':
      return `+44${digitsOf(random, 10)}`;
    case 'digits':
      return digitsOf(random, 1 + random.below(6));
    case 'host-name':
      return `d${digitsOf(random, 6)}.example`;
    case 'address':
    case 'address-list-or-empty':
      return 'a@example.com';
    case 'country':
      return 'GB';
    case 'address-range':
      return random.pick(['10.0.0.0/8', '127.0.0.0/8', '::1', '2001:db8::/32']);
    case 'web-address-or-empty':
      return random.pick(['', 'https://127.0.0.1/hook', 'http://hook.invalid/', 'http://[::1]:9/']);
    default:
      return random.pick([
        `n${digitsOf(random, 6)}`,
        'correct-horse-1',
        'Łódź 😀',
        'x'.repeat(maxLength),
        '',
      ]);
  }
}

/** JSON that the declaration takes, mostly. */
function valueFor(random: Random, known: Known, field: Declared): string {
  if (random.oneIn(14)) return jsonValue(random, known, 4);
  if (random.oneIn(20)) return 'null';
  switch (field.wire) {
    case 'integer':
      return random.pick([
        '1',
        '2',
        '3',
        '0',
        '16',
        '32',
        '64',
        '"3"',
        '86400',
        String(permissions.platform),
        '-1',
      ]);
    case 'bit':
    case 'flag':
      return random.pick(['true', 'false', '1', '"false"']);
    case 'double':
    case 'money':
      return random.pick(amounts);
    case 'list': {
      const { items } = field;
      const one = (): string => (items ? valueFor(random, known, declared(items)) : '1');
      return `[${Array.from({ length: random.below(4) }, one).join(',')}]`;
    }
    case 'struct':
      return structFor(random, known, field.properties ?? {}, Object.keys(field.properties ?? {}));
    case 'any':
      return jsonValue(random, known, 2);
    case 'text':
      return JSON.stringify(textFor(random, field, known));
  }
}

function structFor(random: Random, known: Known, properties: TProperties, names: readonly string[]): string {
  const chosen = names.filter(() => !random.oneIn(8));
  // With many members, one that is wrong hides the rest.
  const few = chosen.length > 6 ? chosen.filter((_name, place) => place < 2 || random.oneIn(3)) : chosen;
  const members = few.map((name) => {
    const field = properties[name];
    return `${JSON.stringify(name)}:${field ? valueFor(random, known, declared(field)) : '1'}`;
  });
  if (random.oneIn(15))
    members.push(`${JSON.stringify(random.pick(known.members))}:${jsonValue(random, known, 4)}`);
  return `{${members.join(',')}}`;
}

const nobodys = '3951ec81-cca4-4c4a-8efb-4bce76e04032';

function anyUuid(random: Random, { subject }: Known): string {
  const all = [...subject.uuids.values()].flat();
  return random.oneIn(6) ? nobodys : random.pick(all);
}

/** One that the path is about, if such were made. */
function uuidAt(random: Random, known: Known, path: string): string {
  const list = path.replace(/\/\{.*/, '').replace('billing_accounts', 'customers');
  const made = known.subject.uuids.get(list);
  return made && made.length > 0 && !random.oneIn(10) ? random.pick(made) : anyUuid(random, known);
}

// ---------------------------------------------------------------- requests

interface Request {
  verb: string;
  /** Percent-encoded. */
  path: string;
  query: string[];
  headers: string[];
  body: string;
}

/** Headers are bytes. */
const bytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
/** What no header line can hold is left out. */
const headerText = (text: string): string => bytes(text).replaceAll(/[\r\n\0]/g, '');

const resellerProof = ({ subject: { name, password } }: Known): string[] => [
  `X-Auth-Reseller: ${bytes(name)}`,
  `X-Auth-User: ${bytes(name)}`,
  `X-Auth-Password: ${password}`,
];
const proofOf = (face: Face, known: Known): string[] =>
  face === 'reseller' ? resellerProof(known) : [`Authorization: Bearer ${known.subject.token}`];

/** An operation, called as its declaration says, mostly. */
function requestOf(random: Random, known: Known, face: Face): Request {
  const { base, operations } = faces[face];
  // Whatever deletes comes seldom, or there would be nothing left.
  const drawn = random.pick(operations);
  const operation = drawn.verb === 'DELETE' && !random.oneIn(4) ? random.pick(operations) : drawn;
  const { verb, path, from, method } = operation;
  const query = from.query
    .filter(() => random.oneIn(2))
    .map((name) => `${name}=${encodeURIComponent(queryValue(random, known, name))}`);
  const headers = proofOf(face, known);
  if (operation.idempotent && random.oneIn(3)) headers.push(`Idempotency-Key: ${random.pick(keys)}`);
  if (random.oneIn(4)) {
    const { names, uuids } = known.subject;
    if (face === 'reseller') headers.push(`X-Auth-For: ${bytes(random.pick(names))}`);
    else query.push(`customer_id=${random.pick(uuids.get('/customers') ?? [nobodys])}`);
  }
  const hasBody = verb === 'POST' || verb === 'PUT';
  return {
    verb,
    path: base + path.replace(/\{\w+\}/, () => uuidAt(random, known, path)),
    query,
    headers,
    body: hasBody ? structFor(random, known, method.params.properties, from.body) : '',
  };
}

const keys = ['k1', 'k2', 'k3', 'x'.repeat(255), 'x'.repeat(256), '', bytes('ä'), ' ', 'a b'];

function queryValue(random: Random, known: Known, name: string): string {
  if (name === 'limit' || name === 'page_size')
    return random.pick(['1', '2', '100', '0', 'x', '-1', '1e1', '']);
  if (name === 'after') return anyUuid(random, known);
  if (!random.oneIn(3)) return '';
  const place = `${random.below(50)} 2026-11-${random.pick(['21', '99', '0'])} 10:00:00${random.pick(['', '.5', '.1234567'])}+00`;
  return Buffer.from(random.oneIn(4) ? random.pick(texts) : place).toString('base64url');
}

function headOf({ verb, path, query, headers, body }: Request): string {
  const target = path + (query.length === 0 ? '' : `?${query.join('&')}`);
  return [
    `${verb} ${target} HTTP/1.1`,
    'Host: treeline.test',
    ...(body === '' ? [] : ['Content-Type: application/json']),
    ...headers,
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    '',
  ].join('\r\n');
}

/** Sound as a request: it must be answered, in the envelope of the face. */
const input = (kind: string, face: Face, request: Request, more: Partial<Input> = {}): Input => ({
  kind: `${face} API, ${kind}`,
  bytes: Buffer.concat([Buffer.from(headOf(request), 'latin1'), Buffer.from(request.body)]),
  maybeUnfinished: false,
  json: true,
  envelope: face,
  ...more,
});

// ------------------------------------------------------------------- kinds

const likely =
  (face: Face): Kind =>
  (random, known) =>
    input('by its declarations', face, requestOf(random, known, face));

const grammar =
  (face: Face): Kind =>
  (random, known) => {
    const request = requestOf(random, known, face);
    const verb = random.oneIn(4) ? random.pick(['GET', 'POST', 'PUT', 'DELETE']) : request.verb;
    const members = Array.from(
      { length: random.below(5) },
      () => `${JSON.stringify(random.pick([...known.members, ...texts]))}:${jsonValue(random, known, 0)}`,
    );
    const depth = random.pick([10, 31, 33, 2_000]);
    const body = random.oneIn(12)
      ? `${'{"a":['.repeat(depth)}1${']}'.repeat(depth)}`
      : `{${members.join(',')}}`;
    return input('JSON by the grammar', face, { ...request, verb, body });
  };

const bodyBent =
  (face: Face): Kind =>
  (random, known) => {
    const request = requestOf(random, known, face);
    const bent = bend(random, Buffer.from(request.body), 1 + random.below(4));
    const head = headOf({ ...request, body: bent.toString('latin1') }).replace(
      /Content-Length: \d+/,
      `Content-Length: ${bent.length}`,
    );
    return input('body bent', face, request, { bytes: Buffer.concat([Buffer.from(head, 'latin1'), bent]) });
  };

/** What may stand in a path or a query without ending it. */
const bentText = (random: Random, text: string): string =>
  random.oneIn(3)
    ? encodeURIComponent(random.pick(texts))
    : bend(random, Buffer.from(text), 1 + random.below(2))
        .toString('latin1')
        .replaceAll(/[\s\0-\x20\x7f#]/g, random.pick(['%', '%00', '+', '']));

const oddQueries = [
  'limit=1&limit=2',
  '__proto__=1',
  'a[b]=c',
  'after[]=1',
  '=',
  '&&',
  '%',
  '%ff=%fe',
  'token=',
  'token=a&token=b',
  'accesskey=tl_x',
  'customer_id=a&customer_id=b',
  'customer_id=',
  'page_token=%00',
  'x'.repeat(3_000),
];

const pathBent =
  (face: Face): Kind =>
  (random, known) => {
    const request = requestOf(random, known, face);
    const [, top = '', ...rest] = request.path.split('/');
    const place = random.below(rest.length + 1);
    const parts = rest.map((part, at) => (at === place ? bentText(random, part) : part));
    const path = `/${[top, ...parts].join('/')}${random.pick(['', '', '/', '//', '/..', '/%2e%2e'])}`;
    const query = random.oneIn(2) ? [...request.query, random.pick(oddQueries)] : request.query;
    return input('path and query bent', face, { ...request, path, query });
  };

const headBent =
  (face: Face): Kind =>
  (random, known) => {
    const request = requestOf(random, known, face);
    const head = bend(random, Buffer.from(headOf(request), 'latin1'), 1 + random.below(3));
    const bytes = Buffer.concat([head, Buffer.from(request.body)]);
    // It may lead anywhere.
    return { kind: `${face} API, head bent`, bytes, maybeUnfinished: true, json: true };
  };

/** Whoever guesses comes from elsewhere, or the subject would be locked out. */
const elsewhere = (random: Random): string =>
  `127.${1 + random.below(250)}.${random.below(250)}.${1 + random.below(250)}`;

const oddTexts = (random: Random, right: string): string =>
  random.pick([
    headerText(random.pick(texts)),
    bend(random, Buffer.from(right, 'latin1'), 1)
      .toString('latin1')
      .replaceAll(/[\r\n\0]/g, ''),
    right,
    'x'.repeat(5_000),
    `${right}, ${right}`,
  ]);

const resellerProofs: Kind = (random, known) => {
  const request = requestOf(random, known, 'reseller');
  const lines = [...resellerProof(known), `X-Auth-For: ${bytes(random.pick(known.subject.names))}`];
  const headers = lines.flatMap((line) => {
    const [name = '', right = ''] = line.split(': ');
    if (!random.oneIn(3)) return [line];
    const bent = `${name}: ${oddTexts(random, right)}`;
    return random.pick([[], [bent], [bent], [line, bent], [line, line]]);
  });
  if (random.oneIn(3)) headers.push(`Idempotency-Key: ${oddTexts(random, 'k1')}`);
  const from = elsewhere(random);
  return input('proofs bent', 'reseller', { ...request, headers }, { from });
};

function tokenBent(random: Random, token: string): string {
  const parts = token.split('.');
  const place = random.below(3);
  const json = Buffer.from(parts[place] ?? '', 'base64url');
  const written = random
    .pick([
      Buffer.from('{"alg":"none"}'),
      Buffer.from('{"alg":"HS256","kid":"../x"}'),
      Buffer.from('{}'),
      Buffer.from('null'),
      bend(random, json, 1),
    ])
    .toString('base64url');
  if (random.oneIn(5)) return bend(random, Buffer.from(token), 1).toString('latin1');
  return parts.map((part, at) => (at === place ? written : part)).join('.');
}

const tenantProofs: Kind = (random, known) => {
  const request = requestOf(random, known, 'tenant');
  const { token, accesskey } = known.subject;
  const bent = tokenBent(random, token).replaceAll(/[\r\n\0]/g, '');
  const headers = random.pick([
    [`Authorization: Bearer ${bent}`],
    [`Authorization: ${random.pick(['bearer', 'Basic', 'Bearer  ', 'Token', ''])} ${token}`],
    [`Cookie: token=${bent}`, `Origin: ${oddTexts(random, 'http://treeline.test')}`],
    [`Cookie: ${oddTexts(random, `token=${token}`)}`],
    [`Authorization: Bearer ${token}`, `Authorization: Bearer ${bent}`],
    [`X-Request-Id: ${oddTexts(random, 'abc')}`],
  ]);
  const proof = random.pick([
    [],
    [`token=${encodeURIComponent(bent)}`],
    [`accesskey=${encodeURIComponent(oddTexts(random, accesskey))}`],
    [`accesskey=${accesskey}`],
    [`token=${token}`, `customer_id=${encodeURIComponent(random.pick(texts))}`],
  ]);
  const query = [...request.query, ...proof];
  return input('proofs bent', 'tenant', { ...request, headers, query });
};

const logins: Kind = (random, known) => {
  const { name } = known.subject;
  const username = random.pick([
    JSON.stringify(name),
    JSON.stringify(random.pick(texts)),
    '5',
    'null',
    '"root"',
  ]);
  const password = random.pick(['"wrong-password"', jsonValue(random, known, 0)]);
  const body = random.pick([
    `{"username":${username},"password":${password}}`,
    `{"username":${username},"password":"x","a":1}`,
    jsonValue(random, known, 0),
  ]);
  const path = random.pick(['/auth/login', '/auth/login/', '/auth/logout']);
  const headers = random.oneIn(4) ? [`Origin: ${oddTexts(random, 'http://treeline.test')}`] : [];
  const request = { verb: 'POST', path, query: [], headers, body };
  return input('logins', 'tenant', request, { from: elsewhere(random) });
};

/** Those that are read furthest come most often. */
export const restKinds: readonly Kind[] = [
  ...(['reseller', 'tenant'] as const).flatMap((face) => [
    likely(face),
    likely(face),
    likely(face),
    grammar(face),
    bodyBent(face),
    pathBent(face),
    headBent(face),
  ]),
  resellerProofs,
  tenantProofs,
  logins,
];
