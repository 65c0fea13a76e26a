-- Each query fails when what the migration promises is not there.
SELECT id, topic, message_id, payload, correlation_id, created_at FROM outbox WHERE false;
SELECT 1 / count(*) FROM pg_constraint WHERE conrelid = 'outbox'::regclass AND contype = 'u';
