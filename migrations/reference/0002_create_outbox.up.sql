-- Events of the reference service that are to be published. A row is written in the transaction of what it tells of, and
-- deleted when the bus has it. `message_id` is by what the bus knows a second copy.
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    message_id text NOT NULL UNIQUE,
    payload text NOT NULL,
    correlation_id text,
    created_at timestamptz NOT NULL DEFAULT now()
);
