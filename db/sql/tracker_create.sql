-- A new tracker, INITIALIZING, with its event (tracker_create).
--
-- $1 path, $2 profile, $3 profile_text, $4 owner, $5 token, $6 again, $7 tries, $8 tries_line,
-- $9-$13 device, inode, size, mtime_ns, ctime_ns, $14 reason, $15 uid, $16 host, $17 priority
--
-- Result: its row of tracker_with_point; none when another tracker, not PROCESSED, has the path and
-- profile. Of two that come at once the second waits for the first, at most the lock_timeout.
--
-- mode: string
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL row_security = off;
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = 0;
SELECT pg_catalog.set_config('synchronous_commit', 'on', true)
WHERE pg_catalog.current_setting('synchronous_commit') = 'off';
WITH made AS (
    INSERT INTO @schema@.file_tracker
        (path, profile, profile_text, status, owner, token, again, tries, tries_line,
         device, inode, size, mtime_ns, ctime_ns, priority)
    VALUES ($1::text, $2::text, $3::text, 'INITIALIZING', $4::text, $5::bigint, $6::boolean,
            $7::bigint, $8::bigint, $9::bigint, $10::bigint, $11::bigint, $12::bigint,
            $13::bigint, $17::smallint)
    ON CONFLICT (@schema@.path_key(path), profile) WHERE status <> 'PROCESSED' DO NOTHING
    RETURNING id, status
)
INSERT INTO @schema@.file_event (file_tracker_id, from_status, to_status, event, reason, uid, host)
SELECT m.id, NULL, m.status, 'create', $14::text, $15::bigint, $16::text FROM made AS m;
SELECT p.* FROM @schema@.tracker_with_point AS p
WHERE @schema@.path_key(p.path) = @schema@.path_key($1::text) AND p.path = $1::text
  AND p.profile = $2::text AND p.status <> 'PROCESSED' AND p.token = $5::bigint;
COMMIT
