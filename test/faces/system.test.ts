/** The system.* calls: what the API tells about itself, and many calls in one. */
import { insertCustomers } from '../setup/insert-customers';
import { basic, callBody, exchange } from '../setup/raw-http';
import { readAnswer } from '../setup/read-answer';
import {
  type Members,
  type TestServer,
  basicCaller,
  makeMember,
  newCustomer,
  rootPassword,
  startServer,
  uniqueName,
} from '../setup/server';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

/** The calls that docs/reference/xmlrpc.md promises; there may be more. */
const contractCalls = [
  'authCustomer',
  'createCustomer',
  'deleteCustomer',
  'getCustomerInfo',
  'listCustomers',
  'resetCustomerOneTimePassword',
  'system.getCapabilities',
  'system.listMethods',
  'system.methodHelp',
  'system.methodSignature',
  'system.multicall',
  'updateCustomer',
];

const listMethods = async (): Promise<string[]> =>
  (await server.root.call('system.listMethods')) as unknown as string[];

describe('introspection', () => {
  test('listMethods lists every method, in order of the alphabet', async () => {
    const names = await listMethods();
    expect(names).toEqual(expect.arrayContaining(contractCalls));
    expect(names).toEqual([...new Set(names)].sort());
    expect(await server.root.call('system.listMethods', {})).toEqual(names);
  });

  test('methodHelp says of every method what it takes, answers and refuses', async () => {
    for (const name of await listMethods()) {
      const help = await server.root.call('system.methodHelp', name);
      expect(help).toMatch(new RegExp(`^${name.replace('.', '\\.')}: .+\\.$`, 'm'));
      expect(help).toContain('Faults:');
    }
    const help = await server.root.call('system.methodHelp', 'createCustomer');
    for (const word of ['i_tariff', 'web_password', 'customers_mgmt', '401', '409'])
      expect(help).toContain(word);
  });

  test('methodSignature answers a list of signatures, whose types are those of XML-RPC', async () => {
    const types = ['int', 'boolean', 'double', 'string', 'array', 'struct'];
    for (const name of await listMethods()) {
      const signatures = (await server.root.call('system.methodSignature', name)) as unknown as string[][];
      expect(signatures.length).toBeGreaterThan(0);
      for (const type of signatures.flat()) expect(types).toContain(type);
    }
  });

  test.each([
    ['createCustomer', [['struct', 'struct']]],
    ['listCustomers', [['struct', 'struct'], ['struct']]],
    ['system.listMethods', [['array', 'struct'], ['array']]],
    ['system.methodHelp', [['string', 'string']]],
    ['system.methodSignature', [['array', 'string']]],
    ['system.multicall', [['array', 'array']]],
  ])('the signatures of %s are %j', async (name, signatures) => {
    expect(await server.root.call('system.methodSignature', name)).toEqual(signatures);
  });

  test('getCapabilities names the specifications, each with its address and version', async () => {
    const capabilities = await server.root.call('system.getCapabilities');
    expect(Object.keys(capabilities)).toEqual(
      expect.arrayContaining(['xmlrpc', 'introspection', 'system.multicall']),
    );
    for (const capability of Object.values(capabilities)) {
      expect(capability).toEqual({
        specUrl: expect.stringMatching(/^https?:/) as string,
        specVersion: expect.any(Number) as number,
      });
    }
  });

  test.each(['system.methodHelp', 'system.methodSignature'])(
    '%s takes the name alone or as a member, and nothing else',
    async (method) => {
      const answer = await server.root.call(method, 'getCustomerInfo');
      expect(await server.root.call(method, { method_name: 'getCustomerInfo' })).toEqual(answer);
      expect((await server.root.fault(method)).faultCode).toBe(400);
      expect((await server.root.fault(method, {})).faultCode).toBe(400);
      expect((await server.root.fault(method, 'getCustomerInfo', 'x')).faultCode).toBe(400);
      expect((await server.root.fault(method, { name: 'getCustomerInfo' })).faultCode).toBe(400);
      expect((await server.root.fault(method, 5)).faultCode).toBe(400);
      for (const unknown of ['noSuchMethod', '__proto__', 'constructor', '']) {
        expect([unknown, (await server.root.fault(method, unknown)).faultCode]).toEqual([unknown, -32601]);
      }
    },
  );

  test('nobody needs a right, but everybody needs a password or a trusted host', async () => {
    const poor = await makeMember(server, server.root, { customers_mgmt: 0, system_mgmt: 0, api_mgmt: 0 });
    expect(await poor.as.call('system.listMethods')).toEqual(await listMethods());
    expect((await exchange(server.url, { body: callBody('system.listMethods') })).status).toBe(401);
    const trusting = await startServer({ TRUSTED_HOSTS: '127.0.0.1' });
    try {
      expect(await basicCaller(trusting.url).call('system.listMethods')).toEqual(await listMethods());
    } finally {
      await trusting.close();
    }
  });
});

describe('multicall', () => {
  type Answer = readonly [Members] | { readonly faultCode: number; readonly faultString: string };
  const one = (methodName: unknown, ...params: unknown[]): Members => ({ methodName, params });
  const create = (name: string, members: Members = {}): Members =>
    one('createCustomer', newCustomer({ name, ...members }));

  const many = async (calls: unknown, as = server.root): Promise<Answer[]> =>
    (await as.call('system.multicall', calls)) as unknown as Answer[];

  const numbersOf = (answers: readonly Answer[]): number[] =>
    answers.map((answer) => ('faultCode' in answer ? answer.faultCode : 0));

  test('answers results in arrays of one and faults as structs, in the order of the calls', async () => {
    const name = uniqueName();
    const answers = await many([
      create(name, { description: 'made in a multicall' }),
      one('getCustomerInfo', { name }),
      one('getCustomerInfo', { name: 'nobody of this name' }),
      one('noSuchMethod'),
      one('createCustomer', {}),
      one('system.methodHelp', 'listCustomers'),
      { methodName: 'listCustomers' },
    ]);
    expect(answers).toEqual([
      [{ result: 'OK', i_customer: expect.any(Number) as number }],
      [
        {
          result: 'OK',
          customer: expect.objectContaining({ name, description: 'made in a multicall' }) as Members,
        },
      ],
      { faultCode: 404, faultString: 'Customer not found' },
      { faultCode: -32601, faultString: 'There is no method noSuchMethod' },
      { faultCode: 400, faultString: 'Parameter i_tariff is required' },
      [expect.stringContaining('listCustomers')],
      [expect.objectContaining({ result: 'OK' })],
    ]);
  });

  test('takes its calls alone or as a member', async () => {
    const calls = [one('getCustomerInfo', { i_customer: 1 })];
    expect(await many({ calls })).toEqual(await many(calls));
    expect(await many([])).toEqual([]);
    expect((await server.root.fault('system.multicall')).faultCode).toBe(400);
    expect((await server.root.fault('system.multicall', calls, calls)).faultCode).toBe(400);
    expect((await server.root.fault('system.multicall', 'listCustomers')).faultCode).toBe(400);
    expect((await server.root.fault('system.multicall', one('listCustomers'))).faultCode).toBe(400);
  });

  test('makes each call in a transaction of its own: one that fails takes none with it', async () => {
    const [first, third] = [uniqueName(), uniqueName()];
    const answers = await many([
      create(first),
      create(first),
      create(third, { i_tariff: 99 }),
      create(third),
    ]);
    expect(numbersOf(answers)).toEqual([0, 409, 401, 0]);
    for (const name of [first, third]) {
      expect(await server.root.call('getCustomerInfo', { name })).toMatchObject({ customer: { name } });
    }
  });

  test('refuses a multicall within it, and makes the others', async () => {
    const nested = one('system.multicall', [one('system.listMethods')]);
    expect(numbersOf(await many([nested, one('listCustomers', { limit: 1 })]))).toEqual([-32600, 0]);
  });

  test('makes a hundred calls, and of a hundred and one none', async () => {
    const calls = Array.from({ length: 100 }, () => one('getCustomerInfo', { i_customer: 1 }));
    expect(numbersOf(await many(calls))).toEqual(calls.map(() => 0));
    const name = uniqueName();
    const fault = await server.root.fault('system.multicall', [create(name), ...calls]);
    expect(fault).toEqual({ faultCode: 400, faultString: expect.stringContaining('100') as string });
    expect((await server.root.fault('getCustomerInfo', { name })).faultCode).toBe(404);
  });

  test.each([
    ['a string', 'listCustomers', -32600],
    ['an int', 5, -32600],
    ['nil', null, -32600],
    ['an array', ['listCustomers', []], -32600],
    ['an empty struct', {}, -32600],
    ['no methodName', { params: [] }, -32600],
    ['a methodName that is an int', { methodName: 5, params: [] }, -32600],
    ['a methodName that is nil', { methodName: null, params: [] }, -32600],
    ['an empty methodName', { methodName: '', params: [] }, -32601],
    ['params that are a string', { methodName: 'listCustomers', params: 'x' }, -32600],
    ['params with two structs', { methodName: 'listCustomers', params: [{}, {}] }, 400],
    ['params with a string', { methodName: 'listCustomers', params: ['x'] }, 400],
    ['an unknown parameter', { methodName: 'listCustomers', params: [{ unknown: 1 }] }, 400],
  ])(
    'answers a fault for a member that is or has %s, and makes the others',
    async (_name, member, number) => {
      const good = one('getCustomerInfo', { i_customer: 1 });
      expect(numbersOf(await many([good, member, good]))).toEqual([0, number, 0]);
    },
  );

  test('gives a caller no right that it lacks', async () => {
    const poor = await makeMember(server, server.root, { customers_mgmt: 0 });
    const answers = await many(
      [
        create(uniqueName()),
        one('getCustomerInfo', { i_customer: 1 }),
        one('getCustomerInfo', { name: poor.name }),
      ],
      poor.as,
    );
    expect(numbersOf(answers)).toEqual([403, 404, 0]);
  });

  test('of a trusted host needs i_wholesaler in each call that needs it alone', async () => {
    const trusting = await startServer({ TRUSTED_HOSTS: '127.0.0.1' });
    try {
      const answers = await many(
        [
          one('listCustomers'),
          one('listCustomers', { i_wholesaler: 1 }),
          one('listCustomers', { i_wholesaler: 77_777 }),
          one('system.listMethods'),
        ],
        basicCaller(trusting.url),
      );
      expect(numbersOf(answers)).toEqual([400, 0, 404, 0]);
    } finally {
      await trusting.close();
    }
  });

  test('answers lists of any length', async () => {
    const long = await makeMember(server);
    await insertCustomers(server, long.i_customer, Array<null>(2_100).fill(null));
    const list = one('listCustomers', { i_wholesaler: long.i_customer });
    const answers = await many([list, one('noSuchMethod'), list]);
    expect(numbersOf(answers)).toEqual([0, -32601, 0]);
    const body = callBody(
      'system.multicall',
      '<param><value><array><data><value><struct><member><name>methodName</name><value>listCustomers</value></member>' +
        `<member><name>params</name><value><array><data><value><struct><member><name>i_wholesaler</name><value><int>${long.i_customer}</int></value>` +
        '</member></struct></value></data></array></value></member></struct></value></data></array></value></param>',
    );
    const answer = await exchange(server.url, { headers: [basic('root', rootPassword)], body });
    const { result } = readAnswer(answer.body) as { result: [[{ customers: unknown[] }]] };
    expect(result[0][0].customers).toHaveLength(2_100);
  });

  test('is logged call by call, each under a request id of its own', async () => {
    const name = uniqueName();
    await many([one('getCustomerInfo', { name }), one('noSuchMethod')]);
    // The log is written behind the answers.
    await new Promise((resolve) => setTimeout(resolve, 100));
    const lines = server.logged().trim().split('\n').slice(-3);
    const ids = lines.map((line) => (JSON.parse(line) as { request_id: string }).request_id);
    const [whole = ''] = ids.slice(-1);
    expect(ids).toEqual([`${whole}.1`, `${whole}.2`, whole]);
  });
});
