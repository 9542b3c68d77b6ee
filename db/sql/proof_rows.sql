-- The rows of some records, as the index finds them; at most so many.
-- $1 tracker, $2 first line, $3 last line, $4 limit
-- Result: line_no, name, email.
SELECT d.line_no, d.name, d.email
FROM @schema@.file_data AS d
WHERE d.file_tracker_id = $1::bigint AND d.line_no BETWEEN $2::bigint AND $3::bigint
ORDER BY d.line_no
LIMIT $4::bigint
