-- Version 4: the hash of a whole file is kept with its upload, so that the same bytes under another
-- path can be told (option duplicates of the section upload).

-- A row says: this is what the tracker uploads, or has uploaded. It is written when the file has been
-- read before it is loaded (claim_content), under the epoch of that start, and with its final chunk
-- (keep_content). Apart from file_tracker, for a worker that held the gate's lock on the tracker and
-- then wanted to change it would be in a deadlock with a fence that waits for that lock.
CREATE TABLE @schema@.file_content (
    file_tracker_id bigint PRIMARY KEY REFERENCES @schema@.file_tracker ON DELETE CASCADE,
    epoch bigint NOT NULL,
    size bigint NOT NULL,
    hash bytea NOT NULL CHECK (pg_catalog.length(hash) = 16)
);
CREATE INDEX file_content_hash ON @schema@.file_content (hash);

-- Before the first chunk of a start from record 1: takes these bytes for this tracker, and answers
-- who else has them, if anybody (then nothing is taken, unless a_again). Others have them when they
-- are PROCESSED, when rows of them are in, or when they are under way in the epoch that took them:
-- what a tracker found at an earlier start, and a later one may have found otherwise, does not count.
-- Two that come at once come one after the other, by an advisory lock on the hash.
-- a_hash NULL: the file was not read; what an earlier start has found is forgotten.
-- Raises UP001 as the gate does.
CREATE FUNCTION @schema@.claim_content(
    a_tracker bigint, a_epoch bigint, a_token bigint, a_owner text, a_hash bytea, a_size bigint,
    a_again boolean)
RETURNS TABLE (id bigint, path text, status text)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $claim$
#variable_conflict use_column
DECLARE
    a_profile text;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'who has these bytes is read as committed now, so in read committed only'
            USING ERRCODE = 'invalid_transaction_state';
    END IF;

    SELECT t.profile INTO a_profile FROM @schema@.file_tracker AS t
    WHERE t.id = a_tracker AND t.epoch = a_epoch AND t.token = a_token AND t.owner = a_owner
      AND t.status = 'PROCESSING' AND t.wanted IS NULL
    FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'tracker % is no longer in epoch % or may not be uploaded',
            a_tracker, a_epoch USING ERRCODE = 'UP001';
    END IF;

    DELETE FROM @schema@.file_content AS c WHERE c.file_tracker_id = a_tracker;
    IF a_hash IS NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(('x' || left(encode(a_hash, 'hex'), 16))::bit(64)::bigint);

    IF NOT a_again THEN
        RETURN QUERY
            SELECT t.id, t.path, t.status
            FROM @schema@.file_content AS c
            JOIN @schema@.file_tracker AS t ON t.id = c.file_tracker_id
            WHERE c.hash = a_hash AND c.size = a_size AND t.profile = a_profile
              AND (t.status = 'PROCESSED' OR t.status = 'PROCESSING' AND t.epoch = c.epoch
                   OR EXISTS (SELECT FROM @schema@.file_checkpoint AS k
                              WHERE k.file_tracker_id = t.id))
            ORDER BY t.status = 'PROCESSED' DESC, t.id
            LIMIT 1;
        IF FOUND THEN
            RETURN;
        END IF;
    END IF;
    INSERT INTO @schema@.file_content (file_tracker_id, epoch, size, hash)
    VALUES (a_tracker, a_epoch, a_size, a_hash);
END
$claim$;

-- Behind the gate of the final chunk: the file has these bytes. Does nothing for a chunk that is not
-- final, whose hash is NULL.
CREATE FUNCTION @schema@.keep_content(a_tracker bigint, a_epoch bigint, a_size bigint, a_hash bytea)
RETURNS void
LANGUAGE sql VOLATILE STRICT
SET search_path = pg_catalog, pg_temp
AS $keep$
    INSERT INTO @schema@.file_content (file_tracker_id, epoch, size, hash)
    VALUES (a_tracker, a_epoch, a_size, a_hash)
    ON CONFLICT (file_tracker_id)
        DO UPDATE SET epoch = excluded.epoch, size = excluded.size, hash = excluded.hash
$keep$;

-- As in version 1, with the hash of what is PROCESSED, in hexadecimal digits.
CREATE OR REPLACE VIEW @schema@.tracker_with_point AS
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
       coalesce(c.rejects_total, 0) AS rejects, coalesce(c.final, false) AS final,
       pg_catalog.encode(f.hash, 'hex') AS content
FROM @schema@.file_tracker AS t
LEFT JOIN LATERAL (
    SELECT k.chunk_no, k.last_line, k.end_offset, k.rows_total, k.rejects_total, k.final
    FROM @schema@.file_checkpoint AS k
    WHERE k.file_tracker_id = t.id
    ORDER BY k.chunk_no DESC
    LIMIT 1
) AS c ON true
LEFT JOIN @schema@.file_content AS f ON f.file_tracker_id = t.id AND t.status = 'PROCESSED';
