-- Before a rollback: summarises the table's index where much of the upload is looked for by it.
-- $1 tracker, $2 how many rows are much
SELECT @schema@.summarize_data()
WHERE (SELECT sum(row_count) FROM @schema@.file_checkpoint
       WHERE file_tracker_id = $1 AND from_block IS NULL) > $2
