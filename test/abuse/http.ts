/**
 * A small HTTP client for attackers and victims: it sends from a chosen loopback address, reads every answer to its
 * end, and keeps only the beginning of it, so that an answer of 100 MB does not fill the memory of the client.
 */
import { Agent, type IncomingMessage, request } from 'node:http';
import { xmlCall, xmlStruct, xmlText } from '../setup/raw';

export interface Sent {
  readonly verb?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Gives up after this time; 60 s. */
  readonly timeout_ms?: number;
  /** Opens a new connection for this request alone. */
  readonly fresh?: true;
  /** Keeps the whole answer instead of its first 64 KiB. */
  readonly whole?: true;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** The beginning of the body. */
  readonly text: string;
  /** The length of the whole body. */
  readonly bytes: number;
}

export interface Http {
  /** Rejects when the connection fails or the time is over. */
  send(sent: Sent): Promise<Answer>;
  readonly close: () => void;
}

const keptBytes = 65_536;
const patience_ms = 60_000;

export function openHttp(url: string, address?: string): Http {
  const { hostname, port } = new URL(url);
  const local = address === undefined ? {} : { localAddress: address };
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity, ...local });
  return {
    send: (sent) =>
      new Promise((resolve, reject) => {
        const { verb = 'GET', path, headers = {}, body } = sent;
        const bytes = body === undefined ? undefined : Buffer.from(body);
        const length = bytes === undefined ? {} : { 'content-length': bytes.length };
        const options = { hostname, port, method: verb, path, headers: { ...headers, ...length } };
        const outgoing = request({ ...options, ...(sent.fresh ? { agent: false, ...local } : { agent }) });
        const timer = setTimeout(() => {
          outgoing.destroy(Object.assign(new Error('No answer in time'), { code: 'TIMEOUT' }));
        }, sent.timeout_ms ?? patience_ms);
        const fail = (error: Error): void => {
          clearTimeout(timer);
          reject(error);
        };
        outgoing.once('error', fail).once('response', (response) => {
          read(response, sent.whole ? Infinity : keptBytes).then((answer) => {
            clearTimeout(timer);
            resolve(answer);
          }, fail);
        });
        outgoing.end(bytes);
      }),
    close: () => {
      agent.destroy();
    },
  };
}

function read(response: IncomingMessage, atMost: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const kept: Buffer[] = [];
    let bytes = 0;
    response.on('data', (chunk: Buffer) => {
      if (bytes < atMost) kept.push(chunk);
      bytes += chunk.length;
    });
    response.once('error', reject).once('end', () => {
      const { statusCode: status = 0, headers } = response;
      resolve({ status, headers, text: Buffer.concat(kept).toString(), bytes });
    });
  });
}

/** The number of the fault in an answer of XML-RPC or JSON; undefined: there is none. */
export function faultNumber({ text }: Pick<Answer, 'text'>): number | undefined {
  const xml = /<name>faultCode<\/name>\s*<value>\s*<int>(-?\d+)</.exec(text)?.[1];
  const found = xml ?? /^\{"faultCode":(-?\d+)/.exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
}

/** What an answer comes to in a count: its HTTP status, and its fault where it has one. */
export function outcomeOf(answer: Answer): string {
  const fault = faultNumber(answer);
  return fault === undefined ? `HTTP ${answer.status}` : `fault ${fault}`;
}

/** The code of a failed connection. */
export const failureOf = (error: unknown): string =>
  (error as { code?: string }).code ?? (error instanceof Error ? error.message : String(error));

export const basic = (login: string, password: string): string =>
  `Basic ${Buffer.from(`${login}:${password}`).toString('base64')}`;

type Value = string | number | boolean | null | readonly Value[] | { readonly [name: string]: Value };
export type Params = Readonly<Record<string, Value>>;

function xmlOf(value: Value): string {
  if (value === null) return '<nil/>';
  if (typeof value === 'boolean') return `<boolean>${value ? 1 : 0}</boolean>`;
  if (typeof value === 'number')
    return Number.isInteger(value) ? `<int>${value}</int>` : `<double>${value}</double>`;
  if (typeof value === 'string') return xmlText(value);
  if (Array.isArray(value))
    return `<array><data>${value.map((item: Value) => `<value>${xmlOf(item)}</value>`).join('')}</data></array>`;
  return xmlStruct(Object.fromEntries(Object.entries(value).map(([name, member]) => [name, xmlOf(member)])));
}

/** A call over XML-RPC. */
export const xmlRequest = (
  login: Login | undefined,
  method: string,
  params: Params | readonly Value[],
): Sent => ({
  verb: 'POST',
  path: '/xmlapi/xmlapi',
  headers: {
    'content-type': 'text/xml',
    ...(login && { authorization: basic(login.login, login.password) }),
  },
  body: xmlCall(method, xmlOf(params)),
});

/** A call of the JSON API. */
export const jsonRequest = (login: Login, method: string, params: Params): Sent => ({
  verb: 'POST',
  path: `/json/${method}`,
  headers: { 'content-type': 'application/json', authorization: basic(login.login, login.password) },
  body: JSON.stringify(params),
});

export interface Login {
  readonly login: string;
  readonly password: string;
}

/** A request of the tenant API. */
export const tenantRequest = (token: string, verb: Sent['verb'], path: string, body?: Params): Sent => ({
  verb: verb ?? 'GET',
  path: `/v1.0${path}`,
  headers: {
    authorization: `Bearer ${token}`,
    ...(body !== undefined && { 'content-type': 'application/json' }),
  },
  ...(body !== undefined && { body: JSON.stringify(body) }),
});

/** A request of the reseller API, by the customer's own login. */
export const resellerRequest = (
  { login, password }: Login,
  verb: Sent['verb'],
  path: string,
  body?: Params,
  actsFor?: string,
): Sent => ({
  verb: verb ?? 'GET',
  path,
  headers: {
    'x-auth-reseller': login,
    'x-auth-user': login,
    'x-auth-password': password,
    ...(actsFor !== undefined && { 'x-auth-for': actsFor }),
    ...(body !== undefined && { 'content-type': 'application/json' }),
  },
  ...(body !== undefined && { body: JSON.stringify(body) }),
});

export const loginRequest = ({ login, password }: Login): Sent => ({
  verb: 'POST',
  path: '/auth/login',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ username: login, password }),
});
