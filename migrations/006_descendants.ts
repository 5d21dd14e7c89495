/**
 * Who stands below whom, two levels or more, so that a list of everybody below a customer begins where it is to begin
 * and ends with its page, however many stand below or beside. Those directly below are found by `i_wholesaler`, and
 * below root is everybody, so a tree of two levels has no rows here.
 */
import type { Knex } from 'knex';

/** The ids between root and the wholesaler in `path`, without both. */
const farAncestors = (path: string): string => `unnest(${path}[2:cardinality(${path}) - 2])`;

const text = `
  CREATE TABLE descendants (
    i_ancestor integer NOT NULL,
    i_customer integer NOT NULL,
    CONSTRAINT descendants_pkey PRIMARY KEY (i_ancestor, i_customer));
  COMMENT ON TABLE descendants IS 'living customers, below whom they stand but for root and their wholesaler; written by triggers from path';

  INSERT INTO descendants (i_ancestor, i_customer)
  SELECT ${farAncestors('path')}, i_customer FROM customers WHERE deleted_at IS NULL AND cardinality(path) > 3;

  CREATE FUNCTION add_descendant() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO descendants (i_ancestor, i_customer) SELECT ${farAncestors('NEW.path')}, NEW.i_customer;
    RETURN NULL;
  END $$;
  CREATE FUNCTION remove_descendant() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    DELETE FROM descendants WHERE i_ancestor = ANY(OLD.path) AND i_customer = OLD.i_customer;
    RETURN NULL;
  END $$;
  CREATE TRIGGER customers_add_descendant AFTER INSERT ON customers
    FOR EACH ROW WHEN (cardinality(NEW.path) > 3 AND NEW.deleted_at IS NULL) EXECUTE FUNCTION add_descendant();
  CREATE TRIGGER customers_remove_descendant AFTER UPDATE OF deleted_at ON customers
    FOR EACH ROW WHEN (cardinality(OLD.path) > 3 AND OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL)
    EXECUTE FUNCTION remove_descendant();
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(text);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    DROP TRIGGER customers_add_descendant ON customers;
    DROP TRIGGER customers_remove_descendant ON customers;
    DROP FUNCTION add_descendant, remove_descendant;
    DROP TABLE descendants;
  `);
}
