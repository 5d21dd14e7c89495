/**
 * What a name may not hold, because people could not tell it from another name: characters that nobody
 * sees, and spellings that look like "root". The names of root cannot be changed over any API.
 */
import { nameKey } from './normalize-name';

/**
 * Zero-width characters, marks that turn the direction of writing, variation selectors, fillers, tags: what Unicode
 * says may be ignored when it is shown (Default_Ignorable_Code_Point); and the blank pattern of Braille.
 */
const invisible = /[\p{Default_Ignorable_Code_Point}\p{Bidi_Control}\u2800\ufff9-\ufffb]/u;

/** Whether the text holds a character that is not seen, or that changes how others are seen. */
export const hasInvisibleCharacters = (text: string): boolean => invisible.test(text);

/**
 * Letters and digits that look like r, o or t, after compatibility normalization and without diacritics; by Unicode's
 * confusables.txt, in Latin, Greek, Cyrillic, Coptic, Cherokee, Canadian syllabics, Lisu, Armenian, Hebrew, Arabic,
 * Indic and other scripts. Upper and lower case stand together.
 */
const lookAlikes = {
  r: 'rRʀƦɍɌɼɽɾгᴦⲅꭇꭈꮁꭱꮢᎡᏒᖇꓣ𐒴',
  o: 'oO0оОοΟσօՕסهھہە٥۵०০੦૦௦ంಂംං౦೦൦๐໐༠ဝ၀၀០᠐߀ᴏᴑᴼⲟⲞⵔꓳ〇○◯ⲟჿഠഠଠ𐊒𐊫𐐄𐐬𐓂𐓪𐔖øØɵөӨѳѲθΘꬽ',
  t: 'tTтТτΤᴛⲦⲧꓔᎢꭲꮏŧŦƫƬƭʈƮțȶ𐊗𐊱𐌕⊤⟙',
} as const;

const anyOf = (characters: string): string => `[${[...new Set(characters)].join('')}]`;
const { r, o, t } = lookAlikes;
const rootLike = new RegExp(`^${anyOf(r)}${anyOf(o)}${anyOf(o)}${anyOf(t)}$`, 'u');

/** What does not change which word is read: diacritics, blanks, punctuation, and what is not seen. */
const decoration = /[\p{M}\p{Z}\p{P}\p{C}\p{Sk}\s]/gu;

/**
 * Whether a name reads as "root" although it is another: `r00t`, `Root.`, `ro ot`, `rοοt` with Greek letters. "root" itself,
 * in any case, is not one of them: it is taken, and the unique index says so.
 */
export function looksLikeRoot(name: string): boolean {
  if (nameKey(name) === 'root') return false;
  return rootLike.test(name.normalize('NFKD').replace(decoration, ''));
}
