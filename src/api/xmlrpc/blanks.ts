/** Blank characters as XML defines them, and shortened texts. */

/** Cuts the text to `max_characters` UTF-16 units, never inside a surrogate pair. */
export function shorten(text: string, max_characters: number): string {
  return text.length <= max_characters ? text : text.slice(0, max_characters).replace(/[\ud800-\udbff]$/, '');
}

/** Whether XML treats the character as blank. A no-break space is text. */
export function isBlankCode(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

export function isBlank(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (!isBlankCode(text.charCodeAt(index))) return false;
  }
  return true;
}

export function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlankCode(text.charCodeAt(start))) start += 1;
  while (end > start && isBlankCode(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}
