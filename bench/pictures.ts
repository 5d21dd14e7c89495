/** Pictures of what was measured, as SVG that follows the light or the dark of the page. */
import { type Grown, type SizeName, deepCalls, depths, grownCalls, sizes } from './growth';
import { medianOf } from './growth-tables';
import { contests, entries, type EntryId } from './contests';
import { type Round, ratioOf } from './measure';
import { spreadOf } from './statistics';
import { count } from './tables';

const style = `
  <style>
    text { fill: #1f2328; font-family: system-ui, sans-serif; font-size: 13px; }
    .page { fill: #ffffff; }
    .soft { fill: #59636e; }
    .own { fill: #0969da; }
    .peer { fill: #8c959f; }
    .short { fill: #bc4c00; }
    .axis { stroke: #d1d9e0; stroke-width: 1; fill: none; }
    .mark { stroke: #1f2328; stroke-width: 2; }
    .line { fill: none; stroke-width: 2; }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc; }
      .page { fill: #0d1117; }
      .soft { fill: #9198a1; }
      .own { fill: #4493f8; }
      .peer { fill: #656c76; }
      .short { fill: #db6d28; }
      .axis { stroke: #3d444d; }
      .mark { stroke: #f0f6fc; }
    }
  </style>`;

/** Told apart in light and dark. */
const colours = ['#4493f8', '#db6d28', '#3fb950', '#ab7df8', '#d4a72c', '#db61a2', '#39c5cf'];

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

const picture = (width: number, height: number, title: string, content: readonly string[]): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title">
  <title id="title">${escaped(title)}</title>${style}
  <rect class="page" width="${width}" height="${height}"/>
  <text x="16" y="26" font-weight="600">${escaped(title)}</text>
  ${content.join('\n  ')}
</svg>
`;

const text = (x: number, y: number, words: string, more = ''): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}"${more}>${escaped(words)}</text>`;

const bar = (x: number, y: number, width: number, kind: string): string =>
  `<rect class="${kind}" x="${x}" y="${y}" width="${Math.max(1, width).toFixed(1)}" height="18" rx="2"/>`;

const [left, row_height, bars_width, picture_width] = [460, 28, 380, 940];

/** getCustomerInfo a second, Treeline among its peers. */
export function ratesPicture(rounds: readonly Round[]): string {
  const ids = (Object.keys(entries) as EntryId[]).filter((id) => entries[id].call.startsWith('info'));
  const rates = [...ids, 'multicall' as const].flatMap((id) => {
    const values = rounds.flatMap((round) => round[id]?.calls_per_s ?? []);
    return values.length > 0 ? [{ id, rate: spreadOf(values).median }] : [];
  });
  const most = Math.max(...rates.map(({ rate }) => rate));
  const sorted = rates.toSorted((a, b) => b.rate - a.rate);
  const rows = sorted.flatMap(({ id, rate }, index) => {
    const y = 48 + index * row_height;
    const { title, runner } = entries[id];
    const width = (rate / most) * bars_width;
    return [
      text(left - 10, y + 14, title, ' text-anchor="end"'),
      bar(left, y, width, runner === 'treeline' ? 'own' : 'peer'),
      text(left + width + 8, y + 14, count(rate)),
    ];
  });
  return picture(
    picture_width,
    64 + sorted.length * row_height,
    'The customer of an id, calls a second',
    rows,
  );
}

/** Every ratio that has a target, as a share of it. */
export function ratiosPicture(rounds: readonly Round[]): string {
  const held = contests.flatMap((contest) => {
    const ratio = ratioOf(contest, rounds)?.median;
    return contest.target === undefined || ratio === undefined
      ? []
      : [{ contest, ratio, target: contest.target }];
  });
  const [widest, label_width] = [2, 90];
  const scale = (share: number): number => (Math.min(share, widest) / widest) * (bars_width - label_width);
  const bottom = 48 + held.length * row_height;
  const rows = held.flatMap(({ contest, ratio, target }, index) => {
    const y = 48 + index * row_height;
    const width = scale(ratio / target);
    // Not across the line of the target.
    const end = width < scale(1) && width + label_width > scale(1) ? scale(1) : width;
    return [
      text(left - 10, y + 14, `${contest.title} : ${entries[contest.peer].title}`, ' text-anchor="end"'),
      bar(left, y, width, ratio >= target ? 'own' : 'short'),
      text(left + end + 8, y + 14, `${ratio.toFixed(2)} of ${target}`),
    ];
  });
  const target_x = left + scale(1);
  const line = `<line class="mark" x1="${target_x}" y1="42" x2="${target_x}" y2="${bottom}"/>`;
  const foot = text(target_x, bottom + 16, 'target', ' text-anchor="middle" class="soft"');
  return picture(picture_width, bottom + 28, 'Ratios to the peers, beside their targets', [
    ...rows,
    line,
    foot,
  ]);
}

interface Curve {
  readonly title: string;
  readonly points: readonly { readonly at: number; readonly value_ms: number }[];
}

/** Medians against the number of customers, and against the depth of who calls. */
export function growthPicture(grown: Grown): string {
  const bySize = grownCalls.map(({ call, title }) => ({
    title,
    points: (Object.keys(sizes) as SizeName[]).map((size) => ({
      at: sizes[size],
      value_ms: medianOf(grown, call, size),
    })),
  }));
  const byDepth = deepCalls.map(({ call, title }) => ({
    title,
    points: depths.map((depth) => ({ at: depth, value_ms: medianOf(grown, call, depth) })),
  }));
  return picture(940, 360, 'Milliseconds of the median call, one after another', [
    ...panel(60, 'customers in the tree', bySize),
    ...panel(560, 'depth of the caller', byDepth),
  ]);
}

/** Both axes by powers of ten: a call that grows with the tree would rise as steeply as the tree. */
function panel(x: number, what: string, curves: readonly Curve[]): string[] {
  const [width, top, bottom] = [210, 50, 300];
  const all = curves.flatMap(({ points }) => points);
  const [least, most] = [Math.min(...all.map(({ at }) => at)), Math.max(...all.map(({ at }) => at))];
  const across = (at: number): number => x + (Math.log(at / least) / Math.log(most / least)) * width;
  const down = (ms: number): number => bottom - (Math.log10(ms / 0.1) / 3) * (bottom - top);
  const grid = [0.1, 1, 10, 100].flatMap((ms) => [
    `<path class="axis" d="M ${x} ${down(ms)} h ${width}"/>`,
    text(x - 8, down(ms) + 4, `${ms}`, ' text-anchor="end" class="soft"'),
  ]);
  const marks = [...new Set(all.map(({ at }) => at))].map((at) =>
    text(across(at), bottom + 18, at.toLocaleString('en'), ' text-anchor="middle" class="soft"'),
  );
  const lines = curves.flatMap(({ title, points }, index) => {
    const colour = colours[index] ?? '';
    const path = points.map(({ at, value_ms }) => `${across(at).toFixed(1)} ${down(value_ms).toFixed(1)}`);
    const y = top + 20 + index * 20;
    return [
      `<polyline class="line" stroke="${colour}" points="${path.join(' ')}"/>`,
      ...points.map(
        ({ at, value_ms }) =>
          `<circle fill="${colour}" cx="${across(at).toFixed(1)}" cy="${down(value_ms).toFixed(1)}" r="3"/>`,
      ),
      `<path class="line" stroke="${colour}" d="M ${x + width + 20} ${y - 4} h 16"/>`,
      text(x + width + 42, y, title, ''),
    ];
  });
  return [...grid, ...marks, ...lines, text(x + width / 2, bottom + 40, what, ' text-anchor="middle"')];
}
