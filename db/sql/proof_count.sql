-- mode: string
-- All rows and rejects of a tracker, by reading the whole table and not by any index: those that no
-- record of the upload has are found, and those that the index has lost.
-- $1 tracker, $2 the last line that may have one
-- Result: row_count, reject_count, stranger (the first line beyond 1..$2 that has a row, or NULL).
SET LOCAL max_parallel_workers_per_gather TO DEFAULT;
SET LOCAL enable_seqscan = on;
SET LOCAL enable_bitmapscan = off;
SET LOCAL enable_indexscan = off;
SELECT count(*) AS row_count,
       (SELECT count(*) FROM @schema@.file_reject AS r WHERE r.file_tracker_id = $1) AS reject_count,
       min(d.line_no) FILTER (WHERE d.line_no < 1 OR d.line_no > $2) AS stranger
FROM @schema@.file_data AS d
WHERE d.file_tracker_id = $1;
