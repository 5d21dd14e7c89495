/** docs/limits.md says of every limit how much it is, which setting changes it, and what the caller hears. */
import { readFileSync } from 'node:fs';
import { settings } from '../src/base/config';
import { limitsFile } from './setup/docs';
import { limitSettings, renewedLimits } from './setup/limits-page';

const page = readFileSync(limitsFile, 'utf8');

test('the tables of the page are current; `npm run docs` writes them', () => {
  expect(renewedLimits(page)).toBe(page);
});

test('a new setting with a number must say what a caller hears at the limit', () => {
  const added = { name: 'TREELINE_NEW_LIMIT', fallback: '17', meaning: 'How many new things there may be.' };
  expect(() => limitSettings([...Object.values(settings), added])).toThrow(/TREELINE_NEW_LIMIT/);
});

test('the page names every setting that limits a caller, and the largest members of requests', () => {
  for (const { name } of limitSettings()) expect(page).toContain(`\`${name}\``);
  expect(page).toContain('| `css` | 65536 characters |');
  expect(page).toContain('`PUT /v1.0/flows/{id}`');
});
