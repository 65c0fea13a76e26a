-- Each query fails when what the migration promises is not there.
SELECT id, key, body, created_at FROM notes WHERE false;
SELECT 1 / count(*) FROM pg_constraint WHERE conrelid = 'notes'::regclass AND contype = 'u';
