/**
 * What each call that writes must record: one row for every such method, with a call that succeeds.
 * `test/api/audit.test.ts` makes the calls and compares.
 */
import { makeRelative, makeTariff } from './family';
import { type Member, type Members, type TestServer, newCustomer, uniqueName } from './server';

/** A valid call and the record that it must leave. */
export interface Recorded {
  readonly params: Members;
  readonly action: string;
  /** `$` stands for the id that the answer has. */
  readonly resource: string;
  readonly changes: Members;
  /** Whose affair it is; absent: the id that the answer has. */
  readonly i_customer?: number;
}
type Rows = Readonly<Record<string, () => Promise<Recorded>>>;

const changed = ['changed', 'changed'];
const set = (value: unknown): unknown[] => [null, value];

/** The calls of a reseller. `secret` makes a password that must be found nowhere afterwards. */
export function recordedCalls(server: TestServer, reseller: Member, secret: () => string): Rows {
  const { i_customer: own, as } = reseller;
  const onCustomer = async (
    action: string,
    changes: Members = {},
    given: Members = {},
  ): Promise<Recorded> => {
    const { i_customer } = await makeRelative(server, reseller);
    const resource = `customers:i_customer=${i_customer}`;
    return { params: { i_customer, ...given }, action, resource, changes, i_customer };
  };
  const onFunds = async (word: string, given: Members = { currency: 'USD' }): Promise<Recorded> => {
    const { i_customer } = await makeRelative(server, reseller);
    const resource = `${word}:i_customer=${i_customer}:amount=50.12 USD`;
    const params = { i_customer, amount: 50.12, ...given };
    return { params, action: 'FUNDS', resource, changes: {}, i_customer };
  };
  const onUser = async (action: string, changes: Members = {}, given: Members = {}): Promise<Recorded> => {
    const user = { web_login: uniqueName('user'), web_password: 'correct-horse-1' };
    const i_web_user = Number((await as.call('createWebUser', user))['i_web_user']);
    const resource = `web_users:i_web_user=${i_web_user}`;
    return { params: { i_web_user, ...given }, action, resource, changes, i_customer: own };
  };
  const onTariff = async (action: string, changes: Members = {}, given: Members = {}): Promise<Recorded> => {
    const i_tariff = await makeTariff(server, reseller);
    const resource = `tariffs:i_tariff=${i_tariff}`;
    return { params: { i_tariff, ...given }, action, resource, changes, i_customer: own };
  };
  const onPrice = (action: string, amount: unknown[], given: Members = {}): Promise<Recorded> =>
    Promise.resolve({
      params: { product: action === 'D' ? 'number' : 'domain', currency: 'USD', ...given },
      action,
      resource: `prices:product=${action === 'D' ? 'number' : 'domain'}:currency=USD`,
      changes: { amount },
      i_customer: own,
    });
  /** The row, after one more call on the same thing. */
  const after = async (method: string, row: Promise<Recorded>): Promise<Recorded> => {
    await as.call(method, (await row).params);
    return row;
  };
  const made = (
    resource: string,
    params: Members,
    changes: Members,
    i_customer?: number,
  ): Promise<Recorded> =>
    Promise.resolve({
      params,
      action: 'A',
      resource,
      changes,
      ...(i_customer !== undefined && { i_customer }),
    });

  return {
    createCustomer: () => {
      const name = uniqueName();
      const passwords = { web_password: secret(), api_password: secret() };
      const params = newCustomer({ name, i_tariff: null, balance: 5, ...passwords });
      const names = { name: set(name), web_login: set(name), balance: set('5') };
      return made('customers:i_customer=$', params, {
        ...names,
        web_password: changed,
        api_password: changed,
      });
    },
    updateCustomer: () => {
      const changes = { balance: ['10', '7.5'], city: set('Rome'), callshop_enabled: [false, true] };
      const given = { balance: 7.5, city: 'Rome', callshop_enabled: true, credit_limit: 0, state: null };
      const passwords = { web_password: secret(), api_password: secret() };
      const hidden = { web_password: changed, api_password: changed };
      return onCustomer('U', { ...changes, ...hidden }, { ...given, ...passwords });
    },
    deleteCustomer: () => onCustomer('D'),
    blockCustomer: () => onCustomer('U', { blocked: [false, true] }),
    setCustomerLimits: () => {
      const limits = [{ name: 'tags_per_customer', maximum: 5 }];
      return onCustomer('U', { tags_per_customer: set(5) }, { limits });
    },
    unblockCustomer: () => after('blockCustomer', onCustomer('U', { blocked: [true, false] })),
    resetCustomerOneTimePassword: () => {
      const resource = `customer:username=${reseller.name}`;
      const params = { web_login: reseller.name };
      return Promise.resolve({ params, action: 'OTP_RST', resource, changes: {}, i_customer: own });
    },
    customerAddFunds: () => onFunds('add'),
    customerCredit: () => onFunds('credit'),
    customerDebit: () => onFunds('debit'),
    transferFunds: async () => {
      // What the reseller was granted is charged to its owner, too.
      const { customer } = await server.root.call('getCustomerInfo', { i_customer: own });
      const { i_wholesaler } = customer as { i_wholesaler: number };
      for (const i_customer of [own, i_wholesaler])
        await server.root.call('customerAddFunds', { i_customer, amount: 100, currency: 'USD' });
      return onFunds('transfer', {});
    },
    reversePayment: async () => {
      const row = await onFunds('reversal');
      const { i_payment } = await as.call('customerDebit', row.params);
      return { ...row, params: { i_payment } };
    },
    setPrice: () => onPrice('U', [null, '2.5'], { amount: 2.5 }),
    deletePrice: async () => {
      await as.call('setPrice', { product: 'number', currency: 'USD', amount: 3 });
      return onPrice('D', ['3', null]);
    },
    createWebUser: () => {
      const open = { web_login: uniqueName('user'), i_access_level: 'NOC' };
      const changes = { web_login: set(open.web_login), i_access_level: set('NOC'), web_password: changed };
      return made('web_users:i_web_user=$', { ...open, web_password: secret() }, changes, own);
    },
    updateWebUser: () => {
      const given = { name: 'Ada', i_access_level: 'ADMINISTRATOR', web_password: secret() };
      return onUser('U', { name: set('Ada'), web_password: changed }, given);
    },
    deleteWebUser: () => onUser('D'),
    blockWebUser: () => onUser('U', { blocked: [false, true] }),
    unblockWebUser: () => after('blockWebUser', onUser('U', { blocked: [true, false] })),
    createTariff: () => {
      const params = { name: uniqueName('tariff'), currency: 'EUR' };
      return made('tariffs:i_tariff=$', params, { name: set(params.name), currency: set('EUR') }, own);
    },
    updateTariff: () => {
      const name = uniqueName('tariff');
      return onTariff('U', { name: [expect.any(String), name] }, { name });
    },
    deleteTariff: () => onTariff('D'),
    ...rootsCalls(server, made),
  };
}

/** What only root may call. */
function rootsCalls(
  server: TestServer,
  made: (resource: string, params: Members, changes: Members, i_customer: number) => Promise<Recorded>,
): Rows {
  const onGroup = async (action: string, changes: Members = {}, given: Members = {}): Promise<Recorded> => {
    const { i_routing_group } = await server.root.call('createRoutingGroup', { name: uniqueName('group') });
    const resource = `routing_groups:i_routing_group=${i_routing_group}`;
    return { params: { i_routing_group, ...given }, action, resource, changes, i_customer: 1 };
  };
  return {
    createRoutingGroup: () => {
      const name = uniqueName('group');
      return made('routing_groups:i_routing_group=$', { name }, { name: set(name) }, 1);
    },
    updateRoutingGroup: () => {
      const name = uniqueName('group');
      return onGroup('U', { name: [expect.any(String), name] }, { name });
    },
    deleteRoutingGroup: () => onGroup('D'),
    addTrustedHost: () => made('trusted_hosts:address=192.0.2.1/32', { address: '192.0.2.1' }, {}, 1),
    removeTrustedHost: async () => {
      const { i_trusted_host } = await server.root.call('addTrustedHost', { address: '192.0.2.2' });
      const resource = 'trusted_hosts:address=192.0.2.2/32';
      return { params: { i_trusted_host }, action: 'D', resource, changes: {}, i_customer: 1 };
    },
  };
}
