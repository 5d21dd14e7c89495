/** What every object of the reseller API has, and how a row becomes one. */
import { type Money, money, nullable, text, uuid } from '../../core/schema/schema';
import type { Kind } from '../../features/resources/kinds';
import type { OwnedRow } from '../../features/resources/service';

export const uuidInPath = { uuid: uuid('The object.') };

export const common = {
  uuid: uuid('Its name over this API.'),
  created_on: text(10, 'The day on which it was made, YYYY-MM-DD.'),
  updated_on: text(10, 'The day on which it was last changed.'),
};

export const priced = {
  cost: money('What making it cost.'),
  cost_currency: nullable(text(3, 'ISO 4217; nil: nothing was charged.')),
};

const dayOf = (time: Date): string => time.toISOString().slice(0, 10);

export const commonOf = (row: { uuid: string; created_at: Date; updated_at: Date }) => ({
  uuid: row.uuid,
  created_on: dayOf(row.created_at),
  updated_on: dayOf(row.updated_at),
});

interface Costs {
  readonly cost: Money;
  readonly cost_currency: string | null;
}

export const costOf = ({ cost, cost_currency }: Costs): Costs => ({ cost, cost_currency });

/** An owned object as this API shows it. */
export const objectOf = (kind: Pick<Kind, 'readable' | 'product'>, row: OwnedRow) => ({
  ...commonOf(row),
  ...Object.fromEntries(kind.readable.map((name) => [name, row[name]])),
  ...(kind.product !== undefined && costOf(row)),
});
