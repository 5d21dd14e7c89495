/** HTTP Digest (RFC 7616), the client's side, written from the RFC so that each field can be bent. */
import { createHash, randomBytes } from 'node:crypto';
import { type RawAnswer, type RequestParts, exchange, headersOf } from './raw-http';

export type Algorithm = 'MD5' | 'SHA-256';

/** The fields of an Authorization header, in order, unquoted. */
export type Fields = Readonly<Record<string, string>>;

export interface Answering {
  readonly login: string;
  readonly password: string;
  readonly nonce: string;
  /** A number, or its text as it goes out. */
  readonly nc?: number | string;
  readonly algorithm?: Algorithm;
  readonly realm?: string;
  readonly method?: string;
  readonly uri?: string;
  readonly cnonce?: string;
  readonly qop?: string;
}

const hash = (algorithm: Algorithm, text: string): string =>
  createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
    .update(text)
    .digest('hex');

/** What a correct client answers to a challenge. */
export function digestFields(answering: Answering): Fields {
  const { login, password, nonce, algorithm = 'MD5', realm = 'Treeline', method = 'POST' } = answering;
  const { uri = '/xmlapi/xmlapi', cnonce = randomBytes(8).toString('hex'), qop = 'auth' } = answering;
  const { nc: count = 1 } = answering;
  const nc = typeof count === 'string' ? count : count.toString(16).padStart(8, '0');
  const ha1 = hash(algorithm, `${login}:${realm}:${password}`);
  const ha2 = hash(algorithm, `${method}:${uri}`);
  const response = hash(algorithm, `${ha1}:${nonce}:${nc}:${cnonce}:${qop}:${ha2}`);
  return { username: login, realm, nonce, uri, algorithm, qop, nc, cnonce, response };
}

/** The fields that RFC 7616 wants without quotes. */
const bare: readonly string[] = ['algorithm', 'qop', 'nc'];

/** The header line; `unquoted` names the fields that go out bare. */
export function digestHeader(fields: Fields, unquoted = bare): string {
  const written = Object.entries(fields).map(([name, value]) => {
    const text = Buffer.from(value).toString('latin1');
    return unquoted.includes(name) ? `${name}=${text}` : `${name}="${text.replace(/["\\]/g, '\\$&')}"`;
  });
  return `Authorization: Digest ${written.join(', ')}`;
}

/** A request with this Authorization. */
export const digestExchange = (
  url: string,
  fields: Fields,
  parts: RequestParts & { unquoted?: readonly string[]; localAddress?: string } = {},
): Promise<RawAnswer> =>
  exchange(
    url,
    { ...parts, headers: [digestHeader(fields, parts.unquoted), ...(parts.headers ?? [])] },
    parts.localAddress === undefined ? {} : { localAddress: parts.localAddress },
  );

export interface Challenge {
  readonly scheme: string;
  readonly fields: Fields;
  readonly line: string;
}

/** The challenges of a 401, in order. */
export const challengesOf = (answer: RawAnswer): Challenge[] =>
  headersOf(answer, 'www-authenticate').map((line) => {
    const scheme = line.split(' ', 1)[0] ?? '';
    const pairs = [...line.slice(scheme.length).matchAll(/(\w+)=(?:"([^"]*)"|([^\s,]+))/g)];
    const fields = pairs.map(([, name, quoted, bareValue]) => [name, quoted ?? bareValue] as const);
    return { scheme, fields: Object.fromEntries(fields) as Fields, line };
  });

/** Whether the server says that the password was right and only the proof is too old. */
export const isStale = (answer: RawAnswer): boolean => {
  const digests = challengesOf(answer).filter(({ scheme }) => scheme === 'Digest');
  const stale = digests.filter(({ fields }) => fields['stale'] === 'true');
  if (stale.length !== 0 && stale.length !== digests.length) throw new Error('The challenges disagree');
  return stale.length > 0;
};

/** A new nonce of the server. */
export async function freshNonce(url: string): Promise<string> {
  const [challenge] = challengesOf(await exchange(url));
  const nonce = challenge?.fields['nonce'];
  if (nonce === undefined) throw new Error('The server gave no nonce');
  return nonce;
}
