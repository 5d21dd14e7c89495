/** Sends the calls of a history over real connections: XML-RPC or JSON, by Basic, by Digest or from a trusted host. */
import { Agent, request } from 'node:http';
import { digestFields, digestHeader, freshNonce } from '../setup/digest-client';
import { xmlCall, xmlStruct, xmlText } from '../setup/raw';
import { readAnswer } from '../setup/read-answer';
import { type Json, type Members, text } from './world';

/** How a call is sent. */
export interface Way {
  readonly face: 'xml' | 'json';
  readonly proof?: { readonly by: 'basic' | 'digest'; readonly login: string; readonly password: string };
}

/** How a request of a REST face is sent; what it is about is added to the query. */
export interface RestWay {
  readonly face: 'reseller' | 'tenant';
  readonly headers: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  /** Who that is, for the eye. */
  readonly words: string;
}

/** What came back. */
export type Outcome =
  /** `words` of a refusal are for the eye. */
  | { readonly status: number; readonly reason?: string; readonly words?: string }
  | { readonly fault: number; readonly text: string }
  | { readonly result: Json };

export interface Client {
  call(way: Way, method: string, params: Members): Promise<Outcome>;
  /** `operation` is verb and path; `params` are those of path, query and body together. */
  ask(way: RestWay, operation: string, params: Members): Promise<Outcome>;
  close(): void;
}

/** The address of loopback that the tests' servers trust. */
export const trustedAddress = '127.0.0.9';

const nonceLife_ms = 30_000;

export function openClient(url: string): Client {
  const own = new Agent({ keepAlive: true, maxSockets: 8 });
  const trusted = new Agent({ keepAlive: true, maxSockets: 8, localAddress: trustedAddress });
  let nonce = { text: '', count: 0, until: 0 };

  const authorization = async ({ proof }: Way, path: string): Promise<string | undefined> => {
    if (!proof) return undefined;
    const { by, login, password } = proof;
    if (by === 'basic') return `Basic ${Buffer.from(`${login}:${password}`).toString('base64')}`;
    if (Date.now() > nonce.until) {
      nonce = { text: await freshNonce(url), count: 0, until: Date.now() + nonceLife_ms };
    }
    nonce.count += 1;
    const algorithm = nonce.count % 2 === 0 ? 'MD5' : 'SHA-256';
    const fields = digestFields({
      login,
      password,
      nonce: nonce.text,
      nc: nonce.count,
      algorithm,
      uri: path,
    });
    return digestHeader(fields).replace(/^Authorization: /, '');
  };

  return {
    call: async (way, method, params) => {
      const isXml = way.face === 'xml';
      const path = isXml ? '/xmlapi/xmlapi' : `/json/${method}`;
      const header = await authorization(way, path);
      const body = isXml ? xmlOf(method, params) : JSON.stringify(params);
      const headers = header === undefined ? {} : { authorization: header };
      const sent = { verb: 'POST', url: `${url}${path}`, headers, body };
      const { status, bytes } = await send(sent, way.proof ? own : trusted);
      return isXml ? readXml(status, bytes) : readJson(status, bytes);
    },
    ask: async (way, operation, params) => {
      const { status, bytes } = await send(restRequest(url, way, operation, params), own);
      return way.face === 'reseller' ? readReseller(status, bytes) : readTenant(status, bytes);
    },
    close: () => {
      own.destroy();
      trusted.destroy();
    },
  };
}

interface Sent {
  readonly verb: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

function send({ verb, url, headers, body }: Sent, agent: Agent) {
  return new Promise<{ status: number; bytes: Buffer }>((resolve, reject) => {
    const length = body === '' ? {} : { 'content-length': Buffer.byteLength(body) };
    const sent = request(url, { method: verb, agent, headers: { ...headers, ...length } });
    sent.once('error', reject).once('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject).once('end', () => {
        resolve({ status: response.statusCode ?? 0, bytes: Buffer.concat(chunks) });
      });
    });
    // As bytes: Node would write a text and the head together, and the head in UTF-8 then.
    sent.end(Buffer.from(body));
  });
}

/** Each member stands where it belongs: in the path, in the query of what only reads, else in the body. */
function restRequest(url: string, way: RestWay, operation: string, params: Members): Sent {
  const [verb = '', template = ''] = operation.split(' ');
  const { idempotency_key: key, ...given } = params;
  const path = template.replaceAll(/\{(\w+)\}/g, (_all, name: string) =>
    encodeURIComponent(text(given[name])),
  );
  const others = Object.entries(given).filter(([name]) => !template.includes(`{${name}}`));
  const hasBody = verb === 'POST' || verb === 'PUT';
  const query = new URLSearchParams(way.query);
  if (!hasBody) for (const [name, value] of others) query.set(name, text(value));
  const search = query.size > 0 ? `?${query.toString()}` : '';
  // Over the tenant face a slash at the end makes no difference.
  const slash = way.face === 'tenant' && others.length % 2 === 1 ? '/' : '';
  return {
    verb,
    url: url + path + slash + search,
    headers: {
      ...Object.fromEntries(Object.entries(way.headers).map(([name, value]) => [name, asBytes(value)])),
      ...(hasBody && { 'content-type': 'application/json' }),
      ...(key !== undefined && { 'idempotency-key': text(key) }),
    },
    body: hasBody ? JSON.stringify(Object.fromEntries(others)) : '',
  };
}

/** Headers are bytes: a name is sent as UTF-8, each byte as a character. */
const asBytes = (value: string): string => Buffer.from(value, 'utf8').toString('latin1');

/** A multicall takes its calls as its one parameter, every other call one struct. */
const xmlOf = (method: string, params: Members): string =>
  xmlCall(method, xmlValue(method === 'system.multicall' ? (params['calls'] ?? []) : params));

function xmlValue(value: Json): string {
  if (value === null) return '<nil/>';
  if (typeof value === 'boolean') return `<boolean>${value ? 1 : 0}</boolean>`;
  if (typeof value === 'number')
    return Number.isInteger(value) ? `<int>${value}</int>` : `<double>${value}</double>`;
  if (typeof value === 'string') return xmlText(value);
  if (isList(value)) {
    return `<array><data>${value.map((item) => `<value>${xmlValue(item)}</value>`).join('')}</data></array>`;
  }
  return xmlStruct(
    Object.fromEntries(Object.entries(value).map(([name, member]) => [name, xmlValue(member)])),
  );
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);

function readXml(status: number, bytes: Buffer): Outcome {
  if (status !== 200) return { status };
  const read = readAnswer(bytes);
  if (read.fault) return { fault: read.fault.faultCode, text: read.fault.faultString };
  return { result: read.result as Json };
}

/** The HTTP statuses of the catalogue, as docs/reference/faults.md has them. */
const statusOfFault: Readonly<Record<number, number>> = {
  [-32700]: 400,
  [-32600]: 400,
  [-32601]: 404,
  400: 400,
  401: 400,
  402: 402,
  403: 403,
  404: 404,
  409: 409,
  410: 410,
  429: 429,
  500: 500,
  503: 503,
};

function readJson(status: number, bytes: Buffer): Outcome {
  const answer = JSON.parse(bytes.toString()) as Members;
  if (status === 200) return { result: answer };
  const { faultCode, faultString } = answer;
  // The door of the JSON face says 401 and 429 as the other one does.
  if (typeof faultCode !== 'number') return { status };
  if (statusOfFault[faultCode] !== status) throw new Error(`Fault ${faultCode} came with status ${status}`);
  return { fault: faultCode, text: JSON.stringify(faultString) };
}

/** The HTTP status of a fault of the catalogue. */
export const httpOf = (fault: number): number => statusOfFault[fault] ?? 0;

/** The envelope says what the head says. */
function readReseller(status: number, bytes: Buffer): Outcome {
  const { result = null, next, status_code } = JSON.parse(bytes.toString()) as Members;
  if (status_code !== status) throw new Error(`The envelope says ${text(status_code)}, the head ${status}`);
  if (status !== 200) return { status, words: bytes.toString() };
  return { result: next === undefined ? result : { items: result, next } };
}

function readTenant(status: number, bytes: Buffer): Outcome {
  const answer = JSON.parse(bytes.toString()) as Members;
  if (status === 200) return { result: answer };
  const { reason } = answer['error'] as Members;
  return { status, reason: text(reason), words: bytes.toString() };
}
