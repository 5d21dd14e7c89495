/**
 * Bounds the bytes of the rows that one statement may put into memory. `LIMIT` bounds rows only, and a row may be
 * 1 MB. Rows past the bound are dropped as they arrive, so memory never holds more than the bound and one row.
 */
import type { Query } from 'pg';

/** The rows of a statement within a bound of bytes. */
export interface BoundedRows<Row> {
  readonly rows: Row[];
  /** The bytes of these rows, as PostgreSQL sent them. */
  readonly bytes: number;
  /** Whether rows were dropped. */
  readonly isCut: boolean;
}

export interface ByteBound {
  /** Bounds the rows of a query that was not sent yet. */
  apply(query: Query): void;
  /** Valid once the query has ended. */
  state(): Omit<BoundedRows<unknown>, 'rows'>;
}

/** The part of pg's Query that receives rows. Its types leave it out. */
interface RowReceiver {
  handleDataRow(message: { readonly length: number }): void;
}

/** Keeps rows until `max_bytes` are reached. The row that reaches the bound is kept, so a bound above 0 keeps at least one. */
export function byteBound(max_bytes: number): ByteBound {
  let bytes = 0;
  let isCut = false;
  return {
    apply: (query) => {
      const receiver = query as unknown as RowReceiver;
      const keep = receiver.handleDataRow.bind(query);
      receiver.handleDataRow = (message) => {
        if (bytes >= max_bytes) {
          isCut = true;
          return;
        }
        bytes += message.length;
        keep(message);
      };
    },
    state: () => ({ bytes, isCut }),
  };
}
