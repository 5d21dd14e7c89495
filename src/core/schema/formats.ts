/**
 * The checks that JSON Schema has no keyword for, each once: given a text, what is wrong with it in
 * words that complete "Parameter x …", or undefined. A declaration names them (`core/schema/schema.ts`).
 */
import { RE2JS } from 're2js';
import countryCodes from '../../../fixtures/countries.json';
import dictionaries from '../../../fixtures/dictionaries.json';
import { asRanges } from '../../base/config';
import { costOfExpression, expressionCost_max } from './expression-cost';
import { hasInvisibleCharacters, looksLikeRoot } from './look-alikes';
import { parseTime } from './times';
import { exceeds, isNegative, isPositive, moneyFromText, moneyProblem } from './decimal';

/** What is wrong with a text; undefined where it is right. */
interface Format {
  (value: string): string | undefined;
  /** It parses the text at length, so it runs only once the actor's right is known. */
  readonly isExpensive?: true;
}

const expensive = (problem: Format): Format => Object.assign(problem, { isExpensive: true as const });

/** PostgreSQL stores no NUL, XML carries no other controls, and half a surrogate pair is no character. */
const unstorable = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\p{Surrogate}/u;
// Includes the separators that some programs read as the end of a line.
const control = /[\p{Cc}\u2028\u2029]/u;
const hostLabel = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?';
const hostName = new RegExp(`^(?=.{1,253}$)${hostLabel}(\\.${hostLabel})*$`, 'i');
export const isUuid = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
const address = /^[^\s@,;:<>()"\\]{1,64}@(.*)$/u;
const namedAddress = /^[^<>"\\]*<([^<>]*)>$|^"[^"\\]*" *<([^<>]*)>$/u;

const isWebAddress = (value: string): boolean => {
  if (!/^https?:\/\/[\x21-\x7e]+$/i.test(value) || !URL.canParse(value)) return false;
  const { username, password, hostname } = new URL(value);
  return username === '' && password === '' && hostname !== '';
};

const countries = new Set(countryCodes);
const currencies = new Set(dictionaries.currencies.map((entry) => entry.currency));

const text: Format = (value) => (unstorable.test(value) ? 'must not contain control characters' : undefined);

const singleLine: Format = (value) =>
  text(value) ?? (control.test(value) ? 'must not contain control characters or line breaks' : undefined);

/** A text on one line, such as people recognise somebody by. */
const line: Format = (value) =>
  singleLine(value) ?? (hasInvisibleCharacters(value) ? 'must not contain invisible characters' : undefined);

const isBlank = (value: string): boolean => !/\S/u.test(value);

const name: Format = (value) => (isBlank(value) ? 'must not be blank' : line(value));

const login: Format = (value) => {
  if (isBlank(value)) return 'must not be blank';
  return /[:"']/.test(value) ? 'must not contain a colon or a quote' : line(value);
};

const notLikeRoot = (value: string): string | undefined =>
  looksLikeRoot(value) ? 'must not look like root' : undefined;

const isAddress = (value: string): boolean => {
  const named = namedAddress.exec(value);
  const [, host = ''] = address.exec(named ? (named[1] ?? named[2] ?? '') : value) ?? [];
  return hostName.test(host);
};

const money: Format = (value) =>
  moneyFromText(value) === undefined ? 'must be a number' : moneyProblem(value);

const addressList: Format = (value) =>
  line(value) ??
  (value.split(',').every((part) => isAddress(part.trim()))
    ? undefined
    : 'must be e-mail addresses, separated by commas');

export const formats = {
  text,
  line,
  name,
  /** A name that is looked for; one that is older than a rule may break it. */
  'known-name': (value) => (isBlank(value) ? 'must not be blank' : singleLine(value)),
  /** Who somebody is, in a text that may have several lines. */
  label: (value) =>
    text(value) ?? (hasInvisibleCharacters(value) ? 'must not contain invisible characters' : undefined),
  /** The name of a customer. */
  'customer-name': (value) => name(value) ?? notLikeRoot(value),
  /** A login of the whole platform. */
  login: (value) => login(value) ?? notLikeRoot(value),
  /** A login within one customer. */
  'local-login': login,
  'printable-ascii': (value) => (/^[\x20-\x7e]*$/.test(value) ? undefined : 'must be printable ASCII'),
  address: (value) => line(value) ?? (isAddress(value) ? undefined : 'must be an e-mail address'),
  'address-list': expensive(addressList),
  'host-name': (value) => (hostName.test(value) ? undefined : 'must be a host name'),
  digits: (value) => (/^\d+$/.test(value) ? undefined : 'must be digits'),
  'phone-number': (value) =>
    /^\+[1-9]\d{1,14}$/.test(value) ? undefined : 'must be a phone number in E.164, such as +441483000000',
  locked: () => 'is locked: it cannot be changed',
  'address-list-or-empty': expensive((value) => (value === '' ? undefined : addressList(value))),
  'web-address-or-empty': (value) =>
    value === '' || isWebAddress(value)
      ? undefined
      : 'must be an address such as https://example.com/hook, without a password',
  uuid: (value) => (isUuid(value) ? undefined : 'must be a uuid'),
  country: (value) => (countries.has(value) ? undefined : 'must be a country code of ISO 3166-1 alpha-2'),
  currency: (value) => (currencies.has(value) ? undefined : 'must be a currency code of ISO 4217'),
  'regular-expression': expensive((value) => {
    const problem = text(value);
    if (problem !== undefined) return problem;
    if (costOfExpression(value) > expressionCost_max)
      return `repeats too much: compiled, it may have at most ${expressionCost_max} instructions`;
    try {
      // RE2 takes no expression that could backtrack without bound, so none is stored either.
      RE2JS.compile(value);
      return undefined;
    } catch {
      return 'must be a regular expression (RE2: no look-around, no back-references)';
    }
  }),
  'address-range': expensive((value) => {
    try {
      const isOne = asRanges(value).length === 1 && !/[\s,]/.test(value);
      return isOne ? undefined : 'must be one address or one CIDR range';
    } catch {
      return 'must be an address or a CIDR range';
    }
  }),
  'like-pattern': (value) =>
    // As the pattern is compared: NFKC makes a backslash of the fullwidth one.
    /(^|[^\\])(\\\\)*\\$/.test(value.normalize('NFKC'))
      ? 'must not end with a single backslash'
      : text(value),
  time: (value) =>
    parseTime(value)
      ? undefined
      : "must be a time (UTC) that exists, such as '09:57:29.000 GMT Wed Nov 18 2009' or 2009-11-18T09:57:29Z",
  money,
  credit: (value) => {
    if (!/^(0|[1-9]\d{0,13})(\.\d{1,3})?$/.test(value))
      return 'must be a decimal with at most 3 places, such as 10.000';
    return exceeds('0.01', value) ? 'must be at least 0.01' : undefined;
  },
  'money-not-negative': (value) => money(value) ?? (isNegative(value) ? 'must be at least 0' : undefined),
  'money-positive': (value) => money(value) ?? (isPositive(value) ? undefined : 'must be more than 0'),
} as const satisfies Record<string, Format>;

export type FormatName = keyof typeof formats;
