/**
 * Whether a secret got out, for every server of the suite. What callers send is listened to at the server's sockets,
 * and every password, token and key in it is remembered, as is what the server gives out itself; then no answer, no
 * line of the log and no row of the database may hold it. What a server tells once (a token, a one-time password) may
 * stand in that one answer. `startServer` looks when a server is closed.
 */
import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Server } from 'node:http';
import { Client, type ClientConfig } from 'pg';

interface Secret {
  readonly what: string;
  /** The one answer that may hold it. */
  readonly toldIn?: string;
}

/** Of one test file: jest loads this module anew for each. */
const secrets = new Map<string, Secret>();
/** The same by their first characters: where there are thousands, a text is gone through once and not for each. */
const byBeginning = new Map<string, readonly string[]>();
const beginning_characters = 8;
const many = 200;

/**
 * Only what would not stand somewhere by chance is looked for: 10 characters and more, of ASCII, with letters, and
 * with a digit or a hyphen among them.
 */
const isDistinctive = (text: string): boolean =>
  /^[\x21-\x7e]{10,4096}$/.test(text) && /[a-z]/i.test(text) && /[\d-]/.test(text);

/** A part of a text holds the whole text in memory. */
const copyOf = (text: string): string => Buffer.from(text, 'latin1').toString('latin1');

export function addSecret(text: string, what: string, toldIn?: string): void {
  if (!isDistinctive(text) || secrets.has(text)) return;
  const beginning = copyOf(text.slice(0, beginning_characters));
  byBeginning.set(beginning, [...(byBeginning.get(beginning) ?? []), copyOf(text)]);
  secrets.set(copyOf(text), { what, ...(toldIn !== undefined && { toldIn }) });
}

/** In XML and in JSON. */
const membersNamed = (names: string): RegExp[] => [
  new RegExp(`<name>\\s*(${names})\\s*</name>\\s*<value>(?:<string>)?([^<]+)`, 'g'),
  new RegExp(`"(${names})"\\s*:\\s*"([^"\\\\]+)"`, 'g'),
];
const names = '(?:\\w*password|token|accesskey|webhook_key|secret_key)';
const ofMembers = membersNamed(names);
/** Whoever tries a login as its password has told no secret. */
const ofLogins = membersNamed('username|web_login|login');
const ofRequests = [
  ...ofMembers,
  /\r\n(x-auth-password): *([^\r\n]+)/gi,
  /\r\nauthorization: *(bearer) +(\S+)/gi,
  /\r\ncookie:[^\r\n]*\b(token)=([^;\s]+)/gi,
  new RegExp(`[?&](${names})=([^&\\s#]+)`, 'g'),
];
const ofAnswers = [...ofMembers, /\r\nset-cookie: *(token)=([^;\s]+)/gi];

const foundBy = (patterns: readonly RegExp[], text: string): (readonly [text: string, what: string])[] =>
  patterns.flatMap((pattern) =>
    [...text.matchAll(pattern)].map(([, what = '', secret = '']) => [secret, what] as const),
  );

/** Login and password, as they are sent, as they are, and as the hash that is as good as the password. */
function learnBasic(text: string): void {
  for (const [, encoded = ''] of text.matchAll(/\r\nauthorization: *basic +([A-Za-z0-9+/=]+)/gi)) {
    const [, login, password] = /^([^:]*):([^]*)$/.exec(Buffer.from(encoded, 'base64').toString()) ?? [];
    if (secrets.has(encoded.replace(/=+$/, ''))) continue;
    if (login === undefined || password === undefined || login === password || !isDistinctive(password))
      continue;
    addSecret(password, 'a password of Basic');
    addSecret(encoded.replace(/=+$/, ''), 'what Basic sends');
    for (const hash of ['md5', 'sha256']) {
      addSecret(createHash(hash).update(`${login}:Treeline:${password}`).digest('hex'), `HA1 by ${hash}`);
    }
  }
}

const startsRequest = /^(GET|POST|PUT|PATCH|DELETE) /;
const heardAtMost = 20_000;
const longest = 4_096;
let connections = 0;

/** Listens on a connection; `leak` is told of every secret in an answer that has no place there. */
function listen(socket: Socket, leak: (what: string) => void): void {
  const connection = (connections += 1);
  let [request, heard, said] = [0, '', ''];
  socket.on('data', (chunk: Buffer) => {
    request += 1;
    said = '';
    const arrived = chunk.toString('latin1');
    // Of a connection that is kept alive only the last request is looked at, or each would be again and again.
    heard = startsRequest.test(arrived) ? arrived : heard + arrived;
    learnBasic(heard);
    const logins = new Set(foundBy(ofLogins, heard).map(([text]) => text));
    for (const [text, what] of foundBy(ofRequests, heard)) if (!logins.has(text)) addSecret(text, what);
    heard = copyOf(heard.slice(-heardAtMost));
  });
  const write = socket.write.bind(socket) as (...given: unknown[]) => boolean;
  socket.write = (chunk: unknown, ...rest: unknown[]): boolean => {
    said += typeof chunk === 'string' ? chunk : (chunk as Buffer).toString('latin1');
    const answer = `${connection}.${request}`;
    for (const [text, what] of foundBy(ofAnswers, said)) addSecret(text, `${what}, told once`, answer);
    for (const { what, toldIn } of secretsIn(said)) if (toldIn !== answer) leak(what);
    said = copyOf(said.slice(-longest));
    return write(chunk, ...rest);
  };
}

const rowsAtMost = 100_000;

/** Every row of every table as text. Nothing where the database is away. */
export async function everyTable(connection: ClientConfig): Promise<ReadonlyMap<string, string>> {
  const client = new Client(connection);
  client.on('error', () => undefined);
  const texts = new Map<string, string>();
  try {
    await client.connect();
    const { rows: tables } = await client.query<{ name: string }>(
      `SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'`,
    );
    for (const { name } of tables) {
      const { rows } = await client.query<{ text: string }>(
        `SELECT t::text AS text FROM ${name} t LIMIT ${rowsAtMost}`,
      );
      texts.set(name, rows.map(({ text }) => text).join('\n'));
    }
  } finally {
    await client.end().catch(() => undefined);
  }
  return texts;
}

/** The secrets that stand in a text. */
function secretsIn(text: string): Secret[] {
  const found = (secret: string): Secret[] => [secrets.get(secret) ?? { what: secret }];
  if (secrets.size < many)
    return [...secrets.keys()].filter((secret) => text.includes(secret)).flatMap(found);
  const seen = new Set<string>();
  for (let at = 0; at + beginning_characters <= text.length; at += 1) {
    const begun = byBeginning.get(text.slice(at, at + beginning_characters)) ?? [];
    for (const secret of begun) if (text.startsWith(secret, at)) seen.add(secret);
  }
  return [...seen].flatMap(found);
}

/** Watches a server from its first connection on; answers how to ask what leaked until now. */
export function watchForLeaks(
  server: Server | undefined,
  logged: () => string,
  connection: ClientConfig,
): () => Promise<string[]> {
  const leaks = new Set<string>();
  const event = server && 'setSecureContext' in server ? 'secureConnection' : 'connection';
  server?.on(event, (socket: Socket) => {
    listen(socket, (what) => leaks.add(`${what}, in an answer`));
  });
  return async () => {
    const log = logged();
    for (const { what } of secretsIn(log)) leaks.add(`${what}, in the log`);
    const tables = await everyTable(connection).catch(() => new Map<string, string>());
    for (const [name, text] of tables)
      for (const { what } of secretsIn(text)) leaks.add(`${what}, in ${name}`);
    return [...leaks].sort();
  };
}
