-- Opens the transaction of one migration, and waits for a program that makes one at the moment
-- (schema_migrate). What follows in it is not part of this string: it looks at the schema again.
-- The lock is one for all schemas of the database.
--
-- mode: string
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL lock_timeout = '30s';
SET LOCAL statement_timeout = 0;
SELECT pg_catalog.set_config('synchronous_commit', 'on', true)
WHERE pg_catalog.current_setting('synchronous_commit') = 'off';
SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('uploader migration', 0))
