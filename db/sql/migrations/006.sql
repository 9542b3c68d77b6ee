-- Version 6: a step of a rollback is two calls in one transaction, so that several connections can
-- delete rows at once. Before, `pop` was one call; it stays for supervisors that run an older program.
-- And a checkpoint keeps where in the table its rows went, so that a rollback need not have the index
-- read all that was loaded first.

-- The table is looked up each time: somebody may put another in its place.
CREATE FUNCTION @schema@.last_block() RETURNS bigint
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $last_block$
    SELECT pg_relation_size(to_regclass($name$@schema@.file_data$name$))
           / current_setting('block_size')::bigint - 1
$last_block$;

-- The blocks that the table grew by while the chunk's rows went in: from the one that was the last when
-- the chunk began (chunk_begin.sql) to the one that is when its gate writes the checkpoint. NULL for
-- those of earlier versions.
ALTER TABLE @schema@.file_checkpoint ADD COLUMN from_block bigint, ADD COLUMN to_block bigint;
ALTER TABLE @schema@.file_checkpoint
    ALTER COLUMN from_block
        SET DEFAULT nullif(pg_catalog.current_setting('uploader.from_block', true), '')::bigint,
    ALTER COLUMN to_block SET DEFAULT @schema@.last_block();

-- Where to look for a chunk's rows first. Others' rows are there, too, and where space was free
-- before, some of its own are elsewhere: nothing but speed may depend on it. A session fills its last
-- page before it takes a new one, and new pages are made up to 512 at a time, for all: so it begins
-- a little before. NULL where it is far more than the rows can fill, for then it is others' for the
-- most part, and the index is better: a row has some 64 bytes beside its text, and eight chunks that
-- load side by side are nothing unusual.
CREATE FUNCTION @schema@.place_of(a_chunk @schema@.file_checkpoint) RETURNS int8range
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $place_of$
    SELECT int8range(greatest(a_chunk.from_block - 512, 0), a_chunk.to_block + 1)
    WHERE a_chunk.to_block - a_chunk.from_block
          BETWEEN 0 AND 8192 + 8 * (a_chunk.end_offset - a_chunk.start_offset
                                    + 64 * a_chunk.row_count)
                               / current_setting('block_size')::bigint
$place_of$;

-- brin_summarize_new_values on the table's indexes: right after a load their newest ranges are not
-- summarised, and whoever looks for rows would read all of them, each time. Waits a second at most
-- for another that summarises; what fails in it is of no consequence. In a transaction of its own,
-- for CREATE INDEX CONCURRENTLY waits for older transactions with the lock that it asks for.
CREATE FUNCTION @schema@.summarize_data() RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '1s'
AS $summarize_data$
DECLARE
    brin regclass;
BEGIN
    FOR brin IN
        SELECT i.indexrelid
        FROM pg_partition_tree(to_regclass($name$@schema@.file_data$name$)) AS p
        JOIN pg_index AS i ON i.indrelid = p.relid
        JOIN pg_class AS b ON b.oid = i.indexrelid
        JOIN pg_am AS a ON a.oid = b.relam
        WHERE a.amname = 'brin' AND b.relkind = 'i'
    LOOP
        BEGIN
            PERFORM brin_summarize_new_values(brin);
        EXCEPTION WHEN OTHERS THEN
            CONTINUE;
        END;
    END LOOP;
END
$summarize_data$;

-- First, without a lock on the tracker: deletes the rows of some chunks, and answers how many there
-- were. What it deletes stays visible to everybody else until pop_chunks has passed. It looks where
-- the checkpoints say, and with the index for what is not there.
CREATE FUNCTION @schema@.pop_rows(a_tracker bigint, a_first_chunk bigint, a_last_chunk bigint)
RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $pop_rows$
DECLARE
    k record;
    place int8range;
    deleted bigint := 0;
BEGIN
    SELECT min(c.first_line) AS first_line, max(c.last_line) AS last_line,
           sum(c.row_count) AS row_count
    INTO k
    FROM @schema@.file_checkpoint AS c
    WHERE c.file_tracker_id = a_tracker AND c.chunk_no BETWEEN a_first_chunk AND a_last_chunk;

    FOR place IN
        SELECT unnest(range_agg(@schema@.place_of(c)))
        FROM @schema@.file_checkpoint AS c
        WHERE c.file_tracker_id = a_tracker AND c.chunk_no BETWEEN a_first_chunk AND a_last_chunk
    LOOP
        deleted := deleted + @schema@.remove_placed(a_tracker, k.first_line, k.last_line,
                                                    lower(place), upper(place));
    END LOOP;
    IF deleted < k.row_count THEN
        deleted := deleted + @schema@.remove_found(a_tracker, k.first_line, k.last_line);
    END IF;
    RETURN deleted;
END
$pop_rows$;

-- The rows of some lines in the blocks from one to before another.
CREATE FUNCTION @schema@.remove_placed(a_tracker bigint, a_first_line bigint, a_last_line bigint,
                                       a_from_block bigint, a_end_block bigint)
RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
SET enable_tidscan = on
SET enable_seqscan = off
SET enable_indexscan = off
SET enable_bitmapscan = off
SET jit = off
AS $remove_placed$
DECLARE
    from_place tid := format('(%s,0)', a_from_block);
    end_place tid := format('(%s,0)', a_end_block);
    deleted bigint;
BEGIN
    DELETE FROM @schema@.file_data AS d
    WHERE d.ctid >= from_place AND d.ctid < end_place
      AND d.file_tracker_id = a_tracker AND d.line_no BETWEEN a_first_line AND a_last_line;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END
$remove_placed$;

-- The rows of some lines, wherever they are. Right after a load the planner knows nothing yet of the
-- table: without enable_seqscan = off it would read all of it.
CREATE FUNCTION @schema@.remove_found(a_tracker bigint, a_first_line bigint, a_last_line bigint)
RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $remove_found$
DECLARE
    deleted bigint;
BEGIN
    DELETE FROM @schema@.file_data AS d
    WHERE d.file_tracker_id = a_tracker AND d.line_no BETWEEN a_first_line AND a_last_line;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END
$remove_found$;

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
