-- A step of a rollback: the newest chunks of the chain, or the newest below one, that make some so
-- many records.
-- $1 tracker, $2 below this chunk, or NULL, $3 about how many records, $4 at most so many chunks
SELECT min(k.chunk_no) AS first_chunk, max(k.chunk_no) AS last_chunk,
       min(k.first_line) AS first_line
FROM (
    SELECT c.chunk_no, c.first_line, c.row_count + c.reject_count AS records,
           sum(c.row_count + c.reject_count) OVER (ORDER BY c.chunk_no DESC) AS records_so_far
    FROM (
        SELECT chunk_no, first_line, row_count, reject_count
        FROM @schema@.file_checkpoint
        WHERE file_tracker_id = $1 AND ($2::bigint IS NULL OR chunk_no < $2)
        ORDER BY chunk_no DESC
        LIMIT $4
    ) AS c
) AS k
WHERE k.records_so_far - k.records < $3
HAVING count(*) > 0
