-- Version 7: the few rows that are not where a step's checkpoints say are sought close before that first.
-- Over the index alone, whose newest ranges cannot be summarised while a vacuum has the lock, the
-- rows of one such page have the server read all that was loaded.

-- First, without a lock on the tracker: deletes the rows of some chunks, and answers how many there
-- were. What it deletes stays visible to everybody else until pop_chunks has passed. It looks where
-- the checkpoints say; close before that, where these were right and what is missing fits into a
-- page of each chunk; and with the index for what is not there.
CREATE OR REPLACE FUNCTION @schema@.pop_rows(a_tracker bigint, a_first_chunk bigint,
                                             a_last_chunk bigint)
RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $pop_rows$
DECLARE
    least_row_bytes CONSTANT bigint := 64;
    k record;
    place int8range;
    deleted bigint := 0;
BEGIN
    SELECT min(c.first_line) AS first_line, max(c.last_line) AS last_line,
           sum(c.row_count)::bigint AS row_count,
           count(*) * current_setting('block_size')::bigint / least_row_bytes AS page_of_each,
           range_agg(@schema@.place_of(c)) AS places
    INTO k
    FROM @schema@.file_checkpoint AS c
    WHERE c.file_tracker_id = a_tracker AND c.chunk_no BETWEEN a_first_chunk AND a_last_chunk;

    FOR place IN SELECT unnest(k.places) LOOP
        deleted := deleted + @schema@.remove_placed(a_tracker, k.first_line, k.last_line,
                                                    lower(place), upper(place));
    END LOOP;
    IF deleted > k.row_count / 2 AND k.row_count - deleted BETWEEN 1 AND k.page_of_each THEN
        deleted := deleted + @schema@.remove_close_before(a_tracker, k.first_line, k.last_line,
                                                          lower(k.places), k.row_count - deleted);
    END IF;
    IF deleted < k.row_count THEN
        deleted := deleted + @schema@.remove_found(a_tracker, k.first_line, k.last_line);
    END IF;
    RETURN deleted;
END
$pop_rows$;

-- The rows of some lines in the blocks before one, until so many have gone. A session goes on in the
-- page that it filled last: when it has waited between two chunks while others made pages, that is
-- as far before its new chunk's place as they came meanwhile. The three stretches are 0.7 GB, what
-- two lanes load in some four seconds.
CREATE FUNCTION @schema@.remove_close_before(a_tracker bigint, a_first_line bigint,
                                             a_last_line bigint, a_block bigint, a_missing bigint)
RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $remove_close_before$
DECLARE
    end_block bigint := a_block;
    from_block bigint;
    blocks bigint;
    deleted bigint := 0;
BEGIN
    FOREACH blocks IN ARRAY ARRAY[4096, 16384, 65536] LOOP
        EXIT WHEN end_block = 0 OR deleted >= a_missing;
        from_block := greatest(end_block - blocks, 0);
        deleted := deleted + @schema@.remove_placed(a_tracker, a_first_line, a_last_line,
                                                    from_block, end_block);
        end_block := from_block;
    END LOOP;
    RETURN deleted;
END
$remove_close_before$;

-- brin_summarize_new_values on the table's indexes: right after a load their newest ranges are not
-- summarised, and whoever looks for rows would read all of them, each time. What fails in it is of no
-- consequence. It waits three seconds at most for whoever has the lock: longer than deadlock_timeout
-- is by default, for then an autovacuum gives way. So only where it may do it at all: who does not own
-- the index would be refused after that. In a transaction of its own, for CREATE INDEX CONCURRENTLY
-- waits for older transactions with the lock that it asks for.
CREATE OR REPLACE FUNCTION @schema@.summarize_data() RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '3s'
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
        WHERE a.amname = 'brin' AND b.relkind = 'i' AND pg_has_role(b.relowner, 'USAGE')
    LOOP
        BEGIN
            PERFORM brin_summarize_new_values(brin);
        EXCEPTION WHEN OTHERS THEN
            CONTINUE;
        END;
    END LOOP;
END
$summarize_data$;
