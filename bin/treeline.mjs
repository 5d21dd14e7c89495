#!/usr/bin/env node
/**
 * What `npx treeline` starts: the compiled command line. It is compiled first where it is missing or
 * older than its sources, because nothing else does so in a fresh clone: install scripts may be off.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const program = join(root, 'dist', 'src', 'cli.js');
/** Ours, as old as the beginning of the compilation: what was changed meanwhile is newer. */
const stamp = join(root, 'dist', '.treeline-compiled');
const described = join(root, 'dist', '.tsbuildinfo');
const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');

const changed_at = (path) => statSync(path).mtimeMs;
const filesIn = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));

/** An image may hold what was compiled and nothing else; that is then as new as can be. */
function isStale() {
  if (!existsSync(program) || !existsSync(stamp)) return true;
  const sources = [
    'src',
    'migrations',
    'fixtures/dictionaries.json',
    'package.json',
    'tsconfig.json',
    'tsconfig.build.json',
  ]
    .map((name) => join(root, name))
    .filter((path) => existsSync(path))
    .flatMap((path) => (statSync(path).isDirectory() ? filesIn(path) : [path]));
  const compiled_at = changed_at(stamp);
  return sources.some((path) => changed_at(path) > compiled_at);
}

function compile() {
  process.stderr.write('treeline: compiling the sources first\n');
  // Without what it is to describe, the compiler would believe it and write nothing.
  if (!existsSync(program)) rmSync(described, { force: true });
  const began = new Date();
  const words = [compiler, '-p', join(root, 'tsconfig.build.json')];
  // What the compiler says is not what the command says.
  const { status } = spawnSync(process.execPath, words, { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) {
    process.stderr.write('treeline: the sources do not compile\n');
    process.exit(1);
  }
  writeFileSync(stamp, '');
  utimesSync(stamp, began, began);
}

if (existsSync(compiler) ? isStale() : !existsSync(program)) {
  if (!existsSync(compiler)) {
    process.stderr.write(
      'treeline: not compiled, and the compiler is not installed: npm ci && npm run build\n',
    );
    process.exit(1);
  }
  compile();
}
await import(pathToFileURL(program).href);
