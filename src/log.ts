/**
 * The log: one line a call, readable on a terminal, JSON otherwise. Fields whose names are those of
 * secrets are hidden wherever they come up; parameters are never logged, so this is the second lock.
 */
import { type Logger, createLogger, format, transports } from 'winston';

const secretName = /password|secret|token|authorization|cookie|api_?key|ha1/i;

const hideSecrets = format((info) => {
  for (const [name, value] of Object.entries(info)) {
    if (value !== undefined && secretName.test(name)) info[name] = '[hidden]';
  }
  return info;
});

// A line break or an escape sequence inside a value must not look like a line of its own.
const controls = /[\x00-\x1f\x7f-\x9f\u2028\u2029]/g;

const readable = format.printf(({ timestamp, level, message, ...rest }) => {
  const fields = Object.entries(rest).map(([name, value]) => `${name}=${shown(value)}`);
  return [String(timestamp), level.toUpperCase().padEnd(5), oneLine(String(message)), ...fields].join(' ');
});

const json = format.printf(({ timestamp, level, message, ...rest }) =>
  JSON.stringify({ timestamp, level, message, ...rest }),
);

const shown = (value: unknown): string =>
  typeof value === 'string' ? oneLine(value) : JSON.stringify(value);
const oneLine = (text: string): string =>
  text.replace(controls, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** Makes the log. `terminal`: lines for people; otherwise JSON, one object a line. */
export function createLog(level: string, terminal: boolean, stream: NodeJS.WritableStream): Logger {
  return createLogger({
    level,
    format: format.combine(hideSecrets(), format.timestamp(), terminal ? readable : json),
    transports: [new transports.Stream({ stream })],
  });
}
