/**
 * The limits of a customer, and how much of each it uses. A limit can be lowered for a customer by those above it;
 * what holds is the least of the server's and of those set for the customer and everybody above it.
 */
import { type Call, defineMethod } from '../../core/call/method';
import { id, integer, list, nullable, ok, oneOf, struct, text } from '../../core/schema/schema';
import { assertWithin } from '../../core/tree/tree';
import { type Database, type Queryable, sql } from '../../db/database';
import { badParameter, forbidden, notFound } from '../../base/faults';
import { type LimitName, type Limits, limitNames, maxLimit } from '../../base/limits';
import { isBelow, isSelfOrAbove } from '../../core/tree/visibility';

interface LimitRow {
  readonly name: LimitName;
  /** What holds. */
  readonly maximum: number;
  /** What was set for this customer; null: nothing. */
  readonly set: number | null;
  readonly used: number;
}

/** Of root there are none, because root has no limits. */
const listStatement = sql(
  'list_customer_limits',
  `SELECT n.name, least(n.maximum, (
       SELECT min(l.maximum) FROM customer_limits l WHERE ${isSelfOrAbove('l', 'c')} AND l.name = n.name))::int AS maximum,
     (SELECT l.maximum FROM customer_limits l WHERE l.i_customer = c.i_customer AND l.name = n.name)::int AS set,
     (SELECT greatest(coalesce(sum(CASE WHEN n.name LIKE '%_per_customer' THEN u.own ELSE u.subtree END), 0), 0)
      FROM usage_counts u WHERE u.i_customer = c.i_customer
        AND u.resource = regexp_replace(n.name, '_per_[a-z]+$', ''))::int AS used
   FROM customers c, unnest($2::text[], $3::bigint[]) WITH ORDINALITY AS n (name, maximum, place)
   WHERE c.i_customer = $1 AND cardinality(c.path) > 1 ORDER BY n.place`,
);
/** Below the actor; held, so that of two changes at once the second records what the first has set. */
const lockStatement = sql(
  'lock_customer_limits',
  `SELECT c.i_wholesaler FROM customers c
   WHERE c.i_customer = $1 AND ${isBelow('c', '$2')} AND c.deleted_at IS NULL FOR NO KEY UPDATE`,
);
const removeStatement = sql(
  'remove_customer_limits',
  'DELETE FROM customer_limits WHERE i_customer = $1 AND name = ANY($2::text[])',
);
const addStatement = sql(
  'add_customer_limits',
  `INSERT INTO customer_limits (i_customer, name, maximum)
   SELECT $1, n.name, n.maximum FROM unnest($2::text[], $3::bigint[]) AS n (name, maximum) WHERE n.maximum IS NOT NULL`,
);

const listLimits = (db: Queryable, i_customer: number, limits: Limits): Promise<LimitRow[]> =>
  db.query<LimitRow>(listStatement, [i_customer, limitNames, limitNames.map((name) => limits[name])]);

async function getCustomerLimits({ db, actor, config }: Call<Database>, params: { i_customer: number }) {
  await assertWithin(db, actor, params.i_customer);
  return { result: 'OK' as const, limits: await listLimits(db, params.i_customer, config.limits) };
}

interface SetParams {
  readonly i_customer: number;
  readonly limits: readonly { readonly name: LimitName; readonly maximum: number | null }[];
}

/** Sets or removes limits of a customer below. Throws fault 403 for more than a customer above or the server allows. */
async function setCustomerLimits(call: Call, { i_customer, limits }: SetParams) {
  const { db, actor, config } = call;
  const [target] = await db.query<{ i_wholesaler: number }>(lockStatement, [i_customer, actor.i_customer]);
  if (!target) throw notFound();
  const [above, before] = await Promise.all([
    listLimits(db, target.i_wholesaler, config.limits),
    listLimits(db, i_customer, config.limits),
  ]);
  for (const { name, maximum } of limits) {
    const most = above.find((row) => row.name === name)?.maximum ?? config.limits[name];
    if (maximum !== null && maximum > most)
      throw forbidden(`Limit ${name} must be at most ${most}, which holds for those above the customer`);
  }
  const names = limits.map(({ name }) => name);
  db.exec(removeStatement, [i_customer, names]);
  db.exec(addStatement, [i_customer, names, limits.map(({ maximum }) => maximum)]);
  const setBefore = (name: LimitName) => before.find((row) => row.name === name)?.set ?? null;
  const changed = limits.filter(({ name, maximum }) => setBefore(name) !== maximum);
  await call.audit({
    action: 'U',
    resource: `customers:i_customer=${i_customer}`,
    i_customer,
    changes: Object.fromEntries(
      changed.map(({ name, maximum }) => [name, [setBefore(name), maximum] as const]),
    ),
  });
  return { result: 'OK' as const };
}

const name = oneOf(limitNames, 'The limit: what is counted, per customer or with everybody below it.');

export const limitMethods = [
  defineMethod({
    name: 'getCustomerLimits',
    summary: 'Returns the limits of the actor or of a customer below it, and how much of each is used.',
    access: 'read',
    right: 'none',
    trusted: 'required',
    params: struct({ i_customer: id('The customer.') }),
    result: struct({
      result: ok,
      limits: list(
        struct({
          name: text(64, 'The limit.'),
          maximum: integer('How many are allowed: the least of what the server, those above and `set` say.'),
          set: nullable(integer('What was set for this customer; nil: nothing.')),
          used: integer('How many there are.'),
        }),
        'The limits; of root there are none.',
      ),
    }),
    faults: ['not_found'],
    run: getCustomerLimits,
  }),
  defineMethod({
    name: 'setCustomerLimits',
    summary: 'Sets limits of a customer below the actor; what is there already stays, also above a limit.',
    access: 'write',
    right: 'customers_mgmt:edit',
    trusted: 'required',
    params: struct({
      i_customer: id('The customer.'),
      limits: list(
        struct({
          name,
          maximum: nullable(
            integer('How many are allowed; nil: as for those above.', { minimum: 0, maximum: maxLimit }),
          ),
        }),
        'The limits to set; others stay.',
        { maxItems: limitNames.length },
      ),
    }),
    result: struct({ result: ok }),
    faults: ['not_found'],
    checkParams: ({ limits }) => {
      if (new Set(limits.map((limit) => limit.name)).size < limits.length)
        throw badParameter('limits', 'must name each limit once');
    },
    run: setCustomerLimits,
  }),
];
