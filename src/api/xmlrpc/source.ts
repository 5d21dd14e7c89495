/** Positions in the text of a body, and the faults that name them. */
import { Fault } from '../../base/faults';
import { isBlankCode, shorten, trimBlanks } from './blanks';

/** Longest name of a body that a fault repeats. A body may hold a name of a megabyte. */
export const quoted_max_characters = 64;

/** The position of saxes in the text. Created only for a fault: parsing needs no positions. */
export class Source {
  constructor(
    private readonly text: string,
    private readonly position: number,
  ) {}

  /** The position of the character that saxes read last. */
  lastRead(): string {
    return this.place(this.position - 1);
  }

  /** The position of the event: the start of a tag or CDATA section, or the end of a text. */
  event(): string {
    let index = this.markup();
    if (this.text[this.position - 1] === '<') {
      while (index > 0 && isBlankCode(this.text.charCodeAt(index - 1))) index -= 1;
      index -= 1;
    }
    return this.place(index);
  }

  /** The name in the end tag that saxes read last; undefined if it was no end tag. */
  closingName(): string | undefined {
    const tag = this.text.slice(this.markup(), this.position);
    return tag.startsWith('</') && tag.endsWith('>') ? trimBlanks(tag.slice(2, -1)) : undefined;
  }

  /** The position of the last `&`. saxes may be far behind it, because it reads on to a `;`. */
  reference(): string | undefined {
    const index = this.text.indexOf('&', this.text.lastIndexOf(';', this.position - 2) + 1);
    return index === -1 || index >= this.position ? undefined : this.place(index);
  }

  /** A tag contains no second `<`, and saxes emits a text after it has read the next `<`. */
  private markup(): number {
    const isCdata = this.text.endsWith(']]>', this.position);
    return this.text.lastIndexOf(isCdata ? '<![CDATA[' : '<', this.position - 1);
  }

  /** Lines and columns count from 1, columns in UTF-16 units. */
  private place(index: number): string {
    let line = 1;
    let lineStart = 0;
    for (let at = 0; at < index; at += 1) {
      if (this.text.charCodeAt(at) !== 0x0a) continue;
      line += 1;
      lineStart = at + 1;
    }
    return `line ${line}, column ${Math.max(index, 0) - lineStart + 1}`;
  }
}

/** The fault for an error of saxes, with the position of the cause where saxes reports it later. */
export function faultOfSaxes(problem: string, source: Source): Fault {
  const closing = source.closingName();
  if (problem === 'unexpected close tag' && closing !== undefined) {
    return notWellFormed(`${problem} </${closing}>`, source.event());
  }
  const reference = source.reference();
  if (reference !== undefined && /^[a-z ]*\bentity\b/.test(problem)) return notWellFormed(problem, reference);
  // An unescaped `&`, as in `Smith & Co`, is the most frequent mistake. saxes then reads the rest of the body.
  const isEnd = problem.startsWith('unclosed tag') || problem.startsWith('unexpected end');
  const hint =
    isEnd && reference !== undefined ? `, perhaps for an & that should be &amp; at ${reference}` : '';
  return notWellFormed(problem, source.lastRead(), hint);
}

export function notWellFormed(problem: string, place: string, hint = ''): Fault {
  const short = shorten(problem, 2 * quoted_max_characters);
  return new Fault('not_well_formed', `Not well-formed XML: ${short} (${place}${hint})`);
}
