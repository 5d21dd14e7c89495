/** A caller of the reseller API, over a real socket. */
import { type Member, type Members, type TestServer, apiPassword, rootPassword } from './server';

export interface Said {
  readonly status: number;
  readonly body: Members;
  readonly text: string;
  readonly headers: Headers;
}

export interface Identity {
  readonly reseller: string;
  readonly user: string;
  readonly password: string;
  /** X-Auth-For. */
  readonly for?: string;
}

export type Reseller = (
  verb: string,
  path: string,
  body?: unknown,
  headers?: Readonly<Record<string, string>>,
) => Promise<Said>;

/** Headers are bytes: a name is sent as UTF-8, each byte as a character. */
const bytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

export const headersOf = (identity: Identity): Record<string, string> => ({
  'x-auth-reseller': bytes(identity.reseller),
  'x-auth-user': bytes(identity.user),
  'x-auth-password': bytes(identity.password),
  ...(identity.for !== undefined && { 'x-auth-for': bytes(identity.for) }),
});

export const resellerAs =
  ({ url }: Pick<TestServer, 'url'>, identity: Identity): Reseller =>
  async (verb, path, body, headers = {}) => {
    const answer = await fetch(url + path, {
      method: verb,
      headers: { ...headersOf(identity), ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, body: JSON.parse(text) as Members, text, headers: answer.headers };
  };

export const rootIdentity: Identity = { reseller: 'root', user: 'root', password: rootPassword };

/** A member made over XML-RPC, whose web login is its name. */
export const identityOf = ({ name }: Pick<Member, 'name'>, onBehalf?: string): Identity => ({
  reseller: name,
  user: name,
  password: apiPassword,
  ...(onBehalf !== undefined && { for: onBehalf }),
});

export const resellerOf = (server: TestServer, member: Pick<Member, 'name'>, onBehalf?: string): Reseller =>
  resellerAs(server, identityOf(member, onBehalf));

/** The message of the first error. */
export const messageOf = ({ status, body }: Said): string =>
  `${status} ${String(body['errors']?.[0]?.message)}`;

/** The result; fails the test if there is none. */
export async function resultOf(said: Promise<Said>): Promise<any> {
  const { status, body, text } = await said;
  if (status !== 200) throw new Error(text);
  expect(body).toMatchObject({ status_code: 200, status_message: 'OK' });
  return body['result'];
}

let serial = 0;
/** A number that nobody else of the run has. */
export const newNumber = (): string =>
  `+44${String(process.pid % 100_000).padStart(5, '1')}${String((serial += 1)).padStart(6, '0')}`;
