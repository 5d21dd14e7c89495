/** The order in which callers get their turns, counted and not timed. */
import { addressGroup } from '../src/core/fairness/address-group';
import { createCallRate } from '../src/core/fairness/call-rate';
import { FairQueue, type FairQueueLimits, type Share } from '../src/core/fairness/fair-queue';
import { Fault } from '../src/base/faults';

const queueOf = (limits: Partial<FairQueueLimits> = {}): FairQueue =>
  new FairQueue({
    places: 4,
    placesPerGroup: 3,
    placesPerCaller: 2,
    waitingPerGroup: 5_000,
    waitingPerCaller: 1_000,
    wait_ms: 1_000,
    what: 'calls',
    ...limits,
  });

/** Enters one call of the share; `served` gets the name when its turn comes. */
function enter(queue: FairQueue, served: string[], name: string, share: Share): void {
  const turn = queue.enter(share);
  if (!turn) served.push(name);
  else
    turn.then(
      () => served.push(name),
      // Those that still wait when the test is over.
      () => undefined,
    );
}

/** Lets the promises of granted turns resolve. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const faultOf = async (work: () => Promise<void> | undefined): Promise<Fault> => {
  try {
    await work();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error('There was no fault');
};

const greedy: Share = { group: 5, caller: 5 };
const victim: Share = { group: 6, caller: 6 };

test('a thousand waiting calls of one caller delay another by none while it has a place of its own', () => {
  const queue = queueOf();
  const served: string[] = [];
  for (let n = 0; n < 1_000; n += 1) enter(queue, served, 'greedy', greedy);
  expect(served).toEqual(['greedy', 'greedy']);
  enter(queue, served, 'victim', victim);
  expect(served.at(-1)).toBe('victim');
  expect(queue.state()).toEqual({ running: 3, waiting: 998 });
});

test('and by the call that runs, where all places are taken', async () => {
  const queue = queueOf({ places: 1, placesPerGroup: 1, placesPerCaller: 1 });
  const served: string[] = [];
  for (let n = 0; n < 1_000; n += 1) enter(queue, served, 'greedy', greedy);
  enter(queue, served, 'victim', victim);
  queue.leave(greedy);
  await settle();
  queue.leave(victim);
  await settle();
  expect(served).toEqual(['greedy', 'victim', 'greedy']);
});

test('turns go round over groups first, so many customers of one top-level customer get one turn together', async () => {
  const queue = queueOf({ places: 1, placesPerGroup: 1, placesPerCaller: 1 });
  const served: string[] = [];
  enter(queue, served, 'first', victim);
  for (let n = 0; n < 100; n += 1) enter(queue, served, 'a', { group: 5, caller: 100 + n });
  for (let n = 0; n < 3; n += 1) enter(queue, served, 'b', { group: 7, caller: 7 });
  const running = [victim];
  for (let turn = 0; turn < 6; turn += 1) {
    const done = running.shift();
    if (done) queue.leave(done);
    await settle();
    running.push(served.at(-1) === 'b' ? { group: 7, caller: 7 } : { group: 5, caller: 100 + turn / 2 });
  }
  expect(served).toEqual(['first', 'a', 'b', 'a', 'b', 'a', 'b']);
});

test('no caller and no group ever holds all places', async () => {
  const queue = queueOf();
  const served: string[] = [];
  for (let n = 0; n < 10; n += 1) {
    for (let caller = 0; caller < 5; caller += 1) enter(queue, served, 'group', { group: 5, caller });
  }
  await settle();
  expect(served).toHaveLength(3);
});

test('one that waits too many is fault 429 at once, with a time to come again, and leaves no trace', async () => {
  const queue = queueOf({ waitingPerCaller: 2 });
  const served: string[] = [];
  for (let n = 0; n < 4; n += 1) enter(queue, served, 'greedy', greedy);
  const fault = await faultOf(() => queue.enter(greedy));
  expect(fault).toMatchObject({ kind: 'too_many_calls', number: 429, about: { retry_after_s: 1 } });
  expect(queue.state()).toEqual({ running: 2, waiting: 2 });
  enter(queue, served, 'victim', victim);
  expect(served.at(-1)).toBe('victim');
});

test('one that waits too long is fault 503, by the limit or by its deadline, and takes no place later', async () => {
  const queue = queueOf({ wait_ms: 20 });
  void queue.enter(greedy);
  void queue.enter(greedy);
  expect(await faultOf(() => queue.enter(greedy))).toMatchObject({ kind: 'unavailable' });
  const patient = queueOf();
  void patient.enter(greedy);
  void patient.enter(greedy);
  const fault = await faultOf(() => patient.enter(greedy, performance.now() + 20));
  expect(fault).toMatchObject({ kind: 'unavailable' });
  patient.leave(greedy);
  patient.leave(greedy);
  expect(patient.state()).toEqual({ running: 0, waiting: 0 });
});

test('a failing work gives its place back', async () => {
  const queue = queueOf({ places: 1, placesPerGroup: 1, placesPerCaller: 1 });
  const failing = () => queue.run(greedy, Infinity, () => Promise.reject(new Error('no')));
  await expect(failing()).rejects.toThrow('no');
  expect(await queue.run(victim, Infinity, () => Promise.resolve('yes'))).toBe('yes');
  expect(queue.state()).toEqual({ running: 0, waiting: 0 });
});

test('the rate lets a burst through, then one caller waits and others do not', () => {
  const rate = createCallRate(0.5, 3);
  expect([1, 2, 3].map(() => rate.take(greedy))).toEqual([undefined, undefined, undefined]);
  expect(rate.take(greedy)).toBe(2);
  expect(rate.take(victim)).toBeUndefined();
});

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
  ['2001:db8:1:3::1', '2001:db8:1:3::/64'],
  ['unknown:host', 'unknown:host'],
])('%s counts as %s', (address, group) => {
  expect(addressGroup(address)).toBe(group);
});
