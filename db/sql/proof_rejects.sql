-- mode: string
-- The rejects of a tracker, counted by no index.
-- $1 tracker
-- Result: reject_count.
SET LOCAL enable_seqscan = on;
SET LOCAL enable_bitmapscan = off;
SET LOCAL enable_indexscan = off;
SELECT count(*) AS reject_count FROM @schema@.file_reject AS r WHERE r.file_tracker_id = $1;
