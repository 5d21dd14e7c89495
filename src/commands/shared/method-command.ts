/** A command that makes one call of the API: its arguments and options are the call's parameters. */
import type { Command } from 'commander';
import type { Struct } from '../../core/schema/values';
import { type Context, type Shell, call, inSession, methodNamed, withIds } from './context';
import { type Options, addAttributes, addParameters, membersOf, optionKey, secretsGiven } from './options';
import { showResult } from './output';
import { writeLine } from './terminal';

export interface MethodCommand {
  /** `create [name]`, as commander has it. */
  readonly usage: string;
  /** The call, by its name. */
  readonly method: string;
  /** Parameters that no option is made for, because an argument gives them or they make no sense here. */
  readonly without?: readonly string[];
  /** Whether the parameters are the attributes of a customer, which are many and get a group of their own. */
  readonly hasAttributes?: true;
  /** What the arguments add to the members. */
  readonly arguments?: (context: Context, words: readonly string[], options: Options) => Promise<Struct>;
  /** An option that calls another method with the same parameters, which the API does not have. */
  readonly confirmation?: { readonly option: string; readonly description: string; readonly method: string };
  /** What is said of a call that answers nothing but ids. */
  readonly done?: string;
  readonly examples: readonly string[];
}

export function addMethodCommand(parent: Command, shell: Shell, declaration: MethodCommand): Command {
  const method = methodNamed(shell, declaration.method);
  const command = withCommonOptions(parent.command(declaration.usage).description(method.summary));
  const without = declaration.without ?? [];
  if (declaration.hasAttributes) addAttributes(command, method, without);
  else addParameters(command, method, without);
  const { confirmation } = declaration;
  if (confirmation) command.option(confirmation.option, confirmation.description);
  return withExamples(command, declaration.examples).action(async (...given: unknown[]) => {
    const words = given.slice(0, -2).filter((word) => typeof word === 'string');
    const options = given.at(-2) as Options;
    for (const name of secretsGiven(method, options)) {
      await writeLine(
        shell.terminal.stderr,
        `${name} as an argument can be read by everybody on this machine`,
      );
    }
    await inSession(shell, sessionOf(options), async (context) => {
      const members: Struct = new Map([
        ...(await withIds(context, membersOf(method, options))),
        ...((await declaration.arguments?.(context, words, options)) ?? []),
      ]);
      const isConfirmed = confirmation !== undefined && options[optionKey(confirmation.option)] === true;
      const result = await call(context, isConfirmed ? confirmation.method : method.name, members);
      const shape = { json: options['json'] === true, output: shell.terminal.stdout };
      await showResult(shape, method, result, declaration.done);
    });
  });
}

export const sessionOf = (options: Options) => ({ as: options['as'] as string | undefined });

export const withCommonOptions = (command: Command): Command =>
  withJson(command).option('--as <customer>', 'Acts as this customer, by id or by name; absent: as root.');

export const withJson = (command: Command): Command => command.option('--json', 'Prints JSON, for programs.');

/** Shown at the end of `--help`. */
export const withExamples = (command: Command, examples: readonly string[]): Command =>
  command.addHelpText(
    'after',
    `\n${examples.length > 1 ? 'Examples' : 'Example'}:\n${examples.map((line) => `  $ ${line}\n`).join('')}`,
  );
