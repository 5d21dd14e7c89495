/**
 * The barrier behind every revocation. Each change that could take access from somebody raises an epoch at COMMIT, under
 * an exclusive lock. A call that writes compares the epochs at its own COMMIT, under shared locks, with those that it
 * read when it checked its caller. So a revocation waits for the calls that are committing, and no later one commits.
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
const logins = ['web_login', 'login_key', 'password_hash', 'i_access_level', 'blocked', 'deleted_at'];
const keys = ['token_hash', 'tm_expire', 'deleted_at'];

const isChanged = (columns: readonly string[]): string =>
  columns.map((column) => `OLD.${column} IS DISTINCT FROM NEW.${column}`).join(' OR ');

/**
 * Subjects share 1,024 locks, so that a transaction that revokes for everybody fits into the lock table. A shared lock
 * costs two subjects a wait for each other's COMMIT and nothing else.
 */
const lockOf = (subject: string): string => `7233654, ${subject} & 1023`;

const epochs = `
  CREATE TABLE access_epochs (
    subject integer CONSTRAINT access_epochs_pkey PRIMARY KEY,
    epoch bigint NOT NULL,
    changed_by xid8 NOT NULL);
  COMMENT ON TABLE access_epochs IS 'how often access was revoked; written by triggers, absent: never';
  COMMENT ON COLUMN access_epochs.subject IS
    'i_customer: its rights; -i_customer: its logins, passwords, tokens, keys and addresses; 0: the trusted hosts';
  COMMENT ON COLUMN access_epochs.changed_by IS 'the last transaction that raised it; one transaction raises it once';

  CREATE FUNCTION raise_access_epoch() RETURNS trigger LANGUAGE plpgsql AS $$
  DECLARE raised integer;
  BEGIN
    IF TG_ARGV[0] = 'hosts' THEN raised := 0;
    ELSIF TG_OP = 'INSERT' THEN raised := -NEW.i_customer;
    ELSIF TG_ARGV[0] = 'rights' THEN raised := OLD.i_customer;
    ELSE raised := -OLD.i_customer;
    END IF;
    PERFORM pg_advisory_xact_lock(${lockOf('raised')});
    INSERT INTO access_epochs AS e (subject, epoch, changed_by) VALUES (raised, 1, pg_current_xact_id())
    ON CONFLICT ON CONSTRAINT access_epochs_pkey DO UPDATE SET epoch = e.epoch + 1, changed_by = pg_current_xact_id()
      WHERE e.changed_by <> pg_current_xact_id();
    RETURN NULL;
  END $$;

  -- The epochs without what this transaction changed itself: who revokes for himself is not refused by it.
  CREATE FUNCTION access_epoch_of(subjects integer[]) RETURNS bigint LANGUAGE sql AS $$
    SELECT coalesce(sum(e.epoch - coalesce((e.changed_by = pg_current_xact_id_if_assigned())::int, 0)), 0)::bigint
    FROM access_epochs e WHERE e.subject = ANY(subjects)
  $$;

  -- Raises the transaction's own epochs first: exclusive locks before shared ones, so that no two transactions wait
  -- for each other to give up a shared lock.
  CREATE FUNCTION assert_access(actor_path integer[], actor_epoch bigint, caller_subjects integer[],
    caller_epoch bigint, valid_until timestamptz) RETURNS void LANGUAGE plpgsql AS $$
  BEGIN
    SET CONSTRAINTS ALL IMMEDIATE;
    PERFORM pg_advisory_xact_lock_shared(${lockOf('s.subject')}) FROM unnest(actor_path || caller_subjects) AS s (subject);
    IF access_epoch_of(actor_path) <> actor_epoch OR access_epoch_of(caller_subjects) <> caller_epoch
      OR valid_until <= clock_timestamp() THEN
      RAISE EXCEPTION 'The access of the caller or the actor was changed' USING ERRCODE = 'TLACC';
    END IF;
  END $$;
`;

const raising = (
  table: string,
  event: string,
  kind: 'rights' | 'credentials' | 'hosts',
  when = '',
): string => `
  CREATE CONSTRAINT TRIGGER ${table}_raise_${kind} AFTER ${event} ON ${table} DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW ${when && `WHEN (${when})`} EXECUTE FUNCTION raise_access_epoch('${kind}');`;

const updateOf = (table: string, kind: 'rights' | 'credentials', columns: readonly string[]): string =>
  raising(table, `UPDATE OF ${columns.join(', ')}`, kind, isChanged(columns));

/** Adding a trusted host takes access from nobody. Adding the first address of a customer does. */
const triggers = [
  updateOf('customers', 'rights', rights),
  updateOf('customers', 'credentials', ['name_key']),
  updateOf('users', 'credentials', logins),
  raising('api_credentials', 'UPDATE OR DELETE', 'credentials'),
  raising('ended_tokens', 'INSERT', 'credentials'),
  updateOf('access_keys', 'credentials', keys),
  raising('customer_ip_ranges', 'INSERT OR UPDATE OR DELETE', 'credentials'),
  raising('trusted_hosts', 'UPDATE OR DELETE', 'hosts'),
].join('');

/** Kept answers belong to the caller's id. A retry that spans the upgrade finds its answer and pays once. */
const keysByIds = `
  UPDATE idempotency_keys SET scope = substr(scope, 9) WHERE scope LIKE 'trusted trusted %';
  WITH kept AS (
    SELECT k.scope AS old_scope, regexp_match(k.scope, '^login (.+) (\\d+ (GET |POST |PUT |DELETE |)\\S+)$') AS parts
    FROM (SELECT DISTINCT scope FROM idempotency_keys WHERE scope LIKE 'login %') k)
  UPDATE idempotency_keys k SET scope = 'user ' || u.uuid || ' ' || kept.parts[2]
  FROM kept JOIN users u ON u.web_login = kept.parts[1] AND u.deleted_at IS NULL
  WHERE k.scope = kept.old_scope;
`;

/** What was typed as a login and is none may be a password in the wrong field. */
const forgottenLogins = `
  DELETE FROM login_failures;
  COMMENT ON COLUMN login_failures.login_key IS 'a keyed hash of what was typed';
  UPDATE audit_records r SET resource = 'customer:username='
  WHERE r.action = 'AUTH_FAIL' AND r.resource LIKE 'customer:username=_%'
    AND NOT EXISTS (SELECT FROM users u WHERE u.web_login = substr(r.resource, 19));
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(epochs);
  await knex.raw(triggers);
  await knex.raw(keysByIds);
  await knex.raw(forgottenLogins);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    DROP TRIGGER customers_raise_rights ON customers;
    DROP TRIGGER customers_raise_credentials ON customers;
    DROP TRIGGER users_raise_credentials ON users;
    DROP TRIGGER api_credentials_raise_credentials ON api_credentials;
    DROP TRIGGER ended_tokens_raise_credentials ON ended_tokens;
    DROP TRIGGER access_keys_raise_credentials ON access_keys;
    DROP TRIGGER customer_ip_ranges_raise_credentials ON customer_ip_ranges;
    DROP TRIGGER trusted_hosts_raise_hosts ON trusted_hosts;
    DROP FUNCTION assert_access, access_epoch_of, raise_access_epoch;
    DROP TABLE access_epochs;
    COMMENT ON COLUMN login_failures.login_key IS NULL;
  `);
}
