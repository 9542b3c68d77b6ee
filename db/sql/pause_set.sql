-- This owner begins no upload from now on (pause_set).
-- $1 owner, $2 uid of who asked (NULL: unknown)
-- Result: none.
--
-- mode: string
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL lock_timeout = '2s';
SELECT pg_catalog.set_config('synchronous_commit', 'on', true)
WHERE pg_catalog.current_setting('synchronous_commit') = 'off';
INSERT INTO @schema@.pause (owner, uid) VALUES ($1::text, $2::bigint) ON CONFLICT (owner) DO NOTHING;
COMMIT
