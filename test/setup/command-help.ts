/** The help of `treeline` and of each of its commands, as the program prints it. */
import { PassThrough } from 'node:stream';
import { allMethods } from '../../src/server/app';
import { runCommand } from '../../src/commands/program';

/** Returns what `treeline <words> --help` prints. */
async function helpOf(words: readonly string[]): Promise<string> {
  const out = new PassThrough();
  const terminal = { env: {}, stdin: new PassThrough(), stdout: out, stderr: out };
  const serve = (): never => {
    throw new Error('Help starts no server');
  };
  await runCommand([...words, '--help'], { terminal, version: '', methods: allMethods, serve });
  return String(out.read()).trim();
}

/** The names in the section "Commands:" of a help text, except `help` itself. */
function commandsIn(help: string): string[] {
  const [, section = ''] = /^Commands:\n((?: {2}.*\n?)+)/m.exec(help) ?? [];
  return [...section.matchAll(/^ {2}([a-z][\w-]*)/gm)]
    .map(([, name = '']) => name)
    .filter((name) => name !== 'help');
}

const block = (text: string): string => `\`\`\`text\n${text}\n\`\`\``;

export const mainHelp = async (): Promise<string> => block(await helpOf([]));

/** A section for each command, depth first. */
export const commandHelps = (): Promise<string> => sections([]);

async function sections(words: readonly string[]): Promise<string> {
  const texts: string[] = [];
  for (const name of commandsIn(await helpOf(words))) {
    const path = [...words, name];
    const help = await helpOf(path);
    texts.push(`### treeline ${path.join(' ')}\n\n${block(help)}`);
    if (commandsIn(help).length > 0) texts.push(await sections(path));
  }
  return texts.join('\n\n');
}
