/**
 * The log: one line a call, readable on a terminal, JSON otherwise. Fields whose names are those of
 * secrets are hidden wherever they come up; parameters are never logged, so this is the second lock.
 */
import { Writable } from 'node:stream';
import { type Logger, createLogger, format, transports } from 'winston';

const secretName = /password|secret|token|authorization|cookie|api_?key|ha1/i;

const hideSecret = (name: string, value: unknown): unknown =>
  secretName.test(name) && value !== undefined ? '[hidden]' : value;

/** What could end a line or move the cursor of a terminal; JSON escapes only some of it. */
const controls = /[\x00-\x1f\x7f-\x9f\u2028\u2029]/g;

const oneLine = (text: string): string =>
  text.replace(controls, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

const asJson = (value: unknown): string => oneLine(JSON.stringify(value, hideSecret));

/** A plain word as it is; anything else in quotes, so that a blank in it does not begin another field. */
const shown = (value: unknown): string =>
  typeof value === 'string' && /^[^\s"=]+$/.test(value) ? oneLine(value) : asJson(value);

const timestamp = (): string => new Date().toISOString();

const readable = format.printf(({ level, message, ...rest }) => {
  const known = Object.entries(rest).filter(([, value]) => value !== undefined);
  const fields = known.map(([name, value]) => `${name}=${shown(hideSecret(name, value))}`);
  return [timestamp(), level.toUpperCase().padEnd(5), oneLine(String(message)), ...fields].join(' ');
});

const json = format.printf((info) =>
  asJson(Object.assign({ timestamp: timestamp(), level: info.level, message: info.message }, info)),
);

/** So much goes into a pipe as a whole, where several workers write into one. */
const wholeAtMost = 4_096;

/** What is logged in one turn of the event loop is written at once: to a file, Node waits for each write. */
function inOneWrite(stream: NodeJS.WritableStream): Writable {
  let lines = '';
  const flush = (): void => {
    if (lines !== '') stream.write(lines);
    lines = '';
  };
  return new Writable({
    decodeStrings: false,
    write: (line: string, _encoding, done) => {
      if (lines === '') setImmediate(flush);
      else if (lines.length + line.length > wholeAtMost) flush();
      lines += line;
      done();
    },
  });
}

/** Makes the log. `terminal`: lines for people; otherwise JSON, one object a line. */
export function createLog(level: string, terminal: boolean, stream: NodeJS.WritableStream): Logger {
  return createLogger({
    level,
    format: terminal ? readable : json,
    transports: [new transports.Stream({ stream: inOneWrite(stream) })],
  });
}
