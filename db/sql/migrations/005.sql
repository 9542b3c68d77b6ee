-- Version 5: the order of the queue, and a pause of it, outlive the supervisor.

ALTER TABLE @schema@.file_tracker ADD COLUMN priority smallint NOT NULL DEFAULT 0;

-- A supervisor of this name begins no upload (uploadctl pause), until its row is gone.
CREATE TABLE @schema@.pause (
    owner text PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT pg_catalog.now(),
    uid bigint -- who asked
);

-- As in version 4, with the priority.
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
       pg_catalog.encode(f.hash, 'hex') AS content, t.priority
FROM @schema@.file_tracker AS t
LEFT JOIN LATERAL (
    SELECT k.chunk_no, k.last_line, k.end_offset, k.rows_total, k.rejects_total, k.final
    FROM @schema@.file_checkpoint AS k
    WHERE k.file_tracker_id = t.id
    ORDER BY k.chunk_no DESC
    LIMIT 1
) AS c ON true
LEFT JOIN @schema@.file_content AS f ON f.file_tracker_id = t.id AND t.status = 'PROCESSED';
