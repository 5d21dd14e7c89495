/**
 * How each operation of the REST faces is called, aimed at a target: one row for every operation.
 * `test/api/rest-refusals.test.ts` asks each of them everything that must be refused.
 */
import { type Relative, runSql } from './family';
import { newNumber, resellerOf, resultOf } from './reseller';
import { type Members, type TestServer, uniqueName } from './server';
import { logIn } from './tenant';

/** What a call is aimed at: a customer below the caller, or something of a customer's; each by its uuid. */
export type Things = Readonly<Record<Kind, string>>;
export type Kind = 'customer' | 'billing' | 'event' | keyof typeof makers;

export interface RestRow {
  /** What the id in the path names. */
  readonly names?: Kind;
  /** What is listed, where a list goes on after one of its objects. */
  readonly lists?: Kind;
  /** The least valid body. */
  readonly body?: () => Members;
  /** Other valid bodies, for what else the operation does to its target. */
  readonly others?: readonly Members[];
  /** Bodies that are valid but for those to whom they refer. */
  readonly refers?: (them: Things) => readonly Members[];
}
type Rows = Readonly<Record<string, RestRow>>;

const password = 'correct-horse-1';
const address = { street_one: '1 High Street', city: 'Guildford', country_code: 'GB' };
const domain = (): Members => ({ name: `${uniqueName('d')}.example` });

/** What a customer can own: where it is made, over which face, from what. */
const makers = {
  store: ['reseller', '/account/store', () => ({ name: uniqueName('store') })],
  user: ['reseller', '/account/reseller-user', () => ({ name: uniqueName('user'), password, role_id: 1 })],
  postal: ['reseller', '/account/reseller-address', () => address],
  sip: ['reseller', '/voip/user', () => ({ name: uniqueName('sip'), password })],
  number: ['reseller', '/voip/number', () => ({ number: newNumber() })],
  domain: ['reseller', '/dom/domain', domain],
  agent: ['tenant', '/agents', () => ({ username: uniqueName('agent') })],
  accesskey: ['tenant', '/accesskeys', () => ({})],
  line: ['tenant', '/numbers', () => ({ number: newNumber() })],
  flow: ['tenant', '/flows', () => ({})],
  queue: ['tenant', '/queues', () => ({})],
  tag: ['tenant', '/tags', () => ({})],
} as const satisfies Record<string, readonly ['reseller' | 'tenant', string, () => Members]>;
type Owned = keyof typeof makers;
const ownedKinds = Object.keys(makers) as Owned[];

// -------------------------------------------------------------------- rows

/** List, make, read, replace, delete, over the reseller face. */
const replaced = (kind: Kind, path: string, body: () => Members, more: Partial<RestRow> = {}): Rows => ({
  [`GET ${path}`]: { lists: kind },
  [`POST ${path}`]: { body },
  [`GET ${path}/{uuid}`]: { names: kind },
  [`PUT ${path}/{uuid}`]: { names: kind, body, ...more },
  [`DELETE ${path}/{uuid}`]: { names: kind },
});
const replacedOwned = (kind: Owned): Rows => replaced(kind, makers[kind][1], makers[kind][2]);

const reseller = (): Members => ({ name: uniqueName('customer'), contact_name: 'Somebody' });
const shopper = ({ store }: Things): Members => ({
  ...reseller(),
  users: [{ name: 'admin', password, role_id: 3 }],
  addresses: [address],
  store_front: store,
});

export const resellerRows: Rows = {
  'GET /authenticated': {},
  'GET /account/balance': {},
  ...replaced('customer', '/account/reseller', reseller, {
    others: [{ balance: 1 }],
    refers: ({ store }) => [{ ...reseller(), store_front: store }],
  }),
  'POST /account/reseller': { body: reseller, refers: (them) => [shopper(them)] },
  ...Object.assign(
    {},
    ...(['store', 'user', 'postal', 'sip', 'number', 'domain'] as const).map(replacedOwned),
  ),
  ...replaced('domain', '/voip/domain', domain),
};

/** List, make, read, change, delete, over the tenant face. */
const changed = (
  kind: Owned,
  body: () => Members = () => ({ name: 'changed' }),
  refers?: RestRow['refers'],
): Rows => {
  const [, path, made] = makers[kind];
  const whole = (them: Things): Members[] =>
    (refers?.(them) ?? []).map((reference) => ({ ...made(), ...reference }));
  return {
    [`GET ${path}`]: {},
    [`POST ${path}`]: { body: made, ...(refers && { refers: whole }) },
    [`GET ${path}/{id}`]: { names: kind },
    [`PUT ${path}/{id}`]: { names: kind, body, ...(refers && { refers }) },
    [`DELETE ${path}/{id}`]: { names: kind },
  };
};
const customer: RestRow = { names: 'customer' };
const agent = (body: Members): RestRow => ({ names: 'agent', body: () => body });
const profile = (): Members => ({ detail: 'changed' });
const amount = (): Members => ({ balance: 1 });

export const tenantRows: Rows = {
  'GET /customers': {},
  'POST /customers': { body: () => ({ name: 'Somebody' }) },
  'GET /customer': {},
  'PUT /customer': { body: profile },
  'GET /customers/{id}': customer,
  'PUT /customers/{id}': { ...customer, body: profile },
  'DELETE /customers/{id}': customer,
  'POST /customers/{id}/freeze': customer,
  'POST /customers/{id}/recover': customer,
  ...changed('agent'),
  'POST /agents': { body: makers.agent[2], refers: ({ tag }) => [{ ...makers.agent[2](), tag_ids: [tag] }] },
  'PUT /agents/{id}/permission': agent({ permission: 16 }),
  'PUT /agents/{id}/password': agent({ password: 'taken-over-1' }),
  'PUT /agents/{id}/status': agent({ status: 'away' }),
  'PUT /agents/{id}/addresses': agent({ addresses: [] }),
  'PUT /agents/{id}/tag_ids': { ...agent({ tag_ids: [] }), refers: ({ tag }) => [{ tag_ids: [tag] }] },
  ...changed('accesskey'),
  ...changed('line', undefined, ({ flow }) => [{ call_flow_id: flow }, { message_flow_id: flow }]),
  ...changed('flow'),
  ...changed('queue', undefined, ({ flow, tag }) => [{ wait_flow_id: flow }, { tag_ids: [tag] }]),
  ...changed('tag'),
  'GET /billing_accounts': {},
  'GET /billing_account': {},
  'GET /billing_accounts/{id}': customer,
  'POST /billing_accounts/{id}/balance_add_force': { ...customer, body: amount },
  'POST /billing_accounts/{id}/balance_subtract_force': { ...customer, body: amount },
  'GET /billings': {},
  'GET /billings/{id}': { names: 'billing' },
  'GET /webhook': {},
  'POST /webhook/ping': {},
  'GET /webhook_events': {},
  'GET /webhook_events/{id}': { names: 'event' },
  'POST /webhook_events/{id}/resend': { names: 'event' },
  'GET /webhook_deliveries': {},
};

// ------------------------------------------------------------------ things

type MakeOwned = (kind: Owned) => Promise<string>;

/** Makes things of a customer, as itself. */
async function makerOf(server: TestServer, owner: Relative) {
  const api = resellerOf(server, owner);
  const tenant = await logIn(server, owner.name, password);
  const make: MakeOwned = async (kind) => {
    const [face, path, body] = makers[kind];
    if (face === 'tenant') return String((await tenant.ok('POST', path, body()))['id']);
    return String((await resultOf(api('POST', path, body())))['uuid']);
  };
  const remove = async (kind: Owned, uuid: string): Promise<void> => {
    const [face, path] = makers[kind];
    if (face === 'tenant') await tenant.ok('DELETE', `${path}/${uuid}`);
    else await resultOf(api('DELETE', `${path}/${uuid}`));
  };
  return { make, remove, tenant };
}

const ofEach = async (make: MakeOwned): Promise<Record<Owned, string>> => {
  const made: Partial<Record<Owned, string>> = {};
  for (const kind of ownedKinds) made[kind] = await make(kind);
  return made as Record<Owned, string>;
};

export async function uuidOf(server: TestServer, { i_customer }: { i_customer: number }): Promise<string> {
  const text = 'SELECT uuid FROM customers WHERE i_customer = $1';
  const [row] = await runSql<{ uuid: string }>(server, text, i_customer);
  if (!row) throw new Error('There is no such customer');
  return row.uuid;
}

/** Gives a customer one of everything; `customer` is itself. */
export async function furnish(server: TestServer, owner: Relative): Promise<Things> {
  const { make, tenant } = await makerOf(server, owner);
  const [billing] = (await tenant.ok('GET', '/billings'))['result'] as { id: string }[];
  return {
    ...(await ofEach(make)),
    customer: await uuidOf(server, owner),
    billing: billing?.id ?? '',
    event: await makeDeadLetter(server, owner),
  };
}

/** A dead letter in a queue that a server has claimed for ever, so that nothing is sent. */
export async function makeDeadLetter(
  server: TestServer,
  { i_customer }: { readonly i_customer: number },
): Promise<string> {
  const [row] = await runSql<{ uuid: string }>(
    server,
    `WITH hook AS (
       INSERT INTO webhook_queues (i_customer, i_family, state, ready_at, dead, dead_bytes)
       VALUES ($1, $1, 'claimed', 'infinity', 1, 2)
       RETURNING i_customer)
     INSERT INTO webhook_events (i_customer, type, subject, bytes, state)
     SELECT i_customer, 'ping', '{}', 2, 'dead' FROM hook RETURNING uuid`,
    i_customer,
  );
  return row?.uuid ?? '';
}

/** What it had of everything, and has no more. */
export async function deletedThings(server: TestServer, owner: Relative): Promise<Record<Owned, string>> {
  const { make, remove } = await makerOf(server, owner);
  const made = await ofEach(make);
  for (const kind of ownedKinds) await remove(kind, made[kind]);
  return made;
}

/** One more of a kind. */
export const makeOne = async (server: TestServer, owner: Relative, kind: Owned): Promise<string> =>
  (await makerOf(server, owner)).make(kind);

export const isOwned = (kind: Kind): kind is Owned => ownedKinds.some((owned) => owned === kind);

/** The same uuid of every kind. */
export const allThings = (uuid: string): Things => ({
  ...(Object.fromEntries(ownedKinds.map((kind) => [kind, uuid])) as Record<Owned, string>),
  customer: uuid,
  billing: uuid,
  event: uuid,
});
