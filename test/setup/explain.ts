/** `npm run explain`: the plans of all hot statements, as `docs/explain.md`. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { startEmbedded } from '../../src/db/embedded/embedded';
import { openDatabase } from '../../src/db/database';
import { migrate } from '../../src/db/migrations';
import { type Plan, hotPlans } from './plans';
import { startServer } from './server';

export const explainFile = join('docs', 'explain.md');

const opening = `# How the hot statements find their rows

Written by \`npm run explain\`: the calls that are made all day run on a server whose database has 30,000 customers below one
wholesaler; every statement that is heard is explained, as PostgreSQL plans it for any values where it may choose freely (servers ask it
to take indexes of small tables, too). \`test/explain.long.test.ts\` looks for scans of whole tables.
`;

/** A statement and its plan as they stand in the document. */
export function sectionOf({ method, name, text, lines }: Plan) {
  // Indented as in its source, which is nothing to a reader.
  const statement = `\`\`\`sql\n${text.trim().replace(/\n\s+/g, '\n  ')}\n\`\`\``;
  return {
    title: `## ${name || 'without a name'} (${method})`,
    statement,
    plan: `\`\`\`text\n${lines.join('\n')}\n\`\`\``,
  };
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'treeline-explain-'));
  // PostgreSQL does not run as root; whoever it runs as must reach the folder.
  chmodSync(folder, 0o755);
  const embedded = await startEmbedded({ data_dir: folder, settings: { fsync: 'off' } });
  const { connection } = embedded;
  const waits = { statement_timeout_ms: 30_000, acquire_timeout_ms: 10_000 };
  const db = openDatabase({ connection, pool_size: 2, ...waits });
  await migrate(db.knex);
  await db.close();
  const server = await startServer({ LOG_LEVEL: 'error' }, { connection });
  try {
    const sections = (await hotPlans(server)).map(sectionOf);
    const texts = sections.map(({ title, statement, plan }) => `${title}\n\n${statement}\n\n${plan}\n`);
    writeFileSync(join(dirname(dirname(__dirname)), explainFile), [opening, ...texts].join('\n'));
    console.log(`Written: ${explainFile}`);
  } finally {
    await server.close();
    await embedded.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

if (require.main === module) {
  main().catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  });
}
