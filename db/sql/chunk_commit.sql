-- mode: string
-- The gate, and the COMMIT right behind it: when the gate raises, the COMMIT is not reached. Both
-- in one message, so that the gate's lock on the tracker lives for milliseconds. The final chunk
-- brings the hash of the whole file.
-- $1 tracker, $2 epoch, $3 token, $4 owner, $5 chunk_no, $6 first_line, $7 last_line,
-- $8 start_offset, $9 end_offset, $10 row_count, $11 reject_count, $12 hash, $13 final,
-- $14 hash of the file, or NULL
SELECT @schema@.gate($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13);
SELECT @schema@.keep_content($1, $2, $9, $14);
COMMIT;
