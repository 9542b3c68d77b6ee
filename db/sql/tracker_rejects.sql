-- A page of a tracker's rejects in the file's order (tracker_rejects). It ends early, but never
-- before its first, at 4 MiB of raw bytes.
-- $1 tracker, $2 behind this line (0: from the first), $3 at most so many
-- Result: line_no, start_offset, length, reason, sqlstate, raw.
SELECT q.line_no, q.start_offset, q.length, q.reason, q.sqlstate, q.raw
FROM (SELECT r.*, sum(pg_catalog.octet_length(r.raw))
                      OVER (ORDER BY r.line_no ROWS UNBOUNDED PRECEDING)
                  - pg_catalog.octet_length(r.raw) AS bytes_before
      FROM (SELECT * FROM @schema@.file_reject AS f
            WHERE f.file_tracker_id = $1::bigint AND f.line_no > $2::bigint
            ORDER BY f.line_no
            LIMIT $3::bigint) AS r) AS q
WHERE q.bytes_before < 4194304
ORDER BY q.line_no
