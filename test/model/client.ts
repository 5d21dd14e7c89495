/** Sends the calls of a history over real connections: XML-RPC or JSON, by Basic, by Digest or from a trusted host. */
import { Agent, request } from 'node:http';
import { digestFields, digestHeader, freshNonce } from '../setup/digest-client';
import { xmlCall, xmlStruct, xmlText } from '../setup/raw';
import { readAnswer } from '../setup/read-answer';
import type { Json, Members } from './world';

/** How a call is sent. */
export interface Way {
  readonly face: 'xml' | 'json';
  readonly proof?: { readonly by: 'basic' | 'digest'; readonly login: string; readonly password: string };
}

/** What came back. */
export type Outcome =
  { readonly status: number } | { readonly fault: number; readonly text: string } | { readonly result: Json };

export interface Client {
  call(way: Way, method: string, params: Members): Promise<Outcome>;
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
      const { status, bytes } = await send(`${url}${path}`, way.proof ? own : trusted, header, body);
      return isXml ? readXml(status, bytes) : readJson(status, bytes);
    },
    close: () => {
      own.destroy();
      trusted.destroy();
    },
  };
}

function send(url: string, agent: Agent, authorization: string | undefined, body: string) {
  return new Promise<{ status: number; bytes: Buffer }>((resolve, reject) => {
    const headers = {
      ...(authorization !== undefined && { authorization }),
      'content-length': Buffer.byteLength(body),
    };
    const sent = request(url, { method: 'POST', agent, headers });
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

/** The HTTP statuses of the catalogue, as the README has them. */
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
