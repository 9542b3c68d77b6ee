-- mode: string
-- One step of a rollback, and the checkpoint that is the last now, if any is left. Its commit is
-- acknowledged to a person, so it is durable: see chunk_begin.sql for the levels.
-- $1 tracker, $2 epoch, $3 token, $4 about how many rows
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL statement_timeout = 0;
SELECT pg_catalog.set_config('synchronous_commit', 'on', true)
WHERE pg_catalog.current_setting('synchronous_commit') = 'off';
SELECT chunk_no, first_line, last_line, start_offset, end_offset, row_count, reject_count,
       rows_total, rejects_total, pg_catalog.encode(hash, 'hex') AS hash, final
FROM @schema@.pop($1, $2, $3, $4);
COMMIT;
