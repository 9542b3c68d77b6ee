-- One compare-and-swap on a tracker, its event, and the read of what it led to (tracker_move).
--
-- The row is found by $1 id, $2 epoch, $3 token; $4 is its new token. A parameter that is NULL
-- keeps what the row has:
--   $5 status     $6 wanted is kept, $7 wanted     $8 interrupted     $9 owner     $10 profile_text
--   $11-$15 device, inode, size, mtime_ns, ctime_ns     $16 again     $30 priority
-- and these are always written:
--   $17 tries, $18 tries_line     $19-$23 error code, message, detail, hint, sqlstate
-- What the rows must show:
--   $24 the final checkpoint is in, complete, and nothing is wanted
--   $25 nothing is left, and a stop or restart is wanted
-- The event: $26 event (NULL: none is written, and updated_at stays), $27 reason (the error's message
-- is put behind it), $28 uid, $29 host.
--
-- Result: the row of tracker_with_point, or none when the row was another or lacked what it must
-- show.
--
-- The UPDATE waits for a backend that has passed the gate and is still committing. What its own
-- snapshot showed of the checkpoints may be stale after that wait: so the recovery point is read by
-- a SELECT behind it, which has a snapshot of its own (read committed) while the row is locked.
--
-- $24 and $25 do look at the older snapshot. They can err to one side only, and refuse: a final
-- checkpoint that came meanwhile is not seen, chunks that a rollback has taken out meanwhile are.
-- That a final one has gone again, or that a chunk has come while a stop is wanted, takes a new
-- epoch, which the compare-and-swap would have met. Both are sent after a fence anyway.
--
-- The event's from_status comes from the older snapshot on purpose: the row before the change.
--
-- mode: string
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL row_security = off;
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = 0;
SELECT pg_catalog.set_config('synchronous_commit', 'on', true)
WHERE pg_catalog.current_setting('synchronous_commit') = 'off';
WITH moved AS (
    UPDATE @schema@.file_tracker AS t
    SET epoch = t.epoch + 1,
        token = $4::bigint,
        status = coalesce($5::text, t.status),
        wanted = CASE WHEN $6::boolean THEN t.wanted ELSE $7::text END,
        interrupted = coalesce($8::boolean, t.interrupted),
        owner = coalesce($9::text, t.owner),
        profile_text = coalesce($10::text, t.profile_text),
        device = coalesce($11::bigint, t.device),
        inode = coalesce($12::bigint, t.inode),
        size = coalesce($13::bigint, t.size),
        mtime_ns = coalesce($14::bigint, t.mtime_ns),
        ctime_ns = coalesce($15::bigint, t.ctime_ns),
        again = coalesce($16::boolean, t.again),
        priority = coalesce($30::smallint, t.priority),
        tries = $17::bigint,
        tries_line = $18::bigint,
        error_code = $19::text,
        error_message = $20::text,
        error_detail = $21::text,
        error_hint = $22::text,
        error_sqlstate = $23::text,
        updated_at = CASE WHEN $26::text IS NULL THEN t.updated_at
                          ELSE pg_catalog.clock_timestamp() END
    WHERE t.id = $1::bigint AND t.epoch = $2::bigint AND t.token = $3::bigint
      AND (NOT $24::boolean
           OR t.wanted IS NULL
              AND EXISTS (SELECT FROM @schema@.tracker_with_point AS p
                          WHERE p.id = t.id AND p.final AND p.rows + p.rejects = p.line))
      AND (NOT $25::boolean
           OR t.wanted IS NOT NULL
              AND NOT EXISTS (SELECT FROM @schema@.file_checkpoint AS c
                              WHERE c.file_tracker_id = t.id)
              AND NOT EXISTS (SELECT FROM @schema@.file_reject AS r
                              WHERE r.file_tracker_id = t.id))
    RETURNING t.id, t.status
)
INSERT INTO @schema@.file_event (file_tracker_id, from_status, to_status, event, reason, uid, host)
SELECT m.id, (SELECT b.status FROM @schema@.file_tracker AS b WHERE b.id = m.id), m.status,
       $26::text, $27::text || coalesce(': ' || $20::text, ''), $28::bigint, $29::text
FROM moved AS m
WHERE $26::text IS NOT NULL;
SELECT p.* FROM @schema@.tracker_with_point AS p
WHERE p.id = $1::bigint AND p.epoch = $2::bigint + 1 AND p.token = $4::bigint;
COMMIT
