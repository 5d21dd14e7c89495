/** A client of the tenant API over a real socket, and tenants to try it with. */
import { type Members, type TestServer, newCustomer, rootWebPassword, uniqueName } from './server';

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Members;
}

export interface Ask {
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly query?: Record<string, string>;
}

/** One request; `path` as after the base, or from the top where it begins with /auth. */
export async function ask(
  server: TestServer,
  verb: string,
  path: string,
  { body, headers, query }: Ask = {},
): Promise<Reply> {
  const top = path.startsWith('/auth') ? path : `/v1.0${path}`;
  const search = query ? `?${new URLSearchParams(query).toString()}` : '';
  const response = await fetch(`${server.url}${top}${search}`, {
    method: verb,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: JSON.parse(text) as Members };
}

/** Asks with a token, and demands that it goes well. */
export interface TenantCaller {
  readonly token: string;
  ask(verb: string, path: string, body?: unknown, query?: Record<string, string>): Promise<Reply>;
  ok(verb: string, path: string, body?: unknown, query?: Record<string, string>): Promise<Members>;
  /** Status and reason of a refusal. */
  refusal(
    verb: string,
    path: string,
    body?: unknown,
    query?: Record<string, string>,
  ): Promise<{ http: number; status: string; reason: string; message: string }>;
}

export function withToken(server: TestServer, token: string): TenantCaller {
  const send: TenantCaller['ask'] = (verb, path, body, query) =>
    ask(server, verb, path, {
      headers: { authorization: `Bearer ${token}` },
      ...(body !== undefined && { body }),
      ...(query && { query }),
    });
  return {
    token,
    ask: send,
    ok: async (...given) => {
      const { status, body, text } = await send(...given);
      if (status !== 200) throw new Error(`${given[0]} ${given[1]} answered ${status}: ${text}`);
      return body;
    },
    refusal: async (...given) => {
      const { status: http, body } = await send(...given);
      const error = body['error'] as { status: string; reason: string; message: string };
      return { http, status: error.status, reason: error.reason, message: error.message };
    },
  };
}

export async function logIn(server: TestServer, username: string, password: string): Promise<TenantCaller> {
  const { status, body, text } = await ask(server, 'POST', '/auth/login', { body: { username, password } });
  if (status !== 200) throw new Error(`Login answered ${status}: ${text}`);
  return withToken(server, String(body['token']));
}

export const rootTenant = (server: TestServer): Promise<TenantCaller> =>
  logIn(server, 'root', rootWebPassword);

export interface Tenant {
  readonly id: string;
  readonly i_customer: number;
  readonly name: string;
  readonly admin: TenantCaller;
  /** The uuid of the administrator. */
  readonly admin_id: string;
}

export const agentPassword = 'correct-horse-1';

/** A customer made over XML-RPC with every right, and an administrator of it. */
export async function makeTenant(server: TestServer, members: Members = {}): Promise<Tenant> {
  const params = newCustomer({
    i_tariff: null,
    name: uniqueName('tenant'),
    customers_mgmt: 7,
    use_own_tariff: 1,
    ...members,
  });
  const { i_customer } = await server.root.call('createCustomer', params);
  const name = String(params['name']);
  const first = await logIn(server, name, String(params['web_password']));
  const { id } = await first.ok('GET', '/customer');
  const username = uniqueName('admin');
  const made = await first.ok('POST', '/agents', { username, password: agentPassword, permission: 32 });
  const admin = await logIn(server, username, agentPassword);
  return { id: String(id), i_customer: Number(i_customer), name, admin, admin_id: String(made['id']) };
}

/** Makes an agent and logs in as it. */
export async function makeAgent(
  server: TestServer,
  by: TenantCaller,
  members: Members = {},
): Promise<{ readonly id: string; readonly username: string; readonly as: TenantCaller }> {
  const username = uniqueName('agent');
  const { id } = await by.ok('POST', '/agents', { username, password: agentPassword, ...members });
  return { id: String(id), username, as: await logIn(server, username, agentPassword) };
}
