-- Version 1: the tables, and the two functions that every change of rows passes (gate and pop).
-- Sent in one string with the row of schema_version and COMMIT; @schema@ is the quoted name of the
-- service's schema, which is there. A role that does not own it needs: USAGE on the schema, and on
-- its tables SELECT, INSERT, UPDATE, DELETE.

CREATE TABLE @schema@.schema_version (
    version integer PRIMARY KEY,
    migrated_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);

-- 64 random bits: the first 48 and the last 16 of a random UUID, around its fixed bits.
CREATE FUNCTION @schema@.new_token() RETURNS bigint
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT ('x' || left(u.hex, 12) || right(u.hex, 4))::bit(64)::bigint
    FROM (SELECT replace(gen_random_uuid()::text, '-', '') AS hex OFFSET 0) AS u
$sql$;

-- What stands for a path in an index: a path may have 4096 bytes, a B-tree entry 2704. It is
-- SHA-256, so that equal keys are equal paths; queries compare the path as well all the same.
-- (convert_to is only STABLE, for conversions could be changed; to UTF-8 nobody does.)
CREATE FUNCTION @schema@.path_key(path text) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $sql$ SELECT pg_catalog.sha256(pg_catalog.convert_to($1, 'UTF8')) $sql$;

CREATE TABLE @schema@.file_tracker (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    path text NOT NULL,
    profile text NOT NULL,
    profile_text text NOT NULL,
    status text NOT NULL CHECK (status IN ('INITIALIZING', 'PROCESSING', 'PROCESSED', 'STOPPED',
                                           'KILLED', 'FAILED')),
    owner text NOT NULL,
    epoch bigint NOT NULL DEFAULT 1,
    token bigint NOT NULL DEFAULT @schema@.new_token(),
    wanted text CHECK (wanted IN ('stop', 'restart')),
    interrupted boolean NOT NULL DEFAULT false,
    again boolean NOT NULL DEFAULT false,
    tries bigint NOT NULL DEFAULT 0,
    tries_line bigint NOT NULL DEFAULT 0,
    device bigint NOT NULL DEFAULT 0,
    inode bigint NOT NULL DEFAULT 0,
    size bigint NOT NULL DEFAULT 0,
    mtime_ns bigint NOT NULL DEFAULT 0,
    ctime_ns bigint NOT NULL DEFAULT 0,
    error_code text,
    error_message text,
    error_detail text,
    error_hint text,
    error_sqlstate text,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    CONSTRAINT file_tracker_wanted_while_processing CHECK (wanted IS NULL OR status = 'PROCESSING'),
    CONSTRAINT file_tracker_interrupted_is_killed CHECK (NOT interrupted OR status = 'KILLED')
);

-- One upload of a file under a profile at a time. No foreign key can refer to a partial index or to
-- one on an expression, so that a change of status locks the row FOR NO KEY UPDATE only.
CREATE UNIQUE INDEX file_tracker_place ON @schema@.file_tracker (@schema@.path_key(path), profile)
    WHERE status <> 'PROCESSED';
CREATE INDEX file_tracker_newest ON @schema@.file_tracker (@schema@.path_key(path), id);
CREATE INDEX file_tracker_unfinished ON @schema@.file_tracker (owner)
    WHERE status IN ('INITIALIZING', 'PROCESSING') OR wanted IS NOT NULL OR interrupted;

CREATE TABLE @schema@.file_checkpoint (
    file_tracker_id bigint NOT NULL REFERENCES @schema@.file_tracker ON DELETE CASCADE,
    chunk_no bigint NOT NULL CHECK (chunk_no >= 1),
    first_line bigint NOT NULL CHECK (first_line >= 1),
    last_line bigint NOT NULL,
    start_offset bigint NOT NULL CHECK (start_offset >= 0),
    end_offset bigint NOT NULL,
    row_count bigint NOT NULL CHECK (row_count >= 0),
    reject_count bigint NOT NULL CHECK (reject_count >= 0),
    rows_total bigint NOT NULL,
    rejects_total bigint NOT NULL,
    hash bytea NOT NULL CHECK (pg_catalog.length(hash) = 16),
    final boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    PRIMARY KEY (file_tracker_id, chunk_no),
    CHECK (last_line - first_line + 1 = row_count + reject_count),
    CHECK (end_offset >= start_offset),
    CHECK (rows_total + rejects_total = last_line)
);

CREATE TABLE @schema@.file_reject (
    file_tracker_id bigint NOT NULL REFERENCES @schema@.file_tracker ON DELETE CASCADE,
    line_no bigint NOT NULL CHECK (line_no >= 1),
    start_offset bigint NOT NULL,
    length bigint NOT NULL,
    reason text NOT NULL,
    sqlstate text,
    raw bytea NOT NULL,
    PRIMARY KEY (file_tracker_id, line_no)
);

CREATE TABLE @schema@.file_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file_tracker_id bigint NOT NULL REFERENCES @schema@.file_tracker ON DELETE CASCADE,
    at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    from_status text,
    to_status text NOT NULL,
    event text NOT NULL,
    reason text NOT NULL,
    uid bigint,
    host text NOT NULL
);
CREATE INDEX file_event_tracker ON @schema@.file_event (file_tracker_id, id);

-- The target. Neither a primary nor a foreign key: gate and pop keep it exact, and each would cost
-- a multiple of the load. BRIN ranges are summarised by VACUUM, which comes after every so many
-- rows however large the table is. (Not by autosummarize: a fast load asks for more ranges than the
-- autovacuum's list has room for, and every request beyond is a line in the server's log.) A range
-- of 32 pages has some 2,500 rows, a fraction of a chunk, so that what a rollback or verify reads
-- beside its own rows stays small; minmax-multi keeps apart what several lanes and files wrote into
-- one range.
CREATE TABLE @schema@.file_data (
    file_tracker_id bigint NOT NULL,
    line_no bigint NOT NULL,
    name text NOT NULL,
    email text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.now()
) WITH (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 1000000);
CREATE INDEX file_data_place ON @schema@.file_data
    USING brin (file_tracker_id int8_minmax_multi_ops, line_no int8_minmax_multi_ops)
    WITH (pages_per_range = 32);

-- A tracker with its recovery point, in the columns that the service reads by name; times as RFC
-- 3339 in UTC has them.
CREATE VIEW @schema@.tracker_with_point AS
SELECT t.id, t.path, t.profile, t.profile_text, t.status, t.owner, t.epoch, t.token, t.wanted,
       t.interrupted, t.again, t.tries, t.tries_line,
       t.device, t.inode, t.size, t.mtime_ns, t.ctime_ns,
       t.error_code, t.error_message, t.error_detail, t.error_hint, t.error_sqlstate,
       pg_catalog.to_char(t.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
           AS created_at,
       pg_catalog.to_char(t.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
           AS updated_at,
       coalesce(c.chunk_no, 0) AS chunk_no, coalesce(c.last_line, 0) AS line,
       coalesce(c.end_offset, 0) AS "offset", coalesce(c.rows_total, 0) AS rows,
       coalesce(c.rejects_total, 0) AS rejects, coalesce(c.final, false) AS final
FROM @schema@.file_tracker AS t
LEFT JOIN LATERAL (
    SELECT k.chunk_no, k.last_line, k.end_offset, k.rows_total, k.rejects_total, k.final
    FROM @schema@.file_checkpoint AS k
    WHERE k.file_tracker_id = t.id
    ORDER BY k.chunk_no DESC
    LIMIT 1
) AS c ON true;

-- What every chunk passes right before its COMMIT. It locks the tracker FOR SHARE, so that a fence
-- either waits for this COMMIT or makes this gate refuse; inserts the checkpoint; or raises
-- UP001 (somebody else has the tracker, or a stop is wanted) or
-- UP002 (the chunk does not continue the chain), and the COMMIT behind it does nothing.
-- Each statement in here has a snapshot of its own (read committed), so the chain is read as it is
-- after the lock.
CREATE FUNCTION @schema@.gate(
    a_tracker bigint, a_epoch bigint, a_token bigint, a_owner text, a_chunk_no bigint,
    a_first_line bigint, a_last_line bigint, a_start_offset bigint, a_end_offset bigint,
    a_row_count bigint, a_reject_count bigint, a_hash bytea, a_final boolean)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $gate$
DECLARE
    k @schema@.file_checkpoint%ROWTYPE;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'a chunk reads what is committed now, so it runs in read committed only'
            USING ERRCODE = 'invalid_transaction_state';
    END IF;

    PERFORM FROM @schema@.file_tracker AS t
    WHERE t.id = a_tracker AND t.epoch = a_epoch AND t.token = a_token AND t.owner = a_owner
      AND t.status = 'PROCESSING' AND t.wanted IS NULL
    FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'tracker % is no longer in epoch % or may not be uploaded',
            a_tracker, a_epoch USING ERRCODE = 'UP001';
    END IF;

    SELECT * INTO k FROM @schema@.file_checkpoint AS c
    WHERE c.file_tracker_id = a_tracker
    ORDER BY c.chunk_no DESC LIMIT 1;
    IF NOT FOUND THEN
        k.chunk_no := 0;
        k.last_line := 0;
        k.end_offset := 0;
        k.rows_total := 0;
        k.rejects_total := 0;
        k.final := false;
    END IF;

    -- IS NOT TRUE: a NULL anywhere refuses as well
    IF (NOT k.final AND a_chunk_no = k.chunk_no + 1 AND a_first_line = k.last_line + 1
        AND a_start_offset = k.end_offset AND a_end_offset >= a_start_offset
        AND a_row_count >= 0 AND a_reject_count >= 0
        AND a_last_line - a_first_line + 1 = a_row_count + a_reject_count) IS NOT TRUE THEN
        RAISE EXCEPTION 'chunk % of tracker % does not continue its chain', a_chunk_no, a_tracker
            USING ERRCODE = 'UP002',
                  DETAIL = format('The last chunk is %s (final: %s), up to record %s and offset %s;'
                                  ' this one has records %s to %s (%s rows, %s rejects) at offsets'
                                  ' %s to %s.', k.chunk_no, k.final, k.last_line, k.end_offset,
                                  a_first_line, a_last_line, a_row_count, a_reject_count,
                                  a_start_offset, a_end_offset);
    END IF;

    INSERT INTO @schema@.file_checkpoint
        (file_tracker_id, chunk_no, first_line, last_line, start_offset, end_offset, row_count,
         reject_count, rows_total, rejects_total, hash, final)
    VALUES (a_tracker, a_chunk_no, a_first_line, a_last_line, a_start_offset, a_end_offset,
            a_row_count, a_reject_count, k.rows_total + a_row_count,
            k.rejects_total + a_reject_count, a_hash, a_final);
END
$gate$;

-- One step of a rollback: takes the newest chunks out, as many as make some a_max_rows records, at
-- least one, with their rows, rejects and checkpoints; answers the last checkpoint that remains, if
-- any. Raises UP001 when somebody else has the tracker or no stop is wanted. The chain is read only
-- once the row is locked, in a snapshot taken after that: a chunk whose COMMIT the lock waited for
-- is seen. Right after a load the planner knows nothing yet of the table: without enable_seqscan =
-- off it would read all of it.
CREATE FUNCTION @schema@.pop(a_tracker bigint, a_epoch bigint, a_token bigint, a_max_rows bigint)
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
        SELECT c.chunk_no, c.first_line, c.row_count + c.reject_count AS records
        FROM @schema@.file_checkpoint AS c
        WHERE c.file_tracker_id = a_tracker
        ORDER BY c.chunk_no DESC
    LOOP
        EXIT WHEN from_chunk IS NOT NULL AND records + k.records > a_max_rows;
        from_chunk := k.chunk_no;
        from_line := k.first_line;
        records := records + k.records;
    END LOOP;

    IF from_chunk IS NOT NULL THEN
        DELETE FROM @schema@.file_data AS d
        WHERE d.file_tracker_id = a_tracker AND d.line_no >= from_line;
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

-- Deleting a tracker deletes its rows; the small tables have foreign keys for that.
CREATE FUNCTION @schema@.delete_data() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $delete$
BEGIN
    DELETE FROM @schema@.file_data AS d WHERE d.file_tracker_id = OLD.id;
    RETURN NULL;
END
$delete$;
CREATE TRIGGER file_tracker_delete_data AFTER DELETE ON @schema@.file_tracker
    FOR EACH ROW EXECUTE FUNCTION @schema@.delete_data();
