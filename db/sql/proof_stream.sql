-- mode: string
-- All rows of a tracker as they lie in the table, by no index: it spares the server the sort, finds what
-- an index has lost, and is one reading of the table, in place of one a chunk. COPY spares it to store
-- what it is about to send, as FETCH does.
-- $1 tracker
SET LOCAL enable_seqscan = on;
SET LOCAL enable_bitmapscan = off;
SET LOCAL enable_indexscan = off;
SET LOCAL synchronize_seqscans = off;
SET LOCAL jit = off;
COPY (
    SELECT d.line_no::bigint, d.name::text, d.email::text
    FROM @schema@.file_data AS d
    WHERE d.file_tracker_id = $1::bigint
) TO STDOUT (FORMAT binary);
