/**
 * Estimates, before it is compiled, how large the program of a regular expression would be. RE2 repeats
 * the program of an atom as often as a counted repetition says: 1,000 characters can make 146,000
 * instructions and hold the event loop for a third of a second.
 */

/** Enough for 1,024 plain characters; compiling as much takes under five milliseconds. */
export const expressionCost_max = 1_500;

/** A Unicode class such as \p{L} holds hundreds of ranges, and costs as much as so many instructions. */
const unicodeClassCost = 150;

/** In a class, so many characters cost as much as one instruction. */
const classCharacters = 8;

/** What stands at a position, beside a plain character. Each alternative is linear in its length. */
const atom =
  /\\Q([^]*?)(?:\\E|$)|\\[pP](?:\{[^}]*\}|[^])?|\\x\{[^}]*\}|\\[^]?|\[\^?\]?(?:\[:[^\]]*:\]|\\[^]|[^\]\\])*\]?|\{(\d{1,4})(,?)(\d{0,4})\}|[^]/uy;

/**
 * Returns an upper estimate of the instructions of the compiled program. It is at least right in size for
 * every expression that RE2 takes; what RE2 refuses, it refuses while it reads, which is fast.
 */
export function costOfExpression(expression: string): number {
  const outer: number[] = [];
  let total = 0;
  // The cost of the atom that stands last: a repetition multiplies it.
  let last = 0;
  const add = (cost: number): void => {
    total += cost;
    last = cost;
  };
  for (atom.lastIndex = 0; atom.lastIndex < expression.length;) {
    const [found = '', literal, least, comma, most] = atom.exec(expression) ?? [];
    if (found === '') break;
    if (found === '(') {
      outer.push(total);
      total = 0;
    } else if (found === ')') {
      const inner = total + 2;
      total = outer.pop() ?? 0;
      add(inner);
    } else if (found === '*' || found === '+' || found === '?') {
      total += 1;
      last += 1;
    } else if (least !== undefined) {
      const repeated = costOfRepetition(last, Number(least), comma === ',' ? most : least);
      total += repeated - last;
      last = repeated;
    } else if (literal !== undefined) {
      add(literal.length);
      last = 1;
    } else {
      add(costOfAtom(found));
    }
  }
  return outer.reduce((sum, cost) => sum + cost, total);
}

/** `most` is empty where there is no upper limit. An optional repetition has a branch of its own. */
function costOfRepetition(cost: number, least: number, most: string | undefined): number {
  const optional = most === undefined || most === '' ? 1 : Math.max(0, Number(most) - least);
  return Math.max(1, cost * least + (cost + 1) * optional);
}

function costOfAtom(found: string): number {
  const classes = found.match(/\\[pP]/g)?.length ?? 0;
  const characters = found.startsWith('[') ? found.length / classCharacters : 0;
  return 1 + characters + classes * unicodeClassCost;
}
