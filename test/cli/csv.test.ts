/** Files of customers: how they are read, imported row by row, and written. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { csvLine, guard, readCsv, unguard } from '../../src/commands/shared/csv';
import { type Place, makePlace } from './command';

/** The records of a text that comes in pieces of so many bytes. */
async function read(text: string | Buffer, size = 65_536): Promise<[number, string][]> {
  const bytes = Buffer.from(text as string);
  const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
    bytes.subarray(at * size, (at + 1) * size),
  );
  const records: [number, string][] = [];
  for await (const { line, cells, problem } of readCsv(pieces as unknown as AsyncIterable<Buffer>)) {
    records.push([line, problem ?? cells.join('|')]);
  }
  return records;
}

describe('a file is read', () => {
  const cases: [string, string, [number, string][]][] = [
    [
      'with commas and LF',
      'a,b\n1,2\n',
      [
        [1, 'a|b'],
        [2, '1|2'],
      ],
    ],
    [
      'with semicolons, CR LF and a byte-order mark',
      '\ufeffa;b\r\n1,5;2\r\n',
      [
        [1, 'a|b'],
        [2, '1,5|2'],
      ],
    ],
    [
      'with tabs, CR, and no end of the last line',
      'a\tb\r1\t2',
      [
        [1, 'a|b'],
        [2, '1|2'],
      ],
    ],
    [
      'with one column',
      'a\nx\n',
      [
        [1, 'a'],
        [2, 'x'],
      ],
    ],
    [
      'with quotes, and lines inside of them',
      'a,b\r\n"1\r\n""x"",",2\r\n3,4',
      [
        [1, 'a|b'],
        [2, '1\r\n"x",|2'],
        [4, '3|4'],
      ],
    ],
    [
      'with empty lines, and lines of empty cells',
      'a,b\n\n,\n1,\n\n2,',
      [
        [1, 'a|b'],
        [4, '1|'],
        [6, '2|'],
      ],
    ],
    [
      'with a bare quote inside of a cell',
      'a\n5" pipe\n',
      [
        [1, 'a'],
        [2, '5" pipe'],
      ],
    ],
    [
      'with a quote gone wrong, which costs one line',
      'a,b\n"x"y,1\n2,3\n',
      [
        [1, 'a|b'],
        [2, 'A quote stands in the wrong place'],
        [3, '2|3'],
      ],
    ],
    [
      'with a quote that nobody closes, which costs one line',
      'a,b\n"x,1\n2,3\n4,5',
      [
        [1, 'a|b'],
        [2, 'A quote is not closed'],
        [3, '2|3'],
        [4, '4|5'],
      ],
    ],
  ];
  test.each(cases)('%s', async (_what, text, records) => {
    for (const size of [1, 2, 3, 5, 65_536]) expect([size, await read(text, size)]).toEqual([size, records]);
  });

  test('in UTF-16, where a byte-order mark says so', async () => {
    expect(await read(Buffer.from('\ufeffa;b\r\né;2\r\n', 'utf16le'), 3)).toEqual([
      [1, 'a|b'],
      [2, 'é|2'],
    ]);
  });

  test('after a quote that nobody closes in a large file', async () => {
    const rows = Array.from({ length: 40_000 }, (_, index) => `${index},${'x'.repeat(40)}\n`);
    const records = await read(`a,b\n"open,1\n${rows.join('')}`);
    expect(records).toHaveLength(40_002);
    expect(records[1]).toEqual([2, 'A quote is not closed']);
    expect(records.at(-1)?.[0]).toBe(40_002);
  }, 20_000);
});

test('what is written is read as it was, and no cell is a formula', async () => {
  const cell = fc.string({
    unit: fc.constantFrom(
      '=',
      '+',
      '-',
      '@',
      '\t',
      '\r',
      '\n',
      "'",
      '\\',
      'N',
      '"',
      ',',
      ';',
      ' ',
      'ä',
      '宽',
    ),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 5 }), async (rows) => {
      const text = ['x,y\r\n', ...rows.map((row) => csvLine(['-', ...row.map(guard)].slice(1)))].join('');
      const found: string[][] = [];
      for await (const { cells, line } of readCsv([text] as unknown as AsyncIterable<string>)) {
        if (line > 1) found.push(cells.map(unguard));
        expect(cells.every((one) => !/^[=+\-@\t\r]/.test(one))).toBe(true);
      }
      // Lines of empty cells are left out.
      expect(found).toEqual(rows.filter((row) => row.some((one) => one !== '')));
    }),
  );
});

describe('customers', () => {
  let place: Place;
  const folder = mkdtempSync(join(tmpdir(), 'treeline-csv-'));
  beforeAll(async () => {
    place = await makePlace();
  });
  afterAll(async () => {
    await place.close();
    rmSync(folder, { recursive: true, force: true });
  });

  let files = 0;
  const file = (text: string | Buffer): string => {
    const path = join(folder, `${(files += 1)}.csv`);
    writeFileSync(path, text);
    return path;
  };
  const importing = (text: string | Buffer, ...words: string[]) =>
    place.run(['customers', 'import', file(text), ...words]);

  const mixed = [
    'name;i_tariff;web_password;i_wholesaler;customers_mgmt;use_own_tariff;description',
    'Fjord;1;;;1;1;"two',
    'lines"',
    'shop;\\N;;Fjord;;;',
    'wrong tariff;99;;;;;',
    'weak;1;short;;;;',
    '"x"y;1;;;;;',
    'six;1;;;;',
    'stranger;1;;Nobody;;;',
    'FJORD;1;;;;;',
    'with password;1;correct-horse-1;;;;=1+1',
  ].join('\r\n');

  test('the good rows of a file are kept, each refused one is named with its line and the reason', async () => {
    const said = await importing(`\ufeff${mixed}`);
    expect(said.code).toBe(1);
    expect(said.out.split('\n')).toEqual([
      'line 5: Wrong i_tariff (wrong tariff)',
      'line 6: Parameter web_password must have at least 8 characters (weak)',
      'line 7: A quote stands in the wrong place',
      'line 8: There are 6 cells, and 7 columns (six)',
      'line 9: i_wholesaler: Customer not found (stranger)',
      'line 10: A customer of this name exists already (FJORD)',
      '',
    ]);
    expect(said.err).toMatch(/^3 of 9 customers imported in .*\ntreeline: 6 of 9 rows were refused\n$/);
    const { i_customer } = await place.json('customers', 'show', 'Fjord');
    expect(await place.json('customers', 'show', 'shop')).toMatchObject({
      i_wholesaler: i_customer,
      i_tariff: null,
    });
    expect(await place.json('customers', 'show', 'with password')).toMatchObject({ description: '=1+1' });
  });

  test('without a password there is no login, and the record says so; the import is in no list of the wire', async () => {
    const rows = await place.query(
      `SELECT c.name, u.password_hash IS NULL AS without, r.method, r.changes -> 'web_password' AS password
       FROM customers c JOIN users u ON u.i_customer = c.i_customer AND u.is_default
       JOIN audit_records r ON r.i_customer = c.i_customer WHERE c.name IN ('shop', 'with password') ORDER BY c.name`,
    );
    expect(rows).toEqual([
      { name: 'shop', without: true, method: 'importCustomer', password: [null, 'none'] },
      { name: 'with password', without: false, method: 'importCustomer', password: ['changed', 'changed'] },
    ]);
  });

  test('--json prints one array of what was refused', async () => {
    const said = await importing('name,i_tariff\nagain,1\nagain,1\nother,2\n', '--json');
    expect(said.code).toBe(1);
    expect(JSON.parse(said.out)).toEqual([
      { line: 3, name: 'again', fault: 409, reason: 'A customer of this name exists already' },
      { line: 4, name: 'other', fault: 401, reason: 'Wrong i_tariff' },
    ]);
    const good = await importing('name,i_tariff\ngood one,1\n', '--json');
    expect({ code: good.code, answer: JSON.parse(good.out) }).toEqual({ code: 0, answer: [] });
  });

  test.each([
    ['an unknown column', 'name,i_tariff,colour\nx,1,red\n', 'unknown column "colour"'],
    ['a column that stands there twice', 'name,i_tariff,name\nx,1,y\n', 'column name stands there twice'],
    ['a required column that is missing', 'name,city\nx,Bergen\n', 'there is no column i_tariff'],
    ['an empty file', '', 'The file is empty'],
  ])('%s is refused before anything is written', async (_what, text, reason) => {
    const [before] = await place.query('SELECT count(*) FROM customers');
    const said = await importing(text);
    expect(said).toMatchObject({ code: 1, out: '' });
    expect(said.err).toContain(reason);
    expect(await place.query('SELECT count(*) FROM customers')).toEqual([before]);
  });

  test('--set stands for a column, --as for the wholesaler, - for stdin, --delimiter for what would be found', async () => {
    const words = [
      'customers',
      'import',
      '-',
      '--set',
      'i_tariff=1',
      '--set',
      'city=Oslo',
      '--delimiter',
      '|',
    ];
    const stdin = 'name|city\nfrom stdin|\nfrom Bergen|Bergen\n';
    expect(await place.run(words, { stdin })).toMatchObject({ code: 0 });
    expect(await place.json('customers', 'show', 'from stdin')).toMatchObject({ city: 'Oslo' });
    expect(await place.json('customers', 'show', 'from Bergen')).toMatchObject({ city: 'Bergen' });
    expect(await importing('name,i_tariff\nbelow Fjord,\\N\n', '--as', 'Fjord')).toMatchObject({ code: 0 });
    expect(await place.json('customers', 'list', '--as', 'Fjord')).toHaveLength(2);
  });

  test('a row that is not UTF-8 is refused, not garbled', async () => {
    const said = await importing(Buffer.from('name,i_tariff\nJosé,1\nAna,1\n', 'latin1'));
    expect(said).toMatchObject({ code: 1, out: expect.stringMatching(/^line 2: It is not UTF-8/) });
    expect(await place.json('customers', 'show', 'Ana')).toMatchObject({ name: 'Ana' });
  });

  test('a whole tree comes from one file, in whatever order its rows are done', async () => {
    const rows = Array.from({ length: 90 }, (_, index) =>
      index % 3 === 0 ? `top ${index},1,,1,1` : `low ${index},\\N,top ${index - (index % 3)},0,0`,
    );
    const said = await importing(
      `name,i_tariff,i_wholesaler,customers_mgmt,use_own_tariff\n${rows.join('\n')}\n`,
    );
    expect(said).toMatchObject({ code: 0, out: '' });
    const [found] = await place.query(
      `SELECT count(*)::int AS low FROM customers c JOIN customers w ON w.i_customer = c.i_wholesaler
       WHERE c.name LIKE 'low %' AND w.name LIKE 'top %'`,
    );
    expect(found).toEqual({ low: 60 });
  });

  test('an export is read by an import, and every customer is as it was', async () => {
    await place.run([
      'customers',
      'update',
      'shop',
      '--set',
      "description=@'x",
      '--set',
      'company_name=\\N',
      '--nil',
      'i_lang',
      '--balance',
      '-2.5',
    ]);
    await place.run(['customers', 'update', 'shop', '--i-commission-agent', 'Fjord']);
    await place.run(['customers', 'block', 'with password']);
    const exported = await place.run(['customers', 'export']);
    expect(exported).toMatchObject({ code: 0, err: '' });
    expect(exported.out).toContain("'=1+1");
    expect(exported.out).not.toMatch(/argon2|correct-horse/);
    const { i_customer } = await place.json('customers', 'show', 'Fjord');
    expect(await place.json('customers', 'show', 'shop')).toMatchObject({ i_commission_agent: i_customer });

    const other = await makePlace();
    const imported = await other.run(['customers', 'import', file(exported.out)]);
    expect(imported).toMatchObject({ code: 0, out: '' });
    expect(imported.err).toMatch(/^Not taken over: i_customer, base_currency, blocked, prepaid\n/);
    const again = await other.run(['customers', 'export']);
    // Ids may be others there, and with them the order of rows.
    const comparable = (text: string) =>
      text
        .replace(/^\d+,([^,]*,USD),(true|false)/gm, '$1')
        .split('\r\n')
        .sort();
    expect(comparable(again.out)).toEqual(comparable(exported.out));
    await other.close();

    const below = await place.run(['customers', 'export', '--as', 'Fjord']);
    expect(below.out.split('\r\n')).toHaveLength(4);
  });
});
