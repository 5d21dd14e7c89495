/**
 * A caller as callers should be: XML-RPC with Digest over a connection that is kept alive, one nonce for as long as it
 * is taken, a new one when it is refused as stale. It says what it heard and when; whether to repeat is not its affair.
 */
import { Agent, request } from 'node:http';
import { digestFields, digestHeader } from '../../test/setup/digest-client';
import { xmlCall, xmlStruct, xmlText } from '../../test/setup/raw';
import { readAnswer } from '../../test/setup/read-answer';

export type Members = Readonly<Record<string, string | number | boolean | null>>;

export type Heard =
  | { readonly result: Readonly<Record<string, unknown>> }
  | { readonly fault: number; readonly text: string }
  /** No answer of Treeline's: the connection broke, or the status of somebody in between. */
  | { readonly nothing: string };

export interface Caller {
  call(method: string, params: Members): Promise<Heard>;
  close(): void;
}

interface Options {
  readonly url: string;
  readonly login: string;
  readonly password: string;
  readonly localAddress?: string;
}

const path = '/xmlapi/xmlapi';
const triesAtTheDoor = 3;

export function openCaller({ url, login, password, localAddress }: Options): Caller {
  const agent = new Agent({ keepAlive: true, ...(localAddress !== undefined && { localAddress }) });
  let nonce = '';
  let count = 0;

  const authorization = (): string | undefined => {
    if (nonce === '') return undefined;
    count += 1;
    const algorithm = count % 2 === 0 ? 'MD5' : 'SHA-256';
    return digestHeader(digestFields({ login, password, nonce, nc: count, algorithm })).replace(/^.*?: /, '');
  };

  const call = async (method: string, params: Members): Promise<Heard> => {
    const body = xmlCall(method, xmlStruct(xmlOf(params)));
    for (let attempt = 1; ; attempt += 1) {
      const answer = await send(`${url}${path}`, agent, authorization(), body);
      if (typeof answer === 'string') return { nothing: answer };
      if (answer.status === 401 && attempt < triesAtTheDoor) {
        nonce = /nonce="([^"]+)"/.exec(answer.challenge)?.[1] ?? '';
        count = 0;
        continue;
      }
      if (answer.status !== 200) return { nothing: `HTTP ${answer.status}` };
      const { fault, result } = { result: {}, ...readAnswer(answer.bytes) };
      if (fault) return { fault: fault.faultCode, text: fault.faultString };
      return { result: result as Readonly<Record<string, unknown>> };
    }
  };
  return {
    call,
    close: () => {
      agent.destroy();
    },
  };
}

const xmlOf = (params: Members): Record<string, string> =>
  Object.fromEntries(Object.entries(params).map(([name, value]) => [name, xmlValue(value)]));

function xmlValue(value: Members[string]): string {
  if (value === null) return '<nil/>';
  if (typeof value === 'string') return xmlText(value);
  if (typeof value === 'boolean') return `<boolean>${value ? 1 : 0}</boolean>`;
  return Number.isInteger(value) ? `<int>${value}</int>` : `<double>${value}</double>`;
}

interface Answer {
  readonly status: number;
  readonly challenge: string;
  readonly bytes: Buffer;
}

const patience_ms = 20_000;

/** Answers what came, or the word for why nothing did. */
function send(
  url: string,
  agent: Agent,
  authorization: string | undefined,
  body: string,
): Promise<Answer | string> {
  return new Promise((resolve) => {
    const headers = {
      'content-type': 'text/xml',
      'content-length': Buffer.byteLength(body),
      ...(authorization !== undefined && { authorization }),
    };
    const sent = request(url, { method: 'POST', agent, headers, timeout: patience_ms });
    const broken = (error: NodeJS.ErrnoException): void => {
      resolve(error.code ?? error.message);
    };
    sent.once('timeout', () => sent.destroy(new Error('no answer in time')));
    sent.once('error', broken).once('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', broken).once('end', () => {
        const challenge = response.headers['www-authenticate'] ?? '';
        resolve({ status: response.statusCode ?? 0, challenge, bytes: Buffer.concat(chunks) });
      });
    });
    sent.end(body);
  });
}
