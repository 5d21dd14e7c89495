/**
 * Tokens: what a person who logged in shows instead of the password. A token is signed and names the
 * person and the password that it was made for; whether that person still is one, and the password
 * still the same, is asked of the database (`authenticate-token.ts`).
 */
import { createHash, createHmac, createSecretKey, randomUUID } from 'node:crypto';
import { type JWTHeaderParameters, SignJWT, errors, jwtVerify } from 'jose';
import type { Config } from '../../base/config';
import type { Credentials } from './credentials';

export interface Claims {
  /** The uuid of the user. */
  readonly user: string;
  readonly token_id: string;
  /** Tells whether the password is still the one of then, and nothing else about it. */
  readonly proof: string;
  readonly expires_at: Date;
}

interface Keys {
  readonly config: Pick<Config, 'token_keys'>;
  readonly credentials: Pick<Credentials, 'token_keys'>;
}

const algorithm = 'HS256';
const issuer = 'treeline';

/** The first signs; all of them are believed, so that keys can be changed one after the other. */
const keysOf = ({ config, credentials }: Keys): readonly Buffer[] =>
  config.token_keys ?? credentials.token_keys;

const idOfKey = (key: Buffer): string => createHash('sha256').update(key).digest('base64url').slice(0, 12);

/** What a token says of the password: a new one, even of the same text, has another hash. */
const proofsOf = ({ credentials }: Keys, password_hash: string | null): readonly string[] =>
  credentials.token_keys.map((key) =>
    createHmac('sha256', key)
      .update(password_hash ?? '')
      .digest('base64url')
      .slice(0, 22),
  );

/** Whether the token was made for the password that is in force. */
export const isProven = (keys: Keys, { proof }: Claims, password_hash: string | null): boolean =>
  proofsOf(keys, password_hash).includes(proof);

export async function issueToken(
  keys: Keys,
  { user, password_hash }: { readonly user: string; readonly password_hash: string | null },
  now: Date,
  life_s: number,
): Promise<string> {
  const [key] = keysOf(keys);
  if (!key) throw new Error('There is no key to sign tokens with');
  const issued_s = Math.floor(now.getTime() / 1_000);
  return new SignJWT({ pwd: proofsOf(keys, password_hash)[0] })
    .setProtectedHeader({ alg: algorithm, kid: idOfKey(key), typ: 'JWT' })
    .setIssuer(issuer)
    .setSubject(user)
    .setJti(randomUUID())
    .setIssuedAt(issued_s)
    .setExpirationTime(issued_s + life_s)
    .sign(createSecretKey(key));
}

/** What the token claims, if one of our keys signed it and it has not expired. */
export async function readToken(keys: Keys, token: string): Promise<Claims | undefined> {
  const known = keysOf(keys);
  const keyOf = ({ kid }: JWTHeaderParameters) => {
    const key = known.find((one) => idOfKey(one) === kid);
    if (!key) throw new errors.JWKSNoMatchingKey();
    return createSecretKey(key);
  };
  try {
    const { payload } = await jwtVerify<{ pwd: unknown }>(token, keyOf, {
      algorithms: [algorithm],
      issuer,
      requiredClaims: ['sub', 'jti', 'exp'],
    });
    const { sub = '', jti = '', exp = 0, pwd } = payload;
    if (typeof pwd !== 'string') return undefined;
    return { user: sub, token_id: jti, proof: pwd, expires_at: new Date(exp * 1_000) };
  } catch (error) {
    if (error instanceof errors.JOSEError) return undefined;
    throw error;
  }
}
