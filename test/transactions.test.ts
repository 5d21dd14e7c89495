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
    tx.execBeforeCommit({ text: 'INSERT INTO things VALUES (2)' });
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
    tx.exec({ text });
    expect(await tx.query({ text: 'SELECT id FROM things' })).toEqual([{ id: 1 }]);
  });
  expect(await things()).toEqual([1]);
  const atCommit = db.transaction((tx) => {
    tx.exec({ text });
    return Promise.resolve();
  });
  await expect(atCommit).rejects.toMatchObject({ code: '23505', constraint: 'things_pkey' });
  const asked = db.transaction(async (tx) => {
    tx.exec({ text });
    await tx.flush();
  });
  await expect(asked).rejects.toMatchObject({ code: '23505' });
  const behind = db.transaction((tx) => {
    tx.exec({ text });
    return insert(tx, 2);
  });
  await expect(behind).rejects.toMatchObject({ code: '23505' });
  expect(await things()).toEqual([1]);
});

test('a failure of what goes with COMMIT is a failure of all', async () => {
  const work = db.transaction(async (tx) => {
    await insert(tx, 1);
    tx.execBeforeCommit({ text: 'INSERT INTO things VALUES (1)' });
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

describe('its time', () => {
  const inTime = <T>(work: (tx: Transaction) => Promise<T>, ms: number) =>
    db.transaction(work, performance.now() + ms).then(
      () => 'done',
      (error: unknown) => error,
    );
  const away = { kind: 'unavailable', message: 'The database is not available, please retry' };

  test('is that of all its statements together, and what was given up is not done later', async () => {
    const ofMany = inTime(async (tx) => {
      await insert(tx, 1);
      for (let step = 0; step < 10; step += 1) await tx.query({ text: 'SELECT pg_sleep(0.1)' });
    }, 350);
    // Those that went together go on in the server, which does not see that it will hear no more.
    const ofPipelined = inTime(
      (tx) => Promise.all([tx.query({ text: 'SELECT pg_sleep(1.5)' }), insert(tx, 2)]),
      200,
    );
    expect(await ofMany).toMatchObject(away);
    expect(await ofPipelined).toMatchObject(away);
    await sleep(1_500);
    expect(await things()).toEqual([]);
    const running = `SELECT query FROM pg_stat_activity WHERE state <> 'idle' AND pid <> pg_backend_pid() AND datname = current_database()`;
    expect(await db.query({ text: running })).toEqual([]);
    expect(db.poolState()).toMatchObject({ used: 0, waiting: 0 });
  });

  test('holds while it waits for a lock, and for a connection', async () => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const holder = db.transaction(async (tx) => {
      await tx.query({ text: 'LOCK TABLE things IN EXCLUSIVE MODE' });
      await held;
    });
    await sleep(50);
    const waiting = [1, 2].map((id) => inTime((tx) => insert(tx, id), 300));
    expect(await Promise.all(waiting)).toEqual([
      expect.objectContaining(away),
      expect.objectContaining(away),
    ]);
    release();
    await holder;
    expect(await things()).toEqual([]);
    expect(await inTime((tx) => insert(tx, 3), 1_000)).toBe('done');
  });

  test('is not begun anew by a deadlock or a serialization failure, which in the end is 503', async () => {
    let tries = 0;
    const fail = (tx: Transaction): Promise<unknown> => {
      tries += 1;
      return tx.query({ text: `DO $$ BEGIN RAISE 'again' USING ERRCODE = '40001'; END $$` });
    };
    expect(await db.transaction(fail).catch((error: unknown) => error)).toMatchObject(away);
    expect(tries).toBe(5);
    tries = 0;
    const slowly = (tx: Transaction): Promise<unknown> => waits(tx).then(() => fail(tx));
    expect(await inTime(slowly, 80)).toMatchObject(away);
    expect(tries).toBeLessThan(3);
  });
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
