/** createCustomer with all its parameters. The type wants a value for every attribute, so that none is forgotten. */
import type { attributes } from '../src/features/customers/fields';

/** Numbers with a fraction go out as double, whole ones as int. */
export type Member = string | number | boolean;

export const webPassword = 'correct-horse-1';

export interface References {
  readonly i_tariff: number;
  readonly i_commission_agent: number;
}

/** A customer as an office would enter it that leaves nothing out. */
export const allMembers = (name: string, { i_tariff, i_commission_agent }: References) =>
  ({
    ...addressMembers,
    ...switchMembers,
    i_tariff,
    i_commission_agent,
    name,
    web_login: name,
    web_password: webPassword,
    api_password: 'api-password-1',
    dns_alias: `${name}.bench.example`,
    i_routing_group: 1,
    balance: 100.5,
    credit_limit: 250.5,
    accounts_matching_rule: '^1604555',
    payment_currency: 'USD',
    payment_method: 1,
    min_payment_amount: 10.5,
    commission_size: 2.5,
    max_depth: 5,
    description:
      'Made by the benchmark: every parameter is given, as a form of an office would fill them in.',
    i_password_policy: 1,
    overcommit_limit: 10.5,
    i_time_zone: 370,
    i_lang: 'en',
    i_export_type: 1,
    start_page: 1,
    css: 'body { color: #102030; background: #ffffff }',
    max_sessions: 120,
    max_calls_per_second: 12.5,
  }) satisfies Record<keyof typeof attributes, Member>;

const addressMembers = {
  company_name: 'Northern Voice & Data Ltd.',
  salutation: 'Ms.',
  first_name: 'Margarethe',
  last_name: 'Lindqvist',
  mid_init: 'A.',
  street_addr: '1452 Harbour Street, Building 7, Floor 3',
  state: 'British Columbia',
  postal_code: 'V6B 1A1',
  city: 'Vancouver',
  country: 'Canada',
  contact: 'Margarethe Lindqvist',
  phone: '+1 604 555 0142',
  fax: '+1 604 555 0143',
  alt_phone: '+1 604 555 0144',
  alt_contact: 'Johan Lindqvist',
  email: 'billing@northern-voice.example',
  cc: 'accounts@northern-voice.example',
  bcc: 'archive@northern-voice.example',
  mail_from: 'noreply@northern-voice.example',
} as const;

const switchMembers = {
  accounts_mgmt: 7,
  customers_mgmt: 3,
  tariffs_mgmt: 1,
  vouchers_mgmt: 1,
  system_mgmt: 0,
  api_access: 1,
  api_mgmt: 0,
  use_own_tariff: 0,
  callshop_enabled: false,
  overcommit_protection: false,
  did_pool_enabled: true,
  ivr_apps_enabled: true,
  asr_acd_enabled: true,
  debit_credit_cards_enabled: true,
  conferencing_enabled: false,
  share_payment_processors: false,
  dncl_enabled: false,
} as const;

/** Every right there is, for those who make customers with all parameters, at any depth. */
export const allRights = {
  accounts_mgmt: 7,
  customers_mgmt: 7,
  tariffs_mgmt: 7,
  vouchers_mgmt: 7,
  system_mgmt: 1,
  api_access: 1,
  api_mgmt: 1,
  use_own_tariff: 1,
  did_pool_enabled: true,
  ivr_apps_enabled: true,
  asr_acd_enabled: true,
  debit_credit_cards_enabled: true,
} as const;
