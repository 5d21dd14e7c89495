/**
 * Writers are total: whatever value stands in a result, every API has an answer for it. An error there would come
 * after COMMIT, and the caller would repeat what was done.
 */
import { allMethods } from '../../src/server/app';
import { type Outcome, Outcomes } from '../../src/core/call/dispatch';
import type { Method } from '../../src/core/call/method';
import { type TSchema, declared } from '../../src/core/schema/schema';
import { resellerAnswer } from '../../src/api/reseller/routes';
import { tenantAnswer } from '../../src/api/tenant/routes';
import { writeJson } from '../../src/api/json/write';
import { writeOutcome } from '../../src/api/xmlrpc/write';
import { Fault } from '../../src/base/faults';
import { resellerOperations } from '../../src/api/reseller/operations';
import { tenantOperations } from '../../src/api/tenant/operations/operations';
import { readAnswer } from '../setup/read-answer';

const odd: readonly (readonly [string, unknown])[] = [
  ['undefined', undefined],
  ['null', null],
  ['NaN', NaN],
  ['Infinity', -Infinity],
  ['-0', -0],
  ['1e300', 1e300],
  ['5e-324', 5e-324],
  ['2^53', 2 ** 53],
  ['1.5', 1.5],
  ['a bigint', 2n ** 70n],
  ['true', true],
  ['an empty text', ''],
  ['NaN as text', 'NaN'],
  ['Infinity as text', 'Infinity'],
  ['digits', '12345678901234567890'],
  ['half a character', 'a\ud800b'],
  ['NUL and other controls', '\0\u0001\u001f\u007f\ufffe\uffff'],
  ['markup', '<b>]]>&amp;"\\\r\n\u2028'],
  ['a wrong date', new Date(NaN)],
  ['a date', new Date(0)],
  ['an array', [undefined, 'x\udfff', 2n, [null]]],
  ['an object', { a: undefined, b: NaN, c: ['\ud800'], d: 3n }],
  ['an object without a prototype', Object.create(null)],
  ['a function', () => 1],
  ['a symbol', Symbol('s')],
];

const methods = allMethods(() => {
  throw new Error('Nothing is called here');
});

/** Every shape in which the value can stand where the declaration has something: deep inside, and in place of each part. */
function placesOf(schema: TSchema, value: unknown): unknown[] {
  const { wire, properties, items } = declared(schema);
  if (wire === 'list' && items) return [value, ...placesOf(items, value).map((item) => [item, value])];
  if (wire !== 'struct' || !properties) return [value];
  const members = Object.entries(properties).map(
    ([name, member]) => [name, placesOf(member, value)] as const,
  );
  const most = Math.max(1, ...members.map(([, places]) => places.length));
  const structs = Array.from({ length: most }, (_, index) =>
    Object.fromEntries(members.map(([name, places]) => [name, places[index % places.length]])),
  );
  return [value, {}, ...structs];
}

async function whole(written: string | AsyncIterable<string>): Promise<string> {
  if (typeof written === 'string') return written;
  let text = '';
  for await (const piece of written) text += piece;
  return text;
}

const outcomesOf = (method: Method, value: unknown): Outcome[] =>
  placesOf(method.result, value).map((result) => ({ method, result }));

describe.each(odd)('%s', (_name, value) => {
  test('is written in the result of every method, alone and in a multicall', async () => {
    const [multicall] = methods.filter(({ name }) => name === 'system.multicall');
    for (const method of methods) {
      const outcomes = outcomesOf(method, value);
      const many = { method: multicall ?? method, result: new Outcomes(outcomes) };
      for (const outcome of [...outcomes, many]) {
        const xml = await whole(writeOutcome(outcome));
        expect(readAnswer(Buffer.from(xml)).fault).toBeUndefined();
        const json = await whole(writeJson(outcome, 'request'));
        expect(json.isWellFormed()).toBe(true);
        expect(json).not.toMatch(/\\u[dD][89a-fA-F]/);
        JSON.parse(json);
      }
    }
  });

  test('is written in the answer of every operation of both REST APIs', () => {
    for (const [operations, write] of [
      [resellerOperations, resellerAnswer],
      [tenantOperations, tenantAnswer],
    ] as const) {
      for (const operation of operations) {
        const items = placesOf(operation.item, value);
        const answers =
          operation.answers === 'one' ? items : [{ items, next: typeof value === 'string' ? value : null }];
        for (const answer of answers) JSON.parse(write(operation, answer));
      }
    }
  });
});

async function* batches(): AsyncGenerator<readonly unknown[], void> {
  yield await Promise.resolve([{ name: 'first' }]);
  yield [];
  yield [{ name: 'second' }, undefined];
}
async function* noBatches(): AsyncGenerator<readonly unknown[], void> {
  await Promise.resolve();
  yield [];
}

test('a list in batches is written whole, wherever it stands, and beside faults and odd members', async () => {
  const [list] = methods.filter(({ name }) => name === 'listTariffs');
  const [multicall] = methods.filter(({ name }) => name === 'system.multicall');
  if (!list || !multicall) throw new Error('There are no such methods');
  const listed = (tariffs: unknown): Outcome => ({ method: list, result: { result: 'OK', tariffs } });
  const outcomes = (): Outcome => ({
    method: multicall,
    result: new Outcomes([listed(batches()), new Fault('not_found', 'x'), listed([]), listed(noBatches())]),
  });
  const rows = [{ name: 'first' }, { name: 'second' }, null];
  const expected = [
    [{ result: 'OK', tariffs: rows }],
    { faultCode: 404, faultString: 'x' },
    [{ result: 'OK', tariffs: [] }],
    [{ result: 'OK', tariffs: [] }],
  ];
  expect(JSON.parse(await whole(writeJson(outcomes(), 'request')))).toEqual(expected);
  expect(readAnswer(Buffer.from(await whole(writeOutcome(outcomes()))))).toEqual({ result: expected });
  expect(JSON.parse(await whole(writeJson(listed(batches()), 'request')))).toEqual({
    result: 'OK',
    tariffs: rows,
  });
});
