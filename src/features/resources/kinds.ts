/**
 * The kinds of objects that a customer owns: their tables, what is kept of them, and what they cost.
 * What is common to all kinds, making, charging, listing, replacing, deleting, is in `service.ts`.
 */
import { nameKey } from '../../core/schema/normalize-name';
import type { Product } from '../ledger/charging/prices';

export type Values = Readonly<Record<string, unknown>>;

/** Encrypts a secret for the row that it belongs to. */
export type Seal = (secret: string) => Buffer;

export interface Kind<V extends object = Values> {
  readonly table:
    | 'numbers'
    | 'sip_users'
    | 'domains'
    | 'stores'
    | 'addresses'
    | 'flows'
    | 'queues'
    | 'tags'
    | 'access_keys';
  /** Its primary key, by which lists are in order. */
  readonly id: string;
  /** How a fault calls one. */
  readonly noun: string;
  /** Absent: it costs nothing. */
  readonly product?: Product;
  /** The columns that are answered, besides uuid, times and cost. */
  readonly readable: readonly string[];
  /** Every column that is written; undefined leaves one as it is. */
  readonly columns: (values: V, seal: Seal) => Values;
  /** Every object is at most a few KiB, so lists read many at once. */
  readonly isNarrow?: true;
  /** Members of which a record says only that they changed. */
  readonly secret?: readonly string[];
}

export const numberKind: Kind<{ readonly number: string }> = {
  table: 'numbers',
  id: 'i_number',
  noun: 'Number',
  isNarrow: true,
  product: 'number',
  readable: ['number'],
  columns: ({ number }) => ({ number }),
};

export interface SipUser {
  readonly name: string;
  readonly extension?: string | null;
  /** Absent when replaced: stays, because nobody can read it to send it again. */
  readonly password?: string;
  readonly display_name?: string | null;
  readonly caller_id?: string | null;
}

export const sipUserKind: Kind<SipUser> = {
  table: 'sip_users',
  id: 'i_sip_user',
  noun: 'SIP user',
  isNarrow: true,
  product: 'sip_user',
  readable: ['name', 'extension', 'display_name', 'caller_id'],
  columns: ({ name, extension, password, display_name, caller_id }, seal) => ({
    name,
    name_key: nameKey(name),
    extension: extension ?? null,
    sealed_password: password === undefined ? undefined : seal(password),
    display_name: display_name ?? null,
    caller_id: caller_id ?? null,
  }),
  secret: ['password'],
};

export const domainKind: Kind<{ readonly name: string }> = {
  table: 'domains',
  id: 'i_domain',
  noun: 'Domain',
  isNarrow: true,
  product: 'domain',
  readable: ['name'],
  columns: ({ name }) => ({ name, name_key: nameKey(name) }),
};

export interface Store {
  readonly name: string;
  readonly domain?: string | null;
  readonly css?: string | null;
}

export const storeKind: Kind<Store> = {
  table: 'stores',
  id: 'i_store',
  noun: 'Store',
  readable: ['name', 'domain', 'css'],
  columns: ({ name, domain, css }) => ({
    name,
    name_key: nameKey(name),
    domain: domain ?? null,
    domain_key: domain === null || domain === undefined ? null : nameKey(domain),
    css: css ?? null,
  }),
};

export interface Address {
  readonly street_one: string;
  readonly street_two?: string | null;
  readonly street_three?: string | null;
  readonly city: string;
  readonly state?: string | null;
  readonly zip?: string | null;
  readonly country_code: string;
}

export const addressKind: Kind<Address> = {
  table: 'addresses',
  id: 'i_address',
  noun: 'Address',
  isNarrow: true,
  readable: ['street_one', 'street_two', 'street_three', 'city', 'state', 'zip', 'country_code'],
  columns: ({ street_one, street_two, street_three, city, state, zip, country_code }) => ({
    street_one,
    street_two: street_two ?? null,
    street_three: street_three ?? null,
    city,
    state: state ?? null,
    zip: zip ?? null,
    country_code,
  }),
};
