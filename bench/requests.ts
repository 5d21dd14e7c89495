/**
 * What is asked in each measurement, of Treeline and of its peers. The n-th request is the same on
 * both sides, and names a text that the right answer holds: a fault is HTTP 200 too.
 */

const restCalls = ['rest_info', 'rest_create', 'rest_transfer'] as const;
type RestCall = (typeof restCalls)[number];
export const callNames = [
  ...(['info', 'list', 'add_funds', 'create', 'update', 'transfer', 'create_least'] as const),
  ...restCalls,
] as const;
export type CallName = (typeof callNames)[number];

/** Whether it goes to the reseller API. */
export const isRest = (call: CallName): call is RestCall => restCalls.some((name) => name === call);

/** Which customers there are: `count` of them, with ids in one run. */
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
  readonly server: 'treeline' | 'peer';
  readonly call: CallName;
  readonly population: Population;
  /** Over how many of the customers the requests are spread. */
  readonly spread: number;
  /** Different in every series, for names that must be new. */
  readonly tag: string;
}

export const xmlrpcPath = '/xmlapi/xmlapi';
export const listLimit = 50;

/** Of the customer with this place in the population, counted from 0. */
export const customerName = (index: number): string => `customer-${String(index + 1).padStart(6, '0')}`;

/** A prime, so that every customer has its turn before the first has its second. */
const stride = 7_919;

/** The n-th request of a series. */
export function askedOf({ server, call, population, spread, tag }: Series, n: number): Asked {
  const index = (n * stride) % spread;
  const i_customer = population.first_i_customer + index;
  const expected = expectedOf(call, index);
  if (server === 'peer') return { http_method: 'GET', path: `/${call}/${i_customer}`, body: '', expected };
  if (isRest(call)) return restAsked(call, i_customer, index, `${tag}-${n}`);
  const body = bodyOf(call, population, index, `${tag}-${n}`);
  return { http_method: 'POST', path: xmlrpcPath, body, expected };
}

/** The uuid that a customer of the population is given. */
export const uuidOf = (i_customer: number): string =>
  `00000000-0000-4000-8000-${i_customer.toString(16).padStart(12, '0')}`;

function restAsked(call: RestCall, i_customer: number, index: number, newName: string): Asked {
  const path = `/account/reseller/${uuidOf(i_customer)}`;
  switch (call) {
    case 'rest_info':
      return { http_method: 'GET', path, body: '', expected: `"name":"${customerName(index)}"` };
    case 'rest_transfer':
      return { http_method: 'PUT', path, body: '{"balance":"0.01"}', expected: '"status_code":200' };
    case 'rest_create': {
      const body = JSON.stringify({ name: newName, contact_name: 'Margarethe Lindqvist' });
      return { http_method: 'POST', path: '/account/reseller', body, expected: '"status_code":200' };
    }
  }
}

function expectedOf(call: CallName, index: number): string {
  switch (call) {
    case 'info':
      return `>${customerName(index)}<`;
    case 'list':
      return `>${customerName(listLimit - 1)}<`;
    case 'add_funds':
    case 'transfer':
      return '<name>i_payment</name>';
    case 'create':
    case 'create_least':
      return '<name>i_customer</name>';
    default:
      return '<string>OK</string>';
  }
}

function bodyOf(
  call: Exclude<CallName, RestCall>,
  population: Population,
  index: number,
  newName: string,
): string {
  const i_customer = int(population.first_i_customer + index);
  switch (call) {
    case 'info':
      return methodCall('getCustomerInfo', { i_customer });
    case 'list':
      return methodCall('listCustomers', { limit: int(listLimit) });
    case 'add_funds':
      return methodCall('customerAddFunds', { i_customer, amount: double('0.01'), currency: text('USD') });
    case 'transfer':
      return methodCall('transferFunds', { i_customer, amount: double('0.01') });
    case 'create_least':
      return methodCall('createCustomer', {
        name: text(newName),
        web_password: text('correct-horse-1'),
        i_tariff: int(population.i_tariff),
      });
    case 'create':
      return createCustomerBody(newName, population);
    case 'update':
      return updateCustomerBody(i_customer, customerName(index), population);
  }
}

/** createCustomer with 40 members, as a form of an office would fill it in. */
export function createCustomerBody(name: string, population: Population): string {
  const credentials = { web_login: text(name), web_password: text('correct-horse-1') };
  return methodCall('createCustomer', { name: text(name), ...credentials, ...details(population) });
}

/** updateCustomer with 40 members and without the password, so that nothing is hashed. */
function updateCustomerBody(i_customer: string, name: string, population: Population): string {
  const others = { callshop_enabled: '<boolean>0</boolean>' };
  return methodCall('updateCustomer', { i_customer, name: text(name), ...others, ...details(population) });
}

/** The customer that makes the calls, one level below root, and owns all the others. */
export const createWholesalerBody = (name: string, api_password: string): string =>
  methodCall('createCustomer', {
    name: text(name),
    web_password: text(api_password),
    api_password: text(api_password),
    i_tariff: int(1),
    accounts_mgmt: int(7),
    customers_mgmt: int(7),
    tariffs_mgmt: int(7),
    vouchers_mgmt: int(7),
    api_access: int(1),
    use_own_tariff: int(1),
    balance: double('1000000.0'),
  });

const int = (value: number): string => `<int>${value}</int>`;
const double = (value: string): string => `<double>${value}</double>`;
const text = (value: string): string => `<string>${value}</string>`;

/** 37 attributes. */
const details = ({ i_tariff }: Population): Readonly<Record<string, string>> => ({
  i_tariff: int(i_tariff),
  i_routing_group: int(1),
  credit_limit: double('250.5'),
  accounts_mgmt: int(7),
  customers_mgmt: int(3),
  tariffs_mgmt: int(1),
  vouchers_mgmt: int(0),
  company_name: text('Northern Voice &amp; Data Ltd.'),
  salutation: text('Ms.'),
  first_name: text('Margarethe'),
  last_name: text('Lindqvist'),
  mid_init: text('A.'),
  street_addr: text('1452 Harbour Street, Building 7, Floor 3'),
  state: text('British Columbia'),
  postal_code: text('V6B 1A1'),
  city: text('Vancouver'),
  country: text('Canada'),
  contact: text('Margarethe Lindqvist'),
  phone: text('+1 604 555 0142'),
  fax: text('+1 604 555 0143'),
  alt_phone: text('+1 604 555 0144'),
  alt_contact: text('Johan Lindqvist'),
  email: text('billing@northern-voice.example'),
  cc: text('accounts@northern-voice.example'),
  bcc: text('archive@northern-voice.example'),
  mail_from: text('noreply@northern-voice.example'),
  payment_currency: text('USD'),
  payment_method: int(1),
  min_payment_amount: double('10.0'),
  description: text('Made by the benchmark: forty members, as a form of an office would fill them in.'),
  i_password_policy: int(1),
  i_time_zone: int(370),
  i_lang: text('en'),
  i_export_type: int(1),
  start_page: int(1),
  max_sessions: int(120),
  max_calls_per_second: double('12.5'),
});

/** With line ends, as Python's xmlrpc.client writes. */
function methodCall(method: string, members: Readonly<Record<string, string>>): string {
  const written = Object.entries(members).map(
    ([name, value]) => `<member>\n<name>${name}</name>\n<value>${value}</value>\n</member>\n`,
  );
  return (
    `<?xml version='1.0'?>\n<methodCall>\n<methodName>${method}</methodName>\n<params>\n<param>\n` +
    `<value><struct>\n${written.join('')}</struct></value>\n</param>\n</params>\n</methodCall>\n`
  );
}
