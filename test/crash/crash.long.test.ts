/** kill -9 under load; `npm run crash` does it as often as you like. */
import { killPrograms } from '../setup/processes';
import { type Round, crash } from './run';

afterAll(killPrograms);

test('five times kill -9 of the server, its database or both, while 8 clients write, loses nothing and leaves nothing half done', async () => {
  const rounds: Round[] = [];
  await crash(5, (round) => rounds.push(round));
  expect(rounds.map(({ killed }) => killed)).toEqual(['server', 'database', 'both', 'server', 'database']);
  // Rounds in which nobody wrote would prove nothing.
  for (const { acknowledged, unknown } of rounds) {
    expect(acknowledged).toBeGreaterThan(0);
    expect(unknown).toBeGreaterThan(0);
  }
}, 120_000);
