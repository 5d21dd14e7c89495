/** What the reseller guide shows, as it is written there, with curl: only host, credentials and uuids are others. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Members, type TestServer, rootPassword, startServer } from '../setup/server';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

/** The request as the guide writes it; what curl would add by itself is what it is. */
async function curl(request: string, headers: readonly string[] = []): Promise<Members> {
  const [head = '', body] = request.trim().split('\n\n');
  const [first = '', ...lines] = head.split('\n');
  const [verb = '', path = ''] = first.split(' ');
  const words = ['-sS', '--http1.1', '-X', verb, server.url + path];
  const credentials = [
    'X-Auth-Reseller: root',
    'X-Auth-User: root',
    `X-Auth-Password: ${rootPassword}`,
    ...headers,
  ];
  const others = lines.filter((line) => !line.startsWith('Host:'));
  for (const header of [...credentials, ...others]) words.push('-H', header);
  if (body !== undefined) words.push('-d', body);
  const child = spawn('curl', words, { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  await once(child, 'close');
  return JSON.parse(out) as Members;
}

const ok = { status_code: 200, status_message: 'OK' };

test('a customer, a store customer, calling for them, listing them, and handing credit on', async () => {
  const minimum = await curl(`POST /account/reseller HTTP/1.1

{
"name": "my_customer_name",
"contact_name": "Customers Contact Name"
}`);
  expect(minimum).toMatchObject({ ...ok, result: { name: 'my_customer_name' } });

  const sipUsers = await curl(
    `GET /voip/user HTTP/1.1
Host: api.yay.com
Connection: close
User-Agent: MyAPIApp 1.0`,
    ['X-Auth-For: my_customer_name'],
  );
  expect(sipUsers).toEqual({ ...ok, result: [], next: null });

  const store = await curl(`POST /account/store HTTP/1.1

{"name": "The shop", "domain": "shop.example", "css": "body { color: red }"}`);
  const stores = await curl('GET /account/store HTTP/1.1');
  expect(stores).toEqual({ ...ok, result: [store['result']], next: null });

  const atStore = await curl(`POST /account/reseller HTTP/1.1

{
"name": "my_store_customer_1",
"users": [{
"contact_first_name": "Geoff",
"contact_last_name": "Wilson",
"name": "admin",
"password": "password",
"role_id": "3",
"email": "customer@example.com"
}],
"addresses": [{
"street_one": "Westbury House",
"city": "Guildford",
"state": "Surrey",
"zip": "GU2 4AW",
"country_code": "GB"
}],
"store_front": "${String(stores['result'][0].uuid)}",
"contact_name": "Geoff Wilson"
}`);
  expect(atStore).toMatchObject({
    ...ok,
    result: {
      users: [
        { name: 'admin', login: 'admin@my_store_customer_1', role_id: 3, email: 'customer@example.com' },
      ],
      addresses: [{ street_one: 'Westbury House', zip: 'GU2 4AW', country_code: 'GB' }],
      store_front: store['result'].uuid,
    },
  });
  expect(JSON.stringify(atStore)).not.toContain('"password"');

  const customers = await curl('GET /account/reseller HTTP/1.1');
  expect(customers).toEqual({ ...ok, result: [minimum['result'], atStore['result']], next: null });
  const wrong = await curl('GET /account/reseller HTTP/1.1', ['X-Auth-For: my_customer_name']);
  expect(wrong).toMatchObject({ status_code: 400, errors: [{ field: 'X-Auth-For' }] });

  const credited = await curl(`PUT /account/reseller/${String(minimum['result'].uuid)} HTTP/1.1
Host: api.yay.com
Connection: close
User-Agent: MyAPIApp 1.0

{"balance":"10.000"}`);
  expect(credited).toMatchObject({ ...ok, result: { name: 'my_customer_name', balance: 10 } });
});

test('what it made is there over XML-RPC: the same customer, the same people, the same books', async () => {
  const { customer } = await server.root.call('getCustomerInfo', { name: 'my_store_customer_1' });
  expect(customer).toMatchObject({ contact: 'Geoff Wilson', i_tariff: null, api_access: 0 });
  const { i_customer } = customer as { i_customer: number };
  const { web_users } = await server.root.call('listWebUsers', { i_customer });
  expect(web_users).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        web_login: 'admin@my_store_customer_1',
        name: 'Geoff Wilson',
        i_access_level: 'CALL_SHOP_OPERATOR',
      }),
    ]),
  );
  const username = 'admin@my_store_customer_1';
  expect(await server.root.call('authCustomer', { username, password: 'password' })).toMatchObject({
    i_customer,
  });
  await server.root.call('updateCustomer', { i_customer, name: 'Another name' });
  expect(
    await server.root.call('authCustomer', { username: 'ADMIN@another name', password: 'password' }),
  ).toMatchObject({ i_customer });
  expect(await server.root.fault('authCustomer', { username, password: 'password' })).toMatchObject({
    faultCode: 403,
  });
});
