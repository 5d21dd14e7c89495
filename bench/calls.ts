/**
 * What is asked in each measurement, of Treeline and of its peers. The n-th request is about the same customer on
 * all sides, and names a text that the right answer holds: a fault is HTTP 200 too.
 */
import { type Member, allMembers, webPassword } from './members';

export type CallName =
  | 'info'
  | 'info_json'
  | 'list'
  | 'list_after'
  | 'list_offset'
  | 'list_pattern'
  | 'list_total'
  | 'add_funds'
  | 'create'
  | 'create_unhashed'
  | 'update'
  | 'auth'
  | 'multicall'
  | 'transfer'
  | 'create_least'
  | RestCall
  | TenantCall;

/** Of the reseller API. */
export type RestCall = 'rest_info' | 'rest_create' | 'rest_transfer';
/** Of the tenant API. */
export type TenantCall = 'tenant_info' | 'tenant_list';
const isRest = (call: CallName): call is RestCall => call.startsWith('rest_');
const isTenant = (call: CallName): call is TenantCall => call.startsWith('tenant_');

/** Which customers there are: `count` of them below one wholesaler, with ids in one run. */
export interface Population {
  readonly first_i_customer: number;
  readonly count: number;
  readonly i_tariff: number;
}

export interface Asked {
  readonly http_method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly body: string;
  /** Stands in the right answer and in no other. */
  readonly expected: string;
}

export interface Series {
  /** `get`: the call and the id in the path, for peers that parse no body; `rest`: the reseller API; `tenant`: the tenant API. */
  readonly form: 'xmlrpc' | 'get' | 'rest' | 'tenant';
  readonly path: string;
  readonly call: CallName;
  readonly population: Population;
  /** Over how many of the customers the requests are spread. */
  readonly spread: number;
  /** Different in every series, for names that must be new. */
  readonly tag: string;
  /** For those whose answers are not of these customers. */
  readonly expected?: string;
}

export const xmlrpcPath = '/xmlapi/xmlapi';
export const listLimit = 50;
export const membersOfMulticall = 100;
export const farOffset = 150_000;

/** Of the customer with this place in the population, counted from 0. */
export const customerName = (index: number): string => `customer-${String(index + 1).padStart(6, '0')}`;

/** A prime, so that every customer has its turn before the first has its second. */
const stride = 7_919;

/** The n-th request of a series. */
export function askedOf(series: Series, n: number): Asked {
  const { form, path, call, population, spread, tag } = series;
  const index = (n * stride) % spread;
  const expected = series.expected ?? expectedOf(call, index, spread);
  if (isRest(call)) return restAsked(call, population.first_i_customer + index, index, `${tag}-${n}`);
  if (isTenant(call)) return tenantAsked(call, population.first_i_customer + index);
  if (form === 'get') {
    const i_customer = population.first_i_customer + index;
    return { http_method: 'GET', path: `${path}${call}/${i_customer}`, body: '', expected };
  }
  return {
    http_method: 'POST',
    path,
    body: bodyOf(call, population, index, spread, `${tag}-${n}`),
    expected,
  };
}

/** The uuid that a customer of the population is given. */
const uuidOf = (i_customer: number): string =>
  `00000000-0000-4000-8000-${i_customer.toString(16).padStart(12, '0')}`;

function tenantAsked(call: TenantCall, i_customer: number): Asked {
  const id = uuidOf(i_customer);
  return call === 'tenant_info'
    ? { http_method: 'GET', path: `/v1.0/customers/${id}`, body: '', expected: `"id":"${id}"` }
    : { http_method: 'GET', path: '/v1.0/customers?page_size=50', body: '', expected: '"next_page_token":"' };
}

function restAsked(call: RestCall, i_customer: number, index: number, newName: string): Asked {
  const path = `/account/reseller/${uuidOf(i_customer)}`;
  const expected = '"status_code":200';
  switch (call) {
    case 'rest_info':
      return { http_method: 'GET', path, body: '', expected: `"name":"${customerName(index)}"` };
    case 'rest_transfer':
      return { http_method: 'PUT', path, body: '{"balance":"0.01"}', expected };
    case 'rest_create': {
      // Over XML-RPC nobody is made without a password, and hashing one is most of the work: so here neither.
      const users = [{ name: 'office', password: webPassword, role_id: 1 }];
      const body = JSON.stringify({ name: newName, contact_name: 'Margarethe Lindqvist', users });
      return { http_method: 'POST', path: '/account/reseller', body, expected };
    }
  }
}

function expectedOf(call: CallName, index: number, spread: number): string {
  switch (call) {
    case 'info':
    case 'info_json':
    case 'list_pattern':
      return `>${customerName(index)}<`;
    case 'multicall':
      return `>${customerName((index + membersOfMulticall - 1) % spread)}<`;
    case 'list':
      return `>${customerName(listLimit - 1)}<`;
    case 'list_total':
      return '<name>total</name>';
    case 'list_after':
      return `>${customerName(index + listLimit)}<`;
    case 'list_offset':
      return `>${customerName(farOffset + listLimit - 1)}<`;
    case 'add_funds':
    case 'transfer':
      return '<name>i_payment</name>';
    case 'auth':
      return '<name>i_web_user</name>';
    case 'create':
    case 'create_unhashed':
    case 'create_least':
      return '<name>i_customer</name>';
    case 'rest_info':
    case 'rest_create':
    case 'rest_transfer':
    case 'tenant_info':
    case 'tenant_list':
      return '';
    case 'update':
      return '<string>OK</string>';
  }
}

function bodyOf(
  call: Exclude<CallName, RestCall | TenantCall>,
  population: Population,
  index: number,
  spread: number,
  newName: string,
): string {
  const i_customer = population.first_i_customer + index;
  const limit = listLimit;
  switch (call) {
    case 'info':
    case 'info_json':
      return methodCall('getCustomerInfo', { i_customer });
    case 'list':
      return methodCall('listCustomers', { limit });
    case 'list_after':
      return methodCall('listCustomers', { limit, after: i_customer });
    case 'list_offset':
      return methodCall('listCustomers', { limit, offset: farOffset });
    case 'list_pattern':
      return methodCall('listCustomers', { limit, name_pattern: `%${customerName(index).slice(-6)}%` });
    case 'list_total':
      return methodCall('listCustomers', { limit, with_total: 1 });
    case 'add_funds':
      return methodCall('customerAddFunds', { i_customer, amount: 0.01, currency: 'USD' });
    case 'create':
      return methodCall('createCustomer', newMembers(newName, population));
    case 'create_unhashed':
      throw new Error('Nobody makes a customer without a password over the wire');
    case 'transfer':
      return methodCall('transferFunds', { i_customer, amount: 0.01 });
    case 'create_least': {
      const { i_tariff } = population;
      return methodCall('createCustomer', { name: newName, web_password: webPassword, i_tariff });
    }
    case 'update':
      return methodCall('updateCustomer', { i_customer, company_name: `Northern Voice ${newName}` });
    case 'auth':
      return methodCall('authCustomer', { username: customerName(index), password: webPassword });
    case 'multicall':
      return multicall(population, index, spread);
  }
}

/** All members of a new customer. */
export const newMembers = (name: string, population: Population): Record<string, Member> =>
  allMembers(name, { i_tariff: population.i_tariff, i_commission_agent: population.first_i_customer });

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

function valueOf(value: Member): string {
  if (typeof value === 'string') return `<string>${escaped(value)}</string>`;
  if (typeof value === 'boolean') return `<boolean>${value ? 1 : 0}</boolean>`;
  return Number.isInteger(value) ? `<int>${value}</int>` : `<double>${value}</double>`;
}

const structOf = (members: Readonly<Record<string, string>>): string =>
  `<struct>\n${Object.entries(members)
    .map(([name, value]) => `<member>\n<name>${name}</name>\n<value>${value}</value>\n</member>\n`)
    .join('')}</struct>`;

const written = (members: Readonly<Record<string, Member>>): string =>
  structOf(Object.fromEntries(Object.entries(members).map(([name, value]) => [name, valueOf(value)])));

const envelope = (method: string, value: string): string =>
  `<?xml version='1.0'?>\n<methodCall>\n<methodName>${method}</methodName>\n<params>\n<param>\n` +
  `<value>${value}</value>\n</param>\n</params>\n</methodCall>\n`;

/** With line ends, as Python's xmlrpc.client writes. */
export const methodCall = (method: string, members: Readonly<Record<string, Member>>): string =>
  envelope(method, written(members));

function multicall({ first_i_customer }: Population, index: number, spread: number): string {
  const calls = Array.from({ length: membersOfMulticall }, (_, place) => {
    const params = written({ i_customer: first_i_customer + ((index + place) % spread) });
    return `<value>${structOf({
      methodName: valueOf('getCustomerInfo'),
      params: `<array><data><value>${params}</value></data></array>`,
    })}</value>`;
  });
  return envelope('system.multicall', `<array><data>\n${calls.join('\n')}\n</data></array>`);
}
