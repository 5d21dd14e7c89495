/**
 * `treeline set-web-password` and `set-api-password`, and how passwords get to commands: from stdin
 * or typed without echo, never as an argument, which everybody on the machine could read.
 */
import type { Command } from 'commander';
import type { Struct } from '../../core/schema/values';
import { type Shell, call, inSession } from './context';
import { UsageError } from './exit-codes';
import type { Options } from './options';
import { withExamples, withJson } from './method-command';
import { type Terminal, askPassword, readLines, writeLine } from './terminal';

const kinds = {
  web_password: { option: '--web-password-stdin', key: 'webPasswordStdin', what: 'web password' },
  api_password: { option: '--api-password-stdin', key: 'apiPasswordStdin', what: 'API password' },
} as const;

type Kind = keyof typeof kinds;

/** The passwords of a customer as members: from stdin where an option says so; `required` ones are else asked for. */
export async function passwordsFrom(
  terminal: Terminal,
  options: Options,
  required: readonly Kind[],
): Promise<Struct> {
  const piped = (Object.keys(kinds) as Kind[]).filter((kind) => options[kinds[kind].key] === true);
  const lines = piped.length > 0 ? await readLines(terminal, piped.length) : [];
  const members: Struct = new Map();
  for (const [index, kind] of piped.entries()) members.set(kind, passwordOf(lines[index], kinds[kind].what));
  for (const kind of required) {
    if (!members.has(kind))
      members.set(kind, await askPassword(terminal, kinds[kind].what, kinds[kind].option));
  }
  return members;
}

function passwordOf(line: string | undefined, what: string): string {
  if (line === undefined || line === '') throw new UsageError(`There is no ${what} on stdin`);
  return line;
}

/** A new password for a login: a line of stdin with `--stdin`, else asked for. */
async function newPassword(terminal: Terminal, options: Options, what: string): Promise<string> {
  if (options['stdin'] !== true) return askPassword(terminal, what, '--stdin');
  return passwordOf((await readLines(terminal, 1))[0], what);
}

const withStdin = (command: Command): Command =>
  withJson(command).option(
    '--stdin',
    'Reads the password from the first line of stdin; absent: asks for it.',
  );

export function addPasswords(program: Command, shell: Shell): void {
  addWebPassword(program, shell);
  addApiPassword(program, shell);
}

function addWebPassword(program: Command, shell: Shell): void {
  const command = withStdin(program.command('set-web-password <login>')).description(
    'Sets the web password of a login, root too, and unlocks it.',
  );
  withExamples(command, [
    'treeline set-web-password root',
    'echo "$PASSWORD" | treeline set-web-password blue-fjord --stdin',
  ]).action(async (web_login: string, options: Options) => {
    const web_password = await newPassword(shell.terminal, options, 'web password');
    const { i_web_user } = await inSession(shell, {}, (context) =>
      call(context, 'setWebPassword', { web_login, web_password }),
    );
    const said = options['json'] === true ? JSON.stringify({ i_web_user }) : 'The web password is set';
    await writeLine(shell.terminal.stdout, said);
  });
}

function addApiPassword(program: Command, shell: Shell): void {
  const command = withStdin(program.command('set-api-password <login>'))
    .description("Sets the API password of a customer's own login, root too.")
    .option(
      '--keep-old <hours>',
      'The password before goes on working so long, until all callers are moved.',
    );
  withExamples(command, [
    'treeline set-api-password root',
    'echo "$PASSWORD" | treeline set-api-password blue-fjord --keep-old 48 --stdin',
  ]).action(async (web_login: string, options: Options) => {
    const api_password = await newPassword(shell.terminal, options, 'API password');
    const kept = options['keepOld'] as string | undefined;
    const { i_customer, api_access } = await inSession(shell, {}, (context) =>
      call(context, 'setApiPassword', {
        web_login,
        api_password,
        ...(kept !== undefined && { keep_old_hours: kept }),
      }),
    );
    const old = kept === undefined ? '' : `; the one before works for ${kept} more hours`;
    const said =
      options['json'] === true ? JSON.stringify({ i_customer, api_access }) : `The API password is set${old}`;
    await writeLine(shell.terminal.stdout, said);
    if (api_access !== 1) {
      const hint = `Its use is not allowed yet: treeline customers update ${String(i_customer)} --api-access 1`;
      await writeLine(shell.terminal.stderr, hint);
    }
  });
}
