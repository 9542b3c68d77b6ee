-- mode: string
-- Forgets an upload that has ended: its tracker, with all that is its own, goes, by a
-- compare-and-swap like any other change. Its rows go with it, unless they are to stay.
-- Durable when it is answered, whatever the level that the operator has set ("off" is none).
-- $1 tracker, $2 epoch, $3 token, $4 whether its rows stay
-- Result: a row, or none when it has moved on.
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL row_security = off;
SELECT pg_catalog.set_config('synchronous_commit',
           CASE WHEN pg_catalog.current_setting('synchronous_commit') = 'off' THEN 'on'
                ELSE pg_catalog.current_setting('synchronous_commit') END, true),
       pg_catalog.set_config('uploader.keep_rows', CASE WHEN $4::boolean THEN 'on' ELSE '' END, true),
       pg_catalog.set_config('statement_timeout', '0', true);
DELETE FROM @schema@.file_tracker AS t
WHERE t.id = $1 AND t.epoch = $2 AND t.token = $3 AND t.wanted IS NULL
  AND t.status IN ('STOPPED', 'KILLED', 'FAILED', 'PROCESSED')
RETURNING t.id;
COMMIT;
