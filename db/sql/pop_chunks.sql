-- mode: string
-- The end of a step of a rollback whose rows are out: gate and COMMIT, and the checkpoint that is the
-- last now, if any is left.
-- $1 tracker, $2 epoch, $3 token, $4 first chunk, $5 last chunk, $6 rows that are out
SELECT chunk_no, first_line, last_line, start_offset, end_offset, row_count, reject_count,
       rows_total, rejects_total, pg_catalog.encode(hash, 'hex') AS hash, final
FROM @schema@.pop_chunks($1, $2, $3, $4, $5, $6);
COMMIT;
