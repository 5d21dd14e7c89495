/**
 * Every attribute of a customer, once: type, limits, default, where it is kept. From here come the
 * parameters of createCustomer and updateCustomer, the answer of getCustomerInfo, the columns that
 * are read and written, and docs/reference/attributes.md; a test compares it with the database's catalogue.
 * The order is that in which mistakes are reported.
 */
import {
  type Static,
  type TProperties,
  type TSchema,
  bit,
  declared,
  double,
  flag,
  id,
  integer,
  money,
  nullable,
  optional,
  struct,
  text,
} from '../../core/schema/schema';
import type { TOptional } from '@sinclair/typebox';

export interface Attribute<T extends TSchema = TSchema> {
  readonly schema: T;
  /** What createCustomer takes for an absent one; for `web_login` and `max_depth` it depends. */
  readonly fallback?: string | number | boolean | null;
  /** `table.column`; secrets are kept as what `features/customers/service.ts` makes of them. */
  readonly column: string;
  /** The column of a dictionary in which the value must stand, else fault 401. */
  readonly dictionary?: string;
  /** It may tell who a person is, so erasing a customer erases it. */
  readonly personal?: true;
}

/** An attribute that is the column of its own name in `customers`. */
const own = <T extends TSchema>(
  name: string,
  schema: T,
  fallback: string | number | boolean | null,
  dictionary?: string,
): Attribute<T> => ({
  schema,
  fallback,
  column: `customers.${name}`,
  ...(dictionary !== undefined && { dictionary }),
});

const rightsMask = (name: string, what: string) =>
  own(
    name,
    integer(`${what}: bit 0 may add, bit 1 may edit, bit 2 may delete.`, { minimum: 0, maximum: 7 }),
    0,
  );
const bitSwitch = (name: string, description: string) => own(name, bit(description), 0);
const featureSwitch = (name: string, description: string) => own(name, flag(description), false);
const personal = <T extends TSchema>(attribute: Attribute<T>) => ({ ...attribute, personal: true as const });
const detail = (name: string, description: string) =>
  personal(own(name, nullable(text(128, description)), null));
/** What people recognise a customer by, beside its name. */
const label = (name: string, description: string) =>
  personal(own(name, nullable(text(128, description, { format: 'label' })), null));
const mail = (name: string, format: 'address' | 'address-list', description: string) =>
  personal(own(name, nullable(text(255, description, { format })), null));

/** Without these no customer is made. */
export const requiredAttributes = {
  i_tariff: {
    schema: nullable(
      id('Tariff: one that its wholesaler owns; nil: billed by the own tariff of its wholesaler.'),
    ),
    column: 'customers.i_tariff',
  },
  name: personal({
    schema: text(64, 'Name; no two differ only by case or Unicode form.', {
      format: 'customer-name',
      digits: true,
    }),
    column: 'customers.name',
  }),
  web_password: {
    schema: text(128, 'Password of the self-care interface; must satisfy the password policy.', {
      minLength: 8,
      secret: true,
      digits: true,
    }),
    column: 'users.password_hash',
  },
} as const satisfies Record<string, Attribute>;

export const optionalAttributes = {
  web_login: personal({
    schema: text(64, 'Login of the self-care interface and the API; absent: the name.', {
      format: 'login',
      digits: true,
    }),
    column: 'users.web_login',
  }),
  i_routing_group: own(
    'i_routing_group',
    nullable(id('Routing group.')),
    null,
    'routing_groups.i_routing_group',
  ),
  balance: own(
    'balance',
    money('Balance, in the base currency; every change is an entry in the books.'),
    '0',
  ),
  credit_limit: own('credit_limit', money('Credit limit.', 'money-not-negative'), '0'),
  accounts_mgmt: rightsMask('accounts_mgmt', 'Rights over accounts'),
  customers_mgmt: rightsMask('customers_mgmt', 'Rights over customers'),
  system_mgmt: bitSwitch('system_mgmt', 'May manage the system.'),
  accounts_matching_rule: own(
    'accounts_matching_rule',
    nullable(text(1024, 'A regular expression (RE2) that accounts match.', { format: 'regular-expression' })),
    null,
  ),
  company_name: label('company_name', 'Company name.'),
  salutation: label('salutation', 'Mr., Ms. and so on.'),
  first_name: label('first_name', 'First name.'),
  last_name: label('last_name', 'Last name.'),
  mid_init: label('mid_init', 'Middle initial.'),
  street_addr: detail('street_addr', 'Street address.'),
  state: detail('state', 'Province or state.'),
  postal_code: detail('postal_code', 'Postal code.'),
  city: detail('city', 'City.'),
  country: detail('country', 'Country or region.'),
  contact: label('contact', 'Contact.'),
  phone: detail('phone', 'Phone.'),
  fax: detail('fax', 'Fax.'),
  alt_phone: detail('alt_phone', 'Alternative phone.'),
  alt_contact: label('alt_contact', 'Alternative contact.'),
  email: mail('email', 'address-list', 'E-mail addresses, separated by commas.'),
  cc: mail('cc', 'address-list', 'Addresses that get a copy.'),
  bcc: mail('bcc', 'address-list', 'Addresses that get a blind copy.'),
  mail_from: mail('mail_from', 'address', 'The From address of mails.'),
  payment_currency: own(
    'payment_currency',
    nullable(text(3, 'Currency of payments, ISO 4217.', { format: 'currency' })),
    null,
  ),
  payment_method: own(
    'payment_method',
    nullable(id('Preferred payment method.')),
    null,
    'payment_methods.payment_method',
  ),
  min_payment_amount: own(
    'min_payment_amount',
    nullable(money('Least amount of a payment.', 'money-not-negative')),
    null,
  ),
  api_access: bitSwitch('api_access', 'May use the API; set only by those with api_mgmt.'),
  api_password: {
    schema: nullable(
      text(128, 'Password of the API; set only by those with api_mgmt; nil: none.', {
        format: 'printable-ascii',
        minLength: 8,
        secret: true,
        digits: true,
      }),
    ),
    fallback: null,
    column: 'api_credentials.sealed_ha1',
  },
  api_mgmt: bitSwitch('api_mgmt', 'May manage the API access of its sub-customers.'),
  i_commission_agent: own('i_commission_agent', nullable(id('Customer that earns a commission.')), null),
  commission_size: own(
    'commission_size',
    nullable(double('Commission, percent.', { minimum: 0, maximum: 100 })),
    null,
  ),
  tariffs_mgmt: rightsMask('tariffs_mgmt', 'Rights over tariffs'),
  max_depth: {
    schema: nullable(
      integer('How many levels of sub-customers may exist below; nil: no limit.', { minimum: 0 }),
    ),
    column: 'customers.max_depth',
  },
  use_own_tariff: bitSwitch(
    'use_own_tariff',
    'May let sub-customers be billed by its own tariff (i_tariff nil).',
  ),
  vouchers_mgmt: rightsMask('vouchers_mgmt', 'Rights over vouchers'),
  description: personal(own('description', nullable(text(1024, 'Description.')), null)),
  i_password_policy: own(
    'i_password_policy',
    nullable(id('Password policy.')),
    1,
    'password_policies.i_password_policy',
  ),
  callshop_enabled: featureSwitch('callshop_enabled', 'The call shop is enabled.'),
  overcommit_protection: featureSwitch(
    'overcommit_protection',
    'Balances and credit limits of all customers below it, at any depth, cannot be raised together beyond its own balance.',
  ),
  overcommit_limit: own(
    'overcommit_limit',
    nullable(double('By how much they may all the same, percent of its balance.', { minimum: 0 })),
    null,
  ),
  did_pool_enabled: featureSwitch('did_pool_enabled', 'The pool of DIDs is enabled.'),
  ivr_apps_enabled: featureSwitch('ivr_apps_enabled', 'IVR applications are enabled.'),
  asr_acd_enabled: featureSwitch('asr_acd_enabled', 'May view ASR and ACD reports.'),
  debit_credit_cards_enabled: featureSwitch('debit_credit_cards_enabled', 'May save debit and credit cards.'),
  conferencing_enabled: featureSwitch('conferencing_enabled', 'Conferencing is enabled.'),
  share_payment_processors: featureSwitch('share_payment_processors', 'May share its payment processors.'),
  dncl_enabled: featureSwitch('dncl_enabled', 'Look-ups in the do-not-call list are enabled.'),
  i_time_zone: own('i_time_zone', nullable(id('Time zone.')), 370, 'time_zones.i_time_zone'),
  i_lang: own('i_lang', nullable(text(16, 'Language, two letters.')), 'en', 'languages.i_lang'),
  i_export_type: own('i_export_type', nullable(id('Format of downloads.')), 1, 'export_types.i_export_type'),
  start_page: own(
    'start_page',
    nullable(integer('First page after login: 1 My CDRs, 3 Call Records, 4 My Preferences.')),
    1,
  ),
  css: own('css', nullable(text(65_536, 'Style sheet of the branded interface.')), null),
  dns_alias: personal(
    own(
      'dns_alias',
      nullable(text(253, 'Host name of the branded interface; unique.', { format: 'host-name' })),
      null,
    ),
  ),
  max_sessions: own(
    'max_sessions',
    nullable(integer('Calls at once; nil: unlimited.', { minimum: 0 })),
    null,
  ),
  max_calls_per_second: own(
    'max_calls_per_second',
    nullable(double('Calls a second; nil: unlimited.', { minimum: 0 })),
    null,
  ),
} as const satisfies Record<string, Attribute>;

export const attributes = { ...requiredAttributes, ...optionalAttributes };

const entriesOf = (table: Readonly<Record<string, Attribute>>): [string, Attribute][] =>
  Object.entries(table);
const isSecret = (attribute: Attribute): boolean => attribute.schema['secret'] === true;

/** The attributes' schemas by name, as parameters. */
function schemasOf<T extends Readonly<Record<string, Attribute>>>(table: T) {
  return Object.fromEntries(entriesOf(table).map(([name, { schema }]) => [name, schema])) as {
    [K in keyof T]: T[K]['schema'];
  };
}

/** The same, each optional. */
function optionalSchemasOf<T extends Readonly<Record<string, Attribute>>>(table: T) {
  return Object.fromEntries(entriesOf(table).map(([name, { schema }]) => [name, optional(schema)])) as {
    [K in keyof T]: TOptional<T[K]['schema']>;
  };
}

export const createParams = struct({
  ...schemasOf(requiredAttributes),
  ...optionalSchemasOf(optionalAttributes),
});
export type CreateParams = Static<typeof createParams>;

const { web_password, ...requiredOfAll } = schemasOf(requiredAttributes);

/** Those of an operator's import: without a password nobody can log in until one is set. */
export const importParams = struct({
  ...requiredOfAll,
  web_password: optional(web_password),
  ...optionalSchemasOf(optionalAttributes),
});
export type ImportParams = Static<typeof importParams>;

export const updateParams = struct(
  {
    i_customer: id('The customer to change.'),
    ...optionalSchemasOf(requiredAttributes),
    ...optionalSchemasOf(optionalAttributes),
  },
  { minProperties: 2 },
);
export type UpdateParams = Static<typeof updateParams>;

/** What may be read: everything but secrets. */
export const readableSchemas: TProperties = Object.fromEntries(
  entriesOf(attributes)
    .filter(([, attribute]) => !isSecret(attribute))
    .map(([name, { schema }]) => [name, schema]),
);

/** The attributes that are columns of `customers`, by name. */
export const customerColumns: readonly string[] = entriesOf(attributes)
  .filter(([name, { column }]) => column === `customers.${name}`)
  .map(([name]) => name);

/** What erasing a customer erases. */
export const personalAttributes: readonly string[] = entriesOf(attributes)
  .filter(([, attribute]) => attribute.personal)
  .map(([name]) => name);

export const moneyColumns: ReadonlySet<string> = new Set(
  entriesOf(attributes).flatMap(([name, { schema }]) => (declared(schema).wire === 'money' ? [name] : [])),
);

/** What createCustomer takes for the absent ones. */
export const fallbacks: Readonly<Record<string, unknown>> = Object.fromEntries(
  entriesOf(attributes).map(([name, { fallback }]) => [name, fallback]),
);

/** Where each attribute that refers to a dictionary must stand: `[attribute, table, column, SQL type]`. */
export const dictionaryReferences: readonly (readonly [string, string, string, string])[] = entriesOf(
  attributes,
).flatMap(([name, { dictionary, schema }]) => {
  const [table, column] = dictionary?.split('.') ?? [];
  const type = declared(schema).wire === 'text' ? 'text' : 'integer';
  return table !== undefined && column !== undefined ? [[name, table, column, type] as const] : [];
});

/** SQL: the column of an attribute. Amounts are read as text, because JSON would turn them into floats. */
export const columnText = (name: string): string =>
  moneyColumns.has(name) ? `c.${name}::text` : `c.${name}`;
export const columnTexts = customerColumns.map(columnText).join(', ');
