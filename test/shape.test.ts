/**
 * The shape of the code, read from the code: which way imports run, which calls are banned and what stands in their
 * place, which files nobody reaches. Each exception is named here with its reason, and one that is no longer needed
 * fails as surely as one that is missing.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';

const root = dirname(__dirname);

/** Files below a folder by their path from the project's top. */
function filesIn(folder: string, ending: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith(ending)).map((name) => join(folder, name));
}

const textOf = (file: string): string => readFileSync(join(root, file), 'utf8');
const parsed = (file: string, text: string): ts.SourceFile =>
  ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, true);

const sources = new Map(
  [...filesIn('src', '.ts'), ...filesIn('migrations', '.ts')].map((file) => [
    file,
    parsed(file, textOf(file)),
  ]),
);
const sourceFiles = [...sources.keys()].filter((file) => file.startsWith('src/')).sort();

/** What a file imports or re-exports: files by their path, packages by their name. */
function importsOf(source: ts.SourceFile): string[] {
  return source.statements.flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return [];
    const { moduleSpecifier } = statement;
    if (!moduleSpecifier || !ts.isStringLiteral(moduleSpecifier)) return [];
    const { text } = moduleSpecifier;
    if (!text.startsWith('.')) return [text];
    const path = join(dirname(source.fileName), text);
    return [path.endsWith('.json') ? path : `${path}.ts`];
  });
}

type Layer =
  'main' | 'command' | 'app' | 'store' | 'api' | 'feature' | 'core' | 'db' | 'base' | 'migration' | 'fixture';

function layerOf(file: string): Layer {
  const [top = '', folder = '', name = ''] = file.split('/');
  if (top === 'migrations') return 'migration';
  if (top === 'fixtures') return 'fixture';
  if (folder === 'main.ts' || folder === 'cli.ts') return 'main';
  if (folder === 'server') return inServer[name] ?? 'app';
  const layer = folders[folder];
  if (!layer) throw new Error(`${file} is in no layer`);
  return layer;
}

const inServer: Readonly<Record<string, Layer>> = {
  'serve.ts': 'command',
  'workers.ts': 'command',
  'store.ts': 'store',
};

const folders: Readonly<Record<string, Layer>> = {
  commands: 'command',
  api: 'api',
  features: 'feature',
  core: 'core',
  db: 'db',
  base: 'base',
};

/** Imports run one way: main → commands → app → api → features → core → db → base. */
const mayImport: Readonly<Record<Layer, readonly Layer[]>> = {
  main: ['main', 'command', 'app', 'base'],
  command: ['command', 'app', 'store', 'api', 'feature', 'core', 'db', 'base'],
  app: ['app', 'api', 'feature', 'core', 'db', 'base'],
  store: ['db', 'base'],
  api: ['api', 'feature', 'core', 'db', 'base'],
  feature: ['feature', 'core', 'db', 'base'],
  core: ['core', 'db', 'base', 'fixture'],
  db: ['db', 'base', 'migration'],
  base: ['base'],
  migration: ['fixture'],
  fixture: [],
};

/** Which features know of which others, and why. */
const betweenFeatures: Readonly<Record<string, string>> = {
  'customers → ledger': 'an opening balance and a changed one are entries in the ledger',
  'dictionaries → users': 'the access levels of users are one of the dictionaries',
  'resources → ledger': 'creating a resource can be charged',
};

const featureOf = (file: string): string => file.split('/')[2] ?? '';

const localImports = [...sources].flatMap(([file, source]) =>
  importsOf(source)
    .filter((imported) => imported.includes('/') && /^(src|migrations|fixtures)\//.test(imported))
    .map((imported) => ({ file, imported })),
);

test('imports run one way', () => {
  const wrong = localImports.filter(({ file, imported }) => {
    return !mayImport[layerOf(file)].includes(layerOf(imported));
  });
  expect(wrong).toEqual([]);
});

test('features know of one another only as listed here', () => {
  const pairs = localImports
    .filter(({ file, imported }) => layerOf(file) === 'feature' && layerOf(imported) === 'feature')
    .filter(({ file, imported }) => featureOf(file) !== featureOf(imported))
    .map(({ file, imported }) => `${featureOf(file)} → ${featureOf(imported)}`);
  expect([...new Set(pairs)].sort()).toEqual(Object.keys(betweenFeatures).sort());
});

test('no file imports itself through others, types included', () => {
  const targets = new Map<string, string[]>();
  for (const { file, imported } of localImports) targets.set(file, [...(targets.get(file) ?? []), imported]);
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' → '));
    if (path.includes(file) || done.has(file)) return;
    for (const target of targets.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of targets.keys()) visit(file, []);
  expect(cycles).toEqual([]);
});

test('the rule of who sees whom is written once', () => {
  const raw = /\$\d+ = ANY\(\w*\.?path\)|\.i_customer = ANY\(.*path\)/;
  expect(raw.test('WHERE $2 = ANY(c.path)')).toBe(true);
  expect(sourceFiles.filter((file) => raw.test(textOf(file)))).toEqual(['src/core/tree/visibility.ts']);
});

test('a file of src has at most 400 lines, and a folder at most 12 files', () => {
  const long = sourceFiles.filter((file) => textOf(file).split('\n').length > 401);
  const folders = new Set(sourceFiles.map((file) => dirname(file)));
  const crowded = [...folders].filter(
    (folder) => sourceFiles.filter((file) => dirname(file) === folder).length > 12,
  );
  expect({ long, crowded }).toEqual({ long: [], crowded: [] });
});

test('every file of src is reached from main.ts or cli.ts, and every migration from src', () => {
  const reached = new Set<string>();
  const visit = (file: string): void => {
    const source = sources.get(file);
    if (!source || reached.has(file)) return;
    reached.add(file);
    importsOf(source).forEach(visit);
  };
  ['src/main.ts', 'src/cli.ts'].forEach(visit);
  expect([...sources.keys()].filter((file) => !reached.has(file))).toEqual([]);
});

test('every export is used, by another file or by its own', () => {
  const others = ['test', 'bench', 'examples'].flatMap((folder) => filesIn(folder, '.ts'));
  const texts = [...sources.keys(), ...others, 'knexfile.ts'].map((file) => ({ file, text: textOf(file) }));
  const unused = [...sources].flatMap(([file, source]) =>
    exportedNames(source).filter((name) => {
      const word = new RegExp(`\\b${name.replaceAll('$', '\\$')}\\b`, 'g');
      const uses = texts.reduce((sum, other) => sum + (other.text.match(word)?.length ?? 0), 0);
      return uses < 2 && !file.startsWith('migrations/');
    }),
  );
  expect(unused).toEqual([]);
});

function exportedNames(source: ts.SourceFile): string[] {
  return source.statements.flatMap((statement) => {
    const exported =
      ts.canHaveModifiers(statement) &&
      ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
    if (!exported) return [];
    if (ts.isVariableStatement(statement)) {
      return statement.declarationList.declarations.map(({ name }) => name.getText());
    }
    const { name } = statement as ts.DeclarationStatement;
    return name ? [name.getText()] : [];
  });
}

/** A way of writing that is not used here. */
interface Ban {
  readonly what: string;
  readonly replacement: string;
  readonly found: (node: ts.Node) => boolean;
  /** Code that the ban must find: a ban that finds nothing is no ban. */
  readonly sample: string;
  readonly allowed?: Readonly<Record<string, string>>;
}

const isCall = (node: ts.Node, ...names: string[]): boolean =>
  ts.isCallExpression(node) && names.includes(node.expression.getText());

/** A name that stands for itself, not for a member of something else. */
const isName = (node: ts.Node, name: string): boolean =>
  ts.isIdentifier(node) &&
  node.text === name &&
  !(ts.isPropertyAccessExpression(node.parent) && node.parent.name === node) &&
  !(ts.isPropertyAssignment(node.parent) && node.parent.name === node);

const moneyName = /(^|\.)(balance|amount|credit_limit|min_payment_amount|opening|closing)$/;
const isMoney = (node: ts.Node): boolean => moneyName.test(node.getText());
const arithmetic = new Set([
  ts.SyntaxKind.PlusToken,
  ts.SyntaxKind.MinusToken,
  ts.SyntaxKind.AsteriskToken,
  ts.SyntaxKind.SlashToken,
  ts.SyntaxKind.PlusEqualsToken,
  ts.SyntaxKind.MinusEqualsToken,
  ts.SyntaxKind.LessThanToken,
  ts.SyntaxKind.GreaterThanToken,
  ts.SyntaxKind.LessThanEqualsToken,
  ts.SyntaxKind.GreaterThanEqualsToken,
]);

const bans: readonly Ban[] = [
  {
    what: 'console',
    replacement: 'the log of the call; main.ts and cli.ts write to process.stdout',
    found: (node) => isName(node, 'console'),
    sample: 'console.log(1)',
  },
  {
    what: 'process',
    replacement: 'a setting of config.ts, which main.ts and cli.ts read from the environment',
    found: (node) =>
      isName(node, 'process') || (ts.isStringLiteral(node) && /^(node:)?process$/.test(node.text)),
    sample: 'const { env } = process',
    allowed: {
      'src/main.ts': 'it is the process',
      'src/cli.ts': 'it is the process',
      'src/db/embedded/embedded.ts': 'the number of our own process stands in the lock on DATA_DIR',
    },
  },
  {
    what: 'Math.random',
    replacement: 'randomBytes, randomInt or randomUUID of node:crypto',
    found: (node) => isCall(node, 'Math.random'),
    sample: 'const secret = Math.random()',
    allowed: { 'src/db/database.ts': 'only spreads retries, so that two that met do not meet again' },
  },
  {
    what: 'Date.now',
    replacement: 'call.now for the moment of a call, performance.now() for how long something took',
    found: (node) => isCall(node, 'Date.now'),
    sample: 'const now = Date.now()',
    allowed: {
      'src/commands/doctor.ts': 'compares the clock of this machine with that of the database',
      'src/db/embedded/embedded.ts': 'waits for another process; no call is there yet',
      'src/api/http/auth/digest.ts': 'the age of a nonce is told by the clock that other servers share',
      'src/api/http/auth/replay.ts': 'forgets nonces by the same clock',
      'src/server/store.ts': 'waits for another process; no call is there yet',
    },
  },
  {
    what: 'new Date() of the clock',
    replacement: 'call.now',
    found: (node) =>
      ts.isNewExpression(node) && node.expression.getText() === 'Date' && (node.arguments?.length ?? 0) === 0,
    sample: 'const now = new Date()',
    allowed: {
      'src/commands/doctor.ts': 'the days that a certificate has left; it is no call',
      'src/core/call/dispatch.ts': 'the one place where a call learns the time',
      'src/base/log.ts': 'when a line was logged; it is no call',
    },
  },
  {
    what: 'any',
    replacement: 'unknown, or the type that it is',
    found: (node) => node.kind === ts.SyntaxKind.AnyKeyword,
    sample: 'const value: any = 1',
  },
  {
    what: 'a default export',
    replacement: 'a named one',
    found: (node) => ts.isExportAssignment(node) || node.kind === ts.SyntaxKind.DefaultKeyword,
    sample: 'export default function name() {}',
  },
  {
    what: 'parseFloat',
    replacement: 'core/schema/decimal.ts for money; Number after a check of the text for anything else',
    found: (node) => isCall(node, 'parseFloat', 'Number.parseFloat'),
    sample: 'const amount = parseFloat(text)',
  },
  {
    what: 'arithmetic on money',
    replacement: 'minus, negate, exceeds and so on of core/schema/decimal.ts: a balance is a decimal string',
    found: (node) =>
      (ts.isBinaryExpression(node) &&
        arithmetic.has(node.operatorToken.kind) &&
        (isMoney(node.left) || isMoney(node.right))) ||
      (isCall(node, 'Number') && (node as ts.CallExpression).arguments.some(isMoney)) ||
      (ts.isPrefixUnaryExpression(node) &&
        isMoney(node.operand) &&
        node.operator !== ts.SyntaxKind.ExclamationToken),
    sample: 'const left = customer.balance - amount',
  },
  {
    what: 'toFixed',
    replacement: 'plain() of core/schema/decimal.ts',
    found: (node) => ts.isCallExpression(node) && /\.toFixed$/.test(node.expression.getText()),
    sample: 'const text = (1.005).toFixed(2)',
    allowed: {
      'src/commands/doctor.ts': 'sizes and seconds, for people to read',
      'src/commands/transfer/import-customers.ts': 'seconds, for people to read',
      'src/core/schema/decimal.ts': 'that of big.js, which is exact',
    },
  },
  {
    what: 'what Node 20 lacks although the types have it',
    replacement: 'a loop: package.json promises Node 20.19',
    found: (node) =>
      isCall(node, 'Map.groupBy', 'Object.groupBy', 'Promise.withResolvers', 'Array.fromAsync'),
    sample: 'const groups = Map.groupBy(list, key)',
  },
  {
    what: 'a password hash out of turn',
    replacement: 'the `hash` that `prepare` gets, call.hashing, or hashingFor of core/auth/hashing.ts',
    found: (node) => isCall(node, 'hashPassword', 'verifyPassword'),
    sample: 'await hashPassword(password)',
    allowed: {
      'src/core/auth/credentials.ts': 'makes the hash against which unknown logins are checked',
      'src/core/auth/hashing.ts': 'it takes the turns',
      'src/features/system/first-start.ts': 'there are no callers yet',
    },
  },
  {
    what: 'eval',
    replacement: 'a function',
    found: (node) =>
      isCall(node, 'eval') || (ts.isNewExpression(node) && node.expression.getText() === 'Function'),
    sample: 'new Function("return 1")',
  },
  {
    what: 'an order to the linter or the compiler to look away',
    replacement: 'code that they accept, or a rule changed for all in eslint.config.mjs with its reason',
    found: (node) =>
      ts.isSourceFile(node) &&
      /(\/\/|\/\*+)\s*(eslint-disable|@ts-(ignore|nocheck|expect-error))/.test(node.text),
    sample: '// eslint-disable-next-line\nlet a;',
  },
];

function contains(source: ts.SourceFile, found: Ban['found']): boolean {
  const visit = (node: ts.Node): boolean => found(node) || (ts.forEachChild(node, visit) ?? false);
  return visit(source);
}

describe('what is not used in src', () => {
  test.each(bans.map((ban) => [`${ban.what}: instead ${ban.replacement}`, ban] as const))(
    '%s',
    (_name, ban) => {
      const { found, sample, allowed = {} } = ban;
      expect(contains(parsed('sample.ts', sample), found)).toBe(true);
      const using = sourceFiles.filter((file) => {
        const source = sources.get(file);
        return source !== undefined && contains(source, found);
      });
      expect(using).toEqual(
        Object.keys(allowed)
          .filter((file) => existsSync(join(root, file)))
          .sort(),
      );
    },
  );
});

test('every file of src and every migration opens by saying what it is for', () => {
  const silent = [...sources].filter(([, { text }]) => !/^(#![^\n]*\n)?\/\*\*\s+(\*\s+)?\S/.test(text));
  expect(silent.map(([file]) => file)).toEqual([]);
});

/** The words are put together here, so that this file does not hold them. */
const reminder = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\\b`);

test('nothing is left for later', () => {
  const folders = ['src', 'test', 'migrations', 'bench', 'examples', 'ops', 'docs'];
  const texts = folders.flatMap((folder) => filesIn(folder, ''));
  const files = [...texts, 'README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'knexfile.ts'];
  const reminding = files
    .filter((file) => /\.(ts|js|mjs|py|php|pl|sh|md|txt|ya?ml|svg)$/.test(file))
    .filter((file) => reminder.test(textOf(file)));
  expect(reminder.test('// TO' + 'DO later')).toBe(true);
  expect(reminding).toEqual([]);
});

test('no test is switched off or runs alone', () => {
  const switches = new Set(['skip', 'only', 'todo', 'failing']);
  const found: Ban['found'] = (node) =>
    (ts.isPropertyAccessExpression(node) &&
      switches.has(node.name.text) &&
      /^(describe|it|test)(\.|$)/.test(node.expression.getText())) ||
    isCall(node, 'xdescribe', 'xit', 'xtest', 'fdescribe', 'fit');
  expect(contains(parsed('sample.ts', 'test.concurrent.only(name, run)'), found)).toBe(true);
  const allowed = { 'test/embedded.long.test.ts': 'says by its name that only root can become another user' };
  const switched = filesIn('test', '.ts').filter((file) => contains(parsed(file, textOf(file)), found));
  expect(switched).toEqual(Object.keys(allowed));
});

describe('the changelog', () => {
  const text = textOf('CHANGELOG.md');
  const versions = [...text.matchAll(/^## (.*)$/gm)].map(([, title = '']) => title);

  test('has what is unreleased on top, then versions with their days, the newest first', () => {
    expect(text).toMatch(/^# Changelog\n/);
    expect(versions[0]).toBe('Unreleased');
    const released = versions.slice(1).map((title) => /^(\d+\.\d+\.\d+) - (\d{4}-\d\d-\d\d)$/.exec(title));
    expect(released).not.toContain(null);
    const days = released.map((match) => match?.[2] ?? '');
    expect(days).toEqual(days.toSorted().toReversed());
  });

  test('speaks in whole sentences under the usual headings', () => {
    const headings = [...text.matchAll(/^### (.*)$/gm)].map(([, title]) => title);
    const usual = ['Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security'];
    expect(headings.filter((title) => !usual.includes(title ?? ''))).toEqual([]);
    const entries = text.split(/^- /m).slice(1);
    const ends = entries.map((entry) => (entry.split(/\n(?=\n|#)/)[0] ?? '').trim());
    expect(ends.filter((entry) => !/^[A-Z`/].*\.$/s.test(entry))).toEqual([]);
  });
});

test('the README has at most 120 lines', () => {
  expect(textOf('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(120);
});

const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...['docs', 'ops', 'examples'].flatMap((folder) => filesIn(folder, '.md')),
];

/** The targets of Markdown links and of pictures, outside of code. */
function targetsIn(text: string): string[] {
  const prose = text.replace(/```[^]*?```/g, '').replace(/`[^`\n]*`/g, '');
  const found = prose.matchAll(/\]\(([^)\s]+)\)|\bsrc(?:set)?="([^"]+)"/g);
  return [...found].map(([, link, source]) => link ?? source ?? '');
}

const anchorsIn = (text: string): Set<string> =>
  new Set([...text.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) => slug(title)));

const slug = (title: string): string =>
  title
    .toLowerCase()
    .replace(/[^\w\s-]/g, '')
    .replaceAll(' ', '-');

test.each(documents)('the links of %s lead to files and headings that exist', (file) => {
  const broken = targetsIn(textOf(file))
    .filter((target) => !/^[a-z]+:/.test(target))
    .filter((target) => {
      const [path = '', anchor] = target.split('#');
      const linked = path === '' ? file : join(dirname(file), path);
      if (!existsSync(join(root, linked))) return true;
      return anchor !== undefined && !anchorsIn(textOf(linked)).has(anchor);
    });
  expect(broken).toEqual([]);
});
