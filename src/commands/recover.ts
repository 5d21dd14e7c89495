/** `treeline recover`: a way back in for a customer that is locked out, given by who stands at the server. */
import type { Command } from 'commander';
import { type Shell, call, inSession } from './shared/context';
import type { Options } from './shared/options';
import { withExamples, withJson } from './shared/method-command';
import { writeLine } from './shared/terminal';

export function addRecover(program: Command, shell: Shell): void {
  const command = withJson(program.command('recover <login>')).description(
    'Makes a token of the guest agent of the customer whose login it is, for an hour; the audit records show it.',
  );
  withExamples(command, [
    'treeline recover blue-fjord',
    'curl -H "authorization: Bearer $TOKEN" http://127.0.0.1:8080/v1.0/agents',
  ]).action(async (web_login: string, options: Options) => {
    const { i_customer, token, expires } = await inSession(shell, {}, (context) =>
      call(context, 'recoverLogin', { web_login }),
    );
    const { stdout, stderr } = shell.terminal;
    if (options['json'] === true) {
      await writeLine(stdout, JSON.stringify({ i_customer, token, expires }));
      return;
    }
    await writeLine(stdout, String(token));
    await writeLine(stderr, `It ends at ${String(expires)}; whoever has it is an administrator until then`);
  });
}
