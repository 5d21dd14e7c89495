/**
 * How a program ends that cannot go on. What the person at the terminal can mend is one sentence;
 * only our own mistakes show a stack.
 */
import { CommanderError } from 'commander';
import { ConfigError } from '../../base/config';
import { DatabaseInUse } from '../../db/embedded/embedded';
import { Fault } from '../../base/faults';
import { WrongSecretKey } from '../../features/system/first-start';

/** What a command ends with; `--help` tells them too. */
export const exitCodes = { done: 0, refused: 1, usage: 2 } as const;

/** The command was understood and refused, or found something that is wrong. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
}

/** The command was not given as it must be. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const plainKinds = [Refusal, UsageError, ConfigError, DatabaseInUse, WrongSecretKey] as const;

/** What to tell of an error. */
export function sentenceOf(error: unknown): string {
  if (error instanceof Fault) {
    return error.cause === undefined ? error.message : `${error.message} (${messageOf(error.cause)})`;
  }
  const isPlain =
    plainKinds.some((kind) => error instanceof kind) || (error instanceof Error && hasCode(error));
  return isPlain || !(error instanceof Error) ? messageOf(error) : (error.stack ?? error.message);
}

/** Several addresses that did not answer make one error of many. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join(', ');
  return error instanceof Error ? error.message : String(error);
}

/** Errors of the system and of PostgreSQL: port taken, file not readable, login refused. Node's own, ERR_…, are ours. */
const hasCode = (error: Error): boolean => 'code' in error && !String(error.code).startsWith('ERR_');

export function exitCodeOf(error: unknown): number {
  // Commander ends with an error also where it was asked for help and has given it.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  return error instanceof UsageError ? exitCodes.usage : exitCodes.refused;
}
