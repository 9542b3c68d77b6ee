-- Version 3: a tracker can be forgotten and its rows stay, when the transaction says so by the
-- setting uploader.keep_rows; and where they go, the index is not taken at its word, as in a
-- rollback (version 2): what is fewer than the checkpoints have counted is sought in the table.

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
    END IF;
    RETURN OLD;
END
$delete$;
DROP TRIGGER file_tracker_delete_data ON @schema@.file_tracker;
CREATE TRIGGER file_tracker_delete_data BEFORE DELETE ON @schema@.file_tracker
    FOR EACH ROW EXECUTE FUNCTION @schema@.delete_data();
