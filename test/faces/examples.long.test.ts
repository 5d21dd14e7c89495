/** The programs of `examples/`, each run against a live server as a reader of them would. */
import { type Command, findCurl, findPerl, findPhp, findPython, run } from '../setup/programs';
import { type TestServer, apiPassword, rootPassword, startServer } from '../setup/server';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

const withCurl = async (): Promise<Command | undefined> => (await findCurl()) && ['sh'];

describe.each<[string, () => Promise<Command | undefined>]>([
  ['examples/python/customers.py', () => findPython('xmlrpc.client')],
  ['examples/php/customers.php', () => findPhp('curl', 'xmlrpc')],
  ['examples/perl/customers.pl', () => findPerl('RPC::XML', 'RPC::XML::Client')],
  ['examples/node/customers.js', () => Promise.resolve([process.execPath])],
  ['examples/curl/customers.sh', withCurl],
])('%s', (file, findInterpreter) => {
  let interpreter: Command | undefined;
  beforeAll(async () => {
    interpreter = await findInterpreter();
  });

  const runWith = async (environment: Record<string, string>) => {
    const TREELINE_URL = `${server.url}/xmlapi/xmlapi`;
    return interpreter && run(interpreter, [file], { environment: { TREELINE_URL, ...environment } });
  };

  test('makes a customer, shows each step and leaves nothing behind', async () => {
    const before = await server.root.call('listCustomers');
    const ran = await runWith({ TREELINE_PASSWORD: rootPassword });
    if (!ran) return;
    expect([ran.err, ran.code]).toEqual(['', 0]);
    const steps = ran.out.split('\n').flatMap((line) => /^(\w+): /.exec(line)?.[1] ?? []);
    expect(steps).toEqual([
      'createCustomer',
      'getCustomerInfo',
      'updateCustomer',
      'listCustomers',
      'authCustomer',
      'resetCustomerOneTimePassword',
      'authCustomer',
      'deleteCustomer',
    ]);
    expect(ran.out).toContain('authCustomer: fault 410 ');
    expect(ran.out).toMatch(/listCustomers: .*25\.5/);
    expect(await server.root.call('listCustomers')).toEqual(before);
  });

  test('says what is wrong, and exits with 1: no server, a wrong password, a right that is missing', async () => {
    const login = `clerk-${file.slice(-2)}`;
    const clerk = { name: login, web_password: 'correct-horse-1', i_tariff: 1, api_access: 1 };
    await server.root.call('createCustomer', { ...clerk, api_password: apiPassword });
    const ran = await Promise.all([
      runWith({ TREELINE_PASSWORD: rootPassword, TREELINE_URL: 'http://127.0.0.1:1/xmlapi/xmlapi' }),
      runWith({ TREELINE_PASSWORD: 'wrong-password', TREELINE_LOGIN: `nobody-${file.slice(-2)}` }),
      runWith({ TREELINE_PASSWORD: apiPassword, TREELINE_LOGIN: login }),
    ]);
    const said = [/127\.0\.0\.1/, /401|Unauthorized|authorized/i, /403.*customers_mgmt/];
    for (const [index, each] of ran.entries()) {
      if (!each) continue;
      expect([each.code, each.out, each.err]).toEqual([1, '', expect.stringMatching(said[index] ?? '')]);
    }
  });
});
