/** What all kinds of inputs are made of: what is known of the server, bytes that are bent, odd texts, JSON by the grammar. */
import type { Random } from './random';

export interface Input {
  /** What was bent, for the report. */
  readonly kind: string;
  readonly bytes: Buffer;
  /** The server may take it for a part of a request, and wait for the rest. */
  readonly maybeUnfinished: boolean;
  /** Whether a right answer would be JSON. */
  readonly json: boolean;
  /** In whose envelope the answer must be. */
  readonly envelope?: 'reseller' | 'tenant';
  /** Where it comes from: who guesses passwords comes from elsewhere, or root would be locked out. */
  readonly from?: string;
}

export interface Known {
  readonly password: string;
  /** A nonce of the server, for the Digest answers. */
  readonly nonce: string;
  readonly methods: readonly string[];
  readonly members: readonly string[];
  /** The members that a method takes, each with its type on the wire. */
  readonly takes: ReadonlyMap<string, readonly (readonly [name: string, type: string])[]>;
  /** Somebody to call the REST faces as, made anew from time to time. */
  readonly subject: Subject;
}

/** A customer that calls over the REST faces, with things of its own. */
export interface Subject {
  readonly name: string;
  readonly password: string;
  readonly token: string;
  readonly accesskey: string;
  /** Customers below it. */
  readonly names: readonly string[];
  /** By the path at which they were made. */
  readonly uuids: ReadonlyMap<string, readonly string[]>;
}

export type Kind = (random: Random, known: Known) => Input;

const dictionary = [
  '<',
  '>',
  '&',
  ']]>',
  '<![CDATA[',
  '<!--',
  '-->',
  '<?',
  '<!DOCTYPE a [<!ENTITY b "c">]>',
  '&b;',
  '&#0;',
  '&#xD800;',
  '\r\n',
  '\r\n\r\n',
  '\0',
  '"',
  "'",
  ':',
  ';',
  ',',
  '\\',
  '\u2028',
  '\ufeff',
  '\ufffe',
  '9'.repeat(40),
  '1e400',
  '-0',
  'NaN',
  '%00',
  '%',
  '{',
  '}',
  '[',
  ']',
  '__proto__',
  'constructor',
  'null',
  'true',
  '<value>',
  '</value>',
  '<struct>',
  '</member>',
  '<nil/>',
  '<i8>',
  '<base64>',
  '</methodCall>',
  '\ud83d',
  'ﬀ',
  '../',
  '$1',
  "';--",
  '=1+1',
  '\u001b[2J',
].map((text) => Buffer.from(text));

export function bend(random: Random, bytes: Buffer, times: number): Buffer {
  let bent = bytes;
  for (let time = 0; time < times; time += 1) {
    const at = random.below(bent.length + 1);
    const cut = random.pick([0, 0, 1, 1, 2, 4, random.below(200)]);
    const put = random.pick([
      Buffer.alloc(0),
      Buffer.from([random.below(256)]),
      random.pick(dictionary),
      // Something that stood elsewhere.
      bent.subarray(random.below(bent.length + 1)).subarray(0, random.below(60)),
    ]);
    bent = Buffer.concat([bent.subarray(0, at), put, bent.subarray(at + cut)]);
  }
  return bent;
}

export const texts = [
  '',
  '0',
  '1',
  '-1',
  '2147483648',
  '1.5',
  '1e-09',
  '1e400',
  'true',
  'abc',
  'root',
  'ä€😀',
  '20091118T09:57:29',
  'QUJD',
  ' 7 ',
  '&lt;b&gt;',
  '%',
  "x' OR '1'='1",
  '(a+)+$',
  '[',
  '٣',
  '0x10',
  '=cmd()',
  '\t\n',
];

export function jsonValue(random: Random, known: Known, depth: number): string {
  const roll = random.below(depth > 6 ? 5 : 8);
  if (roll < 3) return JSON.stringify(random.pick(texts));
  if (roll < 5)
    return random.pick([
      '0',
      '-1',
      '1.5',
      '1e400',
      '12345678901234567890',
      'true',
      'null',
      '01',
      'NaN',
      '1.',
    ]);
  const items = Array.from({ length: random.below(4) }, () => jsonValue(random, known, depth + 1));
  if (roll === 5) return `[${items.join(',')}]`;
  return `{${items.map((item) => `${JSON.stringify(random.oneIn(12) ? '__proto__' : random.pick(known.members))}:${item}`).join(',')}}`;
}
