/**
 * `npm run sbom`: what the server consists of, as CycloneDX. npm itself writes it; but with `--omit dev` npm leaves out
 * whatever a package for development needs too, so what is for development alone is taken out here, by the lock file.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './processes';

interface Component {
  readonly 'bom-ref': string;
  readonly name: string;
  readonly purl: string;
}

interface Bom {
  readonly bomFormat: string;
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

interface Locked {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly version?: string }>>;
}

const words = ['sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'application'];

export function sbom(): Bom {
  const whole = JSON.parse(
    execFileSync('npm', words, {
      cwd: projectRoot,
      encoding: 'utf8',
      maxBuffer: 100_000_000,
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  ) as Bom;
  const { packages } = JSON.parse(readFileSync(join(projectRoot, 'package-lock.json'), 'utf8')) as Locked;
  const needed = new Set(
    Object.entries(packages)
      .filter(([path, { dev }]) => path !== '' && dev !== true)
      .map(([path, { version = '' }]) => `${path.slice(path.lastIndexOf('node_modules/') + 13)}@${version}`),
  );
  const components = whole.components.filter((each) => needed.has(each['bom-ref']));
  const root = whole.metadata.component;
  const kept = new Set([root, ...components].map((each) => each['bom-ref']));
  return {
    ...whole,
    // npm takes the name of the folder.
    metadata: { ...whole.metadata, component: { ...root, name: 'treeline' } },
    components,
    dependencies: whole.dependencies
      .filter(({ ref }) => kept.has(ref))
      .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((each) => kept.has(each)) })),
  };
}

if (require.main === module) console.log(JSON.stringify(sbom(), undefined, 2));
