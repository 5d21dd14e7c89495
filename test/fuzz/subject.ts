/** Somebody for the REST faces to be called as: a customer with rights, money, customers and two of everything. */
import { resellerRows, tenantRows } from '../setup/rest-rows';
import { type Members, newCustomer, uniqueName } from '../setup/server';
import type { Subject } from './bytes';

const password = 'api-password-1';
const rights = {
  ...{ accounts_mgmt: 7, customers_mgmt: 7, tariffs_mgmt: 7, vouchers_mgmt: 7 },
  ...{ api_access: 1, api_mgmt: 1, use_own_tariff: 1, api_password: password },
};

/** JSON there and back; what is refused fails the run. */
async function ask(
  verb: string,
  url: string,
  headers: Record<string, string>,
  body?: Members,
): Promise<Members> {
  const text = body === undefined ? {} : { body: JSON.stringify(body) };
  const answer = await fetch(url, {
    method: verb,
    headers: { 'content-type': 'application/json', ...headers },
    ...text,
  });
  const said = await answer.text();
  if (answer.status !== 200) throw new Error(`${verb} ${url} answered ${answer.status}: ${said}`);
  return JSON.parse(said) as Members;
}

export async function makeSubject(url: string, rootPassword: string): Promise<Subject> {
  const given = newCustomer({ i_tariff: null, name: uniqueName('subject'), balance: 1_000, ...rights });
  const asRoot = { authorization: `Basic ${Buffer.from(`root:${rootPassword}`).toString('base64')}` };
  await ask('POST', `${url}/json/createCustomer`, asRoot, given);
  const name = String(given['name']);
  const login = { username: name, password: given['web_password'] as string };
  const { token } = await ask('POST', `${url}/auth/login`, {}, login);
  const bearer = { authorization: `Bearer ${String(token)}` };
  const headers = { 'x-auth-reseller': name, 'x-auth-user': name, 'x-auth-password': password };

  const uuids = new Map<string, readonly string[]>();
  const names = [name];
  let accesskey = '';
  for (const path of listsOf(resellerRows)) {
    const make = async (): Promise<string> => {
      const body = resellerRows[`POST ${path}`]?.body?.();
      const { result } = await ask('POST', url + path, headers, body);
      if (path === '/account/reseller') names.push(String(result.name));
      return String(result.uuid);
    };
    uuids.set(path, [await make(), await make()]);
  }
  for (const path of listsOf(tenantRows)) {
    const make = async (): Promise<string> => {
      const made = await ask('POST', `${url}/v1.0${path}`, bearer, tenantRows[`POST ${path}`]?.body?.());
      if (path === '/accesskeys') accesskey = String(made['token']);
      return String(made['id']);
    };
    uuids.set(path, [await make(), await make()]);
  }
  const { result: billings } = await ask('GET', `${url}/v1.0/billings`, bearer);
  uuids.set(
    '/billings',
    (billings as { id: string }[]).map(({ id }) => id),
  );
  return { name, password, token: String(token), accesskey, names, uuids };
}

/** What can be made and listed. */
const listsOf = (rows: object): string[] =>
  Object.keys(rows)
    .flatMap((name) => /^POST (\/[^{]*)$/.exec(name)?.[1] ?? [])
    .filter((path) => `GET ${path}` in rows);
