-- Where a tracker's chain ends.
-- $1 tracker
SELECT chunk_no, first_line, last_line, start_offset, end_offset, row_count, reject_count,
       rows_total, rejects_total, pg_catalog.encode(hash, 'hex') AS hash, final
FROM @schema@.file_checkpoint
WHERE file_tracker_id = $1
ORDER BY chunk_no DESC
LIMIT 1
