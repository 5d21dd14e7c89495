/** docs/reference/limits.md has the value, the setting and the answer of every limit. */
import { settings } from '../src/base/config';
import { pages, readPage } from './setup/docs';
import { limitSettings } from './setup/limits-page';

const page = pages.find(({ file }) => file.endsWith('limits.md'));
const text = page ? readPage(page) : '';

test('a new setting with a number must say what a caller gets at the limit', () => {
  const added = { name: 'TREELINE_NEW_LIMIT', fallback: '17', meaning: 'How many new things there may be.' };
  expect(() => limitSettings([...Object.values(settings), added])).toThrow(/TREELINE_NEW_LIMIT/);
});

test('the page names every setting that limits a caller, and the largest members of requests', () => {
  for (const { name } of limitSettings()) expect(text).toContain(`\`${name}\``);
  expect(text).toContain('| `css` | 65536 characters |');
  expect(text).toContain('`PUT /v1.0/flows/{id}`');
});
