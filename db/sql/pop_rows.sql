-- mode: string
-- Begins a step of a rollback, whose COMMIT is in pop_chunks.sql; it is acknowledged to a person, so
-- it is durable: see chunk_begin.sql for the levels. One step waits in its transaction for another.
-- What triggers do is done before pop_chunks looks whether the rows have gone.
-- $1 tracker, $2 first chunk, $3 last chunk, $4 lock_timeout in ms, or NULL: the session's own
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL row_security = off;
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
SET CONSTRAINTS ALL IMMEDIATE;
SELECT pg_catalog.set_config('lock_timeout', $4, true) WHERE $4 IS NOT NULL;
SELECT pg_catalog.set_config('synchronous_commit', 'on', true)
WHERE pg_catalog.current_setting('synchronous_commit') = 'off';
SELECT @schema@.pop_rows($1, $2, $3) AS deleted;
