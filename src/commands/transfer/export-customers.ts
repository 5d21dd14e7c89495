/** `treeline customers export`: everybody below, as CSV that spreadsheets open and `customers import` reads. */
import { type Batches, type TSchema, declared } from '../../core/schema/schema';
import { fallbacks } from '../../features/customers/fields';
import { plain } from '../../core/schema/decimal';
import { customerInfo } from '../../features/customers/methods';
import { type Context, call, customerText } from '../shared/context';
import { csvLine, guard, nilCell } from '../shared/csv';
import { type Row, batchesOf } from '../shared/output';
import { startProgress } from '../shared/progress';
import { type Terminal, write } from '../shared/terminal';

const columns: readonly (readonly [string, TSchema])[] = Object.entries(customerInfo.properties);

export async function exportCustomers(context: Context, terminal: Terminal): Promise<void> {
  const { customers, total } = await call(context, 'exportCustomers', {});
  const progress = startProgress(terminal.stderr, 'customers');
  await write(terminal.stdout, csvLine(columns.map(([name]) => name)));
  let written = 0;
  for await (const batch of batchesOf(customers as readonly Row[] | Batches<Row>)) {
    const lines = batch.map((row) => csvLine(columns.map(([name, schema]) => cellOf(name, schema, row))));
    await write(terminal.stdout, lines.join(''));
    written += batch.length;
    progress.update(written, written / Math.max(Number(total), 1));
  }
  progress.clear();
}

/** Where a customer is referred to, its name stands: its id may be another where the file is read. */
const namedBy: Readonly<Record<string, string>> = {
  i_wholesaler: 'wholesaler',
  i_commission_agent: 'commission_agent',
};

/** Nil is written out where an empty cell would become something else when it is read again. */
function cellOf(column: string, schema: TSchema, row: Row): string {
  const named = namedBy[column];
  if (named !== undefined) return row[named] === null ? '' : guard(customerText(row[named] as string));
  const value = row[column];
  if (value === null || value === undefined) {
    return column in fallbacks && fallbacks[column] !== null ? nilCell : '';
  }
  const { wire } = declared(schema);
  if (wire === 'text') return guard(value as string);
  return wire === 'money' ? plain(value as string) : JSON.stringify(value);
}
