/** What `src/db/database.ts` promises to those who ask several things of one transaction at once. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Database, type Transaction, openDatabase } from '../src/db/database';
import { makeDatabase } from './setup/server';

let db: Database;

beforeAll(async () => {
  const options = { pool_size: 3, statement_timeout_ms: 5_000, acquire_timeout_ms: 5_000 };
  db = openDatabase({ connection: await makeDatabase(), ...options });
  await db.query({ text: 'CREATE TABLE things (id integer CONSTRAINT things_pkey PRIMARY KEY)' });
});
beforeEach(() => db.query({ text: 'TRUNCATE things' }));
afterAll(() => db.close());

const insert = (tx: Transaction, id: number): Promise<unknown> =>
  tx.query({ text: 'INSERT INTO things VALUES ($1)' }, [id]);
const things = async (): Promise<number[]> => {
  const rows = await db.query<{ id: number }>({ text: 'SELECT id FROM things ORDER BY id' });
  return rows.map(({ id }) => id);
};
const waits = (tx: Transaction): Promise<unknown> => tx.query({ text: 'SELECT pg_sleep(0.05)' });

test('they run in the order in which they were asked, and are kept together', async () => {
  await db.transaction(async (tx) => {
    const [, rows] = await Promise.all([insert(tx, 1), tx.query({ text: 'SELECT id FROM things' })]);
    expect(rows).toEqual([{ id: 1 }]);
    tx.atCommit({ text: 'INSERT INTO things VALUES (2)' });
    expect(await tx.query({ text: 'SELECT id FROM things' })).toEqual([{ id: 1 }]);
  });
  expect(await things()).toEqual([1, 2]);
});

test('the first that fails tells why, and nothing is kept', async () => {
  const work = db.transaction((tx) =>
    Promise.all([
      insert(tx, 1),
      // Further inside, so that its failure is known later than that of the one after it.
      (async () => {
        await (async () => insert(tx, 1))();
      })(),
      insert(tx, 2),
    ]),
  );
  await expect(work).rejects.toMatchObject({ code: '23505', constraint: 'things_pkey' });
  expect(await things()).toEqual([]);
});

test('what is sent goes in its turn, and its failure is told by whoever comes first', async () => {
  const text = 'INSERT INTO things VALUES (1)';
  await db.transaction(async (tx) => {
    tx.send({ text });
    expect(await tx.query({ text: 'SELECT id FROM things' })).toEqual([{ id: 1 }]);
  });
  expect(await things()).toEqual([1]);
  const atCommit = db.transaction((tx) => {
    tx.send({ text });
    return Promise.resolve();
  });
  await expect(atCommit).rejects.toMatchObject({ code: '23505', constraint: 'things_pkey' });
  const asked = db.transaction(async (tx) => {
    tx.send({ text });
    await tx.sent();
  });
  await expect(asked).rejects.toMatchObject({ code: '23505' });
  const behind = db.transaction((tx) => {
    tx.send({ text });
    return insert(tx, 2);
  });
  await expect(behind).rejects.toMatchObject({ code: '23505' });
  expect(await things()).toEqual([1]);
});

test('a failure of what goes with COMMIT is a failure of all', async () => {
  const work = db.transaction(async (tx) => {
    await insert(tx, 1);
    tx.atCommit({ text: 'INSERT INTO things VALUES (1)' });
  });
  await expect(work).rejects.toMatchObject({ code: '23505' });
  expect(await things()).toEqual([]);
});

test('a failure that somebody swallowed is not committed in silence', async () => {
  const work = db.transaction(async (tx) => {
    await insert(tx, 1);
    await insert(tx, 1).catch(() => undefined);
  });
  await expect(work).rejects.toThrow('ROLLBACK');
  expect(await things()).toEqual([]);
});

test('what goes on after another has ended it all changes nothing, on no connection', async () => {
  let later: Promise<unknown> = Promise.resolve();
  const work = db.transaction((tx) => {
    later = waits(tx).then(() => insert(tx, 1));
    later.catch(() => undefined);
    return Promise.all([later, Promise.reject(new Error('refused'))]);
  });
  await expect(work).rejects.toThrow('refused');
  // Whoever has the connection now must not get it either.
  await db.transaction(async (tx) => {
    await waits(tx);
    await insert(tx, 2);
  });
  await expect(later).rejects.toThrow('after the end');
  await sleep(50);
  expect(await things()).toEqual([2]);
});
