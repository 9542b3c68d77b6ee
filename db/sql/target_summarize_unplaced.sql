-- Before a rollback: summarises the table's index where much of the upload is looked for by it.
-- $1 tracker, $2 how many rows are much
SELECT @schema@.summarize_data()
WHERE (SELECT sum(c.row_count) FROM @schema@.file_checkpoint AS c
       WHERE c.file_tracker_id = $1 AND @schema@.place_of(c) IS NULL) > $2
