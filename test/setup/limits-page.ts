/**
 * The tables of `docs/reference/limits.md`: every limit with its value, its setting and the answer at the limit. The
 * values come from the settings and the declarations. A setting with a numeric default must be described here, so
 * that a new limit cannot be left out of the page.
 */
import { allMethods } from '../../src/server/app';
import { settings } from '../../src/base/config';
import type { Method } from '../../src/core/call/method';
import type { Operation } from '../../src/core/call/operation';
import { declared } from '../../src/core/schema/schema';
import { cursorQuery } from '../../src/core/call/cursor-pagination';
import { tenantBase } from '../../src/api/tenant/routes';
import { type FaultName, faultKinds } from '../../src/base/faults';
import { resellerOperations } from '../../src/api/reseller/operations';
import { multicallLimit } from '../../src/features/system/multicall';
import { tenantOperations } from '../../src/api/tenant/operations/operations';
import { table } from './markdown';

/** What a caller gets at a limit: a fault of the catalogue, or a sentence. */
type AtLimit = FaultName | { readonly words: string };

const words = (text: string): AtLimit => ({ words: text });

/** what callers get at each limit that is a setting, by the name of the setting. */
const atLimits: Readonly<Record<string, AtLimit>> = {
  TREELINE_ANSWER_TIMEOUT_MS: words('The connection closes.'),
  TREELINE_AUDIT_RETENTION_MONTHS: words('Older records are gone.'),
  TREELINE_BODY_LIMIT_BYTES: words('HTTP 413.'),
  TREELINE_BYTES_IN_ALL: 'unavailable',
  TREELINE_BYTES_PER_CALLER: 'unavailable',
  TREELINE_CALLS_PER_CALLER: words('Nothing: the call waits for its turn.'),
  TREELINE_CALL_BURST: words('Fault 429 (HTTP 429) with `Retry-After`.'),
  TREELINE_CALL_RATE: words('Fault 429 (HTTP 429) with `Retry-After`.'),
  TREELINE_CALL_TIMEOUT_MS: 'unavailable',
  TREELINE_CONNECTIONS_PER_ADDRESS: words('The connection closes; of a waiting request HTTP 503.'),
  TREELINE_DELETED_RETENTION_MINUTES: words('Nothing.'),
  TREELINE_FAILURES_PER_ADDRESS: 'too_many_failures',
  TREELINE_HASHES_AT_ONCE: words('Nothing: the login waits for its turn.'),
  TREELINE_HEADERS_LIMIT_BYTES: words('HTTP 431.'),
  TREELINE_IDEMPOTENCY_ANSWER_BYTES: 'conflict',
  TREELINE_IDEMPOTENCY_RETENTION_H: words('A later retry is a new call.'),
  TREELINE_LOGINS_PER_ADDRESS: words('Fault 429 (HTTP 429) with `Retry-After`.'),
  TREELINE_MEMBERS_LIMIT: 'not_a_call',
  TREELINE_MULTICALL_LIMIT_BYTES: words('A fault in the place of the later members that only read.'),
  TREELINE_NESTING_LIMIT: 'not_a_call',
  TREELINE_NONCE_LIFE_S: words('HTTP 401 with a new nonce and `stale=true`.'),
  TREELINE_ONE_TIME_PASSWORD_LIFE_H: words('The login fails as with a wrong password.'),
  TREELINE_PAGE_LIMIT_BYTES: words('A shorter page, with the cursor of the next.'),
  TREELINE_POOL_SIZE: words('Nothing: the call waits.'),
  TREELINE_POOL_WAIT_MS: 'unavailable',
  TREELINE_SLOW_POOL_SIZE: words('Nothing: the call waits.'),
  TREELINE_SLOW_READ_TIMEOUT_MS: 'unavailable',
  TREELINE_VALUES_LIMIT: 'not_a_call',
  TREELINE_WAITING_PER_CALLER: words('Fault 429 (HTTP 429) with `Retry-After`.'),
  TREELINE_WEBHOOK_BYTES: words('The tenant finds the event among its dead letters.'),
  TREELINE_WEBHOOK_EVENTS: words('The tenant finds the event among its dead letters.'),
  TREELINE_WEBHOOK_FAMILY_SLOTS: words('Nothing: the event waits.'),
  TREELINE_WEBHOOK_KEEP_DAYS: words('Older entries are gone.'),
  TREELINE_WEBHOOK_RETRY_S: words('The tenant finds the event among its dead letters.'),
  TREELINE_WEBHOOK_SLOTS: words('Nothing: the event waits.'),
  TREELINE_WEBHOOK_TIMEOUT_MS: words('The attempt counts as failed.'),
};

/** Settings whose default is a number and that limit no caller. */
const noLimits: readonly string[] = ['PORT', 'TREELINE_WORKERS'];

/** Limits that no setting changes. */
const fixed: readonly (readonly [what: string, amount: string, answer: AtLimit])[] = [
  ['Wrong API passwords of one login from one address', '20 in 15 minutes', 'too_many_failures'],
  ['Wrong passwords of one login for a token, from one address', '10 in 15 minutes', 'too_many_failures'],
  ['Wrong passwords of one login in authCustomer, for one actor', '10 in 15 minutes', 'too_many_failures'],
  ['Calls in one multicall', String(multicallLimit), 'bad_parameter'],
  [
    'Rows on one page of the tenant API (`page_size`)',
    String(declared(cursorQuery.page_size)['maximum']),
    'bad_parameter',
  ],
];

export function answerText(answer: AtLimit): string {
  if (typeof answer === 'object') return answer.words;
  const { number, http } = faultKinds[answer];
  const retry = answer === 'too_many_failures' || answer === 'unavailable' ? ' with `Retry-After`' : '';
  return `Fault ${number} (HTTP ${http})${retry}.`;
}

interface NamedSetting {
  readonly name: string;
  readonly fallback?: string;
  readonly meaning: string;
}

/** The settings that are limits; throws where one with a number is not described. */
export function limitSettings(
  all: readonly NamedSetting[] = Object.values(settings),
): readonly (NamedSetting & { readonly answer: AtLimit })[] {
  return all.flatMap((setting) => {
    const answer = atLimits[setting.name];
    if (answer !== undefined) return [{ ...setting, answer }];
    const isNumber = /^\d+$/.test(setting.fallback ?? '');
    if (!isNumber || noLimits.includes(setting.name)) return [];
    throw new Error(`Say in test/setup/limits-page.ts what a caller gets at the limit ${setting.name}`);
  });
}

interface Member {
  readonly where: string;
  readonly name: string;
  readonly schema: Readonly<Record<string, unknown>>;
}

/** A member is listed where it is a list, or a text longer than this. */
const longText = 255;

function membersOf(where: string, { params }: Pick<Method, 'params'>): Member[] {
  const walk = (prefix: string, properties: Readonly<Record<string, unknown>>): Member[] =>
    Object.entries(properties).flatMap(([key, given]) => {
      const schema = { ...declared(given as Parameters<typeof declared>[0]) };
      const name = `${prefix}${key}`;
      const items = schema['items'] as { properties?: Record<string, unknown> } | undefined;
      const inner = items?.properties ? walk(`${name}[].`, items.properties) : [];
      return [{ where, name, schema }, ...inner];
    });
  return walk('', params.properties);
}

function amountOf({ schema }: Member): string | undefined {
  const { maxItems, maxLength } = schema as { maxItems?: number; maxLength?: number };
  if (maxItems !== undefined) return `${maxItems} items`;
  return maxLength !== undefined && maxLength > longText ? `${maxLength} characters` : undefined;
}

/** Lists and long texts of all methods and operations; those of one name and limit stand together. */
function memberRows(): string[][] {
  const noCalls = (): never => {
    throw new Error('Documentation makes no calls');
  };
  const ofOperations = (base: string, operations: readonly Operation[]): Member[] =>
    operations.flatMap(({ verb, path, method }) => membersOf(`${verb} ${base}${path}`, method));
  const all = [
    ...allMethods(noCalls).flatMap((method) => membersOf(method.name, method)),
    ...ofOperations('', resellerOperations),
    ...ofOperations(tenantBase, tenantOperations),
  ];
  const places = new Map<string, string[]>();
  for (const member of all) {
    const amount = amountOf(member);
    if (amount === undefined) continue;
    const key = `${member.name}\n${amount}`;
    places.set(key, [...(places.get(key) ?? []), member.where]);
  }
  return [...places].map(([key, wheres]) => {
    const [name = '', amount = ''] = key.split('\n');
    return [`\`${name}\``, amount, wheres.map((where) => `\`${where}\``).join(', ')];
  });
}

/** Writes a number so that it can be read: bytes in binary units, others with commas. */
function readable(name: string, fallback: string): string {
  const value = Number(fallback);
  if (!/BYTES/.test(name)) return value.toLocaleString('en-US');
  return value >= 1_048_576 ? `${value / 1_048_576} MiB` : `${value / 1_024} KiB`;
}

/** The generated parts of the page, by the names of their markers. */
export const limitParts: Readonly<Record<string, () => string>> = {
  'limits-settings': () =>
    table(
      ['what', 'default', 'setting', 'at the limit'],
      limitSettings().map(({ name, fallback = '', meaning, answer }) => [
        meaning,
        readable(name, fallback),
        `\`${name}\``,
        answerText(answer),
      ]),
    ),
  'limits-fixed': () =>
    table(
      ['what', 'how much', 'at the limit'],
      fixed.map(([what, amount, answer]) => [what, amount, answerText(answer)]),
    ),
  'limits-members': () => table(['member', 'at most', 'where'], memberRows()),
};
