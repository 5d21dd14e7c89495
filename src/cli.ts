#!/usr/bin/env node
/** `treeline …`: binds the commands to this process. What they do is in `commands/`. */
import packageJson from '../package.json';
import { allMethods } from './server/app';
import { runCommand } from './commands/program';
import { serve } from './server/serve';

// Whoever reads what we say may have seen enough, as `head` has.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});

void runCommand(process.argv.slice(2), {
  terminal: process,
  version: packageJson.version,
  methods: allMethods,
  serve: () => serve(process),
}).then((code) => {
  process.exitCode = code;
});
