/** Lists, totals and patterns over the customers of one wholesaler are read from the index alone. */
import type { Knex } from 'knex';

const indexWith = (more: string): string => `
  DROP INDEX customers_i_wholesaler_index;
  CREATE INDEX customers_i_wholesaler_index ON customers (i_wholesaler, i_customer) ${more} WHERE deleted_at IS NULL;
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(indexWith('INCLUDE (name_key)'));
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(indexWith(''));
}
