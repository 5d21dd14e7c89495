/**
 * Many calls at once in a random tree. What each answers depends on who was first, so no answer is
 * foretold; but what must hold always has to hold afterwards.
 */
import { brokenBooks } from '../setup/books';
import type { TestServer } from '../setup/server';
import { type Burst, brokenMoney, succeeded } from './burst-money';
import type { Outcome } from './client';
import { type Ground, freshWorld, isRest, play, prepareStep, sendCalls } from './play';
import type { Prepared } from './sending';
import { prelude } from './steps';
import type { Step } from './symbols';
import type { World } from './world';

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
  readonly credit_limit: number;
  readonly overcommit_protection: boolean;
  readonly overcommit_limit: number | null;
  readonly uuid: string;
  /** How many of its people could log in as an administrator, besides its own login. */
  readonly leaders: number;
  readonly own_login: boolean;
}

const livingText = `
  SELECT c.i_customer, c.i_wholesaler, c.path, c.name, u.web_login, c.dns_alias, c.max_depth, c.customers_mgmt, c.blocked,
    (c.balance * 1000000)::float8 AS balance, (c.credit_limit * 1000000)::float8 AS credit_limit, c.overcommit_protection, c.overcommit_limit, c.uuid,
    (SELECT count(*)::int FROM users l WHERE l.i_customer = c.i_customer AND l.deleted_at IS NULL AND NOT l.is_default
       AND NOT l.is_recovery AND NOT l.blocked AND l.password_hash IS NOT NULL AND l.i_access_level = 'ADMINISTRATOR') AS leaders,
    u.password_hash IS NOT NULL OR EXISTS (SELECT FROM api_credentials k WHERE k.i_customer = c.i_customer) AS own_login
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
    const keyed =
      step.again && prepared.findLast(({ calls }) => 'idempotency_key' in (calls[0]?.params ?? {}));
    const ready = keyed || (await prepareStep(ground, world, withoutLowering(step)));
    if (ready) prepared.push(ready);
  }
  const outcomes = await Promise.all(prepared.map((each) => sendCalls(ground.client, each)));
  const wrong = {
    ...(await brokenBooks(server)),
    ...told('what no call may answer', outcomes.filter(isAmiss)),
    ...(await brokenMoney({ server, world, prepared, outcomes, since: entriesBefore })),
    ...told('two answers to one key', repeated({ prepared, outcomes })),
    ...told('nobody left to administer', leaderless(was, await rows())),
    ...proofs(was, await rows()),
    ...told(
      'topped up beyond what may be committed',
      await overcommitted(server, was, await rows(), entriesBefore),
    ),
    ...told('a right that is missing above', await wrongRights(ground, world, await rows())),
    ...(await brokenThings(server, least, entriesBefore)),
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

/** Lowering a limit leaves what is beyond it, and another currency has other prices: nobody changes these here. */
function withoutLowering({ who, orders }: Step): Step {
  const limits = ['max_depth', 'overcommit_protection', 'overcommit_limit', 'credit_limit', 'i_tariff'];
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

/** A bug of the server, or a deadlock that was given up. Whose access was changed meanwhile must prove itself again. */
function isAmiss(outcome: Outcome): boolean {
  const said = JSON.stringify(outcome);
  const number = 'fault' in outcome ? outcome.fault : 'status' in outcome ? outcome.status : 200;
  if (number === 503 && said.includes('access of the caller was changed')) return false;
  return number >= 500;
}

/** Calls of one caller with one key that answered different payments, or made different things. */
function repeated(burst: Pick<Burst, 'prepared' | 'outcomes'>): string[] {
  const first = new Map<string, unknown>();
  return succeeded(burst).flatMap(({ result, scope }) => {
    const answer = result['i_payment'] ?? JSON.stringify(result);
    if (!first.has(scope)) first.set(scope, answer);
    return first.get(scope) === answer ? [] : [scope];
  });
}

/** One name where only case or Unicode form differs. */
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
 * Owners below whom more may be spent than they may commit. What the owner had at its best during the burst is allowed,
 * and so is what was there before; a transfer by the owner or by somebody above it is no top-up.
 */
async function overcommitted(
  server: TestServer,
  was: readonly Row[],
  are: readonly Row[],
  since: number,
): Promise<unknown[]> {
  const moved = await server.db.query<MovedRow>({ text: movedText }, [since]);
  const committed = (rows: readonly Row[], owner: number): number =>
    rows
      .filter(({ path, i_customer }) => path.includes(owner) && i_customer !== owner)
      .reduce((sum, { balance, credit_limit }) => sum + Math.max(balance, 0) + credit_limit, 0);
  return are
    .filter(
      ({ overcommit_protection, i_customer }) =>
        overcommit_protection && was.some((row) => row.i_customer === i_customer),
    )
    .filter(({ i_customer: owner, overcommit_limit }) => {
      const isBelow = (id: number | null): boolean =>
        id !== null && id !== owner && (are.find((row) => row.i_customer === id)?.path ?? []).includes(owner);
      if (moved.some(({ kind, taker, giver }) => kind === 'transfer' && isBelow(taker) && !isBelow(giver)))
        return false;
      let balance = was.find((row) => row.i_customer === owner)?.balance ?? 0;
      let best = balance;
      for (const { i_customer: id, amount } of moved) {
        if (id === owner) best = Math.max(best, (balance += amount));
      }
      const allowed = Math.max(best * (1 + (overcommit_limit ?? 0) / 100), committed(was, owner));
      return committed(are, owner) > allowed + 0.5;
    })
    .map(({ i_customer }) => i_customer);
}

interface MovedRow {
  readonly i_customer: number;
  readonly amount: number;
  readonly kind: string;
  readonly taker: number;
  /** Of a transfer; null: root. */
  readonly giver: number | null;
}

const movedText = `
  SELECT e.i_customer, (e.amount * 1000000)::float8 AS amount, p.kind, p.i_customer AS taker,
    (SELECT max(g.i_customer) FROM entries g WHERE g.i_payment = p.i_payment AND g.i_customer < p.i_customer) AS giver
  FROM entries e JOIN payments p USING (i_payment)
  WHERE e.i_entry > $1 AND e.i_customer IS NOT NULL ORDER BY e.i_entry`;

const things = `(SELECT 'number' AS product, i_payment FROM numbers UNION ALL SELECT 'sip_user', i_payment FROM sip_users
  UNION ALL SELECT 'domain', i_payment FROM domains)`;

/** What must hold of things, charges and people; `burst` has the first customer of the tree and the last entry before. */
const thingProofs: Readonly<Record<string, string>> = {
  'a number or a domain twice': `
    SELECT number FROM numbers WHERE deleted_at IS NULL GROUP BY number HAVING count(*) > 1
    UNION ALL SELECT name_key FROM domains WHERE deleted_at IS NULL GROUP BY name_key HAVING count(*) > 1`,
  'a charge for several things': `
    SELECT p.i_payment FROM payments p JOIN ${things} t USING (i_payment) GROUP BY p.i_payment, p.kind
    HAVING count(*) > 1 OR p.kind <> 'charge'`,
  'more given or paid than there was': `
    SELECT * FROM (
      SELECT e.i_customer, e.i_entry, p.kind, e.amount, c.credit_limit,
        e.i_customer = (
          SELECT max(g.i_customer) FROM entries g WHERE g.i_payment = p.i_payment AND g.i_customer < p.i_customer) AS gives,
        sum(e.amount) OVER (PARTITION BY e.i_customer ORDER BY e.i_entry) AS left_over
      FROM entries e JOIN payments p USING (i_payment) JOIN customers c ON c.i_customer = e.i_customer) moved, burst
    WHERE i_customer >= least AND i_entry > since AND amount < 0 AND kind IN ('transfer', 'charge')
      AND left_over < CASE WHEN kind = 'transfer' AND gives THEN 0 ELSE -credit_limit END`,
  'a reversal that does not move back what was moved': `
    SELECT p.i_payment FROM payments p WHERE p.kind = 'reversal' AND EXISTS (
      SELECT FROM entries e WHERE e.i_payment IN (p.i_payment, p.i_reversed)
      GROUP BY e.i_customer, e.currency HAVING sum(e.amount) <> 0)`,
  'prepaid money that nobody gave': `
    SELECT e.i_entry FROM entries e JOIN payments p USING (i_payment)
    WHERE e.prepaid > 0 AND (p.kind NOT IN ('transfer', 'closing', 'reversal') OR e.prepaid > CASE p.kind
      WHEN 'transfer' THEN CASE WHEN e.i_customer = p.i_customer THEN p.amount ELSE 0 END
      WHEN 'closing' THEN (SELECT -o.prepaid FROM entries o WHERE o.i_payment = p.i_payment AND o.i_customer = p.i_customer)
      ELSE (SELECT -o.prepaid FROM entries o WHERE o.i_payment = p.i_reversed AND o.i_customer = e.i_customer) END)`,
  'a login that ends with the name of another customer': `
    SELECT u.web_login FROM burst, users u JOIN customers c ON right(u.login_key, length(c.name_key) + 1) = '@' || c.name_key
    WHERE c.i_customer >= least AND u.deleted_at IS NULL AND c.deleted_at IS NULL AND u.i_customer <> c.i_customer`,
  'not one guest agent': `
    SELECT c.i_customer FROM burst, customers c LEFT JOIN users u ON u.i_customer = c.i_customer AND u.is_recovery
    WHERE c.i_customer >= least GROUP BY c.i_customer HAVING count(u.i_web_user) <> 1`,
  'somebody who lives on without a customer, or a link to what is gone': `
    SELECT u.i_web_user::text FROM users u JOIN customers c USING (i_customer)
    WHERE u.deleted_at IS NULL AND c.deleted_at IS NOT NULL
    UNION ALL SELECT n.number FROM numbers n JOIN flows f ON f.uuid IN (n.call_flow_id, n.message_flow_id)
    WHERE n.deleted_at IS NULL AND (f.deleted_at IS NOT NULL OR f.i_customer <> n.i_customer)
    UNION ALL SELECT c.name FROM customers c JOIN stores s USING (i_store)
    WHERE c.deleted_at IS NULL AND (s.deleted_at IS NOT NULL OR s.i_customer <> c.i_wholesaler)`,
};

async function brokenThings(
  server: TestServer,
  least: number,
  since: number,
): Promise<Record<string, unknown[]>> {
  const found: Record<string, unknown[]> = {};
  for (const [sentence, proof] of Object.entries(thingProofs)) {
    const rows = await server.db.query<unknown>(
      { text: `WITH burst AS (SELECT $1::int AS least, $2::int AS since) ${proof}` },
      [least, since],
    );
    if (rows.length > 0) found[sentence] = rows;
  }
  return found;
}

/** Customers that were left with nobody who could log in as an administrator. */
const leaderless = (was: readonly Row[], are: readonly Row[]): number[] =>
  are
    .filter(({ i_customer, leaders, own_login }) => {
      const before = was.find((row) => row.i_customer === i_customer);
      return before !== undefined && before.leaders > 0 && leaders === 0 && !own_login && !before.own_login;
    })
    .map(({ i_customer }) => i_customer);

/** Asks, for some, over two faces whether the server lets them edit exactly when everybody above may. */
async function wrongRights(ground: Ground, world: World, rows: readonly Row[]): Promise<unknown[]> {
  const { client } = ground;
  const byId = new Map(rows.map((row) => [row.i_customer, row]));
  const root = await prepareStep(ground, world, {
    who: { kind: 'tenant', by: 'bearer', n: 1, on: null, right: true, as: 0 },
    orders: [],
  });
  if (!root || !isRest(root.way)) throw new Error('Root cannot log in');
  const wrong: unknown[] = [];
  for (const { i_customer, uuid, path } of rows.filter((row) => row.i_customer !== 1).slice(-8)) {
    const chain = path.map((id) => byId.get(id));
    const may = chain.every((row) => row !== undefined && (row.customers_mgmt & 2) !== 0 && !row.blocked);
    const expected = may ? 404 : 403;
    const params = { i_customer: 2_000_000_000, i_wholesaler: i_customer };
    const outcome = await client.call({ face: 'json' }, 'unblockCustomer', params);
    if (!('fault' in outcome) || outcome.fault !== expected) wrong.push({ i_customer, expected, outcome });
    const way = { ...root.way, query: { customer_id: uuid } };
    const seen = await client.ask(way, 'POST /v1.0/customers/{id}/freeze', { id: 'seventeen' });
    if (!('status' in seen) || seen.status !== expected) wrong.push({ i_customer, expected, seen });
  }
  return wrong;
}
