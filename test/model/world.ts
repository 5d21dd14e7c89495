/**
 * What the reference model remembers: customers, their people, tariffs and books, as plain data. It
 * is written from docs/reference alone and shares no code with `src`. Money is counted in millionths.
 */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
export type Members = Record<string, Json>;

/** A member of a call as the text that it must be. */
export const text = (value: Json | undefined): string =>
  typeof value === 'string' ? value : JSON.stringify(value);

/** Millionths of a unit of currency. */
export type Micro = bigint;

export const micro = (amount: number): Micro => BigInt(Math.round(amount * 1_000_000));
export const numberOf = (value: Json | undefined): number => Number(value ?? 0);
export const wire = (amount: Micro): number => Number(amount) / 1_000_000;

export const masks = ['accounts_mgmt', 'customers_mgmt', 'tariffs_mgmt', 'vouchers_mgmt'] as const;
export const switches = [
  'system_mgmt',
  'api_mgmt',
  'use_own_tariff',
  'did_pool_enabled',
  'ivr_apps_enabled',
  'asr_acd_enabled',
  'debit_credit_cards_enabled',
] as const;

/** What a customer owns, of whatever kind; `values` are its members as they are answered. */
export interface Thing {
  readonly kind: ThingKind;
  readonly owner: Customer;
  readonly uuid: string;
  values: Members;
  /** Of a name: what makes it one with others. */
  name_class: string;
  readonly cost: Micro;
  readonly cost_currency: string | null;
  /** Of an access key: the key. */
  readonly secret?: string;
  deleted: boolean;
}
export type ThingKind =
  'number' | 'sip user' | 'domain' | 'store' | 'address' | 'flow' | 'queue' | 'tag' | 'access key';

export interface Customer {
  /** 0 until it is learned, where a REST face made it. */
  id: number;
  /** Empty until it is learned, where another face made it. */
  uuid: string;
  readonly owner: Customer | undefined;
  /** What two names must not have in common. */
  name_class: string;
  /** The attributes that are kept as they are answered; not balance and logins. */
  readonly attributes: Members;
  balance: Micro;
  /** The part of the balance that came by transfers. */
  prepaid: Micro;
  currency: string;
  /** What it takes of its direct customers, by product and currency. */
  readonly prices: Map<string, Micro>;
  /** The limits that were set for it, by name. */
  readonly limits: Map<string, number>;
  api_password: string | null;
  blocked: boolean;
  deleted: boolean;
  readonly entries: Entry[];
  allow_outbound: boolean;
  /** The store front at which it buys. */
  store: Thing | undefined;
  /** From where it may call; none: from everywhere. */
  ranges: readonly string[];
  permission_ids: readonly number[];
  webhook_method: string;
  webhook_uri: string | null;
}

export interface User {
  readonly customer: Customer;
  /** `recovery` is the guest agent. */
  readonly kind: 'default' | 'other' | 'recovery';
  id: number | undefined;
  uuid: string | undefined;
  /** Of the guest agent it is learned. */
  web_login: string;
  login_class: string;
  /** The name within the customer, where the reseller face gave one. */
  short_name: string | null;
  short_class: string | null;
  /** Nobody logs in without one. */
  password: string | undefined;
  /** Counts the passwords that it had. */
  passwords: number;
  readonly tokens: Token[];
  one_time: string | undefined;
  level: string;
  name: string | null;
  description: string | null;
  email: string | null;
  contact_first_name: string | null;
  contact_last_name: string | null;
  status: string;
  ring_method: string;
  tag_ids: readonly string[];
  addresses: Json;
  blocked: boolean;
  deleted: boolean;
}

/** What a person got for the password; it is good for that password only. */
export interface Token {
  readonly text: string;
  readonly user: User;
  readonly password: number;
  ended: boolean;
}

export interface Tariff {
  readonly id: number;
  readonly owner: Customer;
  name: string;
  readonly currency: string;
}

export interface Payment {
  /** Learned from the next list, where the call that made it does not answer it. */
  id: number | undefined;
  readonly customer: Customer;
  readonly kind: string;
  readonly amount: Micro;
  readonly currency: string;
  readonly notes: string | null;
  readonly time: string | undefined;
  readonly reverses: Payment | undefined;
  /** One for each account that moved, the lowest first. */
  readonly moves: readonly Move[];
  reversed: boolean;
}

/** By how much a balance rises, and the prepaid part of it. */
export interface Move {
  readonly customer: Customer;
  readonly amount: Micro;
  readonly prepaid: Micro;
}

export interface Entry {
  /** Its number in the books; learned. */
  id: number | undefined;
  readonly payment: Payment;
  readonly amount: Micro;
  readonly prepaid: Micro;
}

export interface World {
  /** What every name of this history begins with, so that histories do not meet. */
  readonly prefix: string;
  readonly root: Customer;
  readonly customers: Customer[];
  readonly users: User[];
  readonly tariffs: Tariff[];
  readonly groups: Map<number, string>;
  readonly hosts: Map<number, string>;
  readonly payments: Payment[];
  readonly things: Thing[];
  /** The words with which lists of the tenant face go on, and after which object. */
  readonly pages: Map<string, string>;
  /** Failures of authCustomer and of logins for a token, by scope and login. */
  readonly failures: Map<string, number>;
  /** Wrong API passwords by what was claimed. */
  readonly knocks: Map<string, number>;
  /** What was done once with a key. */
  readonly keys: Map<string, { readonly content: string; readonly answer: Members }>;
}

/** Every readable attribute of a customer as it is when nobody says otherwise. */
export const defaults: Members = {
  i_routing_group: null,
  credit_limit: 0,
  accounts_mgmt: 0,
  customers_mgmt: 0,
  system_mgmt: 0,
  accounts_matching_rule: null,
  company_name: null,
  salutation: null,
  first_name: null,
  last_name: null,
  mid_init: null,
  street_addr: null,
  state: null,
  postal_code: null,
  city: null,
  country: null,
  contact: null,
  phone: null,
  fax: null,
  alt_phone: null,
  alt_contact: null,
  email: null,
  cc: null,
  bcc: null,
  mail_from: null,
  payment_currency: null,
  payment_method: null,
  min_payment_amount: null,
  api_access: 0,
  api_mgmt: 0,
  i_commission_agent: null,
  commission_size: null,
  tariffs_mgmt: 0,
  max_depth: null,
  use_own_tariff: 0,
  vouchers_mgmt: 0,
  description: null,
  i_password_policy: 1,
  callshop_enabled: false,
  overcommit_protection: false,
  overcommit_limit: null,
  did_pool_enabled: false,
  ivr_apps_enabled: false,
  asr_acd_enabled: false,
  debit_credit_cards_enabled: false,
  conferencing_enabled: false,
  share_payment_processors: false,
  dncl_enabled: false,
  i_time_zone: 370,
  i_lang: 'en',
  i_export_type: 1,
  start_page: 1,
  css: null,
  dns_alias: null,
  max_sessions: null,
  max_calls_per_second: null,
};

/** What root takes for making a thing, by product and currency; the same for all histories. */
export const rootPrices: ReadonlyMap<string, Micro> = new Map([
  ['domain EUR', 3_000_000n],
  ['domain USD', 0n],
  ['number EUR', 2_000_000n],
  ['number USD', 1_500_000n],
  ['sip_user USD', 250_000n],
]);

const everything: Members = Object.fromEntries([
  ...masks.map((name) => [name, 7] as const),
  ...switches.map((name) => [name, name.endsWith('_enabled') ? true : 1] as const),
]);

/** A platform with nobody but root. */
export function newWorld(prefix: string, rootPassword: string, rootWebPassword: string): World {
  const attributes = { ...defaults, ...everything, name: 'root', api_access: 1, i_tariff: 1 };
  const root: Customer = {
    ...newCustomer(undefined, 'root', attributes, 'USD'),
    id: 1,
    api_password: rootPassword,
    prices: new Map(rootPrices),
  };
  return {
    prefix,
    root,
    customers: [root],
    users: [
      newUser(root, 'default', { id: 1, web_login: 'root', login_class: 'root', password: rootWebPassword }),
    ],
    tariffs: [{ id: 1, owner: root, name: 'Default', currency: 'USD' }],
    groups: new Map([[1, 'Default']]),
    hosts: new Map(),
    payments: [],
    things: [],
    pages: new Map(),
    failures: new Map(),
    knocks: new Map(),
    keys: new Map(),
  };
}

export const newCustomer = (
  owner: Customer | undefined,
  name_class: string,
  attributes: Members,
  currency: string,
): Customer => ({
  id: 0,
  uuid: '',
  owner,
  name_class,
  attributes,
  balance: 0n,
  prepaid: 0n,
  currency,
  prices: new Map(),
  limits: new Map(),
  api_password: null,
  blocked: false,
  deleted: false,
  entries: [],
  allow_outbound: true,
  store: undefined,
  ranges: [],
  permission_ids: [16],
  webhook_method: 'POST',
  webhook_uri: null,
});

export const newUser = (
  customer: Customer,
  kind: User['kind'],
  given: Pick<User, 'web_login' | 'login_class' | 'password'> & Partial<User>,
): User => ({
  customer,
  kind,
  id: undefined,
  uuid: undefined,
  short_name: null,
  short_class: null,
  passwords: 0,
  tokens: [],
  one_time: undefined,
  level: 'ADMINISTRATOR',
  name: null,
  description: null,
  email: null,
  contact_first_name: null,
  contact_last_name: null,
  status: 'offline',
  ring_method: 'ringall',
  tag_ids: [],
  addresses: [],
  blocked: false,
  deleted: false,
  ...given,
});

/** The customer and everybody above it, the nearest first. */
export function chain(customer: Customer): Customer[] {
  return customer.owner ? [customer, ...chain(customer.owner)] : [customer];
}

export const isWithin = (top: Customer, customer: Customer): boolean => chain(customer).includes(top);
export const isBelow = (top: Customer, customer: Customer): boolean =>
  customer !== top && isWithin(top, customer);

export function setPassword(user: User, password: string): void {
  user.password = password;
  user.passwords += 1;
}

/** A living user's customer is living: it goes with it. */
export const usersOf = (world: World, customer: Customer): User[] =>
  world.users.filter((user) => user.customer === customer && !user.deleted);

/** A mask as it holds: what everybody on the way to the top has. */
export const heldMask = (customer: Customer, name: string): number =>
  chain(customer).reduce((mask, each) => mask & Number(each.attributes[name]), 7);

export const heldSwitch = (customer: Customer, name: string): boolean =>
  chain(customer).every(({ attributes }) => attributes[name] === 1 || attributes[name] === true);

export const isBlocked = (customer: Customer): boolean => chain(customer).some(({ blocked }) => blocked);

export const subCustomers = (world: World, owner: Customer): Customer[] =>
  world.customers.filter((each) => each.owner === owner && !each.deleted);

export const defaultUser = (world: World, customer: Customer): User => {
  const user = world.users.find((each) => each.customer === customer && each.kind === 'default');
  if (!user) throw new Error(`The model lost the user of customer ${customer.id}`);
  return user;
};
