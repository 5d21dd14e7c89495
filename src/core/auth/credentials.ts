/**
 * Passwords and what is kept of them. A web password is kept as an argon2id hash. An API password
 * must answer Digest, so its HA1 (a hash of login, realm and password, one for each algorithm) is
 * kept, encrypted with a key that the database does not have. A one-time password is random, so a
 * keyed hash is enough for it.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hash as hashText,
  hkdfSync,
  randomBytes,
  randomInt,
} from 'node:crypto';
import { Algorithm, hash, verify } from '@node-rs/argon2';

/** Part of every HA1, so it can never change. */
export const realm = 'Treeline';

export type DigestAlgorithm = 'MD5' | 'SHA-256';

/** The hashes of login, realm and password in hexadecimal, one for each algorithm. */
export type Ha1 = Readonly<Record<DigestAlgorithm, string>>;

/** As an HA1 is remembered: open it is as good as the password to whoever sees our memory. */
export type SealedHa1 = () => Ha1;

/** Keys for each purpose, all derived from the one SECRET_KEY. */
export interface Credentials {
  /** Encrypts an HA1 for one customer; on another customer's row it decrypts to nothing. */
  sealHa1(ha1: Ha1, i_customer: number): Buffer;
  openHa1(sealed: Uint8Array, i_customer: number): Ha1;
  /** The HA1 sealed with the key of now, where it is sealed with the one before; undefined where it is already. */
  resealHa1(sealed: Uint8Array, i_customer: number): Buffer | undefined;
  hashOneTimePassword(password: string): Buffer;
  /** By the key of now, and by the one before while there is one. */
  hashesOfOneTimePassword(password: string): readonly Buffer[];
  /** What is kept of a login that somebody failed to prove. */
  hashLogin(login_key: string): string;
  /** The first signs nonces; those of any are accepted. */
  readonly nonce_keys: readonly [Buffer, ...Buffer[]];
  /** Of the members of a call, whatever their order: by the key of now, and by the one before while there is one. */
  hashesOfContent(content: Readonly<Record<string, unknown>>): readonly [string, ...string[]];
  /** Encrypts a secret that must be read again, for one row: on another it decrypts to nothing. */
  sealSecret(secret: string, row: string): Buffer;
  openSecret(sealed: Uint8Array, row: string): string;
  /** Sign tokens, unless other keys are set: the first does, all are believed. */
  readonly token_keys: readonly Buffer[];
  /** As `resealHa1`. */
  resealSecret(sealed: Uint8Array, row: string): Buffer | undefined;
  /** Tells whether a database was made with this SECRET_KEY, and tells nothing else about it. */
  readonly check_value: string;
  /** The same of every key that is accepted. */
  readonly check_values: readonly string[];
}

export const nodeHashName = { MD5: 'md5', 'SHA-256': 'sha256' } as const;

export const digestHash = (algorithm: DigestAlgorithm, text: string): string =>
  hashText(nodeHashName[algorithm], text);

export function ha1Of(login: string, password: string): Ha1 {
  const text = `${login}:${realm}:${password}`;
  return { MD5: digestHash('MD5', text), 'SHA-256': digestHash('SHA-256', text) };
}

/** The keys that come of one SECRET_KEY, one for each purpose. */
function deriveKeys(secret_key: Buffer) {
  const derive = (purpose: string): Buffer =>
    Buffer.from(hkdfSync('sha256', secret_key, Buffer.alloc(0), `treeline ${purpose}`, 32));
  return {
    ha1: derive('ha1'),
    oneTime: derive('one-time-password'),
    nonce: derive('nonce'),
    content: derive('content'),
    secret: derive('secret'),
    login: derive('login'),
    token: derive('token'),
    check_value: createHmac('sha256', derive('check')).update('Treeline').digest('hex'),
  };
}

/** `previous`: the key before, of which everything is still accepted; nothing new is made with it. */
export function openCredentials(secret_key: Buffer, previous?: Buffer): Credentials {
  const now = deriveKeys(secret_key);
  const before = previous && deriveKeys(previous);
  const all = before ? [now, before] : [now];
  const hashWith = (key: Buffer, password: string): Buffer =>
    createHmac('sha256', key).update(password, 'utf8').digest();
  const open = (purpose: 'ha1' | 'secret', sealed: Uint8Array, row: string): Buffer => {
    const text = before && tryUnseal(now[purpose], sealed, row);
    return text ?? unseal((before ?? now)[purpose], sealed, row);
  };
  const reseal = (purpose: 'ha1' | 'secret', sealed: Uint8Array, row: string): Buffer | undefined =>
    tryUnseal(now[purpose], sealed, row) ? undefined : seal(now[purpose], open(purpose, sealed, row), row);

  return {
    sealHa1: (ha1, i_customer) =>
      seal(now.ha1, Buffer.from(ha1.MD5 + ha1['SHA-256'], 'hex'), String(i_customer)),
    openHa1: (sealed, i_customer) => {
      const both = open('ha1', sealed, String(i_customer)).toString('hex');
      return { MD5: both.slice(0, 32), 'SHA-256': both.slice(32) };
    },
    resealHa1: (sealed, i_customer) => reseal('ha1', sealed, String(i_customer)),
    hashOneTimePassword: (password) => hashWith(now.oneTime, password),
    hashesOfOneTimePassword: (password) => all.map(({ oneTime }) => hashWith(oneTime, password)),
    hashLogin: (login_key) => hashWith(now.login, login_key).toString('base64url'),
    hashesOfContent: (content) => {
      const sorted = JSON.stringify(Object.entries(content).sort(([a], [b]) => (a < b ? -1 : 1)));
      const by = (key: Buffer): string => createHmac('sha256', key).update(sorted, 'utf8').digest('hex');
      return [by(now.content), ...(before ? [by(before.content)] : [])];
    },
    sealSecret: (secret, row) => seal(now.secret, Buffer.from(secret, 'utf8'), row),
    openSecret: (sealed, row) => open('secret', sealed, row).toString('utf8'),
    resealSecret: (sealed, row) => reseal('secret', sealed, row),
    token_keys: all.map(({ token }) => token),
    nonce_keys: [now.nonce, ...(before ? [before.nonce] : [])],
    check_value: now.check_value,
    check_values: all.map(({ check_value }) => check_value),
  };
}

/** Undefined where another key sealed it. */
function tryUnseal(key: Buffer, sealed: Uint8Array, bound: string): Buffer | undefined {
  try {
    return unseal(key, sealed, bound);
  } catch {
    return undefined;
  }
}

const ivBytes = 12;
const tagBytes = 16;

/** AES-256-GCM; `bound` ties the text to its row. */
function seal(key: Buffer, text: Buffer, bound: string): Buffer {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(bound));
  return Buffer.concat([iv, cipher.update(text), cipher.final(), cipher.getAuthTag()]);
}

function unseal(key: Buffer, sealed: Uint8Array, bound: string): Buffer {
  const bytes = Buffer.from(sealed);
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, ivBytes))
    .setAAD(Buffer.from(bound))
    .setAuthTag(bytes.subarray(bytes.length - tagBytes));
  return Buffer.concat([decipher.update(bytes.subarray(ivBytes, bytes.length - tagBytes)), decipher.final()]);
}

/** OWASP's first choice for argon2id; 8 to 14 ms on a thread of the pool. */
const argon2 = { algorithm: Algorithm.Argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** Raw: calls and logins go through `hashing.ts`, which takes turns. */
export const hashPassword = (password: string): Promise<string> => hash(password, argon2);

let nobodys: Promise<string> | undefined;

/** Checks a password; without a stored hash it takes the same time and says no. */
export async function verifyPassword(stored: string | null | undefined, password: string): Promise<boolean> {
  nobodys ??= hashPassword(randomBytes(16).toString('hex'));
  const matches = await verify(stored ?? (await nobodys), password);
  return matches && stored !== null && stored !== undefined;
}

/** No letters or digits that are taken for one another when read aloud: 31 symbols. */
const alphabet = 'abcdefghjkmnpqrstuvwxyz23456789';

/** A random password that a person can type; 16 symbols are 79 bits. */
export function randomPassword(symbols = 16): string {
  return Array.from({ length: symbols }, () => alphabet[randomInt(alphabet.length)]).join('');
}
