/** The decisions of docs/decisions: numbered without gaps, short, in one form, and listed in the index. */
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

const folder = join(dirname(__dirname), 'docs', 'decisions');
const textOf = (file: string): string => readFileSync(join(folder, file), 'utf8');
const files = readdirSync(folder)
  .filter((file) => file !== 'README.md')
  .sort();
const numberOf = (file: string): string => file.slice(0, 3);
const dateIn = (text: string): string => /^(\d{4}-\d\d-\d\d) · /m.exec(text)?.[1] ?? '';

const form =
  /^# \S.*\n\n\d{4}-\d\d-\d\d · (?:Accepted|Superseded by (\d{3}))\n\n## Context\n\n\S[^#]*\n\n## Decision\n\n\S[^#]*\n\n## Consequence\n\n\S[^#]*\n$/;

test('are numbered from 001 without gaps, in the order of their dates', () => {
  expect(files.filter((file) => !/^\d{3}-[a-z0-9-]+\.md$/.test(file))).toEqual([]);
  expect(files.map(numberOf)).toEqual(files.map((_, index) => String(index + 1).padStart(3, '0')));
  const dates = files.map((file) => dateIn(textOf(file)));
  expect(dates).toEqual(dates.toSorted());
});

test.each(files)('%s has a title, a status, three sections and at most 25 lines', (file) => {
  const text = textOf(file);
  expect(text).toMatch(form);
  expect(text.trimEnd().split('\n').length).toBeLessThanOrEqual(25);
});

test('a superseded decision names a later one that exists', () => {
  const wrong = files.filter((file) => {
    const successor = form.exec(textOf(file))?.[1];
    return (
      successor !== undefined && (successor <= numberOf(file) || !files.map(numberOf).includes(successor))
    );
  });
  expect(wrong).toEqual([]);
});

test('the index lists every decision with its title, date and status', () => {
  const rows = files.map((file) => {
    const [, title = '', date = '', status = ''] = /^# (.*)\n\n(\S+) · (.*)$/m.exec(textOf(file)) ?? [];
    const lower = status.charAt(0).toLowerCase() + status.slice(1);
    return `| [${numberOf(file)}](${file}) | ${title} | ${date} | ${lower} |`;
  });
  const listed = textOf('README.md')
    .split('\n')
    .filter((line) => line.startsWith('| ['));
  expect(listed).toEqual(rows);
});

test('a sentence has at most 25 words', () => {
  const long = files.flatMap((file) =>
    textOf(file)
      .split(/\n\n|(?<=[.?:])\s+(?=[A-Z`"])/)
      .filter((sentence) => sentence.trim().split(/\s+/).length > 25)
      .map((sentence) => `${file}: ${sentence.trim()}`),
  );
  expect(long).toEqual([]);
});
