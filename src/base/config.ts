/**
 * Every setting, once: its name in the environment, how its text is read, its default, what it
 * means. docs/reference/settings.md is generated from this. A wrong value, and a TREELINE_ name that is
 * unknown, stop the start with a sentence that names it: a misspelled limit must not be silence.
 */
import { asLimits } from './limits';
import {
  type Setting,
  among,
  asAlgorithms,
  asApiPassword,
  asDigest,
  asKey,
  asKeys,
  asRanges,
  asText,
  asTrustedRanges,
  asWebPassword,
  setting,
  unset,
  whole,
} from './setting';

export { type AddressRange, asRanges, isTooWideToTrust } from './setting';

export const settings = {
  host: setting('HOST', '127.0.0.1', asText, 'The address where it listens.'),
  port: setting('PORT', '8080', whole(0, 65_535), 'The port where it listens; 0 takes a free one.'),
  database_url: unset(
    'DATABASE_URL',
    asText,
    'A PostgreSQL of yours (14 or later); unset: the embedded PostgreSQL in `DATA_DIR`.',
    'secret',
  ),
  data_dir: setting('DATA_DIR', './data', asText, 'Where the embedded database and the secret key live.'),
  secret_key: unset(
    'SECRET_KEY',
    asKey,
    '32 bytes in base64: encrypts credentials at rest and signs nonces. Unset with the embedded database: made once and kept in `DATA_DIR`. Required with `DATABASE_URL`.',
    'secret',
  ),
  secret_key_previous: unset(
    'SECRET_KEY_PREVIOUS',
    asKey,
    'The key before this one: what it sealed is still read. Needed until `treeline rotate-key` has run; for a day more one-time passwords and idempotency keys hold, for a week tokens.',
    'secret',
  ),
  root_api_password: unset(
    'ROOT_API_PASSWORD',
    asApiPassword,
    "Root's API password, set at the first start; unset: random, printed once.",
    'secret',
  ),
  root_web_password: unset(
    'ROOT_WEB_PASSWORD',
    asWebPassword,
    "Root's web password, set at the first start; unset: random, printed once.",
    'secret',
  ),
  trusted_hosts: setting(
    'TRUSTED_HOSTS',
    '',
    asTrustedRanges,
    'Addresses or CIDR ranges, separated by commas, whose calls run in trusted mode (no password); at most a /8 (IPv4) or a /32 (IPv6).',
  ),
  trusted_proxies: setting(
    'TRUSTED_PROXIES',
    '',
    asRanges,
    'Proxies whose forwarded address is believed; empty: none.',
  ),
  tls_cert: unset('TLS_CERT', asText, 'PEM file of the certificate; with `TLS_KEY`: HTTPS.'),
  tls_key: unset('TLS_KEY', asText, 'PEM file of the private key.'),
  token_keys: unset(
    'TREELINE_TOKEN_KEYS',
    asKeys,
    'Keys for the tokens of the tenant API, 32 bytes in base64 each, separated by commas: the first signs, all are believed. Unset: one made from `SECRET_KEY`.',
    'secret',
  ),
  webhook_ranges: setting(
    'TREELINE_WEBHOOK_RANGES',
    '',
    asRanges,
    'Addresses or CIDR ranges that webhooks may go to although they are private; empty: none. The metadata address of a cloud must be listed by itself.',
  ),
  webhook_timeout_ms: setting(
    'TREELINE_WEBHOOK_TIMEOUT_MS',
    '10000',
    whole(100, 60_000),
    'How long one delivery to a webhook may take, from the look-up of the name to the status, in milliseconds.',
  ),
  webhook_slots: setting(
    'TREELINE_WEBHOOK_SLOTS',
    '32',
    whole(1, 1_000),
    'How many deliveries to webhooks each process makes at once.',
  ),
  webhook_family_slots: setting(
    'TREELINE_WEBHOOK_FAMILY_SLOTS',
    '4',
    whole(1, 1_000),
    'How many of them one customer directly below root has, together with all below it.',
  ),
  webhook_retry_s: setting(
    'TREELINE_WEBHOOK_RETRY_S',
    '86400',
    whole(1, 2_592_000),
    'How long a webhook event is tried before it becomes a dead letter, in seconds.',
  ),
  webhook_events: setting(
    'TREELINE_WEBHOOK_EVENTS',
    '10000',
    whole(1, 1_000_000),
    'How many webhook events of one tenant may wait, and how many dead letters are kept.',
  ),
  webhook_bytes: setting(
    'TREELINE_WEBHOOK_BYTES',
    '16777216',
    whole(1_024, 1_073_741_824),
    'How many bytes of webhook events of one tenant may wait, and how many of dead letters are kept.',
  ),
  webhook_keep_days: setting(
    'TREELINE_WEBHOOK_KEEP_DAYS',
    '30',
    whole(1, 3_650),
    'How long dead letters and the log of deliveries are kept, in days.',
  ),
  metrics_token: unset(
    'METRICS_TOKEN',
    asDigest,
    'A bearer token that opens `/metrics` to other addresses than loopback and trusted hosts.',
    'secret',
  ),
  log_level: setting(
    'LOG_LEVEL',
    'info',
    among('error', 'warn', 'info', 'debug'),
    'The least severe level that is logged.',
  ),
  digest: setting(
    'TREELINE_DIGEST',
    'MD5,SHA-256',
    asAlgorithms,
    'Digest algorithms offered, in this order.',
  ),
  balance_sign: setting(
    'TREELINE_BALANCE_SIGN',
    'natural',
    among('natural', 'inverted'),
    '`inverted`: getCustomerInfo answers minus the balance, as the switch does that this API comes from.',
  ),
  unknown_parameters: setting(
    'TREELINE_UNKNOWN_PARAMETERS',
    'refuse',
    among('refuse', 'ignore'),
    '`ignore`: unknown members are dropped and logged.',
  ),
  api_php: setting(
    'TREELINE_API_PHP',
    'off',
    among('off', 'on'),
    '`on`: serve the old form `GET /api.php?username=&apipassword=&action=&JSONString=`, over TLS or loopback.',
  ),
  nonce_life_s: setting(
    'TREELINE_NONCE_LIFE_S',
    '60',
    whole(1, 3_600),
    'How long a Digest nonce lives, in seconds.',
  ),
  one_time_password_life_h: setting(
    'TREELINE_ONE_TIME_PASSWORD_LIFE_H',
    '24',
    whole(1, 720),
    'How long a one-time password lives, in hours.',
  ),
  body_limit_bytes: setting(
    'TREELINE_BODY_LIMIT_BYTES',
    '1048576',
    whole(1_024, 1_073_741_824),
    'The largest body of a request, also after inflation.',
  ),
  headers_limit_bytes: setting(
    'TREELINE_HEADERS_LIMIT_BYTES',
    '16384',
    whole(4_096, 1_048_576),
    'The largest headers of a request.',
  ),
  nesting_limit: setting('TREELINE_NESTING_LIMIT', '32', whole(4, 1_000), 'How deep values may be nested.'),
  members_limit: setting(
    'TREELINE_MEMBERS_LIMIT',
    '1000',
    whole(100, 100_000),
    'How many members one struct or array may have.',
  ),
  page_limit_bytes: setting(
    'TREELINE_PAGE_LIMIT_BYTES',
    '524288',
    whole(4_096, 67_108_864),
    'How many bytes of rows one page of a list may have; a longer one is cut short and has a next one. Long lists over XML-RPC and JSON come in pieces of this size.',
  ),
  multicall_limit_bytes: setting(
    'TREELINE_MULTICALL_LIMIT_BYTES',
    '2097152',
    whole(65_536, 268_435_456),
    'How many bytes the answers of one multicall may hold together; reading calls beyond it are refused.',
  ),
  values_limit: setting(
    'TREELINE_VALUES_LIMIT',
    '50000',
    whole(1_000, 10_000_000),
    'How many values one body may hold, at every depth together.',
  ),
  call_timeout_ms: setting(
    'TREELINE_CALL_TIMEOUT_MS',
    '30000',
    whole(100, 600_000),
    'How long one call may take, in milliseconds.',
  ),
  limits: setting(
    'TREELINE_LIMITS',
    '',
    asLimits,
    'Limits on what can be made, as `NAME=NUMBER` separated by commas; those left out are as in docs/reference/quotas.md.',
  ),
  audit_retention_months: setting(
    'TREELINE_AUDIT_RETENTION_MONTHS',
    '24',
    whole(0, 1_200),
    'How many whole months audit records are kept beside the current one; 0: for ever.',
  ),
  deleted_retention_minutes: setting(
    'TREELINE_DELETED_RETENTION_MINUTES',
    '10',
    whole(1, 5_256_000),
    'After how many minutes a deleted number, SIP user, flow, web user or the like leaves the database.',
  ),
  idempotency_retention_h: setting(
    'TREELINE_IDEMPOTENCY_RETENTION_H',
    '24',
    whole(1, 8_760),
    'How long an idempotency key and its answer are kept, in hours.',
  ),
  idempotency_answer_bytes: setting(
    'TREELINE_IDEMPOTENCY_ANSWER_BYTES',
    '4096',
    whole(256, 1_048_576),
    'The largest answer that is kept with an idempotency key; a repeated call whose answer was larger is 409, and nothing is done twice.',
  ),
  workers: setting(
    'TREELINE_WORKERS',
    '1',
    whole(1, 64),
    'How many processes serve; each has its own connections to PostgreSQL.',
  ),
  pool_size: setting('TREELINE_POOL_SIZE', '16', whole(1, 1_000), 'Connections to PostgreSQL.'),
  pool_wait_ms: setting(
    'TREELINE_POOL_WAIT_MS',
    '5000',
    whole(100, 600_000),
    'How long a call waits for a free connection before it answers 503, in milliseconds.',
  ),
  slow_pool_size: setting(
    'TREELINE_SLOW_POOL_SIZE',
    '4',
    whole(1, 1_000),
    'Connections to PostgreSQL for slow reads alone, such as audit records, statements, totals and patterns.',
  ),
  slow_read_timeout_ms: setting(
    'TREELINE_SLOW_READ_TIMEOUT_MS',
    '5000',
    whole(100, 600_000),
    'How long one statement of a slow read may take before the call answers 503, in milliseconds.',
  ),
  calls_per_caller: setting(
    'TREELINE_CALLS_PER_CALLER',
    '8',
    whole(1, 1_000),
    "How many of one customer's calls may hold a connection at once; it never gets all of them, and three eighths of this while the server is busy with several callers.",
  ),
  waiting_per_caller: setting(
    'TREELINE_WAITING_PER_CALLER',
    '1000',
    whole(1, 100_000),
    "How many of one customer's calls may wait for their turn; one more answers 429.",
  ),
  call_rate: setting(
    'TREELINE_CALL_RATE',
    '10000',
    whole(1, 1_000_000),
    'How many calls a second one customer may make; faster ones answer 429.',
  ),
  call_burst: setting(
    'TREELINE_CALL_BURST',
    '20000',
    whole(1, 10_000_000),
    'How many calls a customer that was quiet may make at once before the rate holds.',
  ),
  hashes_at_once: setting(
    'TREELINE_HASHES_AT_ONCE',
    '2',
    whole(1, 64),
    'How many web passwords are hashed at once; about the number of cores.',
  ),
  logins_per_address: setting(
    'TREELINE_LOGINS_PER_ADDRESS',
    '1000',
    whole(1, 100_000),
    'How many requests of one address may wait for their credentials to be checked; one more answers 429.',
  ),
  connections_per_address: setting(
    'TREELINE_CONNECTIONS_PER_ADDRESS',
    '1024',
    whole(1, 1_000_000),
    'How many connections one address may have open: a new one then takes the place of an idle one. Trusted proxies have no limit. Also how many requests of one login at one address may wait to be read; one more answers 503.',
  ),
  failures_per_address: setting(
    'TREELINE_FAILURES_PER_ADDRESS',
    '100',
    whole(20, 1_000_000),
    'How many failed logins one address has in 15 minutes, over all logins; an IPv6 address counts as its /64.',
  ),
  bytes_per_caller: setting(
    'TREELINE_BYTES_PER_CALLER',
    '16777216',
    whole(1_048_576, 1_099_511_627_776),
    "How many bytes of one caller's bodies and unread answers are held in memory; over it a request answers 503.",
  ),
  bytes_in_all: setting(
    'TREELINE_BYTES_IN_ALL',
    '100663296',
    whole(1_048_576, 1_099_511_627_776),
    'The same of all callers of one process together.',
  ),
  answer_timeout_ms: setting(
    'TREELINE_ANSWER_TIMEOUT_MS',
    '30000',
    whole(100, 600_000),
    'How long a caller may leave an answer unread before its connection is closed, in milliseconds.',
  ),
} as const satisfies Record<string, Setting<unknown>>;

export type Config = { readonly [K in keyof typeof settings]: ReturnType<(typeof settings)[K]['read']> };

/** A mistake in the settings; the text names the setting and what it must be. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** Reads and checks the environment. Throws ConfigError; answers a frozen object. */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const known = new Set<string>(Object.values(settings).map((entry) => entry.name));
  const unknown = Object.keys(environment).find((name) => name.startsWith('TREELINE_') && !known.has(name));
  if (unknown !== undefined)
    throw new ConfigError(
      `${unknown} is not a setting of Treeline; see docs/reference/settings.md for those that are`,
    );

  const entries = Object.entries<Setting<unknown>>(settings).map(([key, entry]) => {
    const given = environment[entry.name];
    const text = given === undefined || given === '' ? entry.fallback : given;
    if (text === undefined) return [key, undefined];
    try {
      return [key, entry.read(text)];
    } catch (error) {
      const rule = error instanceof Error ? error.message : String(error);
      const shown = entry.secret ? '' : `, not "${text}"`;
      throw new ConfigError(`${entry.name} must be ${rule}${shown}`);
    }
  });
  return Object.freeze(checkTogether(Object.fromEntries(entries) as Config));
}

function checkTogether(config: Config): Config {
  if (config.database_url !== undefined && config.secret_key === undefined) {
    throw new ConfigError(
      'SECRET_KEY must be set when DATABASE_URL is: 32 bytes in base64, the same on every server of this database',
    );
  }
  if ((config.tls_cert === undefined) !== (config.tls_key === undefined)) {
    throw new ConfigError('TLS_CERT and TLS_KEY must be set together');
  }
  return config;
}
