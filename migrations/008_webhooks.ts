/**
 * A queue for each tenant that has a webhook, so that finding the next event costs the same however many tenants
 * there are. Beside it: dead letters, and the last deliveries. The row of `webhook_queues` is the lock and the
 * counter of its tenant's events: whoever changes those events holds that row.
 */
import type { Knex } from 'knex';

const queues = `
  CREATE TABLE webhook_queues (
    i_customer integer CONSTRAINT webhook_queues_pkey PRIMARY KEY
      CONSTRAINT webhook_queues_i_customer_fkey REFERENCES customers,
    i_family integer NOT NULL,
    state text NOT NULL DEFAULT 'idle'
      CONSTRAINT webhook_queues_state_check CHECK (state IN ('idle', 'ready', 'paused', 'claimed')),
    ready_at timestamptz NOT NULL DEFAULT now(),
    claim uuid,
    failures integer NOT NULL DEFAULT 0,
    waiting integer NOT NULL DEFAULT 0 CONSTRAINT webhook_queues_waiting_check CHECK (waiting >= 0),
    waiting_bytes bigint NOT NULL DEFAULT 0 CONSTRAINT webhook_queues_waiting_bytes_check CHECK (waiting_bytes >= 0),
    dead integer NOT NULL DEFAULT 0 CONSTRAINT webhook_queues_dead_check CHECK (dead >= 0),
    dead_bytes bigint NOT NULL DEFAULT 0 CONSTRAINT webhook_queues_dead_bytes_check CHECK (dead_bytes >= 0),
    lost bigint NOT NULL DEFAULT 0,
    lost_at timestamptz,
    deliveries bigint NOT NULL DEFAULT 0);
  COMMENT ON TABLE webhook_queues IS 'one row for each tenant with a webhook_uri; a trigger of customers inserts and deletes it';
  COMMENT ON COLUMN webhook_queues.i_family IS 'the customer directly below root that the tenant is or is below; root: itself';
  COMMENT ON COLUMN webhook_queues.ready_at IS 'ready: since when; paused: until when; claimed: when the claim expires';
  COMMENT ON COLUMN webhook_queues.claim IS 'names the delivery that is under way';
  COMMENT ON COLUMN webhook_queues.failures IS 'failed attempts in a row; they decide the pause';
  COMMENT ON COLUMN webhook_queues.lost IS 'events that were not stored, because the queue and the dead letters were full';
  COMMENT ON COLUMN webhook_queues.deliveries IS 'attempts so far; numbers webhook_deliveries';

  INSERT INTO webhook_queues (i_customer, i_family)
  SELECT i_customer, coalesce(path[2], i_customer) FROM customers WHERE webhook_uri IS NOT NULL;

  CREATE INDEX webhook_queues_ready_index ON webhook_queues (i_family, ready_at) WHERE state = 'ready';
  CREATE INDEX webhook_queues_due_index ON webhook_queues (ready_at) WHERE state IN ('paused', 'claimed');
`;

const events = `
  DROP INDEX customers_webhook_index;
  DELETE FROM webhook_events e WHERE NOT EXISTS (SELECT FROM webhook_queues q WHERE q.i_customer = e.i_customer);
  DROP TRIGGER webhook_events_announce ON webhook_events;
  DROP INDEX webhook_events_i_customer_index;
  ALTER TABLE webhook_events
    DROP CONSTRAINT webhook_events_i_customer_fkey,
    ADD CONSTRAINT webhook_events_i_customer_fkey FOREIGN KEY (i_customer) REFERENCES webhook_queues ON DELETE CASCADE,
    DROP COLUMN next_at,
    ADD uuid uuid NOT NULL DEFAULT gen_random_uuid() CONSTRAINT webhook_events_uuid_unique UNIQUE,
    ADD state text NOT NULL DEFAULT 'waiting'
      CONSTRAINT webhook_events_state_check CHECK (state IN ('waiting', 'dead', 'ping')),
    ADD state_at timestamptz NOT NULL DEFAULT now(),
    ADD bytes integer NOT NULL DEFAULT 0,
    ADD reason text;
  UPDATE webhook_events SET bytes = octet_length(subject::text), state_at = created_at;
  ALTER TABLE webhook_events ALTER bytes DROP DEFAULT;
  COMMENT ON TABLE webhook_events IS 'events for the webhooks of tenants, written with the change and deleted once delivered';
  COMMENT ON COLUMN webhook_events.state IS 'waiting: will be delivered; dead: a dead letter; ping: a test, tried once';
  COMMENT ON COLUMN webhook_events.state_at IS 'since when it is in its state';
  COMMENT ON COLUMN webhook_events.bytes IS 'length of subject as text';
  COMMENT ON COLUMN webhook_events.reason IS 'why it was not delivered';
  CREATE INDEX webhook_events_queue_index ON webhook_events (i_customer, state, i_event);
  CREATE INDEX webhook_events_state_at_index ON webhook_events (state, state_at);
  CREATE UNIQUE INDEX webhook_events_ping_index ON webhook_events (i_customer) WHERE state = 'ping';
  UPDATE webhook_queues q SET waiting = e.waiting, waiting_bytes = e.waiting_bytes, state = 'ready'
  FROM (SELECT i_customer, count(*) AS waiting, sum(bytes) AS waiting_bytes FROM webhook_events GROUP BY i_customer) e
  WHERE q.i_customer = e.i_customer;
`;

const deliveries = `
  CREATE TABLE webhook_deliveries (
    i_customer integer NOT NULL
      CONSTRAINT webhook_deliveries_i_customer_fkey REFERENCES webhook_queues ON DELETE CASCADE,
    number bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    uuid uuid NOT NULL DEFAULT gen_random_uuid(),
    event_uuid uuid NOT NULL,
    type text NOT NULL,
    attempt integer NOT NULL,
    http_status integer,
    reason text,
    duration_ms integer NOT NULL,
    CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (i_customer, number));
  COMMENT ON TABLE webhook_deliveries IS 'the last attempts of each tenant: older ones are deleted when one is added';
  COMMENT ON COLUMN webhook_deliveries.reason IS 'null: the receiver answered 2xx';
  CREATE INDEX webhook_deliveries_created_at_index ON webhook_deliveries (created_at);
`;

const triggers = `
  CREATE FUNCTION keep_webhook_queue() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF NEW.webhook_uri IS NULL THEN
      DELETE FROM webhook_queues WHERE i_customer = NEW.i_customer;
    ELSE
      INSERT INTO webhook_queues AS q (i_customer, i_family)
      VALUES (NEW.i_customer, coalesce(NEW.path[2], NEW.i_customer))
      ON CONFLICT ON CONSTRAINT webhook_queues_pkey DO UPDATE
        SET failures = 0, state = CASE q.state WHEN 'paused' THEN 'ready' ELSE q.state END,
          ready_at = CASE q.state WHEN 'claimed' THEN q.ready_at ELSE now() END;
    END IF;
    RETURN NULL;
  END $$;
  CREATE TRIGGER customers_webhook_queue AFTER UPDATE OF webhook_uri ON customers
    FOR EACH ROW WHEN (OLD.webhook_uri IS DISTINCT FROM NEW.webhook_uri) EXECUTE FUNCTION keep_webhook_queue();
  CREATE TRIGGER webhook_queues_announce AFTER UPDATE OF state ON webhook_queues
    FOR EACH ROW WHEN (OLD.state IN ('idle', 'paused') AND NEW.state = 'ready') EXECUTE FUNCTION announce_table();
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(queues);
  await knex.raw(events);
  await knex.raw(deliveries);
  await knex.raw(triggers);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    DROP TRIGGER customers_webhook_queue ON customers;
    DROP TABLE webhook_deliveries;
    DELETE FROM webhook_events WHERE state <> 'waiting';
    DROP INDEX webhook_events_queue_index, webhook_events_state_at_index, webhook_events_ping_index;
    ALTER TABLE webhook_events
      DROP CONSTRAINT webhook_events_i_customer_fkey,
      ADD CONSTRAINT webhook_events_i_customer_fkey FOREIGN KEY (i_customer) REFERENCES customers,
      DROP COLUMN uuid, DROP COLUMN state, DROP COLUMN state_at, DROP COLUMN bytes, DROP COLUMN reason,
      ADD next_at timestamptz NOT NULL DEFAULT now();
    COMMENT ON TABLE webhook_events IS 'what is to be told to a tenant, written with the change and deleted once it is told';
    COMMENT ON COLUMN webhook_events.next_at IS 'not to be tried before; a try that is under way holds it';
    CREATE INDEX webhook_events_i_customer_index ON webhook_events (i_customer, i_event);
    CREATE TRIGGER webhook_events_announce AFTER INSERT ON webhook_events
      FOR EACH ROW EXECUTE FUNCTION announce_table();
    CREATE INDEX customers_webhook_index ON customers (i_customer) WHERE webhook_uri IS NOT NULL;
    DROP TABLE webhook_queues;
    DROP FUNCTION keep_webhook_queue;
  `);
}
