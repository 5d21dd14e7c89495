/** A family of customers to try refusals on, and calls as bytes: from any address of loopback, the answer whole. */
import { type IncomingHttpHeaders, request } from 'node:http';
import { faultOf, xmlCall, xmlStruct, xmlText } from './raw';
import {
  type Caller,
  type Member,
  type Members,
  type TestServer,
  makeMember,
  newCustomer,
  rootPassword,
  uniqueName,
} from './server';

/** What a call is aimed at: a customer, or something of its. */
export interface Target {
  readonly i_customer: number;
  /** Its name, which is its web login too. */
  readonly name: string;
  /** The payment that opened its books. */
  readonly i_payment: number;
  /** The user that it logs in as. */
  readonly i_web_user: number;
  /** A tariff that it owns. */
  readonly i_tariff: number;
}

export type Relative = Member & Target;

export interface Family {
  /** Directly below root. */
  readonly wholesaler: Relative;
  /** Below the wholesaler: the one who calls. */
  readonly reseller: Relative;
  /** Below the reseller. */
  readonly client: Relative;
  /** Below the client. */
  readonly shop: Relative;
  /** Below the wholesaler too, beside the reseller. */
  readonly sibling: Relative;
  /** Below root, beside the wholesaler. */
  readonly stranger: Relative;
  /** Was below the reseller and is deleted. */
  readonly gone: Relative;
}

const none = 2_000_000_000;
export const root: Target = { i_customer: 1, name: 'root', i_payment: none, i_web_user: 1, i_tariff: 1 };
export const nobody: Target = {
  i_customer: none,
  name: 'nobody-of-this-name',
  i_payment: none,
  i_web_user: none,
  i_tariff: none,
};

/** A member with something of everything that calls are aimed at. */
export async function makeRelative(
  server: TestServer,
  parent?: Member,
  members: Members = {},
): Promise<Relative> {
  const member = await makeMember(server, parent?.as, { balance: 10, ...members });
  const i_tariff = await makeTariff(server, member);
  const [ids] = await runSql<Pick<Target, 'i_payment' | 'i_web_user'>>(
    server,
    `SELECT i_payment::float8 AS i_payment, i_web_user FROM payments p JOIN users u USING (i_customer) WHERE i_customer = $1 AND is_default`,
    member.i_customer,
  );
  if (!ids) throw new Error('A customer was made without a payment or a user');
  return { ...member, ...ids, i_tariff };
}

export async function makeFamily(server: TestServer): Promise<Family> {
  const make = (parent?: Member, stem?: string): Promise<Relative> =>
    makeRelative(server, parent, { name: uniqueName(stem) });
  const wholesaler = await make(undefined, 'wholesaler');
  const reseller = await make(wholesaler, 'reseller');
  const client = await make(reseller, 'client');
  const shop = await make(client, 'shop');
  const sibling = await make(wholesaler, 'sibling');
  const stranger = await make(undefined, 'stranger');
  const gone = await make(reseller, 'gone');
  await reseller.as.call('deleteCustomer', { i_customer: gone.i_customer });
  return { wholesaler, reseller, client, shop, sibling, stranger, gone };
}

/** Runs a statement on the server's database, for what no call does. */
export const runSql = <Row>(server: TestServer, text: string, ...values: unknown[]): Promise<Row[]> =>
  server.db.query<Row>({ text }, values);

export const block = (
  server: TestServer,
  { i_customer }: { i_customer: number },
  blocked = true,
): Promise<unknown> => server.root.call(blocked ? 'blockCustomer' : 'unblockCustomer', { i_customer });

/** A tariff of its own. */
export async function makeTariff(
  server: TestServer,
  { i_customer }: { i_customer: number },
  currency = 'USD',
): Promise<number> {
  const [row] = await runSql<{ i_tariff: number }>(
    server,
    'INSERT INTO tariffs (i_customer, name, currency) VALUES ($1, $2, $3) RETURNING i_tariff',
    i_customer,
    uniqueName('tariff'),
    currency,
  );
  return Number(row?.i_tariff);
}

/** Changes a customer; creates one that is billed by its owner's tariff; and the faults of both. */
export const update = (
  by: Caller,
  { i_customer }: Pick<Member, 'i_customer'>,
  members: Members,
): Promise<Members> => by.call('updateCustomer', { i_customer, ...members });
export const updateFault = (by: Caller, { i_customer }: Pick<Member, 'i_customer'>, members: Members) =>
  by.fault('updateCustomer', { i_customer, ...members });
export const create = async (by: Caller, members: Members = {}): Promise<{ i_customer: number }> => {
  const { i_customer } = await by.call('createCustomer', newCustomer({ i_tariff: null, ...members }));
  return { i_customer: Number(i_customer) };
};
export const createFault = (by: Caller, members: Members = {}) =>
  by.fault('createCustomer', newCustomer({ i_tariff: null, ...members }));

/** Fault 403 whose text names this. */
export const naming = (text: string) => ({
  faultCode: 403,
  faultString: expect.stringContaining(text) as string,
});

/** A value as it shall stand on the wire, with its type tag. */
export class Xml {
  constructor(readonly text: string) {}
}

export interface Post {
  readonly method: string;
  readonly params?: Members;
  /** Login and password, for Basic. */
  readonly login?: readonly [string, string];
  /** The address that the call comes from: any of 127.0.0.0/8. */
  readonly from?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Of the fault; undefined if the call succeeded or no XML-RPC answer came. */
  readonly fault: number | undefined;
  readonly text: string | undefined;
}

export const rootLogin = ['root', rootPassword] as const;

/** Sends one call over a socket of its own; never rejects for what the server answers. */
export function post(server: TestServer, { method, params, login, from, headers }: Post): Promise<Answer> {
  const body = xmlCall(method, xmlOf(params ?? {}));
  return new Promise((resolve, reject) => {
    const sent = request(`${server.url}/xmlapi/xmlapi`, {
      method: 'POST',
      agent: false,
      ...(from !== undefined && { localAddress: from }),
      headers: {
        ...(login && { authorization: `Basic ${Buffer.from(login.join(':')).toString('base64')}` }),
        ...headers,
      },
    });
    sent.once('error', reject).once('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject).once('end', () => {
        const text = Buffer.concat(chunks).toString();
        const fault = faultOf(text);
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, body: text, fault: fault?.faultCode, text: fault?.faultString });
      });
    });
    sent.end(body);
  });
}

/** Whether it is the answer of a call that succeeded. */
export const isOk = ({ status, body }: Answer): boolean =>
  status === 200 && body.includes('<name>result</name><value><string>OK</string></value>');

/** A value with its type tag. */
function xmlOf(value: unknown): string {
  if (Array.isArray(value)) {
    const items = value.map((item) => `<value>${xmlOf(item)}</value>`);
    return `<array><data>${items.join('')}</data></array>`;
  }
  if (value instanceof Xml) return value.text;
  if (value === null) return '<nil/>';
  if (typeof value === 'boolean') return `<boolean>${value ? 1 : 0}</boolean>`;
  if (typeof value === 'number')
    return Number.isInteger(value) ? `<int>${value}</int>` : `<double>${value}</double>`;
  if (typeof value === 'string') return xmlText(value);
  const members = Object.entries(value as Members);
  return xmlStruct(Object.fromEntries(members.map(([name, member]) => [name, xmlOf(member)])));
}
