/** Customers, tariffs, routing groups and trusted hosts at the command line: the same rules as on the wire. */
import { attributes } from '../../src/features/customers/fields';
import { type Place, makePlace, runWords } from './command';

let place: Place;
beforeAll(async () => {
  place = await makePlace();
});
afterAll(() => place.close());

const password = 'correct-horse-1\n';
const create = (...words: string[]) =>
  place.run(['customers', 'create', ...words, '--web-password-stdin'], { stdin: password });

test('a customer is made, shown by name and by id, changed, and deleted', async () => {
  const made = await create(
    '--name',
    'Blue Fjord',
    '--i-tariff',
    '1',
    '--balance',
    '12.50',
    '--set',
    'city=Bergen',
  );
  expect(made).toEqual({ code: 0, out: expect.stringMatching(/^Created: i_customer \d+\n$/), err: '' });
  const shown = await place.json('customers', 'show', 'blue fjord');
  expect(shown).toMatchObject({
    name: 'Blue Fjord',
    web_login: 'Blue Fjord',
    balance: '12.5',
    city: 'Bergen',
    css: null,
  });
  expect(await place.json('customers', 'show', String(shown.i_customer))).toEqual(shown);

  const words = [
    'customers',
    'update',
    'Blue Fjord',
    '--credit-limit',
    '5',
    '--nil',
    'city',
    '--set',
    'description=',
  ];
  expect(await place.run(words)).toMatchObject({ code: 0, out: 'Updated\n' });
  expect(await place.json('customers', 'show', 'Blue Fjord')).toMatchObject({
    credit_limit: '5',
    city: null,
    description: null,
  });

  expect(await place.run(['customers', 'delete', 'Blue Fjord'])).toMatchObject({ code: 2 });
  expect(await place.run(['customers', 'delete', 'Blue Fjord', '--yes'])).toMatchObject({
    code: 0,
    out: 'Deleted: closed 12.5: returned 0: debt 0\n',
  });
  expect(await place.run(['customers', 'show', 'Blue Fjord'])).toEqual({
    code: 1,
    out: '',
    err: 'treeline: Customer not found\n',
  });
});

test('what is done is recorded as an operator’s', async () => {
  await create('--name', 'recorded', '--i-tariff', '1');
  const [record] = await place.query(
    `SELECT r.caller, r.address, r.method, r.action, r.i_actor, r.changes ->> 'web_password' AS password
     FROM audit_records r JOIN customers c USING (i_customer) WHERE c.name = 'recorded'`,
  );
  expect(record).toEqual({
    caller: 'operator',
    address: 'local',
    method: 'createCustomer',
    action: 'A',
    i_actor: 1,
    password: '["changed", "changed"]',
  });
});

test('a refusal is the fault of the wire, in one line, with exit code 1', async () => {
  const refused = async (...words: string[]) => (await create(...words)).err;
  expect(await refused('--name', 'x', '--i-tariff', '99')).toBe('treeline: Wrong i_tariff\n');
  expect(await refused('--name', 'x')).toBe('treeline: Parameter i_tariff is required\n');
  expect(await refused('--name', 'x', '--i-tariff', 'one')).toBe(
    'treeline: Parameter i_tariff must be an integer\n',
  );
  expect(await refused('--set', 'colour=red', '--name', 'x', '--i-tariff', '1')).toBe(
    'treeline: Parameter colour is unknown\n',
  );
  const weak = await place.run(
    ['customers', 'create', '--name', 'x', '--i-tariff', '1', '--web-password-stdin'],
    { stdin: 'short\n' },
  );
  expect(weak).toMatchObject({
    code: 1,
    err: 'treeline: Parameter web_password must have at least 8 characters\n',
  });
});

test('--as acts as another customer, whose rights bound what can be done', async () => {
  await create('--name', 'owner', '--i-tariff', '1', '--customers-mgmt', '1', '--use-own-tariff', '1');
  expect(await create('--as', 'owner', '--name', 'below', '--nil', 'i_tariff')).toMatchObject({ code: 0 });
  expect(await place.json('customers', 'list', '--as', 'owner')).toEqual([
    {
      i_customer: expect.any(Number),
      name: 'below',
      web_login: 'below',
      description: null,
      balance: '0',
      credit_limit: '0',
      base_currency: 'USD',
    },
  ]);
  expect(await place.run(['customers', 'delete', 'below', '--as', 'owner', '--yes'])).toMatchObject({
    code: 1,
    err: 'treeline: The right to delete (customers_mgmt) is missing\n',
  });
  expect(await place.run(['customers', 'show', 'recorded', '--as', 'owner'])).toMatchObject({ code: 1 });
  expect(await place.run(['customers', 'list', '--as', 'nobody'])).toMatchObject({ code: 1 });
});

test('a name that is all digits is told from an id', async () => {
  await create('--name', '123456', '--i-tariff', '1');
  expect(await place.run(['customers', 'show', '123456'])).toMatchObject({ code: 1 });
  expect(await place.json('customers', 'show', 'name:123456')).toMatchObject({ name: '123456' });
});

test('blocking and unblocking', async () => {
  await create('--name', 'blockable', '--i-tariff', '1');
  expect(await place.run(['customers', 'block', 'blockable'])).toMatchObject({ code: 0, out: 'Blocked\n' });
  expect(await place.json('customers', 'show', 'blockable')).toMatchObject({ blocked: true });
  expect(await place.run(['customers', 'unblock', 'blockable'])).toMatchObject({
    code: 0,
    out: 'Unblocked\n',
  });
});

test('both passwords come from stdin, a line each', async () => {
  const words = [
    'customers',
    'create',
    '--name',
    'two',
    '--i-tariff',
    '1',
    '--web-password-stdin',
    '--api-password-stdin',
  ];
  expect(await place.run(words, { stdin: 'web-password-1\r\napi-password-1\n' })).toMatchObject({ code: 0 });
  const keys = await place.query(
    `SELECT 1 FROM api_credentials JOIN customers USING (i_customer) WHERE name = 'two'`,
  );
  expect(keys).toHaveLength(1);
  expect(await place.run(words, { stdin: 'only-one-line' })).toMatchObject({
    code: 2,
    err: 'treeline: There is no API password on stdin\n',
  });
});

test('a password is asked for on a terminal, twice, and never shown', async () => {
  const words = ['customers', 'create', '--name', 'asked', '--i-tariff', '1'];
  const asked = await place.run(words, { terminal: true, stdin: 'correct-horse-1\ncorrect-horse-1\n' });
  expect(asked).toEqual({
    code: 0,
    out: expect.stringContaining('Created'),
    err: 'New web password: \nOnce more: \n',
  });
  const mistyped = await place.run(words, { terminal: true, stdin: 'correct-horse-1\ncorrect-horse-2\n' });
  expect(mistyped).toMatchObject({
    code: 1,
    err: expect.stringContaining('treeline: The two were not the same\n'),
  });
  const interrupted = await place.run(words, { terminal: true, stdin: 'corr\x03' });
  expect(interrupted).toMatchObject({
    code: 1,
    err: expect.stringContaining('treeline: There was no answer\n'),
  });
  expect(await place.run(words)).toMatchObject({
    code: 2,
    err: expect.stringContaining('--web-password-stdin'),
  });
});

test('deleting asks on a terminal', async () => {
  await create('--name', 'doomed', '--i-tariff', '1');
  const words = ['customers', 'delete', 'doomed'];
  expect(await place.run(words, { terminal: true, stdin: 'n\n' })).toMatchObject({
    code: 1,
    err: expect.stringContaining('Nothing was changed'),
  });
  expect(await place.run(words, { terminal: true, stdin: 'y\n' })).toMatchObject({ code: 0 });
});

test('a list is a table on a terminal, lines with tabs elsewhere, one array with --json; none of them lets a text run wild', async () => {
  await create('--name', 'wide 宽', '--i-tariff', '1', '--description', 'two\nlines\u009b2J');
  const words = ['customers', 'list', '--name-pattern', 'wide%'];
  const table = await place.run(words, { terminal: true });
  expect(table.out.split('\n')).toEqual([
    expect.stringMatching(/^i_customer {2}name {5}web_login/),
    expect.stringMatching(/^\d+ +wide 宽 {2}wide 宽 +two\\u000alines\\u009b2J {2}0 /),
    '',
  ]);
  const lines = await place.run(words);
  expect(lines.out).toMatch(
    /^i_customer\tname\t.*\n\d+\twide 宽\twide 宽\ttwo\\u000alines\\u009b2J\t0\t0\tUSD\n$/,
  );
  expect(await place.json(...words)).toEqual([expect.objectContaining({ name: 'wide 宽' })]);
  expect(await place.json('customers', 'list', '--limit', '0')).toEqual([]);
});

test('every attribute that is no secret has an option of its own', async () => {
  const { out, code } = await runWords(['customers', 'create', '--help']);
  expect(code).toBe(0);
  for (const [name, { schema }] of Object.entries(attributes)) {
    const option = new RegExp(`^ +--${name.replaceAll('_', '-')} <`, 'm');
    expect([name, option.test(out)]).toEqual([name, schema['secret'] !== true]);
  }
});

test('tariffs are made, listed, renamed and deleted', async () => {
  expect(await place.json('tariffs', 'create', 'Gold', '--currency', 'EUR')).toEqual({ i_tariff: 2 });
  expect(await place.run(['tariffs', 'rename', '2', 'Platinum'])).toMatchObject({ code: 0 });
  expect(await place.json('tariffs', 'show', '2')).toEqual({
    i_tariff: 2,
    name: 'Platinum',
    currency: 'EUR',
  });
  expect(await place.json('tariffs', 'list', '--name-pattern', 'p%')).toHaveLength(1);
  expect(await place.run(['tariffs', 'delete', '1'])).toMatchObject({
    code: 1,
    err: 'treeline: The tariff is in use\n',
  });
  expect(await place.run(['tariffs', 'delete', '2'])).toMatchObject({ code: 0 });
  expect(await place.run(['tariffs', 'create', 'Silver'])).toMatchObject({ code: 2 });
});

test('routing groups are made, listed, renamed and deleted', async () => {
  expect(await place.json('routing-groups', 'create', 'Premium')).toEqual({ i_routing_group: 2 });
  expect(await place.run(['routing-groups', 'rename', '2', 'Economy'])).toMatchObject({ code: 0 });
  expect(await place.json('routing-groups', 'list')).toEqual([
    { i_routing_group: 1, name: 'Default' },
    { i_routing_group: 2, name: 'Economy' },
  ]);
  expect(await place.run(['routing-groups', 'delete', '2'])).toMatchObject({ code: 0 });
  expect(await place.run(['routing-groups', 'list', '--as', 'owner'])).toMatchObject({ code: 1 });
});

test('trusted hosts are added, listed, and removed by address or by id', async () => {
  const add = (...words: string[]) => place.json('trusted-hosts', 'add', ...words);
  await add('192.0.2.7', '--description', 'the portal');
  await add('2001:db8::/32');
  const { i_trusted_host } = await add('10.0.0.0/8');
  expect(await place.json('trusted-hosts', 'list')).toEqual([
    { i_trusted_host: 1, address: '192.0.2.7/32', description: 'the portal' },
    { i_trusted_host: 2, address: '2001:db8::/32', description: null },
    { i_trusted_host, address: '10.0.0.0/8', description: null },
  ]);
  expect(await place.run(['trusted-hosts', 'add', 'office'])).toMatchObject({ code: 1 });
  for (const address of ['192.0.2.7', '2001:0DB8:0::/32', String(i_trusted_host)]) {
    expect(await place.run(['trusted-hosts', 'remove', address])).toMatchObject({ code: 0 });
  }
  expect(await place.run(['trusted-hosts', 'remove', '192.0.2.7'])).toMatchObject({
    code: 1,
    err: 'treeline: Trusted host not found\n',
  });
  expect(await place.json('trusted-hosts', 'list')).toEqual([]);
});

describe('what is not given as it must be ends with 2', () => {
  test.each([
    [['customers', 'show'], 'missing required argument'],
    [['customers', 'show', '1', '--colour'], 'unknown option'],
    [['customers', 'nope'], 'unknown command'],
    [['nope'], 'unknown command'],
    [['customers', 'create', '--set', 'name'], '--set takes name=value'],
    [['customers', 'import', 'x.csv', '--delimiter', 'ab'], '--delimiter takes one character'],
    [['customers'], 'Usage: treeline customers'],
    [[], 'Usage: treeline'],
  ])('%j', async (words, text) => {
    const said = await place.run(words);
    expect(said).toMatchObject({ code: 2, out: '' });
    expect(said.err).toContain(text);
  });
});

test('--help of every command has an example that begins as one would type it', async () => {
  const visit = async (words: string[]): Promise<string[]> => {
    const { out, code } = await runWords([...words, '--help']);
    expect(code).toBe(0);
    const list = /^Commands:\n((?: {2}.*\n)+)/m.exec(out)?.[1] ?? '';
    const names = [...list.matchAll(/^ {2}([a-z-]+)/gm)]
      .map(([, name = '']) => name)
      .filter((name) => name !== 'help');
    if (names.length === 0 || words.length === 0) expect(out).toMatch(/^Examples?:\n +\$ .*treeline /m);
    const below = [];
    for (const name of names) below.push(...(await visit([...words, name])));
    return names.length > 0 ? below : [words.join(' ')];
  };
  expect(await visit([])).toEqual(
    expect.arrayContaining([
      'serve',
      'migrate',
      'customers list',
      'trusted-hosts remove',
      'import',
      'doctor',
    ]),
  );
  expect(await runWords(['--version'])).toEqual({ code: 0, out: '1.2.3\n', err: '' });
});

test('a database without a schema, and one that is not there, are refused with a way out', async () => {
  const empty = await makePlace('empty');
  expect(await empty.run(['customers', 'list'])).toMatchObject({
    code: 1,
    err: expect.stringContaining('treeline migrate'),
  });
  expect(await empty.json('migrate')).toEqual({
    migrated: [
      '001_customers',
      '002_authority',
      '003_resources',
      '004_tenants',
      '005_lists',
      '006_descendants',
      '007_levels',
      '008_webhooks',
      '009_limits',
      '010_access_epochs',
      '012_login_owners',
    ],
  });
  expect(await empty.run(['migrate'])).toMatchObject({
    code: 0,
    out: 'PostgreSQL of DATABASE_URL: up to date\n',
  });
  expect(await empty.json('customers', 'list')).toEqual([]);
  await empty.close();

  const nowhere = await runWords(['customers', 'list'], { env: { DATA_DIR: '/nonexistent/data' } });
  expect(nowhere).toMatchObject({
    code: 1,
    err: expect.stringContaining('There is no database in /nonexistent/data'),
  });
  const away = await place.run(['customers', 'list'], {
    env: { DATABASE_URL: 'postgresql://x:hidden@127.0.0.1:1/x' },
  });
  expect(away).toMatchObject({ code: 1, err: expect.stringContaining('127.0.0.1:1') });
  expect(away.err).not.toContain('hidden');
  const wrong = await place.run(['customers', 'list'], {
    env: { SECRET_KEY: Buffer.alloc(32).toString('base64') },
  });
  expect(wrong).toMatchObject({ code: 1, err: expect.stringContaining('SECRET_KEY is not the one') });
});
