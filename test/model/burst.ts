/**
 * Many calls at once in a random tree. What each answers depends on who was first, so no answer is
 * foretold; but what must hold always has to hold afterwards.
 */
import { brokenBooks } from '../setup/books';
import type { TestServer } from '../setup/server';
import type { Client, Outcome } from './client';
import { type Ground, freshWorld, isRest, play, prepareStep, sendCalls } from './play';
import type { Prepared } from './sending';
import { prelude } from './steps';
import type { Step } from './symbols';
import type { Members, World } from './world';

interface Row {
  readonly i_customer: number;
  readonly i_wholesaler: number | null;
  readonly path: readonly number[];
  readonly name: string;
  readonly web_login: string;
  readonly dns_alias: string | null;
  readonly max_depth: number | null;
  readonly customers_mgmt: number;
  readonly blocked: boolean;
  readonly balance: number;
  readonly overcommit_protection: boolean;
  readonly overcommit_limit: number | null;
}

const livingText = `
  SELECT c.i_customer, c.i_wholesaler, c.path, c.name, u.web_login, c.dns_alias, c.max_depth, c.customers_mgmt, c.blocked,
    (c.balance * 1000000)::float8 AS balance, c.overcommit_protection, c.overcommit_limit
  FROM customers c JOIN users u ON u.i_customer = c.i_customer AND u.is_default
  WHERE c.deleted_at IS NULL AND (c.i_customer = 1 OR c.i_customer >= $1) ORDER BY c.i_customer`;

/** A tree by a random history, then the burst, then the proof. Throws with what is wrong. */
export async function playBurst(
  ground: Ground,
  server: TestServer,
  before: readonly Step[],
  burst: readonly Step[],
): Promise<void> {
  const world = freshWorld(ground);
  await play(ground, world, [...prelude, ...before]);
  const least = Math.min(...world.customers.slice(1).map(({ id }) => id));
  const rows = async (): Promise<Row[]> => server.db.query<Row>({ text: livingText }, [least]);
  const [was, entriesBefore] = [await rows(), await lastEntry(server)];
  const prepared: Prepared[] = [];
  // Who has no token logs in before, so that all of these are sent at once.
  for (const step of burst) {
    const ready = await prepareStep(ground, world, withoutLowering(step));
    if (ready) prepared.push(ready);
  }
  const outcomes = await Promise.all(prepared.map((each) => sendCalls(ground.client, each)));
  const wrong = {
    ...(await brokenBooks(server)),
    ...told('what no call may answer', outcomes.filter(isAmiss)),
    ...told('two answers to one key', repeated(prepared, outcomes)),
    ...proofs(was, await rows()),
    ...told(
      'topped up beyond what may be committed',
      await overcommitted(server, was, await rows(), entriesBefore),
    ),
    ...told('a right that is missing above', await wrongRights(ground.client, await rows())),
  };
  if (Object.keys(wrong).length > 0) {
    const calls = prepared.map(
      ({ calls: [first] }, index) =>
        `  ${first?.method ?? ''} ${JSON.stringify(first?.params)} -> ${JSON.stringify(outcomes[index])}`,
    );
    throw new Error(`${JSON.stringify(wrong, null, 1)}\n\nCalls at once:\n${calls.join('\n')}`);
  }
}

const told = (sentence: string, found: readonly unknown[]): Record<string, readonly unknown[]> =>
  found.length > 0 ? { [sentence]: found } : {};

/** Lowering a limit leaves what is beyond it, so nobody lowers one here. */
function withoutLowering({ who, orders }: Step): Step {
  const limits = ['max_depth', 'overcommit_protection', 'overcommit_limit'];
  return {
    who,
    orders: orders.map((order) =>
      order.method === 'updateCustomer'
        ? {
            ...order,
            args: Object.fromEntries(Object.entries(order.args).filter(([name]) => !limits.includes(name))),
          }
        : order,
    ),
  };
}

/** A bug of the server, or a deadlock that was given up. */
const isAmiss = (outcome: Outcome): boolean =>
  ('fault' in outcome && [500, 503].includes(outcome.fault)) ||
  ('status' in outcome && outcome.status >= 500);

/** Calls of one caller with one key that answered different payments. */
function repeated(prepared: readonly Prepared[], outcomes: readonly Outcome[]): string[] {
  const first = new Map<string, unknown>();
  return prepared.flatMap(({ way, calls }, index) => {
    const [call] = calls;
    const outcome = outcomes[index];
    const { idempotency_key: key, i_wholesaler: actor = null } = call?.params ?? {};
    if (isRest(way)) return [];
    if (!call || calls.length > 1 || key === undefined || !outcome || !('result' in outcome)) return [];
    const scope = `${call.method} ${JSON.stringify([key, actor, way.proof?.login ?? 'trusted'])}`;
    const { i_payment } = outcome.result as Members;
    if (!first.has(scope)) first.set(scope, i_payment);
    return first.get(scope) === i_payment ? [] : [scope];
  });
}

/** As the contract has it: one name where only case or Unicode form differs. */
const folded = (text: string): string =>
  text
    .normalize('NFKC')
    .toLocaleUpperCase('en')
    .toLocaleLowerCase('en')
    .replaceAll('ß', 'ss')
    .replaceAll('ς', 'σ')
    .normalize('NFC');

function proofs(was: readonly Row[], are: readonly Row[]): Record<string, readonly unknown[]> {
  const byId = new Map(are.map((row) => [row.i_customer, row]));
  const old = new Set(was.map(({ i_customer }) => i_customer));
  const tooDeep = are
    .filter(({ i_customer }) => !old.has(i_customer))
    .filter(({ path }) =>
      path.some((id, place) => {
        const limit = byId.get(id)?.max_depth ?? null;
        return limit !== null && path.length - 1 - place > limit;
      }),
    );
  const orphans = are.filter(
    ({ i_wholesaler, i_customer }) => i_customer !== 1 && !byId.has(i_wholesaler ?? 0),
  );
  return {
    ...told('a name twice', twice(are.map(({ name }) => folded(name)))),
    ...told('a login twice', twice(are.map(({ web_login }) => folded(web_login)))),
    ...told('an alias twice', twice(are.flatMap(({ dns_alias }) => dns_alias?.toLowerCase() ?? []))),
    ...told('too deep', tooDeep),
    ...told('nobody above', orphans),
  };
}

const twice = (texts: readonly string[]): string[] =>
  texts.filter((text, place) => texts.indexOf(text) !== place);

const lastEntry = async (server: TestServer): Promise<number> => {
  const [row] = await server.db.query<{ last: number }>({
    text: 'SELECT coalesce(max(i_entry), 0)::int AS last FROM entries',
  });
  return row?.last ?? 0;
};

/**
 * Owners whose sub-customers have more together than they may. What the owner had at its best during
 * the burst is allowed, and so is what was there before; a transfer is no top-up.
 */
async function overcommitted(
  server: TestServer,
  was: readonly Row[],
  are: readonly Row[],
  since: number,
): Promise<unknown[]> {
  const moved = await server.db.query<{ i_customer: number; amount: number; kind: string }>(
    {
      text: `SELECT e.i_customer, (e.amount * 1000000)::float8 AS amount, p.kind FROM entries e JOIN payments p USING (i_payment)
       WHERE e.i_entry > $1 AND e.i_customer IS NOT NULL ORDER BY e.i_entry`,
    },
    [since],
  );
  const committed = (rows: readonly Row[], owner: number): number =>
    rows
      .filter((row) => row.i_wholesaler === owner && row.balance > 0)
      .reduce((sum, row) => sum + row.balance, 0);
  return are
    .filter(
      ({ overcommit_protection, i_customer }) =>
        overcommit_protection && was.some((row) => row.i_customer === i_customer),
    )
    .filter(({ i_customer, overcommit_limit }) => {
      const below = new Set(
        are.filter((row) => row.i_wholesaler === i_customer).map((row) => row.i_customer),
      );
      if (
        moved.some(({ i_customer: id, kind, amount }) => kind === 'transfer' && amount > 0 && below.has(id))
      )
        return false;
      let balance = was.find((row) => row.i_customer === i_customer)?.balance ?? 0;
      let best = balance;
      for (const { i_customer: id, amount } of moved) {
        if (id === i_customer) best = Math.max(best, (balance += amount));
      }
      const allowed = Math.max(best * (1 + (overcommit_limit ?? 0) / 100), committed(was, i_customer));
      return committed(are, i_customer) > allowed + 0.5;
    })
    .map(({ i_customer }) => i_customer);
}

/** Asks, for some, whether the server lets them edit exactly when everybody above may. */
async function wrongRights(client: Client, rows: readonly Row[]): Promise<unknown[]> {
  const byId = new Map(rows.map((row) => [row.i_customer, row]));
  const wrong: unknown[] = [];
  for (const { i_customer, path } of rows.slice(-8)) {
    const chain = path.map((id) => byId.get(id));
    const may = chain.every((row) => row !== undefined && (row.customers_mgmt & 2) !== 0 && !row.blocked);
    const params = { i_customer: 2_000_000_000, i_wholesaler: i_customer };
    const outcome = await client.call({ face: 'json' }, 'unblockCustomer', params);
    const expected = may ? 404 : 403;
    if (!('fault' in outcome) || outcome.fault !== expected) wrong.push({ i_customer, expected, outcome });
  }
  return wrong;
}

export type { World };
