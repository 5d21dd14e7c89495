/**
 * No request holds the event loop: every field of every method and operation gets its worst values, and every kind of
 * body its worst shapes, at the limit of bodies. The time of each step is measured in the server's own process.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Method } from '../../src/core/call/method';
import { type Declared, type TSchema, declared } from '../../src/core/schema/schema';
import { methods } from '../setup/docs';
import { nobody } from '../setup/family';
import { basic, callBody, requestBytes, structParam, withConnection } from '../setup/raw-http';
import { headersOf, identityOf } from '../setup/reseller';
import { type RestFaceTable, restFaces } from '../setup/rest-faces';
import { rows } from '../setup/rows';
import { apiPassword, testPostgres } from '../setup/server';
import { logIn } from '../setup/tenant';
import { projectRoot } from '../setup/processes';

jest.setTimeout(300_000);

/** The longest that others may wait for a step of somebody else's request. */
const longestStep_ms = 20;
/** What the collector of garbage or the compiler of V8 adds once, it does not add every time. */
const triesAtMost = 5;
/** How long an answer may take on a busy machine: only steps are measured. */
const answer_ms = 60_000;
const bodyLimit = 1_048_576;
/** Room for the envelope of a call. */
const worst = bodyLimit - 4_096;

let child: ChildProcess;
let url: string;
let login: readonly string[];
let name: string;
beforeAll(async () => {
  child = fork(`${projectRoot}/test/setup/measured-server.ts`, {
    cwd: projectRoot,
    execArgv: ['--import', 'tsx', '--max-semi-space-size=4', '--no-parallel-scavenge'],
    env: { PATH: process.env['PATH'] ?? '', TEST_POSTGRES: JSON.stringify(testPostgres()) },
  });
  const told = await nextMessage();
  url = String(told['url']);
  name = String(told['name']);
  login = [basic(name, apiPassword)];
});
afterAll(() => {
  child.disconnect();
});

async function nextMessage(): Promise<Record<string, unknown>> {
  const [message] = (await once(child, 'message')) as [Record<string, unknown>];
  if ('error' in message) throw new Error(String(message['error']));
  return message;
}

interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: readonly string[];
  readonly body: string | Buffer;
}

/** The longest step of the best of a few tries. */
async function stepOf(sent: Sent): Promise<number> {
  let best = Infinity;
  for (let tries = 0; tries < triesAtMost && best > longestStep_ms / 2; tries += 1) {
    child.send({ began: true });
    const answer = await withConnection(url, (connection) => {
      connection.send(requestBytes({ headers: login, ...sent }));
      return connection.next(answer_ms);
    });
    child.send({ ended: true });
    const { longest_ms } = await nextMessage();
    expect(answer?.status).toBeLessThan(500);
    best = Math.min(best, Number(longest_ms));
  }
  return best;
}

/** Which of them hold the loop for too long. */
async function tooLong(all: readonly (readonly [string, Sent])[]): Promise<string[]> {
  const found: string[] = [];
  for (const [what, sent] of all) {
    const step_ms = await stepOf(sent);
    if (step_ms > longestStep_ms) found.push(`${what}: ${step_ms.toFixed(1)} ms`);
  }
  return found;
}

const filled = (part: string, length = worst): string => part.repeat(Math.floor(length / part.length));
const xml = (value: string): string => callBody('listCustomers', structParam({ x: value }));

describe('bodies', () => {
  const shapes: Record<string, string | Buffer> = {
    'text of two bytes': xml(`<string>${filled('é', worst / 2)}</string>`),
    'line ends': xml(`<string>${filled('\r')}</string>`),
    references: xml(`<string>${filled('&amp;')}</string>`),
    'character references': xml(`<string>${filled('&#x41;')}</string>`),
    'CDATA sections': xml(filled('<![CDATA[x]]>')),
    'brackets in a CDATA section': xml(`<![CDATA[${filled('] ')}]]>`),
    'a comment of dashes': xml(`<!--${filled(' -')} -->`),
    'processing instructions': xml(filled('<?x?>')),
    'a processing instruction': xml(`<?x ${filled('?')}?>`),
    'a document type': `<!DOCTYPE x ${filled('"')}`,
    attributes: `<methodCall ${Array.from({ length: 60_000 }, (_, index) => `a${index}=""`).join(' ')}/>`,
    'line ends in an attribute': `<methodCall a="${filled('\n')}"/>`,
    'a name of an element': `<${filled('a')}/>`,
    'values in each other': xml(filled('<array><data><value>')),
    'values beside each other': xml(
      `<array><data>${filled(`<value><array><data>${'<value/>'.repeat(900)}</data></array></value>`)}</data></array>`,
    ),
    members: xml(
      `<struct>${Array.from({ length: 1_000 }, (_, index) => `<member><name>${index}${filled('n', 900)}</name><value/></member>`).join('')}</struct>`,
    ),
    digits: xml(`<double>${filled('9')}</double>`),
    base64: xml(`<base64>${filled('a ')}</base64>`),
    'windows-1252': Buffer.concat([
      Buffer.from('<?xml version="1.0" encoding="windows-1252"?><methodCall>'),
      Buffer.alloc(worst, 0x80),
    ]),
    gb18030: Buffer.concat([
      Buffer.from('<?xml version="1.0" encoding="gb18030"?><methodCall>'),
      Buffer.alloc(worst, 0xa4),
    ]),
    'a wrong byte at the end': Buffer.concat([Buffer.from(filled('é', worst / 2)), Buffer.from([0xff])]),
  };
  const json: Record<string, string> = {
    numbers: `{"x":[${filled('1,')}1]}`,
    lists: `{"x":[${filled('[],')}[]]}`,
    'lists in each other': filled('['),
    digits: `{"x":${filled('9')}}`,
    escapes: `{"x":"${filled('\\n')}"}`,
    'escapes of six characters': `{"x":"${filled('\\u0041')}"}`,
    'a name': `{"${filled('n')}":1}`,
    names: `{${Array.from({ length: 1_000 }, (_, index) => `"${index}${filled('n', 1_000)}":1`).join()}}`,
    'a text that nobody closes': `{"x":"${filled('x')}`,
    blanks: `{${filled(' ')}}`,
  };

  test('in XML', async () => {
    expect(await tooLong(Object.entries(shapes).map(([what, body]) => [what, { body }]))).toEqual([]);
  });

  test('in JSON', async () => {
    const path = '/json/listCustomers';
    expect(await tooLong(Object.entries(json).map(([what, body]) => [what, { path, body }]))).toEqual([]);
  });

  test('a hundred expressions in one multicall', async () => {
    const member = (expression: string): string =>
      `<value><struct><member><name>methodName</name><value>createCustomer</value></member><member><name>params</name><value><array><data><value><struct>${membersOf({ ...rows['createCustomer']?.params(nobody), accounts_matching_rule: expression })}</struct></value></data></array></value></member></struct></value>`;
    const membersOf = (members: object): string =>
      Object.entries(members)
        .map(([key, value]) => `<member><name>${key}</name><value>${textOf(value)}</value></member>`)
        .join('');
    const body = callBody(
      'system.multicall',
      `<param><value><array><data>${member('x{1000}').repeat(100)}</data></array></value></param>`,
    );
    expect(await tooLong([['expressions', { body }]])).toEqual([]);
  });
});

const textOf = (value: unknown): string =>
  value === null ? '<nil/>' : `<string>${typeof value === 'string' ? value : JSON.stringify(value)}</string>`;

/** Texts within the length of a field that are dear to check, and one at the limit of bodies. */
function worstTexts({ format, maxLength = 64 }: Declared): readonly string[] {
  switch (format) {
    case 'regular-expression':
      return [
        'x{1000}'.repeat(146),
        '[\\pL\\pN]'.repeat(113),
        `${'(a*'.repeat(250)}${')*'.repeat(130)}`,
        filled('x'),
      ];
    case 'address-range':
      return [filled('10.0.0.1,')];
    case 'address-list':
    case 'address-list-or-empty':
      return [filled('a@b,', maxLength), filled('a@b,')];
    case 'like-pattern':
      return [filled('\\', maxLength), filled('\\')];
    default:
      return [filled('\ufdfa', maxLength), filled('x')];
  }
}

/** The worst values of a field, as JSON has them. */
function worstValues(field: Declared): readonly unknown[] {
  if (field.wire === 'list') {
    const items = Array.from({ length: 1_000 }, () => filled('x', 1_000));
    return [items, Array.from({ length: 40 }, () => Array.from({ length: 1_000 }, () => 'x'))];
  }
  if (field.wire === 'integer' || field.wire === 'double' || field.wire === 'money') return [filled('9')];
  return worstTexts(field);
}

const xmlOf = (value: unknown): string =>
  Array.isArray(value)
    ? `<array><data>${value.map((item) => `<value>${xmlOf(item)}</value>`).join('')}</data></array>`
    : textOf(value);

test.each(methods.filter((method) => method.name in rows).map((method) => [method.name, method] as const))(
  'no field of %s',
  async (name, method) => {
    const least = Object.entries(rows[name]?.params(nobody) ?? {});
    const calls = differing(Object.keys(method.params.properties), method).flatMap(([field, declaration]) =>
      worstValues(declaration).map((value) => {
        const others = least
          .filter(([other]) => other !== field)
          .map(([other, given]) => [other, textOf(given)]);
        const params = structParam({ ...Object.fromEntries(others), [field]: xmlOf(value) });
        return [field, { body: callBody(name, params) }] as const;
      }),
    );
    expect(await tooLong(calls)).toEqual([]);
  },
);

/** The fields of which no other is declared alike: createCustomer alone has a dozen texts of 128 characters. */
function differing(names: readonly string[], method: Method): readonly (readonly [string, Declared])[] {
  const byDeclaration = names.toReversed().map((field) => {
    const declaration = { ...declared(method.params.properties[field] as TSchema), description: '' };
    return [JSON.stringify(declaration), [field, declaration]] as const;
  });
  return [...new Map(byDeclaration).values()];
}

const anyId = '3951ec81-0000-4000-8000-000000000000';

test.each(restFaces)('no field of the operations of the $name API', async (face: RestFaceTable) => {
  const { base, operations, rows: known } = face;
  const headers =
    face.name === 'reseller'
      ? Object.entries(headersOf(identityOf({ name }))).map(([key, value]) => `${key}: ${value}`)
      : [`authorization: Bearer ${(await logIn({ url } as never, name, 'correct-horse-1')).token}`];
  const calls = operations.flatMap(({ verb, path, from, method }) => {
    const least = known[`${verb} ${path}`]?.body?.() ?? {};
    return differing(from.body, method).flatMap(([field, declaration]) => {
      const values = worstValues(declaration);
      return values.map((value): readonly [string, Sent] => [
        `${verb} ${path} ${field}`,
        {
          method: verb,
          path: base + path.replace(/\{\w+\}/, anyId),
          headers: [...headers, 'content-type: application/json'],
          body: JSON.stringify({ ...least, [field]: value }),
        },
      ]);
    });
  });
  expect(await tooLong(calls)).toEqual([]);
});
