-- mode: string
-- A chunk's rejects; the bytes are the worker's.
COPY @schema@.file_reject (file_tracker_id, line_no, start_offset, length, reason, sqlstate, raw)
FROM STDIN (FORMAT binary)
