/**
 * HTTP Digest (RFC 7616), the server's side. Nonces are signed, not stored: any server with the
 * same SECRET_KEY can check one that another made. What was used of a nonce is remembered by the
 * process that saw it, for as long as the nonce lives.
 */
import { type Hash, createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import {
  type DigestAlgorithm,
  type SealedHa1,
  digestHash,
  nodeHashName,
  realm,
} from '../../../core/auth/credentials';
import { nameKey } from '../../../core/schema/normalize-name';
import { createReplayGuard } from './replay';

export interface DigestAnswer {
  readonly username: string;
  readonly nonce: string;
  readonly uri: string;
  readonly response: string;
  readonly cnonce: string;
  readonly nc: string;
  readonly algorithm: DigestAlgorithm;
}

export interface Digest {
  /** One header line for each algorithm, in the configured order; for some callers MD5 alone will do. */
  challenges(stale: boolean, md5Only: boolean): readonly string[];
  /** What the header claims; undefined if it is no complete Digest answer of the kind that was asked for. */
  read(header: string): DigestAnswer | undefined;
  /** Whether the answer fits the HA1, whatever the age of its nonce. */
  matches(answer: DigestAnswer, ha1: SealedHa1, http_method: string): boolean;
  nonceState(nonce: string): 'alive' | 'expired' | 'foreign';
  /** Takes the count of the nonce; false if this process saw it before. Only for answers that match. */
  takeCount(answer: DigestAnswer): boolean;
}

interface Options {
  /** The first signs; those of all are accepted. */
  readonly nonce_keys: readonly [Buffer, ...Buffer[]];
  readonly algorithms: readonly DigestAlgorithm[];
  readonly nonce_life_ms: number;
}

const stampBytes = 8;
const saltBytes = 8;
const signatureBytes = 16;
const oursAtMost = 4_000;

/** A nonce whose signature was found right. */
interface OurNonce {
  readonly stamp: number;
  /** The hash that answers with it begin with, for the last who used it. */
  begun?: { readonly ha1: SealedHa1; readonly algorithm: DigestAlgorithm; readonly hash: Hash };
}

export function createDigest({ nonce_keys, algorithms, nonce_life_ms }: Options): Digest {
  const replays = createReplayGuard(nonce_life_ms);
  const sign = (payload: Buffer, key = nonce_keys[0]): Buffer =>
    createHmac('sha256', key).update(payload).digest().subarray(0, signatureBytes);

  const newNonce = (): string => {
    const payload = Buffer.alloc(stampBytes + saltBytes);
    payload.writeBigUInt64BE(BigInt(Date.now()));
    randomBytes(saltBytes).copy(payload, stampBytes);
    return Buffer.concat([payload, sign(payload)]).toString('base64url');
  };

  /** When the nonce was made, if a server of ours made it. */
  const stampOf = (nonce: string): number | undefined => {
    const bytes = Buffer.from(nonce, 'base64url');
    if (bytes.length !== stampBytes + saltBytes + signatureBytes || bytes.toString('base64url') !== nonce)
      return undefined;
    const payload = bytes.subarray(0, stampBytes + saltBytes);
    const signature = bytes.subarray(stampBytes + saltBytes);
    const isOurs = nonce_keys.some((key) => timingSafeEqual(sign(payload, key), signature));
    return isOurs ? Number(payload.readBigUInt64BE()) : undefined;
  };

  /** Most come again and again. */
  const ours = new Map<string, OurNonce>();

  /** Of HA1 and nonce, which stay the same from call to call. To open the HA1 costs more than all the rest, and nobody gets it back from the hash. */
  const beginHash = (ha1: SealedHa1, { nonce, algorithm }: DigestAnswer): Hash => {
    const known = ours.get(nonce);
    if (known?.begun?.ha1 === ha1 && known.begun.algorithm === algorithm) return known.begun.hash;
    const hash = createHash(nodeHashName[algorithm]).update(`${ha1()[algorithm]}:${nonce}:`);
    if (known) known.begun = { ha1, algorithm, hash };
    return hash;
  };

  return {
    challenges: (stale, md5Only) => {
      const nonce = newNonce();
      const offered = md5Only ? algorithms.filter((algorithm) => algorithm === 'MD5') : algorithms;
      return offered.map((algorithm) => {
        // Old clients know MD5 by the absence of a name.
        const name = algorithm === 'MD5' ? '' : `, algorithm=${algorithm}`;
        return `Digest realm="${realm}", qop="auth", nonce="${nonce}"${name}${stale ? ', stale=true' : ''}`;
      });
    },
    read: (header) => readAnswer(header, algorithms),
    matches: (answer, ha1, http_method) => {
      const ha2 = digestHash(answer.algorithm, `${http_method}:${answer.uri}`);
      const { nc, cnonce } = answer;
      const expected = beginHash(ha1, answer).copy().update(`${nc}:${cnonce}:auth:${ha2}`).digest('hex');
      return sameText(answer.response.toLowerCase(), expected);
    },
    nonceState: (nonce) => {
      const stamp = ours.get(nonce)?.stamp ?? stampOf(nonce);
      if (stamp === undefined) return 'foreign';
      if (!ours.has(nonce)) {
        if (ours.size >= oursAtMost) ours.clear();
        ours.set(nonce, { stamp });
      }
      // The clock of another server may be a little ahead; far ahead is no nonce of ours.
      return Math.abs(Date.now() - stamp) <= nonce_life_ms ? 'alive' : 'expired';
    },
    // By the key of the login, or the same answer would pass again under another spelling of it.
    takeCount: ({ nonce, nc, username }) => {
      const stamp = ours.get(nonce)?.stamp ?? stampOf(nonce) ?? -Infinity;
      return replays.take(nameKey(username), nonce, stamp, Number.parseInt(nc, 16));
    },
  };
}

function sameText(left: string, right: string): boolean {
  const a = Buffer.from(left);
  const b = Buffer.from(right);
  return a.length === b.length && timingSafeEqual(a, b);
}

function readAnswer(header: string, algorithms: readonly DigestAlgorithm[]): DigestAnswer | undefined {
  const fields = readFields(header);
  const algorithm = (fields?.get('algorithm') ?? 'MD5').toUpperCase();
  const known = algorithms.find((name) => name === algorithm);
  if (!fields || !known || fields.get('qop')?.toLowerCase() !== 'auth' || fields.get('realm') !== realm)
    return undefined;
  const answer = {
    username: fields.get('username') ?? '',
    nonce: fields.get('nonce') ?? '',
    uri: fields.get('uri') ?? '',
    response: fields.get('response') ?? '',
    cnonce: fields.get('cnonce') ?? '',
    nc: fields.get('nc') ?? '',
    algorithm: known,
  };
  const complete = Object.values(answer).every((value) => value !== '');
  return complete && /^[0-9a-f]{8}$/i.test(answer.nc) ? answer : undefined;
}

const field = /[\s,]*([A-Za-z0-9_*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))/y;

const isAscii = (text: string): boolean => !/[^\x00-\x7f]/.test(text);

/** `name=value` pairs, quoted or not; a name that comes twice makes the header unreadable. */
function readFields(header: string): ReadonlyMap<string, string> | undefined {
  const text = isAscii(header) ? header : Buffer.from(header, 'latin1').toString('utf8');
  const scheme = /^digest\s+/i.exec(text);
  if (!scheme) return undefined;
  const fields = new Map<string, string>();
  field.lastIndex = scheme[0].length;
  for (;;) {
    const start = field.lastIndex;
    const match = field.exec(text);
    if (!match) return /^[\s,]*$/.test(text.slice(start)) ? fields : undefined;
    const name = match[1]?.toLowerCase() ?? '';
    if (fields.has(name)) return undefined;
    // A backslash before anything else stands for itself: Python does not double those of a login.
    fields.set(name, match[2]?.replace(/\\(["\\])/g, '$1') ?? match[3] ?? '');
  }
}
