-- The move "interrupt" for many trackers at once, each a compare-and-swap with its event
-- (unfinished_interrupt).
--
-- $1, $2, $3 arrays of id, epoch and token, as read
-- $4 status, $5 wanted, $6 interrupted, $7 event: of the move's row in the table of moves
-- $8 reason, $9 uid, $10 host
-- $11 token: new, and one for all
--
-- Result: moved, how many. The others had moved on.
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
    SET epoch = t.epoch + 1, token = $11::bigint, status = $4::text, wanted = $5::text,
        interrupted = $6::boolean, error_code = NULL, error_message = NULL, error_detail = NULL,
        error_hint = NULL, error_sqlstate = NULL, updated_at = pg_catalog.clock_timestamp()
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS g (id, epoch, token)
    WHERE t.id = g.id AND t.epoch = g.epoch AND t.token = g.token
    RETURNING t.id, t.status
), told AS (
    INSERT INTO @schema@.file_event
        (file_tracker_id, from_status, to_status, event, reason, uid, host)
    SELECT m.id, (SELECT b.status FROM @schema@.file_tracker AS b WHERE b.id = m.id), m.status,
           $7::text, $8::text, $9::bigint, $10::text
    FROM moved AS m
)
SELECT count(*) AS moved FROM moved;
COMMIT
