/**
 * Charges at every level of the tree: the prepaid part of a balance, the balance after each entry, prices with owners,
 * and what the customers below an overcommit limit may spend together.
 *
 * Nobody recorded how much of a balance came by transfers, so the prepaid part of every balance begins at 0.
 */
import type { Knex } from 'knex';

/** Tables with a reference to a payment, beside `payments` and `entries`. */
const chargedTables = [
  'numbers',
  'sip_users',
  'domains',
  'stores',
  'addresses',
  'access_keys',
  'tags',
  'flows',
  'queues',
];

const paymentIds = (type: 'bigint' | 'integer'): string => `
  ALTER TABLE payments ALTER i_payment TYPE ${type}, ALTER i_reversed TYPE ${type};
  ALTER TABLE entries ALTER i_payment TYPE ${type};
  ${chargedTables.map((table) => `ALTER TABLE ${table} ALTER i_payment TYPE ${type};`).join('\n  ')}
`;

const entries = `
  ALTER TABLE entries
    ADD prepaid numeric(20,6) NOT NULL DEFAULT 0,
    ADD balance_after numeric(20,6),
    ADD booked_at timestamptz;
  ALTER TABLE entries DISABLE TRIGGER entries_append_only;
  UPDATE entries e SET booked_at = p.created_at
  FROM payments p WHERE p.i_payment = e.i_payment AND e.i_customer IS NULL;
  UPDATE entries e SET balance_after = r.balance_after, booked_at = r.booked_at
  FROM (
    SELECT b.i_entry, sum(b.amount) OVER account AS balance_after, max(p.created_at) OVER account AS booked_at
    FROM entries b JOIN payments p ON p.i_payment = b.i_payment WHERE b.i_customer IS NOT NULL
    WINDOW account AS (PARTITION BY b.i_customer ORDER BY b.i_entry)) r
  WHERE r.i_entry = e.i_entry;
  ALTER TABLE entries ENABLE TRIGGER entries_append_only;
  ALTER TABLE entries
    ALTER booked_at SET NOT NULL,
    ALTER booked_at SET DEFAULT clock_timestamp(),
    ADD CONSTRAINT entries_balance_after_check CHECK ((i_customer IS NULL) = (balance_after IS NULL));
  COMMENT ON COLUMN entries.prepaid IS 'what the prepaid part of the balance rose by; negative: fell by';
  COMMENT ON COLUMN entries.balance_after IS 'the balance of the account after this entry; null: the account of the platform';
  COMMENT ON COLUMN entries.booked_at IS 'read from the clock under the row lock of the account, so it rises with i_entry';
  CREATE INDEX entries_booked_at_index ON entries (i_customer, booked_at, i_entry);
`;

const balances = `
  ALTER TABLE customers
    ADD prepaid numeric(20,6) NOT NULL DEFAULT 0,
    ADD committed numeric(30,6),
    ADD booked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ADD CONSTRAINT customers_prepaid_check CHECK (prepaid >= 0 AND prepaid <= greatest(balance, 0));
  COMMENT ON COLUMN customers.prepaid IS 'the part of the balance that came by transfers: it was charged to the levels above already';
  COMMENT ON COLUMN customers.committed IS 'positive balances and credit limits of everybody below; null: overcommit_protection is off';
  COMMENT ON COLUMN customers.booked_at IS 'when the last entry of the account was booked';
  UPDATE customers c SET committed = (
    SELECT coalesce(sum(greatest(b.balance, 0) + b.credit_limit), 0) FROM customers b
    WHERE c.i_customer = ANY(b.path) AND b.i_customer <> c.i_customer AND b.deleted_at IS NULL)
  WHERE c.overcommit_protection;
`;

/**
 * `committed` is kept by triggers, so that no statement that moves money can forget it. A statement that changes a
 * balance holds a shared lock of its top-level customer, and one that switches protection on holds the exclusive lock:
 * the first sum misses no change that is under way.
 */
const commitments = `
  CREATE FUNCTION start_committed() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF NOT NEW.overcommit_protection THEN
      NEW.committed := NULL;
    ELSIF TG_OP = 'INSERT' THEN
      NEW.committed := 0;
    ELSE
      PERFORM pg_advisory_xact_lock(7233655, NEW.path[2]);
      SELECT coalesce(sum(greatest(b.balance, 0) + b.credit_limit), 0) INTO NEW.committed FROM (
        SELECT c.i_customer FROM customers c WHERE c.i_wholesaler = NEW.i_customer AND c.deleted_at IS NULL
        UNION SELECT d.i_customer FROM descendants d WHERE d.i_ancestor = NEW.i_customer) k
      JOIN customers b ON b.i_customer = k.i_customer;
    END IF;
    RETURN NEW;
  END $$;
  CREATE TRIGGER customers_start_committed BEFORE INSERT ON customers
    FOR EACH ROW EXECUTE FUNCTION start_committed();
  CREATE TRIGGER customers_restart_committed BEFORE UPDATE OF overcommit_protection ON customers
    FOR EACH ROW WHEN (OLD.overcommit_protection <> NEW.overcommit_protection) EXECUTE FUNCTION start_committed();

  CREATE FUNCTION count_committed() RETURNS trigger LANGUAGE plpgsql AS $$
  DECLARE
    risen numeric := CASE WHEN NEW.deleted_at IS NULL THEN greatest(NEW.balance, 0) + NEW.credit_limit ELSE 0 END;
  BEGIN
    IF TG_OP = 'UPDATE' AND OLD.deleted_at IS NULL THEN
      risen := risen - greatest(OLD.balance, 0) - OLD.credit_limit;
    END IF;
    IF risen <> 0 THEN
      PERFORM pg_advisory_xact_lock_shared(7233655, NEW.path[2]);
      UPDATE customers a SET committed = a.committed + risen
      WHERE a.i_customer = ANY(NEW.path[2:cardinality(NEW.path) - 1]) AND a.overcommit_protection;
    END IF;
    RETURN NULL;
  END $$;
  CREATE TRIGGER customers_count_made AFTER INSERT ON customers
    FOR EACH ROW WHEN (cardinality(NEW.path) > 2) EXECUTE FUNCTION count_committed();
  CREATE TRIGGER customers_count_changed AFTER UPDATE OF balance, credit_limit, deleted_at ON customers
    FOR EACH ROW WHEN (cardinality(NEW.path) > 2) EXECUTE FUNCTION count_committed();
`;

const prices = `
  ALTER TABLE prices
    ADD i_customer integer NOT NULL DEFAULT 1 CONSTRAINT prices_i_customer_fkey REFERENCES customers,
    DROP CONSTRAINT prices_pkey;
  ALTER TABLE prices ADD CONSTRAINT prices_pkey PRIMARY KEY (i_customer, product, currency);
  COMMENT ON TABLE prices IS 'what making one costs the direct customers of i_customer; without a price, that of the next customer above holds';
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(paymentIds('bigint'));
  await knex.raw(entries);
  await knex.raw(balances);
  await knex.raw(commitments);
  await knex.raw(prices);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    DELETE FROM prices WHERE i_customer <> 1;
    ALTER TABLE prices DROP CONSTRAINT prices_pkey, DROP i_customer;
    ALTER TABLE prices ADD CONSTRAINT prices_pkey PRIMARY KEY (product, currency);
    COMMENT ON TABLE prices IS 'what making one costs; a product without prices is free';
    DROP TRIGGER customers_start_committed ON customers;
    DROP TRIGGER customers_restart_committed ON customers;
    DROP TRIGGER customers_count_made ON customers;
    DROP TRIGGER customers_count_changed ON customers;
    DROP FUNCTION start_committed, count_committed;
    ALTER TABLE customers DROP prepaid, DROP committed, DROP booked_at;
    ALTER TABLE entries DROP prepaid, DROP balance_after, DROP booked_at;
  `);
  await knex.raw(paymentIds('integer'));
}
