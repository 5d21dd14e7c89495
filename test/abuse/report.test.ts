/** The figures of attacks: what misses a goal, and how they reach the document. */
import { type Result, goals, missedGoals, spreadOf } from './measure';
import { terminalTable, wordsOf, writeFigures } from './report';

const quick = spreadOf([1, 2, 3]);
const base: Result = {
  name: 'an-attack',
  attack_is: 'A customer | attacks',
  seconds: 30,
  victim: { reads: quick, payments: quick, logins: quick },
  failed_calls: 0,
  failures: [],
  memory_mb: 120,
  live: quick,
  tally: { 'HTTP 200': 3, 'fault 403': 1 },
  wrong: [],
  missed: [],
  passed: true,
};

const document = [
  '# Reliability',
  '',
  '<!-- abuse -->',
  '',
  '| attack | what it does | before | after |',
  '| --- | --- | --- | --- |',
  '| `an-attack` | Something | slow | |',
  '| `another` | Something else | slow too |  |',
  '',
  '<!-- abuse end -->',
  '',
].join('\n');

test('99 of 100 times are at most the p99, and the longest is the maximum', () => {
  const times = Array.from({ length: 1_000 }, (_, index) => index + 1);
  expect(spreadOf(times)).toEqual({ calls: 1_000, p50_ms: 501, p99_ms: 991, max_ms: 1_000 });
  expect(spreadOf([])).toEqual({ calls: 0, p50_ms: 0, p99_ms: 0, max_ms: 0 });
});

test('each goal is missed at its bound, and alone', () => {
  const slow = (p99_ms: number) => ({ ...quick, p99_ms });
  expect(missedGoals(base)).toEqual([]);
  expect(missedGoals({ ...base, victim: { ...base.victim, reads: slow(goals.p99_ms.reads) } })).toEqual([
    'reads p99 250 ms, goal 250 ms',
  ]);
  expect(missedGoals({ ...base, victim: { ...base.victim, logins: slow(1_499) } })).toEqual([]);
  expect(missedGoals({ ...base, memory_mb: 400 })).toEqual(['memory 400 MB, goal 400 MB']);
  expect(missedGoals({ ...base, live: slow(100) })).toEqual(['/health/live p99 100 ms, goal 100 ms']);
});

test('figures are written into their column; the other column and other attacks stay', () => {
  const failed = { ...base, passed: false, failed_calls: 2, wrong: ['It was possible'] };
  const written = writeFigures(document, 'after', [failed, { ...base, name: 'new-attack' }]);
  expect(written.split('\n').slice(6, 9)).toEqual([
    '| `an-attack` | A customer \\| attacks | slow | **missed**: p99 3 / 3 / 3 ms; 2 of 9 failed; 120 MB; live 3 ms<br>It was possible. |',
    '| `another` | Something else | slow too |  |',
    '| `new-attack` | A customer \\| attacks |  | p99 3 / 3 / 3 ms; 0 failed; 120 MB; live 3 ms |',
  ]);
  // Written again, nothing changes.
  expect(writeFigures(written, 'after', [failed])).toBe(written);
  expect(() => writeFigures('# Another document', 'after', [base])).toThrow(/<!-- abuse -->/);
});

test('a terminal shows what was missed and what the attacker got', () => {
  const failed = {
    ...base,
    passed: false,
    missed: ['memory 500 MB, goal 400 MB'],
    failures: ['reads: fault 503'],
  };
  expect(terminalTable([base, failed])).toMatch(/passed[^]*FAILED/);
  expect(wordsOf(failed)).toBe(
    [
      '  the attacker got: HTTP 200 × 3, fault 403 × 1',
      '  missed: memory 500 MB, goal 400 MB',
      '  failed call: reads: fault 503',
    ].join('\n'),
  );
});
