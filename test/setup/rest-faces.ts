/** The two REST faces as tables of refusals see them: how one proves who one is, and how a refusal looks. */
import type { Operation } from '../../src/core/call/operation';
import { resellerOperations } from '../../src/api/reseller/operations';
import { tenantOperations } from '../../src/api/tenant/operations/operations';
import { type RawAnswer, exchange } from './raw-http';
import { headersOf, identityOf } from './reseller';
import { type RestRow, resellerRows, tenantRows } from './rest-rows';
import type { TestServer } from './server';
import { logIn } from './tenant';

/** What of a request says who calls, or for whom. */
export interface Proof {
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
}

export interface RestFaceTable {
  readonly name: 'reseller' | 'tenant';
  readonly base: string;
  readonly operations: readonly (Operation & { readonly needs?: number })[];
  readonly rows: Readonly<Record<string, RestRow>>;
  /** As the customer itself, whose login is its name; asked while it may still log in. */
  readonly proofOf: (server: TestServer, who: { readonly name: string }) => Promise<Proof>;
  readonly onBehalf: (of: { readonly name: string; readonly uuid: string }) => Proof;
  /** The envelope of every refusal, and within it the field and the words. */
  readonly envelope: (status: number) => object;
  readonly refusalIn: (body: any) => { readonly field?: string | null; readonly message: string };
  /** How a reference to what is not the caller's is refused. */
  readonly wrong_reference: number;
}

const anyText = expect.stringMatching(/\S/) as string;
/** Asymmetric: jest has no matcher for either of two. */
const nullOrText = {
  asymmetricMatch: (value: unknown): boolean => value === null || typeof value === 'string',
};

export const restFaces: readonly RestFaceTable[] = [
  {
    name: 'reseller',
    base: '',
    operations: resellerOperations,
    rows: resellerRows,
    proofOf: (_server, who) => Promise.resolve({ headers: headersOf(identityOf(who)) }),
    onBehalf: ({ name }) => ({ headers: { 'x-auth-for': name } }),
    envelope: (status_code) => ({
      result: {},
      status_code,
      status_message: anyText,
      errors: [{ field: nullOrText, message: anyText }],
      request_id: anyText,
    }),
    refusalIn: ({ errors: [{ field, message }] }) => ({ field, message }),
    wrong_reference: 400,
  },
  {
    name: 'tenant',
    base: '/v1.0',
    operations: tenantOperations,
    rows: tenantRows,
    proofOf: async (server, { name }) => {
      const { token } = await logIn(server, name, 'correct-horse-1');
      return { headers: { authorization: `Bearer ${token}` } };
    },
    onBehalf: ({ uuid }) => ({ query: { customer_id: uuid } }),
    envelope: () => ({
      error: expect.objectContaining({
        status: expect.stringMatching(/^[A-Z_]+$/) as string,
        reason: expect.stringMatching(/^[A-Z_]+$/) as string,
        message: anyText,
        request_id: anyText,
      }) as unknown,
    }),
    refusalIn: ({ error }) => ({ field: error.details?.[0].field, message: error.message }),
    wrong_reference: 404,
  },
];

export interface Asking {
  readonly verb: string;
  readonly path: string;
  readonly proofs: readonly Proof[];
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON, or bytes as they are. */
  readonly body?: object | string | undefined;
  readonly from?: string;
}

/** One request on a connection of its own. */
export function askRest({ url }: TestServer, asking: Asking): Promise<RawAnswer> {
  const { verb: method, path, proofs, query = '', body, from } = asking;
  const proven = new URLSearchParams(Object.assign({}, ...proofs.map((proof) => proof.query)));
  const search = [proven.toString(), query].filter((part) => part !== '').join('&');
  const json = { 'content-type': 'application/json' };
  const headers = Object.assign(json, ...proofs.map((proof) => proof.headers), asking.headers) as object;
  const parts = {
    method,
    path: path + (search === '' ? '' : `?${search}`),
    headers: Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}`),
    body: typeof body === 'object' ? JSON.stringify(body) : (body ?? ''),
  };
  return exchange(url, parts, from === undefined ? {} : { localAddress: from });
}

/** What is answered, without what is another one in every answer. */
export const bytesOfAnswer = ({ status, body }: RawAnswer): string =>
  `${status} ${body.toString().replace(/"request_id":"[^"]*"/, '"request_id":""')}`;
