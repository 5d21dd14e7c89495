/**
 * Whatever could take a right, a password or trust from somebody is announced, so that servers may
 * remember who has them (src/core/auth/auth-cache.ts). Triggers, so that nobody who changes these tables
 * can forget to; only on what revokes, so that moving money announces nothing.
 */
import type { Knex } from 'knex';

const rights = [
  'accounts_mgmt',
  'customers_mgmt',
  'tariffs_mgmt',
  'vouchers_mgmt',
  'system_mgmt',
  'api_access',
  'api_mgmt',
  'use_own_tariff',
  'did_pool_enabled',
  'ivr_apps_enabled',
  'asr_acd_enabled',
  'debit_credit_cards_enabled',
  'blocked',
  'deleted_at',
];
const proofs = ['web_login', 'login_key', 'password_hash', 'i_access_level', 'blocked', 'deleted_at'];

const isChanged = (columns: readonly string[]): string =>
  columns.map((column) => `OLD.${column} IS DISTINCT FROM NEW.${column}`).join(' OR ');

const announcements = `
  CREATE FUNCTION announce_customer() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM pg_notify('treeline', 'customer ' || OLD.i_customer);
    RETURN NULL;
  END $$;
  CREATE FUNCTION announce_login() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM pg_notify('treeline', 'login ' || NEW.login_key);
    RETURN NULL;
  END $$;
  CREATE FUNCTION announce_table() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM pg_notify('treeline', TG_TABLE_NAME);
    RETURN NULL;
  END $$;

  CREATE TRIGGER customers_announce AFTER UPDATE OF ${rights.join(', ')} ON customers
    FOR EACH ROW WHEN (${isChanged(rights)}) EXECUTE FUNCTION announce_customer();
  CREATE TRIGGER users_announce AFTER UPDATE OF ${proofs.join(', ')} ON users
    FOR EACH ROW WHEN (${isChanged(proofs)}) EXECUTE FUNCTION announce_customer();
  CREATE TRIGGER api_credentials_announce AFTER UPDATE OR DELETE ON api_credentials
    FOR EACH ROW EXECUTE FUNCTION announce_customer();
  CREATE TRIGGER login_failures_announce AFTER INSERT ON login_failures
    FOR EACH ROW WHEN (NEW.scope LIKE 'api %') EXECUTE FUNCTION announce_login();
  CREATE TRIGGER trusted_hosts_announce AFTER INSERT OR UPDATE OR DELETE ON trusted_hosts
    FOR EACH STATEMENT EXECUTE FUNCTION announce_table();
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(announcements);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    DROP TRIGGER customers_announce ON customers;
    DROP TRIGGER users_announce ON users;
    DROP TRIGGER api_credentials_announce ON api_credentials;
    DROP TRIGGER login_failures_announce ON login_failures;
    DROP TRIGGER trusted_hosts_announce ON trusted_hosts;
    DROP FUNCTION announce_customer, announce_login, announce_table;
  `);
}
