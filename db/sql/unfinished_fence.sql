-- Recovery's set-based fence (unfinished_fence): what is unfinished under a name gets a new epoch
-- and token, and changes in nothing else. It is no compare-and-swap: nobody of this name is left to
-- be overtaken. Rows that are locked are left out, so that one stuck backend does not hold up all
-- others.
--
-- $1 owner, $2 token: new with each of these fences, and one for all of its rows, so that it tells
-- which they are
--
-- The recovery points are read in a transaction after this one (unfinished_read).
--
-- mode: string
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL row_security = off;
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = 0;
SELECT pg_catalog.set_config('synchronous_commit', 'on', true)
WHERE pg_catalog.current_setting('synchronous_commit') = 'off';
WITH mine AS MATERIALIZED (
    SELECT t.id FROM @schema@.file_tracker AS t
    WHERE t.owner = $1::text
      AND (t.status IN ('INITIALIZING', 'PROCESSING') OR t.wanted IS NOT NULL)
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE @schema@.file_tracker AS t
SET epoch = t.epoch + 1, token = $2::bigint
FROM mine AS m
WHERE t.id = m.id;
COMMIT
