/** What growing costs, against its targets. */
import {
  type Grown,
  type SizeName,
  bareOffset,
  deepCalls,
  depths,
  grownCalls,
  keyOf,
  longListCalls,
  ownedInLarge,
  sizes,
} from './growth';
import { type Spread, spreadOf } from './statistics';
import { type Verdict, milliseconds, verdictTable, withSpread } from './tables';

const growthTarget = 1.3;
const depthTarget = 1.2;
const offsetTarget = 1.5;
const listTarget_ms = 50;

export function growthTable(grown: Grown): string {
  const verdicts = [...sizeVerdicts(grown), ...depthVerdicts(grown), ...listVerdicts(grown)];
  return verdictTable(['', 'median', 'against', 'median', 'ratio (lowest to highest)', 'target'], verdicts);
}

/** Medians of a call where it was asked, over the rounds. */
export const medianOf = ({ medians_ms }: Grown, call: string, where: string | number): number =>
  spreadOf(medians_ms.get(keyOf(call, where)) ?? []).median;

function ratioBetween({ medians_ms }: Grown, own: string, other: string): Spread {
  const others = medians_ms.get(other) ?? [];
  return spreadOf((medians_ms.get(own) ?? []).map((value, round) => value / (others[round] ?? Number.NaN)));
}

const people = (size: SizeName): string => `${sizes[size].toLocaleString('en')} customers`;
const ratioText = (ratio: Spread): string => withSpread(ratio, (value) => value.toFixed(2));

const sizeVerdicts = (grown: Grown): Verdict[] =>
  grownCalls.map(({ call, title }) => {
    const ratio = ratioBetween(grown, keyOf(call, 'large'), keyOf(call, 'small'));
    const [large, small] = [medianOf(grown, call, 'large'), medianOf(grown, call, 'small')];
    return {
      cells: [
        `${title}, ${people('large')}`,
        milliseconds(large),
        people('small'),
        milliseconds(small),
        ratioText(ratio),
        `≤ ${growthTarget}`,
      ],
      met: ratio.median <= growthTarget,
    };
  });

const depthVerdicts = (grown: Grown): Verdict[] =>
  deepCalls.map(({ call, title }) => {
    const [top, bottom] = [Math.min(...depths), Math.max(...depths)];
    const ratio = ratioBetween(grown, keyOf(call, bottom), keyOf(call, top));
    return {
      cells: [
        `${title} from depth ${bottom}`,
        milliseconds(medianOf(grown, call, bottom)),
        `from depth ${top}`,
        milliseconds(medianOf(grown, call, top)),
        ratioText(ratio),
        `≤ ${depthTarget}`,
      ],
      met: ratio.median <= depthTarget,
    };
  });

function listVerdicts(grown: Grown): Verdict[] {
  const [offset, ...others] = longListCalls;
  const own = keyOf(offset.call, 'large');
  const ratio = ratioBetween(grown, own, keyOf(offset.call, bareOffset));
  const of = ` of ${ownedInLarge.toLocaleString('en')}`;
  const skipping = {
    cells: [
      offset.title + of,
      milliseconds(medianOf(grown, offset.call, 'large')),
      `${bareOffset}, index only`,
      milliseconds(medianOf(grown, offset.call, bareOffset)),
      ratioText(ratio),
      `≤ ${offsetTarget}`,
    ],
    met: ratio.median <= offsetTarget,
  };
  const searching = others.map(({ call, title }) => {
    const median_ms = medianOf(grown, call, 'large');
    return {
      cells: [title + of, milliseconds(median_ms), '', '', '', `< ${listTarget_ms} ms`],
      met: median_ms < listTarget_ms,
    };
  });
  return [skipping, ...searching];
}
