-- A page of a tracker's chain.
-- $1 tracker, $2 the chunk before the first, $3 at most so many
SELECT chunk_no, first_line, last_line, start_offset, end_offset, row_count, reject_count,
       rows_total, rejects_total, pg_catalog.encode(hash, 'hex') AS hash, final
FROM @schema@.file_checkpoint
WHERE file_tracker_id = $1 AND chunk_no > $2
ORDER BY chunk_no
LIMIT $3
