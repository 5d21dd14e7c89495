/** The paths of what a customer owns: numbers, SIP users, domains, store fronts, addresses. All are made alike. */
import { type Operation, defineOperation, definePage, pageQuery, wideList } from '../../core/call/operation';
import {
  type Static,
  type TObject,
  type TProperties,
  nullable,
  optional,
  struct,
  text,
} from '../../core/schema/schema';
import { editBelow } from '../../core/tree/rights';
import {
  type Kind,
  type SipUser,
  type Store,
  addressKind,
  domainKind,
  numberKind,
  sipUserKind,
  storeKind,
} from '../../features/resources/kinds';
import {
  deleteOwned,
  getOwned,
  makeOwned,
  pageOfOwned,
  replaceOwned,
} from '../../features/resources/service';
import { deleteStore } from './stores';
import { common, objectOf, priced, uuidInPath } from './shared-schemas';

interface Paths<V extends object> {
  readonly path: string;
  readonly kind: Kind<V>;
  /** How one and many are called in summaries. */
  readonly words: readonly [one: string, many: string];
  /** The members of POST, and of PUT where they are others. */
  readonly body: TProperties;
  readonly replacement?: TProperties;
  /** The members of the answer, beside those that all have. */
  readonly shown: TProperties;
  /** The list must not be asked for on behalf of others. */
  readonly own_list?: true;
  readonly remove?: typeof deleteOwned;
}

const nothing = struct({});

const resultOf = <V extends object>({ kind, shown }: Paths<V>) => {
  const properties: TProperties = { ...common, ...shown, ...(kind.product !== undefined && priced) };
  return struct(properties);
};

/** List, make, read, replace, delete. */
const operationsOf = <V extends object>(paths: Paths<V>): Operation[] => [
  ...readingOf(paths),
  ...changingOf(paths),
];

function readingOf<V extends object>(paths: Paths<V>): Operation[] {
  const { path, kind } = paths;
  const [one, many] = paths.words;
  const read = { verb: 'GET', right: 'none', result: resultOf(paths) } as const;
  return [
    definePage({
      ...read,
      access: 'read',
      path,
      summary: `Lists the ${many} of the actor.`,
      ...(!kind.isNarrow && wideList),
      query: pageQuery,
      faults: [],
      ...(paths.own_list && { on_behalf: 'refused' as const }),
      run: async (call, given) => {
        const { items, next } = await pageOfOwned(call, kind, given);
        return { items: items.map((row) => objectOf(kind, row)), next };
      },
    }),
    defineOperation({
      ...read,
      access: 'read',
      path: `${path}/{uuid}`,
      summary: `Answers a ${one} of the actor.`,
      params: uuidInPath,
      faults: ['not_found'],
      run: async (call, { uuid }) => objectOf(kind, await getOwned(call, kind, uuid)),
    }),
  ];
}

function changingOf<V extends object>(paths: Paths<V>): Operation[] {
  const { path, kind, body, replacement = body, remove = deleteOwned } = paths;
  const [one] = paths.words;
  // What has been checked by the declared members is what the kind takes.
  const valuesOf = (given: object): V => given as V;
  const isFree = kind.product === undefined;
  const write = { right: editBelow } as const;
  return [
    defineOperation({
      ...write,
      access: 'write',
      verb: 'POST',
      path,
      summary: `Makes a ${one} of the actor${isFree ? '' : '; the caller pays'}.`,
      body,
      result: resultOf(paths),
      faults: isFree ? ['conflict'] : ['conflict', 'short_of_money'],
      idempotent: true,
      run: async (call, given) => objectOf(kind, await makeOwned(call, kind, valuesOf(given))),
    }),
    defineOperation({
      ...write,
      access: 'write',
      verb: 'PUT',
      path: `${path}/{uuid}`,
      summary: `Replaces a ${one} of the actor: what is left out is cleared.`,
      params: uuidInPath,
      body: replacement,
      result: resultOf(paths),
      faults: ['not_found', 'conflict'],
      run: async (call, given) => {
        const { uuid, ...values } = given as Static<TObject> & { uuid: string };
        return objectOf(kind, await replaceOwned(call, kind, uuid, valuesOf(values)));
      },
    }),
    defineOperation({
      ...write,
      access: 'write',
      verb: 'DELETE',
      path: `${path}/{uuid}`,
      summary: `Deletes a ${one} of the actor.`,
      params: uuidInPath,
      result: nothing,
      faults: ['not_found', 'conflict'],
      run: async (call, { uuid }) => {
        await remove(call, kind, uuid);
        return {};
      },
    }),
  ];
}

const numbers = operationsOf({
  path: '/voip/number',
  kind: numberKind,
  words: ['phone number', 'phone numbers'],
  body: { number: text(16, 'The number, E.164; one owner at a time.', { format: 'phone-number' }) },
  shown: { number: text(16, 'The number.') },
});

const sipPassword = text(128, 'Its password; it never comes back.', {
  format: 'printable-ascii',
  minLength: 8,
  secret: true,
  digits: true,
});
const sipFields = {
  extension: optional(
    nullable(
      text(16, 'Digits; unique within the customer, so every customer may have its 1001.', {
        format: 'digits',
        digits: true,
      }),
    ),
  ),
  display_name: optional(nullable(text(64, 'The name that is shown to who is called.', { format: 'line' }))),
  caller_id: optional(nullable(text(64, 'The number that is shown.', { format: 'line', digits: true }))),
};
const sipName = text(64, 'Its name, unique within the customer.', { format: 'local-login', digits: true });
const sipUsers = operationsOf<SipUser>({
  path: '/voip/user',
  kind: sipUserKind,
  words: ['SIP user', 'SIP users'],
  body: { name: sipName, password: sipPassword, ...sipFields },
  replacement: { name: sipName, password: optional(sipPassword), ...sipFields },
  shown: {
    name: text(64, 'Its name.'),
    extension: nullable(text(16, 'Its extension.')),
    display_name: nullable(text(64, 'The name that is shown.')),
    caller_id: nullable(text(64, 'The number that is shown.')),
  },
});

const domainsAt = (path: string): Operation[] =>
  operationsOf({
    path,
    kind: domainKind,
    words: ['domain name', 'domain names'],
    body: { name: text(253, 'The domain name; one owner at a time.', { format: 'host-name' }) },
    shown: { name: text(253, 'The domain name.') },
  });

const stores = operationsOf<Store>({
  path: '/account/store',
  kind: storeKind,
  words: ['store front', 'store fronts'],
  body: {
    name: text(64, 'Its name, unique within the customer.', { format: 'name', digits: true }),
    domain: optional(nullable(text(253, 'Its host name; unique.', { format: 'host-name' }))),
    css: optional(nullable(text(65_536, 'Its style sheet.'))),
  },
  shown: {
    name: text(64, 'Its name.'),
    domain: nullable(text(253, 'Its host name.')),
    css: nullable(text(65_536, 'Its style sheet.')),
  },
  own_list: true,
  remove: deleteStore,
});

const line = { format: 'line', digits: true } as const;
export const addressBody = {
  street_one: text(128, 'First line of the street.', line),
  street_two: optional(nullable(text(128, 'Second line.', line))),
  street_three: optional(nullable(text(128, 'Third line.', line))),
  city: text(128, 'City.', line),
  state: optional(nullable(text(128, 'State or county.', line))),
  zip: optional(nullable(text(32, 'Postal code.', line))),
  country_code: text(2, 'Country, ISO 3166-1 alpha-2.', { format: 'country' }),
};
export const addressShown = {
  street_one: text(128, 'First line of the street.'),
  street_two: nullable(text(128, 'Second line.')),
  street_three: nullable(text(128, 'Third line.')),
  city: text(128, 'City.'),
  state: nullable(text(128, 'State or county.')),
  zip: nullable(text(32, 'Postal code.')),
  country_code: text(2, 'Country.'),
};

const addresses = operationsOf({
  path: '/account/reseller-address',
  kind: addressKind,
  words: ['postal address', 'postal addresses'],
  body: addressBody,
  shown: addressShown,
});

export const resourceOperations: readonly Operation[] = [
  ...stores,
  ...addresses,
  ...sipUsers,
  ...numbers,
  ...domainsAt('/dom/domain'),
  ...domainsAt('/voip/domain'),
];
