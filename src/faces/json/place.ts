/** Where a text stops being JSON: V8 tells only sometimes, and quotes the text, which may hold a password. */
const blanks = /[ \t\n\r]*/y;
const token =
  /[[\]{},:]|"(?:[^"\\\0-\x1f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/** The position of the first word that cannot stand where it stands; the end, if the text stops too early. */
export function placeOfMistake(text: string): number {
  const open: string[] = [];
  let wanted: 'value' | 'name' | 'colon' | 'more' = 'value';
  let justOpened = false;
  for (;;) {
    const at = endOf(blanks, text, token.lastIndex);
    const word = text.slice(at, endOf(token, text, at));
    const inside = open.at(-1);
    const mayClose = wanted === 'more' || justOpened;
    justOpened = false;
    if ((word === ']' && inside === '[' && mayClose) || (word === '}' && inside === '{' && mayClose)) {
      open.pop();
      wanted = 'more';
    } else if (word === ',' && wanted === 'more' && inside !== undefined) {
      wanted = inside === '{' ? 'name' : 'value';
    } else if (word === ':' && wanted === 'colon') {
      wanted = 'value';
    } else if (word.startsWith('"') && wanted === 'name') {
      wanted = 'colon';
    } else if (wanted === 'value' && (word === '[' || word === '{')) {
      open.push(word);
      wanted = word === '{' ? 'name' : 'value';
      justOpened = true;
    } else if (wanted === 'value' && /^["\-\dtfn]/.test(word)) {
      wanted = 'more';
    } else {
      token.lastIndex = 0;
      return at;
    }
  }
}

/** Where the sticky pattern ends that begins here; here, if it does not. */
function endOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}
