/**
 * Times on the wire: the switch's own form, `09:57:29.000 GMT Wed Nov 18 2009`, and ISO 8601; both
 * UTC. A date that does not exist is none: no February 30 becomes March 2.
 */
const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const switchForm = /^(\d\d):(\d\d):(\d\d)(?:\.(\d{3}))? GMT ([A-Z][a-z]{2}) ([A-Z][a-z]{2}) (\d\d?) (\d{4})$/;
/** With or without separators, as XML-RPC writes `20091118T09:57:29`; without a zone it is UTC. */
const isoForm =
  /^(\d{4})-?(\d\d)-?(\d\d)(?:[T ](\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d{1,6}))?)?)?(?:Z|[+]00:?00)?$/;

/** Reads either form; undefined for anything else. */
export function parseTime(text: string): Date | undefined {
  const old = switchForm.exec(text);
  if (old) {
    const [, hour, minute, second, ms, day, month, date, year] = old;
    const index = months.indexOf(month ?? '');
    const time = index < 0 ? undefined : utc([year, index + 1, date, hour, minute, second], ms);
    return time && days[time.getUTCDay()] === day ? time : undefined;
  }
  const iso = isoForm.exec(text);
  if (!iso) return undefined;
  const [, year, month, date, hour, minute, second, fraction] = iso;
  return utc([year, month, date, hour, minute, second], fraction);
}

function utc(
  parts: readonly (string | number | undefined)[],
  fraction: string | undefined,
): Date | undefined {
  const [year = 0, month = 1, date = 1, hour = 0, minute = 0, second = 0] = parts.map((part) =>
    Number(part ?? 0),
  );
  const ms = Math.trunc(Number(`0.${fraction ?? '0'}`) * 1_000);
  const time = new Date(Date.UTC(year, month - 1, date, hour, minute, second, ms));
  const exists =
    time.getUTCFullYear() === year &&
    time.getUTCMonth() === month - 1 &&
    time.getUTCDate() === date &&
    time.getUTCHours() === hour &&
    time.getUTCMinutes() === minute &&
    time.getUTCSeconds() === second;
  return exists && year >= 1970 ? time : undefined;
}

/** In the form of the switch. */
export function formatTime(time: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const clock = `${two(time.getUTCHours())}:${two(time.getUTCMinutes())}:${two(time.getUTCSeconds())}`;
  const ms = String(time.getUTCMilliseconds()).padStart(3, '0');
  const day = days[time.getUTCDay()] ?? '';
  const month = months[time.getUTCMonth()] ?? '';
  return `${clock}.${ms} GMT ${day} ${month} ${two(time.getUTCDate())} ${time.getUTCFullYear()}`;
}
