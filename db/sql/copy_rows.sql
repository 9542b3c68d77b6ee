-- mode: string
-- A chunk's rows; the bytes are the worker's.
COPY @schema@.file_data (file_tracker_id, line_no, name, email) FROM STDIN (FORMAT binary)
