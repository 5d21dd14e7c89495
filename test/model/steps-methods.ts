/** Random calls of the methods, as XML-RPC and JSON take them. */
import fc from 'fast-check';
import {
  type Args,
  type Orders,
  amount,
  bit,
  customer,
  few,
  key,
  login,
  mask,
  name,
  page,
  password,
  target,
  thing,
} from './symbols';
import { masks, switches } from './world';

const rights = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ held: { $: 'all that is held' as const } }) },
  {
    weight: 2,
    arbitrary: fc.record(
      {
        ...Object.fromEntries(masks.map((name) => [name, mask])),
        ...Object.fromEntries(switches.map((name) => [name, name.endsWith('_enabled') ? fc.boolean() : bit])),
      },
      { requiredKeys: [] },
    ),
  },
  { weight: 1, arbitrary: fc.constant({}) },
);

const details = fc.record(
  {
    balance: fc.oneof(
      amount,
      amount.map((value) => -value),
    ),
    credit_limit: amount,
    max_depth: fc.constantFrom(null, 0, 1, 2, 3),
    i_routing_group: fc.oneof(fc.constant(null), thing('group')),
    i_password_policy: fc.constantFrom(null, 1, 2, 9),
    i_time_zone: fc.constantFrom(null, 1, 370, 99_999),
    i_lang: fc.constantFrom(null, 'en', 'ar', 'xx'),
    i_export_type: fc.constantFrom(1, 2, 3),
    payment_method: fc.constantFrom(null, 1, 7, 77),
    min_payment_amount: fc.oneof(fc.constant(null), amount),
    api_access: bit,
    api_password: fc.constantFrom(null, 'api-password-1', 'api-password-2'),
    i_commission_agent: fc.oneof(fc.constant(null), customer('below', 'self', 'any')),
    commission_size: fc.constantFrom(null, 0, 12.5),
    overcommit_protection: fc.boolean(),
    overcommit_limit: fc.constantFrom(null, 0, 10, 12.5),
    dns_alias: fc.nat({ max: 3 }).map((place) => ({ $: 'name' as const, n: -1 - place })),
    city: fc.constantFrom(null, 'Rome', 'Łódź & <Sons>'),
    company_name: fc.constantFrom(null, '', 'Shown & Co.'),
    email: fc.constantFrom(null, 'ada@example.com, bob@example.com'),
    contact: fc.constantFrom(null, 'Ada'),
    phone: fc.constantFrom(null, '+44 1483 000000'),
    description: fc.constantFrom(null, 'first\nsecond', '=1+1'),
    max_sessions: fc.constantFrom(null, 0, 5),
    max_calls_per_second: fc.constantFrom(null, 0.5),
    conferencing_enabled: fc.boolean(),
    payment_currency: fc.constantFrom(null, 'EUR'),
    css: fc.constantFrom(null, '</style>]]>'),
  },
  { requiredKeys: [] },
);

const tariff = fc.oneof(
  { weight: 2, arbitrary: fc.constant(null) },
  { weight: 2, arbitrary: thing('tariff') },
);

const creation = fc
  .tuple(
    fc.record({ name, web_password: password, i_tariff: tariff }),
    rights,
    few(details, 4),
    fc.record({ web_login: login }, { requiredKeys: [] }),
    fc.constantFrom(
      {},
      { api_access: 1, api_password: 'api-password-1' },
      { api_access: 1, api_password: 'api-password-1' },
    ),
  )
  .map(([required, given, more, login, access]) => ({ ...required, ...given, ...more, ...login, ...access }));

const change = fc
  .tuple(
    target,
    few(details, 3),
    few(rights, 2),
    few(fc.record({ name, web_login: login, web_password: password, i_tariff: tariff }), 1),
  )
  .map(([i_customer, ...more]) => Object.assign({ i_customer }, ...more) as Args);

const funds = fc.record(
  {
    i_customer: target,
    amount,
    currency: fc.oneof(
      { weight: 6, arbitrary: fc.constant({ $: 'own currency' as const }) },
      { weight: 1, arbitrary: fc.constant('JPY') },
    ),
    payment_notes: fc.constantFrom('cash', 'a\tb'),
    payment_time: fc.constant('2009-11-18T09:57:29Z'),
    idempotency_key: key,
  },
  { requiredKeys: ['i_customer', 'amount', 'currency'] },
);

const product = fc.constantFrom('number', 'number', 'sip_user', 'sip_user', 'domain');
const price = fc.constantFrom(0, 0.01, 0.333333, 1, 1.5, 2.75, 7, -1);
const currency = fc.constantFrom('USD', 'USD', 'EUR', 'JPY');

const oneLimit = fc
  .record({
    name: fc.constantFrom(
      ...['tags_per_customer', 'flows_per_subtree', 'numbers_per_customer', 'numbers_per_subtree'],
      ...['sip_users_per_subtree', 'stores_per_customer', 'queues_per_customer', 'access_keys_per_subtree'],
    ),
    maximum: fc.constantFrom(null, 0, 1, 1, 2, 2, 3, 4, 20_000_000),
  })
  .map((limit) => [limit]);

const userFields = {
  web_login: login,
  web_password: password,
  i_access_level: fc.constantFrom('REPORTER', 'NOC', 'ADMINISTRATOR', 'ADMINISTRATOR', 'CALL_SHOP_OPERATOR'),
  name: fc.constantFrom(null, 'Ada'),
  description: fc.constantFrom(null, 'somebody'),
  email: fc.constantFrom(null, 'ada@example.com'),
};
const oneUser = fc.record({ i_web_user: thing('user') });
const oneCustomer = fc.record({ i_customer: target });
const tariffFields = { name: thing('name'), currency: fc.constantFrom('USD', 'EUR') };
const groupName = fc.record({ name: thing('name') });
const oneGroup = { i_routing_group: thing('group') };

/** Of a method the first member is required. */
export const methodOrders: Orders = {
  createCustomer: [14, creation],
  getCustomerInfo: [
    5,
    fc.oneof(fc.record({ i_customer: customer('below', 'any') }), fc.record({ name: thing('login') })),
  ],
  updateCustomer: [14, change],
  deleteCustomer: [3, oneCustomer],
  blockCustomer: [2, oneCustomer],
  unblockCustomer: [2, oneCustomer],
  getCustomerLimits: [2, fc.record({ i_customer: customer('below') })],
  setCustomerLimits: [3, fc.record({ i_customer: target, limits: oneLimit })],
  listCustomers: [
    3,
    fc.record(
      { ...page, after: customer('below'), with_total: bit, name_pattern: fc.constant('nobody%') },
      { requiredKeys: [] },
    ),
  ],
  customerAddFunds: [5, funds],
  customerCredit: [3, funds],
  customerDebit: [4, funds],
  transferFunds: [
    5,
    fc.record(
      { i_customer: target, amount, idempotency_key: key },
      { requiredKeys: ['i_customer', 'amount'] },
    ),
  ],
  reversePayment: [
    4,
    fc.record({ i_payment: thing('payment'), idempotency_key: key }, { requiredKeys: ['i_payment'] }),
  ],
  getPaymentsList: [
    2,
    fc.record(
      { i_customer: customer('below', 'any'), ...page, type: fc.constantFrom('credit', 'debit') },
      { requiredKeys: ['i_customer'] },
    ),
  ],
  getPaymentInfo: [2, fc.record({ i_payment: thing('payment') })],
  getStatement: [2, fc.record({ i_customer: customer('below', 'any') })],
  setPrice: [5, fc.record({ product, amount: price, currency }, { requiredKeys: ['product', 'amount'] })],
  deletePrice: [2, fc.record({ product, currency }, { requiredKeys: ['product'] })],
  listPrices: [1, fc.constant({})],
  authCustomer: [
    4,
    fc.record({
      username: thing('login'),
      password: fc.record({
        $: fc.constant('password' as const),
        of: fc.constantFrom('right', 'right', 'once', 'wrong'),
      }),
    }),
  ],
  resetCustomerOneTimePassword: [2, fc.record({ web_login: thing('login') })],
  createWebUser: [
    4,
    fc.record({ ...userFields, i_customer: target }, { requiredKeys: ['web_login', 'web_password'] }),
  ],
  updateWebUser: [
    3,
    fc.tuple(oneUser, few(fc.record(userFields), 2)).map(([user, more]) => ({ ...user, ...more })),
  ],
  deleteWebUser: [1, oneUser],
  blockWebUser: [2, oneUser],
  unblockWebUser: [1, oneUser],
  getWebUserInfo: [1, oneUser],
  listWebUsers: [2, fc.record({ i_customer: customer('below', 'any') }, { requiredKeys: [] })],
  createTariff: [4, fc.record(tariffFields)],
  updateTariff: [
    2,
    fc.record({ i_tariff: thing('tariff'), ...tariffFields }, { requiredKeys: ['i_tariff'] }),
  ],
  deleteTariff: [2, fc.record({ i_tariff: thing('tariff') })],
  getTariffInfo: [1, fc.record({ i_tariff: thing('tariff') })],
  listTariffs: [1, fc.record(page, { requiredKeys: [] })],
  getDictionary: [1, fc.record({ name: fc.constantFrom('languages', 'access_levels') })],
  getAuditLogs: [1, fc.record({ i_customer: customer('below', 'any') }, { requiredKeys: [] })],
  createRoutingGroup: [3, groupName],
  updateRoutingGroup: [3, fc.record({ ...oneGroup, name: thing('name') })],
  deleteRoutingGroup: [2, fc.record(oneGroup)],
  listRoutingGroups: [1, fc.constant({})],
  addTrustedHost: [3, fc.record({ address: thing('host') })],
  removeTrustedHost: [3, fc.record({ i_trusted_host: thing('host') })],
  listTrustedHosts: [1, fc.constant({})],
  noSuchMethod: [1, fc.constant({})],
};
