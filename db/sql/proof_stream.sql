-- mode: string
-- The rows of a chunk as they lie in the table, which spares the server the sort, and by COPY, which
-- spares it to store what it is about to send, as FETCH does.
-- $1 tracker, $2 first line, $3 last line
COPY (
    SELECT d.line_no::bigint, d.name::text, d.email::text
    FROM @schema@.file_data AS d
    WHERE d.file_tracker_id = $1::bigint AND d.line_no BETWEEN $2::bigint AND $3::bigint
) TO STDOUT (FORMAT binary);
