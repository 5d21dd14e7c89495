/**
 * How each method is called, aimed at a target: one row for every method that acts for a customer.
 * `test/api/refusals.test.ts` asks each of them everything that must be refused.
 */
import { type Target, nobody } from './family';
import { type Members, newCustomer, uniqueName } from './server';

export interface Row {
  /** The least valid parameters of a call that is aimed at the target. */
  readonly params: (target: Target) => Members;
  /** Whom it may be aimed at: those below, also the actor itself, also who was deleted; or nobody in particular. */
  readonly at: readonly ('others' | 'itself' | 'deleted')[];
}

const aimed = (params: Row['params']): Row => ({ params, at: ['others'] });
const alsoAtItself = (params: Row['params']): Row => ({ params, at: ['others', 'itself'] });
/** The books and the records of a deleted customer stay readable for those above. */
const alsoAtDeleted = (params: Row['params']): Row => ({ params, at: ['others', 'itself', 'deleted'] });
const aimedAtItself = (params: Row['params']): Row => ({ params, at: ['itself'] });
const aimless = (params: () => Members): Row => ({ params, at: [] });

const customer = ({ i_customer }: Target): Members => ({ i_customer });
const payment = ({ i_payment }: Target): Members => ({ i_payment });
const user = ({ i_web_user }: Target): Members => ({ i_web_user });
const newUser = (): Members => ({ web_login: uniqueName('user'), web_password: 'correct-horse-1' });
const tariff = ({ i_tariff }: Target): Members => ({ i_tariff });
const funds = ({ i_customer }: Target): Members => ({ i_customer, amount: 1, currency: 'USD' });

export const rows: Readonly<Record<string, Row>> = {
  createCustomer: aimless(() => newCustomer({ i_tariff: null })),
  getCustomerInfo: alsoAtItself(customer),
  updateCustomer: aimed((target) => ({ ...customer(target), description: 'changed' })),
  deleteCustomer: aimed(customer),
  blockCustomer: aimed(customer),
  unblockCustomer: aimed(customer),
  listCustomers: aimless(() => ({})),
  getCustomerLimits: alsoAtItself(customer),
  setCustomerLimits: aimed((target) => ({
    ...customer(target),
    limits: [{ name: 'tags_per_customer', maximum: 5 }],
  })),
  authCustomer: aimless(() => ({ username: nobody.name, password: 'wrong-password' })),
  resetCustomerOneTimePassword: alsoAtItself(({ name }) => ({ web_login: name })),
  customerAddFunds: aimed(funds),
  customerCredit: aimed(funds),
  customerDebit: aimed(funds),
  transferFunds: aimed((target) => ({ ...customer(target), amount: 1 })),
  reversePayment: aimed(payment),
  getPaymentsList: alsoAtDeleted(customer),
  getPaymentInfo: alsoAtDeleted(payment),
  getStatement: alsoAtDeleted(customer),
  createWebUser: alsoAtItself((target) => ({ ...customer(target), ...newUser() })),
  updateWebUser: alsoAtItself((target) => ({ ...user(target), description: 'changed' })),
  deleteWebUser: alsoAtItself(user),
  blockWebUser: alsoAtItself(user),
  unblockWebUser: alsoAtItself(user),
  getWebUserInfo: alsoAtItself(user),
  listWebUsers: alsoAtItself(customer),
  createTariff: aimless(() => ({ name: uniqueName('tariff'), currency: 'USD' })),
  updateTariff: aimedAtItself((target) => ({ ...tariff(target), name: 'changed' })),
  deleteTariff: aimedAtItself(tariff),
  getTariffInfo: aimedAtItself(tariff),
  listTariffs: aimless(() => ({})),
  setPrice: aimless(() => ({ product: 'number', amount: 0 })),
  deletePrice: aimless(() => ({ product: 'number' })),
  listPrices: aimless(() => ({})),
  getDictionary: aimless(() => ({ name: 'languages' })),
  getAuditLogs: alsoAtDeleted(customer),
  createRoutingGroup: aimless(() => ({ name: uniqueName('group') })),
  updateRoutingGroup: aimless(() => ({ i_routing_group: 1, name: 'changed' })),
  deleteRoutingGroup: aimless(() => ({ i_routing_group: 1 })),
  listRoutingGroups: aimless(() => ({})),
  addTrustedHost: aimless(() => ({ address: '192.0.2.1' })),
  removeTrustedHost: aimless(() => ({ i_trusted_host: 1 })),
  listTrustedHosts: aimless(() => ({})),
};
