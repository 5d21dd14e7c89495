/**
 * The parameters of a method as options of a command, made from its declaration: nothing is listed
 * by hand. Values are texts, which the core reads as it reads strings of the wire; an empty one is
 * as good as none, so that an empty variable of a script says nothing.
 */
import { type Command, Option } from 'commander';
import type { Method } from '../../core/call/method';
import { type TSchema, declared } from '../../core/schema/schema';
import type { Struct } from '../../core/schema/values';
import { describeType, wireType } from '../../core/schema/describe';
import { UsageError } from './exit-codes';

export type Options = Readonly<Record<string, unknown>>;

export const optionName = (parameter: string): string => `--${parameter.replaceAll('_', '-')}`;

const isSecret = (schema: TSchema | undefined): boolean => schema?.['secret'] === true;

/** The parameters that get an option each; a secret never does, as everybody sees the arguments of a program. */
const openParameters = ({ params }: Method, without: readonly string[]): [string, TSchema][] =>
  Object.entries(params.properties).filter(([name, schema]) => !without.includes(name) && !isSecret(schema));

function optionOf(name: string, schema: TSchema, required: boolean): Option {
  const flags = `${optionName(name)} <${wireType(schema)}>`;
  const description = `${declared(schema).description} (${describeType(schema)})`;
  return new Option(flags, description).makeOptionMandatory(required);
}

/** Under which name commander keeps the option. */
export const optionKey = (option: string): string =>
  camelCase(option.replace(/^--/, '').replaceAll('-', '_'));

/** An option for each parameter but those that are given by position. */
export function addParameters(command: Command, method: Method, without: readonly string[] = []): Command {
  for (const [name, schema] of openParameters(method, without)) {
    command.addOption(optionOf(name, schema, method.params.required?.includes(name) ?? false));
  }
  return command;
}

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

/** An option for each attribute, and the ways to give any of them by its own name. */
export function addAttributes(command: Command, method: Method, without: readonly string[] = []): Command {
  command
    .option('--set <name=value>', 'Sets an attribute by its name in the API; may be repeated.', collect, [])
    .option('--nil <name>', 'Makes an attribute nil; may be repeated.', collect, []);
  command.optionsGroup('Attributes:');
  for (const [name, schema] of openParameters(method, without)) {
    command.addOption(optionOf(name, schema, false));
  }
  return command;
}

/** What was given, by the names of the API. `--set` comes after the named options, `--nil` last. */
export function membersOf(method: Method, options: Options): Struct {
  const members: Struct = new Map();
  for (const [name] of openParameters(method, [])) {
    const value = options[camelCase(name)];
    if (typeof value === 'string' && value !== '') members.set(name, value);
  }
  for (const [name, value] of settings(options)) {
    if (value !== '') members.set(name, value);
  }
  for (const name of (options['nil'] ?? []) as readonly string[]) members.set(name, null);
  return members;
}

/** Secrets among what `--set` gave: everybody on this machine can read them while the program runs. */
export const secretsGiven = (method: Method, options: Options): readonly string[] =>
  settings(options).flatMap(([name]) => (isSecret(method.params.properties[name]) ? [name] : []));

/** As commander names the value of `--i-tariff`. */
const camelCase = (name: string): string =>
  name.replace(/_(.)/g, (_all, letter: string) => letter.toUpperCase());

function settings(options: Options): (readonly [string, string])[] {
  return ((options['set'] ?? []) as readonly string[]).map((text) => {
    const at = text.indexOf('=');
    if (at < 1) throw new UsageError(`--set takes name=value, not "${text}"`);
    return [text.slice(0, at), text.slice(at + 1)] as const;
  });
}
