/**
 * What a command sees of the process that it runs in: handed over, so that commands can be run in
 * tests, and so that nothing but `cli.ts` knows the process. Questions go to stderr, because stdout
 * belongs to the answer.
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { Refusal, UsageError } from './exit-codes';

export type Input = NodeJS.ReadableStream & { readonly isTTY?: boolean };
export type Output = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };

/** The part of Node's `process` that a command needs. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
}

/** Waits while the reader is slower than we are. */
export async function write(stream: Output, text: string): Promise<void> {
  if (!stream.write(text)) await once(stream, 'drain');
}

export const writeLine = (stream: Output, line: string): Promise<void> => write(stream, `${line}\n`);

/** Where the echo of a password goes. */
const nowhere = (): Writable =>
  new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });

/** Asks one thing after the other. With `hidden` nothing of the answers is shown. */
async function ask(
  terminal: Terminal,
  questions: readonly string[],
  hidden = false,
): Promise<readonly string[]> {
  const output = hidden ? nowhere() : terminal.stderr;
  const reader = createInterface({ input: terminal.stdin, output, terminal: true });
  const lines = reader[Symbol.asyncIterator]();
  const answers: string[] = [];
  try {
    for (const question of questions) {
      terminal.stderr.write(question);
      const line = await lines.next();
      if (hidden) terminal.stderr.write('\n');
      // Ctrl-C and Ctrl-D.
      if (line.done) throw new Refusal('There was no answer');
      answers.push(line.value);
    }
    return answers;
  } finally {
    reader.close();
  }
}

/** Whether somebody is there who can answer. */
const isAttended = ({ stdin, stderr }: Terminal): boolean => stdin.isTTY === true && stderr.isTTY === true;

/** A new password, asked for twice without echo. Without a terminal: a usage error that names the option. */
export async function askPassword(terminal: Terminal, what: string, option: string): Promise<string> {
  if (!isAttended(terminal)) {
    throw new UsageError(`There is no terminal to ask for the ${what} on: give it with ${option}`);
  }
  const [password = '', again] = await ask(terminal, [`New ${what}: `, 'Once more: '], true);
  if (again !== password) throw new Refusal('The two were not the same');
  return password;
}

/** Goes on only after a yes; `--yes` says it beforehand. */
export async function confirm(terminal: Terminal, question: string, yes: boolean | undefined): Promise<void> {
  if (yes) return;
  if (!isAttended(terminal)) throw new UsageError('There is no terminal to ask on: give --yes to go on');
  const [answer = ''] = await ask(terminal, [`${question} [y/N] `]);
  if (!/^y(es)?$/i.test(answer.trim())) throw new Refusal('Nothing was changed');
}

/** The lines of stdin, of which one holds a password; at most as many as asked for. */
export async function readLines(terminal: Terminal, count: number): Promise<readonly string[]> {
  let text = '';
  for await (const chunk of terminal.stdin) {
    text += String(chunk);
    if (text.split('\n').length > count) break;
    if (text.length > 65_536) throw new UsageError('stdin must hold one password a line');
  }
  return text.split(/\r?\n/).slice(0, count);
}
