-- Version 6: a step of a rollback is two calls in one transaction, so that several connections can
-- delete rows at once. Before, `pop` was one call; it stays for supervisors that run an older program.

-- First, without a lock on the tracker: deletes the rows of some lines, and answers how many there
-- were. What it deletes stays visible to everybody else until pop_chunks has passed. Right after a
-- load the planner knows nothing yet of the table: without enable_seqscan = off it would read all of
-- it.
CREATE FUNCTION @schema@.pop_rows(a_tracker bigint, a_first_line bigint, a_last_line bigint)
RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $pop_rows$
DECLARE
    deleted bigint;
BEGIN
    DELETE FROM @schema@.file_data AS d
    WHERE d.file_tracker_id = a_tracker AND d.line_no BETWEEN a_first_line AND a_last_line;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END
$pop_rows$;

-- Then the gate of a rollback, right before its COMMIT: the chunks whose rows are out go with their
-- rejects and checkpoints; answers the last checkpoint that remains, if any. Raises UP001 when
-- somebody else has the tracker or no stop is wanted. Only the newest chunks can go, so that the
-- chain stays one: the chain is read once the row is locked, in a snapshot taken after that, so that
-- a chunk whose COMMIT the lock waited for is seen. When fewer rows were deleted than the
-- checkpoints have counted, either somebody else has deleted some, or the index is broken: then the
-- whole table is read.
CREATE FUNCTION @schema@.pop_chunks(a_tracker bigint, a_epoch bigint, a_token bigint,
                                    a_first_chunk bigint, a_last_chunk bigint, a_deleted bigint)
RETURNS SETOF @schema@.file_checkpoint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $pop_chunks$
DECLARE
    newest bigint;
    from_line bigint;
    counted bigint;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'a rollback reads what is committed now, so it runs in read committed only'
            USING ERRCODE = 'invalid_transaction_state';
    END IF;

    PERFORM FROM @schema@.file_tracker AS t
    WHERE t.id = a_tracker AND t.epoch = a_epoch AND t.token = a_token AND t.wanted IS NOT NULL
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'tracker % is no longer in epoch % or no stop is wanted',
            a_tracker, a_epoch USING ERRCODE = 'UP001';
    END IF;

    SELECT max(c.chunk_no), min(c.first_line), sum(c.row_count) INTO newest, from_line, counted
    FROM @schema@.file_checkpoint AS c
    WHERE c.file_tracker_id = a_tracker AND c.chunk_no >= a_first_chunk;
    IF newest IS DISTINCT FROM a_last_chunk THEN
        RAISE EXCEPTION 'chunk % of tracker % is not its newest', a_last_chunk, a_tracker
            USING ERRCODE = 'serialization_failure';
    END IF;

    IF a_deleted < counted THEN
        PERFORM @schema@.remove_unfound(a_tracker, from_line);
    END IF;
    DELETE FROM @schema@.file_reject AS r
    WHERE r.file_tracker_id = a_tracker AND r.line_no >= from_line;
    DELETE FROM @schema@.file_checkpoint AS c
    WHERE c.file_tracker_id = a_tracker AND c.chunk_no >= a_first_chunk;

    RETURN QUERY
        SELECT * FROM @schema@.file_checkpoint AS c
        WHERE c.file_tracker_id = a_tracker
        ORDER BY c.chunk_no DESC LIMIT 1;
END
$pop_chunks$;
