/**
 * Declarations, faults, documents and database agree. Generated parts are fresh, declarations are described, the
 * commands of the documents work, and every fault of the catalogue can be provoked over the network.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { settings } from '../src/base/config';
import { type Declared, type TSchema, declared } from '../src/core/schema/schema';
import { type Attribute, attributes, requiredAttributes } from '../src/features/customers/fields';
import { sql } from '../src/db/database';
import { type FaultName, faultKinds } from '../src/base/faults';
import { helpOf } from '../src/features/system/help';
import { methods, pages, readPage, renewed } from './setup/docs';
import { isInstalled, killPrograms, projectRoot, start } from './setup/processes';
import {
  type FaultAnswer,
  type TestServer,
  makeMember,
  newCustomer,
  rootPassword,
  startServer,
  testPostgres,
} from './setup/server';

const textOf = (file: string): string => readFileSync(join(projectRoot, file), 'utf8');

const readme = textOf('README.md');
const methodsPage = textOf('docs/reference/xmlrpc.md');

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  killPrograms();
  await server.close();
});

interface Column {
  readonly name: string;
  readonly type: string;
  readonly not_null: boolean;
  readonly fallback: unknown;
}

/** The columns of `public` by `table.column`, each default as the value that it comes to. */
async function columns(): Promise<ReadonlyMap<string, Column>> {
  const rows = await server.db.query<Column & { expression: string | null }>(
    sql(
      'contract_columns',
      `SELECT a.attrelid::regclass || '.' || a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
         a.attnotnull AS not_null, pg_get_expr(d.adbin, d.adrelid) AS expression
       FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
       JOIN pg_class c ON c.oid = a.attrelid AND c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
       WHERE a.attnum > 0 AND NOT a.attisdropped`,
    ),
  );
  return new Map(
    rows.map(({ name, type, not_null, expression }) => [
      name,
      { name, type, not_null, fallback: expression === null ? null : constantOf(expression) },
    ]),
  );
}

/** `'en'::character varying` and `1` as what they are. */
function constantOf(expression: string): unknown {
  const bare = expression.replace(/::[a-z ]+$/, '').replace(/^'(.*)'$/, '"$1"');
  return /^("|-?\d+$|true$|false$)/.test(bare) ? JSON.parse(bare) : expression;
}

/** The type of the column that a declared attribute is kept in. */
function columnType({ wire, maximum, maxLength }: Declared): string {
  const types: Partial<Record<Declared['wire'], string>> = {
    integer: (maximum ?? 0) < 32_768 ? 'smallint' : 'integer',
    bit: 'smallint',
    flag: 'boolean',
    double: 'double precision',
    money: 'numeric(20,6)',
    text: `character varying(${maxLength ?? 0})`,
  };
  return types[wire] ?? '';
}

/** Secrets are kept as what is made of them; an absent row of api_credentials is an absent password. */
const secretColumns: Readonly<Record<string, Partial<Column>>> = {
  web_password: { name: 'users.password_hash', type: 'text', not_null: false },
  api_password: { name: 'api_credentials.sealed_ha1', type: 'bytea', not_null: true },
};

describe('attributes and the catalogue', () => {
  test.each(Object.entries<Attribute>(attributes))('%s has a column that fits', async (name, attribute) => {
    const { schema, column, fallback } = attribute;
    const found = (await columns()).get(column);
    if (name in secretColumns) {
      expect(found).toMatchObject(secretColumns[name] ?? {});
      return;
    }
    // A default in numeric columns reads as a number, in the declaration it is a decimal string.
    const wanted =
      declared(schema).wire === 'money' && typeof fallback === 'string' ? Number(fallback) : fallback;
    expect(found).toEqual({
      name: column,
      // Those of REST users are longer: <name>@<name of the customer>.
      type: column === 'users.web_login' ? 'character varying(129)' : columnType(declared(schema)),
      not_null: declared(schema).nullable !== true,
      fallback: wanted ?? null,
    });
  });

  test('every column of customers is an attribute, or one of ours that is listed here', async () => {
    const ours = [
      'allow_outbound',
      'base_currency',
      'blocked',
      'booked_at',
      'committed',
      'created_at',
      'deleted_at',
      'i_customer',
      'i_store',
      'i_wholesaler',
      'name_key',
      'path',
      'permission_ids',
      'prepaid',
      'sealed_webhook_key',
      'updated_at',
      'uuid',
      'webhook_method',
      'webhook_uri',
    ];
    const kept = new Set(Object.values<Attribute>(attributes).map(({ column }) => column));
    const others = [...(await columns()).keys()].filter(
      (column) => column.startsWith('customers.') && !kept.has(column),
    );
    expect(others.map((column) => column.replace('customers.', '')).sort()).toEqual(ours);
  });

  test('the first three are required, in the order in which mistakes are told', () => {
    expect(Object.keys(requiredAttributes)).toEqual(['i_tariff', 'name', 'web_password']);
    expect(Object.keys(attributes).slice(0, 3)).toEqual(Object.keys(requiredAttributes));
  });

  test('every dictionary that an attribute refers to holds its default', async () => {
    for (const { dictionary, fallback } of Object.values<Attribute>(attributes)) {
      if (dictionary === undefined || fallback === null || fallback === undefined) continue;
      const [table = '', column = ''] = dictionary.split('.');
      const text = `SELECT FROM ${table} WHERE ${column} = $1`;
      expect(await server.db.query({ text }, [fallback])).toHaveLength(1);
    }
  });
});

/** Every schema within a schema, with the names that lead to it. */
function* within(schema: TSchema, path: string): Generator<readonly [string, Declared]> {
  const field = declared(schema);
  yield [path, field];
  for (const [name, member] of Object.entries(field.properties ?? {}))
    yield* within(member, `${path}.${name}`);
  if (field.items) yield* within(field.items, `${path}[]`);
}

describe.each(methods.map((method) => [method.name, method] as const))('%s', (name, method) => {
  test('has a row in the reference', () => {
    expect(methodsPage).toContain(`\n| \`${name}\` | `);
  });

  test('says in sentences what it does and what each parameter and member of the answer is', () => {
    expect(method.summary).toMatch(/^[A-Z].*\.$/);
    const all = [...within(method.params, 'params'), ...within(method.result, 'result')];
    const silent = all.filter(([, { description }]) => !/^\S.*[.?]$/s.test(description));
    expect(silent.map(([path]) => path)).toEqual([]);
  });

  test('declares faults that exist, each once, and not those that every call may answer', () => {
    expect(method.faults.filter((fault) => !Object.hasOwn(faultKinds, fault))).toEqual([]);
    expect(new Set(method.faults).size).toBe(method.faults.length);
    expect(method.faults).not.toContain('internal');
  });

  test('answers a struct with `result`, unless it is of system.*', () => {
    const { properties = {} } = declared(method.result);
    expect(Object.keys(properties)[0]).toBe(name.startsWith('system.') ? undefined : 'result');
  });

  test('is told of by system.methodHelp as it is declared', async () => {
    const help: unknown = await server.root.call('system.methodHelp', name);
    expect(help).toBe(helpOf(method));
  });
});

test('system.listMethods lists exactly the methods of the reference', async () => {
  const listed: unknown = await server.root.call('system.listMethods');
  expect(listed).toEqual(methods.map(({ name }) => name).sort());
});

test.each(pages.map((page) => [page.file, page] as const))(
  'the generated parts of %s are fresh; `npm run docs` writes them',
  async (_file, page) => {
    expect(readPage(page)).toBe(await renewed(page));
  },
);

/** The README and every page of docs/, except the query plans. */
const documents = [
  'README.md',
  ...readdirSync(join(projectRoot, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md') && file !== 'explain.md')
    .map((file) => join('docs', file)),
].map(textOf);

test('every setting that a document names outside its tables exists', () => {
  const known = new Set<string>(Object.values(settings).map(({ name }) => name));
  const prose = documents.map((text) => text.replace(/<!-- generated[^]*?<!-- end -->/g, ''));
  const named = prose.flatMap((text) => text.match(/\bTREELINE_[A-Z0-9_]*[A-Z0-9]/g) ?? []);
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((name) => !known.has(name))).toEqual([]);
});

/** The commands of the `sh` blocks that are marked as runnable. */
const runnable = documents
  .flatMap((text) => [...text.matchAll(/^```sh runnable\n([^]*?)^```$/gm)])
  .flatMap(([, block = '']) => block.trim().split(/\n|&&/))
  .map((command) => command.trim());

const testUrl = (text: string): string =>
  text.replaceAll('127.0.0.1:8080', new URL(server.url).host).replaceAll('PASSWORD', rootPassword);

describe('the commands of the documents', () => {
  const { scripts, bin } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
    bin: Record<string, string>;
  };

  test('are npm scripts that exist, npm’s own, our program, or curl', () => {
    expect(runnable.length).toBeGreaterThanOrEqual(5);
    const unknown = runnable.filter((command) => {
      const [program, word = '', script = ''] = command.split(' ');
      if (program === 'curl') return false;
      // Without --no-install somebody else's program of that name might be fetched and run.
      if (program === 'npx') return word !== '--no-install' || !Object.hasOwn(bin, script);
      if (program !== 'npm') return true;
      return word !== 'ci' && !Object.hasOwn(scripts, word === 'run' ? script : word);
    });
    expect(unknown).toEqual([]);
    const files = Object.values(scripts).flatMap((script) => script.match(/\S+\.ts\b/g) ?? []);
    expect(files).toContain('examples/demo.ts');
  });

  const hasCurl = isInstalled('curl');
  test(
    hasCurl ? 'curl gets an answer' : 'curl is not installed here, so its line is only looked at',
    async () => {
      const line = runnable.find((command) => command.startsWith('curl ')) ?? '';
      expect(line).toContain('/xmlapi/xmlapi');
      if (!hasCurl) return;
      const curl = start('sh', ['-c', testUrl(line)]);
      expect((await curl.ended).code).toBe(0);
      expect(curl.out()).toContain('<name>customers</name>');
    },
  );

  const hasPython = isInstalled('python3');
  test(
    hasPython
      ? 'the lines of Python do what they say'
      : 'Python is not installed here, so its lines are only looked at',
    async () => {
      const lines = /^```python\n([^]*?)^```$/m.exec(readme)?.[1] ?? '';
      expect(lines.trim().split('\n')).toHaveLength(10);
      if (!hasPython) return;
      const python = start('python3', ['-c', testUrl(lines)]);
      expect({ ...(await python.ended), err: python.err() }).toEqual({ code: 0, signal: null, err: '' });
      expect(python.out()).toBe('Blue Fjord 25.5\n404 Customer not found\n');
    },
  );
});

test('no two faults of one number and meaning, and every number a 32-bit integer', () => {
  // 429 is both: too many failed logins and too many calls; only the text differs.
  const kinds = Object.entries(faultKinds).filter(([name]) => name !== 'too_many_calls');
  const numbers = kinds.map(([, { number }]) => number);
  expect(new Set(numbers).size).toBe(numbers.length);
  expect(numbers.every((number) => Number.isInteger(number) && Math.abs(number) < 2 ** 31)).toBe(true);
});

const authorization = `Basic ${Buffer.from(`root:${rootPassword}`).toString('base64')}`;

/** Posts bytes and reads the fault that must come back with HTTP 200; answers the whole body beside it. */
async function postFault(to: TestServer, body: string): Promise<FaultAnswer & { body: string }> {
  const response = await fetch(`${to.url}/xmlapi/xmlapi`, {
    method: 'POST',
    body,
    headers: { authorization },
  });
  const text = await response.text();
  expect({ status: response.status, type: response.headers.get('content-type') }).toEqual({
    status: 200,
    type: 'text/xml; charset=utf-8',
  });
  return {
    faultCode: Number(/<name>faultCode<\/name><value><int>(-?\d+)</.exec(text)?.[1]),
    faultString: /<name>faultString<\/name><value><string>([^<]*)</.exec(text)?.[1] ?? '',
    body: text,
  };
}

const callXml = (method: string): string => `<methodCall><methodName>${method}</methodName></methodCall>`;

/** A server of its own, for what would disturb the others. */
async function onOwnServer<T>(run: (own: TestServer) => Promise<T>): Promise<T> {
  const own = await startServer();
  try {
    return await run(own);
  } finally {
    await own.close();
  }
}

/** Runs a statement that a database's own connections could not. */
async function asAdmin(text: string): Promise<void> {
  const admin = new Client(testPostgres());
  await admin.connect();
  await admin.query(text);
  await admin.end();
}

/** A bug of ours, as a caller sees it: the request id, and nothing of what went wrong. */
const provokeInternal = (): Promise<FaultAnswer> =>
  onOwnServer(async (own) => {
    await own.db.query({ text: 'ALTER TABLE customers RENAME COLUMN credit_limit TO broken_on_purpose' });
    const { body, ...fault } = await postFault(own, callXml('listCustomers'));
    expect(body).not.toMatch(/credit_limit|broken|column|SELECT|customers|\.[jt]s|\bat /i);
    const id = fault.faultString.split(' ').at(-1) ?? '';
    const line = own
      .logged()
      .split('\n')
      .find((text) => text.includes(id) && text.includes('stack'));
    expect(line).toContain('credit_limit');
    return fault;
  });

/** The database goes away while the server runs, and comes back: calls fail, then succeed, without a restart. */
const provokeUnavailable = (): Promise<FaultAnswer> =>
  onOwnServer(async (own) => {
    const { database } = own.connection;
    await own.root.call('listCustomers');
    await asAdmin(`ALTER DATABASE ${database} ALLOW_CONNECTIONS false`);
    await asAdmin(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database}'`);
    const { body, ...fault } = await postFault(own, callXml('listCustomers'));
    expect(body).not.toMatch(/terminat|postgres|57P01|\bat /i);
    expect((await fetch(`${own.url}/health/ready`)).status).toBe(503);
    expect((await fetch(`${own.url}/health/live`)).status).toBe(200);
    await asAdmin(`ALTER DATABASE ${database} ALLOW_CONNECTIONS true`);
    expect(await own.root.call('listCustomers')).toMatchObject({ result: 'OK' });
    expect((await fetch(`${own.url}/health/ready`)).status).toBe(200);
    return fault;
  });

/** How each fault is had, and what its text must be like. */
const provocations: Readonly<Record<FaultName, readonly [() => Promise<FaultAnswer>, RegExp]>> = {
  not_well_formed: [() => postFault(server, '<methodCall>'), /^(?=.*\bline\b|.*\bend)/i],
  not_a_call: [() => postFault(server, '<methodResponse/>'), /methodCall/],
  no_such_method: [() => server.root.fault('makeCoffee'), /^There is no method makeCoffee$/],
  bad_parameter: [() => server.root.fault('createCustomer'), /^Parameter i_tariff is required$/],
  wrong_reference: [
    () => server.root.fault('createCustomer', newCustomer({ i_tariff: 999_999 })),
    /^Wrong i_tariff$/,
  ],
  short_of_money: [
    async () => {
      const careful = await makeMember(server, server.root, { overcommit_protection: true, balance: 3 });
      return careful.as.fault('createCustomer', newCustomer({ i_tariff: null, balance: 5 }));
    },
    /\b3 available$/,
  ],
  forbidden: [
    async () => {
      const reader = await makeMember(server, server.root, { customers_mgmt: 6 });
      return reader.as.fault('createCustomer', newCustomer({ i_tariff: null }));
    },
    /^The right to add \(customers_mgmt\) is missing$/,
  ],
  not_found: [() => server.root.fault('getCustomerInfo', { i_customer: 999_999 }), /^Customer not found$/],
  conflict: [
    () => server.root.fault('createCustomer', newCustomer({ name: 'ROOT', web_login: 'other' })),
    /^A customer of this name exists already$/,
  ],
  one_time_password: [
    async () => {
      const { password } = await server.root.call('resetCustomerOneTimePassword', { web_login: 'root' });
      return server.root.fault('authCustomer', { username: 'root', password });
    },
    /one-time password/,
  ],
  too_many_failures: [
    async () => {
      const wrong = { username: 'nobody of this name', password: 'guess' };
      for (let n = 0; n < 10; n += 1) await server.root.fault('authCustomer', wrong);
      return server.root.fault('authCustomer', wrong);
    },
    /^Too many failed logins, retry in \d+ seconds$/,
  ],
  too_many_calls: [
    async () => {
      const own = await startServer({ TREELINE_CALL_RATE: '1', TREELINE_CALL_BURST: '1' });
      try {
        await own.root.call('system.getCapabilities');
        return await own.root.fault('system.getCapabilities');
      } finally {
        await own.close();
      }
    },
    /^Too many calls of one customer in a second \(TREELINE_CALL_RATE\), retry in 1 seconds$/,
  ],
  internal: [provokeInternal, /^Internal error [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/],
  unavailable: [provokeUnavailable, /not available, please retry$/],
};

describe('every fault comes over the wire as it is in the catalogue', () => {
  test.each(Object.keys(faultKinds) as FaultName[])('%s', async (kind) => {
    const [provoke, text] = provocations[kind];
    const { faultCode, faultString } = await provoke();
    expect(faultCode).toBe(faultKinds[kind].number);
    expect(faultString).toMatch(text);
  });
});
