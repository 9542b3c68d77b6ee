-- Version 2: the index on the rows is exact, and a rollback no longer takes an index's word for it.
-- With the operator class int8_minmax_multi_ops of version 1 a BRIN index loses entries when a range
-- is summarised while others add rows to it (seen with PostgreSQL 15.18: rows that are in the table,
-- and that a scan of the index does not find). int8_minmax_ops does not. Building the new index reads
-- the whole table once; until then it can be read, but not added to.

CREATE INDEX file_data_place_2 ON @schema@.file_data
    USING brin (file_tracker_id int8_minmax_ops, line_no int8_minmax_ops)
    WITH (pages_per_range = 32);
DROP INDEX @schema@.file_data_place;
ALTER INDEX @schema@.file_data_place_2 RENAME TO file_data_place;

-- Deletes a tracker's rows from a line on by reading the whole table, whatever an index says. Raises
-- when they are still there then: a rule or trigger of the table keeps them.
CREATE FUNCTION @schema@.remove_unfound(a_tracker bigint, a_from_line bigint) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = on
SET enable_indexscan = off
SET enable_bitmapscan = off
AS $remove$
DECLARE
    deleted bigint;
BEGIN
    DELETE FROM @schema@.file_data AS d
    WHERE d.file_tracker_id = a_tracker AND d.line_no >= a_from_line;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    IF deleted > 0 THEN
        RAISE WARNING 'the index file_data_place did not find % rows of tracker %',
            deleted, a_tracker USING HINT = 'Rebuild it with REINDEX INDEX.';
    END IF;
    PERFORM FROM @schema@.file_data AS d
    WHERE d.file_tracker_id = a_tracker AND d.line_no >= a_from_line;
    IF FOUND THEN
        RAISE EXCEPTION 'rows of tracker % in file_data cannot be deleted', a_tracker
            USING ERRCODE = 'triggered_data_change_violation',
                  HINT = 'Look for a rule or trigger of the table that keeps rows from being deleted.';
    END IF;
END
$remove$;

-- As in version 1; but when the index has found fewer rows than the checkpoints have counted, either
-- somebody else has deleted some, or the index is broken: then the whole table is read.
CREATE OR REPLACE FUNCTION @schema@.pop(a_tracker bigint, a_epoch bigint, a_token bigint,
                                        a_max_rows bigint)
RETURNS SETOF @schema@.file_checkpoint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $pop$
DECLARE
    k record;
    from_chunk bigint;
    from_line bigint;
    records bigint := 0;
    counted bigint := 0;
    deleted bigint;
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

    FOR k IN
        SELECT c.chunk_no, c.first_line, c.row_count, c.row_count + c.reject_count AS records
        FROM @schema@.file_checkpoint AS c
        WHERE c.file_tracker_id = a_tracker
        ORDER BY c.chunk_no DESC
    LOOP
        EXIT WHEN from_chunk IS NOT NULL AND records + k.records > a_max_rows;
        from_chunk := k.chunk_no;
        from_line := k.first_line;
        records := records + k.records;
        counted := counted + k.row_count;
    END LOOP;

    IF from_chunk IS NOT NULL THEN
        DELETE FROM @schema@.file_data AS d
        WHERE d.file_tracker_id = a_tracker AND d.line_no >= from_line;
        GET DIAGNOSTICS deleted = ROW_COUNT;
        IF deleted < counted THEN
            PERFORM @schema@.remove_unfound(a_tracker, from_line);
        END IF;
        DELETE FROM @schema@.file_reject AS r
        WHERE r.file_tracker_id = a_tracker AND r.line_no >= from_line;
        DELETE FROM @schema@.file_checkpoint AS c
        WHERE c.file_tracker_id = a_tracker AND c.chunk_no >= from_chunk;
    END IF;

    RETURN QUERY
        SELECT * FROM @schema@.file_checkpoint AS c
        WHERE c.file_tracker_id = a_tracker
        ORDER BY c.chunk_no DESC LIMIT 1;
END
$pop$;
