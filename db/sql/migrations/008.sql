-- Version 8: where a trigger or rule of file_data has a say in what is deleted, the count of rows that were
-- deleted proves nothing: a trigger may have put them back. And what is asked of every file is asked by
-- functions.

-- Whether file_data, or a partition of it, has a trigger or rule that a DELETE meets.
CREATE FUNCTION @schema@.may_keep_rows() RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $may_keep_rows$
    SELECT EXISTS (
        SELECT FROM pg_class AS c
        WHERE (c.oid = to_regclass($name$@schema@.file_data$name$)
               OR c.oid IN (SELECT p.relid
                            FROM pg_partition_tree(to_regclass($name$@schema@.file_data$name$)) AS p))
          AND (c.relhasrules
               OR EXISTS (SELECT FROM pg_trigger AS t
                          WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgtype & 8 <> 0)))
$may_keep_rows$;

-- Raises when rows of a tracker are there from a line on, as remove_unfound does.
CREATE FUNCTION @schema@.check_gone(a_tracker bigint, a_from_line bigint) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = on
SET enable_indexscan = off
SET enable_bitmapscan = off
AS $check_gone$
BEGIN
    PERFORM FROM @schema@.file_data AS d
    WHERE d.file_tracker_id = a_tracker AND d.line_no >= a_from_line;
    IF FOUND THEN
        RAISE EXCEPTION 'rows of tracker % in file_data cannot be deleted', a_tracker
            USING ERRCODE = 'triggered_data_change_violation',
                  HINT = 'Look for a trigger of the table that puts deleted rows back.';
    END IF;
END
$check_gone$;

-- Then the gate of a rollback, right before its COMMIT: the chunks whose rows are out go with their
-- rejects and checkpoints; answers the last checkpoint that remains, if any. Raises UP001 when
-- somebody else has the tracker or no stop is wanted. Only the newest chunks can go, so that the
-- chain stays one: the chain is read once the row is locked, in a snapshot taken after that, so that
-- a chunk whose COMMIT the lock waited for is seen. When fewer rows were deleted than the
-- checkpoints have counted, either somebody else has deleted some, or the index is broken, and when a
-- trigger or rule has its say, rows that were deleted may be there again: then the whole table is read.
CREATE OR REPLACE FUNCTION @schema@.pop_chunks(a_tracker bigint, a_epoch bigint, a_token bigint,
                                               a_first_chunk bigint, a_last_chunk bigint,
                                               a_deleted bigint)
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
    ELSIF @schema@.may_keep_rows() THEN
        PERFORM @schema@.check_gone(a_tracker, from_line);
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

-- Before the row goes, for the checkpoints go with it.
CREATE OR REPLACE FUNCTION @schema@.delete_data() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $delete$
DECLARE
    counted bigint;
    deleted bigint;
BEGIN
    IF current_setting('uploader.keep_rows', true) = 'on' THEN
        RETURN OLD;
    END IF;
    SELECT coalesce(sum(c.row_count), 0) INTO counted
    FROM @schema@.file_checkpoint AS c WHERE c.file_tracker_id = OLD.id;
    DELETE FROM @schema@.file_data AS d WHERE d.file_tracker_id = OLD.id;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    IF deleted < counted THEN
        PERFORM @schema@.remove_unfound(OLD.id, 0);
    ELSIF @schema@.may_keep_rows() THEN
        PERFORM @schema@.check_gone(OLD.id, 0);
    END IF;
    RETURN OLD;
END
$delete$;

-- What the supervisor asks of every file, as functions: their plans are kept with its connection, which
-- takes a quarter of what planning them anew does.

-- The tracker that an upload of a path under a profile means: the one that is not PROCESSED (there
-- is at most one), else the newest.
CREATE FUNCTION @schema@.tracker_of_upload(a_path text, a_profile text)
RETURNS SETOF @schema@.tracker_with_point
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $tracker_of_upload$
BEGIN
    RETURN QUERY
        SELECT p.* FROM @schema@.tracker_with_point AS p
        WHERE @schema@.path_key(p.path) = @schema@.path_key(a_path) AND p.path = a_path
          AND p.profile = a_profile
        ORDER BY p.status = 'PROCESSED', p.id DESC
        LIMIT 1;
END
$tracker_of_upload$;

-- The newest PROCESSED tracker of a path and profile.
CREATE FUNCTION @schema@.tracker_processed(a_path text, a_profile text)
RETURNS SETOF @schema@.tracker_with_point
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $tracker_processed$
BEGIN
    RETURN QUERY
        SELECT p.* FROM @schema@.tracker_with_point AS p
        WHERE @schema@.path_key(p.path) = @schema@.path_key(a_path) AND p.path = a_path
          AND p.profile = a_profile AND p.status = 'PROCESSED'
        ORDER BY p.id DESC
        LIMIT 1;
END
$tracker_processed$;

-- What the target is like, with its partitions, if it has some.
-- `unfit`: why it cannot keep what is promised of its rows, or NULL.
-- `one_lane`: whether a row of one lane could wait for a row of another, through a unique or
-- exclusion constraint or index, or through a trigger. (Foreign keys' own triggers are internal;
-- the locks that they take do not exclude each other.)
CREATE FUNCTION @schema@.inspect_target(a_schema text)
RETURNS TABLE (unfit text, one_lane boolean)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $inspect_target$
BEGIN
    RETURN QUERY
        SELECT CASE WHEN c.relkind NOT IN ('r', 'p') THEN 'is not a table'
                    WHEN c.relpersistence <> 'p' THEN 'is unlogged: a crash of the server would empty it'
                    WHEN parts.foreign_ THEN 'has a foreign table among its partitions'
                    WHEN parts.unlogged THEN
                        'has a partition that is unlogged: a crash of the server would empty it'
               END AS unfit,
               parts.one_lane
        FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL (
            SELECT bool_or(p.relkind = 'f') AS foreign_,
                   bool_or(p.relpersistence <> 'p') AS unlogged,
                   bool_or(EXISTS (
                       SELECT FROM pg_index AS i
                       WHERE i.indrelid = p.oid AND (i.indisunique OR i.indisexclusion)
                   ) OR EXISTS (
                       SELECT FROM pg_trigger AS t
                       WHERE t.tgrelid = p.oid AND NOT t.tgisinternal
                   )) AS one_lane
            FROM pg_class AS p
            WHERE p.oid = c.oid OR p.oid IN (SELECT relid FROM pg_partition_tree(c.oid))
        ) AS parts
        WHERE n.nspname = a_schema AND c.relname = 'file_data';
END
$inspect_target$;
