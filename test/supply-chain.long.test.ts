/**
 * What the server is made of, how it is shipped, and whether docs/security.md names tests that there are. What can
 * only be tried where there is a docker daemon or a systemd is told in docs/reliability.md.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isInstalled, projectRoot } from './setup/processes';
import { licences } from './setup/licences';
import { sbom } from './setup/sbom';

const textOf = (file: string): string => readFileSync(join(projectRoot, file), 'utf8');

interface Package {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
}
const manifest = JSON.parse(textOf('package.json')) as Readonly<
  Record<'dependencies' | 'devDependencies' | 'scripts', Readonly<Record<string, string>>>
> & { readonly allowScripts: Readonly<Record<string, boolean>> };
const { packages } = JSON.parse(textOf('package-lock.json')) as {
  readonly packages: Readonly<Record<string, Package>>;
};
const locked = Object.entries(packages).filter(([path]) => path !== '');
const nameOf = (path: string): string =>
  path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

describe('packages', () => {
  test('every version is exact, locked and has a checksum', () => {
    const asked = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(asked.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([]);
    for (const [name, version] of asked) expect(packages[`node_modules/${name}`]?.version).toBe(version);
    const unsure = locked.filter(([, { integrity = '', resolved = 'https://' }]) => {
      return !integrity.startsWith('sha512-') || !resolved.startsWith('https://');
    });
    expect(unsure.map(([path]) => path)).toEqual([]);
  });

  test('nothing runs when it is installed', () => {
    const wanting = locked
      .filter(([, { hasInstallScript }]) => hasInstallScript)
      .map(([path]) => nameOf(path));
    // Those of other machines are not installed here.
    const here = wanting.filter((name) => existsSync(join(projectRoot, 'node_modules', name)));
    expect(here.length).toBeGreaterThan(0);
    for (const name of here) expect([name, manifest.allowScripts[name]]).toEqual([name, false]);
    expect(Object.values(manifest.allowScripts)).not.toContain(true);
    const own = Object.keys(manifest.scripts).filter((name) => /^(pre|post)?install$|^prepare$/.test(name));
    expect(own).toEqual([]);
  });

  test('`npm run sbom` lists every package that the server needs, and none of those that only build it', () => {
    const { bomFormat, components, dependencies } = sbom();
    expect(bomFormat).toBe('CycloneDX');
    const listed = new Set(components.map(({ purl }) => decodeURIComponent(purl).replace('pkg:npm/', '')));
    const needed = locked
      .filter(([path, { dev, link }]) => !dev && !link && existsSync(join(projectRoot, path)))
      .map(([path, { version = '' }]) => `${nameOf(path)}@${version}`);
    expect(needed.length).toBeGreaterThan(50);
    expect(needed.filter((each) => !listed.has(each))).toEqual([]);
    expect(components.filter(({ name }) => ['jest', 'typescript', 'eslint'].includes(name))).toEqual([]);
    const refs = new Set(dependencies.map(({ ref }) => ref));
    expect(dependencies.flatMap(({ dependsOn }) => dependsOn).filter((ref) => !refs.has(ref))).toEqual([]);
  });

  test('`npm run licences` lists every package that the server needs, all of them under licences that ask for little', () => {
    const listed = [...licences()].flatMap(([, names]) => names);
    const needed = locked
      .filter(([, { dev }]) => dev !== true)
      .map(([path, { version = '' }]) => `${nameOf(path)} ${version}`);
    expect(new Set(listed)).toEqual(new Set(needed));
    const known = [
      '0BSD',
      'Apache-2.0',
      'BSD-2-Clause',
      'BSD-3-Clause',
      'BlueOak-1.0.0',
      'ISC',
      'MIT',
      'PostgreSQL',
    ];
    expect([...licences().keys()].filter((licence) => !known.includes(licence))).toEqual([]);
  });
});

describe('ops', () => {
  const unit = textOf('ops/treeline.service');
  const image = textOf('ops/Dockerfile');

  test('the unit takes every right away that the server does not need', () => {
    const settings = new Map(
      unit
        .split('\n')
        .filter((line) => /^[A-Z]\w+=/.test(line))
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
    const demanded = {
      DynamicUser: 'yes',
      CapabilityBoundingSet: '',
      NoNewPrivileges: 'yes',
      ProtectSystem: 'strict',
      ProtectHome: 'yes',
      RestrictAddressFamilies: 'AF_INET AF_INET6 AF_UNIX',
      UMask: '0077',
      ExecReload: '/bin/kill -HUP $MAINPID',
      // The embedded PostgreSQL is stopped by the server, after the last call.
      KillMode: 'mixed',
    };
    for (const [name, value] of Object.entries(demanded))
      expect([name, settings.get(name)]).toEqual([name, value]);
    // Longer than the longest call, which is finished first.
    expect(Number(settings.get('TimeoutStopSec'))).toBeGreaterThan(30);
  });

  test('wherever it is started, it is started as `npm start` does', () => {
    const command = manifest.scripts['start']?.replace('exec ', '') ?? '';
    expect(command).toMatch(/^node .*main\.js$/);
    expect(unit).toContain(`ExecStart=/usr/bin/${command}\n`);
    expect(image).toContain(`\nCMD ${JSON.stringify(command.split(' ')).replaceAll(',', ', ')}\n`);
  });

  test(`systemd finds no mistake in the unit${isInstalled('systemd-analyze') ? '' : ' (there is none here to ask)'}`, () => {
    if (!isInstalled('systemd-analyze')) return;
    const file = join(projectRoot, 'ops/treeline.service');
    const said = execFileSync('systemd-analyze', ['security', '--offline=true', file], { encoding: 'utf8' });
    const [, exposure = ''] = /Overall exposure level for \S+: ([\d.]+)/.exec(said) ?? [];
    expect(Number(exposure)).toBeGreaterThan(0);
    expect(Number(exposure)).toBeLessThan(2);
  });

  test('the image runs without rights, has no compiler and no tests, and everything that is compiled into it', () => {
    const [, build = '', run = ''] = image.split(/^FROM .*$/m);
    expect(run).toMatch(/^USER node$/m);
    expect(run).not.toMatch(/^(RUN|COPY (?!--from=build))/m);
    expect(build).toContain('npm ci --ignore-scripts');
    expect(build).toContain('npm prune --omit=dev --ignore-scripts');
    const copied = [...build.matchAll(/^COPY (.+) \S+$/gm)].flatMap(([, files = '']) => files.split(' '));
    for (const file of copied) expect([file, existsSync(join(projectRoot, file))]).toEqual([file, true]);
    const words = ['tsc', '-p', 'tsconfig.build.json', '--listFilesOnly'];
    const compiled = execFileSync('npx', ['--no-install', ...words], { cwd: projectRoot, encoding: 'utf8' })
      .split('\n')
      .filter((file) => file.startsWith(projectRoot) && !file.includes('/node_modules/'))
      .map((file) => file.slice(projectRoot.length + 1));
    expect(compiled).toContain('src/main.ts');
    const missing = compiled.filter(
      (file) => !copied.some((each) => file === each || file.startsWith(`${each}/`)),
    );
    expect(missing).toEqual([]);
  });
});

describe('the table of docs/security.md', () => {
  const rows = textOf('docs/security.md')
    .split('\n')
    .filter((line) => /^\| \d/.test(line))
    .map((line) => line.slice(2, -2).split(' | '));
  /** `file`: "title", "another title"; `file`: … */
  const named = (cell: string): [file: string, title: string][] =>
    cell.split('; ').flatMap((part) => {
      const [, file = '', titles = ''] = /^`([^`]+)`: (.*)$/.exec(part) ?? [];
      return [...titles.matchAll(/"([^"]+)"/g)].map(([, title = '']): [string, string] => [file, title]);
    });
  const titlesOf = (file: string): string[] =>
    [...textOf(file).matchAll(/(?:\btest|\bdescribe|\))\(\s*(['"`])((?:(?!\1)[^\\\n])*)\1/g)].map(
      ([, , title = '']) => title,
    );

  test('names for each point a test, by its file and its title', () => {
    expect(rows.length).toBeGreaterThan(25);
    const unshown = rows.filter(([, , shown = '']) => named(shown).length === 0);
    expect(unshown.map(([point]) => point)).toEqual([]);
  });

  test('names no test that is gone', () => {
    const all = rows.flatMap(([, , shown = '']) => named(shown));
    const gone = all.filter(
      ([file, title]) =>
        !existsSync(join(projectRoot, file)) || !titlesOf(file).some((each) => each.includes(title)),
    );
    expect(gone).toEqual([]);
    expect(titlesOf('test/supply-chain.long.test.ts')).not.toContain('a test that nobody wrote');
  });
});
