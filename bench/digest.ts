/** Digest as most clients do it: MD5, one nonce, counted up. */
import { hash } from 'node:crypto';

interface Target {
  readonly http_method: string;
  readonly path: string;
}

export const noSignature = (_target: Target): string => '';

/** Writes the header of one request after the other; `challenge` is the head of an answer. */
export function digestSigner(
  { name, password }: { name: string; password: string },
  challenge: string,
): (target: Target) => string {
  const [, realm, nonce] = /^www-authenticate: Digest realm="([^"]*)".* nonce="([^"]*)"/im.exec(
    challenge,
  ) ?? [undefined, undefined, undefined];
  if (realm === undefined || nonce === undefined) throw new Error(`No challenge:\n${challenge}`);
  const ha1 = md5(`${name}:${realm}:${password}`);
  const ha2s = new Map<string, string>();
  const cnonce = md5(nonce).slice(0, 16);
  let count = 0;
  return ({ http_method, path }) => {
    const target = `${http_method}:${path}`;
    const ha2 = ha2s.get(target) ?? md5(target);
    ha2s.set(target, ha2);
    count += 1;
    const nc = count.toString(16).padStart(8, '0');
    const response = md5(`${ha1}:${nonce}:${nc}:${cnonce}:auth:${ha2}`);
    return (
      `Authorization: Digest username="${name}", realm="${realm}", nonce="${nonce}", uri="${path}", ` +
      `qop=auth, nc=${nc}, cnonce="${cnonce}", response="${response}"\r\n`
    );
  };
}

const md5 = (text: string): string => hash('md5', text);
