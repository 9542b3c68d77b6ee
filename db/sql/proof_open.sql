-- mode: string
-- The rows of a chunk, in the order of their lines, read little by little (proof_fetch). A chunk at a
-- time: lanes lay the rows of several chunks side by side, so that to look for a part of one is to read
-- all of them.
-- $1 tracker, $2 first line, $3 last line
CLOSE ALL;
DECLARE rows NO SCROLL CURSOR FOR
SELECT d.line_no, d.name, d.email
FROM @schema@.file_data AS d
WHERE d.file_tracker_id = $1::bigint AND d.line_no BETWEEN $2::bigint AND $3::bigint
ORDER BY d.line_no;
