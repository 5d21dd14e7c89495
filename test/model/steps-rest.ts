/** Random calls of the operations, as the two REST faces take them: the members of path, query and body together. */
import fc from 'fast-check';
import { type Arg, type Orders, customer, key, login, name, target, thing } from './symbols';
import type { ThingKind } from './world';

type Fields = Readonly<Record<string, fc.Arbitrary<unknown>>>;
/** Some are always there, others may be. */
const members = (required: Fields, others: Fields = {}): fc.Arbitrary<object> =>
  fc.record({ ...required, ...others }, { requiredKeys: Object.keys(required) });
const nothing = fc.constant({});
const one = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const owned = (of: ThingKind) => fc.record({ $: one('thing' as const), of: one(of), n: fc.nat({ max: 60 }) });
const password = one(
  ...Array<string>(5).fill('correct-horse-1'),
  'Correct-Horse-22',
  'Correct-Horse-23',
  'short',
);
const number = fc.oneof(
  { weight: 12, arbitrary: thing('number') },
  { weight: 1, arbitrary: one('0441483', '+0', '') },
);
const line = one<Arg>(null, 'Łódź & <Sons>', '1');

// ---------------------------------------------------------------- reseller

const user = {
  name: thing('short'),
  password,
  role_id: one(1, 1, 2, 3, 3),
};
const userMore = {
  contact_first_name: one<Arg>(null, 'Ada'),
  contact_last_name: one<Arg>(null, 'Lovelace'),
  email: one<Arg>(null, 'ada@example.com'),
};
const address = {
  street_one: one('1 High Street', '2 Rue Basse'),
  city: one('Rome'),
  country_code: one('IT', 'GB'),
};
const addressMore = { street_two: line, zip: one<Arg>(null, '0123') };

const customerMore = {
  phone: one<Arg>(null, '+44 1483 000000'),
  allow_outbound: fc.boolean(),
  store_front: fc.oneof(
    { weight: 3, arbitrary: one<Arg>(null) },
    {
      weight: 2,
      arbitrary: fc.record({
        $: one("owner's thing" as const),
        of: one('store' as const),
        n: fc.nat({ max: 60 }),
      }),
    },
  ),
  ip_addresses: one<Arg>(
    [],
    [],
    [{ ip_range: '127.0.0.0/8' }],
    [{ ip_range: '10.0.0.0/8' }, { ip_range: '127.0.0.0/8' }],
    [{ ip_range: '10.0.0.0/8' }],
  ),
};
const nested = {
  users: fc.array(members(user, userMore), { minLength: 0, maxLength: 2 }),
  addresses: fc.array(members(address, addressMore), { minLength: 0, maxLength: 1 }),
};
const storeCustomer = members({
  name: thing('name'),
  contact_name: one('Ada'),
  store_front: fc.record({ $: one('thing' as const), of: one('store' as const), n: fc.nat({ max: 60 }) }),
  users: fc.array(members({ ...user, role_id: one(3, 3, 3, 1) }), { minLength: 1, maxLength: 2 }),
  addresses: fc.array(members(address), { minLength: 1, maxLength: 1 }),
});
const newReseller = fc.oneof(
  {
    weight: 3,
    arbitrary: members(
      { name, contact_name: one('Ada', 'Bob') },
      { ...customerMore, ...nested, idempotency_key: key },
    ),
  },
  { weight: 2, arbitrary: storeCustomer },
);
const credit = fc.oneof(
  { weight: 3, arbitrary: one<Arg>('10.000', 0.01, 1, 7.5, '2.125', 3) },
  { weight: 1, arbitrary: one<Arg>('0.009', 0, -1, '1e2', 1.2345, 100_000, '') },
);

const listed = (of: fc.Arbitrary<unknown>): fc.Arbitrary<object> =>
  members(
    {},
    {
      limit: one(1, 2, 50),
      after: fc.oneof({ weight: 3, arbitrary: of }, { weight: 1, arbitrary: one('nonsense') }),
    },
  );

/** List, make, read, replace, delete. */
const paths = (
  path: string,
  weight: number,
  of: fc.Arbitrary<unknown>,
  body: Fields,
  more: Fields = {},
): Orders => ({
  [`GET ${path}`]: [1, fc.oneof({ weight: 2, arbitrary: nothing }, { weight: 1, arbitrary: listed(of) })],
  [`POST ${path}`]: [weight, members(body, { ...more, idempotency_key: key })],
  [`GET ${path}/{uuid}`]: [1, members({ uuid: of })],
  [`PUT ${path}/{uuid}`]: [2, members({ uuid: of, ...body }, more)],
  [`DELETE ${path}/{uuid}`]: [2, members({ uuid: of })],
});

const closing = { close_balance: one(true, true, false) };
const reseller = target;
export const resellerOrders: Orders = {
  'GET /authenticated': [1, nothing],
  'GET /account/balance': [1, nothing],
  'GET /account/reseller': [2, fc.oneof(nothing, listed(customer('direct', 'below')))],
  'POST /account/reseller': [7, newReseller],
  'GET /account/reseller/{uuid}': [2, members({ uuid: customer('below', 'any') })],
  'PUT /account/reseller/{uuid}': [
    9,
    fc.oneof(
      { weight: 5, arbitrary: members({ uuid: reseller, balance: credit }, { idempotency_key: key }) },
      {
        weight: 3,
        arbitrary: members({ uuid: reseller, name, contact_name: one('Ada', 'Bob') }, customerMore),
      },
      {
        weight: 1,
        arbitrary: members({ uuid: reseller, balance: credit }, { name: thing('name'), phone: one('1') }),
      },
      { weight: 1, arbitrary: members({ uuid: reseller }, { name: thing('name') }) },
    ),
  ],
  'DELETE /account/reseller/{uuid}': [3, members({ uuid: reseller }, closing)],
  ...paths(
    '/account/reseller-user',
    4,
    thing('agent'),
    { name: user.name, password: user.password, role_id: user.role_id },
    userMore,
  ),
  ...paths(
    '/account/store',
    4,
    owned('store'),
    { name: thing('short') },
    { domain: fc.oneof(one<Arg>(null), thing('domain')), css: one<Arg>(null, '</style>') },
  ),
  ...paths('/account/reseller-address', 2, owned('address'), address, addressMore),
  ...paths(
    '/voip/user',
    4,
    owned('sip user'),
    { name: thing('short'), password },
    {
      extension: fc.oneof(one<Arg>(null), thing('extension')),
      display_name: line,
      caller_id: one<Arg>(null, '1001'),
    },
  ),
  ...paths('/voip/number', 4, owned('number'), { number }),
  ...paths('/dom/domain', 3, owned('domain'), { name: thing('domain') }),
  ...paths('/voip/domain', 1, owned('domain'), { name: thing('domain') }),
};

// ------------------------------------------------------------------ tenant

const newestPage = fc.oneof(
  { weight: 2, arbitrary: nothing },
  {
    weight: 3,
    arbitrary: members(
      {},
      {
        page_size: one(1, 1, 2, 100),
        page_token: fc.oneof(
          { weight: 5, arbitrary: thing('page') },
          { weight: 1, arbitrary: one('', 'nonsense') },
        ),
      },
    ),
  },
);
const described = { name: one('', 'Sales', '1'), detail: one('', 'first\nsecond') };
const profile = {
  ...described,
  email: one('', 'ada@example.com'),
  phone_number: one('', '+44 1483 000000'),
  address: one('', '1 High Street'),
  permission_ids: fc.array(
    one(...[16, 32, 64], ...[16, 32, 64], ...[16, 32, 64], ...[16, 32, 64], ...[16, 32, 64], 17),
    { maxLength: 3 },
  ),
  webhook_method: one('POST', 'PUT'),
  // Nobody listens there; the server of the model allows the address.
  webhook_uri: one('', '', 'http://127.0.0.1:9/hook'),
};
const flow = fc.oneof({ weight: 1, arbitrary: one<Arg>(null) }, { weight: 3, arbitrary: owned('flow') });
const tags = fc.record({ $: one('things' as const), of: one('tag' as const), n: fc.nat({ max: 60 }) });
const tenant = { id: customer('below', 'direct') };
const permission = one(16, 32, 32, 64, 33, 1, 48);
const agentMore = {
  name: one('', 'Ada'),
  detail: one('', 'somebody'),
  ring_method: one('ringall', 'linear'),
};
const addresses = one<Arg>([], [{ type: 'tel', target: '+441483000000', name: '' }]);

const tenantPaths = (path: string, weight: number, of: ThingKind, body: Fields, more: Fields): Orders => ({
  [`GET /v1.0${path}`]: [2, newestPage],
  [`POST /v1.0${path}`]: [weight, members(body, more)],
  [`GET /v1.0${path}/{id}`]: [1, members({ id: owned(of) })],
  [`PUT /v1.0${path}/{id}`]: [2, members({ id: owned(of) }, more)],
  [`DELETE /v1.0${path}/{id}`]: [1, members({ id: owned(of) })],
});
const agent = { id: thing('agent') };

export const tenantOrders: Orders = {
  'POST /auth/logout': [1, nothing],
  'GET /v1.0/customers': [2, newestPage],
  'POST /v1.0/customers': [4, members({ name: one('', 'Store 1', 'Łódź & Co.') }, profile)],
  'GET /v1.0/customers/{id}': [2, members({ id: customer('below', 'self') })],
  'GET /v1.0/customer': [1, nothing],
  'PUT /v1.0/customers/{id}': [
    4,
    fc.oneof(
      { weight: 9, arbitrary: members({ id: customer('below', 'self') }, profile) },
      { weight: 1, arbitrary: members({ id: customer('below', 'self'), tm_delete: one('') }) },
    ),
  ],
  'PUT /v1.0/customer': [3, members({}, profile)],
  'DELETE /v1.0/customers/{id}': [3, members(tenant, closing)],
  'POST /v1.0/customers/{id}/freeze': [2, members(tenant)],
  'POST /v1.0/customers/{id}/recover': [2, members(tenant)],
  'GET /v1.0/billing_accounts': [1, nothing],
  'GET /v1.0/billing_account': [1, nothing],
  'GET /v1.0/billing_accounts/{id}': [1, members({ id: customer('below', 'self') })],
  'POST /v1.0/billing_accounts/{id}/balance_add_force': [
    2,
    members({ ...tenant, balance: one(0, 12.5, 100, -1) }),
  ],
  'POST /v1.0/billing_accounts/{id}/balance_subtract_force': [
    2,
    members({ ...tenant, balance: one(0, 5, 0.25, -1) }),
  ],
  'GET /v1.0/billings': [2, newestPage],
  'GET /v1.0/billings/{id}': [2, members({ id: thing('entry') })],
  'GET /v1.0/webhook': [1, nothing],
  'POST /v1.0/webhook/ping': [2, nothing],
  'GET /v1.0/webhook_events': [1, nothing],
  'GET /v1.0/webhook_events/{id}': [1, members({ id: thing('entry') })],
  'POST /v1.0/webhook_events/{id}/resend': [1, members({ id: thing('entry') })],
  'GET /v1.0/webhook_deliveries': [1, nothing],
  'GET /v1.0/agents': [2, newestPage],
  'POST /v1.0/agents': [
    6,
    members(
      { username: login },
      { password, permission, status: one('away', 'busy'), tag_ids: tags, addresses, ...agentMore },
    ),
  ],
  'GET /v1.0/agents/{id}': [1, members(agent)],
  'PUT /v1.0/agents/{id}': [2, members(agent, agentMore)],
  'DELETE /v1.0/agents/{id}': [3, members(agent)],
  'PUT /v1.0/agents/{id}/permission': [4, members({ ...agent, permission })],
  'PUT /v1.0/agents/{id}/password': [3, members({ ...agent, password })],
  'PUT /v1.0/agents/{id}/addresses': [1, members({ ...agent, addresses })],
  'PUT /v1.0/agents/{id}/tag_ids': [2, members({ ...agent, tag_ids: tags })],
  'PUT /v1.0/agents/{id}/status': [1, members({ ...agent, status: one('available', 'ringing') })],
  ...tenantPaths('/accesskeys', 3, 'access key', {}, described),
  ...tenantPaths(
    '/numbers',
    3,
    'number',
    { number },
    { ...described, call_flow_id: flow, message_flow_id: flow },
  ),
  ...tenantPaths(
    '/flows',
    3,
    'flow',
    {},
    {
      ...described,
      actions: one<Arg>(
        [],
        [{ type: 'answer' }, { type: 'talk', option: { text: 'Hello', loop: [1, 2.5, null] } }],
      ),
    },
  ),
  ...tenantPaths(
    '/queues',
    3,
    'queue',
    {},
    { ...described, tag_ids: tags, wait_flow_id: flow, wait_timeout: one(0, 1_000) },
  ),
  ...tenantPaths('/tags', 3, 'tag', {}, described),
};

export const loginOrder: Orders = {
  'POST /auth/login': [
    1,
    members({
      username: thing('login'),
      password: fc.record({ $: one('password' as const), of: one('right', 'right', 'once', 'wrong') }),
    }),
  ],
};
