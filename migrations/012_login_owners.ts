/**
 * A login that ends with `@` and the name of a living customer belongs to that customer. Triggers hold the rule, so that
 * it binds every way of setting a login or a name, and so that of two transactions at once the second sees the first.
 */
import type { Knex } from 'knex';

/** The class of the advisory locks on names; an arbitrary number of ours. */
const lockClass = 7_233_652;

const text = `
  CREATE INDEX users_login_ending_index ON users (reverse(login_key) text_pattern_ops) WHERE deleted_at IS NULL;

  CREATE FUNCTION check_login_owner() RETURNS trigger LANGUAGE plpgsql AS $$
  DECLARE ending text := NEW.login_key;
  BEGIN
    -- A name may hold an @ itself, so every one of them may begin a name.
    WHILE position('@' IN ending) > 0 LOOP
      ending := substr(ending, position('@' IN ending) + 1);
      PERFORM pg_advisory_xact_lock(${lockClass}, hashtext(ending));
      IF EXISTS (SELECT FROM customers c
                 WHERE c.name_key = ending AND c.deleted_at IS NULL AND c.i_customer <> NEW.i_customer) THEN
        RAISE EXCEPTION 'the login ends with the name of another customer'
          USING ERRCODE = 'unique_violation', CONSTRAINT = 'users_login_owner';
      END IF;
    END LOOP;
    RETURN NULL;
  END $$;
  CREATE FUNCTION check_login_endings() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM pg_advisory_xact_lock(${lockClass}, hashtext(NEW.name_key));
    -- Logins whose reversed key begins with the reversed name and an @, which A follows.
    IF EXISTS (SELECT FROM users u
               WHERE reverse(u.login_key) ~>=~ (reverse(NEW.name_key) || '@')
                 AND reverse(u.login_key) ~<~ (reverse(NEW.name_key) || 'A')
                 AND u.deleted_at IS NULL AND u.i_customer <> NEW.i_customer) THEN
      RAISE EXCEPTION 'logins of other customers end with the name'
        USING ERRCODE = 'unique_violation', CONSTRAINT = 'customers_login_endings';
    END IF;
    RETURN NULL;
  END $$;

  -- A row with an older time of creation is restored by an import: what was there before the rule stays.
  CREATE TRIGGER users_check_login_owner AFTER INSERT ON users
    FOR EACH ROW WHEN (NEW.login_key LIKE '%@%' AND NEW.created_at = now()) EXECUTE FUNCTION check_login_owner();
  CREATE TRIGGER users_recheck_login_owner AFTER UPDATE OF login_key ON users
    FOR EACH ROW WHEN (NEW.login_key LIKE '%@%' AND NEW.login_key <> OLD.login_key AND NEW.deleted_at IS NULL)
    EXECUTE FUNCTION check_login_owner();
  CREATE TRIGGER customers_check_login_endings AFTER INSERT ON customers
    FOR EACH ROW WHEN (NEW.created_at = now()) EXECUTE FUNCTION check_login_endings();
  CREATE TRIGGER customers_recheck_login_endings AFTER UPDATE OF name_key ON customers
    FOR EACH ROW WHEN (NEW.name_key <> OLD.name_key AND NEW.deleted_at IS NULL) EXECUTE FUNCTION check_login_endings();
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(text);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    DROP TRIGGER customers_recheck_login_endings ON customers;
    DROP TRIGGER customers_check_login_endings ON customers;
    DROP TRIGGER users_recheck_login_owner ON users;
    DROP TRIGGER users_check_login_owner ON users;
    DROP FUNCTION check_login_endings, check_login_owner;
    DROP INDEX users_login_ending_index;
  `);
}
