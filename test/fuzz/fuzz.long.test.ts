/** Hostile inputs over real sockets, to a server that is a process of its own; `npm run fuzz` sends as many as you like. */
import { killPrograms } from '../setup/processes';
import { randomSeed } from '../setup/long-run';
import { fuzz } from './run';

afterAll(killPrograms);

test('7,000 hostile inputs are answered by results, refusals or 4xx within a second, and leave no line in the log', async () => {
  const seed = randomSeed();
  console.log(`fuzz: seed ${seed}`);
  const report = await fuzz({ count: 7_000, seed });
  expect(report.findings).toEqual([]);
  // An input that is refused at the door would prove little.
  const kinds = [
    'body bent: result',
    'body bent: fault -32700',
    'understood: result',
    'understood: fault 404',
    'Digest fields: HTTP 401',
    ...['reseller', 'tenant'].flatMap((face) => [
      `${face} API, by its declarations: result`,
      `${face} API, by its declarations: HTTP 404`,
      `${face} API, body bent: result`,
      `${face} API, proofs bent: HTTP 401`,
    ]),
  ];
  expect([...report.answers.keys()]).toEqual(
    expect.arrayContaining(kinds.map((kind) => expect.stringContaining(kind) as string)),
  );
}, 180_000);
