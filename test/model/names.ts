/** The spellings of names and logins: which are one name, and which no call takes. */

/**
 * Spellings that are one name, by docs/reference/attributes.md: they differ only by case or by Unicode form. Written
 * down pair by pair, so that no rule of ours is compared with itself.
 */
export const spellings: readonly (readonly [text: string, same: string])[] = [
  ['Straße', 'strasse'],
  ['STRASSE', 'strasse'],
  ['strasse', 'strasse'],
  ['\ufb01sh', 'fish'],
  ['FISH', 'fish'],
  ['A\u030angstro\u0308m', 'angstrom with rings'],
  ['\u00c5NGSTR\u00d6M', 'angstrom with rings'],
  ['\uff21\uff22\uff23', 'abc'],
  ['abc', 'abc'],
  ['\u03a3\u038a\u03a3\u03a5\u03a6\u039f\u03a3', 'sisyphos'],
  ['\u03c3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2', 'sisyphos'],
  ["O'Neil", 'oneil'],
];

/** Names and logins that no call takes. */
export const strangeNames: readonly string[] = [
  'r00t',
  'R\u043e\u043et.',
  'ro ot',
  'an\u200bna',
  'bo\u202eb',
];
