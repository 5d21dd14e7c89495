/** `treeline customers import`, from the command line as an operator gives it: how fast, and in how much memory. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { webPassword } from './members';
import { type Ground } from './ground';
import { residentOf } from './memory';
import { projectRoot } from './processes';
import type { Site } from './site';

export interface Imported {
  readonly rows: number;
  readonly rows_per_s: number;
  readonly peak_mb: number;
}

const poll_ms = 50;

/** Imports so many new customers below the wholesaler of a site. */
export async function importFile(
  ground: Ground,
  site: Site,
  rows: number,
  kind: 'with passwords' | 'without passwords',
): Promise<Imported> {
  ground.tell(`Importing ${rows.toLocaleString('en')} customers ${kind}`);
  const file = join(ground.folder, 'customers.csv');
  writeFileSync(file, fileOf(rows, site.population.i_tariff, kind));
  const words = ['dist/src/cli.js', 'customers', 'import', file, '--as', String(site.i_wholesaler)];
  const began = performance.now();
  const child = spawn(process.execPath, words, {
    cwd: projectRoot,
    env: { ...site.settings },
    stdio: ['ignore', 'inherit', 'ignore'],
  });
  let peak_mb = 0;
  const watch = setInterval(() => {
    const { peak_mb: now_mb } = residentOf(child.pid ?? 0);
    if (now_mb > peak_mb) peak_mb = now_mb;
  }, poll_ms);
  const [code] = (await once(child, 'exit')) as [number | null];
  clearInterval(watch);
  if (code !== 0) throw new Error(`The import ended with ${code}`);
  const took_s = (performance.now() - began) / 1_000;
  return { rows, rows_per_s: rows / took_s, peak_mb };
}

/** With the columns that an office has of its customers. */
function fileOf(rows: number, i_tariff: number, kind: string): string {
  const stem = `import-${kind === 'with passwords' ? 'p' : 'n'}${process.pid}`;
  const password = kind === 'with passwords' ? webPassword : '';
  const lines = Array.from({ length: rows }, (_, index) =>
    [
      `${stem}-${index}`,
      password,
      i_tariff,
      `Import No. ${index} Ltd.`,
      `${index} Harbour Street`,
      'Vancouver',
      'Canada',
      '+1 604 555 0142',
      `office-${index}@import.example`,
      '250.5',
      '10.5',
    ].join(','),
  );
  const columns =
    'name,web_password,i_tariff,company_name,street_addr,city,country,phone,email,credit_limit,balance';
  return `${[columns, ...lines].join('\n')}\n`;
}
