-- This owner begins uploads again (pause_end).
-- $1 owner
-- Result: none.
--
-- mode: string
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL lock_timeout = '2s';
SELECT pg_catalog.set_config('synchronous_commit', 'on', true)
WHERE pg_catalog.current_setting('synchronous_commit') = 'off';
DELETE FROM @schema@.pause AS p WHERE p.owner = $1::text;
COMMIT
