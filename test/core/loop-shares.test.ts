/** Requests take turns in the event loop: a flood of one caller delays another by a few steps, and loses none of its own. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isContended, noteCaller } from '../../src/core/fairness/event-loop';
import { LoopShares } from '../../src/core/fairness/loop-shares';

const flooder = { group: 'address 127.0.0.2', caller: 'flooder' };
const neighbour = { group: 'address 127.0.0.2', caller: 'neighbour' };
const stranger = { group: 'address 127.0.0.3', caller: 'stranger' };

const waitingAtMost = 1_000;

/** A step that keeps the loop busy. */
function work(ms: number): void {
  const deadline = performance.now() + ms;
  while (performance.now() < deadline);
}

const turn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await turn();
}

test('a step starts at once where nobody waits', () => {
  const shares = new LoopShares();
  let isStarted = false;
  expect(shares.enter(flooder, () => (isStarted = true), 1)).toBe(true);
  expect(isStarted).toBe(true);
});

test.each([
  ['of the same address', neighbour],
  ['of another address', stranger],
])(
  'a caller %s waits for a few steps of a flood, and all of the flood run, in order',
  async (_who, other) => {
    const shares = new LoopShares();
    noteCaller(flooder);
    noteCaller(other);
    const order: number[] = [];
    let startedBefore = Infinity;
    for (let index = 0; index < 500; index += 1)
      shares.enter(
        flooder,
        () => {
          work(1);
          order.push(index);
        },
        waitingAtMost,
      );
    const already = order.length;
    shares.enter(other, () => (startedBefore = order.length), waitingAtMost);
    await until(() => order.length === 500);
    expect(already).toBeLessThan(10);
    expect(startedBefore).toBeLessThan(already + 10);
    expect(order).toEqual(Array.from({ length: 500 }, (_, index) => index));
  },
);

test.each([
  ['another address', stranger, true],
  ['another login of the same address', neighbour, true],
  ['the same login', flooder, false],
  ['the same address before it names a login, as Digest does', { ...flooder, caller: 0 }, false],
])('a request of %s makes callers many, or not', async (_who, next, isMany) => {
  noteCaller(flooder);
  // What was noted before is forgotten by then.
  await sleep(600);
  noteCaller(next);
  noteCaller(flooder);
  // From here on the loop is busy.
  isContended();
  work(150);
  expect(isContended()).toBe(isMany);
});

test('the loop serves others between the steps of a flood', async () => {
  const shares = new LoopShares();
  let [done, turns] = [0, 0];
  for (let index = 0; index < 100; index += 1)
    shares.enter(
      flooder,
      () => {
        work(2);
        done += 1;
      },
      waitingAtMost,
    );
  while (done < 100) {
    await turn();
    turns += 1;
  }
  expect(turns).toBeGreaterThan(20);
});

test('too many steps of a caller are refused, and never start; its neighbours are not', async () => {
  const shares = new LoopShares();
  let started = 0;
  const enter = (share: typeof flooder): boolean =>
    shares.enter(
      share,
      () => {
        work(5);
        started += 1;
      },
      5,
    );
  // The first starts at once and uses up the turn.
  const taken = Array.from({ length: 8 }, () => enter(flooder));
  expect(taken).toEqual([true, true, true, true, true, true, false, false]);
  expect([neighbour, stranger].map(enter)).toEqual([true, true]);
  await until(() => started === 8);
  for (let idle = 0; idle < 20; idle += 1) await turn();
  expect(started).toBe(8);
});

test('too many steps of a group are refused, under whatever logins', () => {
  const shares = new LoopShares();
  shares.enter(
    flooder,
    () => {
      work(5);
    },
    5,
  );
  const taken = Array.from({ length: 25 }, (_, index) =>
    shares.enter({ ...flooder, caller: `made up ${index}` }, () => undefined, 5),
  );
  expect(taken.filter(Boolean)).toHaveLength(20);
});
